"""Whether the paper's claims hold of finished runs: the one place where that is decided.

Each claim is a hypothesis that a one-sided test can find true or false at the level of claims.yaml. What the test finds
neither is inconclusive: too few seeds, or a truth near the bound. docs/claims.md has the tests and how often they err.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.claim import Asked, Claim, Exact, Line
from fernn.results.claims.evidence import Evidence, NotMeasuredError, Sample
from fernn.results.claims.hypotheses import Tested, decide, exp
from fernn.results.claims.judgement import Found, Judgement, Verdict
from fernn.results.claims.reading import PAPER, read_claims
from fernn.results.reading.records import machine, read_training
from fernn.results.reading.selection import Selected, Selection
from fernn.runs import evaluations_of, runs_of

T = TypeVar("T")
ROUNDING = 1e-9  # relative; values that differ by less are the same
VERDICTS = {1: Verdict.REPRODUCED, -1: Verdict.NOT_REPRODUCED, 0: Verdict.INCONCLUSIVE}


class Judged(Selected, Protocol):
    """An experiment, as far as claims ask."""

    evidence: Evidence


def judge(
    params: Params, layout: Layout, experiments: Sequence[Judged], selections: Sequence[Selection]
) -> list[Judgement]:
    """Judge the paper's claims, and those of the experiments' own files, in the order of the files.

    Args:
        params: of the scale.
        layout: where files lie.
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
            _alike(samples)
        except (_NotRunError, NotMeasuredError) as error:
            return Judgement(claim, Verdict.NOT_RUN, str(error))
        if why := _untestable(samples):
            return Judgement(claim, Verdict.INCONCLUSIVE, why, samples=samples)
        sizes = [self._generators(evidence, model) for model in claim.models] if isinstance(claim, Line) else []
        return _judgement(claim, samples, decide(claim, samples, sizes), level)

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
        """The runs of the model that is asked for."""
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

    def _generators(self, evidence: Evidence, model: str) -> int:
        if evidence.generators is None:
            raise FernnError(
                f"{evidence.code}: a claim of kind lines needs the evidence's `generators`, |V| of a model."
            )
        return evidence.generators(self.params, model)


def _known(known: Mapping[str, T], name: str, experiment: str, what: str) -> T:
    if name not in known:
        raise FernnError(
            f"a claim on {experiment} asks for the {what} {name!r}: its evidence has {', '.join(known) or 'none'}. "
            "Mend the claim, or add it there (docs/claims.md)."
        )
    return known[name]


def _alike(samples: tuple[Sample, ...]) -> None:
    machines = dict.fromkeys(name for sample in samples for name in sample.hardware)
    if len(machines) > 1 and any(sample.measure.timed for sample in samples):
        raise _NotRunError(f"times of different machines are not compared: {'; '.join(machines)}")


def _untestable(samples: tuple[Sample, ...]) -> str:
    """Why no test can be made; empty where one can."""
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


def _judgement(claim: Claim, samples: tuple[Sample, ...], tested: Tested, level: float) -> Judgement:
    unit = exp if samples[0].measure.ratio else float
    quantity, decision = tested.quantity, tested.decision
    low, high = quantity.interval(level)
    found = Found(
        ours=tested.ours,
        tested=unit(quantity.value),
        low=unit(low),
        high=unit(high),
        resolution=unit(quantity.resolution(level)),
        true=float(decision.true),
        false=float(decision.false),
    )
    return Judgement(claim, VERDICTS[int(decision.finds(level))], "", found, samples, level)
