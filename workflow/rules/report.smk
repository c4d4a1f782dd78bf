# Tables and figures, made of the files of finished runs.
from fernn.provenance.records import NAME
from fernn.results.plan import figure_names, files_read, table_names

TABLES = [*(str(LAYOUT.table(name)) for name in (*table_names(PARAMS), NAME)), str(LAYOUT.metrics())]
FIGURES = [str(LAYOUT.figure(name)) for name in (*figure_names(PARAMS), NAME)]


rule tables:
    input:
        files_read(PARAMS, LAYOUT, "tables"),
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
        files_read(PARAMS, LAYOUT, "figures"),
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
