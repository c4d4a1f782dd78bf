"""Experiment C: a training step, and the serving of a batch of moved clips."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.report import Options, Table, duration, gain
from benchmarks.timing import STEP_COLUMNS, against_plain, alternate
from fernn.datasets.moving_clips import Clips, drawn_at_random, gather, select_clips
from fernn.flows.translation import Translation
from fernn.models import FERNNClassifier
from fernn.training.tasks import RecognitionTask
from tests.reference import kth as plain_kth

CLASSES = 6


def measure(options: Options) -> list[Table]:
    """The tables of experiment C."""
    return [_training(options), _serving(options)]


def _training(options: Options) -> Table:
    section, device = options.params.kth, options.device
    data, sizes = section.data, section.architecture
    flow = max((Translation.parse(model.flow) for model in section.models.values() if model.kind == "fernn"), key=len)
    size = options.step_batch(section.training.batch)
    batch = (
        torch.rand(size, data.frames, 1, data.frame, data.frame, device=device),
        torch.arange(size, device=device) % CLASSES,
    )
    task = RecognitionTask(lambda *_: batch, lambda *_: batch, size, size, size)

    def build() -> FERNNClassifier:
        torch.manual_seed(0)
        return FERNNClassifier(flow, sizes.stem_channels, sizes.stem_kernels, sizes.kernel_size)

    options.say(f"training step, {flow.name}, batch {size}")
    rows = against_plain(
        options, lambda model: task.loss(model, batch), section.training.clip_norm, build, plain_kth.PlainClassifier
    )
    text = (
        f"{flow.name} with {sizes.stem_channels[-1]} channels, {data.frame}x{data.frame} pixels, {data.frames} frames, "
        f"batch {size}: forward, backward, clipping, Adam. The baseline calls the stem at each step."
    )
    return Table("Experiment C: training step", text, STEP_COLUMNS, rows)


def _serving(options: Options) -> Table:
    section, device = options.params.kth, options.device
    data, batch = section.data, section.training.batch
    frames, clips, flow = made_up(options)
    frames_there, clips_there = frames.to(device), clips.to(device)
    ways = {
        "library": lambda: gather(frames_there, clips_there, data.frames, data.stride),
        "plain": lambda: _as_a_worker(lambda: plain_kth.serve(frames, clips, data.frames, data.stride)).to(device),
    }
    options.say(f"serving clips, batch {batch}")
    timings = alternate(ways, options.rounds, device, options.say)
    text = (
        f"A batch of {batch} clips of {data.frames} frames, {data.frame}x{data.frame} pixels, moved with {flow.name}, "
        "prepared on the training device. The baseline is a data set that yields one clip at a time and shifts one "
        "frame at a time, by a convolution with a one-hot kernel as large as the shift (`tests/reference/kth.py`), in "
        "one thread like a data loader worker; n workers would be at most n times faster."
    )
    rows = [
        [name, duration(timing.median), gain(timing.gain_over(timings["plain"]))] for name, timing in timings.items()
    ]
    return Table("Experiment C: serving clips", text, ["serving", "time", "times faster than plain"], rows)


def _as_a_worker(work: Callable[[], Tensor]) -> Tensor:
    """In one thread: with more, operations as small as these take longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work()
    finally:
        torch.set_num_threads(threads)


def made_up(options: Options) -> tuple[Tensor, Clips, Translation]:
    """Frames of noise (N, H, W), a batch of training clips in them, and the flow that these move with."""
    section = options.params.kth
    data, batch = section.data, section.training.batch
    flow = max((Translation.parse(group.flow) for group in section.runs), key=len)
    length = 2 * data.frames * data.stride
    shape = batch * length, data.frame, data.frame
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sequence = torch.arange(batch)
    index = {
        "person": torch.ones_like(sequence),
        "label": sequence % CLASSES,
        "length": torch.full_like(sequence, length),
        "offset": sequence * length,
    }
    clips = select_clips(index, [1], data.frames, data.stride, flow, data.seed)
    return frames, drawn_at_random(clips, data.seed, "train", 0, data.flip), flow
