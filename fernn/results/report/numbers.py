"""Numbers that know where they come from: each is a link to its file, and names its place there."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fernn.errors import FernnError

# how a text follows from the value of the file is for whoever checks it: `tests/results/report/page.py`
NUMBER = Markup(
    '<a class="number" href="{file}" data-source="{file}" data-at="{at}" data-value="{value}" data-factor="{factor:g}" '
    'title="{file}, {at}">{text}</a>'
)


@dataclass(frozen=True)
class Number:
    """A number of the page.

    Attributes:
        text: as readers see it, such as "(1.11 ± 0.01) × 10⁻¹".
        file: that has it, relative to the page.
        at: where, by keys that are separated by slashes: row (from 0) and column of a CSV, or keys of a JSON.
            Several places are separated by blanks, one for each number of the text; a "+" adds up; "#" in place of a
            row counts the rows whose column has the value that follows.
        value: what stands there, in the same order.
        factor: what the text has it multiplied by, such as 1000 for milliseconds.
    """

    text: str
    file: str
    at: str
    value: str
    factor: float = 1

    def __html__(self) -> str:
        """For the template."""
        return NUMBER.format(**vars(self))


@dataclass(frozen=True)
class SheetRow:
    """A row of a table, with its place in the file."""

    sheet: "Sheet"
    place: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """A cell as it stands there."""
        return self.cells[column]

    def number(self, column: str, text: str, *more: str, factor: float = 1) -> Number | None:
        """A cell as a number, with others of the row that its text has too; None where it is blank."""
        columns = [column, *(each for each in more if self.cells[each])]
        at = " ".join(f"{self.place}/{each}" for each in columns)
        value = " ".join(self.cells[each].removeprefix("< ") for each in columns)
        return Number(text, self.sheet.name, at, value, factor) if self.cells[column] else None


class Sheet:
    """A CSV file with a header.

    Raises:
        FernnError: if it is missing.
    """

    def __init__(self, page: Path, path: Path) -> None:
        self.name = relative(page, path)
        self.text = read(path)

    @cached_property
    def rows(self) -> list[SheetRow]:
        """All of them."""
        return [SheetRow(self, place, cells) for place, cells in enumerate(csv.DictReader(self.text.splitlines()))]

    def __iter__(self) -> Iterator[SheetRow]:
        return iter(self.rows)

    def count(self, column: str, value: str) -> Number:
        """How many rows have a value."""
        count = str(sum(row[column] == value for row in self))
        return Number(count, self.name, f"#/{column}/{value}", count)

    def total(self, rows: list[SheetRow], column: str, text: str) -> Number:
        """The sum of a column over rows that have a value there."""
        rows = [row for row in rows if row[column]]
        value = sum(float(row[column]) for row in rows)
        return Number(text, self.name, "+".join(f"{row.place}/{column}" for row in rows), repr(value))


class Document:
    """A JSON file, such as a record.

    Raises:
        FernnError: if it is missing.
    """

    def __init__(self, page: Path, path: Path) -> None:
        self.name = relative(page, path)
        self.content: dict[str, Any] = json.loads(read(path))

    def value(self, at: str) -> Any:
        """What stands there; None for nothing."""
        found: Any = self.content
        for key in at.split("/"):
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def number(self, at: str, form: str = "{}") -> Number | None:
        """The number that stands there; None for nothing."""
        value = self.value(at)
        return None if value is None else Number(form.format(value), self.name, at, json.dumps(value))


def relative(page: Path, path: Path) -> str:
    """A file as the page links to it."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def read(path: Path) -> str:
    """The text of a file that the page is made of.

    Raises:
        FernnError: if it is missing.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FernnError(f"{path} is missing, and the report is made of it. Snakemake makes what is missing.") from None
