"""The machine that makes a result, the versions that compute on it, and how it rounds."""

import hashlib
import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fernn
from fernn.errors import answer
from fernn.provenance.code import PACKAGE
from fernn.sources import source_of

PACKAGES = ("av", "escnn", "matplotlib", "numpy", "safetensors", "scipy", "torch")
# of variables that decide how libraries compute
PREFIXES = (
    *("ATEN_", "CUBLAS_", "CUDNN_", "DNNL_", "KMP_", "MKL_", "NPY_"),
    *("NVIDIA_TF32_", "OMP_", "ONEDNN_", "OPENBLAS_"),
)


def environment(device: str | None = None) -> dict[str, Any]:
    """The machine, the versions, and the settings that decide how numbers are rounded.

    Args:
        device: "cpu" or "cuda", if torch computes; then its settings are included.

    Returns:
        Plain values. "commit" is that of the checkout that holds this code, null if there is none or dulwich is not
        installed; "image" is the digest of the container image, null outside one.
    """
    about: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "device": _processor(),
        # some come with extras that may not be installed
        "packages": {"fernn": fernn.__version__, **{name: has for name in PACKAGES if (has := version_of(name))}},
        "commit": _commit(PACKAGE),
        "image": os.environ.get("FERNN_IMAGE") or None,
        "variables": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(PREFIXES)},
    }
    return about | (_torch(device) if device else {})


def _torch(device: str) -> dict[str, Any]:
    import torch

    about: dict[str, Any] = {
        "determinism": {
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "rounding": _rounding(device),
        }
    }
    if device == "cuda":
        about["determinism"] |= {
            "cudnn_deterministic": torch.backends.cudnn.deterministic,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
            "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        }
        about |= {
            "device": torch.cuda.get_device_name(),
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return about


def _rounding(device: str) -> str:
    """A digest of a few float32 results, by one thread and without TF32: it changes with any setting that rounds."""
    import torch

    threads, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    try:
        drawn = torch.Generator().manual_seed(0)
        image, kernel, matrix = (
            torch.randn(shape, generator=drawn).to(device) for shape in ((4, 16, 28, 28), (16, 16, 3, 3), (64, 64))
        )
        results = torch.conv2d(image, kernel), matrix @ matrix, matrix.exp(), matrix.sum(0)
        return hashlib.sha256(b"".join(each.cpu().numpy().tobytes() for each in results)).hexdigest()[:16]
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = tf32


def version_of(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(package: Path) -> dict[str, Any] | None:
    """The commit, and the files of the library that differ from it, added and removed ones included."""
    try:  # comes with DVC; needs no program git, which images lack
        from dulwich.object_store import iter_tree_contents
        from dulwich.objects import Blob
        from dulwich.repo import Repo
    except ImportError:
        return None
    try:
        with Repo.discover(str(package)) as repository:
            head, root = repository.head(), Path(repository.path)
            tree = iter_tree_contents(repository.object_store, repository.get_object(head).tree)  # type: ignore[attr-defined]
            folder = f"{package.relative_to(root.resolve()).as_posix()}/"
            then = {name: each.sha for each in tree if (name := os.fsdecode(each.path)).startswith(folder)}
            files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
            blobs = ((path.relative_to(package).as_posix(), Blob.from_string(source_of(path))) for path in files)
            now = {folder + name: blob.id for name, blob in blobs}
            names = then.keys() | now.keys()
            changed = sorted(name for name in names if then.get(name) != now.get(name))
            return {"id": head.decode(), "changed": changed}
    except Exception:  # no repository, no commit, or none that dulwich can read: no result should fail for that
        return None


def _driver() -> str | None:
    lines = (answer("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") or "").split()
    return lines[0] if lines else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
