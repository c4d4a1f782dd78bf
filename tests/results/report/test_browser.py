"""The page in a real browser: no error, no request, nothing that does not fit, in each light and on paper."""

import json
import os
import re
import shutil
import subprocess
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
VIEWS = [*product((1440, 390), ("light", "dark"))]
# Shows a page in a frame for each view; the title then says what was found in each.
HOST = """<!doctype html><title></title><script>
const views = VIEWS, page = PAGE;
const share = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
const light = colour => colour.match(/[\\d.]+/g).slice(0, 3)
  .reduce((sum, part, i) => sum + share(part / 255) * [0.2126, 0.7152, 0.0722][i], 0);

function found(view) {
  const body = view.document.body, style = element => view.getComputedStyle(element);
  const ground = light(style(body).backgroundColor);
  const ratios = [...body.querySelectorAll("p, td, th, .verdict, .source, a")].map(element => {
    const own = light(style(element).color);
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05);
  });
  const moving = body.querySelector(".moving");
  return {
    ground, contrast: Math.min(...ratios), moving: moving && style(moving).display,
    width: view.document.documentElement.scrollWidth,
    pictures: [...view.document.images].every(image => image.naturalWidth > 0),
    requests: view.performance.getEntriesByType("resource").map(entry => entry.name),
  };
}

addEventListener("load", () => Promise.all(views.map(([width, scheme]) => new Promise(resolve => {
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.style = `border: 0; height: 900px; width: ${width}px; color-scheme: ${scheme}`;
  frame.onload = () => resolve(found(frame.contentWindow));
  frame.srcdoc = page;
}))).then(all => { document.title = JSON.stringify(all); }));
</script><body></body>"""


def browse(folder: Path, *options: str) -> tuple[str, list[str]]:
    """Output of a headless Chromium, and what its console says; without one the test is skipped, or fails in CI."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        message = "no chromium here (Debian, Ubuntu: apt-get install chromium)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    command += ["--enable-logging=stderr", "--v=0", "--disable-background-networking", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return ended.stdout, re.findall(r":CONSOLE.*$", ended.stderr, re.MULTILINE)


def shown(page: str, folder: Path, *options: str) -> tuple[list[dict[str, Any]], list[str]]:
    """What was found in each view of a page, and what the console says."""
    text = json.dumps(page).replace("</", "<\\/")
    (folder / "host.html").write_text(HOST.replace("VIEWS", json.dumps(VIEWS)).replace("PAGE", text))
    budget = "--virtual-time-budget=60000"
    said, complaints = browse(folder, budget, *options, "--dump-dom", (folder / "host.html").as_uri())
    title = said.partition("<title>")[2].partition("</title>")[0]
    return json.loads(unescape(title)), complaints


@pytest.mark.parametrize("of", ["digits", "videos"])
def test_it_opens_anywhere(request: pytest.FixtureRequest, of: str, tmp_path: Path) -> None:
    found, complaints = shown(request.getfixturevalue(of).read_text(), tmp_path)
    assert complaints == []
    for (width, scheme), view in zip(VIEWS, found, strict=True):
        assert view["requests"] == []
        assert view["width"] <= width
        assert view["pictures"]
        assert view["contrast"] >= 4.5  # WCAG, level AA
        assert (view["ground"] < 0.5) == (scheme == "dark")


@pytest.mark.parametrize(("options", "display"), [([], "block"), (["--force-prefers-reduced-motion"], "none")])
def test_nothing_moves_where_that_is_not_wanted(digits: Path, tmp_path: Path, options: list[str], display: str) -> None:
    assert {view["moving"] for view in shown(digits.read_text(), tmp_path, *options)[0]} == {display}


def test_it_is_printed_whole(digits: Path, tmp_path: Path) -> None:
    browse(tmp_path, f"--print-to-pdf={tmp_path}/page.pdf", digits.as_uri())
    pdf = (tmp_path / "page.pdf").read_bytes()
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") > 5


def test_a_page_with_faults_is_found(tmp_path: Path) -> None:
    page = '<!doctype html><p>a</p><img src="http://localhost:9/a.png"><script>throw Error("no")</script>'
    found, complaints = shown(page, tmp_path)
    assert found[0]["requests"] == ["http://localhost:9/a.png"]
    assert complaints
