"""The page of figures, and the options and tables that every experiment's measurements share."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
import torch
from matplotlib.figure import Figure
from tabulate import tabulate

from fernn.errors import FernnError
from fernn.params import Params
from fernn.provenance.environment import environment
from fernn.results.figures import STYLE, save

ROOT = Path(__file__).parents[1]
IMAGES = "images"  # the folder of pictures, beside the page


@dataclass(frozen=True)
class Options:
    """What to measure, and how thoroughly: `rounds` in which the ways take turns; `say` takes lines of progress.

    `batch`: sequences in a training step; None: 4 on a CPU, the experiment's own on a GPU.
    """

    params: Params
    device: torch.device
    rounds: int
    batch: int | None
    say: Callable[[str], None]

    def step_batch(self, wanted: int) -> int:
        """Sequences per training step of an experiment whose batch size is `wanted`."""
        return self.batch or (wanted if self.device.type == "cuda" else min(4, wanted))


@dataclass(frozen=True)
class Picture:
    """A figure of measurements: its file's name, what it shows for those who cannot see it, and what draws it."""

    name: str
    about: str
    draw: Callable[[], Figure]

    def write(self, page: Path) -> None:
        """Draw it in the look of all figures and write it to its place beside the page."""
        with matplotlib.style.context(STYLE, after_reset=True):
            save(self.draw(), page.parent / IMAGES / self.name)


@dataclass(frozen=True)
class Table:
    """Measurements under a heading, with what the rows are, and their picture."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    picture: Picture | None = None

    def markdown(self) -> str:
        """The table and its picture under its heading."""
        aligned = ["left" if column == self.columns[0] else "right" for column in self.columns]
        cells = tabulate(self.rows, self.columns, tablefmt="pipe", disable_numparse=True, colalign=aligned)
        seen = f"\n![{self.picture.about}]({IMAGES}/{self.picture.name})\n" if self.picture else ""
        return f"## {self.title}\n\n{_wrapped(self.text)}\n\n{cells}\n{seen}"


HOW = """The baseline, "plain", implements the paper's equations directly, in the lab frame, and shifts each generator's
map separately at each step (`tests/reference`). Tests verify that both give equal results. All implementations run
alternately in one process, {rounds}; a time is the median, a speedup is the median of the ratios within each round,
with the smallest and the largest in brackets."""

KEPT = """On Linux the process keeps freed memory, as `fernn train` does, which also speeds up the baseline."""


def page(options: Options, tables: Sequence[Table], kept: Mapping[str, str] | None = None) -> str:
    """The whole page, in Markdown: each table in place of the section of its title in `kept`, or behind those."""
    found = {**(kept or {}), **{table.title: table.markdown() for table in tables}}
    return "\n".join([_head(options), *found.values()])


def sections(options: Options, page: Path) -> dict[str, str]:
    """The sections of an older page by title, each as `Table.markdown` gives it.

    Raises:
        FernnError: if the page is of another machine or of another number of rounds.
    """
    head, *found = re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if head.strip() != _head(options).strip():
        raise FernnError(
            f"{page} begins otherwise than a page of this machine and these options. It has:\n\n{head.strip()}\n\n"
            f"Expected:\n\n{_head(options).strip()}\n\nOne page is of one machine and one number of rounds: give the "
            "page's --rounds, or measure everything (no --only), or name another --output."
        )
    return {section.splitlines()[0].removeprefix("## "): f"{section.strip()}\n" for section in found}


def _head(options: Options) -> str:
    about = environment(options.device.type)
    rows = [["processor", about["device"]], ["torch", torch.__version__]]
    if options.device.type == "cuda":
        rows += [["CUDA", about["cuda"]], ["cuDNN", str(about["cudnn"])]]
    else:
        rows += [["threads", str(torch.get_num_threads())]]
    how = HOW.format(rounds=f"{options.rounds} rounds" if options.rounds > 1 else "one round")
    parts = [
        "# Performance\n",
        "`make bench` writes this page with the values of your machine. The values below are from this machine:\n",
        tabulate(rows, ["machine", ""], tablefmt="pipe", disable_numparse=True) + "\n",
        _wrapped(how if options.device.type == "cuda" else f"{how} {KEPT}") + "\n",
    ]
    return "\n".join(parts)


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def size(amount: float) -> str:
    """Bytes in a unit that suits them."""
    return f"{amount / 2**30:.2f} GiB" if amount >= 1000 * 2**20 else f"{amount / 2**20:.3g} MiB"


def gain(ratios: tuple[float, float, float]) -> str:
    """A speedup with its range over the rounds; 1 for the baseline."""
    if set(ratios) == {1.0}:
        return "1"
    return "{:.3g} ({:.3g} to {:.3g})".format(*ratios)


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)
