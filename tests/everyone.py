"""A notebook with one of every widget, and what its user may have: keys alone, or ears."""

from __future__ import annotations

import contextlib
import io
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from front_end import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from front_end import Server

SET_UP = """
import tensorflow as tf
tf.random.set_seed(1)
x, w, b = tf.random.normal([2, 4]), tf.random.normal([4, 3]), tf.zeros([3])
y = tf.one_hot([2, 0], 3)
n, wide = tf.constant([0.0, -1.0, 4.0]), tf.random.normal([20, 30])
"""
LOSS = """logits = x @ w + b
prob = tf.nn.softmax(logits)
loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, prob))
"""
STRANGE = "loss = tf.reduce_sum(tf.sqrt(n)) + tf.reduce_mean(wide ** 2)\n"
DOWN = "loss = tf.reduce_sum((2.0 * v - 3.0) ** 2)\n"
SLOW = "import time\ntime.sleep(0.02 if steps > 2 else 0)\nloss = (s - 1.0) ** 2\n"
SAVED = f"""
keep = gradmagic.save
keep(run, "report.html")
keep(run, "report-asked.html", ask=True)
keep(gradmagic.activation("sigmoid", "relu", "softmax", of=logits), "activations.html")
keep(gradmagic.activation("tanh"), "activations-asked.html", ask=True)
start = dict(tf=tf, v=v)
keep(gradmagic.descend({DOWN!r}, "v", names=start, lr=[0.01, 0.26], steps=9), "descent.html")
panel = make_plain_panel(gradmagic.compare_losses(y, logits, from_logits=True))
keep(panel, "losses.html")
keep(panel, "losses-asked.html", ask=True)
%gradexport book.html --force
steps = 500
"""
START = f"""
%load_ext gradmagic
import gradmagic
from gradmagic.sidebar import make_plain_panel
{SET_UP}
v, s, steps = tf.constant([1.0, -2.0]), tf.constant(3.0), 2
"""
CELLS = [
    START,
    f"%%gradtape w b x -o run\n{LOSS}",
    "%%gradtape b\nloss = tf.reduce_sum(tf.cast(tf.argmax(b), tf.float32))\n",
    f"%%gradtape n wide\n{STRANGE}",
    "%gradlosses y logits --inline",
    f"%%graddescent v --steps 12 --lr 0.26\n{DOWN}",
    "%gradactivation sigmoid relu --of logits",
    "%gradactivation softmax",
    "%%gradtape w b --ask\nloss = tf.reduce_sum((x @ w + b) ** 2)\n",
    "%gradlosses y logits --inline --ask",
    "%gradactivation tanh --ask",
    f"%%graddescent s --steps {{steps}} --lr 0.01\n{SLOW}",
    SAVED,
]
REPORT, NONE, NAN, LOSSES, DESCENT, CURVES, SOFTMAX, ASKED, ASKED_LOSSES, ASKED_CURVES, SLOWLY = (
    f"#live{i}" for i in range(11)
)
PAGES = (
    "report", "report-asked", "activations", "activations-asked", "descent", "losses",
    "losses-asked", "book",
)  # fmt: skip


@contextlib.contextmanager
def open_everything(server: Server, chromium: Any, theme: str) -> Iterator[Page]:
    """The notebook, run in JupyterLab; every widget has an id of its own."""
    folder = server.folder / ".settings" / "@jupyterlab"
    themes = folder / "apputils-extension" / "themes.jupyterlab-settings"
    whole = folder / "notebook-extension" / "tracker.jupyterlab-settings"
    whole.parent.mkdir(exist_ok=True)
    whole.write_text(json.dumps({"windowingMode": "none"}))  # cells out of sight stay on the page
    if theme == "dark":
        themes.write_text(json.dumps({"theme": "JupyterLab Dark"}))
    try:
        server.write("everyone.ipynb", CELLS)
        page = Page(chromium, server.address("lab", "everyone.ipynb"))
        page.run_all()
        page.page.wait_for_function(
            "document.querySelectorAll('.gm-live').length === 11", timeout=60_000
        )
        page.page.evaluate(
            "document.querySelectorAll('.gm-live').forEach((one, i) => { one.id = `live${i}`; })"
        )
        yield page
        page.page.close()
    finally:
        themes.unlink(missing_ok=True)
        whole.unlink()


