"""What the models do without, and the extra of pyproject.toml that brings it.

`pip install .` is the library alone: `fernn.models`, `fernn.flows`, `fernn.compat` on torch, NumPy and safetensors.
"""

from fernn.errors import FernnError

# by the name that is imported; a test holds the list to pyproject.toml
EXTRAS = {
    "rotation": ("escnn",),
    "kth": ("av",),
    "figures": ("PIL", "matplotlib"),
    "stages": (
        *("dulwich", "jinja2", "markupsafe", "networkx", "pydantic", "requests", "rich", "scipy", "tabulate"),
        *("tenacity", "typer", "yaml"),
    ),
    "pipeline": ("dvc", "rocrate", "snakemake"),
}


def missing(error: ModuleNotFoundError) -> FernnError | None:
    """What to tell instead of a failed import: the extra that brings the module; None if no extra does."""
    module = (error.name or "").split(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return FernnError(
                f"this needs the package {module}, which is not installed here: it comes with the extra {extra}. In "
                f"the checkout: pip install '.[{extra}]', or `make setup` for everything."
            )
    return None
