# Tables and figures, made of the files of finished runs.
from fernn.results.plan import data_files, figure_names, table_names

TABLES = [*(str(LAYOUT.table(name)) for name in table_names(PARAMS)), str(LAYOUT.metrics())]
FIGURES = [str(LAYOUT.figure(name)) for name in figure_names(PARAMS)]


rule tables:
    input:
        data_files(PARAMS, LAYOUT),
        expand(rules.train.output.metrics, run=RUNS),
        expand(rules.evaluate.output.evaluation, run=RUNS),
    output:
        TABLES,
    log:
        f"{BASE}/logs/tables.log",
    resources:
        **submission("tables"),
    params:
        cfg=stages.results_inputs(PARAMS, "tables"),
    message:
        "Writing the tables"
    shell:
        "fernn tables --scale {PARAMS.scale} > {log} 2>&1"


rule figures:
    input:
        data_files(PARAMS, LAYOUT),
        expand(rules.train.output.metrics, run=RUNS),
        EVALUATIONS,
    output:
        FIGURES,
    log:
        f"{BASE}/logs/figures.log",
    resources:
        **submission("figures"),
    params:
        cfg=stages.results_inputs(PARAMS, "figures"),
    message:
        "Drawing the figures"
    shell:
        "fernn figures --scale {PARAMS.scale} > {log} 2>&1"
