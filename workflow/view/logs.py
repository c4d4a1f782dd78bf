"""What a job says in its log: its last words while it works, its complaint when it failed."""

from pathlib import Path

TAIL = 8192  # bytes; a line of progress has some hundred
CLOCKS = 2  # seconds by which the clock of a file system may be behind
LINES = 12  # of the end of a log that has no message of ours
# words of a training's log, for a narrow line
SHORT = {"train_loss": "loss", "validation_loss": "validation", "validation_accuracy": "accuracy"}


def last_words(log: Path, since: float, name: str) -> str | None:
    """The last line of a log, without the name of the run and in short words; None if there is none since that time.

    Args:
        log: of a job that runs.
        since: seconds since the epoch; an older log is of another try.
        name: of the run or part, which stands before each line.
    """
    try:
        lines = _end_of(log, since).splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        if words := line.removeprefix(name).lstrip(": "):
            for long, short in SHORT.items():
                words = words.replace(long, short)
            return words
    return None


def complaint(log: Path, since: float = 0) -> list[str]:
    """What went wrong since that time: the last message of `fernn` in a log, or the end of a log that has none."""
    try:
        lines = _end_of(log, since).splitlines()
    except OSError:
        return ["it wrote no log"]
    for number, line in reversed(list(enumerate(lines))):
        if line.startswith("fernn: "):
            return lines[number:]
    return lines[-LINES:] or ["its log is empty"]


def _end_of(log: Path, since: float) -> str:
    if log.stat().st_mtime < since - CLOCKS:
        raise FileNotFoundError(log)
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        return file.read().decode("utf-8", errors="replace")
