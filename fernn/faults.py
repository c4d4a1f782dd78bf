"""What a person is told when the machine, not the code, is at fault."""

import errno

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_MEMORY = (
    *("can't allocate memory", "out of memory", "not enough memory"),
    *("array is too big", "Maximum allowed dimension exceeded", "Storage size calculation overflowed"),
)


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
