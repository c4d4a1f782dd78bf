"""What a training step costs against the number of generators |V|: time, memory, and the lines through them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from benchmarks.report import Options, Picture, Table, duration, gain, size
from benchmarks.timing import alternate, peak, training_step
from fernn.flows import Rotation, Translation
from fernn.models import FERNNPredictor, RotationPredictor
from fernn.models.seq2seq import Seq2Seq
from fernn.models.storage import channels_last
from fernn.results.figures import LINES, WIDTH
from fernn.results.text import math_name
from fernn.training.tasks import PredictionTask

DECODER = "decoder alone"
COLUMNS = ["training step", "generators", "time", "times that of V0", "time per generator", "peak memory"]
# the colour of the experiment's largest model in all figures; filled and open for print without colour
LOOKS = {"A": ("FERNN-V2T", "o", "full"), "B": ("FERNN-V4R", "s", "none")}


@dataclass(frozen=True)
class Line:
    """fixed + slope * |V|, and the distance of the values from it relative to the values (Euclidean norms)."""

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
    """Seconds and peak bytes of a training step of an experiment, for each set V by its name and size."""

    letter: str
    flows: tuple[str, ...]
    generators: tuple[int, ...]
    seconds: tuple[float, ...]
    memory: tuple[int, ...]

    @property
    def lines(self) -> tuple[Line, Line]:
        """Seconds and bytes against |V|."""
        return fit(self.generators, self.seconds), fit(self.generators, self.memory)


@dataclass(frozen=True)
class Sweep:
    """Networks of an experiment (`letter`) that differ in V alone, and the batch that each is trained on.

    `flows` are the sets V by name, beginning with V_0; `build` makes the network of one; `side` is that of a frame in
    pixels.
    """

    letter: str
    flows: Mapping[str, Translation | Rotation]
    build: Callable[[str], Seq2Seq]
    clip_norm: float | None
    batch: int
    seen: int
    predicted: int
    side: int
    device: torch.device

    def network(self, flow: str) -> Seq2Seq:
        """The network of a set V as the training loop has it: plain convolutions with the channels last."""
        torch.manual_seed(0)
        return channels_last(self.build(flow).to(self.device))

    def steps(self) -> dict[str, Callable[[], None]]:
        """A training step of each set V, and one of the decoder alone: what it reads, max over V, has the same size."""
        frames = torch.rand(self.batch, self.seen + self.predicted, 1, self.side, self.side, device=self.device)
        task = PredictionTask(lambda *_: frames, lambda *_: frames, self.batch, self.batch, self.batch, self.seen)
        decoder = self.network(next(iter(self.flows))).decoder
        shape = self.batch, decoder[0].in_channels, self.side, self.side
        maps = [torch.rand(shape, device=self.device) for _ in range(self.predicted)]
        maps = [each.contiguous(memory_format=torch.channels_last) for each in maps]

        def decoded(decoder: Any) -> Tensor:
            read = [each.detach().requires_grad_() for each in maps]  # the cell wants a gradient of them
            decode = decoder.prepared(self.side, self.side)  # once for all frames, as the network does
            return F.mse_loss(torch.stack([decode(each) for each in read], 1), frames[:, self.seen :])

        losses: dict[str, tuple[Callable[[nn.Module], Tensor], nn.Module]] = {
            flow: (lambda network: task.loss(network, frames), self.network(flow)) for flow in self.flows
        }
        losses[DECODER] = decoded, decoder
        return {name: training_step(loss, self.clip_norm, module, "float32") for name, (loss, module) in losses.items()}


def measure(options: Options) -> list[Table]:
    """The table of both experiments on digits, with its picture."""
    sweeps = translations(options), rotations(options)
    measured = [_measure(options, sweep) for sweep in sweeps]
    rows, curves = [row for rows, _ in measured for row in rows], [curve for _, curve in measured]
    text = (
        "The paper states that time and memory grow linearly with |V|, the number of generators. Here, networks that "
        "differ only in V take one training step in float32. "
        f"{_sizes(options, *sweeps)} Peak memory is that of the step's tensors, without weights and Adam's moments. "
        f"A least-squares fit gives: {'; '.join(map(_lines, curves))}. In brackets: the relative residual. "
        f"{_parts(*sweeps)}"
    )
    about = "Cost of a training step against the number of generators"
    picture = Picture("cost_against_generators.png", about, lambda: draw(curves))
    return [Table("Experiments A and B: cost against the number of generators", text, COLUMNS, rows, picture)]


def translations(options: Options) -> Sweep:
    """V_0^T to V_3^T: the experiment's own sizes, one sequence on a CPU, 16 on a GPU."""
    section, gpu = options.params.translation, options.device.type == "cuda"
    data, training, sizes = section.data, section.training, section.architecture.model_dump()
    return Sweep(
        letter="A",
        flows={flow.name: flow for flow in map(Translation, range(4))},
        build=lambda flow: FERNNPredictor(flow, 1, **sizes),
        clip_norm=training.clip_norm,
        batch=options.batch or (16 if gpu else 1),
        seen=data.seen,
        predicted=data.predicted,
        side=data.frame,
        device=options.device,
    )


