"""What an experiment's runs can be asked, by whoever judges claims."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.claim import Asked
from fernn.results.claims.reading import PAPER
from fernn.results.reading.selection import Selection
from fernn.runs import Run


class NotMeasuredError(Exception):
    """Why a measure has no values in these runs; no fault of theirs."""


Read = Callable[[Params, Layout, Selection, str | None], Sequence[float]]  # `within` last; one value for each run


def _nothing(selection: Selection) -> str | None:
    return None


@dataclass(frozen=True)
class Measure:
    """A number of each run of a model.

    Attributes:
        read: gives them, in the order of the selection's runs; raises NotMeasuredError.
        needs: the name in `evaluate:` of params.yaml, without which it is not there; None for any run.
        lower: whether a lower one is the better one.
        ratio: whether two of them are compared by their ratio (as logarithms), or by their difference.
        timed: whether it depends on the machine, so that values of two kinds of machine are not compared.
    """

    read: Read
    needs: Callable[[Selection], str | None] = _nothing
    lower: bool = True
    ratio: bool = True
    timed: bool = False


Check = Callable[[Params, str], float]  # of a model, by its name in params.yaml


def _any_scale(params: Params, layout: Layout) -> str:
    return ""


@dataclass(frozen=True)
class Evidence:
    """What an experiment has to say to claims.

    Attributes:
        code: the module that says it; what it imports decides the bytes of claims.csv.
        measures: by name.
        checks: what needs no run, by name.
        generators: |V| of a model, by its name in params.yaml; what claims of kind `lines` ask.
        barred: why these results can support nothing, such as stand-ins for the data; empty if they can.
        claims: the file of the claims about it; the paper's unless it has one of its own.
    """

    code: str
    measures: Mapping[str, Measure]
    checks: Mapping[str, Check] = field(default_factory=dict)
    generators: Callable[[Params, str], int] | None = None
    barred: Callable[[Params, Layout], str] = _any_scale
    claims: Path = PAPER


@dataclass(frozen=True)
class Sample:
    """The values of a measure, one for each run, and the machines that trained these."""

    asked: Asked
    measure: Measure
    runs: tuple[Run, ...]
    values: tuple[float, ...]
    hardware: tuple[str, ...]
