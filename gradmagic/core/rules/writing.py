"""Formulas and numbers put into templates, with the brackets that they need there."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from gradmagic.core.i18n import _, _n

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gradmagic.core.rules.rule import Terms

WRITTEN = 4  # terms of a sum that are written out
MINUS = "\N{MINUS SIGN}"

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

_WORD = r"[^\W\d²³ᵀᴴ](?:[^\W²³ᵀᴴ]|\.)*"  # t² is no name, and h₁ is one
_INDEX = r"(?:\[[^\[\]]*\])*[₀-₉]*"
_NAME = re.compile(_WORD + _INDEX)
_NUMBER = re.compile(r"\d[\d.]*")
_POWERS = ("²", "³", " ^")


def write_terms(terms: Terms, format_number: Callable[[float], str]) -> str:
    """``"0.1 · 0.3 + (−0.2) · 1.2 = −0.21"``."""
    count = len(terms.values)
    if not count:
        return _("0, as it is used nowhere")
    total = _trim(format_number(terms.total))
    shown = count if count <= WRITTEN else WRITTEN - 1
    text = ""
    for at in range(shown):
        numbers = {name: _trim(format_number(column[at])) for name, column in terms.columns.items()}
        term = fill(terms.template, numbers, _encloses_number, before=text)
        if not text:
            text = term
        elif term.startswith(MINUS):
            text += f" {MINUS} {term.removeprefix(MINUS)}"
        else:
            text += f" + {term}"
    if shown < count:
        text += " + … " + _n("({count} term)", "({count} terms)", count).format(count=count)
    return text if text == total else f"{text} = {total}"


def _trim(number: str) -> str:
    """Without zeros at the end, which say nothing in a sum of four digits: ``0.5`` for 0.5000."""
    return number.rstrip("0").rstrip(".") if "." in number and "e" not in number else number


def fill(
    template: str,
    fields: Mapping[str, str],
    encloses: Callable[[str, str, str], bool],
    before: str = "",
) -> str:
    """The template with its fields; ``encloses(text, before, after)`` tells who needs brackets.

    ``before`` is what stands before it on the line.
    """
    parts = list(string.Formatter().parse(template))
    filled = ""
    following = [*(literal for literal, *_field in parts[1:]), ""]
    for (literal, name, _spec, _conversion), after in zip(parts, following, strict=True):
        filled += literal
        if name is not None:
            text = fields[name]
            filled += f"({text})" if encloses(text, before + filled, after) else text
    return filled


def fill_formula(template: str, names: Mapping[str, str]) -> str:
    """A formula with the operands' written names in their places."""
    return fill(template, names, _encloses_operand)


def _encloses_number(text: str, before: str, after: str) -> bool:
    """Minus signs and exponents where a power or another sign would be misread."""
    if after.startswith(_POWERS):
        return text.startswith(MINUS) or "e" in text
    return text.startswith(MINUS) and bool(before) and not before.endswith(("(", ", ", "|"))


def _encloses_operand(text: str, before: str, after: str) -> bool:
    if is_name(text):
        return False
    if before.endswith("/d"):  # dL/d(x @ w)
        return True
    if before.endswith(("(", ", ", "|", "[")) and after.startswith((")", ",", "|", "]")):
        return False
    return not (_NUMBER.fullmatch(text) or is_call(text))


def is_name(text: str) -> bool:
    """``h``, ``model.dense.kernel`` or ``h[0]``, and not ``h²``."""
    return _NAME.fullmatch(text) is not None


def find_words(text: str) -> list[str]:
    """The names in a text: of tensors and of functions."""
    return re.findall(_WORD, text)


def number_name(name: str, number: int) -> str:
    """``h₁``: which of the tensors of one name it is."""
    return name + str(number).translate(SUBSCRIPTS)


def is_call(text: str) -> bool:
    """``f(x, g(y))``, ``f(x)[0]`` or ``f(x)₁``, and not ``f(x) + g(y)``."""
    text = re.sub(_INDEX + "$", "", text)
    opened = re.match(_WORD + r"\(", text)
    if not opened or not text.endswith(")"):
        return False
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and opened.end() <= at < len(text) - 1:
            return False
    return True
