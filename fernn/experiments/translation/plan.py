"""Experiment A: what each stage depends on, read off the params. Stages see nothing else of them."""

from pathlib import Path

from fernn.data.mnist import FILES, TRAIN_IMAGES, find
from fernn.errors import FernnError
from fernn.experiments.translation.datasets import DigitsInputs, SequencesInputs, make_digits, make_sequences
from fernn.experiments.translation.evaluate import EvaluateInputs, evaluate
from fernn.experiments.translation.train import TrainInputs, train
from fernn.params import Params
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

NAME = "translation"


def dataset_inputs(params: Params, part: str) -> DigitsInputs | SequencesInputs:
    """A part is "digits", or a measure and a flow such as "test-V2T"; "validation-V2T" is for training."""
    data = params.translation.data
    if part == "digits":
        return DigitsInputs(data.digit, data.seed)
    sequences = {
        "validation": data.validation,
        "test": data.test,
        "length": data.length.sequences,
        "velocity": data.velocity.sequences,
    }
    measure, _, flow = part.partition("-")
    if measure not in sequences or not flow:
        raise FernnError(
            f"{NAME}/{part}: no such data set; expected digits, or one of {', '.join(sequences)} and a flow"
        )
    pool = "validation" if measure == "validation" else "test"
    return SequencesInputs(part, pool, flow, sequences[measure], data.digits, data.frame, data.seed)


def dataset_code(part: str) -> str:
    """The module that makes a part."""
    return f"fernn.experiments.{NAME}.datasets"


def dataset_files(params: Params, layout: Layout, part: str) -> dict[str, Path]:
    """The files that a part is made from."""
    if part != "digits":
        return {"digits": layout.dataset(NAME, "digits")}
    folder = Path(params.mnist.folder)
    # what is fetched comes unpacked; what the repository carries is there already, as it is
    return {name: folder / name if params.mnist.sources else find(folder, name) for name in FILES}


def make(inputs: DigitsInputs | SequencesInputs, files: dict[str, Path], output: Path) -> None:
    """Make a part."""
    if isinstance(inputs, DigitsInputs):
        make_digits(inputs, files[TRAIN_IMAGES].parent, output)
    else:
        make_sequences(inputs, files["digits"], output)


def train_inputs(params: Params, run: Run) -> TrainInputs:
    """What a run depends on."""
    section = params.translation
    return TrainInputs(
        model_flow=section.models[run.model].flow,
        data_flow=run.flow,
        **section.architecture.model_dump(),
        digits=section.data.digits,
        frame=section.data.frame,
        seen=section.data.seen,
        predicted=section.data.predicted,
        sequences=section.data.train,
        data_seed=section.data.seed,
        seed=run.seed,
        learning_rate=run.learning_rate,
        **section.training.model_dump(),
    )


def train_files(params: Params, layout: Layout, run: Run) -> dict[str, Path]:
    """The files that a run reads."""
    return {"digits": layout.dataset(NAME, "digits"), "validation": layout.dataset(NAME, f"validation-{run.flow}")}


def evaluate_inputs(params: Params, run: Run) -> EvaluateInputs:
    """What a run's evaluation depends on."""
    section = params.translation
    return EvaluateInputs(
        measures=tuple(evaluations_of(params, run)),
        frame=section.data.frame,
        seen=section.data.seen,
        predicted=section.data.predicted,
        length=section.data.length.predicted,
        velocities=section.data.velocity.flow,
        batch=section.training.batch,
        precision=section.training.precision,
        threads=section.training.threads,
    )


def evaluate_files(params: Params, layout: Layout, run: Run) -> dict[str, Path]:
    """The files that a run's evaluation reads, besides the model."""
    # the velocities of a grid are given, so one set of digits and starts serves every training flow
    part = {"test": f"test-{run.flow}", "length": f"length-{run.flow}", "velocity": "velocity-V0T"}
    measures = {name: layout.dataset(NAME, part[name]) for name in evaluations_of(params, run)}
    return {"digits": layout.dataset(NAME, "digits"), **measures}
