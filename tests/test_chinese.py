"""Chinese: names and text in a cell, and an interface with no English word left in it."""

from __future__ import annotations

import json
import re
import warnings
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

import gradmagic
from gradmagic import sidebar
from gradmagic.core import i18n
from gradmagic.core.activations.lab import make_lab
from gradmagic.render.activations import document as activations
from gradmagic.render.activations.text import render_activations_text
from gradmagic.render.descent import document as descent
from gradmagic.render.descent.text import render_text as render_descent_text
from gradmagic.render.diagnoses import group_diagnoses, write_sentences
from gradmagic.render.explorer.document import write_document
from gradmagic.render.explorer.reading import read_run
from gradmagic.render.failure import render_failure, render_failure_text
from gradmagic.render.html import render_html
from gradmagic.render.lettering import count_columns, wrap_text
from gradmagic.render.losses.panel import render_panel
from gradmagic.render.losses.text import render_losses_text
from gradmagic.render.markup import fill, tag
from gradmagic.render.text import render_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELL = """# 前向传播
分数 = 特征 @ 权重 + 偏置
损失 = tf.reduce_mean(tf.losses.categorical_crossentropy(标签, 分数, from_logits=True))
准确率 = tf.reduce_mean(tf.cast(tf.argmax(分数, 1) == tf.argmax(标签, 1), tf.float32))
"""


def make_names(tf: Any) -> dict[str, Any]:
    tf.random.set_seed(1)
    return {
        "tf": tf,
        "特征": tf.random.normal([2, 4]),
        "权重": tf.random.normal([4, 3]),
        "偏置": tf.zeros([3]),
        "标签": tf.one_hot([2, 0], 3),
    }


def test_the_loss_is_known_by_its_chinese_name(tf: Any) -> None:
    names = make_names(tf)
    run = gradmagic.gradtape(CELL, "权重", "偏置", names=names)
    assert (run.target.name, run.target.reason, run.target.line) == ("损失", "loss", 3)
    by_hand = dict(names)
    with tf.GradientTape() as tape:
        tape.watch([names["权重"], names["偏置"]])
        exec(CELL, by_hand)
    expected = tape.gradient(by_hand["损失"], [names["权重"], names["偏置"]])
    for gradient, one in zip(names["grads"], expected, strict=True):
        assert (gradient.numpy() == one.numpy()).all()


def test_a_compiled_descent_takes_the_same_loss(tf: Any) -> None:
    names = make_names(tf)
    (descent,) = gradmagic.descend(CELL, "权重", names=names, steps=3, compile=True)
    (eager,) = gradmagic.descend(CELL, "权重", names=make_names(tf), steps=3)
    assert abs(descent.losses[-1] - eager.losses[-1]) < 1e-5


def test_everything_can_be_saved_under_a_chinese_name(tf: Any, tmp_path: Path) -> None:
    names = make_names(tf)
    run = gradmagic.gradtape(CELL, "权重", names=names)
    for name in ("报告.html", "报告.txt"):
        gradmagic.save(run, tmp_path / name)
        assert "损失" in (tmp_path / name).read_text("utf-8")
    for name in ("图.svg", "图.dot", "图.json"):
        gradmagic.save(run.graph, tmp_path / name)
        assert "特征 @ 权重" in (tmp_path / name).read_text("utf-8")


