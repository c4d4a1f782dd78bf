"""The page as a test reads it: its numbers with their sources, its links, its pictures; and whether they are true."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

VOID = {"br", "col", "hr", "img", "input", "link", "meta"}
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
POWER = re.compile(r" × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)$")
DIGITS = re.compile(r"-?\d[\d,]*(?:\.(\d+))?(?:e([+-]?\d+))?")


@dataclass
class Element:
    """An element of the page with its text, that of elements in it too."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    unsourced: str = ""  # what of the text is in no element with a source

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()


@dataclass
class Page(HTMLParser):
    """All elements of a page, in the order in which they end."""

    path: Path
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.path.read_text(encoding="utf-8"))
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes})
        (self.elements if tag in VOID else self._open).append(element)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        element = self._open.pop()
        assert element.tag == tag, f"</{tag}> ends <{element.tag}>"
        self.elements.append(element)

    def handle_data(self, text: str) -> None:
        sourced = any("data-source" in element.attributes for element in self._open)
        for element in self._open:
            element.text += text
            element.unsourced += "" if sourced else text

    def sourced(self) -> list[Element]:
        return [element for element in self.elements if "data-source" in element.attributes]

    def links(self) -> set[str]:
        """Files beside the page."""
        return {
            of.attributes["href"] for of in self.elements if of.tag == "a" and not of.attributes["href"].startswith("#")
        }


def wrong(page: Page) -> Iterator[str]:
    """What of the numbers of a page is not as its file has it."""
    for element in page.sourced():
        of = element.attributes
        file = page.path.parent / of["data-source"]
        if "data-line" in of:
            if f"- {of['data-line']}" not in file.read_text(encoding="utf-8").splitlines():
                yield f"{file} has no line {of['data-line']!r}"
            continue
        found = [_value(file, at) for at in _places(of["data-at"])]
        if element.tag != "a":
            if [json.loads(of["data-value"])] != found or element.text != of["data-value"]:
                yield f"{element}: {found}"
            continue
        shown, factor = list(_numbers(element.text)), float(of["data-factor"])
        told = [float(value) for value in of["data-value"].split(" ")]
        if len(shown) != len(found) or [float(value) for value in found] != told:
            yield f"{element}: the file has {found}"
        for (number, unit), value in zip(shown, found, strict=False):
            if abs(number - float(value) * factor) > 0.5001 * unit:
                yield f"{element}: {number} is not {value} times {factor}"


def _places(at: str) -> list[str]:
    """Blanks part places, but for the last key of a count."""
    return [at] if at.startswith("#") else at.split(" ")


def _value(file: Path, at: str) -> Any:
    if file.suffix == ".json":
        value = json.loads(file.read_text(encoding="utf-8"))
        for key in at.split("/"):
            value = value[key]
        return value
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    if at.startswith("#"):
        _, column, value = at.split("/")
        return sum(row[column] == value for row in rows)
    cells = (place.split("/") for place in at.split("+"))
    return sum(float(rows[int(row)][column].removeprefix("< ")) for row, column in cells)


def _numbers(text: str) -> Iterator[tuple[float, float]]:
    """The numbers of a text, and the unit of the last digit of each."""
    power = POWER.search(text)
    exponent = int(power.group(1).translate(SUPERSCRIPTS)) if power else 0
    for match in DIGITS.finditer(POWER.sub("", text)):
        decimals, own = len(match.group(1) or ""), int(match.group(2) or 0)
        number = float(match.group().replace(",", ""))
        last = 10.0 ** (own - decimals)
        yield number * 10.0**exponent, last * 10.0**exponent