def rotations(options: Options) -> Sweep:
    """V_0^R to V_4^R: the experiment's own network; on a CPU one short sequence, whose frames are of a digit's size."""
    section, gpu = options.params.rotation, options.device.type == "cuda"
    data, sizes = section.data, section.architecture.model_dump()
    return Sweep(
        letter="B",
        flows={flow.name: flow for flow in (Rotation(k, data.degrees) for k in range(5))},
        build=lambda flow: RotationPredictor(flow, data.degrees, **sizes),
        clip_norm=section.training.clip_norm,
        batch=options.batch or (8 if gpu else 1),
        seen=data.seen if gpu else min(4, data.seen),
        predicted=data.predicted if gpu else min(4, data.predicted),
        side=data.frame if gpu else data.digit,
        device=options.device,
    )


def _measure(options: Options, sweep: Sweep) -> tuple[list[list[str]], Curve]:
    """Rows of the table and what they say of the sets V."""
    options.say(f"training step by number of generators, experiment {sweep.letter}: memory, then time")
    steps, memory = sweep.steps(), {}
    for name, step in steps.items():
        step()  # Adam's moments are there from now on
        memory[name] = peak(step, sweep.device)
    timings = alternate(steps, options.rounds, sweep.device, options.say)
    generators = {name: len(flow) for name, flow in sweep.flows.items()}
    (still, *_), rows = generators, []
    for name, timing in timings.items():
        number = generators.get(name)
        each = duration(timing.median / number) if number else ""
        times = gain(timings[still].gain_over(timing))
        rows.append(
            [f"{sweep.letter}, {name}", str(number or ""), duration(timing.median), times, each, size(memory[name])]
        )
    seconds = tuple(timings[name].median for name in generators)
    held = tuple(memory[name] for name in generators)
    return rows, Curve(sweep.letter, tuple(generators), tuple(generators.values()), seconds, held)


def _sizes(options: Options, a: Sweep, b: Sweep) -> str:
    channels = options.params.translation.architecture.hidden_channels
    sizes = options.params.rotation.architecture

    def batch(sweep: Sweep) -> str:
        return (
            f"{sweep.side}x{sweep.side} pixels, batch {sweep.batch}, {sweep.seen} frames seen and {sweep.predicted} "
            "predicted"
        )

    return (
        f"A: {channels} channels, {batch(a)}. B: {sizes.fields} fields of C_{sizes.group_order}, {sizes.convolution} "
        f"convolution, {sizes.frame} frame, {batch(b)}."
    )


def _lines(curve: Curve) -> str:
    def line(found: Line, unit: Callable[[float], str]) -> str:
        return f"{unit(found.fixed)} + {unit(found.slope)} · |V| ({found.residual:.1%})"

    return f"{curve.letter} takes {line(curve.lines[0], duration)} and {line(curve.lines[1], size)}"


def _parts(a: Sweep, b: Sweep) -> str:
    long, short = a.seen + a.predicted, b.seen + b.predicted
    return (
        "The hidden convolution accounts for most of the slope. The fast path computes it for each generator at "
        f"{long - 2} of {long} frames in A (none at the first frame, one for all generators at the second) and at "
        f"{short - 1} of {short} in B (none at the first). The decoder, which reads the maximum over V, accounts for "
        f'most of the constant: see the row "{DECODER}".'
    )


def draw(curves: Sequence[Curve]) -> Figure:
    """Two panels, time and memory against |V|: what was measured, and the lines through it."""
    figure = Figure(figsize=(WIDTH, 0.42 * WIDTH), layout="constrained")
    time, memory = figure.subplots(1, 2)
    for curve in curves:
        model, marker, fill = LOOKS[curve.letter]
        colour, ends = LINES[model][0], np.array([0, max(curve.generators)])
        label = f"{curve.letter}: {math_name(curve.flows[0])} to {math_name(curve.flows[-1])}"
        look: dict[str, Any] = {"linestyle": "", "marker": marker, "markersize": 4, "fillstyle": fill, "label": label}
        panels = (time, curve.seconds, 1.0), (memory, curve.memory, 2.0**30)
        for (axes, values, unit), line in zip(panels, curve.lines, strict=True):
            axes.plot(ends, (line.fixed + line.slope * ends) / unit, color=colour, linewidth=0.9)
            axes.plot(curve.generators, np.array(values) / unit, color=colour, **look)
    for axes, quantity in ((time, "time (s)"), (memory, "peak memory (GiB)")):
        axes.set(xlabel="generators |$V$|", ylabel=quantity, xlim=(0, None), ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    memory.legend()
    note = "one training step; lines: least squares; sizes of A and B differ"
    figure.supxlabel(note, fontsize=6.5, color="0.45", x=0.995, ha="right")
    return figure
