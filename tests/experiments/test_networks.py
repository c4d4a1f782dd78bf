"""A network of one's own: a file with its class and a `kind:` in params.yaml."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fernn.errors import FernnError
from fernn.experiments import find_experiment, load_params

from .flowing import SCALE, write_params

RUN = "translation/V1T/Fading/lr0.01/seed0"
NETWORK = '''
import torch
from torch import Tensor, nn


class Fading(nn.Module):
    """Repeats the last frame, times a weight."""

    def __init__(self, **config: object) -> None:
        super().__init__()
        self.config, self.weight = config, nn.Parameter(torch.tensor(0.5))

    def forward(self, seen: Tensor, steps: int) -> Tensor:
        return (self.weight * seen[:, -1:]).expand(-1, steps, -1, -1, -1)
'''
LINEAGES = f"""
import json
from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs
jobs = Jobs(load_params("params.yaml", "{SCALE}"), Layout("{SCALE}"))
print(json.dumps({{str(job): jobs.lineage(job) for job in jobs.all.values()}}))
"""
STAGES = f"""
import sys
from fernn.cli import main
for stage in (["dataset", "translation/digits"], ["dataset", "translation/validation-V1T"],
              ["dataset", "translation/test-V1T"], ["train", "{RUN}"], ["evaluate", "{RUN}"]):
    sys.argv = ["fernn", *stage, "--scale", "{SCALE}"]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, stage
"""


def python(folder: Path, script: str) -> str:
    """What a script says, by the library in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    ended = subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_new_network_outdates_no_other_run(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "fernn", tmp_path / "fernn", ignore=shutil.ignore_patterns("__pycache__"))
    write_params(root, tmp_path)
    before = json.loads(python(tmp_path, LINEAGES))
    (tmp_path / "fernn/models/fading.py").write_text(NETWORK)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    section = content["scales"][SCALE]["translation"]
    section["models"]["Fading"] = {"kind": "fernn.models.fading:Fading", "flow": "V0T", "learning_rate": 0.01}
    section["runs"].append({"flow": "V1T", "models": ["Fading"], "evaluate": ["test"]})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    after = json.loads(python(tmp_path, LINEAGES))
    shown = {"tables", "figures", "report"}
    assert {job for job, lineage in before.items() if after[job] != lineage} == shown
    assert after.keys() - before.keys() == {f"train {RUN}", f"evaluate {RUN}"}
    python(tmp_path, STAGES)
    assert (tmp_path / f"results/{SCALE}/evaluations/{RUN}/results.csv").exists()


@pytest.mark.parametrize("name", ["Nothing", "torch"])
def test_no_such_class(root: Path, name: str) -> None:
    section = load_params(root / "params.yaml").section("translation")
    model = section.models["G-RNN"].model_copy(update={"kind": f"fernn.models.predictor:{name}"})
    section = section.model_copy(update={"models": {"G-RNN": model}})
    with pytest.raises(FernnError, match=rf"fernn.models.predictor has no class {name} derived from torch.nn.Module"):
        find_experiment("translation").model(section, "G-RNN").build()
