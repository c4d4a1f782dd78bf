"""params.yaml: both scales hold, and each mistake gets an error that names it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.common.configfile import load_configfile

from fernn.errors import FernnError
from fernn.experiments import find_experiment, json_schema, load_params, overridden, resolve
from fernn.runs import all_runs, gpus_of

ROOT = Path(__file__).parent.parent
FILE = ROOT / "params.yaml"


@pytest.fixture
def content() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())


def test_the_papers_sizes_are_the_default() -> None:
    params = load_params(FILE)
    assert params.scale == "paper"
    assert not params.allow_cpu
    assert params.translation.architecture.hidden_channels == 128
    assert params.translation.data.train == 54000
    assert params.rotation.architecture.group_order == 36
    assert params.kth.training.epochs == 500


def test_a_scale_merges_mappings_and_replaces_lists(content: dict[str, Any]) -> None:
    content["scales"]["mine"] = {"translation": {"training": {"epochs": 3}, "seeds": [7]}}
    mine, paper = resolve(content, "mine"), resolve(content)
    assert mine.scale == "mine"
    assert mine.translation.training.epochs == 3
    assert mine.translation.training.batch == paper.translation.training.batch
    assert mine.translation.seeds == [7]
    assert mine.kth == paper.kth


def set_at(content: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        content = content[int(key)] if isinstance(content, list) else content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("translation.training.epochs", -1, ["translation.training.epochs = -1", "greater than 0"]),
        ("translation.training.epochs", "many", ["translation.training.epochs = 'many'", "valid integer"]),
        ("translation.training.precision", "f16", ["'f16'", "'float32', 'tf32' or 'bf16'"]),
        ("translation.training.micro_batch", 0, ["translation.training.micro_batch: ", "is 0", "auto", "null"]),
        ("rotation.training.micro_batch", "most", ["rotation.training.micro_batch: ", "is 'most'", "auto", "null"]),
        ("translation.training.micro_batch", True, ["micro_batch is True; expected a number of sequences"]),
        ("translation.lr", 0.1, ["translation.lr", "unknown key", "0.1", "known here: ", "training"]),
        ("translation.models.G-RNN.flow", "V2R", ["translation.models.G-RNN.flow = 'V2R'", "pattern"]),
        ("translation.data.held_out", 0.0, ["translation.data.held_out = 0.0", "greater than 0"]),
        ("rotation.data.held_out", 1.0, ["rotation.data.held_out = 1.0", "less than 1"]),
        ("translation.models.G-RNN.flow", "V2T", ["models.G-RNN has the flow V2T; the G-RNN is the model of V0T"]),
        ("kth.models.G-RNN.flow", "V1T", ["models.G-RNN has the flow V1T; the G-RNN is the model of V0T"]),
        ("translation.models.G-RNN.kind", "a:b:c", ["translation.models.G-RNN.kind = 'a:b:c'", "pattern"]),
        ("translation.models.G-RNN.kind", "gru", ["translation: models.G-RNN.kind is 'gru'; expected one of fernn"]),
        ("kth.models.3D-CNN.kind", "fernn.nowhere.gru:GRU", ["kth: models.3D-CNN.kind", "one of cnn3d, fernn, grnn+"]),
        (
            "rotation.models.G-RNN.kind",
            "torch.nn:GRU",
            ["kind", "a class of this package, such as fernn."],
        ),
        ("rotation.models.G-RNN.kind", "fernn.models.gru:GRU", ["models.G-RNN.kind is 'fernn.models.gru:GRU'"]),
        ("translation.data.digit", 9, ["translation.data", "9", "28, 14, 7"]),
        ("translation.data.frame", 14, ["translation.data", "frame is 14", "28 pixels"]),
        ("rotation.data.digit", 9, ["rotation.data", "9", "28, 14, 7"]),
        ("rotation.data.frame", 39, ["rotation.data", "frame is 39", "28", "even number of pixels"]),
        ("rotation.data.degrees", 15, ["rotation: data.degrees is 15", "group_order 36 has steps of 10 degrees"]),
        ("rotation.architecture.group_order", 8, ["rotation: ", "is 10", "group_order 8 has steps of 45 degrees"]),
        ("rotation.architecture.convolution", "sparse", ["'sparse'", "'steerable', 'dense' or 'auto'"]),
        ("experiments", ["translatoin"], ["'translatoin'", "'kth', 'rotation' or 'translation'"]),
        ("kth.data.persons.test", [1, 25], ["persons [1]", "more than once"]),
        ("kth.models.3D-CNN.flow", "V2T", ["cnn3d", "V2T"]),
        ("checkpoint_minutes", 0, ["checkpoint_minutes = 0", "greater than 0"]),
        ("allow_cpus", True, ["allow_cpus", "unknown key", "allow_cpu"]),
        ("seeds", [1], ["seeds", "unknown key"]),
        ("translation.training.epochs", 3.0, ["translation.training.epochs = 3.0", "valid integer"]),
        ("translation.training.threads", 9999, ["translation.training.threads = 9999", "less than or equal to 1024"]),
        ("allow_cpu", "yes", ["allow_cpu = 'yes'", "valid boolean"]),
        ("translation.training.clip_norm", float("inf"), ["translation.training.clip_norm = inf", "finite number"]),
        ("kth.models.3D-CNN.learning_rate", float("nan"), ["learning_rate = nan", "finite number"]),
        ("kth.models.3D-CNN.learning_rate", True, ["learning_rate = True", "valid number"]),
        ("translation.seeds", [], ["translation.seeds = []", "at least 1 item"]),
        ("translation.seeds", [0, 1, 0], ["translation.seeds: duplicate value 0; keep one"]),
        ("translation.seeds", [-1], ["translation.seeds.0 = -1", "greater than or equal to 0"]),
        ("translation.data.seed", 2**64, ["data.seed = 18446744073709551616", "less than 9223372036854775808"]),
        ("translation.runs.0.models", ["G-RNN", "G-RNN"], ["runs.0.models: duplicate value G-RNN"]),
        ("kth.runs.0.search", [1e-3, 1.0000001e-3], ["kth.runs.0.search: duplicate value 0.001"]),
        ("translation.models.G-RNN.learning_rate", 1.00000001e-4, ["0.0001", "both lr0.0001 in the name of a run"]),
        ("experiments", ["kth", "kth"], ["experiments: duplicate value kth"]),
        ("translation.models.FERNN-V1T.flow", "V2T", ["models.FERNN-V1T has the flow V2T; its name says V1T"]),
        ("kth.models.FERNN-V1T.flow", "V2T", ["models.FERNN-V1T has the flow V2T; its name says V1T"]),
        ("translation.runs.0.flow", "V14T", ["V14T has speeds of -14 to 14", "frame of 28", "those of V13T"]),
        ("translation.data.velocity.flow", "V14T", ["V14T has speeds of -14 to 14"]),
        ("kth.runs.0.evaluate", ["V16T"], ["V16T has speeds", "frame of 32", "those of V15T"]),
        ("rotation.data.velocity.flow", "V18R", ["V18R has turns of -18 to 18 times 10 degrees"]),
        ("resources.train.gpu_of", {"A": 4}, ["gpu_of names 'A'; expected an experiment, such as translation"]),
        ("resources.train.gpu_of", {"kth/LSTM": 4}, ["gpu_of names 'kth/LSTM'", "such as translation/G-RNN"]),
        ("resources.train.gpu_of", {"rotation": 0}, ["resources.train.gpu_of.rotation = 0", "greater than 0"]),
        ("translation.models", {"../G": {"flow": "V0T", "learning_rate": 0.1}}, ["'../G'", "should match pattern"]),
        ("translation.runs.0.models", ["LSTM"], ["'LSTM'; models has G-RNN"]),
        (
            "translation.models.G-RNN.architecture",
            {"hidden_channels": 0},
            ["translation: models.G-RNN.architecture.hidden_channels = 0: ", "greater than 0"],
        ),
        ("rotation.models.G-RNN.architecture", {"width": 1}, ["rotation: models.G-RNN.architecture.width = 1: "]),
        ("rotation.models.G-RNN.architecture", {"group_order": 8}, ["is 10", "group_order 8 has steps of 45 degrees"]),
    ],
)
def test_a_wrong_value_is_named(content: dict[str, Any], path: str, value: Any, said: list[str]) -> None:
    set_at(content, path, value)
    with pytest.raises(FernnError) as caught:
        resolve(content)
    for words in said:
        assert words in str(caught.value)


def test_gpus_of_a_run(content: dict[str, Any]) -> None:
    """A model's own number, else that of its experiment, else that of all."""
    set_at(content, "resources.train.gpu_of", {"rotation": 2, "rotation/FERNN-V4R": 4})
    params = resolve(content)
    found = {(run.experiment, run.model): gpus_of(params, run) for run in all_runs(params).values()}
    assert found["rotation", "FERNN-V4R"] == 4
    assert found["rotation", "G-RNN"] == 2
    assert {count for (experiment, _), count in found.items() if experiment != "rotation"} == {1}
    for_cpus = resolve(content, "quick")
    assert {gpus_of(for_cpus, run) for run in all_runs(for_cpus).values()} == {0}


