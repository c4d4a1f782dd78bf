# Every training run: a model, a data flow, a learning rate and a seed.
rule train:
    input:
        lambda w: PLANS[RUNS[w.run].experiment].train_files(PARAMS, LAYOUT, RUNS[w.run]).values(),
    output:
        model=f"{BASE}/runs/{{run}}/model.safetensors",
        metrics=f"{BASE}/runs/{{run}}/metrics.csv",
        record=f"{BASE}/runs/{{run}}/record.json",
    log:
        f"{BASE}/logs/train/{{run}}.log",
    benchmark:
        f"{BASE}/benchmarks/train/{{run}}.tsv"
    threads: threads_of
    resources:
        **asks("train"),
    params:
        cfg=lambda w: stages.train_inputs(PARAMS, RUNS[w.run]),
        allow_cpu="--allow-cpu" if PARAMS.allow_cpu else "",
    message:
        "Training {wildcards.run}"
    shell:
        "fernn train {wildcards.run} --scale {PARAMS.scale} {params.allow_cpu} > {log} 2>&1"


MODELS = expand(rules.train.output, run=RUNS)
