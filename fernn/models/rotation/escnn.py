"""escnn, imported without what serves rotations in space (SO(3)) alone, which no network here uses.

lie-learn: escnn imports one function of it. It has no wheel for Python 3.13 and does not load beside NumPy 2. Where it
cannot be imported a stand-in answers escnn's import, and only escnn's: it is gone afterwards, so that nobody else takes
it for the package.

The cache: at its import escnn makes a folder beside its code. Where that is read only, it keeps no cache.

py3nj: escnn warns that it is missing. It would need a compiler.
"""

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from fernn.errors import FernnError

WIGNER = "lie_learn.representations.SO3.wigner_d"  # the module that escnn imports wigner_D_matrix from


def load() -> ModuleType:
    """The package escnn, with its parts `gspaces` and `nn`.

    Raises:
        FernnError: if escnn is not installed, or cannot be imported for another reason than lie-learn.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*py3nj.*")
        try:
            with _lie_learn(), _cache():
                escnn = importlib.import_module("escnn")
                for part in ("gspaces", "nn"):
                    importlib.import_module(f"escnn.{part}")
        except ImportError as error:
            raise FernnError(
                f"steerable convolutions need escnn, which cannot be imported here ({error}). It comes with the extra "
                "rotation: `make setup`, or pip install '.[rotation]' in the checkout. That builds py3nj, which "
                "nothing here uses; where no Fortran compiler is: pip install scipy joblib; pip install --no-deps escnn"
            ) from None
    return escnn


@contextmanager
def _lie_learn() -> Iterator[None]:
    """lie-learn while escnn is imported: itself where that works, its stand-in where not."""
    if "escnn" in sys.modules:
        yield
        return
    try:
        importlib.import_module(WIGNER)
    except Exception as error:  # not installed; or compiled for another NumPy, which says so in several ways
        reason = f"{type(error).__name__}: {error}"
    else:
        yield
        return

    def wigner_D_matrix(*_: Any, **__: Any) -> None:  # noqa: N802
        raise FernnError(
            f"rotations in space (SO(3)) need the package lie-learn, which cannot be imported here ({reason}). Nothing "
            "in fernn uses them; for escnn's own: Python up to 3.12 with pip install 'numpy<2' lie-learn==0.0.2"
        )

    names = [WIGNER.rsplit(".", count)[0] for count in range(3, -1, -1)]  # the package first
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == names[0]}
    sys.modules |= {name: ModuleType(name) for name in names}
    vars(sys.modules[WIGNER])["wigner_D_matrix"] = wigner_D_matrix
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules |= hidden


@contextmanager
def _cache() -> Iterator[None]:
    """No cache while escnn is imported, where it could not make its folder."""
    found = find_spec("escnn")
    if "escnn" in sys.modules or found is None or found.origin is None:
        yield
        return
    if os.access(Path(found.origin).parent / "group", os.W_OK):
        yield
        return
    joblib: Any = importlib.import_module("joblib")
    memory = joblib.Memory
    joblib.Memory = lambda *_, **__: memory(None)
    try:
        yield
    finally:
        joblib.Memory = memory
