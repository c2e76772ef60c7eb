"""``%gradexport``: all reports of a kernel as one page."""

from __future__ import annotations

import base64
import gc
import itertools
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.error import UsageError
from lessons_shown import CELLS, SETUP

import gradmagic
from gradmagic import show
from gradmagic.core import i18n, journal
from gradmagic.core.asking.records import Choice, Guess, Question
from gradmagic.core.errors import UserError
from gradmagic.core.journal import Entry
from gradmagic.render.exporting.chapters import arrange, fit
from gradmagic.render.exporting.pieces import split_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[[str], Any]


class Page(HTMLParser):
    """A page's elements: tag, attributes, text; and the path of tags above each."""

    VOID = frozenset({"meta", "br", "input", "hr", "img", "link"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[list[str]] = []
        self._tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words: list[str] = []
        self.elements.append((tag, {k: v or "" for k, v in attrs}, words))
        if tag not in self.VOID:
            self._open.append(words)
            self._tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}, []))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:  # browsers pass over it
            return
        assert self._tags[-1] == tag, (self._tags[-5:], tag)
        self._tags.pop()
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for words in self._open:
            words.append(data)

    def find(self, tag: str, name: str = "") -> list[tuple[dict[str, str], str]]:
        """Attributes and text of each element with this tag and class."""
        return [
            (attributes, "".join(words))
            for one, attributes, words in self.elements
            if one == tag and (not name or name in attributes.get("class", "").split())
        ]


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that has shown nothing yet."""
    monkeypatch.setattr(journal, "_entries", [])
    monkeypatch.setattr(journal, "_guesses", {})
    monkeypatch.setattr(journal, "_left_out", 0)


@pytest.fixture
def run(shell: Any, tf: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a cell as a kernel does; what it shows goes nowhere."""
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.setattr(show, "_publish", lambda _bundle: None)
    monkeypatch.setattr(show, "_publish_under", lambda _handle, _bundle, again=False: None)
    monkeypatch.setattr(show, "_widgets", type(show._widgets)())
    numbers = itertools.count(1)

    def run_cell(text: str, cell: str | None = None) -> Any:
        number = next(numbers)
        manager = shell.history_manager
        monkeypatch.setattr(manager, "input_hist_raw", ["", *[""] * (number - 1), text])
        parent = {"content": {"code": text}, "metadata": {"cellId": cell or f"cell-{number}"}}
        monkeypatch.setattr(shell, "get_parent", lambda: parent, raising=False)
        return shell.run_cell(text, silent=True)

    shell.user_ns["tf"] = tf
    run_cell(SETUP).raise_error()
    yield run_cell
    for key in list(show._widgets):
        show._close_widget(key)


def export(folder: Path) -> Page:
    path = folder / "lesson.html"
    gradmagic.export(path, force=True)
    return Page(path.read_text("utf-8"))


def make_entry(number: int, **more: Any) -> Entry:
    return Entry("tape", f"loss{number}", **{"html": f"<p>{number}</p>", "text": "as text", **more})


QUESTION = Question(
    key="w",
    subject="w",
    kind="choice",
    text="Is the gradient of w <above> 0?",
    choices=(Choice("p", "above 0"), Choice("n", "below 0")),
    right=("n",),
    truth="It is \u22123.14159.",
    why=("A slope & its reason.",),
)


def test_each_report_is_there_in_order_with_its_cell(run: Run, tmp_path: Path) -> None:
    values = []
    for cell in CELLS:
        run(cell).raise_error()
        if cell.startswith("%%gradtape"):
            values.append(gradmagic.last_run().loss.numpy())
    page = export(tmp_path)
    chapters = page.find("article", "gm-chapter")
    assert [a["id"] for a, _ in chapters] == [f"report-{i + 1}" for i in range(len(CELLS))]
    assert [text for _, text in page.find("pre", "gm-typed")] == [
        cell.rstrip() + "\n" for cell in CELLS
    ]
    kinds = ["tape"] * 5 + ["losses", "activations", "descent", "tape", "tape"]
    assert [a["data-kind"] for a, _ in chapters] == kinds
    titles = [text for _, text in page.find("div", "gm-title")]
    shown = [title for title, kind in zip(titles, kinds, strict=True) if kind == "tape"]
    for title, value in zip(shown, values, strict=True):
        number = re.search(r"= (\u2212?[\d.]+|nan)", title)[1].replace("\u2212", "-")
        assert float(number) == pytest.approx(float(value.sum()), rel=1e-3, nan_ok=True)
    assert "損失" in titles[1]
    links = [a["href"] for a, _ in page.find("a") if a["href"] != "#gm-reports"]  # (to skip to)
    assert links == [f"#report-{i + 1}" for i in range(len(CELLS))]
    signs = [a["title"] for a, _ in page.find("span", "gm-sign") if a.get("role") == "img"]
    assert any("NaN comes from here" in said for said in signs)


