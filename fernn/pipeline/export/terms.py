"""The terms of what others made, and which files show it."""

from dataclasses import dataclass
from pathlib import Path

from fernn.data.kth.archives import RECORD as FETCHED
from fernn.experiments.kth.experiment import EXPERIMENT as KTH_EXPERIMENT
from fernn.layout import SAMPLES
from fernn.pipeline.jobs import Job, Jobs

IMAGES = (".png", ".pdf", ".html")  # what may show pictures of the data sets, besides samples


@dataclass(frozen=True)
class Terms:
    """What may be done with something.

    Attributes:
        id: an address that says it, or a name in the crate where there is none.
        name: in short.
        description: of what, by whom.
    """

    id: str
    name: str
    description: str


MIT = Terms("https://spdx.org/licenses/MIT", "MIT License", "The code, and the results made by it; see LICENSE.")
MNIST = Terms(
    "https://creativecommons.org/licenses/by-sa/3.0/",
    "Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0)",
    "Digits of the MNIST database of handwritten digits by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, "
    "http://yann.lecun.com/exdb/mnist/; cut to parts, scaled, moved and added here.",
)
KTH = Terms(
    "#kth-terms",
    "The KTH videos may not be redistributed",
    "Videos of the KTH action data set, https://www.csc.kth.se/cvap/actions/, come from their authors alone. The "
    "archive holds no array of their frames; figures show a few, shrunk.",
)
ALL = (MIT, MNIST, KTH)


class Origins:
    """What the results of a scale are made of."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._mnist = Path(jobs.params.mnist.folder)
        originals = KTH_EXPERIMENT in jobs.experiments and KTH_EXPERIMENT.section(jobs.params).source.stand_ins is None
        self._kth = originals
        self._found: dict[Job, frozenset[Terms]] = {}

    def terms(self, job: Job) -> frozenset[Terms]:
        """The terms of the data sets that a result is made of, itself or by way of others."""
        if job not in self._found:
            makers = self.jobs.makers(job)
            sources = (self.of_source(path) for path in job.read_files if path not in makers)
            before = (self.terms(maker) for maker in set(makers.values()))
            self._found[job] = frozenset({terms for terms in sources if terms}.union(*before))
        return self._found[job]

    def of_source(self, path: Path) -> Terms | None:
        """The terms of a file that no job makes; None if it is part of the project or drawn by it."""
        if path.parent == self._mnist:
            return MNIST
        return KTH if self._kth and path.name == FETCHED else None

    def shown(self, job: Job | None, path: Path) -> list[Terms]:
        """The terms of what others made and a file holds or may show; none for weights and numbers.

        Args:
            job: what wrote it, None for a file of the project.
            path: the file.
        """
        if job is None:
            return [terms] if (terms := self.of_source(path)) else []
        if path.name != SAMPLES and path.suffix not in IMAGES:
            return []
        return sorted(self.terms(job), key=lambda terms: terms.name)

    def withheld(self, job: Job, path: Path) -> bool:
        """Whether a file may not be passed on: it holds frames of the KTH originals."""
        return path.name == SAMPLES and KTH in self.terms(job)
