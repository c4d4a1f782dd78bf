"""Experiment B: the hidden convolution, a training step, its memory, and the rendering of a batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.memory import peak
from benchmarks.rendering import rendering
from benchmarks.report import Options, Table, duration, gain, size
from benchmarks.timing import alternate
from benchmarks.training import training_step
from fernn.datasets.rotating import RotationSampler, render
from fernn.flows.rotation import Rotation
from fernn.models.rotation.basis import r2conv
from fernn.models.rotation.convolution import Regular, field_first
from fernn.models.rotation.predictor import RotationPredictor
from fernn.models.winograd import POINTS
from fernn.params import Params
from tests.reference import rotation as plain_rotation
from tests.reference.rotation import PlainRotationPredictor

# the paper pads a digit to 40 pixels; the released script's default of 28 crops it
WAYS: dict[str, tuple[str | None, str | None, str, bool]] = {  # the last: Winograd's convolutions, where they pay
    "library, float32": ("steerable", "lab", "float32", True),
    "library, direct convolution": ("steerable", "lab", "float32", False),
    "library, co-moving frame": ("steerable", "co-moving", "float32", True),
    "library, dense filter": ("dense", "lab", "float32", True),
    "library, bf16": ("steerable", "lab", "bf16", False),
    "plain, float32": (None, None, "float32", False),
}
PLAIN = "plain, float32"


def measure(options: Options) -> list[Table]:
    """The tables of experiment B."""
    data = options.params.rotation.data
    sides = sorted({data.digit, data.frame})
    convolutions = Table(
        "Experiment B: hidden convolution",
        _about_convolutions(options),
        ["convolution", "forward", "backward", "times faster", "gradient of the weights"],
        [row for side in sides for row in _convolution(options, side)],
    )
    steps = Table(
        "Experiment B: training step",
        _about_steps(options),
        ["training step", "pixels", "time", "times faster than plain", "peak memory"],
        [row for side in sides for row in _steps(options, side)],
    )
    return [convolutions, steps, _rendering(options)]


def _about_convolutions(options: Options) -> str:
    sizes = options.params.rotation.architecture
    return (
        f"{sizes.fields} fields of C_{sizes.group_order} to as many, {sizes.kernel_size}x{sizes.kernel_size} pixels, "
        f"{_batch(options)} maps, filters expanded beforehand. Plain is a convolution with escnn's expanded filter; "
        "the library's backward computes again what its forward does not keep. The gain is that of both together. The "
        "last column is the relative difference from plain of the gradient with respect to escnn's own weights."
    )


def _convolution(options: Options, side: int) -> list[list[str]]:
    sizes, device, batch = options.params.rotation.architecture, options.device, _batch(options)
    torch.manual_seed(0)
    escnn = r2conv(sizes.group_order, sizes.fields, sizes.fields, sizes.kernel_size, lifting=False).to(device)
    ours = Regular(sizes.fields, sizes.group_order, sizes.kernel_size, "steerable").to(device)
    ours.weights.data.copy_(escnn.weights.detach())
    maps = torch.rand(batch, sizes.fields * sizes.group_order, side, side, device=device)
    maps = maps.contiguous(memory_format=torch.channels_last)
    kernel, (dense, _) = ours.kernel(), escnn.expand_parameters()
    calls: dict[str, Callable[[Tensor], Tensor]] = {
        "library": lambda maps: kernel(maps, 0),
        "plain": lambda maps: F.conv2d(maps, dense, padding=sizes.kernel_size // 2),
    }
    options.say(f"hidden convolution, {side}x{side} pixels")
    forth, back = {}, {}
    for name, call in calls.items():
        own = maps.clone().requires_grad_()
        result, filters = call(own), kernel.mixing if name == "library" else dense
        gradient = torch.ones_like(result)
        forth[name] = torch.no_grad()(lambda call=call: call(maps))
        back[name] = lambda r=result, i=(own, filters), g=gradient: torch.autograd.grad(r, i, g, retain_graph=True)
    forward, backward = (alternate(ways, options.rounds, device, options.say) for ways in (forth, back))
    both = {name: forward[name] + backward[name] for name in calls}

    # our channels stand orientation first: weigh those of escnn alike
    weigh = torch.rand_like(calls["library"](maps))
    (ours_gradient,) = torch.autograd.grad((calls["library"](maps) * weigh).sum(), ours.weights)
    in_order, weigh = (field_first(each, sizes.group_order, 1) for each in (maps, weigh))
    (their_gradient,) = torch.autograd.grad((calls["plain"](in_order) * weigh).sum(), escnn.weights)
    difference = ((ours_gradient - their_gradient).norm() / their_gradient.norm()).item()
    return [
        [
            f"{name}, {side}x{side}",
            duration(forward[name].median),
            duration(backward[name].median),
            gain(both[name].gain_over(both["plain"])),
            f"{difference:.1e}" if name == "library" else "",
        ]
        for name in calls
    ]


@dataclass(frozen=True)
class Work:
    """A training step.

    Attributes:
        params: the sizes.
        way: a key of `WAYS`.
        side: of a frame in pixels.
        batch: sequences.
        frames: seen, and as many predicted.
        device: what computes.
    """

    params: Params
    way: str
    side: int
    batch: int
    frames: int
    device: torch.device

    def step(self) -> Callable[[], None]:
        """The step, ready to be taken."""
        section = self.params.rotation
        convolution, frame, precision, transformed = WAYS[self.way]
        flow = max((model.flow for model in section.models.values()), key=lambda name: len(Rotation.parse(name)))
        chosen = {} if convolution is None else {"convolution": convolution, "frame": frame}
        sizes = {**section.architecture.model_dump(), "convolution": "steerable", "frame": "lab", **chosen}
        torch.manual_seed(0)
        model: nn.Module = RotationPredictor(flow, section.data.degrees, **sizes)
        if convolution is None:
            model = PlainRotationPredictor(model)
        else:
            model.decoder.to(memory_format=torch.channels_last)
        frames = torch.rand(self.batch, 2 * self.frames, 1, self.side, self.side)
        model, frames = model.to(self.device), frames.to(self.device)
        seen, target = frames[:, : self.frames], frames[:, self.frames :]

        def loss(model: nn.Module) -> Tensor:
            return F.mse_loss(model(seen, self.frames).float(), target)

        return training_step(loss, section.training.clip_norm, model, precision, transformed)


def _about_steps(options: Options) -> str:
    section = options.params.rotation
    sizes, flows = section.architecture, [model.flow for model in section.models.values()]
    batch, frames, flow = _batch(options), _frames(options), max(flows, key=lambda name: len(Rotation.parse(name)))
    return (
        f"{flow} with {sizes.fields} fields of C_{sizes.group_order}, "
        f"batch {batch}, {frames} frames seen and {frames} predicted: forward, backward, Adam. The plain way calls "
        "escnn's R2Conv and turns each generator's map by grid_sample at each step, as the released code does "
        "(`tests/reference/rotation.py`). The decoder, four plain dense convolutions of all channels for each "
        "predicted frame, is most of a step. Peak memory is that of the tensors of a "
        f"process's first step, over the model itself. {_about_memory(options)}"
    )


def _about_memory(options: Options) -> str:
    """What Winograd's form costs beside the maps."""
    sizes = options.params.rotation.architecture
    if options.device.type != "cpu":
        return ""  # there all is direct
    kernels = 4 * POINTS * sizes.decoder_layers * (sizes.fields * sizes.group_order) ** 2
    return (
        f"Of the library's in float32, {size(kernels)} are the kernels of the decoder's layers as Winograd's form has "
        "them, whatever the frame and the batch."
    )


