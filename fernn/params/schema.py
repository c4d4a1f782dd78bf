"""The shape of params.yaml: which keys there are, and which values they may have."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from fernn.params.image import FORMS, in_registry


def _image(image: str) -> str:
    in_registry(image)
    return image


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$")]
TranslationFlow = Annotated[str, Field(pattern=r"^V\d+T$", description="V_k^T, such as V2T")]
RotationFlow = Annotated[str, Field(pattern=r"^V\d+R$", description="V_k^R, such as V4R")]
Count = Annotated[int, Field(ge=0)]
Models = Annotated[list[Name], Field(min_length=1)]
Seeds = Annotated[list[Count], Field(min_length=1)]
Image = Annotated[str, AfterValidator(_image), Field(description=FORMS)]
Persons = Annotated[list[Annotated[int, Field(ge=1, le=25)]], Field(min_length=1)]


class Section(BaseModel):
    """A mapping of params.yaml; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Mnist(Section):
    """Where the digits come from: sources are tried in order; without any, the folder is part of the repository."""

    folder: str
    sources: list[str]


class Resources(Section):
    """What one job asks of a machine: memory in MB, time in minutes, CPU cores, GPUs."""

    mem_mb: PositiveInt
    runtime: PositiveInt
    cpus: PositiveInt
    gpu: Count


class Slurm(Section):
    """How a cluster wants to be asked; null leaves it to the cluster.

    `gpus` is how GPUs are asked for: as --gpus, as --gres=gpu:, or not at all, where a partition says enough.
    """

    account: str | None
    qos: str | None
    partition: str | None
    gpu_partition: str | None
    constraint: str | None
    gpus: Literal["gpus", "gres", "none"]
    gpu_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$")] | None


class AllResources(Section):
    """What jobs ask for, by kind of job, and how."""

    dataset: Resources
    train: Resources
    evaluate: Resources
    slurm: Slurm


class Training(Section):
    """How every model of an experiment is trained, by Adam; threads count on a CPU only, 0 is all of them."""

    epochs: PositiveInt
    batch: PositiveInt
    clip_norm: PositiveFloat | None
    precision: Literal["float32", "bf16"]
    threads: Count


class DigitTraining(Training):
    """Training on sequences of digits: `at_once` of a batch's sequences are computed at a time, null is all."""

    at_once: PositiveInt | None


class Length(Section):
    """The test of length generalization: number of sequences and of predicted frames."""

    sequences: PositiveInt
    predicted: PositiveInt


class TranslationVelocity(Section):
    """The test of velocity generalization: sequences at each velocity of the flow."""

    sequences: PositiveInt
    flow: TranslationFlow


class RotationVelocity(Section):
    """The test of velocity generalization: sequences at each velocity of the flow."""

    sequences: PositiveInt
    flow: RotationFlow


class DigitData(Section):
    """What the flowing MNIST data sets have in common; sizes in pixels, frames and sequences."""

    frame: PositiveInt
    digit: PositiveInt
    digits: PositiveInt
    seen: PositiveInt
    predicted: PositiveInt
    train: PositiveInt
    validation: PositiveInt
    test: PositiveInt
    length: Length
    seed: Count

    @model_validator(mode="after")
    def _sizes(self) -> "DigitData":
        if 28 % self.digit:
            raise ValueError(f"digit is {self.digit}; digits of 28 pixels are averaged down to 28, 14, 7 or 4")
        return self


class TranslationData(DigitData):
    """Translating MNIST."""

    velocity: TranslationVelocity

    @model_validator(mode="after")
    def _holds(self) -> "TranslationData":
        if self.frame < self.digit:
            raise ValueError(f"frame is {self.frame}; it must hold a digit of {self.digit} pixels")
        return self


class RotationData(DigitData):
    """Rotating MNIST; a generator is a multiple of `degrees` per frame. A frame smaller than the digit crops it."""

    velocity: RotationVelocity
    degrees: PositiveFloat

    @model_validator(mode="after")
    def _centred(self) -> "RotationData":
        if (self.frame - self.digit) % 2:
            raise ValueError(
                f"frame is {self.frame} and digit {self.digit}; they must differ by an even number of pixels, or a "
                "digit at rest would lie between pixels"
            )
        return self


class TranslationArchitecture(Section):
    """The predictor of experiment A."""

    hidden_channels: PositiveInt
    kernel_size: PositiveInt
    decoder_layers: Count


class RotationArchitecture(Section):
    """The predictor of experiment B: regular fields of the group C_order.

    `convolution` is how the same function is computed, `frame` where the hidden state is kept.
    """

    fields: PositiveInt
    group_order: PositiveInt
    kernel_size: PositiveInt
    decoder_layers: Count
    convolution: Literal["steerable", "dense"]
    frame: Literal["lab", "co-moving"]


class TranslationModel(Section):
    """One model of experiment A: its generators and its learning rate."""

    flow: TranslationFlow
    learning_rate: PositiveFloat


