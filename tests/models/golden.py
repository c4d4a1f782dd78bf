"""Reference vectors: what the authors' released code computed from random weights, in float32."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parents[1] / "golden"


class Golden:
    """The arrays of a file in tests/golden; those of a group, such as the weights, are named by a prefix."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as file:
            self.arrays = {key: torch.from_numpy(file[key]) for key in file.files}

    def group(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in self.arrays.items() if name.startswith(prefix)}

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]
