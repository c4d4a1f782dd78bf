"""The state of a training between two batches, in one file without pickles."""

import hashlib
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fernn.files import atomic


@dataclass
class Checkpoint:
    """The state of a training.

    Attributes:
        identity: digest of everything the result depends on.
        epoch: finished epochs.
        batch: finished batches of the current epoch.
        loss_sum: sum of those batches' losses, a float64 scalar on the training device.
        history: the measures of each validation; the last one of an epoch is at its end.
        best_epoch: the epoch with the smallest score so far, from 1; 0 before the first.
        best_score: its score.
        micro_batch: samples computed at a time; None for the whole batch.
        environments: of all processes that computed a part of it, oldest first.
        best_weights: of the best epoch; before the first epoch, the initial weights.
        tensors: weights, optimizer and random states as read from the file, for `restore`.
    """

    identity: str
    loss_sum: Tensor
    epoch: int = 0
    batch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = math.inf
    micro_batch: int | None = None
    environments: list[dict[str, Any]] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @classmethod
    def start(cls, identity: str, device: torch.device) -> "Checkpoint":
        """Before the first batch."""
        return cls(identity, torch.zeros((), dtype=torch.float64, device=device))

    @property
    def diverged(self) -> bool:
        """Whether the epoch that just ended has a measure that is not finite, which ends the training."""
        return self.batch == 0 and bool(self.history) and not all(map(math.isfinite, self.history[-1].values()))

    def end_epoch(self, measures: dict[str, float], score: float) -> None:
        """Count an epoch and keep its measures; it becomes the best if its score is smaller than all before."""
        self.epoch += 1
        self.batch = 0
        self.loss_sum.zero_()
        self.history.append(measures)
        if score < self.best_score:
            self.best_epoch, self.best_score = self.epoch, score

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Load the state that was read, if any, into model, optimizer and random generators."""
        if not self.tensors:
            return
        model.load_state_dict(self.tensors["model"])
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in self.tensors["optimizer"].items():
            index, _, slot = name.partition(".")
            slots.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
        for weight, moments in optimizer.state.items():  # fused Adam reads all of them in the weight's memory order
            for slot, value in moments.items():
                if value.shape == weight.shape:
                    moments[slot] = torch.empty_like(weight, requires_grad=False).copy_(value)
        torch.set_rng_state(self.tensors["random"]["cpu"].cpu())
        if "cuda" in self.tensors["random"]:
            torch.cuda.set_rng_state(self.tensors["random"]["cuda"].cpu())
        self.tensors = {}


def write_checkpoint(path: Path, state: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write the whole state to `path` atomically."""
    random = {"cpu": torch.get_rng_state()}
    if state.loss_sum.is_cuda:
        random["cuda"] = torch.cuda.get_rng_state()
    slots = optimizer.state_dict()["state"]
    groups = {
        "model": model.state_dict(),
        "best": state.best_weights,
        "optimizer": {f"{index}.{slot}": value for index, values in slots.items() for slot, value in values.items()},
        "random": random,
        "sum": {"loss": state.loss_sum},
    }
    tensors = {
        f"{group}/{name}": value.cpu().contiguous()
        for group, values in groups.items()
        for name, value in values.items()
    }
    names = ("identity", "epoch", "batch", "history", "best_epoch", "best_score", "micro_batch", "environments")
    about = {name: getattr(state, name) for name in names}
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"fernn": json.dumps({**about, "checksum": _checksum(about, tensors)})}))


class UnusableCheckpointError(Exception):
    """A checkpoint that cannot be resumed."""


def read_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """The state in `path`. UnusableCheckpointError if it is no checkpoint of this version, or corrupt."""
    groups: dict[str, dict[str, Tensor]] = {"best": {}}
    try:
        with safe_open(str(path), "pt", device="cpu") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {})["fernn"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        if about.pop("checksum") != _checksum(about, tensors):
            raise ValueError("its checksum is not that of its content")
        for key, value in tensors.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = value.to(device)
        return Checkpoint(**about, loss_sum=groups["sum"]["loss"], best_weights=groups["best"], tensors=groups)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UnusableCheckpointError(f"{error}") from None


def take_up(path: Path, identity: str, device: torch.device, say: Callable[[str], None]) -> Checkpoint | None:
    """The state of this training in `path`, or None if there is none.

    A corrupt checkpoint, or one of other params, code or data, is moved aside and reported, never overwritten. A
    checkpoint of this training that was moved aside before is moved back.
    """
    for left in path.parent.glob(".*.partial"):  # of a training that was killed while it wrote: we hold its lock
        left.unlink()
    own = aside(path, identity)
    state = None
    if path.exists():
        try:
            state = read_checkpoint(path, device)
            if state.identity == identity:
                return state
            to, why = aside(path, state.identity), "of other params, code or data"
        except UnusableCheckpointError as error:
            to, why = path.with_suffix(".corrupt"), f"corrupt, or of another version ({error})"
        path.replace(to)
        say(f"{path} is {why}: not used, and kept as {to}")
    if own.exists():
        own.replace(path)
        say(f"going on from {own}, which was set aside")
        return take_up(path, identity, device, say)
    return None


def discard(folder: Path) -> None:
    """Remove the files of a finished training in `folder`; checkpoints that were moved aside stay."""
    for name in ("checkpoint.safetensors", "pace.json"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or missing
        folder.rmdir()


def aside(path: Path, identity: str) -> Path:
    """Where a checkpoint of another training is kept until its params come back."""
    return path.with_name(f"{path.stem}-{identity}{path.suffix}")


def _checksum(about: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """A digest of everything in a checkpoint."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
