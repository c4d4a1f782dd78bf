"""Claims, judged by made-up results that agree, disagree, are too few, or are missing."""

import csv
import math
import statistics
from dataclasses import replace

import pytest

from fernn.errors import FernnError
from fernn.experiments import find_experiment
from fernn.layout import Layout
from fernn.results.claims.claim import PAPER, Asked, Bound, Cell, Factor, Line, Order, read_claims
from fernn.results.claims.judge import Verdict, cell_of, judge
from fernn.results.claims.text import claims_csv, claims_md, ours, why
from tests import measured
from tests.results.claims_file import ORDER, written
from tests.results.kth_tree import EACH, RATES, RIGHT, kth_params, write_kth, write_kth_run
from tests.results.made import chosen, select, write_tables
from tests.results.tree import LENGTH, PREDICTED, run_of, small_params, write_training_record, write_tree

WHOLE = ("mse", "")  # over all steps
PAPERS = {"G-RNN": 8.1e-3, "FERNN-V1T": 5.3e-4, "FERNN-V2T": 1.5e-4}
NOISE = (0.97, 1.0, 1.04)  # over seeds
SEEDS = [0, 1, 2]


def by_step(errors):
    return {("mse", str(step)): error for step, error in enumerate(errors, 1)}


class World:
    """Runs whose numbers a test sets."""

    def __init__(self, folder, scale="paper", seeds=SEEDS, **params):
        self.params = small_params(scale, seeds=seeds, **params)
        self.layout = Layout(scale, folder)
        write_tree(self.layout, self.params)

    def each(self, model, flow="V2T", noise=NOISE):
        seeds = self.params.section("translation").seeds
        return [(run_of(self.params, model, seed, flow), noise[seed]) for seed in seeds]

    def measured(self, model, measure, change, flow="V2T"):
        """Change what was measured of a model: `change(measure, noise of the seed)`."""
        for run, noise in self.each(model, flow):
            path = self.layout.evaluation(run.id, "results.csv")
            tests = measured.read(path)
            change(tests[measure], noise)
            measured.write(path, tests)

    def errors(self, **factors):
        """Test errors of so many times the paper's."""
        names = {"grnn": "G-RNN", "v1": "FERNN-V1T", "v2": "FERNN-V2T"}
        for model, factor in factors.items():
            mse = PAPERS[names[model]] * factor
            self.measured(names[model], "test", lambda of, noise, mse=mse: of.update({WHOLE: mse * noise}))
        return self

    def judged(self, kind, **wanted):
        """The one judgement of a claim of that kind with these attributes."""
        (found,) = [
            each
            for each in judge(self.params, self.layout, chosen(self.params), select(self.params, self.layout))
            if isinstance(each.claim, kind)
            and all(getattr(each.claim, key) == value for key, value in wanted.items())
            and each.claim.experiment == "translation"
            and not each.claim.unsupported
        ]
        return found


@pytest.fixture
def world(tmp_path):
    return World(tmp_path).errors(grnn=1, v1=1, v2=1)


def told(judgement):
    return judgement.verdict.value, judgement.reason


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, "reproduced"), (1.1, "reproduced"), (1.45, "inconclusive"), (3, "not reproduced"), (0.3, "not reproduced")],
)
def test_a_cell(world, factor, verdict):
    found = world.errors(grnn=factor).judged(Cell, model="G-RNN")
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx(8.1e-3 * factor * statistics.fmean(NOISE))
    ratio = factor * statistics.geometric_mean(NOISE)
    assert found.found.tested == pytest.approx(ratio)
    assert found.found.low < ratio < found.found.high
    assert found.samples[0].runs == tuple(run for run, _ in world.each("G-RNN"))


def test_a_cell_whose_model_was_not_run(tmp_path):
    runs = [{"flow": "V2T", "models": ["FERNN-V2T"], "evaluate": ["test"]}]
    world = World(tmp_path, runs=runs)
    assert told(world.judged(Cell, model="G-RNN")) == ("not run", "params.yaml has no run of G-RNN on V2T")
    assert told(world.judged(Order, better="FERNN-V2T", worse="G-RNN", measure="test_mse"))[0] == "not run"
    bound = world.judged(Bound, measure="growth")
    assert told(bound) == ("not run", "params.yaml does not evaluate FERNN-V2T on V2T by length")


