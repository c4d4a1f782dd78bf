"""Small trainings of every model, by any number of workers."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from fernn.training.device import prepare
from fernn.training.distributed import World
from fernn.training.loop import Fit, Task, fit
from fernn.training.prediction import PredictionTask
from fernn.training.progress import TrainingProgress
from fernn.training.recognition import RecognitionTask
from tests.device.problems import PROBLEMS

from .toy import context, section

# an epoch of 12 in batches of 5, 5 and 2: of which no number of workers has equal shares, and three workers have one
# batch that is too small for a share each
SIZES = {"batches": 3, "batch_size": 5}
DTYPES = {"float32": torch.float32, "float64": torch.float64}
CPU = torch.device("cpu")
Case = tuple[str, str]  # a model and a precision


class ExactPrediction(PredictionTask):
    """In the precision of the frames."""

    def loss(self, model: nn.Module, part: Tensor) -> Tensor:
        target = part[:, self.seen :]
        return F.mse_loss(model(part[:, : self.seen], target.shape[1]), target)


class ExactRecognition(RecognitionTask):
    """In the precision of the clips."""

    def loss(self, model: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(part[0]), part[1])


def exact(task: Task, dtype: torch.dtype) -> Task:
    """The task with batches that do not divide, and numbers of this precision."""

    def cast(found: Any) -> Any:
        return found.to(dtype) if isinstance(found, Tensor) else (found[0].to(dtype), found[1])

    assert dataclasses.is_dataclass(task)
    given = {field.name: getattr(task, field.name) for field in dataclasses.fields(task) if field.init}
    given["batch_size"] = SIZES["batch_size"]
    for name in ("train", "validation"):
        given[name] = lambda *at, of=given[name]: cast(of(*at))
    return ExactPrediction(**given) if isinstance(task, PredictionTask) else ExactRecognition(**given)


def trained(world: World, case: Case, checkpoint: Path | None = None) -> Fit:
    """Train a model for two epochs, by this worker."""
    name, precision = case
    dtype = DTYPES[precision]
    model = PROBLEMS[name].model(CPU).to(dtype)
    task = exact(PROBLEMS[name].task(CPU, SIZES["batches"]), dtype)
    with tempfile.TemporaryDirectory() as folder, TrainingProgress(name, Console(quiet=True)) as progress:
        file = checkpoint or Path(folder) / "checkpoint"
        how = section(epochs=2, validate_every=1)  # so that every step's loss is in the history
        return fit(model, task, how, 1e-3, context(file, progress, world=world))


def trained_all(world: World, device: torch.device, cases: list[Case]) -> dict[Case, Fit]:
    """What `launch` calls in each of its processes."""
    prepare(device, threads=1, precision="float32", transformed=True)
    return {case: trained(world, case) for case in cases}
