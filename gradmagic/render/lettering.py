"""Text in drawings: how wide it is, without asking a browser, and safe for SVG."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

CODE = 7.83  # px a character of 13px code font
LONGEST = 34  # characters of a label
_NARROW = set(" .,:;'|!iljtfrI()[]{}/\\")
_WIDE = "\u2e80-\uffef"  # Chinese characters and marks
_OPENING, _CLOSING = "（“《", "，。：；）”》、！？"
_UNIT = re.compile(  # what a line is not broken in
    rf"\s+|[{_OPENING}]*(?:[^\s{_WIDE}{_OPENING}{_CLOSING}]+|[{_WIDE}])[{_CLOSING}]*|."
)
_BROAD = set("mwMWGOQ@%\N{HORIZONTAL ELLIPSIS}")


def clean_text(text: str) -> str:
    """``text`` on one line, without what XML forbids and what would turn its direction round."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_clean_character, text))


def escape_text(text: str) -> str:
    """``text`` as SVG or HTML text that shows exactly it."""
    return html.escape(clean_text(text))


@lru_cache(maxsize=1024)
def shorten_text(text: str, longest: int = LONGEST) -> str:
    """``text``, or its beginning and end around an ellipsis where it is too long."""
    text = clean_text(text)
    if count_columns(text) <= longest:
        return text
    start, end = "", ""
    left, right = 0, len(text)
    while left < right:
        taken = count_columns(start) + count_columns(end) + 1
        front = count_columns(start) <= count_columns(end)
        character = text[left] if front else text[right - 1]
        if taken + count_columns(character) > longest:
            break
        if front:
            start, left = start + character, left + 1
        else:
            end, right = character + end, right - 1
    return f"{start}\N{HORIZONTAL ELLIPSIS}{end}"


def count_columns(text: str) -> int:
    """Columns that ``text`` takes in a code font: two for wide characters, none for marks."""
    return len(text) if text.isascii() else sum(map(_count_column, text))


def pad_text(text: str, columns: int, *, left: bool = False) -> str:
    """``text`` with blanks up to so many columns: before it, or after it where it stands left."""
    blanks = " " * (columns - count_columns(text))
    return text + blanks if left else blanks + text


def wrap_text(text: str, columns: int) -> list[str]:
    """``text`` in lines: broken between words and Chinese characters, else where it must be.

    No line begins with a closing mark of Chinese text, or ends with an opening one.
    """
    lines, line = [], ""
    for unit in _UNIT.findall(text.strip()):
        for piece in _break_long(unit, columns) if not unit.isspace() else (" ",):
            if line and count_columns(line + piece.rstrip()) > columns:
                lines.append(line.rstrip())
                line = ""
            line += piece if line or piece != " " else ""
    return [*lines, line] if line else lines


def _break_long(word: str, columns: int) -> list[str]:
    pieces, piece, taken = [], "", 0
    for character in word:
        wide = count_columns(character)
        if taken + wide > columns:
            pieces.append(piece)
            piece, taken = "", 0
        piece, taken = piece + character, taken + wide
    return [*pieces, piece]


def measure_code(text: str) -> float:
    """Width in px of ``text`` in the 13px code font."""
    return CODE * count_columns(text)


@lru_cache(maxsize=1024)
def measure_small(text: str) -> float:
    """Width in px of ``text`` in the 11px content font; rather too much than too little."""
    return sum(map(_measure_character, text))


def _clean_character(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r\v\f\x85" or category in {"Zl", "Zp"}:
        return " "
    turns = unicodedata.bidirectional(character) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip
    return "\N{REPLACEMENT CHARACTER}" if turns or category in {"Cc", "Cs", "Cn"} else character


def _count_column(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _measure_character(character: str) -> float:
    if not character.isascii():
        return {0: 0.0, 1: 7.0, 2: 11.5}[_count_column(character)]
    if character in _NARROW:
        return 3.5
    if character in _BROAD:
        return 9.6
    return 8.0 if character.isupper() else 6.4
