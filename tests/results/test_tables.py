import json
import math
import statistics

import numpy as np
import pytest

from fernn.arrays import write_arrays
from fernn.errors import FernnError
from fernn.layout import CLAIMS, COST, NOTES, Layout
from fernn.results.selection import Summary, summarize
from fernn.results.text import math_name, plus_minus
from fernn.runs import all_runs
from tests import measured
from tests.results.made import select, table_names, write_tables
from tests.results.tree import (
    TRIVIAL,
    run_of,
    small_params,
    write_metrics,
    write_run,
    write_training_record,
    write_tree,
    write_trivial,
)

MODELS = ["G-RNN", "FERNN-V1T", "FERNN-V2T"]


def table(layout, name="table1.csv"):
    return measured.rows(layout.table(name))


def models(layout):
    """The rows of models in Table 1."""
    return [row for row in table(layout) if row["n"] != "0"]


def test_every_cell_comes_from_the_files_of_its_runs(params, layout):
    tables = [layout.table(name) for name in table_names(params)]
    numbers = [layout.metrics("translation", "V2T", model) for model in MODELS]
    assert write_tables(params, layout) == [*tables, *numbers]
    found = models(layout)
    assert [(row["experiment"], row["flow"], row["model"]) for row in found] == [
        ("translation", "V2T", model) for model in MODELS
    ]
    for row in found:
        files = [layout.evaluation(run_of(params, row["model"], seed).id, "results.csv") for seed in (0, 1)]
        errors = [measured.read(file)["test"]["mse", ""] for file in files]
        assert row["metric"] == "test_mse"
        assert float(row["mean"]) == statistics.fmean(errors)
        assert float(row["std"]) == statistics.stdev(errors)
        assert row["n"] == "2"
        assert row["learning_rate"] == "0.0001"
        assert row["parameters"] == "12345"
        assert row["verdict"] == "not run"  # the figure is of other sizes
    assert [float(row["paper_value"]) for row in found] == [8.1e-3, 5.3e-4, 1.5e-4]
    assert [float(row["paper_std"]) for row in found] == [6e-4, 8e-5, 2e-5]
    assert {row["source"] for row in found} == {"Table 1, from a secondary source (?)"}


def test_the_table_for_readers(params, layout):
    write_tables(params, layout)
    text = layout.table("table1.md").read_text()
    assert "| (8.40 ± 0.57) × 10⁻³ | 2   | 0.0001          | (8.1 ± 0.6) × 10⁻³ (?) |" in text
    assert "(?) marks a figure of the paper that was taken from a secondary source." in text
    assert "| translation | G-RNN | 12,345 | V2T |" in " ".join(text.split())
    assert "translation, V2T: Test MSE: FERNN-V1T is better than G-RNN: **reproduced** (13.3 (" in text
    assert "translation, V2T: Test MSE: FERNN-V2T is better than FERNN-V1T: **reproduced** (3 (" in text
    assert "Scale quick, translation" in text
    assert "Runs translation/V2T/G-RNN/lr0.0001, seeds 0, 1\n" in text
    tex = layout.table("table1.tex").read_text()
    line = r"FERNN-$V_{2}^{T}$ & 12,345 & $(2.10 \pm 0.14) \times 10^{-4}$ & 2 & $(1.5 \pm 0.2) \times 10^{-4}$ (?) \\"
    assert line in tex
    assert "(?) from a secondary source" in tex


def test_trivial_forecasts_stand_below_the_models_of_their_data(tmp_path):
    params, layout = small_params(experiments=("translation", "rotation")), Layout("quick", tmp_path)
    write_tree(layout, params)
    write_tables(params, layout)
    found = table(layout)
    names = ["last frame", "mean brightness", "true velocity"]
    assert [row["model"] for row in found] == [*MODELS, *names, "G-RNN", "FERNN-V2R", "FERNN-V4R", *names]
    trivial = [row for row in found if row["model"] in names]
    assert [float(row["mean"]) for row in trivial] == 2 * [TRIVIAL[name] for name in names]
    assert {(row["std"], row["n"], row["learning_rate"], row["parameters"]) for row in trivial} == {("", "0", "", "")}
    text = " ".join(layout.table("table1.md").read_text().split())
    assert "| translation | true velocity | | V2T | 0 | | | | |" in text
    assert "Translation, $V_{2}^{T}$ & true velocity &  & $0$ &  &  \\\\" in layout.table("table1.tex").read_text()


