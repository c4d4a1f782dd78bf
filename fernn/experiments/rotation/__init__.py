"""Experiment B: flowing MNIST, rotation (paper, Section 5.1, Table 1, Figures 2-4)."""

from fernn.experiments.rotation.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
