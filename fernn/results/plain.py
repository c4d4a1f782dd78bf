"""Lines of values as csv and as markdown."""

import csv
import io
from collections.abc import Iterable, Sequence

from tabulate import tabulate


def as_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Lines of values under a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def pipes(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of markdown."""
    return tabulate(
        [[cell.replace("|", "\\|") for cell in line] for line in lines], header, tablefmt="pipe", disable_numparse=True
    )
