"""Reading a YAML file strictly: what YAML lets pass in silence, and a person surely did not mean, is an error here."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from fernn.errors import FernnError

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
# YAML 1.2, and every other program, has 1e-3 for a number; PyYAML, which is of 1.1, for text
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file.

    Raises:
        FileNotFoundError: if it is not there.
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
        byte = error.object[error.start]
        raise FernnError(
            f"{path}: byte {error.start} is 0x{byte:02x}, which is no UTF-8; save the file in that encoding."
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise FernnError(f"{path}{where}: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise FernnError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise FernnError(f"{path}: not YAML of ours: it is nested too deep.") from None


class _Strict(yaml.SafeLoader):
    """The safe loader, without what is silent in it."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            name = key.value
            if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                raise _refusal(key, f"the key {name} is no text to YAML; write '{name}'")
            if name in lines:
                raise _refusal(key, f"the key {name} stands here a second time, first on line {lines[name]}; keep one")
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def whole_number(self, node: ScalarNode) -> int:
        """A decimal number."""
        if not _DECIMAL.fullmatch(node.value):
            taken = super().construct_yaml_int(node)
            raise _refusal(node, f"YAML takes {node.value} for {taken}; write that, or '{node.value}' for a text")
        return int(node.value)

    def number(self, node: ScalarNode) -> float:
        """A number with a point or an exponent."""
        if not _NUMBER.fullmatch(node.value):
            taken = super().construct_yaml_float(node)
            raise _refusal(node, f"YAML takes {node.value} for {taken}; write that, or '{node.value}' for a text")
        return super().construct_yaml_float(node)


def _refusal(node: Node, problem: str) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


_Strict.add_constructor("tag:yaml.org,2002:int", _Strict.whole_number)
_Strict.add_constructor("tag:yaml.org,2002:float", _Strict.number)
_Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)