def test_trivial_forecasts_of_other_steps_are_refused(params, layout):
    path = layout.dataset("translation", "trivial-test-V2T")
    write_arrays(path, {"mean brightness": np.zeros((1, 3))}, {})
    said = (
        r"mean brightness \(1, 3\), where params.yaml asks for 1 velocities and 5 steps. `fernn dataset translation/t"
    )
    with pytest.raises(FernnError, match=said):
        write_tables(params, layout)
    path.unlink()
    with pytest.raises(
        FernnError,
        match=r"trivial-test-V2T.safetensors: no such file. `snakemake --cores all --config scale=SCALE` makes it",
    ):
        write_tables(params, layout)


def test_verdicts_at_the_scale_of_the_paper(tmp_path):
    params, layout = small_params("paper"), Layout("paper", tmp_path)
    write_tree(layout, params)
    write_tables(params, layout)
    # 8.4e-3 against 8.1e-3, 6.3e-4 against 5.3e-4, 2.1e-4 against 1.5e-4
    verdicts = ["reproduced", "inconclusive", "inconclusive"]
    assert [row["verdict"] for row in models(layout)] == verdicts
    assert [row["verdict"] for row in table(layout, "claims.csv") if row["kind"] == "cell"][:3] == verdicts


def test_rotation_joins_with_a_blank_where_the_figure_is_not_known(tmp_path):
    params, layout = small_params("paper", ("translation", "rotation")), Layout("paper", tmp_path)
    write_tree(layout, params)
    write_tables(params, layout)
    found = models(layout)
    assert [row["model"] for row in found] == [*MODELS, "G-RNN", "FERNN-V2R", "FERNN-V4R"]
    blank = found[4]
    assert [blank[name] for name in ("paper_value", "paper_std", "source", "verdict")] == ["", "", "", ""]
    text = layout.table("table1.md").read_text()
    assert "rotation, V4R: Test MSE: FERNN-V4R is better than G-RNN: **reproduced**" in text
    assert "FERNN-V2R is better" not in text
    assert "better than FERNN-V2R" not in text
    line = r"FERNN-$V_{2}^{R}$ & 12,345 & $(6.30 \pm 0.42) \times 10^{-4}$ & 2 &  \\"
    assert line in layout.table("table1.tex").read_text()


def test_the_learning_rate_with_the_best_mean_of_best_losses(tmp_path):
    runs = [{"flow": "V2T", "models": ["G-RNN"], "search": [1e-2, 1e-3, 1e-4], "evaluate": ["test"]}]
    params, layout = small_params(runs=runs), Layout("quick", tmp_path)
    # best epochs by rate and seed: 1e-2 has the best single run, 1e-4 the best last epochs, 1e-3 the best mean
    losses = {1e-2: [(5, 0.1, 9), (5, 5, 5)], 1e-3: [(2, 9, 9), (9, 1, 9)], 1e-4: [(9, 9, 2), (9, 9, 2)]}
    write_trivial(layout, params)
    for run in all_runs(params).values():
        write_run(layout, params, run, losses[run.learning_rate][run.seed], mse=run.learning_rate)
    (selection,) = select(params, layout)
    assert selection.chosen.learning_rate == 1e-3
    assert [candidate.score.mean for candidate in selection.candidates] == [2.55, 1.5, 2.0]
    write_tables(params, layout)
    assert [row["learning_rate"] for row in models(layout)] == ["0.001"]
    found = table(layout, "selection.csv")
    assert {row["criterion"] for row in found} == {"lowest validation_loss"}
    kept = [(row["learning_rate"], row["mean"], row["chosen"]) for row in found]
    assert kept == [("0.01", "2.55", "no"), ("0.001", "1.5", "yes"), ("0.0001", "2.0", "no")]


def searched(tmp_path):
    """A search of three rates, of which the first one's losses would be the best."""
    runs = [{"flow": "V2T", "models": ["G-RNN"], "search": [1e-2, 1e-3, 1e-4], "evaluate": ["test"]}]
    params, layout = small_params(runs=runs), Layout("quick", tmp_path)
    losses = {1e-2: (1, 1, 1), 1e-3: (3, 3, 3), 1e-4: (4, 4, 4)}
    for run in all_runs(params).values():
        write_run(layout, params, run, losses[run.learning_rate])
    write_trivial(layout, params)
    return params, layout


