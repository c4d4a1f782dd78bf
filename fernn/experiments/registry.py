"""All experiments: the folders of this package whose module `experiment` has an `EXPERIMENT`. A new folder adds one."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from fernn.errors import FernnError
from fernn.experiment import Experiment
from fernn.params import Params
from fernn.params.base import once


@cache
def experiments() -> dict[str, Experiment[Any]]:
    """By name."""
    here = Path(__file__).parent
    folders = [module.name for module in pkgutil.iter_modules([str(here)]) if module.ispkg]
    modules = [
        importlib.import_module(f"{__package__}.{name}.experiment")
        for name in folders
        if (here / name / "experiment.py").exists()
    ]
    found: list[Experiment[Any]] = [module.EXPERIMENT for module in modules if hasattr(module, "EXPERIMENT")]
    return {experiment.name: experiment for experiment in found}


def find_experiment(name: str) -> Experiment[Any]:
    """The experiment of that name.

    Raises:
        FernnError: if this version has no code for it.
    """
    try:
        return experiments()[name]
    except KeyError:
        known = ", ".join(sorted(experiments()))
        raise FernnError(f"experiment {name!r}: this version can run {known}.") from None


@cache
def schema() -> type[Params]:
    """The whole shape of params.yaml: what all scales have, and a section for each experiment."""
    sections: dict[str, Any] = {name: (each.schema, ...) for name, each in experiments().items()}
    known: Any = Literal[tuple(sections)]
    sections["experiments"] = (Annotated[list[known], Field(min_length=1), AfterValidator(once)], ...)
    return create_model("Params", __base__=Params, **sections)
