"""Judge the paper's claims by finished runs.

A one-sided test can find each claim true or false at the level of claims.yaml, or else inconclusive: too few seeds, or
a truth near the bound. docs/claims.md has the tests and how often they err.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.claim import PAPER, Asked, Bound, Cell, Claim, Exact, Factor, Line, Order, read_claims
from fernn.results.claims.evidence import Evidence, NotMeasuredError, Sample
from fernn.results.claims.statistics import Decision, Estimate, equivalent, mean, positive, stated, under
from fernn.results.selection import Selection
from fernn.results.values import machine, read_training
from fernn.runs import evaluations_of, runs_of

if TYPE_CHECKING:
    from fernn.experiment import Experiment

T = TypeVar("T")
ROUNDING = 1e-9  # relative; values that differ by less are the same


class Verdict(Enum):
    """The outcome of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Found:
    """What was found in the runs."""

    ours: float  # a mean in the unit of the measure, or a ratio or a difference
    # What is tested: our value over the paper's (or minus it, for differences) if the paper has one; else ours.
    tested: float | None = None
    low: float | None = None  # ends of the interval of `tested` at the level of the tests
    high: float | None = None
    resolution: float | None = None  # distance from the bound that is found in four cases of five: factor or difference
    true: float | None = None  # p of the test that would find the claim true
    false: float | None = None  # p of the test that would find it false


@dataclass(frozen=True)
class Judgement:
    """A claim, the verdict and why, the runs behind it, and the level of its tests if any were made."""

    claim: Claim
    verdict: Verdict
    reason: str = ""
    found: Found | None = None
    samples: tuple[Sample, ...] = ()
    level: float | None = None


VERDICTS = {1: Verdict.REPRODUCED, -1: Verdict.NOT_REPRODUCED, 0: Verdict.INCONCLUSIVE}


def cell_of(judgements: Iterable[Judgement], experiment: str, flow: str, model: str, measure: str) -> Judgement | None:
    """The judgement of a cell of the paper's tables, or None if claims.yaml has no such cell."""
    asked = (Asked(flow=flow, model=model, measure=measure),)
    found = (j for j in judgements if isinstance(j.claim, Cell))
    return next((j for j in found if (j.claim.experiment, j.claim.asks) == (experiment, asked)), None)


def decide(claim: Claim, samples: Sequence[Sample], sizes: Sequence[int] = ()) -> tuple[float, Estimate, Decision]:
    """Test a claim.

    Args:
        claim: of any kind but `Exact`.
        samples: one for each of `claim.asks`, of two seeds or more each.
        sizes: |V| of each model of a `Line`.

    Returns:
        Our value, in the measure's unit or as a ratio; the tested quantity, a difference or the logarithm of a ratio;
        the p values.

    Raises:
        FernnError: if the claim is about a ratio, but the measure is compared by differences.
    """
    ratio, lower = samples[0].measure.ratio, samples[0].measure.lower
    if not ratio and not isinstance(claim, Cell | Order):
        raise FernnError(f"{claim.text!r} is about a ratio, but {samples[0].asked.measure} is compared by differences.")
    logs = [np.log(sample.values) if sample.measure.ratio else np.array(sample.values) for sample in samples]
    if isinstance(claim, Cell):
        value, std = (math.log(claim.value), claim.std / claim.value) if ratio else (claim.value, claim.std)
        apart = mean(logs[0]) - stated(value, std, claim.n)
        ours = float(np.mean(samples[0].values))
        return ours, apart, equivalent(apart, math.log(claim.margin) if ratio else claim.margin)
    if isinstance(claim, Factor):
        apart = mean(logs[1]) - mean(logs[0])
        ours = exp(apart.value)
        apart = apart - stated(math.log(claim.value), (claim.std or 0.0) / claim.value, claim.n)
        return ours, apart, equivalent(apart, math.log(claim.margin))
    if isinstance(claim, Order):
        apart = mean(logs[1]) - mean(logs[0]) if lower else mean(logs[0]) - mean(logs[1])
        return exp(apart.value) if ratio else apart.value, apart, positive(apart)
    if isinstance(claim, Bound):
        level = mean(logs[0])
        return exp(level.value), level, under(logs[0], math.log(claim.below))
    assert isinstance(claim, Line)
    small, middle, large = (np.array(sample.values) for sample in samples)
    # The middle cost over that on the straight line between the other two, by seed.
    share = (sizes[1] - sizes[0]) / (sizes[2] - sizes[0])
    off = mean(np.log(middle / (small + share * (large - small))))
    return exp(off.value), off, equivalent(off, math.log(claim.margin))


def exp(logarithm: float) -> float:
    """E to that power; infinite beyond float64, as the end of a wide interval may be."""
    with np.errstate(over="ignore"):
        return float(np.exp(logarithm))


def judge(
    params: Params, layout: Layout, experiments: "Sequence[Experiment[Any]]", selections: Sequence[Selection]
) -> list[Judgement]:
    """Judge the paper's claims, and those of the experiments' own files, in the order of the files.

    Args:
        params: of the scale.
        layout: of its results.
        experiments: that the scale runs.
        selections: of finished runs; models without one count as not run.

    Raises:
        FernnError: if a file of claims, or of a run, is missing or malformed.
    """
    results = _Results(params, layout, {each.name: each.evidence for each in experiments}, selections)
    files = dict.fromkeys([PAPER, *(each.evidence.claims for each in experiments)])
    return [results.judge(claim, of.level) for of in map(read_claims, files) for claim in of.all]


