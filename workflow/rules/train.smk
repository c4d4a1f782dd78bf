# Every training run: a model, a data flow, a learning rate and a seed.

# no parameter of the rule: who allows it later has no run to repeat
ALLOW_CPU = "--allow-cpu" if PARAMS.allow_cpu else ""


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
    message:
        "Training {wildcards.run}"
    shell:
        "fernn train {wildcards.run} --scale {PARAMS.scale} {ALLOW_CPU} > {log} 2>&1"


MODELS = expand(rules.train.output, run=RUNS)


rule runs:
    input:
        MODELS,
