"""Experiment B: a training step, and the rendering of a batch."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.report import Options, Table, size
from benchmarks.timing import PLAIN, STEP_COLUMNS, compare, training_step
from benchmarks.translation import rendering
from fernn.datasets.rotating import RotationSampler, render
from fernn.flows.rotation import Rotation
from fernn.models.rotation.predictor import RotationPredictor
from fernn.models.winograd import POINTS
from tests.reference import rotation as plain_rotation
from tests.reference.rotation import PlainRotationPredictor

# the paper pads a digit to 40 pixels; the released script's default of 28 crops it
WAYS: dict[str, tuple[str | None, str | None, str, bool]] = {  # the last: Winograd's convolutions, where they pay
    "library, float32": ("steerable", "lab", "float32", True),
    "library, direct convolution": ("steerable", "lab", "float32", False),
    "library, co-moving frame": ("steerable", "co-moving", "float32", True),
    "library, dense filter": ("dense", "lab", "float32", True),
    "library, tf32": ("steerable", "lab", "tf32", False),  # on a GPU
    "library, bf16": ("steerable", "lab", "bf16", False),
    PLAIN: (None, None, "float32", False),
}


def measure(options: Options) -> list[Table]:
    """The tables of experiment B."""
    data = options.params.rotation.data
    rows = [row for side in sorted({data.digit, data.frame}) for row in _steps(options, side)]
    columns = [STEP_COLUMNS[0], "pixels", *STEP_COLUMNS[1:]]
    return [Table("Experiment B: training step", _about_steps(options), columns, rows), _rendering(options)]


def step(options: Options, way: str, side: int) -> Callable[[], None]:
    """A training step in one of the `WAYS`, of frames of `side` x `side` pixels."""
    section, length = options.params.rotation, _frames(options)
    convolution, frame, precision, transformed = WAYS[way]
    flow = max((model.flow for model in section.models.values()), key=lambda name: len(Rotation.parse(name)))
    chosen = {} if convolution is None else {"convolution": convolution, "frame": frame}
    sizes = {**section.architecture.model_dump(), "convolution": "steerable", "frame": "lab", **chosen}
    torch.manual_seed(0)
    model: nn.Module = RotationPredictor(flow, section.data.degrees, **sizes)
    if convolution is None:
        model = PlainRotationPredictor(model)
    else:
        model.decoder.to(memory_format=torch.channels_last)
    frames = torch.rand(_batch(options), 2 * length, 1, side, side).to(options.device)
    seen, target = frames[:, :length], frames[:, length:]

    def loss(model: nn.Module) -> Tensor:
        return F.mse_loss(model(seen, length).float(), target)

    return training_step(loss, section.training.clip_norm, model.to(options.device), precision, transformed)


def _about_steps(options: Options) -> str:
    section = options.params.rotation
    sizes, flows = section.architecture, [model.flow for model in section.models.values()]
    batch, frames, flow = _batch(options), _frames(options), max(flows, key=lambda name: len(Rotation.parse(name)))
    return (
        f"{flow} with {sizes.fields} fields of C_{sizes.group_order}, "
        f"batch {batch}, {frames} frames seen and {frames} predicted: forward, backward, Adam. The baseline calls "
        "escnn's R2Conv and rotates each generator's map by grid_sample at each step, as the released code does "
        "(`tests/reference/rotation.py`). The decoder, four dense convolutions of all channels per predicted frame, "
        f"takes most of a step. Peak memory is that of the tensors of a process's first step, without the model. "
        f"{_about_memory(options)}"
    )


def _about_memory(options: Options) -> str:
    """What Winograd's form costs beside the maps."""
    sizes = options.params.rotation.architecture
    if options.device.type != "cpu":
        return ""  # there all is direct
    kernels = 4 * POINTS * sizes.decoder_layers * (sizes.fields * sizes.group_order) ** 2
    return (
        f"Of the library's memory in float32, {size(kernels)} are the decoder's kernels in Winograd's form, "
        "independent of frame and batch size."
    )


def _steps(options: Options, side: int) -> list[list[str]]:
    options.say(f"training step, {side}x{side} pixels: memory, then time")
    ways = [way for way, (*_, precision, _) in WAYS.items() if precision != "tf32" or options.device.type == "cuda"]
    rows = compare(options, {way: step(options, way, side) for way in ways}, first=True)
    return [[name, f"{side}x{side}", *cells] for name, *cells in rows]


def _rendering(options: Options) -> Table:
    section = options.params.rotation
    flow = max((Rotation.parse(group.flow, section.data.degrees) for group in section.runs), key=len)

    def book(pool: int) -> RotationSampler:
        return RotationSampler(section.data.seed, "benchmark", pool, section.data.digits, flow)

    return rendering(options, "B", section, book, (render, plain_rotation.render), "grid_sample")


def _batch(options: Options) -> int:
    """Sequences per step: few, since the baseline is slow on a CPU and needs much memory on a GPU."""
    return options.batch or (4 if options.device.type == "cuda" else 1)


def _frames(options: Options) -> int:
    """Frames seen and predicted in a step."""
    return options.params.rotation.data.seen if options.device.type == "cuda" else 4
