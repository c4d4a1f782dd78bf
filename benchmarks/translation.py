"""Experiment A: a training step, and the rendering of a batch."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

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


def problem(options: Options) -> tuple[FERNNPredictor, Callable[[nn.Module], Tensor]]:
    """The network with the most generators, and the loss of one like it on a batch."""
    section, device = options.params.translation, options.device
    data, flow = section.data, _largest(options)
    batch = options.step_batch(section.training.batch)
    frames = torch.rand(batch, data.seen + data.predicted, 1, data.frame, data.frame, device=device)
    task = PredictionTask(lambda *_: frames, lambda *_: frames, batch, batch, batch, data.seen)
    torch.manual_seed(0)
    model = FERNNPredictor(flow, 1, **section.architecture.model_dump())
    return model.to(device, memory_format=torch.channels_last), lambda model: task.loss(model, frames)


def _largest(options: Options) -> Translation:
    return max((Translation.parse(model.flow) for model in options.params.translation.models.values()), key=len)


def _training(options: Options) -> Table:
    section = options.params.translation
    data, sizes, flow = section.data, section.architecture, _largest(options)
    batch = options.step_batch(section.training.batch)
    model, loss = problem(options)
    second, third = copy.deepcopy(model), copy.deepcopy(model)
    lab = plain.PlainPredictor(model)
    step = Step(
        loss=loss,
        clip_norm=section.training.clip_norm,
        operations=count(lambda: loss(model), 1),
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
