"""Experiment C: the stages of moving KTH, read off its section of the params."""

from pathlib import Path
from typing import Any, ClassVar

from fernn.data.kth.fetched import RECORD as FETCHED
from fernn.data.kth.fetched import contents
from fernn.data.standins import make as drawing
from fernn.errors import FernnError
from fernn.experiments.experiment import Experiment, Pass, Terms, Work, Workload, kind_of
from fernn.experiments.kth.claims import EVIDENCE
from fernn.experiments.kth.clips import ClipsInputs, make_clips
from fernn.experiments.kth.evaluate import EvaluateInputs, evaluate
from fernn.experiments.kth.figures import FIGURES
from fernn.experiments.kth.frames import FramesInputs, make_frames
from fernn.experiments.kth.models import CNN, RECURRENT
from fernn.experiments.kth.params import KthParams
from fernn.experiments.kth.tables import TABLE2
from fernn.experiments.kth.train import TrainInputs, train
from fernn.layout import Layout
from fernn.models.storage import Model
from fernn.params import Params
from fernn.provenance.code import code_digest
from fernn.results.reading.selection import ACCURACY
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
    """Recognition of actions in videos, or in what is drawn in their place."""

    name = "kth"
    schema = KthParams
    criterion = ACCURACY
    table = TABLE2
    figures = FIGURES
    evidence = EVIDENCE
    content_digests: ClassVar = {FETCHED: contents}  # where the archives came from does not matter

    def terms(self, params: Params) -> Terms | None:
        """None for stand-ins."""
        return None if self.section(params).source.stand_ins else KTH_TERMS

    def dataset(self, params: Params, layout: Layout, part: str) -> Work[Any]:
        """A part is "frames", or a split and a flow such as "test-V2T"."""
        section = self.section(params)
        data, source = section.data, section.source
        if part == "frames":
            drawn = source.stand_ins
            stand_ins = {**drawn.model_dump(), "code": code_digest(drawing.__name__)} if drawn else None
            inputs = FramesInputs(data.frame, source.most_dropped, stand_ins)
            # the record of the fetched archives stands for all of them
            return Work(make_frames, inputs, {"fetched": Path(source.folder) / FETCHED})
        split, _, flow = part.partition("-")
        splits = data.persons.model_dump()
        if split not in splits or not flow:
            raise FernnError(
                f"{self.name}/{part}: no such data set; expected frames, or one of {', '.join(splits)} and a flow"
            )
        clips = ClipsInputs(split, tuple(splits[split]), flow, data.frames, data.stride, data.draws, data.seed)
        return Work(make_clips, clips, {"frames": layout.dataset(self.name, "frames")})

    def training(self, params: Params, layout: Layout, run: Run) -> Work[Any]:
        """The clips of a split lie in one file; their places and flips are drawn while training."""
        section = self.section(params)
        inputs = TrainInputs(
            model=self._model(section, run.model),
            data_seed=section.data.seed,
            seed=run.seed,
            learning_rate=run.learning_rate,
            **section.data.model_dump(include={"frames", "stride", "flip"}),
            **section.training.model_dump(),
        )
        splits = {split: layout.dataset(self.name, f"{split}-{run.flow}") for split in ("train", "validation")}
        return Work(train, inputs, {"frames": layout.dataset(self.name, "frames"), **splits})

    def evaluation(self, params: Params, layout: Layout, run: Run) -> Work[Any]:
        """A measure is the flow that the test clips move by."""
        section, flows = self.section(params), evaluations_of(params, run)
        inputs = EvaluateInputs(
            model=self._model(section, run.model),
            flows=tuple(flows),
            **section.data.model_dump(include={"frames", "stride", "draws"}),
            **section.training.model_dump(include={"batch", "precision", "winograd", "threads"}),
        )
        tests = {flow: layout.dataset(self.name, f"test-{flow}") for flow in flows}
        frames = layout.dataset(self.name, "frames")
        return Work(evaluate, inputs, {"frames": frames, **tests, "model": layout.model(run.id)})

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
        """The archives, unless stand-ins are drawn, and the decoded frames."""
        section = self.section(params)
        if drawn := section.source.stand_ins:
            sequences = STANDIN_SEQUENCES * len(drawn.persons) * len(drawn.scenarios)
            frames, archives = sequences / SEQUENCES * drawn.frames / 480 * FRAMES, {}
        else:
            frames, archives = FRAMES, {section.source.folder: ARCHIVES_BYTES}
        return {**archives, str(layout.base): int(frames * section.data.frame**2)}

    def _model(self, section: KthParams, name: str) -> Model:
        model, sizes = section.models[name], section.architecture
        if model.flow is None:
            return kind_of({"cnn3d": CNN}, self.name, name, model.kind)(sizes.cnn_base)
        build = kind_of(RECURRENT, self.name, name, model.kind)
        return build(model.flow, tuple(sizes.stem_channels), tuple(sizes.stem_kernels), sizes.kernel_size)


EXPERIMENT = KthExperiment()
