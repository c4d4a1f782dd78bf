"""Experiment B: what is measured of a trained model."""

from dataclasses import dataclass
from pathlib import Path

from fernn.datasets.rotating import render
from fernn.evaluation.outcome import Workplace
from fernn.experiments.flowing_digits.evaluation import MeasureInputs, evaluate_predictor
from fernn.flows.rotation import Rotation
from fernn.models.rotation.predictor import RotationPredictor


@dataclass(frozen=True)
class EvaluateInputs(MeasureInputs):
    """What a run's evaluation depends on, besides its code and its files.

    Attributes:
        degrees: the smallest turn per frame of the flow of "velocity".
    """

    degrees: float


def evaluate(inputs: EvaluateInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> None:
    """Measure a trained predictor; see `evaluate_predictor`."""
    generators = Rotation.parse(inputs.velocities, inputs.degrees).generators
    grid = [(degrees, {"degrees": degrees}) for degrees in generators]
    evaluate_predictor(inputs, RotationPredictor, render, grid, files, place, outputs)
