"""`make docs`: a site that builds without a warning and asks for nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from .blocks import PAGES, ROOT

pytestmark = pytest.mark.slow
(BUILD,) = re.findall(r"^docs: .*\n\t@\$\(IN_VENV\) (sphinx-build .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
NO_NETWORK = """
import socket
def refused(*arguments, **named): raise OSError("the site asked for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
"""
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    program, *arguments = BUILD.replace("build/docs", str(folder)).split()
    assert program == "sphinx-build"
    script = f"{NO_NETWORK}\nimport sys; from sphinx.cmd.build import main; sys.exit(main({arguments}))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return folder


class Loads(HTMLParser):
    """What a browser loads with a page, and the text of its equations."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.equations = 0
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.equations += tag == "math"
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address is not None:
            self.found.append(address)


def test_every_page_is_there(site: Path) -> None:
    for page in PAGES:
        if page.parent == ROOT / "docs":
            assert (site / f"{page.stem}.html").exists()
    index = (site / "index.html").read_text()
    for page in site.glob("*.html"):
        if page.stem not in ("index", "search", "genindex", "py-modindex"):
            assert f'href="{page.name}"' in index, f"the first page does not lead to {page.name}"
    assert 'id="fernn.models.FERNNCell.forward"' in (site / "reference.html").read_text()


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        for address in Loads(page).found:
            assert not re.match(r"(\w+:)?//", address), f"{page.name} loads {address}"
            if not address.startswith("data:"):
                assert (page.parent / address.split("?")[0].split("#")[0]).exists(), f"{page.name}: no {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text()), sheet.name


def test_equations_are_drawn_by_the_browser(site: Path) -> None:
    text = (ROOT / "docs/paper.md").read_text()
    written = text.count("```math") + len(re.findall(r"\$[^$\n]+\$", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    assert Loads(site / "paper.html").equations >= written > 10
