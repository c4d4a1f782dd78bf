"""Flowing MNIST: what the plans of A and B read off the params alike, and the files of their stages."""

from pathlib import Path
from typing import Any

from fernn.data.mnist import FILES
from fernn.errors import FernnError
from fernn.params import Params
from fernn.params.schema import RotationExperiment, TranslationExperiment
from fernn.runs import Layout, Run, evaluations_of

DigitExperiment = TranslationExperiment | RotationExperiment


def of_sequences(experiment: str, section: DigitExperiment, part: str) -> dict[str, Any]:
    """The fields of `SequencesInputs`; a part is a measure and a flow such as "test-V2T", or "validation-V2T".

    Raises:
        FernnError: if there is no such part.
    """
    data = section.data
    sequences = {
        "validation": data.validation,
        "test": data.test,
        "length": data.length.sequences,
        "velocity": data.velocity.sequences,
    }
    measure, _, flow = part.partition("-")
    if measure not in sequences or not flow:
        raise FernnError(
            f"{experiment}/{part}: no such data set; expected digits, or one of {', '.join(sequences)} and a flow"
        )
    return {
        "stream": part,
        "pool": "validation" if measure == "validation" else "test",
        "flow": flow,
        "sequences": sequences[measure],
        "digits": data.digits,
        "seed": data.seed,
    }


def dataset_code(experiment: str, part: str) -> str:
    """The module that makes a part."""
    return f"fernn.experiments.{'flowing_digits.digits' if part == 'digits' else f'{experiment}.datasets'}"


def dataset_files(params: Params, layout: Layout, experiment: str, part: str) -> dict[str, Path]:
    """The files that a part is made from."""
    if part != "digits":
        return {"digits": layout.dataset(experiment, "digits")}
    folder = Path(params.mnist.folder)
    # what is fetched comes unpacked; what the repository carries is there already, as it is
    if params.mnist.sources:
        return {name: folder / name for name in FILES}
    packed = {name: folder / f"{name}.gz" for name in FILES}
    return {name: path if path.exists() else folder / name for name, path in packed.items()}


def of_training(section: DigitExperiment, run: Run) -> dict[str, Any]:
    """The fields of `PredictorInputs`."""
    data = section.data
    return {
        "model_flow": section.models[run.model].flow,
        "data_flow": run.flow,
        "digits": data.digits,
        "frame": data.frame,
        "seen": data.seen,
        "predicted": data.predicted,
        "sequences": data.train,
        "data_seed": data.seed,
        "seed": run.seed,
        "learning_rate": run.learning_rate,
        **section.training.model_dump(),
    }


def train_files(params: Params, layout: Layout, run: Run) -> dict[str, Path]:
    """The files that a run reads."""
    parts = {"digits": "digits", "validation": f"validation-{run.flow}"}
    return {name: layout.dataset(run.experiment, part) for name, part in parts.items()}


def of_evaluation(params: Params, section: DigitExperiment, run: Run) -> dict[str, Any]:
    """The fields of `MeasureInputs`."""
    data, training = section.data, section.training
    return {
        "measures": tuple(evaluations_of(params, run)),
        "frame": data.frame,
        "seen": data.seen,
        "predicted": data.predicted,
        "length": data.length.predicted,
        "velocities": data.velocity.flow,
        "batch": training.batch,
        "precision": training.precision,
        "threads": training.threads,
    }


def evaluate_files(params: Params, layout: Layout, run: Run, still: str) -> dict[str, Path]:
    """The files that a run's evaluation reads, besides the model; `still` is the flow without motion."""
    # the velocities of a grid are given, so one set of digits and starts serves every training flow
    part = {"test": f"test-{run.flow}", "length": f"length-{run.flow}", "velocity": f"velocity-{still}"}
    parts = {"digits": "digits", **{name: part[name] for name in evaluations_of(params, run)}}
    return {name: layout.dataset(run.experiment, part) for name, part in parts.items()}
