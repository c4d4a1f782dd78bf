"""The page in a real browser: no error, no request, nothing that does not fit, in each light and on paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.results.report.browser import Browser, browser

pytestmark = pytest.mark.slow
CONTRAST = """(() => {
  const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(part => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const light = colour => parts(colour).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll("p, td, th, .verdict, .source, a")].map(element => {
    const own = light(getComputedStyle(element).color);
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05);
  }).reduce((one, other) => Math.min(one, other));
})()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("of", ["digits", "videos"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_anywhere(request: pytest.FixtureRequest, tab: Browser, of: str, width: int, scheme: str) -> None:
    page: Path = request.getfixturevalue(of)
    tab.requests.clear()
    tab.open(page, width, prefers_color_scheme=scheme)
    assert {url for url in tab.requests if not url.startswith("data:")} == {page.as_uri()}
    assert tab.complaints == []
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("[...document.images].every(image => image.naturalWidth > 0)")
    assert tab.value(CONTRAST) >= 4.5  # WCAG, level AA


def test_nothing_moves_where_that_is_not_wanted(tab: Browser, digits: Path) -> None:
    shown = "getComputedStyle(document.querySelector('.moving')).display"
    tab.open(digits, 1440)
    assert tab.value(shown) == "block"
    tab.open(digits, 1440, prefers_reduced_motion="reduce")
    assert tab.value(shown) == "none"


def test_it_is_printed_whole(tab: Browser, digits: Path) -> None:
    tab.open(digits, 1440)
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") > 5


def test_a_page_with_faults_is_found(tab: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<!doctype html><img src="http://localhost:9/a.png"><script>throw Error("no")</script>')
    tab.requests.clear()
    tab.open(page, 390)
    assert "http://localhost:9/a.png" in tab.requests
    assert tab.complaints
    tab.complaints.clear()