class RotationModel(Section):
    """One model of experiment B: its generators and its learning rate."""

    flow: RotationFlow
    learning_rate: PositiveFloat


class KthModel(Section):
    """One model of experiment C; the 3D-CNN has no generators."""

    kind: Literal["cnn3d", "fernn", "grnn+"]
    flow: TranslationFlow | None = None
    learning_rate: PositiveFloat

    @model_validator(mode="after")
    def _flow(self) -> "KthModel":
        if (self.kind == "cnn3d") != (self.flow is None):
            raise ValueError(f"kind {self.kind} with flow {self.flow}; fernn and grnn+ have a flow, cnn3d has none")
        return self


class DigitRuns(Section):
    """A group of trainings on one flow; `search` replaces the models' own learning rates by a grid."""

    models: Models
    search: list[PositiveFloat] | None = None
    evaluate: Annotated[list[Literal["test", "length", "velocity"]], Field(min_length=1)]


class TranslationRuns(DigitRuns):
    """Trainings of experiment A."""

    flow: TranslationFlow


class RotationRuns(DigitRuns):
    """Trainings of experiment B."""

    flow: RotationFlow


class KthRuns(Section):
    """Trainings of experiment C and the flows they are tested on."""

    flow: TranslationFlow
    models: Models
    search: list[PositiveFloat] | None = None
    evaluate: Annotated[list[TranslationFlow], Field(min_length=1)]


class Split(Section):
    """Persons of KTH, 1 to 25, by part."""

    train: Persons
    validation: Persons
    test: Persons

    @model_validator(mode="after")
    def _disjoint(self) -> "Split":
        everyone = [*self.train, *self.validation, *self.test]
        twice = sorted({person for person in everyone if everyone.count(person) > 1})
        if twice:
            raise ValueError(f"persons {twice} stand more than once; each belongs to one part")
        return self


class StandIns(Section):
    """Drawn videos in place of KTH: which persons and scenarios, frames of each video, seed of the drawing."""

    persons: Persons
    scenarios: Annotated[list[Annotated[int, Field(ge=1, le=4)]], Field(min_length=1)]
    frames: Annotated[int, Field(ge=112)]
    seed: Count


class KthSource(Section):
    """Where the videos come from; with stand-ins, nothing is fetched from outside."""

    folder: str
    bases: list[str]
    accept: dict[str, str]
    most_dropped: Annotated[float, Field(ge=0, le=1)]
    stand_ins: StandIns | None


class KthData(Section):
    """Moving KTH clips; sizes in pixels and frames."""

    frame: PositiveInt
    frames: PositiveInt
    stride: PositiveInt
    persons: Split
    flip: Annotated[float, Field(ge=0, le=1)]
    evaluate_at: Literal["middle", "random"]
    seed: Count


class KthArchitecture(Section):
    """The recognition networks of experiment C."""

    stem_channels: Annotated[list[PositiveInt], Field(min_length=1)]
    stem_kernels: Annotated[list[PositiveInt], Field(min_length=1)]
    kernel_size: PositiveInt
    cnn_base: PositiveInt


class Experiment(Section):
    """What all experiments have in common."""

    training: Training
    seeds: Seeds
    models: Mapping[Name, TranslationModel | RotationModel | KthModel]
    runs: list[Any]

    @model_validator(mode="after")
    def _known_models(self) -> "Experiment":
        for number, group in enumerate(self.runs):
            for name in group.models:
                if name not in self.models:
                    raise ValueError(f"runs.{number}.models names {name!r}; models has {', '.join(self.models)}")
        return self


class TranslationExperiment(Experiment):
    """Experiment A."""

    training: DigitTraining
    data: TranslationData
    architecture: TranslationArchitecture
    models: dict[Name, TranslationModel]
    runs: list[TranslationRuns]


class RotationExperiment(Experiment):
    """Experiment B."""

    training: DigitTraining
    data: RotationData
    architecture: RotationArchitecture
    models: dict[Name, RotationModel]
    runs: list[RotationRuns]

    @model_validator(mode="after")
    def _turns(self) -> "RotationExperiment":
        degrees, order = self.data.degrees, self.architecture.group_order
        steps = degrees * order / 360
        if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"data.degrees is {degrees:g}, but architecture.group_order {order} has steps of {360 / order:g} "
                "degrees; degrees must be a multiple of that, since each turn is an element of the group"
            )
        return self


class KthExperiment(Experiment):
    """Experiment C."""

    source: KthSource
    data: KthData
    architecture: KthArchitecture
    models: dict[Name, KthModel]
    runs: list[KthRuns]


class Params(Section):
    """Everything that holds at one scale."""

    scale: Name
    allow_cpu: bool
    experiments: Annotated[list[Literal["translation", "rotation", "kth"]], Field(min_length=1)]
    image: Image | None
    mnist: Mnist
    resources: AllResources
    translation: TranslationExperiment
    rotation: RotationExperiment
    kth: KthExperiment
