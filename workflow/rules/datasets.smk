# The flowed data sets: pools of digits, and the recipes of validation and test sequences.
rule dataset:
    input:
        lambda w: PLAN.inputs("dataset", f"{w.experiment}/{w.part}"),
    output:
        data=f"{BASE}/datasets/{{experiment}}/{{part}}.safetensors",
        record=f"{BASE}/datasets/{{experiment}}/{{part}}.record.json",
    log:
        f"{BASE}/logs/datasets/{{experiment}}/{{part}}.log",
    benchmark:
        f"{BASE}/benchmarks/datasets/{{experiment}}/{{part}}.tsv"
    # decoding videos takes all cores, anything else one
    threads: lambda w: CORES if w.part == "frames" else 1
    resources:
        **asks("dataset"),
    params:
        planned=lambda w: PLAN.lineage("dataset", f"{w.experiment}/{w.part}"),
    message:
        "Data set {wildcards.experiment}/{wildcards.part}"
    shell:
        "fernn dataset {wildcards.experiment}/{wildcards.part} --scale {PARAMS.scale} --planned {params.planned} > {log} 2>&1"


rule datasets:
    input:
        results("dataset"),
    message:
        "All data sets of scale {PARAMS.scale}"
