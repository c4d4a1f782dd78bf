"""What DVC keeps in the repository, read without DVC: results of the quick scale, and evidence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def stored(digest: str) -> Path:
    """The file of a digest."""
    return ROOT / "artifacts/files/md5" / digest[:2] / digest[2:]


def files_of(out: dict[str, Any]) -> dict[str, str]:
    """The digests of an output, by path within it; of one that is no folder, its own."""
    if not out["md5"].endswith(".dir"):
        return {"": out["md5"]}
    return {each["relpath"]: each["md5"] for each in json.loads(stored(out["md5"]).read_text())}


def outs_of(file: Path) -> list[dict[str, Any]]:
    """What a .dvc file keeps."""
    return yaml.safe_load(file.read_text())["outs"]


def everything() -> Iterator[tuple[Path, Path]]:
    """Each file that is kept: its path in the project, and where it is stored."""
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"].values()
    outs = [(Path(), out) for stage in stages for out in stage.get("outs", [])]
    outs += [(Path("evidence"), out) for file in ROOT.glob("evidence/*.dvc") for out in outs_of(file)]
    for folder, out in outs:
        for inside, digest in files_of(out).items():
            yield folder / out["path"] / inside, stored(digest)
