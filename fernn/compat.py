"""Checkpoints that the paper's released code trained, as models of this library."""

from collections.abc import Mapping

from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor


def load_released(state_dict: Mapping[str, Tensor], kind: str, flow: Translation | str = "V2T") -> FERNNPredictor:
    """Build our model with the weights of a checkpoint of the released code.

    Args:
        state_dict: what the released code saved, read with `torch.load(path, weights_only=True)`.
        kind: "translating" (released `moving_mnist_fp`).
        flow: the generators the checkpoint was trained with (its `--v_range`: 0, 1, 2 is V0T, V1T, V2T). The weights do
            not tell; V2T is the released default.

    Returns:
        The model in evaluation mode; sizes are read off the weights.

    Raises:
        FernnError: if the kind is unknown or the weights are not of that kind.
    """
    if kind != "translating":
        raise FernnError(f"load_released(kind={kind!r}): expected 'translating'.")
    ours = {_rename(name): value for name, value in state_dict.items()}
    try:
        hidden, channels, kernel = ours["cell.U.weight"].shape[:3]
        decoder = sum(name.startswith("decoder.") for name in ours)
        model = FERNNPredictor(flow, channels, hidden, kernel, decoder_layers=decoder - 1)
        model.load_state_dict(ours)
    except (KeyError, RuntimeError, ValueError) as error:
        found = ", ".join(f"{name} {tuple(value.shape)}" for name, value in state_dict.items())
        raise FernnError(
            f"not a checkpoint of the released {kind} model: {error}\nFound: {found or 'nothing'}\n"
            "Expected: cell.conv_u.weight, cell.conv_h.weight, decoder_conv.0.weight, decoder_conv.2.weight, ..."
        ) from None
    return model.eval()


def _rename(name: str) -> str:
    return (
        name.replace("cell.conv_u.", "cell.U.").replace("cell.conv_h.", "cell.W.").replace("decoder_conv.", "decoder.")
    )
