# Downloads. At a scale without sources the digits are part of the repository and there is nothing to do.
from fernn.data.mnist import FILES

if PARAMS.mnist.sources:

    rule fetch_mnist:
        output:
            expand(f"{PARAMS.mnist.folder}/{{name}}", name=FILES),
        log:
            f"{BASE}/logs/fetch_mnist.log",
        message:
            "Fetching MNIST"
        shell:
            "fernn fetch mnist --scale {PARAMS.scale} > {log} 2>&1"
