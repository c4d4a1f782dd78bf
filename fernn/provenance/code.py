"""Digests of the code that a stage runs between its inputs and the bytes of its result.

A digest covers the modules that a job starts from and all that these import, the packages above them included, in the
sources that this process runs (`fernn.sources`). It is made of syntax trees, in a form that is the same on every Python
that the project supports, so comments, docstrings and formatting do not count. Text counts: the words of an error may
end up in a table.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fernn.sources import source_of

PACKAGE = Path(__file__).parent.parent
# differs between versions of Python, or follows from the rest
IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})


def code_digest(*roots: str) -> str:
    """A digest of the code that runs from `roots`, which are modules or functions such as "fernn.data.mnist:load"."""
    digest = hashlib.sha256(repr(sorted(roots)).encode())
    for name in code_of(*(root.partition(":")[0] for root in roots)):
        digest.update(f"{name} {_module(name)[0]}\n".encode())
    return digest.hexdigest()[:16]


def code_of(*modules: str) -> tuple[str, ...]:
    """The modules of this library that run with `modules`: they, their packages, and all that these import; sorted."""
    found: set[str] = set()
    todo = [*modules]
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += _module(name)[1]
    return tuple(sorted(found))


def meaning(tree: ast.AST) -> str:
    """A syntax tree as text, without docstrings: the same on every Python."""
    text: list[str] = []
    _write(tree, text)
    return "".join(text)


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]]:
    """The digest of a module, and the modules of this library that are imported with it."""
    tree = ast.parse(source_of(_path(name)))
    packages = (name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1))
    return hashlib.sha256(meaning(tree).encode()).hexdigest(), (*packages, *filter(_exists, _imports(tree)))


def _write(node: object, text: list[str], in_string: bool = False) -> None:
    if isinstance(node, list):
        text.append("[")
        for each in node:
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                continue  # a docstring
            if in_string and isinstance(each, ast.Constant) and not each.value:
                continue  # Python 3.12 has empty ones between two values
            _write(each, text)
            text.append(",")
        text.append("]")
    elif isinstance(node, ast.AST):
        text.append(f"{type(node).__name__}(")
        for field, value in ast.iter_fields(node):
            if field not in IGNORED and value is not None and value != []:
                text.append(f"{field}=")
                _write(value, text, isinstance(node, ast.JoinedStr))
                text.append(";")
        text.append(")")
    else:
        text.append(ascii(node))  # what repr escapes depends on the version of Unicode


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names that may be modules; what is imported for type checking alone never runs."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            todo += node.orelse
        elif isinstance(node, ast.stmt | ast.mod | ast.excepthandler | ast.match_case):
            todo += ast.iter_child_nodes(node)  # no expression holds an import


@cache
def _exists(name: str) -> bool:
    return name.partition(".")[0] == PACKAGE.name and _path(name).is_file()


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
