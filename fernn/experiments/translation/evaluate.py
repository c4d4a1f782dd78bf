"""Experiment A: what is measured of a trained model."""

from pathlib import Path

from fernn.datasets.translating import render
from fernn.evaluation.outcome import Workplace
from fernn.experiments.flowing_digits.evaluation import MeasureInputs, evaluate_predictor
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor


def evaluate(inputs: MeasureInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> None:
    """Measure a trained predictor; see `evaluate_predictor`."""
    grid = [((vx, vy), {"vx": vx, "vy": vy}) for vx, vy in Translation.parse(inputs.velocities).generators]
    evaluate_predictor(inputs, FERNNPredictor, render, grid, files, place, outputs)