@pytest.mark.parametrize(
    ("scale", "verdict"), [("paper", "reproduced"), ("released", "reproduced"), ("mine", "not run")]
)
def test_only_scales_of_the_papers_sizes_support_a_cell(tmp_path, scale, verdict):
    world = World(tmp_path, scale).errors(grnn=1, v1=1, v2=1)
    found = world.judged(Cell, model="G-RNN")
    assert found.verdict.value == verdict
    assert ("not the sizes of the paper's figure; these have: paper, released" in found.reason) == (scale == "mine")
    # an order says something of any networks
    assert world.judged(Order, better="FERNN-V2T", worse="G-RNN", measure="test_mse").verdict is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("kind", "v2", "verdict"),
    [
        (Order, 1, "reproduced"),
        (Order, 54, "inconclusive"),
        (Order, 500, "not reproduced"),
        (Factor, 1, "reproduced"),
        (Factor, 1.45, "inconclusive"),
        (Factor, 4, "not reproduced"),
    ],
)
def test_two_models(world, kind, v2, verdict):
    wanted = {"measure": "test_mse"} if kind is Order else {}
    found = world.errors(v2=v2).judged(kind, better="FERNN-V2T", worse="G-RNN", **wanted)
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx(54 / v2)
    assert [sample.asked.model for sample in found.samples] == ["FERNN-V2T", "G-RNN"]
    if kind is Factor:
        assert found.found.tested == pytest.approx(1 / v2, rel=1e-3)


@pytest.mark.parametrize(
    ("growth", "verdict"), [(1, "reproduced"), (0.5, "reproduced"), (1.97, "inconclusive"), (30, "not reproduced")]
)
def test_errors_that_stay_flat(world, growth, verdict):
    steps = [1e-4] * PREDICTED + [7.0] * (LENGTH - PREDICTED)
    world.measured("FERNN-V2T", "length", lambda of, noise: of.update(by_step([*steps[:-1], 1e-4 * growth * noise])))
    found = world.judged(Bound, measure="growth")
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx(growth * statistics.geometric_mean(NOISE))


@pytest.mark.parametrize(
    ("growths", "verdict", "said"),
    [
        ((76, 21, 45_000), "not reproduced", "no seed is below 2; p = 0.037; seeds: 3"),
        ((76, 1.9, 45_000), "inconclusive", "may be below 2; p = 0.13; seeds: 3"),
        ((76, 45_000), "inconclusive", "no seed is below 2; p = 0.11; seeds: 2"),
    ],
)
def test_seeds_that_diverge(tmp_path, growths, verdict, said):
    world = World(tmp_path, seeds=[*range(len(growths))])
    noise = iter(growths)
    errors = [1e-4] * (LENGTH - 1)
    world.measured("FERNN-V2T", "length", lambda of, _: of.update(by_step([*errors, 1e-4 * next(noise)])))
    found = world.judged(Bound, measure="growth")
    assert (found.verdict.value, why(found)) == (verdict, said)


@pytest.mark.parametrize(("last", "verdict"), [(4e-5, "reproduced"), (4e-2, "not reproduced")])
def test_the_last_step_against_another_model_at_the_horizon(world, last, verdict):
    world.measured("FERNN-V2T", "length", lambda of, noise: of.update(by_step([9.0] * (LENGTH - 1) + [last * noise])))
    at_horizon = [1.0] * (PREDICTED - 1) + [4e-3] + [1.0] * (LENGTH - PREDICTED)
    world.measured("G-RNN", "length", lambda of, noise: of.update(by_step([noise * each for each in at_horizon])))
    found = world.judged(Order, measure="last_mse")
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx(4e-3 / last)