def test_a_learning_rate_with_a_seed_that_diverged_failed(tmp_path):
    params, layout = searched(tmp_path)
    write_tables(params, layout)
    assert [row["learning_rate"] for row in models(layout)] == ["0.01"]
    assert "Failed" not in layout.table("table1.md").read_text()
    write_metrics(layout, run_of(params, "G-RNN", 1, rate=1e-2), (1, math.nan))
    write_tables(params, layout)
    assert [(row["learning_rate"], row["n"]) for row in models(layout)] == [("0.001", "2")]
    names = ("mean", "std", "n", "chosen", "failure")
    found = [tuple(row[name] for name in names) for row in table(layout, "selection.csv")]
    failed = ("", "", "2", "no", "seed 1 diverged in epoch 2")
    assert found == [failed, ("3.0", "0.0", "2", "yes", ""), ("4.0", "0.0", "2", "no", "")]
    note = "Failed, and never chosen: translation/V2T/G-RNN/lr0.01, seed 1 diverged in epoch 2\n"
    assert f"- {note}" in layout.table("table1.md").read_text()
    assert f"% {note}" in layout.table("table1.tex").read_text()


def test_the_middle_of_the_frames_stands_beside_the_whole(tmp_path):
    params, layout = small_params(), Layout("quick", tmp_path)
    write_tree(layout, params)
    write_tables(params, layout)
    assert {row["metric"] for row in table(layout)} == {"test_mse"}
    for seed in params.section("translation").seeds:
        path = layout.evaluation(run_of(params, "G-RNN", seed).id, "results.csv")
        tests = measured.read(path)
        tests["test"]["mse_central", ""] = 0.2 + 0.02 * seed
        measured.write(path, tests)
    write_tables(params, layout)
    (row,) = [row for row in table(layout) if row["metric"] == "test_mse_central"]
    assert (row["model"], row["flow"], row["verdict"], row["paper_value"]) == ("G-RNN", "V2T", "", "")
    assert float(row["mean"]) == pytest.approx(0.2 + 0.01 * (int(row["n"]) - 1))
    found = json.loads(layout.metrics("translation", "V2T", "G-RNN").read_text())
    assert found["test_mse_central"] == float(row["mean"])
    said = "Test MSE of translation, V2T, G-RNN over the central 28x28 pixels alone (2."
    assert said in layout.table("table1.md").read_text()


def test_where_all_learning_rates_failed_the_tables_end_with_their_names(tmp_path):
    params, layout = searched(tmp_path)
    for rate, seed in ((1e-2, 0), (1e-2, 1), (1e-3, 0), (1e-4, 1)):
        write_metrics(layout, run_of(params, "G-RNN", seed, rate=rate), (math.inf,))
    group = "translation/V2T/G-RNN"
    lines = [
        f"{group}/lr0.01: seed 0 diverged in epoch 1, seed 1 diverged in epoch 1",
        f"{group}/lr0.001: seed 0 diverged in epoch 1",
        f"{group}/lr0.0001: seed 1 diverged in epoch 1",
    ]
    with pytest.raises(FernnError, match=r"(?s)no learning rate .*" + ".*".join(lines) + ".*in params.yaml"):
        write_tables(params, layout)
    assert not layout.table("table1.csv").exists()


def test_the_first_of_equal_learning_rates(tmp_path):
    runs = [{"flow": "V2T", "models": ["G-RNN"], "search": [1e-3, 1e-4], "evaluate": ["test"]}]
    params, layout = small_params(runs=runs), Layout("quick", tmp_path)
    for run in all_runs(params).values():
        write_run(layout, params, run, (3, 2, 1))
    assert select(params, layout)[0].chosen.learning_rate == 1e-3


def test_the_same_runs_give_the_same_bytes_and_others_are_not_read(params, layout, tmp_path):
    write_tables(params, layout)
    other = Layout("quick", tmp_path / "elsewhere")
    write_tree(other, params)
    one = run_of(params, "G-RNN", 0)
    stale = type(one)(one.experiment, one.flow, one.model, one.learning_rate, seed=9)
    write_run(other, params, stale, (1e-9, 1e-9, 1e-9), mse=1e-9)
    write_tables(params, other)
    for name in table_names(params):
        assert layout.table(name).read_bytes() == other.table(name).read_bytes()


def test_a_seed_that_is_dropped_leaves_the_table(params, layout):
    write_tables(params, layout)
    digest = layout.table("table1.md").read_text().splitlines()[-1]
    write_tables(small_params(seeds=[1]), layout)
    assert {(row["n"], row["std"]) for row in models(layout)} == {("1", "")}
    assert [float(row["mean"]) for row in models(layout)] == [8e-3 * 1.1, 6e-4 * 1.1, 2e-4 * 1.1]
    text = layout.table("table1.md").read_text()
    assert "FERNN-V1T is better than G-RNN: **inconclusive** (one seed of FERNN-V1T: a test needs two)" in text
    assert "| 8.80 × 10⁻³ | 1 " in " ".join(text.split("  "))
    assert text.splitlines()[-1] != digest


