"""Text that users see, in their language: ``_("a whole sentence with {named} places")``.

The language is the environment's until :func:`choose_language` sets another. Text is translated
when it is shown; what is made once, at import, is only marked: ``N_("text")``, later ``_(text)``.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
import string
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DOMAIN = "gradmagic"
FOLDER = Path(__file__).parent.parent / "locale"
ENGLISH = "en"
LANGUAGES = (ENGLISH, "zh_CN")  # that there are texts in

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # as GNU gettext asks them, in order
_TRADITIONAL = re.compile("tw|hk|mo$|hant|traditional")

_BEGIN, _END = "\ue000", "\ue001"  # around what is put into a text
_WIDE = r"[\u2e80-\ud7ff\uf900-\uffef]"  # Chinese characters and marks
_TAGS = r"(?:<[^>]*>)*"
_NAME = rf"[^ <{_END}]*[!-;=-~][^ <{_END}]*{_TAGS}{_END}"  # Latin in part: 模型.kernel[0]
_SPARE = (
    re.compile(rf"{_WIDE} (?={_BEGIN}{_TAGS}(?!{_NAME}){_WIDE})"),
    re.compile(rf"{_WIDE}{_TAGS}{_END} (?={_WIDE})"),
    re.compile(rf"[，。：；、（] (?={_BEGIN})"),
    re.compile(rf"{_END} (?=[，。：；、）])"),
)

_language = ENGLISH
_catalogue = gettext.NullTranslations()


def _(text: str) -> str:
    """The translation of ``text``, or ``text`` itself; call ``.format`` on what it returns."""
    translated = _catalogue.gettext(text)
    return _Chinese(translated) if _language == "zh_CN" else translated


def _n(one: str, many: str, number: int) -> str:
    """The translation of the form that ``number`` asks for."""
    translated = _catalogue.ngettext(one, many, number)
    return _Chinese(translated) if _language == "zh_CN" else translated


class _Chinese(str):
    """A text with blanks around its places, for Latin words; beside Chinese none is written."""

    __slots__ = ()

    def format(self, *given: object, **named: object) -> str:
        return _drop_blanks(_Marking().vformat(self, given, named))


class _Marking(string.Formatter):
    """Marks where what is put in begins and ends: its own blanks stay as they are."""

    def format_field(self, value: object, format_spec: str) -> str:
        return f"{_BEGIN}{super().format_field(value, format_spec)}{_END}"


def _drop_blanks(marked: str) -> str:
    """A text without its marks, and without blanks between its own Chinese and what was put in."""
    for spare in _SPARE:
        marked = spare.sub(lambda found: found[0].replace(" ", "", 1), marked)
    return marked.replace(_BEGIN, "").replace(_END, "")


def N_(text: str) -> str:  # noqa: N802  (as GNU gettext calls it)
    """``text`` itself, marked for translators; it is translated where it is shown."""
    return text


def join_sentences(sentences: Iterable[str]) -> str:
    """Whole sentences as one text: a blank between them where the language writes one."""
    return ("" if _language == "zh_CN" else " ").join(sentences)


def join_phrases(phrases: Iterable[str]) -> str:
    """Parts of a sentence as a list: with the language's comma between them."""
    return ("，" if _language == "zh_CN" else ", ").join(phrases)


def join_items(items: Iterable[str]) -> str:
    """Names in a sentence as a list: with the language's mark between them."""
    return ("、" if _language == "zh_CN" else ", ").join(items)


def choose_language(name: str) -> None:
    """Write in this language from now on: one of :data:`LANGUAGES`; ``""``: the environment's."""
    global _language, _catalogue  # noqa: PLW0603  (a process speaks one language)
    _language = name or find_language()
    _catalogue = gettext.translation(DOMAIN, FOLDER, [_language], fallback=True)


def current_language() -> str:
    """The language in use, one of :data:`LANGUAGES`."""
    return _language


def name_html_language() -> str:
    """The language in use as HTML's ``lang`` names it."""
    return "zh-Hans" if _language == "zh_CN" else _language


def find_language() -> str:
    """The language that the environment asks for, as far as there are texts in it."""
    asked = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), None)
    if asked is None:  # Windows and macOS may say it elsewhere
        asked = locale.getlocale()[0] or ""
    for name in asked.lower().split(":"):
        if name.startswith("en"):
            break
        if name.startswith(("zh", "chinese")) and not _TRADITIONAL.search(name.partition(".")[0]):
            return "zh_CN"
    return ENGLISH


choose_language("")
