"""The names of the sets V of generators: V_k^T of the paper is "V2T" in params.yaml and file names, V_k^R "V4R"."""

import re
from collections.abc import Iterable

from fernn.errors import FernnError

TRANSLATION, ROTATION = r"^V\d+T$", r"^V\d+R$"
OF = {"T": " of translation", "R": " of rotation", "S": " of scaling", "X": " of shifts"}


def reach(flow: str, kind: str = "") -> int:
    """The k of V_k: how far the generators go along each axis, in steps.

    Args:
        flow: its name.
        kind: the letter that it must end in, such as "T" or "R", if given.

    Raises:
        FernnError: if it is the name of no flow, or of no flow of that kind.
    """
    match = re.fullmatch(rf"V(\d+){kind or '[A-Z]'}", flow)
    if match is None:
        every = f"V0{kind}, V1{kind}, V2{kind}, ... (V_k^{kind} of the paper)"
        such = every if kind else "a name such as V2T (V_2^T) or V4R (V_4^R)"
        raise FernnError(f"{flow!r} names no flow{OF.get(kind, '')}: expected {such}.")
    return int(match[1])


def check_told_apart(frame: int, flows: Iterable[str]) -> None:
    """Refuse translations that are the same in a frame of so many pixels, whose other side is next to this one.

    Raises:
        ValueError: if there are such.
    """
    for flow in sorted(flows):
        if 2 * reach(flow) >= frame:
            raise ValueError(
                f"{flow} has speeds of -{reach(flow)} to {reach(flow)} pixels per frame, which a frame of {frame} "
                f"pixels on a torus cannot tell apart; it can those of V{(frame - 1) // 2}T"
            )


def in_name(name: str) -> str | None:
    """The flow that stands in the name of a model, such as V2T in "FERNN-V2T"; None if there is none."""
    found = re.search(r"(?<![A-Za-z0-9])V\d+[A-Z](?![A-Za-z0-9])", name)
    return found[0] if found else None


def still(flow: str) -> str:
    """The name of V_0 of the same kind of flow, which holds no motion."""
    return f"V0{flow[-1]}"
