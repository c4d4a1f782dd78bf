"""Experiment A: a training step, and the rendering of a batch."""

import torch

from benchmarks import plain
from benchmarks.floor import count
from benchmarks.report import Options, Table, duration, gain
from benchmarks.timing import alternate
from benchmarks.training import BF16, OURS, PLAIN, Step, compare
from fernn.datasets.sequences import Recipes
from fernn.datasets.translating import RecipeBook, render
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor
from fernn.training.prediction import PredictionTask


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
    second = FERNNPredictor(flow, 1, **sizes.model_dump()).to(device, memory_format=torch.channels_last)
    step = Step(
        loss=lambda model: task.loss(model, frames),
        clip_norm=section.training.clip_norm,
        operations=count(lambda: task.loss(model, frames[:1]), batch),
        hidden=(batch * len(flow), sizes.hidden_channels, sizes.kernel_size, data.frame),
    )
    options.say(f"training step, {flow.name}, batch {batch}")
    columns, rows = compare(options, step, {OURS: model, BF16: second, PLAIN: lab})
    total = step.operations.forward + step.operations.backward
    text = (
        f"{flow.name} with {sizes.hidden_channels} channels, {data.frame}x{data.frame} pixels, {data.seen} frames seen "
        f"and {data.predicted} predicted, batch {batch}: forward, backward, clipping, Adam. The floor is the time of "
        f"the library's convolutions alone ({total / 1e12:.3g} tera-operations) at the best rate that the hidden "
        "convolution reached on this machine in the same precision; the distance is time over floor."
    )
    return Table("Experiment A: training step", text, columns, rows)


def _rendering(options: Options) -> Table:
    section, device = options.params.translation, options.device
    data, batch = section.data, section.training.batch
    frames = data.seen + data.predicted
    generator = torch.Generator().manual_seed(0)
    pool = torch.randint(0, 256, (1000, data.digit, data.digit), dtype=torch.uint8, generator=generator)
    flow = max((Translation.parse(group.flow) for group in section.runs), key=len)
    recipes: Recipes = RecipeBook(data.seed, "benchmark", len(pool), data.digits, data.frame, flow).draw(batch)
    pool_there, recipes_there = pool.to(device), recipes.to(device)
    ways = {
        "library": lambda: render(pool_there, recipes_there, frames, data.frame),
        "plain": lambda: plain.render(pool, recipes, frames, data.frame).to(device),
    }
    options.say(f"rendering, batch {batch}")
    timings = alternate(ways, options.rounds, device, options.say)
    text = (
        f"A batch of {batch} sequences of {frames} frames, {data.frame}x{data.frame} pixels, {data.digits} digits, "
        "made where the model trains. The plain way is a data set that makes one sequence at a time, with one roll "
        "for each digit and frame, in one process; workers of a data loader would divide its time at most by their "
        "number."
    )
    rows = [
        [name, duration(timing.median), gain(timing.gain_over(timings["plain"]))] for name, timing in timings.items()
    ]
    return Table("Experiment A: rendering", text, ["rendering", "time", "times faster than plain"], rows)
