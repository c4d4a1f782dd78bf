# What is measured of every trained run.
rule evaluate:
    input:
        lambda w: PLAN.inputs("evaluate", w.run),
    output:
        evaluation=f"{BASE}/evaluations/{{run}}/results.csv",
        samples=f"{BASE}/evaluations/{{run}}/samples.safetensors",
        record=f"{BASE}/evaluations/{{run}}/record.json",
    log:
        f"{BASE}/logs/evaluate/{{run}}.log",
    benchmark:
        f"{BASE}/benchmarks/evaluate/{{run}}.tsv"
    threads: threads_of
    resources:
        **asks("evaluate"),
    params:
        planned=lambda w: PLAN.lineage("evaluate", w.run),
    message:
        "Evaluating {wildcards.run}"
    shell:
        "fernn evaluate {wildcards.run} --scale {PARAMS.scale} --planned {params.planned} {ALLOW_CPU} > {log} 2>&1"


rule evaluations:
    input:
        results("evaluate"),
    message:
        "All evaluations of scale {PARAMS.scale}"
