"""The page says what its files say, and asks for nothing else."""

import base64
import csv
import io
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs
from fernn.results.claims.judge import Verdict
from fernn.results.report.page import write_report
from tests.results.report.page import Page, wrong
from tests.results.tree import small_params


@pytest.fixture(params=["digits", "videos"])
def page(request: pytest.FixtureRequest) -> Page:
    return Page(request.getfixturevalue(request.param))


def test_every_number_is_found_in_the_file_that_it_names(page: Page) -> None:
    assert len(page.sourced()) > 100
    assert list(wrong(page)) == []


def test_a_number_that_is_not_in_its_file_is_found(digits: Path) -> None:
    page = Page(digits)
    lie = next(of for of in page.sourced() if of.attributes["data-source"] == "tables/table1.csv")
    told = lie.text
    lie.text = told.replace("(8", "(7")
    assert len(list(wrong(page))) == 1
    lie.text, lie.attributes["data-at"] = told, "1/mean 1/std"
    assert len(list(wrong(page))) >= 1
    lie.attributes["data-at"] = "0/mean 0/std"
    assert list(wrong(page)) == []


def test_no_cell_of_numbers_has_one_without_a_source(page: Page) -> None:
    cells = [of for of in page.elements if of.tag == "td" and "n" in of.classes]
    assert len(cells) > 50
    assert [of for of in cells if re.search(r"\d", of.unsourced)] == []


def test_its_links_lead_to_files(page: Page) -> None:
    assert len(page.links()) > 20
    missing = [link for link in page.links() if not (page.path.parent / link).is_file()]
    assert missing == []


def test_it_asks_for_nothing_from_elsewhere(page: Page) -> None:
    text = page.path.read_text()
    assert not {of.tag for of in page.elements} & {"script", "iframe", "object", "embed", "source", "video"}
    sources = [of.attributes[name] for of in page.elements for name in ("src", "srcset") if name in of.attributes]
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert [of.attributes["href"] for of in page.elements if of.tag == "link"] == ["data:,"]
    assert "url(" not in re.sub(r"url\(#\w+\)", "", text)
    assert "@import" not in text
    assert not re.search(r"https?://", text)


def pixels(file: io.BytesIO | Path) -> tuple[bytes, ...]:
    """Those of each picture in a file."""
    with Image.open(file) as picture:
        return tuple(frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(picture))


def test_each_figure_is_there_as_its_file_and_says_what_to_see(page: Page) -> None:
    images = [of for of in page.elements if of.tag == "img"]
    shown = {pixels(io.BytesIO(base64.b64decode(of.attributes["src"].partition(",")[2]))) for of in images}
    files = {pixels(path) for path in (page.path.parent / "figures").glob("*.png")}
    assert shown == files
    assert all(len(of.attributes["alt"]) > 40 for of in images)


def test_verdicts_come_first_and_are_words(page: Page) -> None:
    verdicts = [of for of in page.elements if "verdict" in of.classes]
    assert len(verdicts) > 10
    words = {verdict.value for verdict in Verdict}
    assert all(of.text.split(maxsplit=1)[1] in words and len(of.text.split(maxsplit=1)[0]) == 1 for of in verdicts)
    headings = [of.text for of in page.elements if of.tag == "h2"]
    assert headings[0] == "Verdicts"


def test_what_the_scale_does_not_run_is_named(videos: Path, digits: Path) -> None:
    assert "Not run at this scale: kth. Nothing here says anything about it." in digits.read_text()
    assert "Not run at this scale: translation, rotation. Nothing here says anything about them." in videos.read_text()


def test_a_project_with_experiments_of_its_own_alone(digits: Path, tmp_path: Path) -> None:
    """Its page asks about them, and has neither claims nor columns of the paper."""
    base = shutil.copytree(digits.parent, tmp_path / "quick")
    with open(base / "tables/claims.csv") as file:
        header, *rows = csv.reader(file)
    at = header.index("experiment")
    write_csv(base / "tables/claims.csv", [header, *([*row[:at], "kth", *row[at + 1 :]] for row in rows)])
    with open(base / "tables/table1.csv") as file:
        header, *rows = csv.reader(file)
    of_paper = {header.index(name) for name in ("paper_value", "paper_std", "source", "verdict")}
    rows = [["" if at in of_paper else cell for at, cell in enumerate(row)] for row in rows]
    write_csv(base / "tables/table1.csv", [header, *rows])
    layout = Layout("quick", tmp_path)
    write_report(layout, Jobs(small_params(experiments=("translation", "rotation")), layout).find("report").inputs)
    page = Page(layout.report())
    assert [of.text for of in page.elements if of.tag == "h1"] == [
        "How do the models of translation, rotation compare?"
    ]
    assert [of for of in page.elements if "verdict" in of.classes or of.attributes.get("href") == "#verdicts"] == []
    heads = [of.text for of in page.elements if of.tag in ("th", "h2")]
    assert not {"Paper", "Verdict", "Verdicts", "Tables, the paper beside ours"} & {*heads}
    assert list(wrong(page)) == []


def write_csv(path: Path, rows: list[list[str]]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_stand_ins_are_called_so(videos: Path, digits: Path) -> None:
    assert "The videos are stand-ins" in videos.read_text()
    assert "stand-ins" not in digits.read_text()
    assert "Dropped: person01_boxing_d4, sequence 4" in videos.read_text()
    assert "no digit is dropped" in digits.read_text()


def test_the_same_results_give_the_same_page(digits: Path) -> None:
    before = digits.read_bytes()
    layout = Layout("quick", digits.parents[1])
    write_report(layout, Jobs(small_params(experiments=("translation", "rotation")), layout).find("report").inputs)
    assert digits.read_bytes() == before


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    layout = Layout("quick", tmp_path)
    with pytest.raises(FernnError, match=r"claims\.csv is missing, and the report is made of it"):
        write_report(layout, Jobs(small_params(), layout).find("report").inputs)
    assert not layout.report().exists()