def test_it_is_one_page_that_needs_nothing(run: Run, tmp_path: Path) -> None:
    run(CELLS[0]).raise_error()
    styles = len(export(tmp_path).find("style"))
    for cell in (*CELLS, *CELLS):
        run(cell).raise_error()
    page = export(tmp_path)
    assert len(page.find("style")) == styles <= 2  # one more is of the page's switch
    scripts = [attributes for attributes, _ in page.find("script")]
    assert [a.get("type") for a in scripts if a.get("type") == "module"] == ["module"]
    assert not [a for _, a, _ in page.elements if "src" in a]
    assert all(a["href"].startswith("#") for _, a, _ in page.elements if "href" in a)
    ids = [a["id"] for _, a, _ in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert not [text for _, text in page.find("script") if text.strip() == "alert(1)"]


def test_what_makes_a_report_live_comes_with_it(run: Run, tmp_path: Path) -> None:
    for cell in CELLS:
        run(cell).raise_error()
    kept = [text for _, text in export(tmp_path).find("script", "gm-kept")]
    documents = [json.loads(zlib.decompress(base64.b64decode(text))) for text in kept]
    keys = ["levels"] * 5 + ["tables", "curves", "runs"] + ["levels"] * 2
    assert len(documents) == len(keys)
    assert all(key in document for key, document in zip(keys, documents, strict=True))


def test_what_was_quiet_or_raised_is_not_in_it(run: Run, tmp_path: Path) -> None:
    run("%%gradtape w -q\nloss = tf.reduce_sum(w)").raise_error()
    assert run("%%gradtape w\nloss = w @ w").error_in_exec is not None
    with pytest.raises(UserError, match="no report to export yet; run a cell with %%gradtape"):
        export(tmp_path)
    run("%%gradtape w\nloss = tf.reduce_sum(w)").raise_error()
    page = export(tmp_path)
    first, second = page.find("article", "gm-chapter")
    assert first[0]["data-kind"] == "failure"
    assert "3 against 4" in first[1]
    assert second[0]["id"] == "report-1"
    assert "1 report" in page.find("header")[0][1]


def test_a_cell_run_again_keeps_its_earlier_report(run: Run, tmp_path: Path) -> None:
    run("%%gradtape w\na = 1\nloss = tf.reduce_sum(w)", "one").raise_error()
    run("%%gradtape b\nloss = tf.reduce_sum(b)", "two").raise_error()
    run("%%gradtape w\na = 1\nloss = tf.reduce_mean(w)", "one").raise_error()
    page = export(tmp_path)
    titles = [text for _, text in page.find("div", "gm-title")]
    assert "run 1 of 2 of this cell" in titles[0]
    assert "run again: 3" in titles[0]
    assert "run 2 of 2 of this cell" in titles[2]
    assert len(page.find("details", "gm-earlier")) == 1
    assert [text for _, text in page.find("span", "gm-changed")] == ["loss = tf.reduce_mean(w)\n"]
    (contents,) = page.find("nav")
    assert "1 earlier run" in contents[1]


def test_what_was_guessed_is_beside_the_truth(tmp_path: Path) -> None:
    asked = make_entry(1, questions=(QUESTION,), alerts=(("missing", "w: not watched"),))
    journal.add(asked)
    journal.note_guess(asked.report, Guess(QUESTION, "p", "wrong"))
    page = export(tmp_path)
    ((_, said),) = page.find("section", "gm-guesses")
    for words in (
        "0 of 1 right",
        QUESTION.text,
        "Not yet",
        "above 0",
        QUESTION.truth,
        *QUESTION.why,
    ):
        assert words in said
    assert not page.find("details", "gm-veiled")
    assert "0 of 1 guesses right" in page.find("header")[0][1]


def test_guesses_are_in_the_order_of_the_questions() -> None:
    first, second = QUESTION, replace(QUESTION, key="second")
    asked = make_entry(1, questions=(first, second))
    for question in (second, first):  # as a kernel with several threads may hear them
        journal.note_guess(asked.report, Guess(question, "p", "wrong"))
    assert [guess.question for guess in journal.list_guesses(asked)] == [first, second]


def test_what_was_not_guessed_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    asked = make_entry(1, questions=(QUESTION,))
    journal.add(asked)
    journal.note_guess(asked.report, Guess(QUESTION, "", "skipped"))
    page = export(tmp_path)
    ((_, said),) = page.find("section", "gm-guesses")
    assert "No guess" in said
    assert "0 of" not in said
    assert "guesses right" not in page.find("header")[0][1]


def test_what_is_not_answered_is_told_on_request_only(tmp_path: Path) -> None:
    asked = make_entry(1, questions=(QUESTION,), alerts=(("missing", "w: not watched"),))
    journal.add(asked)
    page = export(tmp_path)
    ((attributes, hidden),) = page.find("details", "gm-veiled")
    assert "open" not in attributes
    assert "1" in hidden
    ((_, said),) = page.find("section", "gm-guesses")
    assert "Not answered yet" in said
    text = (tmp_path / "lesson.html").read_text("utf-8")
    assert QUESTION.truth not in text
    assert "not watched" not in text
    assert "1 question not answered" in page.find("header")[0][1]


def test_the_journal_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(journal, "MOST", 6)
    monkeypatch.setattr(journal, "RUNS", 2)
    for i in range(8):
        journal.add(make_entry(i, key="same" if i > 3 else f"cell {i}"))
    entries = journal.list_entries()
    assert [entry.subject for entry in entries] == [f"loss{i}" for i in range(2, 8)]
    assert [bool(entry.html) for entry in entries] == [True, True, False, False, True, True]
    page = export(tmp_path)
    assert [a["id"] for a, _ in page.find("article", "gm-chapter")] == [
        f"report-{i}" for i in range(3, 9)
    ]
    assert [text for _, text in page.find("pre", "gm-plain")] == ["as text"] * 2
    assert "2 earlier reports were left out." in page.find("header")[0][1]


def test_the_oldest_lose_their_pictures_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HELD", 2500)
    for i in range(4):
        journal.add(make_entry(i, html="x" * 1000))
    assert [bool(entry.html) for entry in journal.list_entries()] == [False, False, True, True]


def test_a_long_cell_is_cut() -> None:
    journal.add(make_entry(1, code="x" * 50_000))
    assert len(journal.list_entries()[0].code) < 21_000


def test_the_page_holds_the_newest_whole_and_older_ones_as_text() -> None:
    entries = [
        make_entry(i, html="x" * 50_000, text="t" * 500, numbers='"n"' * 100) for i in range(30)
    ]
    asked: list[str] = []

    def make_numbers(entry: Entry) -> str:
        asked.append(entry.subject)
        return entry.numbers

    kept, left_out = fit(arrange(entries, 0), make_numbers, room=400_000)
    assert kept[-1].number == 30
    assert [chapter.number for chapter in kept] == list(range(31 - len(kept), 31))
    assert left_out == 30 - len(kept)
    shown = [bool(chapter.entry.html) for chapter in kept]
    assert shown == sorted(shown)
    assert 0 < sum(shown) < len(shown)
    assert asked == [f"loss{29 - i}" for i in range(sum(shown))]  # the newest first
    parts = [(c.entry.html or c.entry.text) + c.numbers for c in kept]
    assert sum(map(len, parts)) < 400_000
    assert fit(arrange(entries, 0), make_numbers, room=10) == ([], 30)


def test_several_lines_of_one_cell_show_it_once(run: Run, tmp_path: Path) -> None:
    cell = "%gradactivation sigmoid\n%gradactivation tanh"
    run(cell).raise_error()
    page = export(tmp_path)
    assert [text for _, text in page.find("pre", "gm-typed")] == [cell + "\n"]
    assert "The same cell as of report 1." in page.find("article", "gm-chapter")[1][1]


def test_the_journal_holds_no_run(run: Run) -> None:
    run("%%gradtape w --static\nloss = tf.reduce_sum(w)").raise_error()
    held = journal.list_entries()[0].run
    assert held() is gradmagic.last_run()
    run("%%gradtape w --static\nloss = tf.reduce_mean(w)").raise_error()
    gc.collect()
    assert held() is None


def test_a_view_is_taken_apart() -> None:
    view = (
        "<style>.a{}</style><p>&lt;script&gt; <b>x</b></p>"
        '<script type="application/json" data-of="1">{"a":"\\u003c/script>"}</script>'
        '<script type="module">run()</script><p>y</p>'
    )
    body, numbers = split_view(view)
    assert body == "<p>&lt;script&gt; <b>x</b></p><p>y</p>"
    assert json.loads(numbers) == {"a": "</script>"}
    assert split_view("<p>z</p>") == ("<p>z</p>", "")


def test_without_a_notebook_the_text_is_kept(
    shell: Any, tf: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns.update(tf=tf, w=tf.constant([1.0, 2.0]))
    shell.run_cell("%%gradtape w\nloss = tf.reduce_sum(w ** 2)")
    printed = capsys.readouterr().out
    ((_, text),) = export(tmp_path).find("pre", "gm-plain")
    assert text.strip() == printed.strip()
    assert "loss" in text


def test_loading_again_keeps_the_journal(run: Run, shell: Any, tmp_path: Path) -> None:
    run("%%gradtape w\nloss = tf.reduce_sum(w)").raise_error()
    shell.run_line_magic("reload_ext", "gradmagic")
    run("%%gradtape w\nloss = tf.reduce_mean(w)").raise_error()
    assert len(export(tmp_path).find("article", "gm-chapter")) == 2


def test_its_language_is_named(tmp_path: Path) -> None:
    journal.add(make_entry(1))
    assert export(tmp_path).find("html")[0][0]["lang"] == "en"
    i18n.choose_language("zh_CN")
    try:
        assert export(tmp_path).find("html")[0][0]["lang"] == "zh-Hans"
    finally:
        i18n.choose_language("en")


@pytest.mark.parametrize(
    "name", ["a b.html", 'l\'été "1".html', "课程.html", "x.HTML", "<b>&.html"]
)
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    journal.add(make_entry(1))
    said = gradmagic.export(tmp_path / name)
    size = (tmp_path / name).stat().st_size
    assert said == f"1 report was written to {tmp_path / name} ({size / 1e6:.1f} MB)."
    page = Page((tmp_path / name).read_text("utf-8"))
    assert page.find("h1")[0][1] == Path(name).stem
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_the_magic_takes_quotes_and_prints_one_line(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.add(make_entry(1))
    monkeypatch.chdir(tmp_path)
    shell.run_line_magic("gradexport", '"my lesson.html"')
    assert capsys.readouterr().out.startswith("1 report was written to my lesson.html (")
    with pytest.raises(UsageError, match="is there already; add --force to replace it"):
        shell.run_line_magic("gradexport", '"my lesson.html"')
    shell.run_line_magic("gradexport", '"my lesson.html" --force')


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    journal.add(make_entry(1))
    path = tmp_path / "x.html"
    path.write_text("mine")
    with pytest.raises(UserError, match=r"x\.html' is there already; add --force to replace it"):
        gradmagic.export(path)
    assert path.read_text() == "mine"
    gradmagic.export(path, force=True)
    assert "loss1" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/x.html", "there is no folder '.*missing'; make it first"),
        ("x.pdf", "'.*x.pdf' does not end in .html; name the page, such as x.html"),
        ("x", "does not end in .html"),
        (".", "is a folder; add the name of a page, such as lesson.html"),
        (".html", "'.*.html' does not end in .html; name the page, such as lesson.html"),
        (f"{'x' * 300}.html", "x.html' cannot be written: File name too long"),
    ],
)
def test_a_wrong_place_is_named(tmp_path: Path, name: str, message: str) -> None:
    journal.add(make_entry(1))
    with pytest.raises(UserError, match=message):
        gradmagic.export(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_home_that_nobody_has_is_named() -> None:
    journal.add(make_entry(1))
    with pytest.raises(UserError, match=r"'~nobody\.1/x\.html' cannot be written: "):
        gradmagic.export("~nobody.1/x.html")


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.add(make_entry(1))

    def refuse(_path: Path, _data: bytes) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(UserError, match=r"x\.html' cannot be written: Permission denied"):
        gradmagic.export(tmp_path / "x.html")


def test_an_interrupt_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.add(make_entry(1))
    path = tmp_path / "x.html"
    path.write_text("mine")
    write = Path.write_bytes

    def stop(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        gradmagic.export(path, force=True)
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["x.html"]


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    evil = '</script><script>alert("1")</script><img src=x onerror=alert(1)>\'"'
    question = replace(QUESTION, text=evil, truth=evil, why=(evil,), choices=(Choice("p", evil),))
    alerts = (("wrong", evil),)
    entry = make_entry(1, html="", text=evil, code=evil, value=evil, detail=evil, alerts=alerts)
    entry = replace(entry, subject=evil, questions=(question,))
    journal.add(entry)
    journal.note_guess(entry.report, Guess(question, evil, "wrong"))
    page = export(tmp_path)
    assert not page.find("img")
    assert not [a for _, a, _ in page.elements if "onerror" in a]
    assert page.find("pre", "gm-typed")[0][1].strip() == evil
    assert page.find("pre", "gm-plain")[0][1] == evil


def test_a_report_knows_its_cell_by_number_and_as_it_was_typed(
    shell: Any, tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_entries", [])
    shell.user_ns["w"] = tf.constant(2.0)
    cell = "%%gradtape w\n# 平方\nloss = w * w"
    shell.run_cell(cell, store_history=True).raise_error()
    (entry,) = journal.list_entries()
    assert entry.number == shell.execution_count - 1
    assert entry.code == cell
