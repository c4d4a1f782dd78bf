"""The 3D-CNN baseline of moving KTH."""

from typing import Any

from torch import Tensor, nn

from fernn.models.checks import check_clips, check_sizes
from fernn.models.norm import BatchNorm3d


class CNN3D(nn.Module):
    """3x3x3 convolutions with batch norm and ReLU, then a global average (paper, Section 5.2; released
    `Video3DCNNClassifier`).

    Args:
        base: channels of the first block; the next two stages have twice and four times as many.
        channels: channels of a frame.
        classes: number of actions.

    Raises:
        FernnError: for no channels or no classes.
    """

    def __init__(self, base: int = 16, channels: int = 1, classes: int = 6) -> None:
        super().__init__()
        check_sizes("CNN3D", base=base, channels=channels, classes=classes)
        self.config: dict[str, Any] = {"base": base, "channels": channels, "classes": classes}
        self.blocks = nn.Sequential(
            _block(channels, base, time=2),
            _block(base, 2 * base, space=2),
            _block(2 * base, 2 * base),
            _block(2 * base, 4 * base, space=2),
            _block(4 * base, 4 * base),
        )
        self.head = nn.Linear(4 * base, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Logits (B, classes) of clips (B, T, channels, H, W), as `FERNNClassifier.forward`."""
        check_clips("CNN3D", "clips", clips, self.config["channels"])
        clips = clips.to(next(self.parameters()).dtype)
        features: Tensor = self.blocks(clips.transpose(1, 2))
        logits: Tensor = self.head(features.mean((2, 3, 4)))
        return logits


def _block(inputs: int, outputs: int, time: int = 1, space: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride=(time, space, space), padding=1, bias=False),
        BatchNorm3d(outputs),
        nn.ReLU(),
    )
