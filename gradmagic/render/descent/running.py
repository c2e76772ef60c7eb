"""A descent while it runs: places that the script fills."""

from __future__ import annotations

from gradmagic.core.i18n import _, name_html_language
from gradmagic.render.markup import Html, tag


def render_running() -> Html:
    """The panel before the first step: one ``<div class="gm gm-descent">``."""
    head = tag(
        "p",
        tag("code", _("loss")),
        " ",
        tag("span", "–", class_="gm-big", data_k="loss"),
        " ",
        tag("span", class_="gm-d", data_k="rate"),
        class_="gm-head",
        role="heading",
        aria_level="2",
    )
    bar = tag(
        "div",
        tag("progress", value=0, max=1, aria_label=_("Progress of the descent")),
        tag("button", _("Stop"), type="button", class_="gm-stop"),
        class_="gm-bar-row",
    )
    losses = tag(
        "div",
        _render_title(_("Loss")),
        tag("div", data_k="switch", class_="gm-switch"),
        tag("div", data_k="losses"),
        class_="gm-lived gm-curves",
    )
    norms = tag(
        "div",
        _render_title(_("Norm of each gradient")),
        tag("div", data_k="keys", class_="gm-s gm-dashes"),
        tag("div", data_k="norms"),
        class_="gm-lived",
    )
    return tag(
        "div",
        head,
        tag("p", tag("span", _("The first step runs."), data_k="said"), class_="gm-meta"),
        bar,
        tag("p", class_="gm-deaf", data_k="deaf", role="alert", hidden=True),
        tag("div", losses, norms, class_="gm-columns"),
        class_="gm gm-descent",
        lang=name_html_language(),
        role="group",
        aria_label=_("gradmagic: gradient descent"),
        data_chosen=0,
    )


def _render_title(text: str) -> Html:
    return tag("p", tag("strong", text), class_="gm-h", role="heading", aria_level="3")
