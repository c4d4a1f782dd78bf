"""Checkpoints that the paper's released code trained, as models of this library."""

import re
from collections.abc import Callable, Mapping
from math import isqrt
from typing import Any

from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.rotation import Rotation
from fernn.flows.translation import Translation
from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D
from fernn.models.predictor import FERNNPredictor
from fernn.models.rotation.predictor import RotationPredictor
from fernn.models.storage import channels_last, load_weights

Weights = dict[str, Tensor]
Flow = Translation | Rotation | str | None


def load_released(state_dict: Mapping[str, Tensor], kind: str, flow: Flow = None) -> nn.Module:
    """Build our model with the weights of a checkpoint of the released code.

    Args:
        state_dict: what the released code saved, read with `torch.load(path, weights_only=True)`.
        kind: "translating" (released `moving_mnist_fp`), "rotating" (released `rotating_mnist_fp`) or "kth" (released
            `kth`, whichever of its models).
        flow: the generators that it was trained with, where its weights do not tell; the default is the released one.
            translating: V2T (its `--v_range`: 0, 1, 2 is V0T, V1T, V2T). rotating: V4R (its `--v_list`), a name for
            turns of 10 degrees, or a `Rotation`. Checkpoints of kth tell by themselves; a flow that contradicts them is
            refused.

    Returns:
        The model in evaluation mode; sizes and precision are read off the weights.

    Raises:
        FernnError: if the kind is unknown or the weights are not of that kind.
    """
    if kind not in _KINDS:
        raise FernnError(f"load_released(kind={kind!r}): expected one of {', '.join(_KINDS)}.")
    build, expected = _KINDS[kind]
    if not isinstance(state_dict, Mapping):
        raise FernnError(f"load_released got a {type(state_dict).__name__}: expected the weights of a model by name.")
    try:
        return channels_last(build(dict(state_dict), flow)).eval()
    except (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError, IndexError) as error:
        found = ", ".join(
            f"{name} {tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__}"
            for name, value in state_dict.items()
        )
        raise FernnError(
            f"not a checkpoint of the released {kind} model: {error}\nFound: {found or 'nothing'}\nExpected: {expected}"
        ) from None


def _translating(weights: Weights, flow: Flow) -> nn.Module:
    ours = _renamed(weights, {"cell.conv_u.": "cell.U.", "cell.conv_h.": "cell.W.", "decoder_conv.": "decoder."})
    hidden, channels, kernel = ours["cell.U.weight"].shape[:3]
    decoder = sum(name.startswith("decoder.") for name in ours)
    model = FERNNPredictor(_of(Translation, flow, "V2T"), channels, hidden, kernel, decoder_layers=decoder - 1)
    return load_weights(model, ours)


def _rotating(weights: Weights, flow: Flow) -> nn.Module:
    # what else escnn keeps follows from the sizes: its samples of the basis, and in evaluation the expanded filters
    lifting, regular = (weights[_SAMPLES.format(cell, source)] for cell, source in (("u", "irrep_0"), ("h", "regular")))
    ours = _renamed(weights, {"cell.conv_u.": "cell.U.", "cell.conv_h.": "cell.W.", "decoder_conv.": "decoder."})
    ours = {name: value for name, value in ours.items() if name.startswith("decoder.") or name.endswith(".weights")}
    fields = isqrt(ours["cell.W.weights"].numel() // len(regular))
    model = RotationPredictor(
        _of(Rotation, flow, "V4R"),
        fields=fields,
        group_order=regular.shape[1],
        channels=ours["cell.U.weights"].numel() // len(lifting) // fields,
        kernel_size=isqrt(regular.shape[-1]),
        decoder_layers=sum(name.startswith("decoder.") for name in ours) - 1,
    )
    return load_weights(model, ours)


def _of(kind: Any, flow: Flow, default: str) -> Any:
    """The flow as one of that kind."""
    if not isinstance(flow, str | None | kind):
        raise ValueError(f"its flow is a {kind.__name__}, not {flow!r}")
    return kind.of(default if flow is None else flow)


def _kth(weights: Weights, flow: Flow) -> nn.Module:
    if "st1.0.weight" in weights:
        return _cnn3d(weights, flow)
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
    if flow is not None and _of(Translation, flow, "") != Translation(k):
        raise ValueError(f"its {generators} generators are those of {Translation(k).name}, not of {flow}")
    layers = [ours[f"stem.convolutions.{layer}.weight"] for layer in range(3)]
    model = (GRNNPlusClassifier if shifts is None else FERNNClassifier)(
        Translation(k),
        stem_channels=[len(layer) for layer in layers],
        stem_kernels=[layer.shape[-1] for layer in layers],
        kernel_size=ours["W.weight"].shape[-1],
        channels=layers[0].shape[1],
        classes=len(ours["head.weight"]),
    )
    return load_weights(model, ours)


def _cnn3d(weights: Weights, flow: Flow) -> nn.Module:
    if flow is not None:
        raise ValueError(f"a 3D-CNN has no flow, such as {flow}")
    order = ["st1.", "st2.0.", "st2.1.", "st3.0.", "st3.1."]
    ours = _renamed(weights, {old: f"blocks.{number}." for number, old in enumerate(order)})
    base, channels = ours["blocks.0.0.weight"].shape[:2]
    model = CNN3D(base, channels, classes=len(ours["head.weight"]))
    return load_weights(model, ours)


def _renamed(weights: Weights, prefixes: Mapping[str, str]) -> Weights:
    pattern = re.compile("^(" + "|".join(re.escape(old) for old in sorted(prefixes, key=len, reverse=True)) + ")")
    return {pattern.sub(lambda match: prefixes[match[0]], name): value for name, value in weights.items()}


_SAMPLES = "cell.conv_{}._basisexpansion.block_expansion_('{}', 'regular').sampled_basis"
_KINDS: dict[str, tuple[Callable[[Weights, Flow], nn.Module], str]] = {
    "translating": (_translating, "cell.conv_u.weight, cell.conv_h.weight, decoder_conv.0.weight, ..."),
    "rotating": (_rotating, "cell.conv_u.weights, cell.conv_h.weights, decoder_conv.0.weight, ..."),
    "kth": (_kth, "lstm.conv_u_first.0.weight, lstm.conv_h_layers.0.0.weight, fc.weight, ... or st1.0.weight, ..."),
}
