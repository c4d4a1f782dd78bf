"""Digits that move along one axis: an experiment of one's own, which joins Table 1."""

from fernn.experiments.axis.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
