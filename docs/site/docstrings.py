"""Docstrings are plain text: formulas with | * _ stand in them as they are, and what is indented is code."""

import re
from typing import Any

from sphinx.application import Sphinx

MARKS = re.compile(r"(`[^`]*`)|([|*]|_(?!\w))")


def plain(app: Sphinx, kind: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring, in place."""
    text = "\n".join(lines)
    # an indented piece after an empty line is literal, but for what Args: and its like hold
    text = re.sub(r"(?<=\S):\n\n(?=    )", "::\n\n", text)
    pieces = re.split(r"(?<=::\n\n)((?:    .*\n|\n)+)", text)
    pieces[::2] = [MARKS.sub(lambda m: m[1] or "\\" + m[2], piece) for piece in pieces[::2]]
    lines[:] = "".join(pieces).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", plain, priority=400)  # before napoleon, which reads sections
    return {"parallel_read_safe": True, "parallel_write_safe": True}
