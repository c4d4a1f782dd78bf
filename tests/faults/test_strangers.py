"""What comes from outside stays data: no pickle runs, no archive leaves its folder, no name reaches a shell as code."""

import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from fernn.arrays import read_arrays
from fernn.data.kth.archives import check_archive
from fernn.errors import FernnError
from fernn.experiments import load_params, resolve
from fernn.models import load_model
from fernn.provenance.records import read_record
from fernn.runs import all_runs
from fernn.training.checkpoint import UnusableCheckpointError, read_checkpoint

from .ledger import Ledger

NO_CODE = "No input file can execute code"
CONFINED = "No archive reads or writes outside its folder"
NO_SHELL = "A shell sees names from params.yaml as names only"


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


def _pickled(path: Path, canary: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(canary)))


def _saved_by_torch(path: Path, canary: Path) -> None:
    torch.save({"model": Evil(canary)}, path)


READERS = {
    "a model": (load_model, FernnError),
    "arrays": (read_arrays, FernnError),
    "a checkpoint": (lambda path: read_checkpoint(path, torch.device("cpu")), UnusableCheckpointError),
    "a record": (read_record, FernnError),
    "params": (load_params, FernnError),
}


@pytest.mark.parametrize("write", [_pickled, _saved_by_torch], ids=["pickle", "torch"])
@pytest.mark.parametrize("reader", READERS)
def test_no_pickle_is_loaded(reader, write, tmp_path, ledger: Ledger) -> None:
    path, canary = tmp_path / "file", tmp_path / "canary"
    write(path, canary)
    read, refuses = READERS[reader]
    with pytest.raises(refuses):
        read(path)
    assert not canary.exists()
    ledger(NO_CODE, "a pickle instead of a file", 1)


@pytest.mark.parametrize(
    "tag", ["object/apply:os.system [touch {}]", "object/new:os.system [touch {}]", "name:os.system", "module:os"]
)
def test_no_yaml_makes_objects(tag, tmp_path, ledger: Ledger) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "params.yaml").write_text(f"a: !!python/{tag.format(canary)}\n")
    with pytest.raises(FernnError, match="could not determine a constructor"):
        load_params(tmp_path / "params.yaml")
    assert not canary.exists()
    ledger(NO_CODE, "YAML that constructs objects", 1)


WANTED = "person01_walking_d1_uncomp.avi"
NAMES = [f"../{WANTED}", "/tmp/x.avi", "a/../../x.avi", "..\\x.avi", "C:\\x.avi", "\\\\host\\x", "x\0y"]
NAMES += [f"{WANTED}/x", f"./{WANTED}", ""]


@pytest.mark.parametrize("name", NAMES)
def test_members_that_lead_elsewhere(name, tmp_path, ledger: Ledger) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name or "\x01"), b"x")
    with pytest.raises(FernnError, match="unknown members"):
        check_archive(tmp_path / "a.zip", {WANTED})
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    ledger(CONFINED, "a member with another name", 1)


def test_a_member_that_is_a_link(tmp_path, ledger: Ledger) -> None:
    """It is read as the bytes that it is, never followed."""
    link = zipfile.ZipInfo("a.avi")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    check_archive(tmp_path / "a.zip", {"a.avi"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    ledger(CONFINED, "a member that is a link", 1)


def test_a_member_that_is_a_bomb(tmp_path, ledger: Ledger) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.avi", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert (tmp_path / "a.zip").stat().st_size < 1 << 20
    with pytest.raises(FernnError, match="members of more than 268,435,456 bytes"):
        check_archive(tmp_path / "a.zip", {"a.avi"})
    ledger(CONFINED, "a decompression bomb", 1)


WORDS = """$(x) `x` a;x a>x a<x a'b a"b a\\b a* a? [a] {a} {wildcards.run} ~a #a !a %s $HOME ${HOME}
../a a/../b /a a/b . .. -a --help \x1b[31m é a\u202eb =a"""
STRANGE = [*WORDS.split(), "", " ", "a b", "a\tb", "a\nb", "a\n", "a\0b"]
STRANGE += ["$(touch x)", "a;touch x", "a&touch x", "a|touch x"]


def _places(content: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Params in which the name stands, by where."""
    model = {"flow": "V0T", "learning_rate": 0.1}

    def with_section(models: dict[str, Any], *run: Any) -> dict[str, Any]:
        runs = [dict(zip(("flow", "models", "evaluate"), run, strict=True))] if run else []
        return {**content, "translation": {**content["translation"], "models": models, "runs": runs}}

    models = content["translation"]["models"]
    return {
        "scale": {**content, "scale": name, "scales": {name: {}}},
        "model": with_section({name: model}, "V2T", [name], ["test"]),
        "flow": with_section({"G-RNN": {**model, "flow": name}}),
        "data": with_section(models, name, ["G-RNN"], ["test"]),
        "experiment": {**content, "experiments": [name]},
        "evaluation": with_section(models, "V2T", ["G-RNN"], [name]),
    }


def test_names_are_names(root, ledger: Ledger) -> None:
    content = yaml.safe_load((root / "params.yaml").read_text())
    number = 0
    for name in STRANGE:
        for place, params in _places(content, name).items():
            with pytest.raises(FernnError):
                resolve(params)
                pytest.fail(f"{name!r} is a name of a {place}")
            number += 1
    ledger(NO_SHELL, "names that are commands or paths", number)


@pytest.mark.parametrize("key", ["account", "qos", "partition", "gpu_partition", "constraint", "gpu_model"])
def test_orders_to_slurm(key: str, root, ledger: Ledger) -> None:
    """They stand in a line of shell that Snakemake's plugin makes."""
    content = yaml.safe_load((root / "params.yaml").read_text())
    own = ("[a]", "a*") if key == "constraint" else ()  # of Slurm's own grammar
    commands = [text for text in STRANGE if text not in own]
    for text in commands:
        content["resources"]["slurm"][key] = text
        with pytest.raises(FernnError, match=f"resources.slurm.{key}"):
            resolve(content, "paper")
    ledger(NO_SHELL, "Slurm options that are commands", len(commands))


def test_a_constraint_may_be_one_of_slurms(root) -> None:
    content = yaml.safe_load((root / "params.yaml").read_text())
    for text in ("a100", "a100|h100", "[rack1*2&rack2*4]", "(gpu&ib)|fast"):
        content["resources"]["slurm"]["constraint"] = text
        assert resolve(content, "paper").resources.slurm.constraint == text


def test_what_reaches_shells(root, ledger: Ledger) -> None:
    """Each word of a rule's command is the name of a run or a part, the scale, or a digest: these are made of names."""
    import re

    words, allowed = set(), {"PARAMS.scale", "params.planned", "log", "ALLOW_CPU"}
    for rules in (root / "workflow/rules").glob("*.smk"):
        for line in re.findall(r'^\s+"(fernn .*)"$', rules.read_text(), re.MULTILINE):
            words |= set(re.findall(r"{([^}]*)}", line))
    assert words == allowed | {"wildcards.run", "wildcards.experiment", "wildcards.part"}
    number = 0
    for scale in ("paper", "released", "small", "quick"):
        params = load_params(root / "params.yaml", scale)
        for run in all_runs(params):
            assert re.fullmatch(r"[A-Za-z0-9+._/-]+", run)
            number += 1
    ledger(NO_SHELL, "runs of all scales, checked", number, is_fault=False)
