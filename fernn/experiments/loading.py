"""All experiments, and reading params.yaml: strict YAML, scales, and errors that name the key and what is allowed.

An experiment is a folder beside this file whose module `experiment` has an `EXPERIMENT`; a new folder adds one.
"""

import copy
import importlib
import pkgutil
import re
from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, create_model
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from fernn.errors import FernnError
from fernn.experiment import Experiment
from fernn.params import Params
from fernn.params.base import once

DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
# YAML 1.2, and every other program, takes 1e-3 for a number; PyYAML, which is of 1.1, for text
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
BY_COMMAND_LINE = ("scale", "allow_cpu")  # what `snakemake --config` may set: jobs get it as flags


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
    if name not in experiments():
        raise FernnError(f"experiment {name!r}: this version can run {', '.join(sorted(experiments()))}.")
    return experiments()[name]


@cache
def schema(without: frozenset[str] = frozenset()) -> type[Params]:
    """The whole shape of params.yaml: what all scales have, and a section for each experiment but those named."""
    sections: dict[str, Any] = {
        name: (Annotated[each.schema, AfterValidator(each.checked)], ...)
        for name, each in experiments().items()
        if name not in without
    }
    known: Any = Literal[tuple(experiments())]
    sections["experiments"] = (Annotated[list[known], Field(min_length=1), AfterValidator(once)], ...)
    return create_model("Params", __base__=Params, **sections)


def json_schema() -> dict[str, Any]:
    """The JSON schema of params.yaml, for editors."""
    found = schema().model_json_schema()
    scales = {"type": "object", "description": "overrides by scale: mappings merge, lists replace"}
    found["properties"]["scales"] = scales
    found["required"] = [*found["required"], "scales"]
    return found


def load_params(path: str | Path = "params.yaml", scale: str | None = None) -> Params:
    """Read and check params.yaml.

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
    scales = merged.pop("scales", None)
    scales = {} if scales is None else scales
    if not isinstance(scales, Mapping):
        raise FernnError(f"{source}: scales is {scales!r}; expected a mapping of names to what they override.")
    for name, over in scales.items():
        if not isinstance(over, Mapping | None):
            raise FernnError(f"{source}: scales.{name} is {over!r}; expected a mapping of keys to what they override.")
    named = scale or merged.get("scale")
    if not isinstance(named, str) or named not in {"paper", *scales}:
        raise FernnError(f"{source}: scale {named!r} is not known; expected one of {', '.join(['paper', *scales])}.")
    merged = _merge(merged, scales.get(named) or {})
    merged["scale"] = named
    # archives of before an experiment was added lack its section
    chosen = merged.get("experiments")
    absent = experiments().keys() - merged.keys() - set(map(str, chosen if isinstance(chosen, list) else ()))
    try:
        return schema(frozenset(absent)).model_validate(merged)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        head = f"{source} (scale {named}): {len(lines)} {'error' if len(lines) == 1 else 'errors'}"
        raise FernnError("\n".join([head, *lines])) from None


def overridden(config: Mapping[str, Any], loaded: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """The content of the file `path` with what `snakemake --config` may set: `scale` and `allow_cpu`.

    `config` is the content as Snakemake has it with what the command line set, `loaded` without that. The file is read
    once more, since Snakemake takes 1e-3 for a text. FernnError if another key differs: jobs would not see the change.
    """
    if changed := [key for key in config if key not in BY_COMMAND_LINE and config[key] != loaded.get(key)]:
        raise FernnError(
            f"--config sets {', '.join(changed)}: only scale and allow_cpu can be set there. Change {path} instead: "
            "what depends on it runs again, and the result's record names it."
        )
    return {**read_yaml(path), **{key: config[key] for key in BY_COMMAND_LINE if key in config}}


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
    """The known keys of the section that holds an unknown one."""
    model: Any = schema()
    for part in place[:-1]:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return ""
        model = model.model_fields[str(part)].annotation
    fields = getattr(model, "model_fields", None)
    return f"; known here: {', '.join(fields)}" if fields else ""


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file; what YAML accepts in silence and nobody means is an error.

    Raises:
        FileNotFoundError: if there is no such file.
        FernnError: if it cannot be read, is no UTF-8 or no YAML, gives a key twice or one that is no text, or has a
            whole number in another form than the decimal one.
    """
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), _Strict)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FernnError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is 0x{error.object[error.start]:02x}"
        raise FernnError(f"{path}: {found}, which is not UTF-8; save the file in that encoding.") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise FernnError(f"{path}{where}: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise FernnError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise FernnError(f"{path}: nested too deep; params.yaml needs a few levels.") from None


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            name = key.value
            if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                raise _refusal(key, f"YAML does not read the key {name} as text; write '{name}'")
            if name in lines:
                raise _refusal(key, f"duplicate key {name}, first on line {lines[name]}; keep one")
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def whole_number(self, node: ScalarNode) -> int:
        if not DECIMAL.fullmatch(node.value):
            raise _ambiguous(node, super().construct_yaml_int(node))
        return int(node.value)

    def number(self, node: ScalarNode) -> float:
        value = super().construct_yaml_float(node)
        if not NUMBER.fullmatch(node.value):
            raise _ambiguous(node, value)
        return value


def _ambiguous(node: ScalarNode, read: float) -> ConstructorError:
    return _refusal(node, f"YAML reads {node.value} as {read}; write that, or '{node.value}' for a text")


def _refusal(node: Node, problem: str) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


_Strict.add_constructor("tag:yaml.org,2002:int", _Strict.whole_number)
_Strict.add_constructor("tag:yaml.org,2002:float", _Strict.number)
_Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)
