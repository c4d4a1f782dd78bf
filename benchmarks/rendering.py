"""The rendering of a batch of flowing digits, against a data set that makes one sequence at a time."""

from collections.abc import Callable

import torch

from benchmarks.report import Options, Table, duration, gain
from benchmarks.timing import alternate
from fernn.datasets.sequences import Render, Sampler
from fernn.experiments.digits.params import DigitParams


def rendering(
    options: Options,
    letter: str,
    section: DigitParams,
    book: Callable[[int], Sampler],
    ways: tuple[Render, Render],
    operation: str,
) -> Table:
    """The table of an experiment.

    Args:
        options: see there.
        letter: of the experiment.
        section: its params.
        book: the distribution of recipes, given the number of digits.
        ways: the library's way and the plain one.
        operation: what the plain way does for each digit and frame.
    """
    data, batch, device = section.data, section.training.batch, options.device
    frames = data.seen + data.predicted
    generator = torch.Generator().manual_seed(0)
    pool = torch.randint(0, 256, (1000, data.digit, data.digit), dtype=torch.uint8, generator=generator)
    recipes = book(len(pool)).draw(batch)
    pool_there, recipes_there = pool.to(device), recipes.to(device)
    ours, plain = ways
    calls = {
        "library": lambda: ours(pool_there, recipes_there, frames, data.frame),
        "plain": lambda: plain(pool, recipes, frames, data.frame).to(device),
    }
    options.say(f"rendering, batch {batch}")
    timings = alternate(calls, options.rounds, device, options.say)
    text = (
        f"A batch of {batch} sequences of {frames} frames, {data.frame}x{data.frame} pixels, {data.digits} digits, "
        "made where the model trains. The plain way is a data set that makes one sequence at a time, with one "
        f"{operation} for each digit and frame, in one process; workers of a data loader would divide its time at most "
        "by their number."
    )
    rows = [
        [name, duration(timing.median), gain(timing.gain_over(timings["plain"]))] for name, timing in timings.items()
    ]
    return Table(f"Experiment {letter}: rendering", text, ["rendering", "time", "times faster than plain"], rows)