def find_faults(page: Any, selector: str | None = ".gm-live") -> list[str]:
    """What axe-core finds, a line each; None: on the whole page."""
    context = {"include": [[selector]]} if selector else None
    found = Axe().run(page, context=context).response
    assert len(found["passes"]) > 15, "axe-core has looked at next to nothing"
    return [
        f"{fault['impact']} {fault['id']}: {node['html'][:200]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def walk(page: Any, selector: str) -> list[dict[str, Any]]:
    """Press Tab from before an element until it is left: the stops in it, in their order."""
    page.evaluate(
        """(selector) => {
            const [before, after] = ["before", "after"].map((id) =>
                Object.assign(document.createElement("button"), { id, textContent: id }));
            const element = document.querySelector(selector);
            element.before(before);
            element.after(after);
            before.focus();
            window.stops = [];
        }""",
        selector,
    )
    stops: list[dict[str, Any]] = []
    try:
        for _ in range(150):
            page.keyboard.press("Tab")
            stop = page.evaluate(
                """(selector) => {
                    const at = document.activeElement;
                    const inside = document.querySelector(selector).contains(at);
                    const before = stops.at(-1);
                    if (inside) stops.push(at);
                    const { left, top, width, height } = at.getBoundingClientRect();
                    return {
                        inside, id: at.id, number: stops.length - 1,
                        kind: [at.tagName, at.type, at.getAttribute("class"), at.getAttribute("role")].join(" "),
                        name: at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent.trim(),
                        follows: !before || Boolean(before.compareDocumentPosition(at) & 4),
                        box: [left, top, width, height],
                    };
                }""",
                selector,
            )
            if not stop["inside"]:
                assert stop["id"] == "after", f"Tab has left to {stop}"
                return stops
            stops.append(stop)
    finally:
        page.evaluate("document.querySelectorAll('#before, #after').forEach((one) => one.remove())")
    raise AssertionError(f"Tab does not leave {selector}: {stops[-1]}")


def count_stops(page: Any, selector: str) -> int:
    """What can be worked in an element and is to be seen; of radio buttons one a group."""
    return page.evaluate(
        """(selector) => {
            const groups = new Set();
            const all = document.querySelector(selector).querySelectorAll(
                "a[href], button, input, select, summary, [tabindex]");
            return [...all].filter((one) => {
                if (one.disabled || one.tabIndex < 0) return false;
                if (!one.checkVisibility({ visibilityProperty: true })) return false;
                const again = one.type === "radio" && groups.has(one.name);
                if (one.type === "radio") groups.add(one.name);
                return !again;
            }).length;
        }""",
        selector,
    )


def find_unseen_focus(page: Any, stops: list[dict[str, Any]]) -> list[str]:
    """Of each kind of stop the first whose picture is the same with and without the focus."""
    unseen, known = [], set()
    for stop in stops:
        if stop["kind"] in known:
            continue
        known.add(stop["kind"])
        pictures = []
        for focused in (True, False):
            box = page.evaluate(
                """([number, focused]) => {
                    const one = stops[number];
                    if (focused) one.focus();
                    else one.blur();
                    const { left, top, right, bottom } = one.getBoundingClientRect();
                    return { x: Math.max(0, left - 6), y: Math.max(0, top - 6), width: right - left + 12, height: bottom - top + 12 };
                }""",
                [stop["number"], focused],
            )
            pictures.append(page.screenshot(clip=box, animations="disabled", caret="hide"))
        one, other = map(_read, pictures)
        if one.shape == other.shape and (np.abs(one - other).max(axis=-1) > 0.1).sum() < 12:
            unseen.append(f"{stop['kind']}: {stop['name'][:40]}")
    return unseen


def _read(png: bytes) -> np.ndarray:
    import matplotlib.image

    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def read_table(table: Any) -> tuple[list[str], list[str], np.ndarray]:
    """What a screen reader has of a table of numbers: heads of columns and rows, and the cells."""
    columns = [head.inner_text() for head in table.get_by_role("columnheader").all()]
    rows, cells = [], []
    for row in table.get_by_role("row").all():
        numbers = [read_number(cell.inner_text()) for cell in row.get_by_role("cell").all()]
        if row.get_by_role("columnheader").count():
            continue
        rows += [head.inner_text() for head in row.get_by_role("rowheader").all()]
        cells.append([number for number in numbers if number is not None])
    return columns, rows, np.array(cells)


def read_number(text: str) -> float | None:
    """The number that a cell says; None where it has none."""
    try:
        return float(text.replace("\u2212", "-").replace("\u221e", "inf"))
    except ValueError:
        return None


def read_numbers(text: str | None) -> list[float]:
    """All numbers in a sentence, in their order."""
    plain = (text or "").replace("\u2212", "-")
    return [float(one) for one in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", plain)]
