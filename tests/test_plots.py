"""Pictures that matplotlib draws for a report."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np

from gradmagic.core.records import Histogram
from gradmagic.render.plots import draw_histograms

STEPS = Histogram(np.array([1, 4, 2]), np.array([-3.0, -1.0, 1.0, 3.0]))


def test_a_histogram_is_steps():
    drawn = draw_histograms([STEPS], "Histogram of w.")
    assert drawn == (
        '<svg width="196" height="64" viewBox="0 0 196 64" role="img" aria-label="Histogram of w.">'
        '<path style="fill:var(--gm-ink2)" '
        'd="M0 64V48H65.3V0H130.7V32H196V64"/></svg>'
    )


def test_two_panels_stand_side_by_side_in_two_inks():
    drawn = draw_histograms([STEPS, STEPS], "both")
    assert 'width="440"' in drawn
    paths = re.findall(r'fill:var\(--gm-(\w+)\)" d="M([\d.]+) 64', drawn)
    assert paths == [("ink2", "0"), ("grad", "244")]


def test_colours_are_the_page_s_and_the_picture_is_small():
    rng = np.random.default_rng(0)
    counts, edges = np.histogram(rng.normal(size=100_000), 48)
    drawn = draw_histograms([Histogram(counts, edges)] * 2, "<w> & 'b'")
    assert "#" not in drawn.replace("&#x27;", "")
    assert 'aria-label="&lt;w&gt; &amp; &#x27;b&#x27;"' in drawn
    assert not re.search(r"\bid=|<script|<style|font|url\(|xlink", drawn)
    assert len(drawn) < 3000


def test_a_single_bar_and_counts_of_zero():
    lone = Histogram(np.array([0, 0, 5]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert "M0 64" in draw_histograms([lone], "w")


def test_matplotlib_is_imported_only_for_a_histogram():
    code = (
        "import sys, numpy as np; sys.path.insert(0, 'tests')\n"
        "from handmade import make_lesson, make_run, make_gradient\n"
        "from gradmagic.render.html import render_html\n"
        "render_html(make_lesson())\n"
        "assert 'matplotlib' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "render_html(make_run(make_gradient('w', np.arange(2000.), np.arange(2000.))))\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
