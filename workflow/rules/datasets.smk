# The flowed data sets: pools of digits, and the recipes of validation and test sequences.
rule dataset:
    input:
        lambda w: PLANS[w.experiment].dataset_files(PARAMS, LAYOUT, w.part).values(),
    output:
        f"{BASE}/datasets/{{experiment}}/{{part}}.safetensors",
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


DATASETS = [str(path) for path in dataset_parts(PARAMS, LAYOUT)]


rule datasets:
    input:
        DATASETS,
