"""The figures of experiment C (paper, Figure 5)."""

from fernn.experiments.kth.confusion import confusion
from fernn.experiments.kth.curves import validation_accuracy
from fernn.experiments.kth.figure5 import figure5
from fernn.experiments.kth.shown_clips import clips
from fernn.results.figures.kinds import Kind

FIGURES = (
    Kind("validation_accuracy", validation_accuracy),
    Kind("confusion", confusion, lambda flow, measures: flow in measures),
    Kind("clips", clips),
    Kind("figure5", figure5, lambda flow, measures: bool(set(measures) - {flow}), together=True),
)
