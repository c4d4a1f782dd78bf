"""Experiment B: what is measured of a trained model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.datasets.rotating import render
from fernn.experiments.flowing_digits.evaluation import MeasureInputs, evaluate_predictor
from fernn.flows.rotation import Rotation


@dataclass(frozen=True)
class EvaluateInputs(MeasureInputs):
    """What a run's evaluation depends on, besides its code and its files.

    Attributes:
        degrees: the smallest turn per frame of the flow of "velocity".
    """

    degrees: float


def evaluate(
    inputs: EvaluateInputs, model: nn.Module, files: dict[str, Path], device: torch.device
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Measure a trained predictor; arguments and results are those of `evaluate_predictor`."""
    generators = Rotation.parse(inputs.velocities, inputs.degrees).generators
    grid = [(degrees, {"degrees": degrees}) for degrees in generators]
    return evaluate_predictor(inputs, model, render, grid, files, device)