def test_text_is_wrapped_by_its_width_and_marks_stay_with_their_words() -> None:
    text = "梯度为 0：上游梯度乘以 cos(x)，即函数在每个元素处的斜率。参见（链式法则）。"
    lines = wrap_text(text, 20)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(count_columns(line) <= 20 for line in lines)
    assert not any(line[0] in "，。：）" or line[-1] == "（" for line in lines)
    assert len(lines) <= 5
    assert wrap_text("the slope of a function", 12) == ["the slope of", "a function"]
    assert wrap_text("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


# ---------------------------------------------------------------------------------------------
# The interface in Chinese

LESSON = """分数 = 特征 @ 权重 + 偏置
概率 = tf.nn.softmax(分数)
整 = tf.cast(死, tf.int32)
for 次 in range(4):
    死二 = tf.nn.relu(死 * 2.0) + tf.reduce_sum(大) * 0.001
损失 = tf.reduce_mean(tf.losses.categorical_crossentropy(标签, 概率)) + tf.reduce_sum(死二)
"""
SAMPLES = (
    "损失 = tf.reduce_mean(tf.losses.categorical_crossentropy(标签, 特征 @ 权重, from_logits=True))"
)
# Latin words in Chinese text: what TensorFlow, Python and mathematics are written in
ALLOWED = """
TensorFlow Keras GradientTape gradmagic tf tape gradient last_run diagnoses gradients graddescent
softmax logit logits sigmoid relu ReLU tanh NaN None Inf inf nan MSE IndexedSlices from_logits True
categorical_crossentropy losses sgd momentum nesterov rmsprop adam tol until lr ms log exp ln
float32 int32 float64 variable diag df dx dp dz sum mean Ctrl Esc custom_gradient cond while_loop
function
"""


class Reader(HTMLParser):
    """Texts of a page and its labels, without code, drawings, scripts and styles."""

    SILENT = frozenset({"style", "script", "code", "pre", "svg", "option"})
    LABELS = frozenset({"aria-label", "title", "placeholder", "alt"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.languages: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value or "" for name, value in attrs if name in self.LABELS]
        self.languages += [value for name, value in attrs if name == "lang"]
        if tag in self.SILENT:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.texts.append(data)


def find_english(
    texts: list[str], allowed: frozenset[str] = frozenset(ALLOWED.split())
) -> set[str]:
    """Words of three letters or more that do not belong there."""
    words = {word for text in texts for word in re.findall(r"[A-Za-z_][A-Za-z_0-9]{2,}", text)}
    return words - allowed


@pytest.fixture
def chinese() -> Iterator[None]:
    before = i18n.current_language()
    i18n.choose_language("zh_CN")
    yield
    i18n.choose_language(before)


@pytest.fixture
def english() -> Iterator[None]:
    before = i18n.current_language()
    i18n.choose_language("en")
    yield
    i18n.choose_language(before)


def make_lesson(tf: Any) -> Any:
    names = make_names(tf) | {
        "未用": tf.Variable(1.0),
        "死": tf.Variable([-1.0, -2.0]),
        "大": tf.random.normal([40, 30]),
    }
    return gradmagic.gradtape(LESSON, "权重", "偏置", "未用", "死", "大", names=names)


def list_ops(run: Any) -> frozenset[str]:
    """What the ops of a run are called, and the parts of their labels."""
    labels = [f"{node.op} {node.label}" for node in run.graph.nodes]
    words = {word for label in labels for word in re.findall(r"\w+", label)}
    # where a label has no room, an ellipsis cuts a word of it
    return frozenset(word[:end] for word in words for end in range(1, len(word) + 1))


def list_texts(value: Any, key: str = "") -> Iterator[str]:
    """All texts in what JSON holds but code, labels of nodes and drawings."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name != "marks":  # nodes' classes
                yield from list_texts(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from list_texts(one, key)
    elif isinstance(value, str) and key not in {"code", "key", "kind", "op", "label", "name"}:
        yield from Reader(re.sub(r"\{\w+\}", "", value)).texts


def test_english_words_are_found() -> None:
    page = '<p title="Green">梯度<code>loss</code> rises, MSE <svg><text>x</text></svg></p>'
    assert find_english(Reader(page).texts) == {"Green", "rises"}
    assert find_english(list(list_texts({"words": {"a": "{count} ops", "code": "yes"}}))) == {"ops"}


@pytest.mark.usefixtures("chinese")
def test_a_report_has_no_english(tf: Any) -> None:
    run = make_lesson(tf)
    ops = list_ops(run)
    reader = Reader(render_html(run))
    assert find_english(reader.texts) <= ops
    assert set(reader.languages) == {"zh-Hans"}
    told = [line for line in render_text(run).splitlines() if "tf." not in line]
    assert find_english(told) <= ops
    assert "未用：没有梯度：未被使用" in "\n".join(told)
    for line in told:  # Chinese marks between Chinese words, and no blank on either side
        assert not re.search(r"[\u4e00-\u9fff] ?[,.:;](?![\w ]|$)|[\u4e00-\u9fff][:;]", line), line
        assert not re.search(r"[\u4e00-\u9fff] [，。：；、]|[，。：；、] ", line), line


@pytest.mark.usefixtures("chinese")
def test_the_unit_of_a_loss_is_translated(tf: Any) -> None:
    run = gradmagic.gradtape(SAMPLES, "权重", names=make_names(tf))
    assert re.match(r"损失 = [\d.]+ 奈特  ", render_text(run))
    assert find_english(Reader(render_html(run)).texts) <= list_ops(run)


@pytest.mark.usefixtures("chinese")
def test_the_graph_has_no_english(tf: Any) -> None:
    run = make_lesson(tf)
    reading = read_run(run)
    assert reading is not None
    document = json.loads(json.dumps(write_document(reading, alone=True)))
    levels = [Reader(level["svg"]).texts for level in document.pop("levels").values()]
    assert find_english([text for texts in levels for text in texts]) <= list_ops(run)
    texts = list(list_texts(document))
    assert len(texts) > 300
    assert find_english(texts) <= list_ops(run) | {"Dense"}
    glued = [
        text for text in texts if re.match(r"[:,;] ", text) or re.search("[一-龥]([:;]|, $)", text)
    ]
    assert glued == []  # marks that were put between pieces of Chinese text


@pytest.mark.usefixtures("chinese")
def test_losses_have_no_english(tf: Any) -> None:
    names = make_names(tf)
    names["分数"] = names["特征"] @ names["权重"]
    panel = sidebar.make_asked_panel(sidebar.Asked("标签", "分数"), names, 0)
    reader = Reader(render_panel(panel))
    assert find_english(reader.texts) == set()
    assert reader.languages == ["zh-Hans"]
    told = render_losses_text(panel).splitlines()
    assert find_english(told) == set()
    head = next(i for i, line in enumerate(told) if "拉力比" in line)
    assert len({count_columns(line) for line in told[head : head + 3]}) == 1  # columns in line


@pytest.mark.usefixtures("chinese")
def test_activations_have_no_english(tf: Any) -> None:
    lab = make_lab(["sigmoid", "relu", "softmax"])
    reader = Reader(activations.render_saved(lab, ""))
    assert find_english(reader.texts) == set()
    assert set(reader.languages) == {"zh-Hans"}
    assert find_english(render_activations_text(lab).splitlines()) <= {"dp0", "dp1", "dp2"}


@pytest.mark.usefixtures("chinese")
def test_a_descent_has_no_english_and_no_warning(tf: Any) -> None:
    names = make_names(tf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's font has no Chinese: the browser's has
        runs = gradmagic.descend(SAMPLES, "权重", names=names, steps=30, lr=(0.1, 500.0))
        page = descent.render_saved(runs, "")
    reader = Reader(page)
    assert find_english(reader.texts) == set()
    assert set(reader.languages) == {"zh-Hans"}
    assert find_english(render_descent_text(runs).splitlines()) == set()


@pytest.mark.usefixtures("chinese")
def test_what_failed_is_told_in_chinese(
    tf: Any, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("gradmagic.show.show_failure", lambda one, _shell: shown.append(one))
    shell.user_ns.update(make_names(tf))
    shell.run_cell("%%gradtape 权重\n损失 = tf.reduce_sum(权重 @ 特征)\n")
    (diagnosis,) = shown
    page = render_failure(diagnosis)
    assert find_english(Reader(page).texts) == set()
    assert page.count("（") == page.count("）") == 1  # and in small letters
    assert '<span class="gm-s">（' in page
    assert find_english(render_failure_text(diagnosis).splitlines()) == set()


@pytest.mark.usefixtures("chinese")
def test_the_same_is_said_once_of_chinese_names(tf: Any) -> None:
    names = make_names(tf) | {"甲": tf.Variable(1.0), "乙": tf.Variable(2.0)}
    run = gradmagic.gradtape("损失 = tf.reduce_sum(权重)", "甲", "乙", names=names)
    (finding,) = group_diagnoses(run.diagnoses)
    (sentence,) = write_sentences(finding)
    assert sentence.endswith("乙也是如此。")


@pytest.mark.usefixtures("english")
def test_english_comes_back(tf: Any) -> None:
    run = make_lesson(tf)
    i18n.choose_language("zh_CN")
    chinese_page = render_html(run)
    i18n.choose_language("en")
    page = render_html(run)
    assert "梯度下降" in chinese_page
    assert "梯度" not in page
    assert set(Reader(page).languages) == {"en"}


@pytest.mark.usefixtures("chinese")
def test_a_saved_page_tells_its_language(tf: Any, tmp_path: Path) -> None:
    names = make_names(tf)
    run = gradmagic.gradtape(SAMPLES, "权重", names=names)
    gradmagic.save(run, tmp_path / "报告.html")
    page = (tmp_path / "报告.html").read_text("utf-8")
    assert '<html lang="zh-Hans">' in page
    assert find_english(Reader(page).texts) <= list_ops(run)


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        ("把 {a} 增大 {b}。", {"a": "权重", "b": 0.01}, "把权重增大 0.01。"),
        ("把 {a} 增大", {"a": "模型.kernel[0]"}, "把 模型.kernel[0] 增大"),
        ("把 {a} 增大", {"a": "w"}, "把 w 增大"),
        ("{a} 和 {b}", {"a": "mean(w)", "b": "第 3 行的 relu(x)"}, "mean(w) 和第 3 行的 relu(x)"),
        ("用 {a}，再看", {"a": "%gradlosses 目标 概率"}, "用 %gradlosses 目标 概率，再看"),
        ("{a:.2f} {{x}}", {"a": 1.234}, "1.23 {x}"),
    ],
)
def test_blanks_are_written_beside_latin_words_alone(
    text: str, places: dict[str, Any], expected: str
) -> None:
    said = i18n._Chinese(text)
    assert said.format(**places) == expected
    if ":.2f" not in text:
        marked = fill(said, **{name: tag("code", one) for name, one in places.items()})
        assert re.sub("<[^>]*>", "", marked) == expected
