"""Experiment C: the stages of moving KTH, read off its section of the params."""

from functools import partial
from pathlib import Path
from typing import ClassVar

from fernn.data.kth import synthetic
from fernn.data.kth.archives import RECORD as FETCHED
from fernn.data.kth.archives import contents
from fernn.errors import FernnError
from fernn.experiment import Experiment, Pass, Terms, Work, Workload, only
from fernn.experiments.kth.data import make_clips, make_frames
from fernn.experiments.kth.evaluate import evaluate
from fernn.experiments.kth.figures import FIGURES
from fernn.experiments.kth.params import KthParams
from fernn.experiments.kth.tables import EVIDENCE, TABLE2
from fernn.experiments.kth.train import train
from fernn.layout import Layout
from fernn.models.storage import Model
from fernn.params import Params
from fernn.provenance.code import code_digest
from fernn.results.selection import ACCURACY
from fernn.runs import Run, evaluations_of

SEQUENCES = 2391  # of 25 persons
STANDIN_SEQUENCES = 24  # of a person in a scenario: six actions, four sequences each
ARCHIVES_BYTES = 1_150_000_000  # the six archives
FRAMES = 290_000  # in all annotated sequences
KTH_TERMS = Terms(
    "#kth-terms",
    "The KTH videos may not be redistributed",
    "Videos of the KTH action data set, https://www.csc.kth.se/cvap/actions/, come from their authors alone. The "
    "archive holds no array of their frames; figures show a few, shrunk.",
    redistributable=False,
)


class KthExperiment(Experiment[KthParams]):
    """Recognition of actions in videos, real or synthetic."""

    name = "kth"
    schema = KthParams
    kinds: ClassVar = {
        "cnn3d": "fernn.models.cnn3d:CNN3D",
        "fernn": "fernn.models.classifier:FERNNClassifier",  # the G-RNN is its V_0
        "grnn+": "fernn.models.classifier:GRNNPlusClassifier",
    }
    criterion = ACCURACY
    table = TABLE2
    figures = FIGURES
    evidence = EVIDENCE
    content_digests: ClassVar = {FETCHED: contents}  # where the archives came from does not matter

    def terms(self, params: Params) -> Terms | None:
        """None for stand-ins."""
        return None if self.section(params).source.stand_ins else KTH_TERMS

    def stand_ins(self, params: Params) -> Work | None:
        """The videos of a small scale, in the format of the originals."""
        wanted = self.section(params).source.stand_ins
        return Work(partial(synthetic.make_standins, **wanted.model_dump()), {}) if wanted else None

    def dataset(self, params: Params, layout: Layout, part: str) -> Work:
        """A part is "frames", or a split and a flow such as "test-V2T"."""
        section = self.section(params)
        data, source = section.data, section.source
        if part == "frames":
            drawn = source.stand_ins
            stand_ins = {**drawn.model_dump(), "code": code_digest(synthetic.__name__)} if drawn else None
            decode = partial(make_frames, size=data.frame, most_dropped=source.most_dropped, stand_ins=stand_ins)
            # the record of the fetched archives stands for all of them
            return Work(decode, {"fetched": Path(source.folder) / FETCHED})
        split, _, flow = part.partition("-")
        splits = data.persons.model_dump()
        if split not in splits or not flow:
            raise FernnError(
                f"{self.name}/{part}: no such data set; expected frames, or one of {', '.join(splits)} and a flow"
            )
        clips = partial(
            make_clips,
            split=split,
            persons=splits[split],
            flow=flow,
            frames=data.frames,
            stride=data.stride,
            draws={"train": 0, "validation": min(data.draws, 1), "test": data.draws}[split],
            seed=data.seed,
        )
        return Work(clips, {"frames": layout.dataset(self.name, "frames")})

    def training(self, params: Params, layout: Layout, run: Run) -> Work:
        """The clips of a split have one file; their places and flips are drawn while training."""
        section = self.section(params)
        function = partial(
            train,
            model=self.model(section, run.model),
            seed=run.seed,
            learning_rate=run.learning_rate,
            data=only(section.data, "frames", "stride", "flip", "seed"),
            training=section.training,
        )
        splits = {split: layout.dataset(self.name, f"{split}-{run.flow}") for split in ("train", "validation")}
        return Work(function, {"frames": layout.dataset(self.name, "frames"), **splits})

    def evaluation(self, params: Params, layout: Layout, run: Run) -> Work:
        """A measure is the flow that the test clips move by."""
        section, flows = self.section(params), evaluations_of(params, run)
        function = partial(
            evaluate,
            model=self.model(section, run.model),
            flows=flows,
            data=only(section.data, "frames", "stride", "draws"),
            training=only(section.training, "batch", "precision", "winograd", "threads"),
        )
        tests = {flow: layout.dataset(self.name, f"test-{flow}") for flow in flows}
        frames = layout.dataset(self.name, "frames")
        return Work(function, {"frames": frames, **tests, "model": layout.model(run.id)})

    def workload(self, params: Params, run: Run) -> Workload:
        """What a run costs; about, since some sequences are too short or broken."""
        section = self.section(params)
        data, drawn = section.data, section.source.stand_ins
        person = STANDIN_SEQUENCES * len(drawn.scenarios) if drawn else round(SEQUENCES / 25)
        trained, validated, tested = (
            len(persons) * person for persons in (data.persons.train, data.persons.validation, data.persons.test)
        )
        validated *= section.training.validations(trained)
        tested *= len(evaluations_of(params, run)) * max(data.draws, 1)
        work = [Pass(clips, data.frame, data.frames) for clips in (trained, validated, tested)]
        return Workload(work[0], work[1], (work[2],))

    def disk(self, params: Params, layout: Layout) -> dict[str, int]:
        """The archives, unless the videos are synthetic, and the decoded frames."""
        section = self.section(params)
        if drawn := section.source.stand_ins:
            sequences = STANDIN_SEQUENCES * len(drawn.persons) * len(drawn.scenarios)
            frames, archives = sequences / SEQUENCES * drawn.frames / 480 * FRAMES, {}
        else:
            frames, archives = FRAMES, {section.source.folder: ARCHIVES_BYTES}
        return {**archives, str(layout.base): int(frames * section.data.frame**2)}

    def model(self, section: KthParams, name: str) -> Model:
        """A model of the section, by its name there."""
        model, sizes = section.models[name], section.architecture
        if model.flow is None:
            return self.model_of_kind(model.kind, {"base": sizes.cnn_base})
        recurrent = sizes.model_dump(include={"stem_channels", "stem_kernels", "kernel_size"})
        return self.model_of_kind(model.kind, {"flow": model.flow, **recurrent})


EXPERIMENT = KthExperiment()
