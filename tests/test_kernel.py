"""The magic in a real kernel: what a front-end receives, interrupts, Run All, re-runs."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

WIDGET = "application/vnd.jupyter.widget-view+json"
SET_UP = """
%load_ext gradmagic
import tensorflow as tf
from tensorflow.python.eager import context
tf.random.set_seed(1)
x, w, b = tf.random.normal([2, 4]), tf.random.normal([4, 3]), tf.zeros([3])
y = tf.one_hot([2, 0], 3)
"""
CELL = """%%gradtape w b
logits = x @ w + b
loss = tf.reduce_mean(tf.losses.categorical_crossentropy(y, logits, from_logits=True))
"""


class Kernel:
    """A running kernel, and what it answers."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def start(self, code: str) -> str:
        """Send a cell and give the request's id."""
        return self.client.execute(code, store_history=True)

    def collect(self, request: str, timeout: float = 120) -> tuple[dict[str, Any], list[Any]]:
        """The reply to a request, and the messages that came before it was done."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != request:
                continue
            messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return self.answer(request, timeout), messages

    def answer(self, request: str, timeout: float = 120) -> dict[str, Any]:
        """The reply to a request."""
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    def run(self, code: str) -> tuple[dict[str, Any], list[Any]]:
        """Run a cell to its end."""
        return self.collect(self.start(code))

    def value(self, expression: str) -> str:
        """The repr of an expression."""
        reply, messages = self.run(f"print(repr({expression}))")
        assert reply["status"] == "ok", reply
        return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream").strip()


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One kernel for this file, with the extension, TensorFlow and a few tensors."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    manager, client = start_new_kernel(kernel_name="python3", env=env)
    started = Kernel(manager, client)
    reply, _ = started.run(SET_UP)
    assert reply["status"] == "ok", reply
    yield started
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def plain(text: str) -> str:
    """Text without its colour codes."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def displays(messages: list[Any]) -> list[dict[str, Any]]:
    """The mime bundles that were displayed."""
    return [m["content"]["data"] for m in messages if m["msg_type"] == "display_data"]


def test_a_cell_displays_a_static_report_and_then_the_widget(kernel: Kernel) -> None:
    reply, messages = kernel.run(CELL)
    assert reply["status"] == "ok", reply
    static, live = displays(messages)
    assert set(static) == {"text/html", "text/plain"}
    assert "gm-static" in static["text/html"]
    assert "d loss / d [w, b]" in static["text/plain"]
    assert set(live) == {WIDGET}
    assert float(kernel.value("float(loss)")) == pytest.approx(
        float(static["text/plain"].split("loss = ")[1].split()[0]), rel=1e-3
    )


def test_static_shows_no_widget_and_quiet_shows_nothing(kernel: Kernel) -> None:
    _, messages = kernel.run(CELL.replace("w b", "w b --static"))
    assert [set(d) for d in displays(messages)] == [{"text/html", "text/plain"}]
    _, messages = kernel.run(CELL.replace("w b", "w b -q"))
    assert displays(messages) == []


def test_an_interrupt_ends_the_cell_and_leaves_nothing(kernel: Kernel) -> None:
    request = kernel.start(
        "%%gradtape w -q\nimport time\nprint('started')\n"
        "while True:\n    loss = tf.reduce_sum(w * w)\n    time.sleep(0.01)"
    )
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream" and "started" in message["content"]["text"]:
            break
    time.sleep(0.3)
    kernel.manager.interrupt_kernel()
    reply, messages = kernel.collect(request)
    assert reply["status"] == "error"
    assert reply["ename"] == "KeyboardInterrupt"
    assert sum(m["msg_type"] == "error" for m in messages) == 1
    assert kernel.value("len(context.context().op_callbacks)") == "0"
    reply, _ = kernel.run(CELL)
    assert reply["status"] == "ok"


def test_an_error_tells_the_cells_line_once(kernel: Kernel) -> None:
    reply, messages = kernel.run("%%gradtape w\na = w * 2.0\nbad = tf.matmul(w, w)\n")
    errors = [m["content"] for m in messages if m["msg_type"] == "error"]
    assert len(errors) == 1
    assert errors[0]["ename"] == "InvalidArgumentError"
    assert "----> 3 bad = tf.matmul(w, w)" in plain("\n".join(errors[0]["traceback"]))
    assert reply["status"] == "error"


def test_run_all_stops_at_a_failed_cell() -> None:
    cells = [SET_UP, "%%gradtape w\nraise ValueError('here')", "reached = True"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(notebook, timeout=120).execute()
    assert plain(str(caught.value)).count("ValueError: here") == 1
    assert notebook.cells[2].execution_count is None


def test_bad_input_stops_run_all_too(kernel: Kernel) -> None:
    reply, _ = kernel.run("%%gradtape ww\nloss = tf.reduce_sum(w)")
    assert reply["status"] == "error"
    assert reply["ename"] == "UsageError"
    assert "there is no 'ww'; did you mean 'w'?" in reply["evalue"]


def test_no_message_grows_with_the_tensors(kernel: Kernel) -> None:
    kernel.run("big = tf.random.normal([3000, 1000])")
    reply, messages = kernel.run("%%gradtape big\nloss = tf.reduce_mean(tf.sin(big) * big)")
    assert reply["status"] == "ok", reply
    sent = sum(len(json.dumps(m["content"])) for m in messages)
    assert 10_000 < sent <= 300_000


def test_sixty_reruns_hold_one_run(kernel: Kernel) -> None:
    kernel.run("import gc; kind = type(x)")
    count = "sum(type(one) is kind for one in gc.get_objects())"
    kernel.run("import ipywidgets")
    reports = "sum(issubclass(type(one), ipywidgets.Widget) for one in gc.get_objects())"
    for _ in range(5):
        kernel.run(CELL)
    kernel.run("gc.collect()")
    tensors = int(kernel.value(count))
    widgets = int(kernel.value(reports))
    for _ in range(55):
        kernel.run(CELL)
    kernel.run("gc.collect()")
    assert abs(int(kernel.value(count)) - tensors) < 20
    assert abs(int(kernel.value(reports)) - widgets) < 5


def test_the_kernel_completes_the_magics_line(kernel: Kernel) -> None:
    matches = kernel.answer(kernel.client.complete("%%gradtape ", 11))["matches"]
    assert {"w", "x", "b"} <= set(matches)
