"""Experiment C: what each stage depends on, read off the params. Stages see nothing else of them."""

from pathlib import Path

from rich.console import Console

from fernn.errors import FernnError
from fernn.experiments.kth.clips import ClipsInputs, make_clips
from fernn.experiments.kth.evaluate import EvaluateInputs, evaluate
from fernn.experiments.kth.frames import FramesInputs, make_frames
from fernn.experiments.kth.train import TrainInputs, train
from fernn.params import Params
from fernn.provenance.code import code_digest
from fernn.runs import Layout, Run, evaluations_of

__all__ = [
    "dataset_code",
    "dataset_files",
    "dataset_inputs",
    "evaluate",
    "evaluate_files",
    "evaluate_inputs",
    "make",
    "train",
    "train_files",
    "train_inputs",
]

NAME = "kth"


def dataset_inputs(params: Params, part: str) -> FramesInputs | ClipsInputs:
    """A part is "frames", or a split and a flow such as "test-V2T"."""
    section = params.kth
    if part == "frames":
        drawn = section.source.stand_ins
        stand_ins = {**drawn.model_dump(), "code": code_digest("fernn.data.standins.make")} if drawn else None
        return FramesInputs(section.data.frame, section.source.most_dropped, stand_ins)
    split, _, flow = part.partition("-")
    splits = section.data.persons.model_dump()
    if split not in splits or not flow:
        raise FernnError(f"{NAME}/{part}: no such data set; expected frames, or one of {', '.join(splits)} and a flow")
    data = section.data
    return ClipsInputs(split, tuple(splits[split]), flow, data.frames, data.stride, data.evaluate_at, data.seed)


def dataset_code(part: str) -> str:
    """The module that makes a part."""
    return f"fernn.experiments.{NAME}.{'frames' if part == 'frames' else 'clips'}"


def dataset_files(params: Params, layout: Layout, part: str) -> dict[str, Path]:
    """The files that a part is made from; the record of the fetched archives stands for all of them."""
    if part == "frames":
        return {"fetched": Path(params.kth.source.folder) / "fetched.json"}
    return {"frames": layout.dataset(NAME, "frames")}


def make(inputs: FramesInputs | ClipsInputs, files: dict[str, Path], output: Path) -> None:
    """Make a part."""
    if isinstance(inputs, FramesInputs):
        _decode(inputs, files["fetched"], output)
    else:
        make_clips(inputs, files["frames"], output)


def _decode(inputs: FramesInputs, fetched: Path, output: Path) -> None:
    console = Console(stderr=True)

    def progress(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            console.print(f"{done} of {total} videos", highlight=False)

    for lost in make_frames(inputs, fetched, output, progress)["dropped"]:
        console.print(f"dropped {lost['video']} frames {lost['frames']}: {lost['reason']}", highlight=False)


def train_inputs(params: Params, run: Run) -> TrainInputs:
    """What a run depends on."""
    section = params.kth
    model, architecture = section.models[run.model], section.architecture
    return TrainInputs(
        kind=model.kind,
        model_flow=model.flow,
        stem_channels=tuple(architecture.stem_channels),
        stem_kernels=tuple(architecture.stem_kernels),
        kernel_size=architecture.kernel_size,
        cnn_base=architecture.cnn_base,
        frames=section.data.frames,
        stride=section.data.stride,
        flip=section.data.flip,
        data_seed=section.data.seed,
        seed=run.seed,
        learning_rate=run.learning_rate,
        **section.training.model_dump(),
    )


def train_files(params: Params, layout: Layout, run: Run) -> dict[str, Path]:
    """The files that a run reads."""
    splits = {split: layout.dataset(NAME, f"{split}-{run.flow}") for split in ("train", "validation")}
    return {"frames": layout.dataset(NAME, "frames"), **splits}


def evaluate_inputs(params: Params, run: Run) -> EvaluateInputs:
    """What a run's evaluation depends on."""
    section = params.kth
    return EvaluateInputs(
        flows=tuple(evaluations_of(params, run)),
        frames=section.data.frames,
        stride=section.data.stride,
        batch=section.training.batch,
        precision=section.training.precision,
        threads=section.training.threads,
    )


def evaluate_files(params: Params, layout: Layout, run: Run) -> dict[str, Path]:
    """The files that a run's evaluation reads, besides the model."""
    tests = {flow: layout.dataset(NAME, f"test-{flow}") for flow in evaluations_of(params, run)}
    return {"frames": layout.dataset(NAME, "frames"), **tests}
