"""What pages hold in code: fenced blocks, and the commands within their lines."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARKDOWN = MarkdownIt().enable("table")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` is the first of its text, counted from 1."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, also those within lists and quotations, from its top to its end."""
    return [
        Block(page, token.map[0] + 2, token.info.strip(), token.content)
        for token in MARKDOWN.parse(page.read_text())
        if token.type in ("fence", "code_block") and token.map
    ]


def lines_of(block: Block) -> list[str]:
    """The commands of a block of shell: lines put together that end in a backslash, comments left out."""
    whole = re.sub(r"\\\n\s*", "", block.text)
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in whole.splitlines()) if line]


def spans(page: Path) -> list[str]:
    """The code within the lines of a page, such as `fernn runs`."""
    inline = [token for token in MARKDOWN.parse(page.read_text()) if token.type == "inline"]
    return [child.content for token in inline for child in token.children or () if child.type == "code_inline"]


def cells(notebook: Path) -> list[tuple[str, str]]:
    """The code of a notebook, each cell with what it printed."""
    found = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    return [("".join(cell["source"]), "".join("".join(output["text"]) for output in cell["outputs"])) for cell in found]