def test_params_go_to_other_processes_as_plain_values(content: dict[str, Any]) -> None:
    for scale in ("paper", "released", "small", "quick"):
        params = resolve(content, scale)
        assert resolve({**params.model_dump(), "scales": {scale: None}}) == params


@pytest.mark.parametrize("frame", [28, 40, 14])
def test_rotated_digits_may_be_cropped(content: dict[str, Any], frame: int) -> None:
    set_at(content, "rotation.data.frame", frame)
    assert resolve(content).rotation.data.frame == frame


@pytest.mark.parametrize(("degrees", "order"), [(30, 12), (20, 36), (360 / 7, 7), (90, 4), (180, 2)])
def test_a_turn_is_an_element_of_the_group(content: dict[str, Any], degrees: float, order: int) -> None:
    still = {"models": {"G-RNN": {"flow": "V0R", "learning_rate": 1e-3}}, "data": {"velocity": {"flow": "V0R"}}}
    content["scales"]["paper"] = {"rotation": still}  # of few turns in a circle, some sets V have the same one twice
    content["rotation"]["models"] = {}
    content["rotation"]["runs"] = [{"flow": "V0R", "models": ["G-RNN"], "evaluate": ["test"]}]
    set_at(content, "rotation.data.degrees", degrees)
    set_at(content, "rotation.architecture.group_order", order)
    assert resolve(content).rotation.data.degrees == degrees


