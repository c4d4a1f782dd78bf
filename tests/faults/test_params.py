"""Every value of params.yaml, replaced by what it cannot be."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from fernn.errors import FernnError
from fernn.experiments import resolve
from fernn.runs import all_runs

from .harness import ROOT, SEED, drawn
from .ledger import Ledger

WRONG = "An invalid value in params.yaml is rejected with its key before any work starts"
HUGE = 10**30
NEVER = (HUGE, float("nan"), float("inf"), [[]], [None])  # what no place takes, but where huge numbers do no harm:
UNBOUNDED = {"learning_rate", "search", "clip_norm", "checkpoint_minutes"}
VALUES = [None, True, -1, 0, HUGE, 0.5, -0.0, float("nan"), float("inf"), "", "x", "../x"]
VALUES += [[], [[]], [None], {}, {"x": 1}]


def _leaves(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand, whole sections among them."""
    if at:
        yield at
    for key, inside in (
        content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    ):
        yield from _leaves(inside, (*at, key))


def _replaced(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    content = copy.deepcopy(content)
    inside = content
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = value
    return content


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_any_value_anywhere(scale: str, ledger: Ledger) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["scales"] = {scale: content["scales"].get(scale, {})} if scale != "paper" else {}
    places = list(_leaves(content))
    cases = [(place, value) for place in places for value in VALUES]
    random.Random(f"{SEED} params").shuffle(cases)
    refused = 0
    for place, value in drawn(cases, f"params {scale}", 3000):
        changed = _replaced(content, place, value)
        try:
            all_runs(resolve(changed, scale))
            # a base that the scale overrides is not looked at, nor which scale is the usual one
            unseen = (scale == "quick" and place[0] != "scales") or place == ("scale",)
            harmless = unseen or (value == HUGE and UNBOUNDED & set(place))
            assert harmless or value not in NEVER, f"{place} took {value!r}"
        except FernnError as error:
            refused += 1
            named = [key.removesuffix("s") for key in place if isinstance(key, str)]  # "scale": the one of "scales"
            assert any(key in str(error) for key in named), f"{place} = {value!r}: {error}"
    assert refused
    ledger(WRONG, f"a value of scale {scale}", refused)
