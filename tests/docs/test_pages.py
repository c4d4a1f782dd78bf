"""Every block of code in the pages is run or checked; one that nobody knows is an error."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
import yaml
from PIL import Image, ImageChops, ImageStat

from fernn.cli import app
from fernn.experiments import load_params

from .blocks import PAGES, ROOT, Block, blocks, cells, lines_of, spans
from .commands import NOT_RUN, PROGRAMS, check, is_known

# text is what a program prints, and trees of files; code blocks of a page with equations are math
LANGUAGES = {"python", "shell", "yaml", "text", "math", "bibtex"}
README = ROOT / "README.md"
NOTEBOOK = ROOT / "docs/notebook.ipynb"
# a page's Python runs as one program, in a folder without results; that of these runs in a clone: test_tutorial.py
IN_A_CLONE = {ROOT / "docs/tutorial.md"}
SLOW = {ROOT / "docs/paper.md"}

ALL = [block for page in PAGES for block in blocks(page)]
COMMANDS = [(block.page, line) for block in ALL if block.language == "shell" for line in lines_of(block)]
PROGRAM = re.compile(rf"^(\$ |({'|'.join(PROGRAMS)}|git|pip|python|docker|podman) )", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_languages_of_its_blocks_are_known(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.name}: say after ``` what it is: {', '.join(sorted(LANGUAGES))}"
        assert block.language != "text" or not PROGRAM.search(block.text), f"{block.name}: commands are of shell"


WITH_PYTHON = sorted({block.page for block in ALL if block.language == "python"} - IN_A_CLONE)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=name_of(page), marks=[pytest.mark.slow] * (page in SLOW)) for page in WITH_PYTHON]
)
def test_its_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resources").symlink_to(ROOT / "resources")
    run(page, {})
    if page == README:
        with Image.open("digits.gif") as gif:
            assert (gif.n_frames, gif.size) == (40, (140, 140))


@pytest.mark.slow
def test_the_animation_of_the_readme_is_what_its_command_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = [line for _, line in COMMANDS if line.startswith("fernn animate")]
    *command, shown = line.split()[1:]
    for name in ("params.yaml", "resources"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    typer.main.get_command(app)([*command, "again.gif"], standalone_mode=False)
    assert (ROOT / shown).stat().st_size < 300_000
    with Image.open(ROOT / shown) as kept, Image.open("again.gif") as again:
        assert kept.n_frames == again.n_frames == 40
        for frame in range(40):
            kept.seek(frame)
            again.seek(frame)
            difference = ImageChops.difference(kept.convert("L"), again.convert("L"))
            assert ImageStat.Stat(difference).mean[0] < 1, frame  # of 255; processors round differently


def run(page: Path, names: dict[str, Any]) -> str:
    """Run the Python of a page from top to bottom; what it printed. An error points to the line of the page."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        for block in blocks(page):
            if block.language == "python":
                exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
    return printed.getvalue()


def test_the_notebook_prints_what_it_shows() -> None:
    nbformat.validate(nbformat.read(NOTEBOOK, as_version=4))
    names: dict[str, Any] = {}
    for source, shown in cells(NOTEBOOK):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(source, NOTEBOOK, "exec"), names)
        assert printed.getvalue() == shown, source


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_commands_can_be_run(page: Path) -> None:
    for line in (line for where, line in COMMANDS if where == page and line not in NOT_RUN):
        check(line)
    for text in filter(is_known, spans(page)):
        check(re.split(" [>|] ", text)[0], whole=False)


def test_which_torch_pip_brings_is_said_where_pip_is() -> None:
    texts = [path.read_text() for path in (*PAGES, NOTEBOOK, ROOT / "docs/reference.rst")]
    after = [text[at.end() :][:350] for text in texts for at in re.finditer(r"`pip install \.`", text)]
    assert len(after) >= 4
    assert [text for text in after if "CUDA" not in text] == []


def test_the_repository_is_cloned_by_one_line() -> None:
    assert len([line for _, line in COMMANDS if line.startswith("git clone")]) == 1


def test_what_is_not_run_stands_in_a_page() -> None:
    lines = {line for _, line in COMMANDS}
    assert {line for line in NOT_RUN if line not in lines} == set()


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(base[key], value) for key, value in over.items() if isinstance(value, dict) and key in base}
    return {**base, **over, **both}


def settings(block: Block) -> Iterator[dict[str, Any]]:
    """Parse a block of YAML; a repeated key starts another alternative."""
    for choice in re.split(r"\n(?=image:)", block.text):
        yield yaml.safe_load(choice.replace("0123...", 16 * "0123"))  # a digest, cut short for the page


def test_yaml_is_of_params(tmp_path: Path) -> None:
    for block in (block for block in ALL if block.language == "yaml"):
        for setting in settings(block):
            whole = merged(yaml.safe_load((ROOT / "params.yaml").read_text()), setting)
            (tmp_path / "params.yaml").write_text(yaml.safe_dump(whole))
            for scale in (None, *setting.get("scales", {})):
                load_params(tmp_path / "params.yaml", scale)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("fernn trian translation/V2T/G-RNN/lr0.005/seed0", "there is no 'trian'"),
        ("fernn train translation/V2T/G-RNN/lr0.7/seed0 --scale quick", "no such run"),
        ("snakemake --coers all", "does not take"),
        ("dvc exp run -S scales.quick.translation.model.G-RNN.learning_rate=1", "has no 'model'"),
        ("make dmeo", "No rule to make target"),
        ("kubectl get pods", "no test knows `kubectl`"),
    ],
)
def test_a_wrong_command_is_found(line: str, wrong: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(wrong)):
        check(line)