def test_no_step_beyond_those_of_training(tmp_path):
    data = small_params().translation.data.model_dump() | {"length": {"sequences": 4, "predicted": PREDICTED}}
    found = World(tmp_path, data=data).judged(Bound, measure="growth")
    said = "translation.data.length.predicted is 5, no more than the 5 steps of training"
    assert told(found) == ("not run", said)


@pytest.mark.parametrize(("worst", "verdict"), [(1.2, "reproduced"), (1.97, "inconclusive"), (9, "not reproduced")])
def test_velocities_never_seen(world, worst, verdict):
    def change(of, noise):
        for index in measured.by_index(of, "mse"):
            of["mse", index] = 1e-4 * (0.5 if "2" in index else 1)
        of["mse", "-2 -2"] = 1e-4 * worst * noise

    world.measured("FERNN-V2T", "velocity", change, flow="V1T")
    found = world.judged(Bound, measure="unseen_ratio")
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx(worst * statistics.geometric_mean(NOISE))
    unseen = world.judged(Order, measure="unseen_mse")
    best = statistics.geometric_mean((15 * 0.5e-4 + 1e-4 * worst * noise) / 16 for noise in NOISE)
    assert statistics.geometric_mean(unseen.samples[0].values) == pytest.approx(best)


def test_a_grid_without_velocities_never_seen(tmp_path):
    data = small_params().translation.data.model_dump() | {"velocity": {"sequences": 4, "flow": "V1T"}}
    world = World(tmp_path, data=data)

    def change(of, noise):
        for index in measured.by_index(of, "mse"):
            if "2" in index:
                del of["mse", index]

    for model in ("G-RNN", "FERNN-V2T"):
        world.measured(model, "velocity", change, flow="V1T")
    found = world.judged(Bound, measure="unseen_ratio")
    assert told(found) == ("not run", "translation.data.velocity has no velocity beyond those of V1T")


def test_faster_learning_is_a_loss_that_falls_earlier(world):
    for model, losses in {"G-RNN": (3, 2, 1), "FERNN-V1T": (2, 1, 1), "FERNN-V2T": (3, 2.1, 1)}.items():
        for run, noise in world.each(model):
            path = world.layout.run(run.id, "metrics.csv")
            rows = [f"{epoch},{epoch},1,{loss * noise**2}" for epoch, loss in enumerate(losses, start=1)]
            rows.insert(0, "1,0,1,1")  # inside an epoch, which does not count
            path.write_text("\n".join(["epoch,step,train_loss,validation_loss", *rows]) + "\n")
    found = world.judged(Order, measure="learning", better="FERNN-V1T")
    assert found.verdict is Verdict.REPRODUCED
    assert found.found.ours == pytest.approx(3 ** (1 / 3))
    assert world.judged(Order, measure="learning", better="FERNN-V2T").verdict is Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        ((1, 9, 25), "reproduced"),
        ((10, 18, 34), "reproduced"),  # what does not depend on |V| may cost too
        ((1, 5, 10), "inconclusive"),  # just at the margin
        ((1, 81, 625), "not reproduced"),
        ((1, 1.2, 25), "not reproduced"),
    ],
)
def test_cost_is_linear_in_the_number_of_generators(world, seconds, verdict):
    for model, each in zip(PAPERS, seconds, strict=True):
        for run, noise in world.each(model, noise=(0.95, 1.0, 1.03) if model == "G-RNN" else NOISE):
            write_training_record(world.layout, run, each * noise)
    found = world.judged(Line)
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx(seconds[1] / (seconds[0] + (seconds[2] - seconds[0]) / 3), rel=0.05)
    assert world.judged(Order, measure="seconds_per_step").verdict is Verdict.REPRODUCED