class _NotRunError(Exception):
    """Why a claim cannot be judged from these results."""


@dataclass(frozen=True)
class _Results:
    params: Params
    layout: Layout
    evidence: dict[str, Evidence]
    selections: Sequence[Selection]

    def judge(self, claim: Claim, level: float) -> Judgement:
        try:
            evidence = self._admitted(claim)
            if isinstance(claim, Exact):
                return self._check(claim, evidence)
            asked = [(each, self._finished(claim.experiment, evidence, each)) for each in claim.asks]
            samples = tuple(self._sample(evidence, each, of) for each, of in asked)
            machines = dict.fromkeys(name for sample in samples for name in sample.hardware)
            if len(machines) > 1 and any(sample.measure.timed for sample in samples):
                raise _NotRunError(f"times of different machines are not compared: {'; '.join(machines)}")
        except (_NotRunError, NotMeasuredError) as error:
            return Judgement(claim, Verdict.NOT_RUN, str(error))
        if why := _untestable(samples):
            return Judgement(claim, Verdict.INCONCLUSIVE, why, samples=samples)
        sizes: list[int] = []
        if isinstance(claim, Line):
            if evidence.generators is None:
                raise FernnError(
                    f"{evidence.code}: a claim of kind lines needs the evidence's `generators`, |V| of a model."
                )
            sizes = [evidence.generators(self.params, model) for model in claim.models]
        return _judgement(claim, samples, sizes, level)

    def _admitted(self, claim: Claim) -> Evidence:
        if claim.unsupported:
            raise _NotRunError(claim.unsupported)
        if claim.experiment not in self.evidence:
            raise _NotRunError(f"scale {self.params.scale} has no experiment {claim.experiment}")
        if claim.scales is not None and self.params.scale not in claim.scales:
            raise _NotRunError(
                f"scale {self.params.scale} has not the sizes of the paper's figure; these have: "
                f"{', '.join(claim.scales)}"
            )
        evidence = self.evidence[claim.experiment]
        finished = any(of.experiment == claim.experiment for of in self.selections)
        if finished and (why := evidence.barred(self.params, self.layout)):
            raise _NotRunError(why)
        return evidence

    def _finished(self, experiment: str, evidence: Evidence, asked: Asked) -> Selection:
        measure = _known(evidence.measures, asked.measure, experiment, "measure")
        of = f"{asked.model} on {asked.flow}"
        found = [s for s in self.selections if (s.experiment, s.flow, s.model) == (experiment, asked.flow, asked.model)]
        if not found:
            planned = any((r.flow, r.model) == (asked.flow, asked.model) for r in runs_of(self.params, experiment))
            raise _NotRunError(f"{of} is not finished" if planned else f"params.yaml has no run of {of}")
        (selection,) = found
        needed = measure.needs(selection)
        if needed is not None and needed not in evaluations_of(self.params, selection.runs[0]):
            raise _NotRunError(f"params.yaml does not evaluate {of} by {needed}")
        return selection

    def _sample(self, evidence: Evidence, asked: Asked, selection: Selection) -> Sample:
        measure = evidence.measures[asked.measure]
        values = tuple(measure.read(self.params, self.layout, selection, asked.within))
        machines = dict.fromkeys(machine(read_training(self.layout, run)) for run in selection.runs)
        return Sample(asked, measure, selection.runs, values, tuple(machines))

    def _check(self, claim: Exact, evidence: Evidence) -> Judgement:
        check = _known(evidence.checks, claim.check, claim.experiment, "check")
        if claim.model not in {run.model for run in runs_of(self.params, claim.experiment)}:
            raise _NotRunError(f"params.yaml has no run of {claim.model}")
        value = check(self.params, claim.model)
        holds = value < claim.below if claim.below is not None else value > (claim.above or 0)
        said = "computed with random weights in float64; no run and no statistic is behind it"
        return Judgement(claim, Verdict.REPRODUCED if holds else Verdict.NOT_REPRODUCED, said, Found(value))


def _known(known: Mapping[str, T], name: str, experiment: str, what: str) -> T:
    if name not in known:
        raise FernnError(
            f"a claim on {experiment} asks for the {what} {name!r}: its evidence has {', '.join(known) or 'none'}. "
            "Fix the claim, or add it there (docs/claims.md)."
        )
    return known[name]


def _untestable(samples: tuple[Sample, ...]) -> str:
    """Why no test can be made; empty if one can."""
    for sample in samples:
        if len(sample.values) < 2:
            return f"one seed of {sample.asked.model}: a test needs two"
        if sample.measure.ratio and min(sample.values) <= 0:
            return f"{sample.asked.model} has a value of {min(sample.values):g}, which has no logarithm"
    if all(math.isclose(min(sample.values), max(sample.values), rel_tol=ROUNDING) for sample in samples):
        return "all seeds have the same value, so there is no deviation to test by"
    if len({len(sample.values) for sample in samples}) > 1 and len(samples) > 2:
        return "the models have different numbers of seeds"
    return ""


def _judgement(claim: Claim, samples: tuple[Sample, ...], sizes: Sequence[int], level: float) -> Judgement:
    unit = exp if samples[0].measure.ratio else float
    ours, quantity, decision = decide(claim, samples, sizes)
    low, high = quantity.interval(level)
    found = Found(
        ours=ours,
        tested=unit(quantity.value),
        low=unit(low),
        high=unit(high),
        resolution=unit(quantity.resolution(level)),
        true=float(decision.true),
        false=float(decision.false),
    )
    return Judgement(claim, VERDICTS[int(decision.finds(level))], "", found, samples, level)
