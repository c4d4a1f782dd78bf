"""The results.csv of evaluations, as tests write and read them."""

import csv
from pathlib import Path

from fernn.evaluation import Measures

HEADER = "test,measure,index,value"


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of any CSV."""
    with path.open() as file:
        return list(csv.DictReader(file))


def read(path: Path) -> dict[str, Measures]:
    """Values by test, and there by measure and index."""
    found: dict[str, Measures] = {}
    for row in rows(path):
        found.setdefault(row["test"], {})[row["measure"], row["index"]] = float(row["value"])
    return found


def write(path: Path, tests: dict[str, Measures]) -> None:
    lines = [f"{test},{name},{index},{value}" for test, of in tests.items() for (name, index), value in of.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def by_index(measures: Measures, name: str) -> dict[str, float]:
    """The values of a measure that have an index."""
    return {index: value for (of, index), value in measures.items() if of == name and index}
