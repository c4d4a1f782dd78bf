"""The ledger of faults: what was promised, what was tried, and how often; the tables of docs/reliability.md."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tabulate import tabulate

from .harness import SEED, SHARE

Ledger = Callable[..., None]
NAME, END = "faults", "<!-- end -->"


@pytest.fixture
def ledger(record_property: Callable[[str, object], None]) -> Ledger:
    """Records what passed: the promise, the fault, how often, and whether it counts as a fault."""

    def note(promise: str, fault: str, tried: int, is_fault: bool = True) -> None:
        record_property(NAME, [promise, fault, tried, is_fault])

    return note


def tell(terminal: pytest.TerminalReporter) -> None:
    """At the end of a session; FERNN_RELIABILITY names a page to write it to, if all has held."""
    tried: Counter[tuple[str, str]] = Counter()
    faults = 0
    for report in terminal.getreports("passed"):
        for name, value in report.user_properties:
            if name == NAME:
                tried[value[0], value[1]] += value[2]
                faults += value[2] * value[3]
    if not tried:
        return
    lost = len(terminal.getreports("failed")) + len(terminal.getreports("error"))
    promises = sorted({promise for promise, _ in tried})
    rows = [[promise, fault, tried[promise, fault]] for promise, fault in sorted(tried)]
    for place in range(len(rows) - 1, 0, -1):  # a promise is printed once
        if rows[place][0] == rows[place - 1][0]:
            rows[place][0] = ""
    rows.append([f"{len(promises)} promises", "all but load and checks", faults])
    table = tabulate(rows, ["promise", "fault", "tried"], tablefmt="pipe", intfmt=",")
    terminal.section(f"faults: share {SHARE:g}, seed {SEED}, tests that failed: {lost}")
    terminal.write_line(table)
    page = os.environ.get("FERNN_RELIABILITY")
    if page and not lost:
        write_table(Path(page), "make test-faults", f"{table}\n\nAll {faults:,} injected faults were handled.")


def write_table(page: Path, by: str, table: str) -> None:
    """Put a table where the page has the mark of what writes it."""
    begin = f"<!-- written by {by} -->"
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    if not mark:
        raise ValueError(f"{page} has no place for what {by} writes: {begin}")
    page.write_text(f"{before}{begin}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