def test_times_of_two_machines_are_not_compared(world):
    write_training_record(world.layout, run_of(world.params, "FERNN-V1T", 1), 9.0, device="another")
    found = world.judged(Line)
    assert told(found) == (
        "not run",
        "times of different machines are not compared: abacus, 1 thread; another, 1 thread",
    )
    write_training_record(world.layout, run_of(world.params, "FERNN-V1T", 1), 9.0, workers=4)
    assert world.judged(Line).reason.endswith("abacus, 1 thread; abacus, 1 thread, 4 ranks")
    write_training_record(world.layout, run_of(world.params, "FERNN-V1T", 1), 9.0, device="another")
    # errors are
    assert world.judged(Cell, model="FERNN-V1T").samples[0].hardware == ("abacus, 1 thread", "another, 1 thread")


def test_a_record_without_a_time(world):
    run = run_of(world.params, "FERNN-V1T", 1)
    write_training_record(world.layout, run, seconds=None)
    assert told(world.judged(Line)) == ("not run", f"the record of {run.id} tells no time")
    world.layout.run(run.id, "record.json").unlink()
    with pytest.raises(FernnError, match=f"record.json is missing. `fernn train {run.id} --scale paper` makes it"):
        world.judged(Line)


def test_what_says_nothing_by_itself(world):
    same = lambda of, noise: of.update({WHOLE: 8.1e-3})  # noqa: E731
    world.measured("G-RNN", "test", same)
    said = "all seeds have the same value, so there is no deviation to test by"
    assert told(world.judged(Cell, model="G-RNN")) == ("inconclusive", said)
    world.measured("G-RNN", "test", lambda of, noise: of.update({WHOLE: 0.0}))
    assert told(world.judged(Cell, model="G-RNN")) == ("inconclusive", "G-RNN has a value of 0, which has no logarithm")
    # errors so far apart that the ends of an interval are no numbers
    world.measured("G-RNN", "test", lambda of, noise: of.update({WHOLE: 10.0 ** (5000 * (noise - 1))}))
    wide = world.judged(Order, better="FERNN-V2T", worse="G-RNN", measure="test_mse")
    assert (wide.verdict, wide.found.high) == (Verdict.INCONCLUSIVE, math.inf)


def test_stand_ins_support_nothing(tmp_path):
    for stand_in in (True, False):
        params, layout = kth_params("paper"), Layout("paper", tmp_path / str(stand_in))
        write_kth(layout, params, stand_in)
        found = [each for each in judge(params, layout, chosen(params), select(params, layout)) if each.samples]
        assert bool(found) != stand_in
    verdicts = {each.claim.text: each.verdict.value for each in found}
    # 0.525, 0.625 and 0.825 against 0.626, 0.665 and 0.716
    assert verdicts["Test accuracy of G-RNN is 0.665 ± 0.03"] == "inconclusive"
    assert verdicts["Test accuracy: FERNN-V2T is better than G-RNN"] == "reproduced"


@pytest.mark.parametrize(("right", "verdict"), [(16, "reproduced"), (12, "inconclusive"), (8, "not reproduced")])
def test_a_higher_accuracy_is_better(tmp_path, right, verdict):
    """Of 20 clips of each action, G-RNN names 12 rightly, and with seed 1 one more."""
    params, layout = kth_params("paper"), Layout("paper", tmp_path)
    write_kth(layout, params, stand_in=False)
    for seed in (0, 1):
        run = run_of(params, "FERNN-V2T", seed, rate=RATES[1])
        write_kth_run(layout, params, run, [0.9] * 4, right + seed)
    judged = judge(params, layout, chosen(params), select(params, layout))
    (found,) = [each for each in judged if each.claim.text == "Test accuracy: FERNN-V2T is better than G-RNN"]
    assert told(found) == (verdict, "")
    assert found.found.ours == pytest.approx((right - RIGHT["G-RNN"]) / EACH)


