"""The names of the sets V of generators: V_k^T of the paper is "V2T" in params.yaml and file names, V_k^R "V4R"."""

import re

from fernn.errors import FernnError

TRANSLATION, ROTATION = r"^V\d+T$", r"^V\d+R$"
OF = {"": "", "T": " of translation", "R": " of rotation"}


def reach(flow: str, kind: str = "") -> int:
    """The k of V_k: how far the generators go along each axis, in steps.

    Args:
        flow: its name.
        kind: the letter that it must end in, "T" or "R", if given.

    Raises:
        FernnError: if it is the name of no flow, or of no flow of that kind.
    """
    match = re.fullmatch(rf"V(\d+){kind or '[A-Z]'}", flow)
    if match is None:
        every = f"V0{kind}, V1{kind}, V2{kind}, ... (V_k^{kind} of the paper)"
        such = every if kind else "a name such as V2T (V_2^T) or V4R (V_4^R)"
        raise FernnError(f"{flow!r} names no flow{OF[kind]}: expected {such}.")
    return int(match[1])


def still(flow: str) -> str:
    """The name of V_0 of the same kind of flow, which holds no motion."""
    return f"V0{flow[-1]}"
