"""The six notebooks of the course: each runs, and each exercise knows right answers from wrong ones.

The notebooks of another language lie in a folder of their own, under the same file names: their
code is the same up to names, comments and strings.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from course_answers import ANSWERS, NAMES
from course_names import list_code, match_names
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1] / "examples"
FOLDERS = (EXAMPLES, *sorted(one.parent for one in EXAMPLES.glob(f"*/{NAMES[0]}")))
PATHS = [
    pytest.param(folder / name, id=(folder / name).relative_to(EXAMPLES).as_posix())
    for folder in FOLDERS
    for name in NAMES
]
SHOWING = ("%%gradtape", "%%graddescent", "%gradlosses", "%gradactivation")

KINDS_SEEN = (
    "print(*dict.fromkeys(d.kind for d in __import__('gradmagic').last_run().diagnoses), end='')"
)
GROUPS_SEEN = "print(*sorted({g.name for g in __import__('gradmagic').last_run().graph.groups}), sep='|', end='')"
SLOPES_SEEN = "print(*(float(g) for g in grads if g is not None and g.shape == ()), end='')"


def read(path: Path) -> Any:
    """A notebook."""
    return nbformat.read(path, as_version=4)


def find_magic(cell: Any) -> str:
    """The magic that shows something in a cell; empty where none does."""
    return next((one for one in SHOWING if cell.source.startswith(f"{one} ")), "") or next(
        (one for one in SHOWING if cell.source.split("\n")[0] == one), ""
    )


def join_text(cell: Any) -> str:
    """What a cell printed (a print may arrive in parts), and its reports as text."""
    texts = [
        output.text if output.output_type == "stream" else output.data.get("text/plain", "") + "\n"
        for output in cell.outputs
        if output.get("name") != "stderr"
    ]
    return "".join(texts)


def fill_in(exercise: str, answer: str) -> str:
    """The exercise's cell with an answer in the place of the three dots."""
    (line,) = (one for one in exercise.split("\n") if one.endswith(" ..."))
    if "\n" not in answer:
        return exercise.replace(line, f"{line[:-3]}{answer}")
    indent = line[: len(line) - len(line.lstrip())]
    return exercise.replace(line, textwrap.indent(answer, indent))


