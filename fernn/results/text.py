"""Names, numbers and tables for readers."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def math_name(name: str) -> str:
    """A model or flow in the paper's notation, for LaTeX and matplotlib: FERNN-V2T-x gives FERNN-$V_{2}^{T}$-x."""
    return re.sub(r"V(\d+)([A-Z])(?=$|-)", r"$V_{\1}^{\2}$", name)


def plus_minus(mean: float, std: float | None, decimals: int, latex: bool = False) -> str:
    """Mean and standard deviation (or None) with a common power of ten, such as (8.1 ± 0.6) × 10⁻³, text or LaTeX.

    A small deviation gets more than `decimals` digits, up to its first one.
    """
    if mean == 0 and std is None:
        return "$0$" if latex else "0"
    exponent = math.floor(math.log10(abs(mean))) if mean else 0

    def needed() -> int:
        return max(decimals, exponent - math.floor(math.log10(std))) if std else decimals

    if round(abs(mean) / 10.0**exponent, needed()) == 10:  # 9.996 becomes 1.00 of the next power
        exponent += 1
    decimals = needed()
    unit = 10.0**exponent
    digits, sign = f"{mean / unit:.{decimals}f}", r"\pm" if latex else "±"
    if std is not None:
        digits = f"({digits} {sign} {std / unit:.{decimals}f})"
    if latex:
        return rf"${digits} \times 10^{{{exponent}}}$"
    return f"{digits} × 10{str(exponent).translate(SUPERSCRIPTS)}"  # noqa: RUF001 (the sign is meant)


def fixed(mean: float, std: float | None, decimals: int, latex: bool = False) -> str:
    """Mean and standard deviation (or None) of a value between 0 and 1, such as 0.626 ± 0.020, text or LaTeX."""
    sign = r"\pm" if latex else "±"
    text = f"{mean:.{decimals}f}" + ("" if std is None else f" {sign} {std:.{decimals}f}")
    return f"${text}$" if latex else text


def as_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def escaped(text: str) -> str:
    """Text that a record may have brought, without HTML in Markdown."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)


def pipes(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return tabulate(
        [[escaped(cell).replace("|", "\\|") for cell in line] for line in lines],
        header,
        tablefmt="pipe",
        disable_numparse=True,
    )
