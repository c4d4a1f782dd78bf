"""Experiment A: a training step, and the rendering of a batch."""

import torch

from benchmarks.floor import count
from benchmarks.rendering import rendering
from benchmarks.report import Options, Table
from benchmarks.training import BF16, DIRECT, OURS, PLAIN, Step, compare
from fernn.datasets.translating import TranslationSampler, render
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor
from fernn.training.prediction import PredictionTask
from tests.reference import translation as plain


def measure(options: Options) -> list[Table]:
    """The tables of experiment A."""
    return [_training(options), _rendering(options)]


def _training(options: Options) -> Table:
    section, device = options.params.translation, options.device
    data, sizes = section.data, section.architecture
    flow = max((Translation.parse(model.flow) for model in section.models.values()), key=len)
    batch = options.step_batch(section.training.batch)
    frames = torch.rand(batch, data.seen + data.predicted, 1, data.frame, data.frame, device=device)
    task = PredictionTask(lambda *_: frames, lambda *_: frames, batch, batch, batch, data.seen)

    torch.manual_seed(0)
    model = FERNNPredictor(flow, 1, **sizes.model_dump()).to(device)
    lab = plain.PlainPredictor(model)
    model.to(memory_format=torch.channels_last)
    second, third = (
        FERNNPredictor(flow, 1, **sizes.model_dump()).to(device, memory_format=torch.channels_last) for _ in range(2)
    )
    step = Step(
        loss=lambda model: task.loss(model, frames),
        clip_norm=section.training.clip_norm,
        operations=count(lambda: task.loss(model, frames[:1]), batch),
        hidden=(batch * len(flow), sizes.hidden_channels, sizes.kernel_size, data.frame),
    )
    options.say(f"training step, {flow.name}, batch {batch}")
    columns, rows = compare(options, step, {OURS: model, DIRECT: second, BF16: third, PLAIN: lab})
    total = step.operations.forward + step.operations.backward
    text = (
        f"{flow.name} with {sizes.hidden_channels} channels, {data.frame}x{data.frame} pixels, {data.seen} frames seen "
        f"and {data.predicted} predicted, batch {batch}: forward, backward, clipping, Adam. The floor is the time of "
        f"the library's convolutions alone, computed directly ({total / 1e12:.3g} tera-operations), at the best rate "
        "that the hidden convolution reached on this machine in the same precision; the distance is time over floor."
    )
    return Table("Experiment A: training step", text, columns, rows)


def _rendering(options: Options) -> Table:
    section = options.params.translation
    flow = max((Translation.parse(group.flow) for group in section.runs), key=len)

    def book(pool: int) -> TranslationSampler:
        return TranslationSampler(section.data.seed, "benchmark", pool, section.data.digits, section.data.frame, flow)

    return rendering(options, "A", section, book, (render, plain.render), "roll")
