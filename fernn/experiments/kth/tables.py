"""Table 2 of the paper: test accuracy on moving KTH, and the search for the learning rates; what claims can ask."""

from statistics import fmean, stdev

from fernn.experiments.kth.params import KthParams
from fernn.experiments.kth.videos import frames_file, read_videos
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import SECONDS_PER_STEP, Evidence, whole_test
from fernn.results.selection import Selection
from fernn.results.tables import About, Row, Table
from fernn.results.text import fixed, pipes
from fernn.results.values import Values, steps

DECIMALS = 3
READING = """\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the highest validation
accuracy (mean over seeds of the best epoch's; the first of equals), and is tested with the weights of each seed's best
epoch. Flow: of the training and test data.
"""
WARNING = """\
**The videos are stand-ins**: figures drawn by a program, in the format of KTH. They show that the pipeline works. The
values here, and their order, prove nothing about KTH and are not compared with the paper's."""


def _about(params: Params, layout: Layout, rows: list[Row], values: Values) -> About:
    """What the clips were made of, how much their places matter, and what of the videos could not be used."""
    videos, section = read_videos(layout), params.section("kth")
    assert isinstance(section, KthParams)
    data, training = section.data, section.training
    shown = [row.selection for row in rows if row.selection]
    (clips,) = values.whole(shown[0].runs[:1], shown[0].flow, "clips")
    where = "the middle of its sequence"
    if data.draws:
        where = f"a random place, drawn once; {data.draws} of each sequence"
    notes = [
        f"Scale {params.scale}: clips of {data.frames} frames of {data.frame}x{data.frame}, one in every "
        f"{data.stride} of the video; {training.epochs} epochs; tested on {clips:.0f} clips, each from {where}",
        f"Videos: {videos.release}{', STAND-INS' if videos.stand_in else ''}; {videos.sequences} sequences of "
        f"{videos.videos} videos",
    ]
    if data.draws > 1:
        draws = {of.model: values.by_index(of.runs, of.flow, "accuracy", steps(data.draws)) for of in shown}
        spread = [f"{name} {fmean(map(stdev, of.tolist())):.{DECIMALS}f}" for name, of in draws.items()]
        notes.append(f"Sample standard deviation over the places, mean over seeds: {', '.join(spread)}")
    if known := videos.originals:
        notes.append(
            f"Decoded otherwise than known, of {known.compared} videos: {', '.join(known.different) or 'none'}"
        )
    notes += [f"Missing in the release: {name}" for name in videos.missing]
    notes += [] if videos.dropped else ["Dropped: no sequence"]
    for lost in videos.dropped:
        notes.append(f"Dropped: {lost.video}, sequence {lost.sequence} (frames {lost.frames}): {lost.reason}")
    return About(
        f"test accuracy on {'STAND-INS for moving KTH' if videos.stand_in else 'moving KTH'}",
        notes,
        [frames_file(layout)],
        data="stand-ins for moving KTH" if videos.stand_in else "moving KTH",
        columns={"release": videos.release, "stand_in": "yes" if videos.stand_in else "no"},
        warning=WARNING if videos.stand_in else "",
        search=f"The search for the learning rate, by validation accuracy:\n\n{_search(shown)}",
        tex=" Drawn stand-in videos, not KTH." if videos.stand_in else "",
    )


def _search(selections: list[Selection]) -> str:
    lines = []
    for of in selections:
        for tried in of.candidates:
            score = fixed(tried.score.mean, tried.score.std, DECIMALS) if tried.score else ""
            mark = "chosen" if tried is of.chosen else "failed" if tried.failure else ""
            lines.append([of.model, f"{tried.learning_rate:g}", score, str(len(tried.runs)), mark])
    return pipes(["Model", "Learning rate", "Best validation accuracy", "n", ""], lines)


TABLE2 = Table(
    name="table2",
    metric="test_accuracy",
    heading="Test accuracy",
    test=lambda run: run.flow,
    measure="accuracy",
    number=fixed,
    decimals=(DECIMALS, DECIMALS),
    reading=READING,
    reads=lambda params, layout, experiments: [frames_file(layout)],
    about=_about,
    of_paper=True,
)


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
