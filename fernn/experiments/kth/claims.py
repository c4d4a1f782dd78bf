"""Experiment C: what claims can ask of it."""

from fernn.experiments.kth.recognition import read_videos
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import SECONDS_PER_STEP, Evidence, whole_test


def _barred(params: Params, layout: Layout) -> str:
    return "the videos are drawn stand-ins, which say nothing about KTH" if read_videos(layout).stand_in else ""


EVIDENCE = Evidence(
    code=__name__,
    measures={
        # on the flow that the models were trained on
        "test_accuracy": whole_test("accuracy", lambda selection: selection.flow, lower=False, ratio=False),
        "seconds_per_step": SECONDS_PER_STEP,
    },
    barred=_barred,
)
