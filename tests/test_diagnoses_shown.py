"""How diagnoses are shown in a report: the strip on top, at the sources, and in the code."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from handmade import DW, B, W, make_gradient, make_lesson, make_run
from test_html import HOSTILE, Reader, measure

from gradmagic.core.records import CodeLine, Diagnosis
from gradmagic.render.diagnoses import (
    SEVERITIES,
    find_severity,
    group_diagnoses,
    list_names,
    name_cause,
    name_kind,
    write_fixes,
    write_sentences,
)
from gradmagic.render.html import render_html
from gradmagic.render.notes import ROWS, render_notes
from gradmagic.render.page import render_page

if TYPE_CHECKING:
    from collections.abc import Sequence

LEFT = Diagnosis("left-tensorflow", "w", 2, "np.sin(h)", "np.sin(h) is NumPy.", "a = tf.sin(h)", 4)
NOTE = Diagnosis("mse-on-one-hot", "loss", 3, None, "Crossentropy would do better.", "")


def make(*diagnoses: Diagnosis, names: Sequence[str] = ("w", "b")) -> Any:
    """A run whose sources have no gradients."""
    return make_run(*(make_gradient(name, B, None) for name in names), diagnoses=diagnoses)


def notes(run: Any) -> str:
    """The strip as HTML."""
    return str(render_notes(run) or "")


def rows(strip: str) -> list[str]:
    """What each row of the strip says before it is opened."""
    found = re.findall(r'<(?:p|summary) class="gm-row">(.*?)</(?:p|summary)>', strip)
    return [" ".join(Reader(row).text.split()) for row in found]


def test_every_kind_has_a_title_and_a_severity():
    from gradmagic.core.diagnose import FAILURES, KINDS  # here, because it imports TensorFlow

    for kind in [*KINDS, *FAILURES]:
        assert name_kind(kind) != kind.replace("-", " "), kind
        assert 3 < len(name_kind(kind)) < 45
        assert name_kind(kind)[0].islower() or name_kind(kind)[:3] in {"NaN", "Var"}
    severities = [SEVERITIES.index(find_severity(kind)) for kind in KINDS]
    assert severities == sorted(severities)  # as grave in the one order as in the other
    assert set(severities) == {0, 1, 2, 3}


def test_only_where_there_is_surely_none_a_title_says_no_gradient():
    for kind in ("recording-stopped", "variable-replaced", "nan-gradient", "saturated"):
        assert "no gradient:" not in name_kind(kind)
    assert name_kind("not-used") == "no gradient: not used"
    assert name_cause("not-used") == "not used"
    assert name_kind("some-new-kind") == "some new kind"


def test_the_strip_has_a_row_for_each_worst_first_and_tells_all_of_the_first():
    strip = notes(make(LEFT, NOTE, names=("w",)))
    assert rows(strip) == [
        "w no gradient: left TensorFlow line 2, np.sin(h)",
        "loss squared error on one-hot labels line 3",
    ]
    first, second = strip.split("</li><li>")
    assert "<details" not in first
    assert "np.sin(h) is NumPy." in first
    assert "type in place of line 2" in first
    assert "<code>a = tf.sin(h)</code>" in first
    assert re.search(r"<details><summary.*</summary>.*Crossentropy would do better\.", second)
    assert " open" not in second
    assert "type" not in second  # it has no fix


def test_without_diagnoses_there_is_no_strip():
    assert render_notes(make_lesson()) is None
    assert "gm-alerts" not in render_html(make_lesson()).split("</style>")[1]


def test_signs_differ_in_shape_for_each_severity():
    kinds = ("nan-gradient", "not-used", "dead-relu", "mse-on-one-hot")
    drawn = set()
    for kind, words in zip(
        kinds,
        ("a wrong number or loss", "no gradient", "a gradient that does not help", "good to know"),
        strict=True,
    ):
        strip = notes(make(replace(LEFT, kind=kind)))
        assert f'<span title="{words}"' in strip or f'title="{words}">' in strip
        drawn.add(tuple(re.findall(r' d="([^"]+)"', strip)))
    assert len(drawn) == len(kinds)


def test_sources_with_one_cause_share_a_row():
    def blame(name: str) -> Diagnosis:
        message = f"The path from loss to {name} leads through argmax."
        return Diagnosis("not-differentiable", name, 3, "ArgMax", message, "k = softmax(h)", 5)

    names = ["w", "b", "w2", "b2", "w3"]
    strip = notes(make(*map(blame, names), names=names))
    assert rows(strip) == ["w , b and 3 more no gradient: not differentiable line 3, ArgMax"]
    assert "leads through argmax. The same holds for b, w2 and 2 more." in strip
    assert strip.count("k = softmax(h)") == 1
    three = notes(make(*map(blame, names[:3])))
    assert rows(three)[0].startswith("w , b and w2 no gradient")
    assert "The same holds for b and w2." in three
    # another line is another row, and so is another op
    assert len(rows(notes(make(blame("w"), replace(blame("b"), line=4))))) == 2
    assert len(rows(notes(make(blame("w"), replace(blame("b"), op="Round"))))) == 2


def test_what_differs_in_more_than_the_name_is_said_of_each():
    plain = Diagnosis("not-watched", "w", None, None, "w is a plain tensor.", "")
    other = Diagnosis("not-watched", "b", None, None, "b is a Variable that is not trainable.", "")
    (finding,) = group_diagnoses((plain, other))
    assert write_sentences(finding) == [plain.message, other.message]
    # a source called "a": its name is a word of the sentence too
    article = Diagnosis("not-watched", "a", None, None, "a is a plain tensor.", "")
    (finding,) = group_diagnoses((article, plain))
    assert write_sentences(finding) == ["a is a plain tensor. The same holds for w."]
    # a name that is also in the code of the sentence
    found = [replace(plain, subject=s, message=f"relu(x @ w + b) stops {s}.") for s in "wb"]
    (finding,) = group_diagnoses(found)
    assert write_sentences(finding) == ["relu(x @ w + b) stops w. The same holds for b."]
    many = [replace(plain, subject=f"w{i}", message=f"w{i} is {i * i}.") for i in range(2, 9)]
    (finding,) = group_diagnoses(many)
    assert write_sentences(finding)[4:] == [
        "3 more sentences are in gradmagic.last_run().diagnoses."
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["w"], "w"),
        (["w", "b"], "w and b"),
        (["w", "b", "c"], "w, b and c"),
        (["w", "b", "c", "d"], "w, b and 2 more"),
        (["w" * 40], "w" * 15 + "…" + "w" * 14),
        (["model.block.kernel", "model.block.bias"], "model.block.kernel and 1 more"),
        (["model.encoder.dense_1.kernel", "b"], "model.encod…e_1.kernel and b"),
        (["a" * 20, "b" * 10], "a" * 20 + " and 1 more"),
    ],
)
def test_names_keep_to_one_line(names, said):
    assert list_names(names) == said


def test_a_fix_says_where_it_goes():
    watch = [
        Diagnosis("not-watched", name, None, None, f"{name} is plain.", f"tape.watch({name})")
        for name in "wb"
    ]
    magic = Diagnosis("not-watched", "loss", None, None, "Nothing.", "%%gradtape w")
    line = replace(LEFT, fix="if x:\n    a = tf.sin(h)")
    for group, expected in (
        (watch, {"type at the top of the cell": ["tape.watch(w)\ntape.watch(b)"]}),
        ([magic], {"type in place of the magic's line": ["%%gradtape w"]}),
        ([line], {"type in place of line 2": ["if x:\n    a = tf.sin(h)"]}),
        ([NOTE], {}),
    ):
        (finding,) = group_diagnoses(group)
        assert write_fixes(finding) == expected


def test_many_diagnoses_are_six_rows():
    found = [Diagnosis("not-used", f"w{i}", i, None, f"Not used: {i}.", "") for i in range(60)]
    strip = notes(make(*found, names=[one.subject for one in found]))
    assert len(rows(strip)) == ROWS - 1
    assert strip.count("<li>") == ROWS
    assert strip.endswith("55 more are in gradmagic.last_run().diagnoses.</p></li></ul>")
    assert notes(make(*found[:ROWS], names=["w0"])).count("<li>") == ROWS
    seven = notes(make(*found[: ROWS + 1], names=["w0"]))
    assert "2 more are in gradmagic.last_run().diagnoses." in seven


def test_long_diagnoses_keep_to_their_room():
    hostile = "<&\"'>" * 400
    found = [Diagnosis("x", "w", i, hostile, hostile, hostile) for i in range(50)]
    strip = notes(make(*found))
    assert measure(strip) < 16_000
    assert re.search(r"4\d more are in gradmagic", strip)


def test_a_sentence_stands_once_and_the_title_at_its_source():
    page = render_html(make(LEFT, NOTE))
    assert page.count("np.sin(h) is NumPy.") == 1
    assert page.count("a = tf.sin(h)") == 1
    assert page.index("np.sin(h) is NumPy.") < page.index("Gradients</strong>")
    beside = page[page.index("<article") :]
    text = Reader(beside[: beside.index("</article>") + 10]).text
    assert "None no gradient: left TensorFlow line 2, np.sin(h)" in text
    assert "TensorFlow returned None: the tape found no path from loss back to b." in page
    assert "back to w" not in page


def test_a_gradient_that_does_not_help_has_its_cause_beside_its_numbers():
    dead = Diagnosis("dead-relu", "w", 2, "Relu", "All 4 units are 0.", "")
    page = render_html(make_run(make_gradient("w", W, np.zeros_like(W)), diagnoses=(dead,)))
    text = Reader(page[page.index("<article") : page.index("</article>") + 10]).text
    assert "norm 0 gradient is zero: dead ReLU line 2, Relu" in text
    assert "The gradient is 0 everywhere" not in text


def test_counts_of_none_and_nan_are_left_out_where_each_is_explained():
    used = replace(LEFT, subject="b", kind="not-used")
    assert "2 of 2 gradients are None: w, b." in notes(make(LEFT))
    assert "gradients are None" not in notes(make(LEFT, used))
    bad = make_run(make_gradient("w", W, DW * np.nan), make_gradient("b", B, B), diagnoses=(NOTE,))
    assert "1 of 2 gradients has NaN or infinite entries: w." in notes(bad)
    known = replace(bad, diagnoses=(Diagnosis("nan-gradient", "w", 2, "Log", "NaN.", ""),))
    assert "1 of 2" not in notes(known)


def test_rows_of_the_table_have_the_titles():
    names = [f"v{i}" for i in range(30)]
    gradients = [make_gradient(name, B, None) for name in names[:-1]]
    gradients.append(make_gradient("v29", B, np.zeros(3)))
    found = (
        Diagnosis("not-used", "v28", None, None, "loss does not depend on v28.", ""),
        Diagnosis("dead-relu", "v29", 2, "Relu", "All units are 0.", ""),
    )
    page = render_html(make_run(*gradients, diagnoses=found))
    table = Reader(page[page.index('<table class="gm-list"') :].split("</div>")[0]).text
    assert "v27 [3] float32 0 None v28 [3] float32 0 None no gradient: not used v29" in table
    assert table.endswith("100 % 0 gradient is zero: dead ReLU line 2, Relu")
    assert page.count("loss does not depend on v28.") == 1


def test_titles_do_not_take_the_room_of_sources_in_the_table():
    names = [f"model.block{i}.a_rather_long_name_for_a_layer.kernel{i}" for i in range(120)]
    found = [Diagnosis("not-used", name, None, None, f"{name} is not used.", "") for name in names]
    text = Reader(render_html(make(*found, names=names))).text
    assert "116 further sources" in text
    assert "left out here" not in text


def test_lines_of_the_code_are_marked():
    page = render_html(make(LEFT, replace(NOTE, line=2)))
    code = page[page.index('<pre class="gm-py gm-noted">') :]
    said = "w: no gradient: left TensorFlow\nloss: squared error on one-hot labels"
    marked = re.findall(r"<i>([^<]+)<span [^>]*title=\"([^\"]+)\"", code)
    assert marked == [("2", said)]
    assert "gm-noted" not in render_html(make_lesson()).split("</style>")[1]


def test_names_and_messages_stay_text():
    hostile = Diagnosis("x", HOSTILE, 2, HOSTILE, HOSTILE, HOSTILE)
    run = make_run(
        make_gradient(HOSTILE, W, None),
        *(make_gradient(f"{HOSTILE}{i}", B, None) for i in range(20)),
        diagnoses=(hostile, replace(hostile, kind="y", subject=f"{HOSTILE}19")),
        lines=(CodeLine("x = 1", 2),),
    )
    reader = Reader(render_page(run))
    assert HOSTILE in reader.text
    assert not {tag for tag, _attributes in reader.tags} & {"img"}


def test_words_stand_apart_without_a_style_sheet():
    """JupyterLab takes the style sheet away from a notebook that it does not trust."""
    strip = re.sub(r"<svg.*?</svg>", "", notes(make(LEFT)))
    text = re.sub(r"<[^>]+>", "", strip)
    assert "w no gradient: left TensorFlow line 2, np.sin(h)" in " ".join(text.split())


@pytest.mark.browser
@pytest.mark.parametrize("name", ["w", "model.encoder.block_3.attention.query.kernel"])
def test_in_a_browser_a_row_is_one_line(chromium, name):
    from gradmagic.core.diagnose import KINDS

    page = chromium.new_page(viewport={"width": 700, "height": 900})
    for kind in KINDS:
        first = Diagnosis(kind, name, 17, "tf.reduce_mean(np.sin(h) + 1)", "Why.", "x = 1")
        run = make(first, replace(NOTE, kind=kind, subject=name), names=(name,))
        page.set_content(render_page(run))
        seen = page.evaluate(
            """() => [...document.querySelectorAll(".gm-row")].map(row => {
                const [sign, names, what] = row.children, title = what.firstElementChild;
                const edge = e => e.getBoundingClientRect();
                return [edge(row).height, edge(title).right - edge(what).right,
                        names.scrollWidth - names.clientWidth];
            })"""
        )
        assert len(seen) == 2
        for height, cut, over in seen:
            assert height < 25, kind
            assert cut <= 0, kind
            assert over <= 0, kind
    page.close()


@pytest.mark.browser
def test_in_a_browser_a_row_opens_by_keyboard_and_all_are_printed(chromium):
    page = chromium.new_page(viewport={"width": 700, "height": 900})
    page.set_content(render_page(make(LEFT, NOTE)))
    story = page.get_by_text("Crossentropy would do better.")
    assert not story.is_visible()
    page.locator("summary.gm-row").focus()
    page.keyboard.press("Enter")
    assert story.is_visible()
    page.keyboard.press("Enter")
    page.emulate_media(media="print")
    shown = page.evaluate(
        "() => document.querySelector('details .gm-story').getBoundingClientRect().height"
    )
    page.close()
    assert shown > 10


def test_a_real_run_shows_its_break(tf):
    import gradmagic

    names = {"tf": tf, "w": tf.constant([[1.0, 2.0]]), "v": tf.constant(2.0)}
    run = gradmagic.gradtape(
        "h = tf.tanh(w)\nk = tf.argmax(h, 1)\nloss = tf.reduce_sum(tf.one_hot(k, 2)) * v",
        "w",
        "v",
        names=names,
    )
    page = render_html(run)
    assert rows(page) == ["w no gradient: not differentiable line 2, ArgMax"]
    assert 'class="gm-cut"' in page
    assert "breaks off here: not differentiable" in page
    assert re.search(r'<g class="gm-op" data-node="\d+"><title>w: no gradient: not diff', page)
