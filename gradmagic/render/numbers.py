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


def format_entry(value: float, decimals: int = 4) -> str:
    """A number of a column that changes while one looks: fixed decimals, so that it stands still.

    Below 0.001 as TensorFlow writes it (``4.0e-4``), from 10 on with fewer decimals.
    """
    value = float(value)
    size = abs(value)
    if not math.isfinite(value):
        text = str(value)
    elif size == 0:
        text = "0"
    elif size < 1e-3 or size >= 1e6:
        mantissa, power = f"{value:.1e}".split("e")
        text = f"{mantissa}e{int(power)}"
    elif size >= 1000:
        text = f"{value:.0f}"
    else:
        text = f"{value:.{1 if size >= 100 else min(decimals, 2) if size >= 10 else decimals}f}"
    return text.replace("-", MINUS)


def say_number(value: float) -> str:
    """A size in a sentence: ``1.41``, ``0.0004``, ``8 × 10⁻¹⁰``; no more digits than one hears."""
    if value == 0 or not math.isfinite(value):
        return str(value).removesuffix(".0")
    mantissa, power = f"{value:.0e}".split("e")
    exponent = int(power)
    if value >= 0.1:
        return f"{value:.2f}"
    if exponent >= -5:
        return f"{value:.{-exponent if exponent < -3 else 1 - exponent}f}"
    return _raise(mantissa, exponent)


def say_times(ratio: float) -> str:
    """How many times larger, in two digits: ``6.8``, ``3,600``, ``2 × 10⁷``; empty for NaN, inf."""
    if not math.isfinite(ratio):
        return ""
    if ratio < 10:
        return f"{ratio:.1f}"
    if ratio < 1e6:
        return f"{int(float(f'{ratio:.1e}')):,}"
    mantissa, power = f"{ratio:.0e}".split("e")
    return _raise(mantissa, int(power))


def _raise(mantissa: str, exponent: int) -> str:
    """A power of ten with small figures."""
    power = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{power}" if mantissa == "1" else f"{mantissa} × 10{power}"
