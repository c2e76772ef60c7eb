"""How things are shown: the defaults, the widgets' traits, static output, saved pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import gradmagic
from gradmagic.render import presenting
from gradmagic.render.presenting import Presentation, choose_presentation, get_presentation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = get_presentation()
    yield
    choose_presentation(large=before.large, grey=before.grey)


def test_first_as_ever() -> None:
    assert get_presentation() == Presentation(large=False, grey=False)
    assert get_presentation().classes == ""


def test_one_does_not_change_the_other() -> None:
    choose_presentation(large=True)
    choose_presentation(grey=True)
    assert get_presentation().classes == "gm-large gm-grey"
    choose_presentation(large=False)
    assert get_presentation().classes == "gm-grey"


def test_config(shell: Any) -> None:
    magics = shell.magics_manager.registry["GradTapeMagics"]
    try:
        shell.run_line_magic("config", "GradTapeMagics.large = True")
        shell.run_line_magic("config", "GradTapeMagics.grey = True")
        assert get_presentation() == Presentation(large=True, grey=True)
        shell.run_line_magic("config", "GradTapeMagics.large = False")
        assert get_presentation() == Presentation(large=False, grey=True)
    finally:
        magics.large = magics.grey = False
    assert get_presentation() == Presentation()


def test_widgets_start_as_chosen(tf: Any) -> None:
    from gradmagic.widgets.activation import ActivationWidget

    lab = gradmagic.activation("sigmoid")
    before = ActivationWidget(lab)
    choose_presentation(large=True)
    after = ActivationWidget(lab)
    assert (before.large, before.grey) == (False, False)
    assert (after.large, after.grey) == (True, False)
    state = after.get_state()
    assert state["large"] is True
    assert state["switch"].count("<button") == 2


def test_a_misspelt_trait_raises() -> None:
    from gradmagic.widgets.report import ReportWidget

    with pytest.raises(TypeError, match="'lerge'"):
        ReportWidget(html="", lerge=True)


@pytest.mark.parametrize(("large", "pressed"), [(False, "false"), (True, "true")])
def test_saved_pages_have_one_switch(
    ran: dict[str, Any], tmp_path: Path, large: bool, pressed: str
) -> None:
    run = gradmagic.gradtape("loss = tf.reduce_sum((x @ w + b) ** 2)\n", "w", names=ran)
    choose_presentation(large=large)
    gradmagic.save(run, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    body = re.search(r'<body class="([^"]*)">', page)
    assert body is not None
    assert body[1] == ("gm-large" if large else "")
    assert page.count('class="gm-present"') == 1
    button = re.search(r'<button [^>]*data-present="gm-large"[^>]*>', page)
    assert button is not None
    assert f'aria-pressed="{pressed}"' in button[0]


def test_static_output_is_shown_so(monkeypatch: pytest.MonkeyPatch, ran: dict[str, Any]) -> None:
    from gradmagic import show

    assert 'class="gm-static"' in show._wrap_static("<p></p>", alone=True)
    choose_presentation(large=True, grey=True)
    assert 'class="gm-static gm-large gm-grey"' in show._wrap_static("<p></p>", alone=True)


def test_the_sheet_is_in_every_style() -> None:
    from gradmagic.render import html
    from gradmagic.render.activations import panel as activations
    from gradmagic.render.descent import panel as descent
    from gradmagic.render.losses import panel as losses

    for module in (html, activations, descent, losses):
        assert module.load_style().count("--gm-aaa-grad:") == 1
    assert len(presenting.load_style()) < 9_000


def test_the_default_look_is_not_touched() -> None:
    """No rule of the sheet holds where neither class is, but for the switch, print and motion."""
    sheet = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", presenting.load_style())
    selectors = [part.strip() for part in re.findall(r"([^{}]+)\{", sheet)]
    free = [
        one
        for one in selectors
        if not one.startswith("@container")
        and "gm-large" not in one
        and "gm-grey" not in one
        and "gm-present" not in one
    ]
    assert free == [":is(.gm,.gm-losses,.gm-act)", ":is(.gm,.gm-act) .gm-in-greys"]
