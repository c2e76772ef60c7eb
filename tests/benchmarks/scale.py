"""Large graphs: from the end of a run until its graph is there, opening a group, bytes, memory.

As a program (``scale.py WORK``) it runs one cell in a process of its own, and prints what it found
as JSON.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from processes import ask
from timing import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gradmagic.core.records import TapeRun
    from gradmagic.widgets.exploring import Guide

READY, EXPANDED, FOLDED, SENT = 1.5, 0.3, 3.0, 2.0  # seconds, seconds, seconds, MB: the reaches
ROUNDS = 5
LOOP = 10_000  # steps of two ops
RESNET_BODY = """\
probabilities = model(images)
loss = tf.reduce_mean(tf.losses.sparse_categorical_crossentropy(labels, probabilities))
"""


def measure() -> Iterator[tuple[str, list[Row]]]:
    """ResNet50 on one picture of 224 x 224, and a loop of 20,000 ops."""
    for name, reach in (("resnet", READY), ("loop", FOLDED)):
        found = ask(__file__, name)
        what = f"{found['ops']:,} recorded ops, {found['nodes']:,} drawn"
        first, again = (
            {
                clock: statistics.median(part)
                for clock, part in zip(("wall", "cpu"), zip(*times, strict=True), strict=True)
            }
            for times in (found["shown"][:1], found["shown"][1:])
        )
        rows = [
            Row("until all is there, first time", first["wall"], "s", reach,
                f"{what}; {first['cpu']:.2f} s of processor time"),
            Row("until all is there, again", again["wall"], "s", reach,
                f"{what}; {again['cpu']:.2f} s of processor time", ROUNDS),
            *(
                Row(f"of this {part}", statistics.median(seconds), "s", None, "", len(seconds))
                for part, seconds in found["parts"].items()
            ),
            Row("slowest group opened", max(found["opened"]), "s", EXPANDED,
                f"of {len(found['opened'])}, median {statistics.median(found['opened']):.3f} s"),
            Row("all messages to the browser", found["sent"] / 1e6, "MB", SENT,
                "static report, widget, live graph, text"),
            Row("memory that the run holds", found["grown"] / 1e6, "MB", None,
                f"more in the process; in its graph are {found['values'] / 1e6:.0f} MB of values, "
                f"{found['gradients'] / 1e6:.0f} MB of gradients"),
        ]  # fmt: skip
        yield found["title"], rows


def make_resnet() -> tuple[str, str, tuple[str, ...], dict[str, Any]]:
    """ResNet50 on one picture."""
    import tensorflow as tf

    names = {
        "tf": tf,
        "model": tf.keras.applications.ResNet50(weights=None),
        "images": tf.random.normal([1, 224, 224, 3]),
        "labels": tf.constant([3]),
    }
    return "ResNet50, one picture of 224 x 224", RESNET_BODY, ("model",), names


def make_loop() -> tuple[str, str, tuple[str, ...], dict[str, Any]]:
    """A Python loop of small eager ops."""
    import tensorflow as tf

    names = {"tf": tf, "h": tf.ones([10]), "w": tf.fill([10], 0.99), "b": tf.fill([10], 0.01)}
    body = f"for _ in range({LOOP}):\n    h = h * w + b\nloss = tf.reduce_sum(h)\n"
    return f"A loop of {2 * LOOP:,} eager ops", body, ("w", "b"), names


def run_work(name: str) -> dict[str, Any]:
    """Run a cell, show its report, open its groups."""
    import psutil
    from shells import start_shell

    import gradmagic
    from gradmagic.core.graph.folding import trim
    from gradmagic.core.graph.grouping import group_nodes
    from gradmagic.render.explorer.reading import read_run
    from gradmagic.render.html import render_html
    from gradmagic.widgets.exploring import Guide

    title, body, sources, names = make_resnet() if name == "resnet" else make_loop()
    shell = start_shell()
    exec(body, names)  # TensorFlow's own warming up, and a first set of buffers
    gc.collect()
    before = psutil.Process().memory_info().rss
    run = gradmagic.gradtape(body, *sources, names=names)
    gc.collect()
    grown = psutil.Process().memory_info().rss - before
    shown, sent = [], 0
    for _ in range(ROUNDS + 1):
        *seconds, sent = _show(run, shell)
        shown.append(seconds)
    graph = run.graph
    trimmed = trim(group_nodes(graph))
    guide = Guide.start(run)
    assert guide is not None
    return {
        "title": title,
        "ops": graph.ops,
        "nodes": len(trimmed.nodes),
        "grown": grown,
        "values": _count_held(run, "value"),
        "gradients": _count_held(run, "gradient"),
        "shown": shown,
        "sent": sent,
        "parts": {
            "the static report": _time(lambda: render_html(run)),
            "finding groups": _time(lambda: group_nodes(graph)),
            "the live graph": _time(lambda: Guide.start(run)),
        },
        "opened": [_time_opening(guide, group.id) for group in read_run(run).whole.groups],
    }


def _show(run: TapeRun, shell: Any) -> tuple[float, float, int]:
    """Seconds until the whole report is sent, by the clock and of the processor, and its bytes."""
    from gradmagic import show

    show._widgets.clear()
    shell.display_pub.bytes = 0
    gc.collect()
    start, busy = time.perf_counter(), time.process_time()
    show.show_run(run, shell)
    seconds, used = time.perf_counter() - start, time.process_time() - busy
    states = [widget.get_state() for widget in show._widgets.values()]
    return seconds, used, shell.display_pub.bytes + len(json.dumps(states).encode())


def _time_opening(guide: Guide, group: int) -> float:
    """Seconds until a level is there that was never laid out; an error is no fast answer."""
    from gradmagic.core.layout import rows as layout

    layout._lay_out_numbers.cache_clear()
    start = time.perf_counter()
    answer = guide.answer({"kind": "level", "group": group})
    seconds = time.perf_counter() - start
    assert "error" not in answer, answer["error"]
    return seconds


def _time(work: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def _count_held(run: TapeRun, part: str) -> int:
    """Bytes of the values or of the gradients that the graph holds, each tensor counted once."""
    found = {
        id(tensor): tensor
        for node in run.graph.nodes
        for output in node.outputs
        if hasattr(tensor := getattr(output, part), "_num_elements")
    }
    return sum(tensor._num_elements() * tensor.dtype.size for tensor in found.values())


if __name__ == "__main__":
    print(json.dumps(run_work(*sys.argv[1:])))
