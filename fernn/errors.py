"""Errors that a user can fix, and what a person reads: messages, faults of the machine, missing packages."""

import errno
import subprocess
import sys
from collections.abc import Sequence

# Packages that the models do without, by the extra of pyproject.toml that installs them. `pip install .` is the
# library alone: `fernn.models`, `fernn.flows` and `fernn.compat` need torch, NumPy and safetensors.
EXTRAS = {
    "rotation": ("escnn",),
    "kth": ("av",),
    "figures": ("PIL", "matplotlib"),
    "stages": (
        *("dulwich", "jinja2", "markupsafe", "pydantic", "requests", "rich", "scipy", "tabulate"),
        *("tenacity", "typer", "yaml"),
    ),
    "pipeline": ("dvc", "rocrate", "snakemake"),
}

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_MEMORY = (
    *("can't allocate memory", "out of memory", "not enough memory"),
    *("array is too big", "Maximum allowed dimension exceeded", "Storage size calculation overflowed"),
)


class FernnError(Exception):
    """A mistake outside the code: its message says what was found, what was expected and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """


def listed(items: Sequence[str], most: int = 10) -> str:
    """Some lines for a message, indented, and how many there are more."""
    more = [f"... and {len(items) - most} more"] if len(items) > most else []
    return "".join(f"\n  {line}" for line in [*items[:most], *more])


def say(line: str, result: bool = False) -> None:
    """Print a line for a person: to standard error, or as part of a command's result to standard output.

    Control characters, which a file from elsewhere could steer a terminal by, are printed as their escapes.
    """
    shown = "".join(each if each.isprintable() or each in "\n\t" else repr(each)[1:-1] for each in line)
    print(shown, file=sys.stdout if result else sys.stderr)


def answer(*command: str, seconds: float = 60) -> str | None:
    """Standard output of an external program (Slurm, nvidia-smi, DVC); None if it is missing, fails or times out."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None


def explain(error: BaseException) -> str | None:
    """A sentence or two: what happened, where, and what to do; None for what is no fault of the machine."""
    if isinstance(error, OSError) and error.errno is not None:
        return _of_files(error)
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        first = (str(error) or type(error).__name__).splitlines()[0]
        return (
            f"not enough memory: {first}. Take smaller sizes in params.yaml, such as training.batch (of digits "
            "training.micro_batch will do), or a machine (on a cluster: resources.*.mem_mb) with more. "
            "What is finished stays."
        )
    return None


def _of_files(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    said = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        return (
            f"{where}{said}. Make room there, then run the same command again: what is finished stays, and nothing "
            "half-written is left."
        )
    if error.errno in _NOT_ALLOWED:
        return f"{where}{said}. Run it as a user who may, or elsewhere: nothing was changed there."
    return f"{where}{said}."


def missing(error: ModuleNotFoundError) -> FernnError | None:
    """What to tell instead of a failed import: the extra that brings the module; None if no extra does."""
    module = (error.name or "").split(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return FernnError(
                f"this needs the package {module}, which is not installed here: it comes with the extra {extra}. In "
                f"the checkout: pip install '.[{extra}]', or `make setup` for everything."
            )
    return None
