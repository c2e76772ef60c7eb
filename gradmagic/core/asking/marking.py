"""Whether an answer is right: never wrong where it can be read as right.

``widgets/asking/marking.js`` does the same without a kernel; one table of cases runs through both.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmagic.core.asking.records import Question, Verdict

RIGHT = 0.02  # relative distance from the truth within which a number is right
CLOSE = 0.2  # and close
ROUGH = 0.1  # relative: how far half a unit goes at most where there is an exponent
_SLACK = 1e-9  # relative: 0.3 is half a unit from 0.25 in decimals, not quite so in binary

_WORDS = {
    "none": "none", "null": "none", "nogradient": "none", "无": "none", "没有": "none",
    "没有梯度": "none", "无梯度": "none", "nan": "nan", "inf": "inf", "infinity": "inf", "∞": "inf",
    "无穷": "inf", "无穷大": "inf", "正无穷": "inf", "负无穷": "-inf",
}  # fmt: skip
_PLAIN = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63", "-"),
    "。": ".", "、": ",", "×": "*", "·": "*", "⋅": "*", "÷": "/", "\u2044": "/",
}  # fmt: skip
_SMALL = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_PLAIN_TABLE = str.maketrans(_PLAIN)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?")
_PART = re.compile(r"(\d)\s*([¼-¾⅐-⅞])")
_MIXED_TYPED = re.compile(r"(\d)\s+([1-9]\d?)\s*/\s*(\d)")  # three digits are thousands
_MIXED = re.compile(r"([+-]?)(\d+)&(\d+)/(\d+)")
_POWER = re.compile(r"(?:([+-]?[\d.]+)[*x]|([+-]?))10(?:\^|\*\*)\(?([+-]?\d+)\)?")


@dataclass(frozen=True)
class _Reading:
    """A number as it was typed, and half a unit of its last digit."""

    value: float
    half: float


def mark(question: Question, value: str) -> Verdict:
    """The verdict on an answer; ``skipped`` where it cannot be read as one.

    Parameters
    ----------
    question
        The question.
    value
        A value of its choices, an entry such as ``"1,2"``, or a number as it was typed.
    """
    plain = simplify(value)
    if value in question.right or plain in question.right:
        return "right"
    known = any(choice.value in {value, plain} for choice in question.choices)
    if question.kind != "number":
        is_entry = question.kind == "entry" and re.fullmatch(r"\d+(,\d+)*", plain)
        return "wrong" if known or is_entry else "skipped"
    readings = _read(plain)
    if not readings:
        return "wrong" if known or plain in {"none", "nan", "inf", "-inf"} else "skipped"
    if question.number is None or not math.isfinite(question.number):
        zero = "0" in question.right and any(one.value == 0 for one in readings)
        return "right" if zero else "wrong"
    verdicts = [_compare(one, question.number, question.right) for one in readings]
    return min(verdicts, key=("right", "close", "wrong").index)


def simplify(text: str) -> str:
    """An answer in plain letters: no blanks, no brackets around it, digits of any width, one minus.

    A mixed fraction becomes ``1&1/2``. Words for no gradient, NaN and infinity become ``none``,
    ``nan``, ``inf`` and ``-inf``.
    """
    text = re.sub("[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda run: "^" + run[0].translate(_SMALL), text)
    text = _PART.sub(r"\1 \2", text)  # NFKC alone would make 11/2 of 1½
    text = unicodedata.normalize("NFKC", text.translate(_PLAIN_TABLE)).translate(_PLAIN_TABLE)
    text = _MIXED_TYPED.sub(r"\1&\2/\3", text)
    text = re.sub(r"\s", "", text).lower()
    text = re.sub(r"^[≈~=]+", "", text)
    text = re.sub(r"^[\[(](.*)[\])]$", r"\1", text)
    sign, bare = ("-", text[1:]) if text.startswith("-") else ("", text.removeprefix("+"))
    word = _WORDS.get(bare)
    if word is None:
        return text
    return sign + word if word == "inf" else word


def _read(plain: str) -> list[_Reading]:
    """What a text can mean: ``1,234`` is a decimal fraction in one country, not in another."""
    texts = [plain]
    if "," in plain:
        texts = [plain.replace(",", ".")] if plain.count(",") == 1 and "." not in plain else []
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", plain):
            texts.append(plain.replace(",", ""))
    return [reading for text in texts if (reading := _read_one(text)) is not None]


def _read_one(text: str) -> _Reading | None:
    if text.endswith("%"):
        share = _read_one(text[:-1])
        return share and _Reading(share.value / 100, share.half / 100)
    mixed = _MIXED.fullmatch(text)
    if mixed is not None:
        whole, part = _read_one(mixed[2]), _divide(mixed[3], mixed[4])
        if whole is None or part is None:
            return None
        size = whole.value + part.value
        return _Reading(-size if mixed[1] == "-" else size, 0.0)
    if text.count("/") == 1:
        return _divide(*text.split("/"))
    power = _POWER.fullmatch(text)
    if power is not None:
        return _read_one(f"{power[1] or (power[2] or '') + '1'}e{power[3]}")
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) > 40:
        return None
    exponent = int(found[3] or 0)
    decimals = len(found[1] or found[2] or "")
    value = float(text)
    if abs(exponent) > 300 or math.isinf(value):
        return None
    half = 0.5 * 10.0 ** (exponent - decimals)
    return _Reading(value, half if found[3] is None else min(half, ROUGH * abs(value)))


def _divide(dividend: str, divisor: str) -> _Reading | None:
    """A fraction; None where it cannot be read, or is beyond what a float can be."""
    above, below = _read_one(dividend), _read_one(divisor)
    if above is None or below is None or below.value == 0:
        return None
    value = above.value / below.value
    if math.isinf(value) or (value == 0 and above.value != 0):
        return None
    return _Reading(value, 0.0)


def _compare(guess: _Reading, truth: float, right: tuple[str, ...]) -> Verdict:
    off, size = abs(guess.value - truth), abs(truth)
    slack = _SLACK * max(size, abs(guess.value))
    if guess.value == 0:  # a gradient that is not zero is never nothing, however few the digits
        if truth == 0 or "0" in right:
            return "right"
        return "close" if off <= guess.half + slack else "wrong"
    if off <= max(guess.half, RIGHT * size) + slack:
        return "right"
    return "close" if off <= CLOSE * size + slack else "wrong"
