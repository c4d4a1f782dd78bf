"""The figures of experiments with flowing digits (paper, Figures 2 to 4)."""

from fernn.experiments.digits.curves import length_generalization, validation_loss
from fernn.experiments.digits.predictions import predictions, rollouts
from fernn.results.figures.kinds import Draw, Kind

FIGURES = (
    Kind("predictions", predictions),
    Kind("validation_loss", validation_loss),
    Kind("length_generalization", length_generalization, lambda flow, measures: "length" in measures),
    Kind("rollouts", rollouts, lambda flow, measures: "length" in measures),
)


def velocity_kind(draw: Draw) -> Kind:
    """The figure of the error by velocity, which each kind of motion draws in its own way."""
    return Kind("velocity_generalization", draw, lambda flow, measures: "velocity" in measures)
