"""The machine that makes a result, and the versions of what computes on it."""

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fernn
from fernn.programs import answer

PACKAGES = ("av", "escnn", "matplotlib", "numpy", "safetensors", "scipy", "torch")


def environment(device: str | None = None) -> dict[str, Any]:
    """The machine and the versions.

    Args:
        device: "cpu" or "cuda", if torch computes; then its settings are told too.

    Returns:
        Plain values. "commit" is that of the checkout that this code lies in, null if there is none or no package that
        reads it; "image" is the digest of the container image, null outside one.
    """
    about: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "device": _processor(),
        # some are not needed by what was installed
        "packages": {"fernn": fernn.__version__, **{name: has for name in PACKAGES if (has := version_of(name))}},
        "commit": _commit(),
        "image": os.environ.get("FERNN_IMAGE") or None,
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


def version_of(package: str) -> str | None:
    """The installed version of a package; None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> dict[str, Any] | None:
    """The commit, and the files of the library that differ from it."""
    try:  # comes with DVC; needs no program git, which images lack
        from dulwich.porcelain import status
        from dulwich.repo import Repo
    except ImportError:
        return None
    try:
        with Repo.discover(str(Path(__file__).parent)) as repository:
            # without locks: it else writes the index, under the hands of whoever works in the checkout
            found = status(repository, untracked_files="no", optional_locks=False)
            changed = {
                os.fsdecode(path) for path in [*found.unstaged, *(p for each in found.staged.values() for p in each)]
            }
            return {"id": repository.head().decode(), "changed": sorted(p for p in changed if p.startswith("fernn/"))}
    except Exception:  # none, one without a commit, or one that dulwich cannot read: no result is lost by it
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
