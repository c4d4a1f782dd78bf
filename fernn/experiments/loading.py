"""All experiments, and reading params.yaml: its scales, and errors that name the key, the value and what is allowed.

An experiment is a folder beside this file whose module `experiment` has an `EXPERIMENT`; a new folder adds one.
"""

import copy
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError, create_model

from fernn.errors import FernnError
from fernn.experiment import Experiment
from fernn.params import Params
from fernn.params.base import once
from fernn.params.document import read_yaml


@cache
def experiments() -> dict[str, Experiment[Any]]:
    """By name."""
    here = Path(__file__).parent
    folders = [module.name for module in pkgutil.iter_modules([str(here)]) if module.ispkg]
    names = [f"{__package__}.{name}.experiment" for name in folders if (here / name / "experiment.py").exists()]
    found = [getattr(importlib.import_module(name), "EXPERIMENT", None) for name in names]
    return {experiment.name: experiment for experiment in found if experiment}


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


def load_params(path: str | Path = "params.yaml", scale: str | None = None) -> Params:
    """Read params.yaml and check it.

    Args:
        path: the file.
        scale: overrides the file's own `scale`.

    Raises:
        FernnError: if the file is missing, is no YAML mapping, or a key or value in it is not allowed.
    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise FernnError(
            f"{path}: no such file. Run in the project's folder, or name the file with --params."
        ) from None
    if not isinstance(content, dict):
        raise FernnError(f"{path}: expected a mapping with the keys {', '.join(schema().model_fields)}.")
    return resolve(content, scale, str(path))


def resolve(content: Mapping[str, Any], scale: str | None = None, source: str = "params.yaml") -> Params:
    """Apply the scale's overrides to the content of params.yaml and check the result.

    Raises:
        FernnError: naming each key that is unknown, missing or has a value that is not allowed.
    """
    merged = copy.deepcopy(dict(content))
    scales = _scales(merged.pop("scales", None), source)
    named = scale or merged.get("scale")
    if not isinstance(named, str) or named not in {"paper", *scales}:
        raise FernnError(f"{source}: scale {named!r} is not known; expected one of {', '.join(['paper', *scales])}.")
    merged = _merge(merged, scales.get(named) or {})
    merged["scale"] = named
    try:
        return schema().model_validate(merged)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise FernnError(
            "\n".join([f"{source} (scale {named}): {len(lines)} {'error' if len(lines) == 1 else 'errors'}", *lines])
        ) from None


def _scales(scales: Any, source: str) -> Mapping[str, Any]:
    scales = {} if scales is None else scales
    if not isinstance(scales, Mapping):
        raise FernnError(f"{source}: scales is {scales!r}; expected a mapping of names to what they override.")
    for name, over in scales.items():
        if not isinstance(over, Mapping | None):
            raise FernnError(f"{source}: scales.{name} is {over!r}; expected a mapping of keys to what they override.")
    return scales


def overridden(config: Mapping[str, Any], loaded: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """The content of params.yaml with what `snakemake --config` may put over it: `scale` and `allow_cpu`.

    What else was changed past the file is refused: a job reads the file, so it would not see the change.

    Args:
        config: the content of the file as Snakemake reads it, with what the command line put over it.
        loaded: the same without that.
        path: the file, which is read once more: Snakemake takes 1e-3 for a text.

    Raises:
        FernnError: if anything differs but those two, which jobs are told, or the file cannot be read.
    """
    told = "scale", "allow_cpu"
    changed = [key for key in config if key not in told and config[key] != loaded.get(key)]
    if changed:
        raise FernnError(
            f"--config sets {', '.join(changed)}: only scale and allow_cpu can be set there. Change {path} instead: "
            "what depends on it runs again, and the result's record names it."
        )
    return {**read_yaml(path), **{key: config[key] for key in told if key in config}}


def json_schema() -> dict[str, Any]:
    """The JSON schema of params.yaml, for editors."""
    found = schema().model_json_schema()
    found["properties"]["scales"] = {
        "type": "object",
        "description": "overrides by scale: mappings merge, lists replace",
    }
    found["required"] = [*found["required"], "scales"]
    return found


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, Mapping):
        return {
            key: _merge(base.get(key), over[key]) if key in over else base[key]
            for key in [*base, *(over.keys() - base.keys())]
        }
    return copy.deepcopy(over)


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "params"
    if problem["type"] == "extra_forbidden":
        known = _neighbours(problem["loc"])
        return f"  {key}: unknown key (its value is {problem['input']!r}); remove it or correct its spelling{known}"
    if problem["type"] == "missing":
        return f"  {key}: missing; it must be given"
    if problem["type"] == "value_error":
        return f"  {key}: {problem['ctx']['error']}"
    return f"  {key} = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _neighbours(place: tuple[int | str, ...]) -> str:
    """The keys that would have been known where an unknown one stands."""
    model: Any = schema()
    for part in place[:-1]:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return ""
        model = model.model_fields[str(part)].annotation
    fields = getattr(model, "model_fields", None)
    return f"; known here: {', '.join(fields)}" if fields else ""