class Walk:
    """A notebook that was run from top to bottom, and its kernel."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.name, self.notebook = path.name, read(path)
        self.kinds: list[str] = []  # the diagnoses of each %%gradtape cell
        self.groups: list[str] = []  # the names of those in its graph
        self.slopes: list[str] = []  # its gradients that are numbers
        self._client = NotebookClient(
            self.notebook, timeout=180, resources={"metadata": {"path": str(folder)}}
        )
        self._original = read(EXAMPLES / path.name)
        names = match_names(self._original, self.notebook)
        self._renamed = {one: other for one, other in names.items() if one != other}

    def run(self) -> Iterator[Walk]:
        """Run all cells; the kernel lives until the iterator goes on."""
        with self._client.setup_kernel():
            for i, cell in enumerate(self.notebook.cells):
                self._client.execute_cell(cell, i)
                if find_magic(cell) == "%%gradtape":
                    self.kinds.append(self.execute(KINDS_SEEN))
                    self.groups.append(self.execute(GROUPS_SEEN))
                    self.slopes.append(self.execute(SLOPES_SEEN))
            yield self

    def execute(self, code: str) -> str:
        """Run more code, and give what it printed."""
        cell, last = nbformat.v4.new_code_cell(code), self.notebook.cells[-1]
        self._client.allow_errors = True
        self._client.execute_cell(cell, len(self.notebook.cells) - 1, store_history=False)
        self._client.allow_errors = False
        self.notebook.cells[-1] = last  # the client has put the cell in its place
        assert not any(one.output_type == "error" for one in cell.outputs), (code, cell.outputs)
        return join_text(cell)

    def answer(self, which: int, answer: str) -> str:
        """Put an answer into an exercise, and give what its check says."""
        for one, other in self._renamed.items():
            answer = re.sub(rf"(?<![\w.]){one}(?!\w)", other, answer)
        exercise = list_code(self.notebook, "exercise")[which].source
        self.execute(fill_in(exercise, answer))
        return self.execute(list_code(self.notebook, "check")[which].source).strip()

    def find(self, start: str) -> str:
        """What a cell has said: the only one that begins so in the original notebook."""
        cells = zip(list_code(self._original), list_code(self.notebook), strict=True)
        (cell,) = (cell for original, cell in cells if original.source.startswith(start))
        return join_text(cell)


@pytest.fixture(params=PATHS)
def walk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Walk]:
    """Each notebook, run once."""
    yield from Walk(request.param, tmp_path).run()


@pytest.mark.kernel
def test_each_runs_and_its_exercises_tell_right_from_wrong(walk: Walk) -> None:
    for cell in list_code(walk.notebook):
        shown = [
            one.data["text/html"] for one in cell.outputs if "text/html" in one.get("data", {})
        ]
        assert any("gm-" in html for html in shown) == bool(find_magic(cell)), cell.source
    (asking,) = (cell for cell in list_code(walk.notebook) if "--ask" in cell.source)
    assert re.search("[?？]", join_text(asking)), join_text(asking)
    checks = [join_text(cell) for cell in list_code(walk.notebook, "check")]
    assert [said[0] for said in checks] == ["…", "…"]
    CLAIMS[walk.name](walk)
    for which, (right, wrong) in enumerate(ANSWERS[walk.name]):
        said = {answer: walk.answer(which, answer) for answer in [*right, *wrong, "..."]}
        marks = {answer: text[:1] for answer, text in said.items()}
        assert marks == {
            **dict.fromkeys(right, "✓"),
            **dict.fromkeys(wrong, "✗"),
            "...": "…",
        }, said
        assert {answer for answer, text in said.items() if len(text.splitlines()) != 1} == set(), (
            said
        )


def check_tape(walk: Walk) -> None:
    assert walk.kinds == ["", "", ""]
    assert walk.slopes == ["2.0", "2.0", "44.0"]  # the last: (2 h + 3) 2 a
    assert re.search(
        r"(?<![\d.])0\.25(?!\d)", walk.find("%%graddescent w --lr 0.002")
    )  # it is stable


def check_activations(walk: Walk) -> None:
    assert "0.8808" in walk.find("%%gradtape x\ny")
    assert "0.104994" in walk.find("%%gradtape x\ny")
    assert "\u00d7 10" in walk.groups[-1]
    passed, bound = map(float, walk.find("print(float(grads").split())
    assert 0 < passed < bound == 0.25**10
    large, good = (
        float(
            re.search(r"([\d.]+) ?%", walk.find(f"%gradactivation sigmoid tanh relu --of {z}"))[1]
        )
        for z in ("large", "good")
    )
    assert large > 50
    assert good < 5


def check_mse(walk: Walk) -> None:
    three = [float(number) for number in walk.find("print(float(squares)").split()]
    assert max(three) - min(three) < 1e-6
    *_, total = walk.find('print(grads["b"]').split()
    assert abs(float(total)) < 1e-6
    assert walk.kinds == ["mse-on-one-hot", "mse-on-one-hot"]


def check_crossentropy(walk: Walk) -> None:
    said = walk.find("nats = tf.losses")
    assert re.findall(r"[\d.]+\d|\d\.", said)[:4] == ["1.3863", "2.3026", "0.3567", "2."]
    assert walk.find("print(tf.losses.binary") == "[0.1054 2.3026]\n"
    rows = re.findall(r"s = +(\d+) +(\S+) +\[(.*)\]", walk.find("import gradmagic"))
    losses = [(int(s), float(loss)) for s, loss, _ in rows]
    assert [s for s, _ in losses] == [10, 50, 100] * 3
    assert [round(loss, 4) for _, loss in losses] == [
        *(10.0, 16.1181, 16.1181),
        *(10.0, 50.0, float("inf")),
        *(10.0, 50.0, 100.0),
    ]
    slopes = [slope.split()[0] for *_, slope in rows]
    assert slopes[1:3] == ["0.", "0."]
    assert slopes[5] == "nan"
    assert [float(slopes[i]) for i in (4, 7, 8)] == pytest.approx([1, 1, 1])
    assert walk.kinds == [
        "",
        "clipped-probability softmax-then-crossentropy",
        "nan-gradient softmax-then-crossentropy",
        "",
    ]


def check_both_losses(walk: Walk) -> None:
    rows = [
        float(number) for number in re.findall(r"-?\d\.[\de-]+", walk.find("print(tape.gradient"))
    ]
    assert len(rows) == 12
    assert rows[:6] == pytest.approx(rows[6:], abs=1e-6)
    s, crossentropy, mse = re.findall(r"[\d.]+", walk.find("def pull").splitlines()[-1])
    assert float(s) == 10
    assert float(crossentropy) > 1.41
    assert 0 < float(mse) < 2e-4
    start, on_crossentropy, on_mse = (
        float(part) / 100 for part in walk.find("start = 2.0").split("%")[:3]
    )
    assert start < 0.2
    assert on_mse < 0.3
    assert on_crossentropy > 0.7
    assert walk.groups[-1].count("dense") >= 2
    assert float(walk.find('print(f"{accuracy(model').strip("%\n")) > 95


def check_reasons(walk: Walk) -> None:
    assert walk.kinds == [
        "not-watched",
        "left-tensorflow",
        "integer-dtype",
        "not-differentiable",
        "stop-gradient",
        "stateful-assign",
        "variable-replaced",
        "computed-before-tape",
        "tape-consumed",
        "not-used",
        "dead-relu",
        "nan-gradient",
    ]


CLAIMS = dict(
    zip(
        NAMES,
        (
            check_tape,
            check_activations,
            check_mse,
            check_crossentropy,
            check_both_losses,
            check_reasons,
        ),
        strict=True,
    )
)


@pytest.mark.parametrize("path", PATHS)
def test_each_has_the_form_of_a_lesson(path: Path) -> None:
    notebook = read(path)
    code = list_code(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert 12 <= len(code) <= 20
    assert [cell.id for cell in notebook.cells] == [
        cell.id for cell in read(EXAMPLES / path.name).cells
    ]
    title, empty, *goal = notebook.cells[0].source.split("\n")
    assert title.startswith(f"# {path.name[0]}. ")
    assert empty == ""
    assert len(goal) == 2
    assert "%load_ext gradmagic" in code[0].source
    assert "import tensorflow as tf" in code[0].source

    asking = [cell for cell in code if "--ask" in cell.source]
    assert len(asking) == 1
    before = notebook.cells[notebook.cells.index(asking[0]) - 1]
    assert (
        before.cell_type == "code" or "**" in before.source
    )  # the sentence that invites to predict

    exercises, checks = list_code(notebook, "exercise"), list_code(notebook, "check")
    assert len(exercises) == len(checks) == 2
    for number, (exercise, check) in enumerate(zip(exercises, checks, strict=True), 1):
        start, end = notebook.cells.index(exercise), notebook.cells.index(check)
        assert re.match(rf"## \S.*{number}\b", notebook.cells[start - 1].source)
        assert 1 <= end - start <= 2
        assert exercise.source.count("...") == 1
        assert all(mark in check.source for mark in '"… "✓ "✗'.replace('"', "").split())

    *_, last = notebook.cells
    assert last.cell_type == "markdown"
    assert last.source.count("\n- ") == 3
    following = NAMES[int(path.name[0]) % len(NAMES)]
    assert f"]({following})" in last.source
    linked = re.findall(r"\]\(([^)#]+)\)", "\n".join(cell.source for cell in notebook.cells))
    assert all((path.parent / link).is_file() for link in linked)


@pytest.mark.parametrize("folder", [pytest.param(f, id=f.name) for f in FOLDERS])
def test_a_folder_holds_the_whole_course_and_nothing_else(folder: Path) -> None:
    assert tuple(sorted(one.name for one in folder.glob("*.ipynb"))) == NAMES


def test_code_that_differs_in_more_than_names_is_seen() -> None:
    def book(*cells: str) -> Any:
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])

    ours = "%%gradtape w b\nloss = w.w * 2.0 + b  # why", "print(f'{loss} is {w:.2f}', 'end')"
    cell = '%config A.language = "zh"\n%%gradtape 权 b\n损失 = 权.w * 2.0 + b'
    shown = "print(f'这是 {损失}，{权:.2f}', '完')"
    names = match_names(book(*ours), book(cell, shown))
    assert {one: names[one] for one in ("w", "b", "loss")} == {"w": "权", "b": "b", "loss": "损失"}
    for other in (
        (cell.replace("2.0", "3.0"), shown),
        (cell.replace("+ b", "+ 权"), shown),
        (cell.replace("+", "-"), shown),
        (cell.replace(".w", ".权"), shown),
        (cell.replace("%%gradtape 权 b", "%%gradtape 权"), shown),
        (cell.replace("b", "权"), shown.replace("b", "权")),
        (cell, shown.replace("{权:.2f}", "")),
        (cell,),
    ):
        with pytest.raises(AssertionError):
            match_names(book(*ours), book(*other))