def _steps(options: Options, side: int) -> list[list[str]]:
    works = {way: Work(options.params, way, side, _batch(options), _frames(options), options.device) for way in WAYS}
    steps = {way: work.step() for way, work in works.items()}
    options.say(f"training step, {side}x{side} pixels: memory, then time")
    memory = {way: peak(step, options.device) for way, step in steps.items()}
    timings = alternate(steps, options.rounds, options.device, options.say)
    return [
        [
            way,
            f"{side}x{side}",
            duration(timing.median),
            gain(timing.gain_over(timings[PLAIN])),
            f"{memory[way] / 2**30:.2f} GiB",
        ]
        for way, timing in timings.items()
    ]


def _rendering(options: Options) -> Table:
    section = options.params.rotation
    flow = max((Rotation.parse(group.flow, section.data.degrees) for group in section.runs), key=len)

    def book(pool: int) -> RotationSampler:
        return RotationSampler(section.data.seed, "benchmark", pool, section.data.digits, flow)

    return rendering(options, "B", section, book, (render, plain_rotation.render), "grid_sample")


def _batch(options: Options) -> int:
    """Sequences in a step: few, since the plain way is slow on a CPU and large on a GPU."""
    return options.batch or (4 if options.device.type == "cuda" else 1)


def _frames(options: Options) -> int:
    """Frames seen and predicted in a step."""
    return options.params.rotation.data.seen if options.device.type == "cuda" else 4
