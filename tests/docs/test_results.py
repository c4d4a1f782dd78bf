"""What pages show of results is what the repository keeps: a comment before it names the file that it stands in."""

import re
from pathlib import Path

import pytest

from tests.kept import everything

from .blocks import PAGES, ROOT

SHOWN = re.compile(r"^<!-- shown: (?P<file>\S+) -->\n+(?P<what>(?:.+\n)+)", re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]*\]\((?P<path>[^)]+)\)\n")
ALL = [
    pytest.param(page, *found.group("file", "what"), id=f"{page.relative_to(ROOT)}: {found['file']}")
    for page in PAGES
    for found in SHOWN.finditer(page.read_text())
]


@pytest.fixture(scope="module")
def kept() -> dict[str, Path]:
    return {str(path): file for path, file in everything()}


@pytest.mark.parametrize(("page", "file", "what"), ALL)
def test_it_is_what_the_repository_keeps(page: Path, file: str, what: str, kept: dict[str, Path]) -> None:
    assert file in kept, "dvc.lock and evidence/ keep no such file"
    if picture := PICTURE.fullmatch(what):
        assert (page.parent / picture["path"]).read_bytes() == kept[file].read_bytes(), f"copy {file} there again"
    elif what.startswith("|"):
        ((heads, *rows),) = tables(what)
        kept_rows = []
        for kept_heads, *of_table in tables(kept[file].read_text()):
            if {*heads} <= {*kept_heads}:
                columns = [kept_heads.index(head) for head in heads]
                kept_rows += [[row[column] for column in columns] for row in of_table]
        assert rows
        assert [row for row in rows if row not in kept_rows] == []
    else:
        assert [line for line in statements(what) if line not in [*statements(kept[file].read_text())]] == []


def tables(text: str) -> list[list[list[str]]]:
    """The rows of each table of a text, heads first, without the line below them."""
    found = []
    for lines in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines.splitlines()]
        found.append([rows[0], *rows[2:]])
    return found


def statements(text: str) -> list[str]:
    """The lines of a list; of what stands in brackets at the end of one, pages show the first part alone."""
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert lines
    return [re.sub(r"; .*\)$", ")", line) for line in lines]
