"""HTML from small pieces: text is escaped unless it is already :class:`Html`."""

from __future__ import annotations

import html
import re

from gradmagic.render.lettering import shorten_text

NAME_LENGTH = 60  # columns of a name that are shown
STYLED = "display:none"  # the inline style of what is shown only where the style sheet was kept


class Html(str):
    """A string that is markup: nothing in it needs escaping any more."""

    __slots__ = ()


def escape(text: object) -> Html:
    """``text`` with ``<``, ``>``, ``&`` and both quotes written as entities."""
    return text if isinstance(text, Html) else Html(html.escape(str(text), quote=True))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """``<name attribute="...">children</name>``, children and values escaped.

    A trailing underscore of an attribute's name is dropped and the others become hyphens
    (``class_``, ``aria_label``); an attribute that is None is left out, and ``True`` has no value.
    """
    opened = name
    for key, value in attributes.items():
        if value is None:
            continue
        written = key.rstrip("_").replace("_", "-")
        opened += f" {written}" if value is True else f' {written}="{escape(value)}"'
    return Html(f"<{opened}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """The children one after the other, each escaped; None is left out."""
    return Html("".join(escape(child) for child in children if child is not None))


def fill(template: str, **parts: object) -> Html:
    """``template.format(**parts)``, where the template and each part are escaped."""
    text = type(template)(escape(template))  # a translation knows how its language sets blanks
    return Html(text.format(**{key: escape(part) for key, part in parts.items()}))


def shorten(name: str, length: int = NAME_LENGTH) -> str:
    """``name`` on one line, with its middle left out where it has more than ``length`` columns."""
    return shorten_text(name, length)


def picture(drawing: str, words: str | None = None, **attributes: object) -> Html:
    """An inline SVG, and words that are shown only where the SVG is not.

    JupyterLab strips the style sheet and ``<svg>`` from a notebook that it does not trust, but
    keeps the text inside the SVG, which means nothing by itself. The inline style hides it there;
    the style sheet, where it was kept, shows it again.
    """
    attributes["class_"] = f"gm-svg {attributes.get('class_', '')}".strip()
    shown = tag("div", Html(drawing), style=STYLED, **attributes)
    if not words:
        return shown
    return join(shown, tag("pre" if "\n" in words else "p", words, class_="gm-alt"))


def squeeze_style(sheet: str) -> str:
    """A style sheet without comments and spare blanks."""
    text = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"\s*([{};,])\s*", r"\1", text).strip()
