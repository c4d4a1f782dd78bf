"""Experiment B: what each stage depends on, read off the params. Stages see nothing else of them."""

from pathlib import Path

from fernn.data.mnist import TRAIN_IMAGES
from fernn.experiments.flowing_digits import planning
from fernn.experiments.flowing_digits.digits import DigitsInputs, make_digits
from fernn.experiments.flowing_digits.planning import train_files
from fernn.experiments.rotation.datasets import RotatingInputs, make_sequences
from fernn.experiments.rotation.evaluate import EvaluateInputs, evaluate
from fernn.experiments.rotation.train import TrainInputs, train
from fernn.params import Params
from fernn.runs import Layout, Run

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

NAME = "rotation"


def dataset_inputs(params: Params, part: str) -> DigitsInputs | RotatingInputs:
    """A part is "digits", or a measure and a flow such as "test-V4R"; "validation-V4R" is for training."""
    section = params.rotation
    if part == "digits":
        return DigitsInputs(section.data.digit, section.data.seed)
    return RotatingInputs(**planning.of_sequences(NAME, section, part), degrees=section.data.degrees)


def dataset_code(part: str) -> str:
    """The module that makes a part."""
    return planning.dataset_code(NAME, part)


def dataset_files(params: Params, layout: Layout, part: str) -> dict[str, Path]:
    """The files that a part is made from."""
    return planning.dataset_files(params, layout, NAME, part)


def make(inputs: DigitsInputs | RotatingInputs, files: dict[str, Path], output: Path) -> None:
    """Make a part."""
    if isinstance(inputs, DigitsInputs):
        make_digits(inputs, files[TRAIN_IMAGES].parent, output)
    else:
        make_sequences(inputs, files["digits"], output)


def train_inputs(params: Params, run: Run) -> TrainInputs:
    """What a run depends on."""
    section = params.rotation
    sizes = section.architecture.model_dump()
    frame = sizes.pop("frame")
    return TrainInputs(**planning.of_training(section, run), **sizes, state_frame=frame, degrees=section.data.degrees)


def evaluate_inputs(params: Params, run: Run) -> EvaluateInputs:
    """What a run's evaluation depends on."""
    section = params.rotation
    return EvaluateInputs(**planning.of_evaluation(params, section, run), degrees=section.data.degrees)


def evaluate_files(params: Params, layout: Layout, run: Run) -> dict[str, Path]:
    """The files that a run's evaluation reads, besides the model."""
    return planning.evaluate_files(params, layout, run, still="V0R")
