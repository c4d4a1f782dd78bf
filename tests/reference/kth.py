"""Reference implementation of moving KTH: the paper's equations in the lab frame, and clips moved frame by frame.

The stem is called at each step, with PyTorch's own batch norm; clips are moved by convolutions with one-hot kernels.
Tests hold the library to it, and the benchmark measures what the library gains.
"""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.datasets.moving_clips import Clips
from fernn.models import FERNNClassifier, GRNNPlusClassifier
from tests.reference.translation import circular_conv, moved


class PlainClassifier(nn.Module):
    """The network of a `FERNNClassifier` or a `GRNNPlusClassifier`, with a copy of its weights and statistics.

    Its parameters are named as theirs, but for those of the stem.
    """

    def __init__(self, model: FERNNClassifier | GRNNPlusClassifier) -> None:
        super().__init__()
        self.flow = model.flow
        layers: list[nn.Module] = []
        for convolution, norm in zip(model.stem.convolutions, model.stem.norms, strict=True):
            own = nn.BatchNorm2d(norm.num_features).to(norm.weight)
            own.load_state_dict(norm.state_dict())
            layers += [copy.deepcopy(convolution), own, nn.ReLU()]
        self.stem = nn.Sequential(*layers)
        self.W, self.head = copy.deepcopy(model.W), copy.deepcopy(model.head)
        self.kernels = copy.deepcopy(getattr(model, "kernels", None))
        self.train(model.training).to(memory_format=torch.contiguous_format)

    def forward(self, clips: Tensor, return_states: bool = False) -> Any:
        """Clips (B, T, channels, H, W) to logits (B, classes), and to the hidden states h_1 ... h_T if they are wanted.

            h_{t+1}(nu) = tanh( W * psi_1(nu).h_t(nu) + stem(f_t) ),    h_0 = 0

        The states are (B, T, V, C, H, W). For the G-RNN+, a learned kernel for each nu stands in place of psi_1(nu).
        """
        batch, _, _, height, width = clips.shape
        hidden = clips.new_zeros(batch, len(self.flow), self.W.out_channels, height, width)
        states = []
        for frame in clips.unbind(1):
            shifted = self._shifted(hidden)
            recurrent = circular_conv(shifted.flatten(0, 1), self.W.weight).unflatten(0, shifted.shape[:2])
            hidden = torch.tanh(recurrent + self.stem(frame).unsqueeze(1))
            states.append(hidden)
        logits = self.head(hidden.max(1).values.mean((2, 3)))
        return (logits, torch.stack(states, 1)) if return_states else logits

    def _shifted(self, hidden: Tensor) -> Tensor:
        if self.kernels is None:
            return torch.stack([moved(hidden[:, i], nu, 1) for i, nu in enumerate(self.flow.generators)], 1)
        channels = hidden.shape[2]
        alike = [kernel.expand(channels, -1, -1, -1) for kernel in self.kernels]  # the same for every channel
        border = (self.flow.k,) * 4
        around = [F.pad(hidden[:, i], border, mode="circular") for i in range(len(alike))]
        return torch.stack(
            [F.conv2d(maps, kernel, groups=channels) for maps, kernel in zip(around, alike, strict=True)], 1
        )


def shifted_by_convolution(image: Tensor, x: int, y: int) -> Tensor:
    """An image (H, W) moved by (x, y) on the torus: a convolution with a kernel that is one at one place."""
    reach = max(abs(x), abs(y))
    kernel = torch.zeros(1, 1, 2 * reach + 1, 2 * reach + 1)
    kernel[0, 0, reach - y, reach - x] = 1  # a pixel looks at the place that it comes from
    return F.conv2d(F.pad(image[None, None], (reach,) * 4, mode="circular"), kernel)[0, 0]


def clip_one(frames: Tensor, clips: Clips, index: int, length: int, stride: int) -> Tensor:
    """One moved clip (T, 1, H, W), as the `__getitem__` of a data set makes it."""
    first = int(clips.first[index])
    vx, vy = clips.velocity[index].tolist()
    still = frames[first : first + length * stride : stride].float() / 255
    clip = torch.stack([shifted_by_convolution(frame, t * vx, t * vy) for t, frame in enumerate(still)])
    return (clip.flip(-1) if clips.flip[index] else clip).unsqueeze(1)


def serve(frames: Tensor, clips: Clips, length: int, stride: int) -> Tensor:
    """All moved clips (B, T, 1, H, W), one after the other."""
    return torch.stack([clip_one(frames, clips, index, length, stride) for index in range(len(clips))])
