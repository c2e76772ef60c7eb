"""A run's report as a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradmagic.core.i18n import _
from gradmagic.render.html import render_html
from gradmagic.render.markup import Html, escape, tag
from gradmagic.render.names import name_target

if TYPE_CHECKING:
    from gradmagic.core.records import TapeRun

# What a front-end gives a report and a page of its own has to: ground, margin, dark colours.
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px; background: #fff; }
body > .gm { max-width: 1200px; margin: 0 auto; }
@media (prefers-color-scheme: dark) {
  body { background: #111; }
  body > .gm {
    --gm-ink1: #fff; --gm-ink2: #b3b3b3; --gm-rule: #424242; --gm-paper: #111; --gm-brand: #64b5f6;
    --gm-grad: #f48cbb; --gm-pos: #2f6f3a; --gm-neg: #6a4a8c; --gm-zero: #262626;
    --gm-fill: #727272;
  }
}
@media print { body { padding: 0; } }
"""

# A copied table is pasted into Python: plain hyphens for the true minus.
_SCRIPT = """
document.addEventListener("copy", event => {
  const text = String(getSelection());
  if (!text.includes("\\u2212")) return;
  event.clipboardData.setData("text/plain", text.replaceAll("\\u2212", "-"));
  event.preventDefault();
});
"""


def render_page(run: TapeRun) -> str:
    """A complete HTML document with the report of ``run``: one file, no network, light and dark."""
    title = _("gradmagic report: {target}").format(target=name_target(run.target))
    style, script = tag("style", Html(_STYLE)), tag("script", Html(_SCRIPT))
    return write_document(title, f"{render_html(run)}\n{style}\n{script}")


def write_document(title: str, body: str) -> str:
    """A complete HTML document around a body."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
