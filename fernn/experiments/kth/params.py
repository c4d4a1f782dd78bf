"""Experiment C's section of params.yaml; sizes in pixels and frames."""

from typing import Annotated

from pydantic import Field, model_validator

from fernn.flows.names import TRANSLATION, check_told_apart
from fernn.params.base import (
    Count,
    ExperimentModel,
    ExperimentParams,
    Kernel,
    Kind,
    Name,
    Runs,
    Section,
    Seed,
    Share,
    Size,
)

Flow = Annotated[str, Field(pattern=TRANSLATION, description="V_k^T, such as V2T")]
Persons = Annotated[list[Annotated[int, Field(ge=1, le=25)]], Field(min_length=1)]


class KthModel(ExperimentModel):
    """One model of experiment C; the 3D-CNN has no generators."""

    kind: Kind
    flow: Flow | None = None

    @model_validator(mode="after")
    def _flow(self) -> "KthModel":
        if ":" not in self.kind and (self.kind == "cnn3d") != (self.flow is None):
            raise ValueError(f"kind {self.kind} with flow {self.flow}; fernn and grnn+ have a flow, cnn3d has none")
        return self


class KthRuns(Runs):
    """Trainings of experiment C and the flows they are tested on."""

    flow: Flow
    evaluate: Annotated[list[Flow], Field(min_length=1)]


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
    frames: Annotated[int, Field(ge=112, le=10_000)]
    seed: Seed


class KthSource(Section):
    """Where the videos come from; with stand-ins, nothing is fetched from outside."""

    folder: str
    bases: list[str]
    accept: dict[str, str]
    most_dropped: Share
    stand_ins: StandIns | None


class KthData(Section):
    """Moving KTH clips; sizes in pixels and frames."""

    frame: Size
    frames: Size
    stride: Size
    persons: Split
    flip: Share
    draws: Count
    seed: Seed


class KthArchitecture(Section):
    """The recognition networks of experiment C."""

    stem_channels: Annotated[list[Size], Field(min_length=1)]
    stem_kernels: Annotated[list[Kernel], Field(min_length=1)]
    kernel_size: Kernel
    cnn_base: Size


class KthParams(ExperimentParams):
    """Experiment C."""

    source: KthSource
    data: KthData
    architecture: KthArchitecture
    models: dict[Name, KthModel]
    runs: list[KthRuns]

    @model_validator(mode="after")
    def _told_apart(self) -> "KthParams":
        check_told_apart(self.data.frame, self.flows() | {flow for group in self.runs for flow in group.evaluate})
        return self