def test_exactness_is_computed_where_a_model_has_runs(tmp_path):
    runs = [{"flow": "V2T", "models": ["G-RNN", "FERNN-V2T"], "evaluate": ["test"]}]
    world = World(tmp_path, runs=runs)
    judged = {
        (each.claim.model): each
        for each in judge(world.params, world.layout, chosen(world.params), select(world.params, world.layout))
        if type(each.claim).__name__ == "Exact"
    }
    assert {model: each.verdict.value for model, each in judged.items()} == {
        "FERNN-V1T": "not run",
        "FERNN-V2T": "reproduced",
        "G-RNN": "reproduced",
    }
    assert judged["FERNN-V2T"].found.ours < 1e-14
    assert judged["G-RNN"].found.ours > 0.1
    # rounding errors differ by CPU, so they are in no file
    rows = {row["models"]: row["ours"] for row in csv.DictReader(claims_csv(judged.values()).splitlines())}
    assert rows["FERNN-V2T"] == ours(judged["FERNN-V2T"]) == "< 1e-10"
    assert float(rows["G-RNN"]) == judged["G-RNN"].found.ours


def test_claims_csv_tells_where_everything_comes_from(world):
    write_tables(world.params, world.layout)
    with world.layout.table("claims.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(read_claims().all)
    of = ("translation", "cell", "V2T", "G-RNN")
    (cell,) = [row for row in rows if (row["experiment"], row["kind"], row["flow"], row["models"]) == of]
    figures = [cell[name] for name in ("verdict", "paper_value", "paper_std", "paper_n")]
    assert figures == ["reproduced", "0.0081", "0.0006", ""]
    assert (cell["secondary"], cell["source"], cell["scales"]) == ("yes", "Table 1", "paper released")
    of = ("order", "FERNN-V2T G-RNN", "test_mse")
    (order,) = [row for row in rows if (row["kind"], row["models"], row["measure"]) == of]
    assert order["hardware"] == "abacus, 1 thread"
    for values, runs in zip(order["values"].split("; "), order["runs"].split("; "), strict=True):
        for value, run in zip(values.split(), runs.split(), strict=True):
            path = world.layout.evaluation(run, "results.csv")
            assert measured.read(path)["test"][WHOLE] == float(value)
    assert float(order["low"]) < float(order["ours"]) < float(order["high"])
    assert float(order["p_true"]) < 0.05 < float(order["p_false"])
    kth = [row for row in rows if row["experiment"] == "kth"]
    assert {(row["verdict"], row["reason"]) for row in kth} == {("not run", "scale paper has no experiment kth")}
    text = " ".join(world.layout.table("claims.md").read_text().split())
    assert "is within a factor of 1.5 of the paper's; p = " in text
    assert "| **reproduced** |" in text


def test_an_experiment_has_claims_of_its_own(world, tmp_path, monkeypatch):
    experiment = find_experiment("translation")
    own = written(tmp_path, orders=[ORDER | {"worse": "FERNN-V1T"}])
    monkeypatch.setattr(experiment, "evidence", replace(experiment.evidence, claims=own))
    found = judge(world.params, world.layout, [experiment], select(world.params, world.layout))
    assert len(found) == len(read_claims(PAPER).all) + 1
    assert (found[-1].claim.source, found[-1].verdict) == ("ours", Verdict.REPRODUCED)
    assert "at the level 0.05." in claims_md(world.params, found)
    other = replace(found[-1], level=0.01)
    assert "at the level 0.01 or 0.05." in claims_md(world.params, [*found, other])
    asked = Asked(flow="V2T", model="FERNN-V1T", measure="test_mse")
    assert found[-1].claim.asks[1] == asked
    unknown = written(tmp_path / "..", orders=[ORDER | {"measure": "beauty"}])
    monkeypatch.setattr(experiment, "evidence", replace(experiment.evidence, claims=unknown))
    with pytest.raises(FernnError, match=r"asks for the measure 'beauty': its evidence has test_mse, horizon_mse"):
        judge(world.params, world.layout, [experiment], select(world.params, world.layout))


def test_models_that_are_not_finished_count_as_not_run(world):
    selections = [of for of in select(world.params, world.layout) if of.model != "G-RNN"]
    found = judge(world.params, world.layout, chosen(world.params), selections)
    cell = cell_of(found, "translation", "V2T", "G-RNN", "test_mse")
    assert told(cell) == ("not run", "G-RNN on V2T is not finished")
