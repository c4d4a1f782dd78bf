"""The one family of errors that a user can cause and mend."""

from collections.abc import Sequence


class FernnError(Exception):
    """A mistake outside the code: its message says what was found, what was expected and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """


def listed(items: Sequence[str], most: int = 10) -> str:
    """Some lines for a message, indented, and how many there are more."""
    more = [f"... and {len(items) - most} more"] if len(items) > most else []
    return "".join(f"\n  {line}" for line in [*items[:most], *more])
