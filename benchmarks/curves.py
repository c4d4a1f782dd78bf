"""Time and memory of a training step against |V|, the lines through them, and their picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fernn.results.figures.style import LINES, WIDTH
from fernn.results.text import math_name

# the colour of the experiment's largest model in all figures; filled and open for print without colour
LOOKS = {"A": ("FERNN-V2T", "o", "full"), "B": ("FERNN-V4R", "s", "none")}


@dataclass(frozen=True)
class Line:
    """fixed + slope * |V|.

    Attributes:
        fixed: what does not depend on |V|, in the unit of the values.
        slope: of each generator.
        residual: the distance of the values from the line, relative to the values (Euclidean norms).
    """

    fixed: float
    slope: float
    residual: float


def fit(generators: Sequence[int], values: Sequence[float]) -> Line:
    """The line through values at numbers of generators, by least squares."""
    at, found = np.asarray(generators, dtype=float), np.asarray(values, dtype=float)
    slope, fixed = np.polyfit(at, found, 1)
    distance = np.linalg.norm(found - (fixed + slope * at)) / np.linalg.norm(found)
    return Line(float(fixed), float(slope), float(distance))


@dataclass(frozen=True)
class Curve:
    """What a training step of an experiment costs, set by set.

    Attributes:
        letter: of the experiment.
        flows: names of the sets V.
        generators: |V| of each.
        seconds: time of a step.
        memory: bytes at the peak.
    """

    letter: str
    flows: tuple[str, ...]
    generators: tuple[int, ...]
    seconds: tuple[float, ...]
    memory: tuple[int, ...]

    @property
    def time_line(self) -> Line:
        """Seconds against |V|."""
        return fit(self.generators, self.seconds)

    @property
    def memory_line(self) -> Line:
        """Bytes against |V|."""
        return fit(self.generators, self.memory)


def draw(curves: Sequence[Curve]) -> Figure:
    """Two panels, time and memory against |V|: what was measured, and the lines through it."""
    figure = Figure(figsize=(WIDTH, 0.42 * WIDTH), layout="constrained")
    time, memory = figure.subplots(1, 2)
    for curve in curves:
        model, marker, fill = LOOKS[curve.letter]
        colour, ends = LINES[model][0], np.array([0, max(curve.generators)])
        label = f"{curve.letter}: {math_name(curve.flows[0])} to {math_name(curve.flows[-1])}"
        for axes, values, line, unit in (
            (time, curve.seconds, curve.time_line, 1.0),
            (memory, curve.memory, curve.memory_line, 2.0**30),
        ):
            axes.plot(ends, (line.fixed + line.slope * ends) / unit, color=colour, linewidth=0.9)
            axes.plot(
                curve.generators,
                np.array(values) / unit,
                color=colour,
                linestyle="",
                marker=marker,
                markersize=4,
                fillstyle=fill,
                label=label,
            )
    for axes, quantity in ((time, "time (s)"), (memory, "peak memory (GiB)")):
        axes.set(xlabel="generators |$V$|", ylabel=quantity, xlim=(0, None), ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    memory.legend()
    note = "one training step; lines: least squares; sizes of A and B differ"
    figure.supxlabel(note, fontsize=6.5, color="0.45", x=0.995, ha="right")
    return figure
