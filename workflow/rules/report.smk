# Tables, figures and the report, made of the files of finished runs.
rule tables:
    input:
        PLAN.inputs("tables"),
    output:
        results("tables"),
    log:
        f"{BASE}/logs/tables.log",
    resources:
        **submission("tables"),
    params:
        planned=PLAN.lineage("tables"),
    message:
        "Writing the tables"
    shell:
        "fernn tables --scale {PARAMS.scale} --planned {params.planned} > {log} 2>&1"


rule figures:
    input:
        PLAN.inputs("figures"),
    output:
        results("figures"),
    log:
        f"{BASE}/logs/figures.log",
    resources:
        **submission("figures"),
    params:
        planned=PLAN.lineage("figures"),
    message:
        "Drawing the figures"
    shell:
        "fernn figures --scale {PARAMS.scale} --planned {params.planned} > {log} 2>&1"


rule report:
    input:
        PLAN.inputs("report"),
    output:
        results("report"),
    log:
        f"{BASE}/logs/report.log",
    resources:
        **submission("report"),
    params:
        planned=PLAN.lineage("report"),
    message:
        "Composing the report"
    shell:
        "fernn report --scale {PARAMS.scale} --planned {params.planned} > {log} 2>&1"
