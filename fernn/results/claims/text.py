"""Judged claims as data (csv) and for reading (md)."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from fernn.params import Params
from fernn.results.claims.claim import Bound, Cell, Claim, Exact, Factor, Line, read_claims
from fernn.results.claims.judge import Judgement, Verdict
from fernn.results.text import as_csv, pipes

HEADER = ["experiment", "kind", "claim", "verdict", "reason", "flow", "models", "measure", "ours", "tested", "low"]
HEADER += ["high", "p_true", "p_false", "resolution", "bound", "paper_value", "paper_std", "paper_n", "source"]
HEADER += ["secondary", "scales", "values", "runs", "hardware"]
SAID = {Verdict.REPRODUCED: "is", Verdict.NOT_REPRODUCED: "is not", Verdict.INCONCLUSIVE: "may be"}
SUPPORT = """\
Cells and factors are the paper's figures, so only a scale of its sizes can support them. Orders, bounds and lines are
judged at any scale, of the networks of that scale.
"""
READING = """\
Ours: a mean over seeds, or the ratio or difference that the claim is about. Tested: that number, or where the paper has
one, the ratio of ours to it (of accuracies the difference); with the interval of which each end is ruled out by a
one-sided test at the level {level}. It holds the paper's deviation too.
Reproduced: one test finds the claim true. Not reproduced: the opposite test finds it false, or every one of three seeds
or more exceeds the bound. Inconclusive: neither holds.
Finds: how far from its bound the truth has to lie for these seeds to show it in four cases of five. The tests are not
corrected for their number; {tests} were made here.
(?) marks what was taken from a secondary source. claims.csv has the values of all seeds, the runs behind them, what
they were trained on, and the p of both tests. docs/claims.md says how each kind is judged, and how often that errs.
"""


def claims_csv(judgements: Iterable[Judgement]) -> str:
    """One line for each claim.

    Values and runs are in the same order: seeds are separated by blanks, models by semicolons. Hardware is all that
    any of the runs was trained on.
    """
    return as_csv(HEADER, map(_line, judgements))


def claims_md(params: Params, judgements: Sequence[Judgement]) -> str:
    """The verdicts by experiment."""
    parts = [f"# The paper's claims, scale {params.scale}", _counts(judgements), SUPPORT.strip()]
    for experiment in dict.fromkeys(each.claim.experiment for each in judgements):
        own = [each for each in judgements if each.claim.experiment == experiment]
        header = ["Claim", "Source", "Verdict", "Ours", "Tested", "Finds", "Why"]
        parts += [f"## {experiment}", pipes(header, map(_row, own))]
    tests = sum(each.found is not None and each.found.true is not None for each in judgements)
    levels = {read_claims().level} | {each.level for each in judgements if each.level is not None}
    parts += [READING.format(level=" or ".join(f"{level:g}" for level in sorted(levels)), tests=tests)]
    return "\n\n".join(parts)


def show(params: Params, judgements: Sequence[Judgement], console: Console) -> None:
    """Print the verdicts; of claims that were not run only the reasons."""
    judged = [each for each in judgements if each.verdict is not Verdict.NOT_RUN]
    table = Table("verdict", "claim", "tested", "why", title=f"Claims, scale {params.scale}", title_justify="left")
    for experiment in dict.fromkeys(each.claim.experiment for each in judged):
        table.add_section()
        table.add_row(experiment, style="bold")
        for each in judged:
            if each.claim.experiment == experiment:
                table.add_row(each.verdict.value, each.claim.text, tested(each) or ours(each), why(each))
    if judged:
        console.print(table)
    reasons = Counter(each.reason for each in judgements if each.verdict is Verdict.NOT_RUN)
    for reason, count in reasons.items():
        console.print(f"not run, {count} of {len(judgements)}: {reason}", markup=False)
    console.print(_counts(judgements))


def _counts(judgements: Sequence[Judgement]) -> str:
    counts = Counter(each.verdict for each in judgements)
    return f"{len(judgements)} claims: {', '.join(f'{counts[verdict]} {verdict.value}' for verdict in Verdict)}."


def ours(judgement: Judgement) -> str:
    """Our value; empty without one."""
    return _below(judgement) or ("" if judgement.found is None else f"{judgement.found.ours:.3g}")


def _below(judgement: Judgement) -> str:
    """Such as "< 1e-10" for a check below its bound: the value is a rounding error, which differs by CPU."""
    claim, found = judgement.claim, judgement.found
    below = claim.below if isinstance(claim, Exact) else None
    return f"< {below:g}" if found and below is not None and found.ours < below else ""


def tested(judgement: Judgement) -> str:
    """What was tested and its interval, such as "1.04 (0.93 to 1.17)"; empty without a test."""
    found = judgement.found
    if found is None or found.tested is None:
        return ""
    return f"{found.tested:.3g} ({found.low:.3g} to {found.high:.3g})"


def _finds(judgement: Judgement) -> str:
    found = judgement.found
    if found is None or found.resolution is None:
        return ""
    return f"a factor of {found.resolution:.3g}" if _ratio(judgement) else f"a difference of {found.resolution:.2g}"


def why(judgement: Judgement) -> str:
    """The reason of a verdict: what was missing, or the comparison, its p and the number of seeds."""
    found = judgement.found
    if judgement.reason or found is None:
        return judgement.reason
    seeds = ", ".join(str(len(sample.values)) for sample in judgement.samples)
    p = min(each for each in (found.true, found.false) if each is not None)
    claim, said = judgement.claim, f"{SAID[judgement.verdict]} {_rule(judgement.claim, _ratio(judgement))}"
    if isinstance(claim, Bound) and min(judgement.samples[0].values) > claim.below:
        said = f"no seed is below {claim.below:g}"
    return f"{said}; p = {p:.2g}; seeds: {seeds}"


def _row(judgement: Judgement) -> list[str]:
    claim = judgement.claim
    verdict = f"**{judgement.verdict.value}**"
    numbers = ours(judgement), tested(judgement), _finds(judgement)
    return [claim.text, claim.source + claim.mark, verdict, *numbers, why(judgement)]


def _rule(claim: Claim, ratio: bool) -> str:
    if isinstance(claim, Cell | Factor):
        within = f"a factor of {claim.margin:g}" if ratio else f"{claim.margin:g}"
        return f"within {within} of the paper's"
    if isinstance(claim, Bound):
        return f"below {claim.below:g}"
    if isinstance(claim, Line):
        return f"within a factor of {claim.margin:g} of the straight line"
    return "a ratio above 1" if ratio else "a difference above 0"


def _line(judgement: Judgement) -> list[object]:
    claim, samples, found = judgement.claim, judgement.samples, judgement.found
    numbers: list[object] = [""] * 7
    if found is not None:
        numbers = [_below(judgement) or found.ours, found.tested, found.low, found.high]
        numbers += [found.true, found.false, found.resolution]
    flows, models, measures = (
        " ".join(dict.fromkeys(getattr(asked, name) for asked in claim.asks)) for name in ("flow", "model", "measure")
    )
    if isinstance(claim, Exact):
        models, measures = claim.model, claim.check
    paper: list[object] = ["", "", ""]
    if isinstance(claim, Cell | Factor):
        paper = [claim.value, claim.std, claim.n]
    return [
        *(claim.experiment, type(claim).__name__.lower(), claim.text, judgement.verdict.value, judgement.reason),
        *(flows, models, measures, *numbers, _bound(claim)),
        *(*paper, claim.source, "yes" if claim.secondary else "no"),
        "any" if claim.scales is None else " ".join(claim.scales),
        "; ".join(" ".join(f"{value!r}" for value in sample.values) for sample in samples),
        "; ".join(" ".join(run.id for run in sample.runs) for sample in samples),
        "; ".join(dict.fromkeys(name for sample in samples for name in sample.hardware)),
    ]


def _bound(claim: Claim) -> float | None:
    if isinstance(claim, Cell | Factor | Line):
        return claim.margin
    if isinstance(claim, Exact):
        return claim.below or claim.above
    return claim.below if isinstance(claim, Bound) else None


def _ratio(judgement: Judgement) -> bool:
    return judgement.samples[0].measure.ratio
