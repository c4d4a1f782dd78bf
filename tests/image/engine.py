"""Builds and runs images with buildah and podman, in a store of its own: no daemon, no registry."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap")
INSTALL = f"Debian, Ubuntu: apt-get install --no-install-recommends {' '.join(PROGRAMS)}"
BASE, IMAGE = "localhost/fernn-test-base", "localhost/fernn-test"
STRANGER = 12345  # a user that is neither root nor known to the image
CONFIGURATION = {"STORAGE_CONF": "storage.conf", "CONF": "containers.conf"}
# as Debian's own slim images do
MERGED = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"  # from the start: no usrmerge, and so no perl
SLIM = [f"--dpkgopt=path-exclude=/usr/share/{kind}/*" for kind in ("doc", "info", "locale", "man")]


def why_not() -> str:
    """Why this machine cannot; empty: it can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} not found. {INSTALL}"
    return "" if os.getuid() == 0 else "only root can mount the layers of images"


@dataclass
class Engine:
    """The two programs, with their store in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        storage = {"driver": "overlay", "graphroot": f"{self.folder}/storage", "runroot": f"{self.folder}/run"}
        lines = ["[storage]", *(f"{key} = {json.dumps(value)}" for key, value in storage.items())]
        (self.folder / "storage.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "containers.conf").write_text(
            "[containers]\n"
            'default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]\n'
            "[engine]\n"
            'runtime = "runc"\n'
            'cgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        """What makes both programs use the store, and need no rights beyond root's own."""
        own = {f"CONTAINERS_{kind}": str(self.folder / name) for kind, name in CONFIGURATION.items()}
        return {**os.environ, **own, "BUILDAH_ISOLATION": "chroot"}

    def must(self, *command: str, cwd: Path | None = None, **more: str) -> str:
        """Run a command that must succeed; what it printed."""
        environment = {**self.environment, **more}
        ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-5000:]}{ended.stderr[-5000:]}"
        return ended.stdout

    def inspect(self, image: str = IMAGE) -> dict[str, Any]:
        """What the store knows of an image."""
        return json.loads(self.must("podman", "image", "inspect", image))[0]

    def run(self, *command: str, mounts: Mapping[Path, str] | None = None, options: tuple[str, ...] = ()) -> str:
        """Run a command in the image: as a stranger, with no network, on a read-only root. What it printed."""
        hard = ["--rm", "--no-healthcheck", "--read-only", "--network=none", f"--user={STRANGER}:{STRANGER}"]
        shown = [f"--volume={here}:{there}" for here, there in (mounts or {}).items()]
        return self.must("podman", "run", *hard, *shown, *options, IMAGE, *command)

    def make_base(self) -> None:
        """A small Debian 12 from the packages that this machine installs from, unless it is there already."""
        if subprocess.run(["podman", "image", "exists", BASE], env=self.environment).returncode == 0:
            return
        sites = self.must("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").split()
        mirror = next(site for site in sites if site.rstrip("/").endswith("/debian"))
        context = self.folder / "base"
        context.mkdir(exist_ok=True)
        packages = ["--include=usr-is-merged,ca-certificates,python3,python3-venv", MERGED]
        what = ["--quiet", "--variant=minbase", *packages, *SLIM, "bookworm", str(context / "base.tar"), mirror]
        self.must("mmdebstrap", *what, SOURCE_DATE_EPOCH="0")
        (context / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        self.must("buildah", "build", "--timestamp", "0", "--tag", BASE, str(context))
        shutil.rmtree(context)