def test_a_model_may_have_an_architecture_of_its_own(content: dict[str, Any]) -> None:
    set_at(content, "translation.models.G-RNN.architecture", {"hidden_channels": 5})
    section = resolve(content).translation
    sizes = {name: section.architecture_of(name).hidden_channels for name in section.models}
    assert sizes == {"G-RNN": 5, "FERNN-V1T": 128, "FERNN-V2T": 128}
    made = {name: find_experiment("translation").model(section, name).arguments["hidden_channels"] for name in sizes}
    assert made == sizes


def test_only_the_experiments_of_a_scale_need_a_section(content: dict[str, Any]) -> None:
    del content["collision"]
    assert resolve(content).experiments == ["translation", "rotation", "kth"]
    content["experiments"] = ["collision"]
    with pytest.raises(FernnError, match="collision: missing; it must be given"):
        resolve(content)


def test_every_mistake_is_told_at_once(content: dict[str, Any]) -> None:
    content["translation"]["training"]["epochs"] = 0
    del content["kth"]["seeds"]
    with pytest.raises(FernnError, match=r"2 errors[^$]*kth.seeds: missing[^$]*epochs"):
        resolve(content)


@pytest.mark.parametrize("scale", [1, ["quick"], None, {}, "tiny"])
def test_a_scale_is_a_name(content: dict[str, Any], scale: Any) -> None:
    content["scale"] = scale
    with pytest.raises(FernnError, match="is not known; expected one of paper, released, small, quick"):
        resolve(content)


