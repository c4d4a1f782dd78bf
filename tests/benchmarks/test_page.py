"""That a part of the page can be renewed alone."""

import pytest
from matplotlib.figure import Figure
from typer import Typer
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks.report import Picture, Table

PARTS = ("translation", "rotation", "kth", "cost")


@pytest.fixture
def measured(monkeypatch) -> list[str]:
    """The parts that were measured; what they give is a table of how many there were by then."""
    found: list[str] = []

    def part(name: str):
        def measure(options) -> list[Table]:
            found.append(name)
            picture = Picture(f"{name}.png", name, Figure) if name == "cost" else None
            titles = [f"Part {name}: {each}" for each in ("time", "memory")]
            return [Table(title, "What it is.", ["a", "b"], [[title, str(len(found))]], picture) for title in titles]

        return measure

    monkeypatch.setattr(command, "EXPERIMENTS", {name: part(name) for name in PARTS})
    return found


def bench(*arguments: object):
    app = Typer(add_completion=False)
    app.command()(command.run)
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_one_part_alone_is_renewed(measured, tmp_path):
    path, picture = tmp_path / "page.md", tmp_path / "images" / "cost.png"
    assert bench("--output", path).exit_code == 0
    before = path.read_text()
    picture.unlink()

    assert bench("--only", "rotation", "--output", path).exit_code == 0
    assert measured == [*PARTS, "rotation"]
    after = path.read_text()
    rows = {f"| Part rotation: {each} |   2 |": f"| Part rotation: {each} |   5 |" for each in ("time", "memory")}
    for old, new in rows.items():
        assert before.count(old) == after.count(new) == 1
        before = before.replace(old, new)
    assert after == before
    assert not picture.exists(), "of another part"

    assert bench("--only", "cost", "--output", path).exit_code == 0
    assert picture.exists()


def test_a_new_part_comes_behind_the_others(measured, tmp_path):
    path = tmp_path / "page.md"
    for name in PARTS:
        assert bench("--only", name, "--output", path).exit_code == 0
    one_by_one = path.read_text()
    measured.clear()
    assert bench("--output", path).exit_code == 0
    assert path.read_text() == one_by_one


@pytest.mark.parametrize(
    ("change", "found"),
    [(("5 rounds", "3 rounds"), "3 rounds"), (("| torch     |", "| torch     | older"), "older")],
)
def test_a_page_of_other_conditions_is_left_alone(measured, tmp_path, change, found):
    path = tmp_path / "page.md"
    bench("--output", path)
    changed = path.read_text().replace(*change)
    assert changed != path.read_text()
    path.write_text(changed)
    measured.clear()
    ended = bench("--only", "cost", "--output", path)
    assert ended.exit_code == 2
    assert measured == [], "found before anything is measured"
    for word in (found, "5 rounds", "--output"):
        assert word in ended.output
    assert path.read_text() == changed
