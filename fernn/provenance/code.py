"""Digests of what code means: what a stage runs between its inputs and the bytes of its result.

Comments, docstrings, formatting and the words of errors mean nothing here, so a change of these changes no digest. The
digest is made of the syntax tree, in a form that is the same on every Python that the project takes.
"""

import ast
import hashlib
import importlib
from functools import cache
from pathlib import Path

import grimp

from fernn.errors import FernnError

PACKAGE = Path(__file__).parent.parent
# what differs between Pythons, or says nothing: whether a name is read or written follows from its place
UNSAID = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})


@cache
def code_of(*modules: str) -> tuple[str, ...]:
    """The modules of this library that `modules` run: themselves and all that they import, directly or not, sorted."""
    return tuple(sorted({*modules, *(name for module in modules for name in _graph().find_upstream_modules(module))}))


@cache
def code_digest(*modules: str) -> str:
    """A digest of what all those modules mean, and the packages that they lie in."""
    run = code_of(*modules)
    above = {name.rsplit(".", depth)[0] for name in run for depth in range(1, name.count(".") + 1)} - {*run}
    digest = hashlib.sha256()
    for name in (*run, *sorted(above)):
        text = meaning(_source(name).read_text(encoding="utf-8"), package=name in above)
        digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()[:16]


def import_all(*modules: str) -> None:
    """Import all that `modules` run, so that nothing of it is read from a file that is edited later.

    Raises:
        FernnError: if a file was edited meanwhile.
    """
    before = code_digest(*modules)
    for name in code_of(*modules):
        importlib.import_module(name)
    code_digest.cache_clear()
    if code_digest(*modules) != before:
        raise FernnError("the library was edited while this command read it: run it again.")


@cache
def meaning(source: str, package: bool = False) -> str:
    """The syntax tree of a module as text, without what says nothing.

    Args:
        source: of the module.
        package: whether it is a package that is only passed through on the way to a module of its own: its imports, and
            its names with two underscores, then say nothing either.
    """
    tree = ast.parse(source)
    if package:
        tree.body = [statement for statement in tree.body if not _is_index(statement)]
    text: list[str] = []
    _write(tree, text)
    return "".join(text)


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
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        _write(ast.Raise(node.exc.func), text)  # which error it is, not in which words it is told
    elif isinstance(node, ast.AST):
        text.append(f"{type(node).__name__}(")
        for field, value in ast.iter_fields(node):
            if field not in UNSAID and value is not None and value != []:
                text.append(f"{field}=")
                _write(value, text, isinstance(node, ast.JoinedStr))
                text.append(";")
        text.append(")")
    else:
        text.append(ascii(node))  # what repr escapes depends on the version of Unicode


def _is_index(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(targets) and all(isinstance(name, ast.Name) and name.id.startswith("__") for name in targets)


@cache
def _graph() -> grimp.ImportGraph:
    # what is imported for type checking alone changes no result
    return grimp.build_graph("fernn", cache_dir=None, exclude_type_checking_imports=True)


def _source(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
