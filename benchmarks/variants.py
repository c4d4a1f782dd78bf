"""Variants of a training step on a GPU: precision, sequences at a time, form of the convolution, determinism."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.memory import peak
from benchmarks.report import Options, Table, duration, size
from benchmarks.timing import alternate
from benchmarks.training import take_step
from fernn.flows.rotation import Rotation
from fernn.flows.translation import Translation
from fernn.models.precision import use_precision
from fernn.models.predictor import FERNNPredictor
from fernn.models.rotation.predictor import RotationPredictor
from fernn.models.storage import channels_last
from fernn.training.prediction import PredictionTask

COLUMNS = ["training step", "time of a batch", "peak memory"]


@dataclass(frozen=True)
class Variant:
    """How a batch is computed.

    Attributes:
        precision: see `fernn.models.precision`.
        at_a_time: sequences of the batch.
        convolution: of the hidden state of rotations; not used for translations.
        deterministic: whether cuDNN may only take algorithms that repeat bit for bit.
    """

    precision: str
    at_a_time: int
    convolution: str = ""
    deterministic: bool = True

    @property
    def name(self) -> str:
        """What a row says."""
        words = [self.precision, f"{self.at_a_time} at a time", self.convolution]
        return ", ".join(filter(None, [*words, "" if self.deterministic else "not deterministic"]))


def translation(options: Options) -> list[Table]:
    """A table for A; none on a CPU, where these are not choices."""
    if options.device.type != "cuda":
        return []
    section = options.params.translation
    flow = max((Translation.parse(model.flow) for model in section.models.values()), key=len)
    batch = options.step_batch(section.training.batch)
    every = [Variant(precision, batch) for precision in ("float32", "tf32", "bf16")]
    every += [Variant("tf32", part) for part in (batch // 2, batch // 8) if part]
    every += [Variant("tf32", batch, deterministic=False)]

    def model(_: Variant) -> nn.Module:
        return FERNNPredictor(flow, 1, **section.architecture.model_dump())

    return [_table(options, "A", section, every, batch, model)]


def rotation(options: Options) -> list[Table]:
    """A table for B; none on a CPU."""
    if options.device.type != "cuda":
        return []
    section = options.params.rotation
    flow = max((Rotation.parse(model.flow, section.data.degrees) for model in section.models.values()), key=len)
    batch = options.batch or max(1, section.training.batch // 8)
    every = [Variant(p, batch, form) for form in ("steerable", "dense") for p in ("float32", "tf32", "bf16")]
    every += [Variant("tf32", batch, "dense", deterministic=False)]

    def model(variant: Variant) -> nn.Module:
        sizes = {**section.architecture.model_dump(), "convolution": variant.convolution}
        return RotationPredictor(flow, **sizes)

    return [_table(options, "B", section, every, batch, model)]


def _table(
    options: Options,
    name: str,
    section: object,
    variants: list[Variant],
    batch: int,
    model: Callable[[Variant], nn.Module],
) -> Table:
    steps = {each.name: step(options, section, each, batch, model(each)) for each in dict.fromkeys(variants)}
    options.say(f"variants of a training step of {name}: memory, then time")
    before = torch.backends.cudnn.deterministic
    memory = {way: peak(take, options.device) for way, take in steps.items()}
    timings = alternate(steps, options.rounds, options.device, options.say)
    use_precision("float32")
    torch.backends.cudnn.deterministic = before
    rows = [[way, duration(timing.median), size(memory[way])] for way, timing in timings.items()]
    text = f"A batch of {batch} sequences: forward, backward, clipping, Adam. Peak memory is over the model itself."
    return Table(f"Experiment {name}: variants of a training step", text, COLUMNS, rows)


def step(options: Options, section: object, variant: Variant, batch: int, model: nn.Module) -> Callable[[], None]:
    """A training step as the loop takes it, in parts, which sets its switches itself."""
    data, training, device = section.data, section.training, options.device  # type: ignore[attr-defined]
    model = channels_last(model.to(device))
    frames = torch.rand(batch, data.seen + data.predicted, 1, data.frame, data.frame, device=device)
    task = PredictionTask(
        lambda *_: frames, lambda *_: frames, batch, batch, batch, data.seen, micro_batch=variant.at_a_time
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def take() -> None:
        torch.backends.cudnn.deterministic = variant.deterministic
        take_step(model, task, frames, optimizer, variant.precision, training.clip_norm)

    return take
