"""The kinds of claims, and the files that list them, such as claims.yaml."""

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from fernn.errors import FernnError

PAPER = Path(__file__).with_name("claims.yaml")  # the claims of the paper

Text = Annotated[str, Field(min_length=1)]
Margin = Annotated[float, Field(gt=0)]


class Entry(BaseModel):
    """A mapping of the file; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(Entry):
    """What is asked of the runs of a model: a measure, one number for each seed.

    Attributes:
        flow: that they were trained on.
        model: as in params.yaml.
        measure: one of the experiment's (`Evidence.measures`).
        within: of measures over velocities, the flow whose velocities count.
    """

    flow: str
    model: str
    measure: str
    within: str | None = None


class Claim(Entry):
    """What all claims have; claims.yaml says what the keys mean.

    Attributes:
        experiment: as in params.yaml.
        source: where the paper says it.
        secondary: whether that was taken from a secondary source.
        scales: that can support it; None: any.
        unsupported: why nothing that runs here can; empty: something can.
        says: the claim in a sentence; `text` where it is empty.
    """

    experiment: Text
    source: Text
    secondary: bool
    scales: tuple[Text, ...] | None = None
    unsupported: str = ""
    says: str = ""

    @property
    def asks(self) -> tuple[Asked, ...]:
        """What it is judged by, in the order in which `judge` takes it."""
        return ()

    @property
    def text(self) -> str:
        """The claim in a sentence."""
        return self.says

    @property
    def mark(self) -> str:
        """What stands behind a figure from a secondary source."""
        return " (?)" if self.secondary else ""


class Cell(Claim):
    """A cell of a table: mean and deviation over n runs (None: it does not say how many)."""

    flow: str
    model: str
    measure: str
    value: float
    std: PositiveFloat
    n: Annotated[int, Field(ge=2)] | None
    margin: Margin

    @property
    def asks(self) -> tuple[Asked, ...]:
        """The model's measure."""
        return (Asked(flow=self.flow, model=self.model, measure=self.measure),)

    @property
    def text(self) -> str:
        """The claim in a sentence."""
        return self.says or f"{words(self.measure)} of {self.model} is {self.value:g} ± {self.std:g}"


class Pair(Claim):
    """Two models, of which one is better."""

    flow: str
    better: str
    worse: str
    measure: str
    within: str | None = None

    @property
    def asks(self) -> tuple[Asked, ...]:
        """The measure of the better and of the worse one."""
        models = self.better, self.worse
        return tuple(Asked(flow=self.flow, model=model, measure=self.measure, within=self.within) for model in models)


class Order(Pair):
    """One model is better than another; `against` is the measure of the worse one, where it is not that of both."""

    against: str | None = None

    @property
    def asks(self) -> tuple[Asked, ...]:
        """The measure of the better and of the worse one."""
        better, worse = super().asks
        return better, worse.model_copy(update={"measure": self.against or self.measure})

    @property
    def text(self) -> str:
        """The claim in a sentence."""
        return self.says or f"{words(self.measure)}: {self.better} is better than {self.worse}"


class Factor(Pair):
    """One model's measure is `value` times lower than another's, with a deviation (None: not known)."""

    value: PositiveFloat
    std: PositiveFloat | None
    n: Annotated[int, Field(ge=2)] | None
    margin: Annotated[float, Field(gt=1)]

    @property
    def text(self) -> str:
        """The claim in a sentence."""
        return self.says or f"{words(self.measure)} of {self.better} is {self.value:g} times lower than of {self.worse}"


class Bound(Claim):
    """A ratio stays below a bound."""

    flow: str
    model: str
    measure: str
    within: str | None = None
    below: PositiveFloat

    @property
    def asks(self) -> tuple[Asked, ...]:
        """The model's ratio."""
        return (Asked(flow=self.flow, model=self.model, measure=self.measure, within=self.within),)


class Line(Claim):
    """A cost is linear in |V|; the models in the order of their |V|."""

    flow: str
    models: tuple[str, str, str]
    measure: str
    margin: Annotated[float, Field(gt=1)]

    @property
    def asks(self) -> tuple[Asked, ...]:
        """The cost of each model."""
        return tuple(Asked(flow=self.flow, model=model, measure=self.measure) for model in self.models)


class Exact(Claim):
    """What a check of a model computes lies below or above a bound."""

    model: str
    check: str
    below: PositiveFloat | None = None
    above: PositiveFloat | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Exact":
        if (self.below is None) == (self.above is None):
            raise ValueError("give one of below and above")
        return self


def words(measure: str) -> str:
    """A measure's name for readers: test_mse gives Test MSE."""
    text = measure.replace("_", " ").replace("mse", "MSE")
    return text[0].upper() + text[1:]


class Claims(Entry):
    """All claims of a file, by kind. `level`: of each one-sided test."""

    level: Annotated[float, Field(gt=0, lt=0.5)]
    cells: tuple[Cell, ...] = ()
    factors: tuple[Factor, ...] = ()
    orders: tuple[Order, ...] = ()
    bounds: tuple[Bound, ...] = ()
    lines: tuple[Line, ...] = ()
    exact: tuple[Exact, ...] = ()

    @property
    def all(self) -> tuple[Claim, ...]:
        """In the order of the file's kinds."""
        return (*self.cells, *self.factors, *self.orders, *self.bounds, *self.lines, *self.exact)

    @model_validator(mode="after")
    def _once(self) -> "Claims":
        seen: set[tuple[type, str, tuple[Asked, ...], str]] = set()
        for claim in self.all:
            key = type(claim), claim.experiment, claim.asks, claim.text
            if key in seen:
                raise ValueError(f"{claim.experiment}: {claim.text!r} stands there twice")
            seen.add(key)
        return self


@cache
def read_claims(path: Path = PAPER) -> Claims:
    """The claims of a file.

    Raises:
        FernnError: if it is missing or malformed; the message names the entry.
    """
    try:
        return Claims.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FernnError(f"{path} is missing: an experiment's evidence names it as the file of its claims.") from None
    except yaml.YAMLError as error:
        raise FernnError(f"{path} is no YAML: {error}. Mend it; docs/claims.md has the form.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise FernnError(f"{path}: {place}: {first['msg']}. Mend it; docs/claims.md has the form.") from None


def flow_of(experiment: str, measure: str) -> str:
    """The flow of the data that the cells of the paper's table of a measure are of."""
    return next(cell.flow for cell in read_claims().cells if (cell.experiment, cell.measure) == (experiment, measure))
