"""Table 2 of the paper: test accuracy on moving KTH, and the search for the learning rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from fernn.experiments.kth.params import KthParams
from fernn.experiments.kth.recognition import Recognition, Videos, frames_file, read_recognition, read_videos
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.judgement import Judgement
from fernn.results.claims.reading import flow_of
from fernn.results.names import fixed
from fernn.results.plain import pipes
from fernn.results.reading.selection import Selection
from fernn.results.tables.table import Table, make_row, sources
from fernn.results.tables.text import MARKS, VERDICT, order_md, table_csv, table_md, table_tex
from fernn.runs import Run, evaluations_of, runs_of

NAME, METRIC = "kth", "test_accuracy"  # of the experiment and of its table
READING = """\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the highest validation
accuracy (mean over seeds of the best epoch's; the first of equals), and is tested with the weights of each seed's best
epoch. Flow: of the training and test data.
"""
WARNING = """\
**The videos are stand-ins**: figures drawn by a program, in the format of KTH. They show that the pipeline works. The
values here, and their order, prove nothing about KTH and are not compared with the paper's."""
DECIMALS = 3


@dataclass(frozen=True)
class Table2:
    """The table of recognition. A `PaperTable`."""

    name: str = "table2"

    def is_there(self, params: Params, experiments: Sequence[str]) -> bool:
        """Where a run is trained and tested on the flow of the paper's figures."""
        return bool(self.rows(params, experiments))

    def rows(self, params: Params, experiments: Sequence[str]) -> list[Run]:
        """Those that are trained and tested on the flow of the paper's figures."""
        return [run for name in experiments for run in runs_of(params, name) if _stands(params, run)]

    def reads(self, params: Params, layout: Layout, experiments: Sequence[str]) -> list[Path]:
        """The record of the videos."""
        return [frames_file(layout)]

    def texts(
        self,
        params: Params,
        layout: Layout,
        experiments: Sequence[str],
        selections: Sequence[Selection],
        judgements: Sequence[Judgement],
    ) -> dict[str, str]:
        """Its files, by their names.

        Raises:
            FernnError: if the results.csv of a run, or the record of the videos, is missing or malformed.
        """
        videos = read_videos(layout)
        data = "stand-ins for moving KTH" if videos.stand_in else "moving KTH"
        table = Table(self.name, METRIC, "Test accuracy", fixed, (DECIMALS, DECIMALS), dict.fromkeys(experiments, data))
        found = _found(params, layout, table, selections, videos)
        rows = [make_row(layout, table, of, (each.accuracy for each in measured), judgements) for of, measured in found]
        source = [*_data(params, videos, found), *sources(layout, rows, [frames_file(layout)])]
        about = {"release": videos.release, "stand_in": "yes" if videos.stand_in else "no"}
        title = "STAND-INS for moving KTH" if videos.stand_in else "moving KTH"
        parts = [f"# Table 2, scale {params.scale}: test accuracy on {title}"]
        parts += [WARNING] if videos.stand_in else []
        parts += [table_md(table, rows)]
        parts += order_md(table, judgements)
        parts += ["The search for the learning rate, by validation accuracy:", _search([of for of, _ in found])]
        parts += ["\n".join([READING, MARKS, VERDICT, *(f"- {line}" for line in source)])]
        note = f"Scale {params.scale}." + (" Drawn stand-in videos, not KTH." if videos.stand_in else "")
        return {
            "table2.csv": table_csv(table, rows, about),
            "table2.md": "\n\n".join(parts) + "\n",
            "table2.tex": table_tex(table, rows, note, source),
        }


TABLE2 = Table2()


def _stands(params: Params, run: Run) -> bool:
    """Whether a run has a row: it is trained and tested on the flow of the paper's figures."""
    return run.flow == flow_of(NAME, METRIC) and run.flow in evaluations_of(params, run)


def _found(
    params: Params, layout: Layout, table: Table, selections: Sequence[Selection], videos: Videos
) -> list[tuple[Selection, list[Recognition]]]:
    """What was measured, by seed, of each model trained and tested on the table's flow, in the order of params.yaml."""
    classes = len(videos.actions)
    return [
        (of, [read_recognition(layout, run, of.flow, classes) for run in of.runs])
        for of in selections
        if of.experiment in table.data and _stands(params, of.runs[0])
    ]


def _search(selections: list[Selection]) -> str:
    lines = []
    for of in selections:
        for tried in of.candidates:
            score = fixed(tried.score.mean, tried.score.std, DECIMALS) if tried.score else ""
            mark = "chosen" if tried is of.chosen else "failed" if tried.failure else ""
            lines.append([of.model, f"{tried.learning_rate:g}", score, str(len(tried.runs)), mark])
    return pipes(["Model", "Learning rate", "Best validation accuracy", "n", ""], lines)


def _data(params: Params, videos: Videos, found: list[tuple[Selection, list[Recognition]]]) -> list[str]:
    """What the clips were made of, how much their places matter, and what of the videos could not be used."""
    section = params.section(NAME)
    assert isinstance(section, KthParams)
    data, training, clips = section.data, section.training, found[0][1][0].clips
    where = "the middle of its sequence"
    if data.draws:
        where = f"a random place, drawn once; {data.draws} of each sequence"
    lines = [
        f"Scale {params.scale}: clips of {data.frames} frames of {data.frame}x{data.frame}, one in every "
        f"{data.stride} of the video; {training.epochs} epochs; tested on {clips} clips, each from {where}",
        f"Videos: {videos.release}{', STAND-INS' if videos.stand_in else ''}; {videos.sequences} sequences of "
        f"{videos.videos} videos",
    ]
    if data.draws > 1:
        spread = [f"{of.model} {fmean(stdev(each.draws) for each in seeds):.{DECIMALS}f}" for of, seeds in found]
        lines.append(f"Sample standard deviation over the places, mean over seeds: {', '.join(spread)}")
    lines += [f"Missing in the release: {name}" for name in videos.missing]
    lines += [] if videos.dropped else ["Dropped: no sequence"]
    for lost in videos.dropped:
        lines.append(f"Dropped: {lost.video}, sequence {lost.sequence} (frames {lost.frames}): {lost.reason}")
    return lines
