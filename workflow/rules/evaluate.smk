# What is measured of every trained run.
rule evaluate:
    input:
        lambda w: PLANS[RUNS[w.run].experiment].evaluate_files(PARAMS, LAYOUT, RUNS[w.run]).values(),
        model=rules.train.output.model,
    output:
        evaluation=f"{BASE}/evaluations/{{run}}/evaluation.json",
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
        cfg=lambda w: stages.evaluate_inputs(PARAMS, RUNS[w.run]),
    message:
        "Evaluating {wildcards.run}"
    shell:
        "fernn evaluate {wildcards.run} --scale {PARAMS.scale} > {log} 2>&1"


EVALUATIONS = expand(rules.evaluate.output, run=RUNS)


rule evaluations:
    input:
        EVALUATIONS,
