# Every training run: a model, a data flow, a learning rate and a seed.


rule train:
    input:
        lambda w: PLAN.inputs("train", w.run),
    output:
        model=f"{BASE}/runs/{{run}}/model.safetensors",
        metrics=f"{BASE}/runs/{{run}}/metrics.csv",
        record=f"{BASE}/runs/{{run}}/record.json",
    log:
        f"{BASE}/logs/train/{{run}}.log",
    benchmark:
        f"{BASE}/benchmarks/train/{{run}}.tsv"
    threads: threads_of_training
    resources:
        **asks_of_training(),
    params:
        planned=lambda w: PLAN.lineage("train", w.run),
    message:
        "Training {wildcards.run}"
    shell:
        "fernn train {wildcards.run} --scale {PARAMS.scale} --planned {params.planned} {ALLOW_CPU} > {log} 2>&1"


rule runs:
    input:
        results("train"),
    message:
        "All runs of scale {PARAMS.scale}"
