"""A report taken apart: its markup, and the numbers that its script works on."""

from __future__ import annotations

_STARTS = ("<style", "<script")
_JSON = 'type="application/json"'


def split_view(html: str) -> tuple[str, str]:
    """Take style sheets and scripts out of a view.

    Parameters
    ----------
    html
        As it is sent: what users wrote is escaped in it, in JSON too, so that every ``<script`` is
        one.

    Returns
    -------
    tuple
        The markup, and the JSON of its last script element that holds some, or ``""``.
    """
    kept, numbers, at = [], "", 0
    while True:
        found = [place for start in _STARTS if (place := html.find(start, at)) >= 0]
        if not found:
            break
        start = min(found)
        kept.append(html[at:start])
        opened = html.index(">", start) + 1
        name = "style" if html.startswith("<style", start) else "script"
        end = html.index(f"</{name}>", opened)
        if _JSON in html[start:opened]:
            numbers = html[opened:end]
        at = end + len(name) + 3
    return "".join([*kept, html[at:]]), numbers
