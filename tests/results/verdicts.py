"""How often the verdicts on claims are false: made-up seeds, judged by the tests of `fernn.results.claims.statistics`.

python -m tests.results.verdicts      prints the table of docs/claims.md
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from fernn.results.claims.claim import read_claims
from fernn.results.claims.statistics import Decision, equivalent, mean, positive, stated, under
from fernn.results.text import pipes

DRAWS, SEEDS = 20_000, (2, 3, 5)
PAPER_RUNS = 3
SPREAD = 0.15  # of the logarithm of an error, over seeds: that of the paper's cells is 0.05 to 0.15
ACCURACY = 0.03  # of an accuracy
LARGE, SMALL = 0.5, 0.05  # of errors after a long rollout; of times
DIVERGING = math.log(1000), 4.0  # mean and deviation of the logarithm of a ratio that diverges, as at scale small
BELOW = 0.4307  # deviations from the mean of a normal distribution below which two thirds of it lie


Cases = Iterator[tuple[str, str, Decision]]  # kind of claim, truth, what the tests find


def rates() -> dict[tuple[str, str], list[tuple[float, float]]]:
    """How often a kind of claim is found true, and how often false, where the truth is known; for each of `SEEDS`.

    By kind and truth; the same each time.
    """
    level = read_claims().level
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seeds in SEEDS:
        for kind, truth, decision in _cases(np.random.default_rng(seeds), seeds):
            verdicts = decision.finds(level)
            found.setdefault((kind, truth), []).append((float((verdicts == 1).mean()), float((verdicts == -1).mean())))
    return found


def table() -> str:
    """The table of docs/claims.md: shares of reproduced and of not reproduced."""
    lines = [[*of, *(f"{true:.3f} / {false:.3f}" for true, false in shares)] for of, shares in rates().items()]
    return pipes(["Claim", "Truth", *(f"{seeds} seeds" for seeds in SEEDS)], lines)


def _cases(draw: Generator, n: int) -> Cases:
    def sample(centre: float, spread: float, size: int = n) -> np.ndarray:
        return draw.normal(centre, spread, (DRAWS, size))

    def paper(spread: float, known: bool, runs: int = PAPER_RUNS) -> tuple[np.ndarray, np.ndarray, int | None]:
        values = sample(0, spread, runs)
        return values.mean(-1), values.std(-1, ddof=1), runs if known else None

    margin = math.log(1.5)
    for truth, apart in (("the paper's", 0.0), ("1.5 times the paper's", margin), ("3 times", math.log(3))):
        found = mean(sample(apart, SPREAD)) - stated(*paper(SPREAD, known=False))
        yield "cell, margin 1.5, n not stated", truth, equivalent(found, margin)
    found = mean(sample(margin, SPREAD)) - stated(*paper(SPREAD, known=False, runs=2))
    yield "cell, margin 1.5, n not stated: 2", "1.5 times the paper's", equivalent(found, margin)
    for truth, apart in (("the paper's", 0.0), ("0.05 off", 0.05), ("0.15 off", 0.15)):
        found = mean(sample(apart, ACCURACY)) - stated(*paper(ACCURACY, known=True))
        yield "cell, margin 0.05, n stated", truth, equivalent(found, 0.05)
    for truth, apart in (("the paper's", 0.0), ("1.5 times the paper's", margin), ("3 times", math.log(3))):
        ours = mean(sample(apart, SPREAD)) - mean(sample(0, SPREAD))
        spread = SPREAD * math.sqrt(2)  # of a quotient of two cells
        yield "factor, margin 1.5", truth, equivalent(ours - stated(*paper(spread, known=False)), margin)
    for truth, apart in (("equal", 0.0), ("1.5 times better", margin), ("1.5 times worse", -margin)):
        yield "order", truth, positive(mean(sample(apart, SPREAD)) - mean(sample(0, SPREAD)))
    yield "order", "equal, one spreads 10 times more", positive(mean(sample(0, LARGE)) - mean(sample(0, SMALL)))
    for ratio in (1, 2, 4):
        yield "bound, below 2", f"a ratio of {ratio}", under(sample(math.log(ratio), SPREAD), math.log(2))
    most = sample(math.log(2) - BELOW * SPREAD, SPREAD)
    yield "bound, below 2", "two runs of three below 2", under(most, math.log(2))
    flat = draw.random((DRAWS, n)) < 2 / 3
    some = np.where(flat, sample(0, SPREAD), sample(*DIVERGING).clip(1))
    yield "bound, below 2", "a ratio of 1, one in three diverging", under(some, math.log(2))
    yield "bound, below 2", "all diverging", under(sample(*DIVERGING), math.log(2))
    for ratio in (1.0, 1.25, 1.5):
        yield (
            "line, margin 1.25",
            f"{ratio:g} times the line",
            equivalent(mean(sample(math.log(ratio), SMALL)), math.log(1.25)),
        )


if __name__ == "__main__":
    print(table())
