"""What else DVC does with the pipeline: experiments, profiles, plots, another scale."""

import re

from .conftest import Clone, jobs
from .test_dag import run_and_after

RATE = "scales.micro.translation.models.G-RNN.learning_rate"


def test_an_experiment_in_the_workspace(pulled: Clone) -> None:
    said = pulled.dvc("exp", "run", "tables@micro", "--name", "faster", "--set-param", f"{RATE}=0.025")
    not_asked = {"Drawing the figures", "Composing the report"}
    assert jobs(said) == run_and_after("translation/V2T/G-RNN/lr0.025/seed0") - not_asked
    shown = pulled.dvc("exp", "show", "--csv")
    assert re.search(r"faster.*0\.025", shown)


def test_experiments_in_a_queue(pulled: Clone) -> None:
    pulled.dvc("exp", "run", "tables@micro", "--queue", "--name", "slower", "--set-param", f"{RATE}=0.005")
    before = pulled.results()
    pulled.dvc("exp", "run", "--run-all")
    assert pulled.results() == before
    pulled.dvc("exp", "apply", "slower")
    assert (pulled.folder / "results/micro/runs/translation/V2T/G-RNN/lr0.005/seed0/model.safetensors").exists()
    assert pulled.planned() == {"Drawing the figures", "Composing the report"}


def test_another_profile_of_snakemake(pulled: Clone) -> None:
    profile = pulled.folder / "elsewhere/config.yaml"
    profile.parent.mkdir()
    profile.write_text("printshellcmds: true\n")
    (pulled.folder / "results/micro/tables/table1.md").unlink()
    said = pulled.dvc("repro", "report@micro", SNAKEMAKE_PROFILE="elsewhere")
    assert "fernn tables --scale micro" in re.sub(r"^> .*$", "", said, flags=re.MULTILINE)
    assert pulled.up_to_date()


def test_plots_need_no_network(pulled: Clone) -> None:
    pulled.dvc("plots", "show")
    page = (pulled.folder / "dvc_plots/index.html").read_text()
    assert "translation-V2T-validation_loss.png" in page
    assert "://" not in re.sub(r"http://www\.w3\.org\S*", "", page)
    assert pulled.git("status", "--porcelain") == ""


def test_another_scale_is_one_word_away(clone: Clone) -> None:
    stages = clone.folder / "dvc.yaml"
    stages.write_text(stages.read_text().replace("kept: [micro]", "kept: [micro, paper]"))
    assert "tables@paper" in clone.dvc("stage", "list", "--name-only").split()
    assert "deleted:            results/paper/tables" in clone.dvc("status", "tables@paper")
