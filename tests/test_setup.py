"""`make setup` finds a Python that fits, or says what helps on this system; PATHs are made for each test."""

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fernn.pipeline.doctor import NEWEST, OLDEST
from tests.programs import program

ROOT = Path(__file__).parents[1]


class Machine:
    """A PATH of its own, with the Pythons that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.venv = folder / "Umgebung für uns/venv"  # a name with blanks and an umlaut
        self.bin.mkdir()
        for tool in ("sh", "basename", "uname"):
            (self.bin / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}")
        self.system("debian", "12")

    def system(self, name: str, version: str) -> None:
        (self.folder / "os-release").write_text(f'ID={name}\nVERSION_ID="{version}"\n')

    def program(self, name: str, text: str) -> None:
        program(self.bin / name, text)

    def python(self, name: str, version: str, ensurepip: bool = True, prefix: str = "/usr") -> None:
        """This Python, made to believe that it is another."""
        parts = tuple(map(int, version.split(".")))
        believes = (
            f"import sys, platform; sys.version_info = {parts}; sys.prefix = {prefix!r}; "
            f"platform.python_version = lambda: {version!r}; "
            + ("" if ensurepip else "sys.modules['ensurepip'] = None; ")
            + "exec(sys.argv[1])"
        )
        real = shlex.quote(sys.executable)
        self.program(
            name,
            f'if [ "$1" = -c ]; then exec {real} -c {shlex.quote(believes)} "$2"; fi\n'
            f'if [ "$1" = --version ]; then echo Python {version}; exit; fi\n'
            f'echo "{name}: $*"; exec {real} "$@"',
        )

    def make_venv(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script that `make setup` calls."""
        given = {"PATH": str(self.bin), "OS_RELEASE": str(self.folder / "os-release"), "HOME": os.environ["HOME"]}
        command = [str(ROOT / "requirements/make-venv"), str(self.venv)]
        return subprocess.run(command, env=given | variables, capture_output=True, text=True)

    def refused(self, **variables: str) -> str:
        """What the script says when it can make none."""
        done = self.make_venv(**variables)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("system", "helps"),
    [
        (("debian", "11"), "install uv"),  # its own Python is 3.9
        (("debian", "12"), "apt-get install python3 python3-venv"),
        (("ubuntu", "22.04"), "install uv"),  # 3.10
        (("ubuntu", "26.04"), "apt-get install python3 python3-venv"),
        (("fedora", "43"), "dnf install python3.12"),
        (("arch", ""), "install uv"),
    ],
)
def test_no_python_at_all(machine: Machine, system: tuple[str, str], helps: str) -> None:
    machine.system(*system)
    message = machine.refused()
    assert "this needs Python 3.11 to 3.14, and none is on the PATH (looked for: python3 python3.14" in message
    assert f"What helps here: {helps}" in message


@pytest.mark.parametrize(("name", "version"), [("python3", "3.10.13"), ("python3", "3.15.0"), ("python3.11", "3.9.2")])
def test_only_one_that_does_not_fit(machine: Machine, name: str, version: str) -> None:
    machine.system("debian", "11")
    machine.python(name, version)
    message = machine.refused()
    assert f"this needs Python 3.11 to 3.14, and {name} is {version}." in message
    assert "install uv" in message
    assert "apt-get" not in message  # what was just refused is not recommended
    assert not machine.venv.exists()


def test_one_without_ensurepip(machine: Machine) -> None:
    machine.python("python3", "3.10.1")
    machine.python("python3.13", "3.13.5", ensurepip=False)
    message = machine.refused()
    assert message.startswith("python3.13 cannot make virtual environments: its module ensurepip is missing.")
    assert "apt-get install python3.13-venv" in message
    machine.python("python3.13", "3.13.5", ensurepip=False, prefix="/opt/python")  # of no package
    assert "apt-get" not in machine.refused()


def test_the_one_that_is_named(machine: Machine) -> None:
    machine.python("python3", "3.12.0")
    machine.python("mine", "3.10.2")
    assert "and mine is 3.10.2." in machine.refused(PYTHON="mine")
    assert "none is on the PATH (looked for: yours)" in machine.refused(PYTHON="yours")


def test_the_first_that_fits(machine: Machine) -> None:
    machine.python("python3", "3.10.2")
    machine.python("python3.14", "3.14.0", ensurepip=False)
    machine.python("python3.12", "3.12.1")
    done = machine.make_venv()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"with Python 3.12.1\npython3.12: -m venv --clear {machine.venv}" in done.stdout
    assert (machine.venv / "bin/python").exists()


