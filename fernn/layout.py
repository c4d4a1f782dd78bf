"""Where the files of a scale lie: the one place that knows their names."""

from dataclasses import dataclass
from pathlib import Path

MODEL, METRICS, EVALUATION, SAMPLES = "model.safetensors", "metrics.csv", "results.csv", "samples.safetensors"
RECORD = "record.json"  # beside each result
RELEASE = "release.json"  # of stand-ins: their digests, written last
SUPERSEDED = "superseded"  # the folder of finished runs that made room for others of their names
REPORT = "report.html"
COST = ("cost.csv", "cost.md")  # of the tables, those that tell how fast a machine was
NOTES = "notes.csv"  # the titles of tables, and the notes below them
CLAIMS = ("claims.csv", "claims.md")  # what became of the claims of the paper
KEPT = ("datasets", "runs", "evaluations", "tables", "metrics", "figures")  # the folders of results


@dataclass(frozen=True)
class Layout:
    """Where the files of a scale lie, under results/<scale>."""

    scale: str
    root: Path = Path("results")

    @property
    def base(self) -> Path:
        """The folder of the scale."""
        return self.root / self.scale

    def standins(self, experiment: str) -> Path:
        """The folder of files that stand in for an experiment's sources, at a small scale."""
        return self.base / "standins" / experiment

    def dataset(self, experiment: str, part: str) -> Path:
        """A part of an experiment's data set."""
        return self.base / "datasets" / experiment / f"{part}.safetensors"

    def dataset_record(self, experiment: str, part: str) -> Path:
        """The record beside a part."""
        return self.base / "datasets" / experiment / f"{part}.{RECORD}"

    def part(self, path: Path) -> str | None:
        """What lies there as a part of a data set, such as "translation/test-V2T"; None for any other file."""
        experiment = path.parent.name
        return f"{experiment}/{path.stem}" if path == self.dataset(experiment, path.stem) else None

    def run(self, run: str, file: str) -> Path:
        """A file of a finished run: model, metrics or record."""
        return self.base / "runs" / run / file

    def model(self, run: str) -> Path:
        """The weights of a run's best epoch."""
        return self.run(run, MODEL)

    def evaluation(self, run: str, file: str) -> Path:
        """A file of a run's evaluation: its measures, samples or record."""
        return self.base / "evaluations" / run / file

    def unfinished(self, run: str) -> Path:
        """The folder in which a run that is under way keeps its checkpoint."""
        return self.base / "unfinished" / run

    def superseded(self, run: str, lineage: str) -> Path:
        """The folder of a finished run that made room for another one of its name."""
        return self.base / SUPERSEDED / run / lineage

    def lock(self, result: str) -> Path:
        """The folder of the lock that whoever trains or evaluates a run, or makes another result, holds."""
        return self.base / "locks" / result

    def table(self, file: str) -> Path:
        """A table, or the tables' record."""
        return self.base / "tables" / file

    def figure(self, file: str) -> Path:
        """A figure, or the figures' record."""
        return self.base / "figures" / file

    def metrics(self, experiment: str, flow: str, model: str) -> Path:
        """A model's numbers in the tables, for machines: a file for each, so that DVC shows them as rows."""
        return self.base / "metrics" / experiment / flow / f"{model}.json"

    def report(self) -> Path:
        """The page for readers."""
        return self.base / REPORT

    def report_record(self) -> Path:
        """The record beside it."""
        return self.base / f"report.{RECORD}"

    def dependencies(self, stage: str) -> Path:
        """What a stage depends on."""
        return self.base / "dependencies" / f"{stage}.json"
