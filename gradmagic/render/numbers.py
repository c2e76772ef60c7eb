"""How numbers are written and tinted: the same everywhere in a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUS = "\u2212"


def format_number(value: float | complex, digits: int = 4) -> str:  # noqa: PYI041
    """``value`` with ``digits`` significant digits, a true minus, and no exponent where short."""
    if isinstance(value, complex):
        sign = "+" if value.imag >= 0 or math.isnan(value.imag) else MINUS
        imaginary = format_number(abs(value.imag), digits)
        return f"{format_number(value.real, digits)} {sign} {imaginary}i"
    value = float(value)
    if not math.isfinite(value):
        return str(value).replace("-", MINUS)
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])  # after rounding: 0.0099999 is 0.01
    if -4 <= exponent < max(digits, 6):
        text = f"{value:.{max(0, digits - 1 - exponent)}f}"
    else:
        mantissa, power = f"{value:.{digits - 2}e}".split("e")
        text = f"{mantissa}e{int(power)}"
    return text.replace("-", MINUS)


def format_column(values: Iterable[float], decimals: int = 3) -> list[str]:
    """``values`` with as many decimals each, so that they align: for the cells of one table.

    Where fixed decimals would hide or overflow what is there, each is written as
    :func:`format_number` does.
    """
    values = list(values)
    sizes = [abs(v) for v in values if math.isfinite(v) and v]
    fixed = not sizes or (max(sizes) < 1e4 and max(sizes) >= 10 ** (1 - decimals))
    if not fixed:
        return [format_number(v, 3) for v in values]
    written = []
    for value in values:
        if not math.isfinite(value):
            written.append(str(value).replace("-", MINUS))
            continue
        text = f"{value:.{decimals}f}"
        if value and not text.strip("-0."):  # not zero, though it would read so
            text = format_number(value, 2)
        elif not text.strip("-0."):
            text = text.lstrip("-")
        written.append(text.replace("-", MINUS))
    return written


def tint(value: float, largest: float) -> tuple[str, int]:
    """CSS class and percentage (``--t``) of a cell: the sign, and the root of the size.

    ``p`` above zero, ``n`` below, ``z`` zero, ``x`` NaN or infinite. The root makes small entries
    visible beside large ones (a power norm with exponent 1/2, centred at 0). The browser mixes the
    colour, so that it fits the theme that the page has then.
    """
    if not math.isfinite(value):
        return "x", 100
    if value == 0 or not largest:
        return "z", 0
    share = round(100 * math.sqrt(min(1.0, abs(value) / largest)))
    return ("p" if value > 0 else "n"), max(share, 1)
