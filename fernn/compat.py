"""Checkpoints that the paper's released code trained, as models of this library."""

import re
from collections.abc import Callable, Mapping
from math import isqrt

from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.translation import Translation
from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D
from fernn.models.predictor import FERNNPredictor

Weights = dict[str, Tensor]


def load_released(state_dict: Mapping[str, Tensor], kind: str, flow: Translation | str = "V2T") -> nn.Module:
    """Build our model with the weights of a checkpoint of the released code.

    Args:
        state_dict: what the released code saved, read with `torch.load(path, weights_only=True)`.
        kind: "translating" (released `moving_mnist_fp`) or "kth" (released `kth`, whichever of its models).
        flow: the generators that a translating checkpoint was trained with (its `--v_range`: 0, 1, 2 is V0T, V1T, V2T).
            Its weights do not tell; V2T is the released default. Checkpoints of kth tell by themselves.

    Returns:
        The model in evaluation mode; sizes are read off the weights.

    Raises:
        FernnError: if the kind is unknown or the weights are not of that kind.
    """
    if kind not in _KINDS:
        raise FernnError(f"load_released(kind={kind!r}): expected one of {', '.join(_KINDS)}.")
    build, expected = _KINDS[kind]
    try:
        return build(dict(state_dict), flow).eval()
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        found = ", ".join(f"{name} {_shape(value)}" for name, value in state_dict.items())
        raise FernnError(
            f"not a checkpoint of the released {kind} model: {error}\nFound: {found or 'nothing'}\nExpected: {expected}"
        ) from None


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _translating(weights: Weights, flow: Translation | str) -> nn.Module:
    ours = _renamed(weights, {"cell.conv_u.": "cell.U.", "cell.conv_h.": "cell.W.", "decoder_conv.": "decoder."})
    hidden, channels, kernel = ours["cell.U.weight"].shape[:3]
    decoder = sum(name.startswith("decoder.") for name in ours)
    model = FERNNPredictor(flow, channels, hidden, kernel, decoder_layers=decoder - 1)
    model.load_state_dict(ours)
    return model


def _kth(weights: Weights, flow: Translation | str) -> nn.Module:
    return _cnn3d(weights) if "st1.0.weight" in weights else _recurrent(weights)


def _recurrent(weights: Weights) -> nn.Module:
    # the released stem counts convolution, norm, activation; only the first layer of hidden maps is used in the paper
    stem = {f"lstm.conv_u_first.{3 * layer}.": f"stem.convolutions.{layer}." for layer in range(3)}
    stem |= {f"lstm.conv_u_first.{3 * layer + 1}.": f"stem.norms.{layer}." for layer in range(3)}
    names = {"lstm.conv_h_layers.0.0.": "W.", "lstm.learned_kernels": "kernels", "fc.": "head."}
    ours = _renamed(weights, stem | names)
    # fixed shifts are a buffer there; here the flow knows them. V is symmetric, so their order plays no part
    shifts = ours.pop("lstm.shift_kernels", None)
    generators = len(ours["kernels"] if shifts is None else shifts)
    k = (isqrt(generators) - 1) // 2
    if generators != (2 * k + 1) ** 2:
        raise ValueError(f"{generators} generators are no V_k^T, which has 1, 9, 25, ...")
    layers = [ours[f"stem.convolutions.{layer}.weight"] for layer in range(3)]
    model = (GRNNPlusClassifier if shifts is None else FERNNClassifier)(
        Translation(k),
        stem_channels=[len(layer) for layer in layers],
        stem_kernels=[layer.shape[-1] for layer in layers],
        kernel_size=ours["W.weight"].shape[-1],
        channels=layers[0].shape[1],
        classes=len(ours["head.weight"]),
    )
    model.load_state_dict(ours)
    return model


def _cnn3d(weights: Weights) -> nn.Module:
    order = ["st1.", "st2.0.", "st2.1.", "st3.0.", "st3.1."]
    ours = _renamed(weights, {old: f"blocks.{number}." for number, old in enumerate(order)})
    base, channels = ours["blocks.0.0.weight"].shape[:2]
    model = CNN3D(base, channels, classes=len(ours["head.weight"]))
    model.load_state_dict(ours)
    return model


def _renamed(weights: Weights, prefixes: Mapping[str, str]) -> Weights:
    pattern = re.compile("^(" + "|".join(re.escape(old) for old in sorted(prefixes, key=len, reverse=True)) + ")")
    return {pattern.sub(lambda match: prefixes[match[0]], name): value for name, value in weights.items()}


_KINDS: dict[str, tuple[Callable[[Weights, Translation | str], nn.Module], str]] = {
    "translating": (_translating, "cell.conv_u.weight, cell.conv_h.weight, decoder_conv.0.weight, ..."),
    "kth": (_kth, "lstm.conv_u_first.0.weight, lstm.conv_h_layers.0.0.weight, fc.weight, ... or st1.0.weight, ..."),
}
