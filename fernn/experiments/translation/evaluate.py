"""Experiment A: what is measured of a trained model."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.datasets.translating import render
from fernn.experiments.flowing_digits.evaluation import MeasureInputs, evaluate_predictor
from fernn.flows.translation import Translation


def evaluate(
    inputs: MeasureInputs, model: nn.Module, files: dict[str, Path], device: torch.device
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Measure a trained predictor; arguments and results are those of `evaluate_predictor`."""
    grid = [((vx, vy), {"vx": vx, "vy": vy}) for vx, vy in Translation.parse(inputs.velocities).generators]
    return evaluate_predictor(inputs, model, render, grid, files, device)
