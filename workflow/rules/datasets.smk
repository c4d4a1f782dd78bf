# The flowed data sets: pools of digits, and the recipes of validation and test sequences.
def dataset_input(experiment, part):
    """The files of a part; those of the repository go by their content, which stands in the parameters."""
    carried = stages.carried_files(PARAMS, experiment, part)
    files = PLANS[experiment].dataset_files(PARAMS, LAYOUT, part).values()
    return [ancient(path) if path in carried else path for path in files]


rule dataset:
    input:
        lambda w: dataset_input(w.experiment, w.part),
    output:
        data=f"{BASE}/datasets/{{experiment}}/{{part}}.safetensors",
        record=f"{BASE}/datasets/{{experiment}}/{{part}}.record.json",
    log:
        f"{BASE}/logs/datasets/{{experiment}}/{{part}}.log",
    benchmark:
        f"{BASE}/benchmarks/datasets/{{experiment}}/{{part}}.tsv"
    # decoding videos takes all cores, anything else one
    threads: lambda w: workflow.cores if w.part == "frames" else 1
    resources:
        **asks("dataset"),
    params:
        # one mapping: Snakemake compares parameters as a set of values and would not see two of them swapped
        cfg=lambda w: stages.dataset_inputs(PARAMS, w.experiment, w.part),
    message:
        "Data set {wildcards.experiment}/{wildcards.part}"
    shell:
        "fernn dataset {wildcards.experiment}/{wildcards.part} --scale {PARAMS.scale} > {log} 2>&1"


DATASETS = [
    path
    for name in dataset_parts(PARAMS, LAYOUT).values()
    for path in expand(rules.dataset.output, experiment=name.split("/")[0], part=name.split("/")[1])
]


rule datasets:
    input:
        DATASETS,