def test_uv_finds_or_brings_one(machine: Machine) -> None:
    machine.python("python3", "3.10.2")
    for tool in ("mkdir", "ln"):
        machine.program(tool, f'exec /bin/{tool} "$@"')
    machine.python("python", "3.13.0")
    made = 'mkdir -p "$folder/bin"; ln -s "$(command -v python)" "$folder/bin/python"'
    machine.program("uv", f'echo "uv $*"; for folder; do :; done; {made}')
    done = machine.make_venv()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"uv venv --quiet --clear --seed --python >=3.11,<3.15 {machine.venv}",
        f"Set up {machine.venv} with Python 3.13.0, by uv",
    ]


def test_uv_needs_no_ensurepip(machine: Machine) -> None:
    machine.python("python3", "3.13.0", ensurepip=False)
    machine.program("uv", 'echo "uv $*" >&2; exit 2')
    message = machine.refused()
    assert f"uv venv --quiet --clear --seed --python python3 {machine.venv}" in message
    assert "apt-get install python3 python3-venv" in message


def test_one_range_of_pythons() -> None:
    """What pyproject.toml, the set-up, `fernn doctor`, the check of the locks and the README say."""
    (_, first), (_, last) = OLDEST, NEWEST
    minors = range(first, last + 1)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">=3.{first},<3.{last + 1}"
    named = [line for line in project["classifiers"] if ":: 3." in line]
    assert named == [f"Programming Language :: Python :: 3.{minor}" for minor in minors]
    script = (ROOT / "requirements/make-venv").read_text()
    assert f'RANGE="3.{first} to 3.{last}"' in script
    assert f"(3, {first}) <= sys.version_info < (3, {last + 1})" in script
    assert f">=3.{first},<3.{last + 1}}}" in script
    assert f"for version in {' '.join(f'3.{minor}' for minor in minors)};" in (ROOT / "Makefile").read_text()
    for page in ("README.md", "docs/cluster.md"):
        assert f"Python 3.{first} to 3.{last}" in (ROOT / page).read_text()


PIP = """\
echo "noise of pip: $*"; env > .venv/environment
case "$*" in *torch.txt) exit "${STATUS:-0}" ;; esac
"""


@pytest.fixture
def checkout(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The Makefile with a pip that only says how it was called, and a user's settings that point elsewhere."""
    for name in ("Makefile", "pyproject.toml", "requirements", "docker"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, machine.folder / name)
    machine.program("pip", PIP)
    made = "mkdir -p .venv/bin && ln -s ../../bin/pip .venv/bin/python"
    program(machine.folder / "requirements/make-venv", made)
    (machine.folder / "away/docker").mkdir(parents=True)
    for name in ("PIP_USER", "PIP_REQUIRE_HASHES"):
        monkeypatch.setenv(name, "1")
    for name in ("PIP_TARGET", "PIP_PREFIX", "CDPATH"):
        monkeypatch.setenv(name, str(machine.folder / "away"))
    monkeypatch.setenv("PIP_INDEX_URL", "file:///index")
    return machine


def make_setup(checkout: Machine) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "setup"], cwd=checkout.folder, capture_output=True, text=True)


def test_packages_go_into_the_environment_and_words_into_the_log(checkout: Machine) -> None:
    done = make_setup(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert "noise" not in done.stdout
    assert (checkout.folder / ".venv/setup.log").read_text().count("noise of pip: -I -m pip") == 4
    given = (checkout.folder / ".venv/environment").read_text().splitlines()
    assert {"PIP_USER=0", "PIP_INDEX_URL=file:///index"} <= {*given}
    assert not [line for line in given if line.endswith("/away") or line.startswith("PIP_REQUIRE_HASHES")]


def test_a_set_up_that_fails_shows_the_end_of_its_log(checkout: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATUS", "1")
    failed = make_setup(checkout)
    assert failed.returncode
    assert "torch.txt\nThe set-up ended early: pip could not install a package." in failed.stderr
    assert not (checkout.folder / ".venv/packages.done").exists()


def test_the_image_is_built_here_whatever_cdpath_says(checkout: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.program("buildah", "pwd")
    monkeypatch.setenv("PATH", f"{checkout.bin}:{os.environ['PATH']}")
    built = subprocess.run(
        ["docker/build"],
        cwd=checkout.folder,
        env={**os.environ, "IMAGE_ENGINE": "buildah"},
        capture_output=True,
        text=True,
    )
    assert built.stdout == f"{checkout.folder}\n", built.stderr
