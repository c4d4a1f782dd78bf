"""The comparison of verdicts between numerical environments; the runs themselves are written here."""

import subprocess
from pathlib import Path

import pytest
import typer

from benchmarks import numerics

CLAIMS = """experiment,claim,measure,verdict
translation,A is better,test_mse,{}
translation,A takes longer,seconds_per_step,{}
"""


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """Results of two environments in place of the runs: `computed(verdicts, times, models)`."""

    def results(*environments: tuple[str, str, str]) -> Path:
        for name, (verdict, time, model) in zip(("default", "torch-avx2"), environments, strict=True):
            tables, run = (tmp_path / name / "results/quick" / part for part in ("tables", "runs/translation/A"))
            for folder in (tables, run):
                folder.mkdir(parents=True)
            (tables / "claims.csv").write_text(CLAIMS.format(verdict, time))
            (tables / "table2.csv").write_text("model,mean\nG-RNN,0.75\n")
            (run / "model.safetensors").write_text(model)
        return tmp_path

    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: None)
    return results


def test_a_flipped_verdict_is_shown_and_fails(computed, capsys):
    folder = computed(("reproduced", "reproduced", "a"), ("inconclusive", "reproduced", "b"))
    with pytest.raises(typer.Exit) as stop:
        numerics.run(["default", "torch-avx2"], folder)
    assert stop.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "translation: A is better" in shown and "inconclusive" in shown
    assert "torch-avx2, translation: 0 of 1 models have the bytes of default" in shown


def test_times_are_not_compared(computed, capsys):
    numerics.run(
        ["default", "torch-avx2"], computed(("reproduced", "reproduced", "a"), ("reproduced", "inconclusive", "a"))
    )
    shown = capsys.readouterr().out
    assert "The same verdict on all 1 claims." in shown and "0.75" in shown
    assert "torch-avx2, translation: 1 of 1 models have the bytes of default" in shown
