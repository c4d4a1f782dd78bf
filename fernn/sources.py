"""Imports of this package from sources that are kept, so that a digest of code is a digest of what runs.

Python reuses bytecode whose source has the same size and time, and a file may be edited between its import and its
digest. So each source of the package is read once in a process, compiled without bytecode, and kept for
`fernn.provenance.code`. `fernn/__init__.py` installs this before it imports anything else.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

_PACKAGE = Path(__file__).parent
_OWN_CODE = sys._getframe().f_code  # of this module, as it runs
_read: dict[str, bytes] = {}


def source_of(path: str | Path) -> bytes:
    """The source at `path`, as it was when this process first read it."""
    path = str(path)
    if path not in _read:
        _read[path] = Path(path).read_bytes()
    return _read[path]


def install(package: CodeType) -> None:
    """Import the modules of this package from kept sources from now on.

    Args:
        package: code of `fernn/__init__.py` as it runs. Python itself imported that file and this one.

    Raises:
        ImportError: if bytecode of these two is not that of their sources.
    """
    for name, code in (("__init__.py", package), ("sources.py", _OWN_CODE)):
        path = _PACKAGE / name
        if path.is_file() and compile(source_of(path), str(path), "exec", dont_inherit=True) != code:
            raise ImportError(f"{path} differs from its bytecode. Remove {path.parent / '__pycache__'} and try again.")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds the modules of this package where Python does, and has them loaded from kept sources."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith("fernn."):
            return None
        spec = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(name, spec.loader.path)
            spec.cached = None
        return spec


class _Loader(SourceFileLoader):
    """Compiles the kept source of a module. A reload, as in a notebook, reads the file again."""

    def get_code(self, fullname: str) -> CodeType:
        if fullname in sys.modules and getattr(sys.modules[fullname], "__loader__", None) is not self:
            _read.pop(self.path, None)
        return self.source_to_code(source_of(self.path), self.path)
