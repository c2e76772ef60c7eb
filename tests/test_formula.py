"""A formula breaks between its factors, never inside one."""

import re

import pytest

from gradmagic.render.formula import render_formula


@pytest.mark.parametrize(
    ("formula", "factors"),
    [
        ("d y/d x = d y/d h · d h/d x", ["d y/d x", "= d y/d h", "· d h/d x"]),
        (
            "d y/d a = d y/d (3 · h) · d (3 · h)/d a\n+ d y/d a",
            ["d y/d a", "= d y/d (3 · h)", "· d (3 · h)/d a", "+ d y/d a"],
        ),
        ("d y/d (y − a < 0)", ["d y/d (y − a &lt; 0)"]),
    ],
)
def test_each_factor_is_whole(formula: str, factors: list[str]) -> None:
    html = render_formula(formula)
    assert re.findall(r"<span>(.*?)</span>", html) == factors
    text = re.sub(r"<[^>]+>", "", html)
    assert text == formula.replace("<", "&lt;")
