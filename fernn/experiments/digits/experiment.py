"""Flowing MNIST: the stages of A and B."""

from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from fernn.data.mnist import FILES
from fernn.datasets.sequences import Motion
from fernn.errors import FernnError
from fernn.experiment import Experiment, Files, Pass, Terms, Work, Workload, only
from fernn.experiments.digits.data import make_digits, make_sequences, make_trivial
from fernn.experiments.digits.evaluate import evaluate
from fernn.experiments.digits.figures import FIGURES
from fernn.experiments.digits.params import DigitParams, tested_on
from fernn.experiments.digits.tables import EVIDENCE, TABLE1
from fernn.experiments.digits.train import train
from fernn.layout import Layout
from fernn.models.storage import Model
from fernn.params import Params
from fernn.results.claims.evidence import Evidence
from fernn.results.figures import Kind
from fernn.results.selection import LOSS
from fernn.runs import Run, evaluations_of

P = TypeVar("P", bound=DigitParams)

MNIST_TERMS = Terms(
    "https://creativecommons.org/licenses/by-sa/3.0/",
    "Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0)",
    "Digits of the MNIST database of handwritten digits by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, "
    "http://yann.lecun.com/exdb/mnist/; cut to parts, scaled, moved and added here.",
)


class DigitExperiment(Experiment[P], Generic[P]):
    """An experiment with flowing digits; each says how they move and which networks predict them."""

    criterion = LOSS
    table = TABLE1
    figures: tuple[Kind, ...] = FIGURES
    evidence: Evidence = EVIDENCE

    def terms(self, params: Params) -> Terms:
        """Those of MNIST."""
        return MNIST_TERMS

    @abstractmethod
    def motion(self, section: P) -> Motion:
        """How the digits move."""

    def arguments(self, section: P, name: str) -> dict[str, Any]:
        """What the class of a model is built with."""
        return {"flow": section.models[name].flow, **section.architecture_of(name).model_dump()}

    def model(self, section: P, name: str) -> Model:
        """A model of the section, by its name there."""
        return self.model_of_kind(section.models[name].kind, self.arguments(section, name))

    def dataset(self, params: Params, layout: Layout, part: str) -> Work:
        """A part is "digits", "validation-V2T", a test and a flow such as "test-V2T", or "trivial-test-V2T"."""
        section = self.section(params)
        data, motion = section.data, self.motion(section)
        if part == "digits":
            return Work(partial(make_digits, digit=data.digit, held_out=data.held_out, seed=data.seed), _mnist(params))
        sequences = {
            "validation": data.validation,
            "test": data.test,
            "length": data.length.sequences,
            "velocity": data.velocity.sequences,
        }
        trivial, of = part.startswith("trivial-"), part.removeprefix("trivial-")
        test, _, flow = of.partition("-")
        if test not in sequences or not flow or (trivial and test == "validation"):
            raise FernnError(
                f"{self.name}/{part}: no such data set; expected digits, or one of {', '.join(sequences)} and a flow, "
                "or trivial- and one of the last three"
            )
        if trivial:
            forecasts = partial(
                make_trivial,
                motion=motion,
                frame=data.frame,
                seen=data.seen,
                predicted=data.length.predicted if test == "length" else data.predicted,
                velocities=data.velocity.flow if test == "velocity" else None,
            )
            return Work(forecasts, self._parts(layout, digits="digits", sequences=of))
        drawn = partial(
            make_sequences,
            motion=motion,
            stream=part,
            pool="validation" if test == "validation" else "test",
            flow=flow,
            sequences=sequences[test],
            digits=data.digits,
            seed=data.seed,
        )
        return Work(drawn, self._parts(layout, digits="digits"))

    def training(self, params: Params, layout: Layout, run: Run) -> Work:
        """Sequences for training have no file: they are drawn while training."""
        section = self.section(params)
        data = only(section.data, "digits", "frame", "seen", "predicted", "train", "seed")
        function = partial(
            train,
            model=self.model(section, run.model),
            motion=self.motion(section),
            flow=run.flow,
            seed=run.seed,
            learning_rate=run.learning_rate,
            data=data.model_copy(update={"predicted": _predicted(section, run)}),
            training=section.training,
        )
        return Work(function, self._parts(layout, digits="digits", validation=f"validation-{run.flow}"))

    def evaluation(self, params: Params, layout: Layout, run: Run) -> Work:
        """What is measured, on sequences of the flow of training."""
        section, tests = self.section(params), evaluations_of(params, run)
        function = partial(
            evaluate,
            model=self.model(section, run.model),
            motion=self.motion(section),
            tests=tests,
            data=only(section.data, "frame", "seen", "predicted"),
            length=section.data.length.predicted,
            velocities=section.data.velocity.flow,
            training=only(section.training, "batch", "precision", "winograd", "threads"),
        )
        parts = {name: tested_on(name, run.flow) for name in tests}
        return Work(function, {**self._parts(layout, digits="digits", **parts), "model": layout.model(run.id)})

    def workload(self, params: Params, run: Run) -> Workload:
        """What a run costs."""
        section = self.section(params)
        data = section.data
        velocities = len(self.motion(section).grid(data.velocity.flow))
        measured = {
            "test": (data.test, data.predicted),
            "length": (data.length.sequences, data.length.predicted),
            "velocity": (velocities * data.velocity.sequences, data.predicted),
        }
        passes = [measured[name] for name in evaluations_of(params, run)]
        validated = data.validation * section.training.validations(data.train)
        return Workload(
            Pass(data.train, data.frame, data.seen, _predicted(section, run)),
            Pass(validated, data.frame, data.seen, _predicted(section, run)),
            tuple(Pass(sequences, data.frame, data.seen, predicted) for sequences, predicted in passes),
        )

    def _parts(self, layout: Layout, **parts: str) -> Files:
        return {name: layout.dataset(self.name, part) for name, part in parts.items()}


def _predicted(section: DigitParams, run: Run) -> int:
    """Frames that the model of a run predicts in training."""
    return section.models[run.model].predicted or section.data.predicted


def _mnist(params: Params) -> Files:
    """Fetched files are unpacked; those of the repository may be packed."""
    folder = Path(params.mnist.folder)
    if params.mnist.sources:
        return {name: folder / name for name in FILES}
    packed = {name: folder / f"{name}.gz" for name in FILES}
    return {name: path if path.exists() else folder / name for name, path in packed.items()}
