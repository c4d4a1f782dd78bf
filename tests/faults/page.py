"""Tables of docs/reliability.md, each between two marks, written by what measured them."""

from pathlib import Path

END = "<!-- end -->"


def write_table(page: Path, by: str, table: str) -> None:
    """Put a table where the page has the mark of what writes it."""
    begin = f"<!-- written by {by} -->"
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    if not mark:
        raise ValueError(f"{page} has no place for what {by} writes: {begin}")
    page.write_text(f"{before}{begin}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
