"""What it brings when several GPUs share each batch of a run: counted, for no such machine was at hand."""

from collections.abc import Mapping
from dataclasses import dataclass

from fernn.experiments import find_experiment
from fernn.params import Params
from fernn.pipeline.preflight.operations import Amount, Models
from fernn.runs import Run, gpus_of

BYTES_OF_A_GRADIENT = 4  # of one weight


@dataclass(frozen=True)
class Sharing:
    """How many GPUs share a run, and how fast they tell each other gradients.

    Attributes:
        gpus: for every run; None leaves it to the params, model by model.
        link: bytes per second between two of them.
    """

    gpus: int | None = None
    link: float = 20e9

    def of(self, params: Params, run: Run) -> int:
        """The GPUs that share a run; those without a sequence of a batch would be idle, and are not counted."""
        wanted = max(gpus_of(params, run), 1) if self.gpus is None else self.gpus
        return min(wanted, params.section(run.experiment).training.batch)

    def shared(self, params: Params, run: Run, models: Models, alone: Amount) -> Amount:
        """Hours of a run, of those that one GPU takes: sequences are split, and each step's gradients exchanged.

        A ring passes each gradient on twice but for the worker's own part. The exchange is reckoned as if nothing else
        were done meanwhile, and steps as if a smaller batch filled a card as well as a larger one does.
        """
        number, training = self.of(params, run), params.section(run.experiment).training
        sequences = find_experiment(run.experiment).workload(params, run).epoch.sequences
        steps = training.epochs * -(-sequences // training.batch)
        passed = 2 * (number - 1) / number * BYTES_OF_A_GRADIENT * models[run.experiment, run.model].weights
        return Amount(alone.train / number + steps * passed / self.link / 3600, alone.evaluate)

    def all(self, params: Params, models: Models, alone: Mapping[Run, Amount]) -> dict[Run, Amount]:
        """The hours of all runs, shared."""
        return {run: self.shared(params, run, models, hours) for run, hours in alone.items()}