def test_the_digest_sees_a_change_that_no_cell_shows(params, layout):
    write_tables(params, layout)
    before = layout.table("table1.md").read_text().splitlines()
    write_metrics(layout, run_of(params, "G-RNN", 0), (0.5, 0.016, 0.7))  # the best epoch stays
    write_tables(params, layout)
    after = layout.table("table1.md").read_text().splitlines()
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_a_missing_run_leaves_the_tables_as_they_were(params, layout):
    write_tables(params, layout)
    before = layout.table("table1.csv").read_bytes()
    run = run_of(params, "FERNN-V2T", 1)
    layout.evaluation(run.id, "results.csv").unlink()
    with pytest.raises(FernnError, match=f"fernn evaluate {run.id} --scale quick"):
        write_tables(params, layout)
    assert layout.table("table1.csv").read_bytes() == before


def test_there_is_no_table_1_without_its_experiments():
    names = ["table1.csv", "table1.md", "table1.tex", "selection.csv", NOTES, *CLAIMS, *COST]
    assert table_names(small_params()) == names
    assert "table1.csv" not in table_names(small_params(experiments=("kth",)))


def test_the_figures_for_machines_are_those_of_the_table(params, layout):
    write_tables(params, layout)
    for row in models(layout):
        found = json.loads(layout.metrics(row["experiment"], row["flow"], row["model"]).read_text())
        assert found == {"test_mse": float(row["mean"]), "test_mse_std": float(row["std"])}


def test_cost(params, layout):
    """Times come from the records; without any they are blank. Hours are those of all workers."""
    for seed, seconds in ((0, 30.0), (1, 50.0)):
        write_training_record(layout, run_of(params, "G-RNN", seed), seconds, "A processor", steps=400)
        write_training_record(layout, run_of(params, "FERNN-V1T", seed), seconds=None)
        write_training_record(layout, run_of(params, "FERNN-V2T", seed), seconds, "A <b>GPU</b>", workers=4)
    write_tables(params, layout)
    timed, blank, shared = table(layout, "cost.csv")[:3]
    cells = [timed[name] for name in ("model", "n", "steps", "device")]
    assert cells == ["G-RNN", "2", "400", "A processor, 1 thread"]
    assert float(shared["hours"]) == pytest.approx(4 * 80 / 3600)
    assert shared["device"] == "A <b>GPU</b>, 1 thread, 4 ranks"
    assert float(timed["step_seconds"]) == pytest.approx(0.1)
    assert float(timed["std"]) == pytest.approx(0.05 / 2**0.5)
    assert float(timed["hours"]) == pytest.approx(80 / 3600)
    assert blank["parameters"]
    assert (blank["step_seconds"], blank["n"], blank["device"]) == ("", "", "")
    readable = layout.table("cost.md").read_text()
    assert "100.0 ± 35.4" in readable
    assert "A &lt;b>GPU&lt;/b>" in readable  # a foreign record cannot inject HTML


def test_the_sample_standard_deviation():
    assert summarize([1.0, 2.0, 6.0]) == Summary(3.0, math.sqrt((4 + 1 + 9) / 2), 3)
    assert summarize([2.5]) == Summary(2.5, None, 1)


@pytest.mark.parametrize(
    ("mean", "std", "decimals", "latex", "text"),
    [
        (8.1e-3, 6e-4, 1, False, "(8.1 ± 0.6) × 10⁻³"),
        (8.1234e-3, 6e-6, 2, False, "(8.123 ± 0.006) × 10⁻³"),
        (9.996e-4, 6e-5, 2, False, "(1.00 ± 0.06) × 10⁻³"),
        (9.996e-3, 2e-5, 2, False, "(1.000 ± 0.002) × 10⁻²"),  # rounding up does not lose the deviation
        (1.5e-4, None, 2, False, "1.50 × 10⁻⁴"),
        (0.0, 0.0, 1, False, "(0.0 ± 0.0) × 10⁰"),
        (8.1e-3, 6e-4, 1, True, r"$(8.1 \pm 0.6) \times 10^{-3}$"),
    ],
)
def test_numbers_for_readers(mean, std, decimals, latex, text):
    assert plus_minus(mean, std, decimals, latex) == text


def test_names_for_readers():
    names = ("G-RNN", "G-RNN+", "3D-CNN", "FERNN-V2T", "FERNN-V4R", "V1T")
    assert [math_name(name) for name in names] == [*names[:3], "FERNN-$V_{2}^{T}$", "FERNN-$V_{4}^{R}$", "$V_{1}^{T}$"]
    assert math_name("FERNN-V4R-exact") == "FERNN-$V_{4}^{R}$-exact"
