# Downloads. At a scale without sources the digits are part of the repository and there is nothing to do; at a scale with
# stand-ins the videos are drawn, served on this machine, and fetched by the code that fetches the originals.
from fernn.data.mnist import FILES

VIDEOS = PARAMS.kth.source

if PARAMS.mnist.sources:

    rule fetch_mnist:
        output:
            expand(f"{PARAMS.mnist.folder}/{{name}}", name=FILES),
        log:
            f"{BASE}/logs/fetch_mnist.log",
        localrule: True  # nodes that compute often have no network
        message:
            "Fetching MNIST"
        shell:
            "fernn fetch mnist --scale {PARAMS.scale} > {log} 2>&1"


if ("standins", "") in JOBS.all:

    rule standins:
        input:
            PLAN.inputs("standins"),
        output:
            results("standins"),
        log:
            f"{BASE}/logs/standins.log",
        threads: CORES
        resources:
            **submission("standins"),
        params:
            planned=PLAN.lineage("standins"),
        message:
            "Drawing stand-ins for KTH"
        shell:
            "fernn standins --scale {PARAMS.scale} --planned {params.planned} > {log} 2>&1"


rule fetch_kth:
    input:
        # release.json; nothing where the originals are fetched
        results("standins")[:1],
    output:
        # the archives are no outputs: those of a job that failed would be deleted, and downloaded again
        f"{VIDEOS.folder}/fetched.json",
    log:
        f"{BASE}/logs/fetch_kth.log",
    localrule: True
    message:
        "Fetching KTH"
    shell:
        "fernn fetch kth --scale {PARAMS.scale} > {log} 2>&1"


rule data:
    input:
        JOBS.sources(),
    message:
        "All sources of scale {PARAMS.scale}"