@pytest.mark.parametrize("scales", [["quick"], "quick", 3, {"quick": 3}, {"quick": ["a"]}])
def test_scales_are_mappings(content: dict[str, Any], scales: Any) -> None:
    content["scales"] = scales
    with pytest.raises(FernnError, match=r"scales(.quick)? is .*; expected a mapping"):
        resolve(content, "quick")


@pytest.mark.parametrize("scale", ["../out", "a/b", ".hidden", "a b", "$(ls)", "a;b", "-x", ""])
def test_a_scale_is_the_name_of_a_folder(content: dict[str, Any], scale: str) -> None:
    content["scales"][scale] = {}
    content["scale"] = scale
    with pytest.raises(FernnError):
        resolve(content)


@pytest.mark.parametrize(("text", "said"), [("a: [1", "line 1"), ("- 1", "expected a mapping"), ("", "a mapping")])
def test_a_file_of_another_kind(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(FernnError, match=said):
        load_params(file)
    with pytest.raises(FernnError, match="no such file"):
        load_params(tmp_path / "missing.yaml")


def test_only_what_jobs_are_told_may_be_overridden(content: dict[str, Any]) -> None:
    told = {"scale": "quick", "allow_cpu": True}
    assert overridden({**content, **told}, content, FILE) == {**content, **told}
    with pytest.raises(FernnError, match=r"--config sets experiments: only scale and allow_cpu"):
        overridden({**content, "experiments": ["kth"]}, content, FILE)


def test_numbers_that_are_text_to_snakemake(tmp_path: Path) -> None:
    """As YAML 1.1 has it, 1e-3 is none."""
    file = tmp_path / "params.yaml"
    file.write_text(FILE.read_text().replace("learning_rate: 1.0e-4", "learning_rate: 1e-4"))
    loaded = load_configfile(file)
    assert loaded["translation"]["models"]["G-RNN"]["learning_rate"] == "1e-4"
    params = resolve(overridden(loaded, loaded, file))
    assert params.translation.models["G-RNN"].learning_rate == 1e-4


def test_the_schema_for_editors_is_current() -> None:
    kept = json.loads((ROOT / "workflow/schemas/params.schema.json").read_text())
    assert kept == json_schema(), "renew it: fernn params --schema > workflow/schemas/params.schema.json"


def test_released_differs_from_the_paper_as_the_docs_say() -> None:
    def leaves(value: object, key: str = "") -> dict[str, object]:
        if isinstance(value, dict):
            return {name: leaf for part in value for name, leaf in leaves(value[part], f"{key}.{part}").items()}
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return leaves(dict(enumerate(value)), key)
        return {key.removeprefix("."): value}

    scales = [load_params(ROOT / "params.yaml", scale).model_dump() for scale in ("paper", "released")]
    paper, released = map(leaves, scales)
    assert paper.keys() == released.keys()
    different = [key for key in paper if paper[key] != released[key] and key != "scale"]
    section = (ROOT / "docs/differences.md").read_text().split("## Scale `released`")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in section.splitlines() if line.startswith("| ")]
    said = {key: (theirs, ours) for key, theirs, ours in rows[2:]}
    written = ({key: str(value).replace("None", "none") for key, value in scale.items()} for scale in (paper, released))
    paper, released = written
    assert said == {key: (paper[key], released[key]) for key in different}


def test_each_scale_says_its_precision() -> None:
    """As the released code computes at its sizes; what runs on a CPU keeps IEEE float32."""
    expected = {"paper": "tf32", "released": "tf32", "small": "float32", "quick": "float32"}
    for scale, precision in expected.items():
        params = load_params(FILE, scale)
        assert {params.section(name).training.precision for name in ("translation", "rotation", "kth")} == {precision}
