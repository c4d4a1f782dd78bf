"""The container image in which jobs run where Snakemake is told to use one."""

from fernn.image.fetching import Fetched, fetch, fetched

__all__ = ["Fetched", "fetch", "fetched"]
