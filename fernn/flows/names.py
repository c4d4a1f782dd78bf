"""The names of the sets V of generators: V_k^T of the paper is "V2T" in params.yaml and file names, V_k^R "V4R"."""

import re

from fernn.errors import FernnError

TRANSLATION, ROTATION = r"^V\d+T$", r"^V\d+R$"


def reach(flow: str) -> int:
    """The k of V_k: how far the generators go along each axis, in steps.

    Raises:
        FernnError: if it is the name of no flow.
    """
    match = re.fullmatch(r"V(\d+)[A-Z]", flow)
    if match is None:
        raise FernnError(f"{flow!r} names no flow: expected a name such as V2T (V_2^T) or V4R (V_4^R).")
    return int(match[1])


def still(flow: str) -> str:
    """The name of V_0 of the same kind of flow, which holds no motion."""
    return f"V0{flow[-1]}"
