"""Other tools that look into TensorFlow, on the same work beside gradmagic.

TorchLens (its backend for TensorFlow) must be installed beside gradmagic: ``pip install torchlens
torch``. TensorFlow's Debugger V2 is there. Each tool has a process of its own, in which the plain
with-block and ``tape.gradient`` run too: what it costs is the ratio of the two.

As a program (``peers.py TOOL WORK``) it measures one pair, and prints what it found as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from processes import ask
from timing import Row, alternate, compare, write_milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads import Workload

ROUNDS = 20  # at most: each begins with a collection of what tools have left
WORKS = ("lesson", "loop", "small_model", "large_model")
PLAIN = "the with-block and tape.gradient"


def measure() -> Iterator[tuple[str, list[Row]]]:
    """Each tool on one piece of work after the other."""
    for work in WORKS:
        found = [ask(__file__, tool, work) for tool in TOOLS]
        title = next(one["title"] for one in found)
        yield f"{title}, beside others", [row for one in found for row in _make_rows(one)]


def _make_rows(found: dict[str, Any]) -> list[Row]:
    if "missing" in found:
        return [Row(found["tool"], "not installed", against=found["missing"])]
    rows = []
    for name, seconds in found["ways"].items():
        plain = found["plain"]
        ratio = (
            compare(plain, seconds)
            if found["is_alternated"]
            else statistics.median(seconds) / statistics.median(plain)
        )
        against = f"{PLAIN}, {write_milliseconds(plain)}"
        rows.append(Row(f"{found['tool']}: {name}", ratio, "x", None, against, len(seconds)))
    return rows


def _compile_plain(work: Workload) -> Callable[[], None]:
    code = compile(work.block_with_gradient, "<plain>", "exec")
    return lambda: exec(code, work.names)


def use_gradmagic(work: Workload) -> dict[str, Any]:
    """The record of a run, and with it the graph ready to be opened."""
    from gradmagic.core.cell import parse_cell
    from gradmagic.core.tape import Options, run_cell
    from gradmagic.widgets.exploring import Guide

    cell, options = parse_cell(work.body, work.sources), Options(sources=work.sources)
    plain, record, opened = alternate(
        [
            _compile_plain(work),
            lambda: run_cell(cell, work.names, options),
            lambda: Guide.start(run_cell(cell, work.names, options)),
        ],
        ROUNDS,
    )
    ways = {"values, gradients, reasons": record, "and the live graph": opened}
    return {"plain": plain, "ways": ways, "is_alternated": True}


def use_torchlens(work: Workload) -> dict[str, Any]:
    """Its trace of the forward pass, and with the gradients of all intermediates."""
    if importlib.util.find_spec("torchlens") is None:
        return {"missing": "pip install torchlens torch"}
    import tensorflow as tf
    import torchlens
    import torchlens.backends.tf

    if work.watch:
        code = compile(work.body, "<forward>", "exec")

        def forward(*values: Any) -> Any:
            names = {**work.names, **dict(zip(work.watch, values, strict=True))}
            exec(code, names)
            return names["loss"]

        given: tuple[Any, ...] = (forward, [work.names[name] for name in work.watch])
        loss = None
    else:
        labels, entropy = work.names["labels"], tf.keras.losses.sparse_categorical_crossentropy
        given = (work.names["model"], [work.names["images"]], {"training": True})

        def loss(logits: Any) -> Any:
            return tf.reduce_mean(entropy(labels, logits, from_logits=True))

    wanted = torchlens.backends.tf.GradOptions(
        loss_fn=loss, intermediate_grads=True, max_intermediate_grads=100_000
    )
    plain, traced, derived = alternate(
        [
            _compile_plain(work),
            lambda: torchlens.trace(*given, backend="tf"),
            lambda: torchlens.trace(*given, backend="tf", grad_options=wanted),
        ],
        ROUNDS,
    )
    ways = {"values, no gradients": traced, "values and gradients": derived}
    return {"plain": plain, "ways": ways, "is_alternated": True}


def use_debugger(work: Workload) -> dict[str, Any]:
    """Debugger V2 with a health summary of each tensor, and with the tensors themselves."""
    import tensorflow as tf

    debugging = tf.debugging.experimental
    plain = _compile_plain(work)
    before = _repeat(plain)
    ways = {}
    for name, mode in (("health of each tensor", "FULL_HEALTH"), ("values", "FULL_TENSOR")):
        with tempfile.TemporaryDirectory() as folder:
            debugging.enable_dump_debug_info(folder, tensor_debug_mode=mode)
            ways[name] = _repeat(plain)
            debugging.disable_dump_debug_info()
    # the plain block before it and after it, as the two cannot alternate
    after = _repeat(plain)
    return {"plain": before + after, "ways": ways, "is_alternated": False}


def _repeat(work: Callable[[], None]) -> list[float]:
    (seconds,) = alternate([work], ROUNDS)
    return seconds


TOOLS = {"gradmagic": use_gradmagic, "TorchLens": use_torchlens, "Debugger V2": use_debugger}


def main(tool: str, name: str) -> None:
    """Measure one tool on one piece of work, and print what came out."""
    import workloads

    work = getattr(workloads, f"make_{name}")()
    start = time.perf_counter()
    found = TOOLS[tool](work)
    took = time.perf_counter() - start
    print(json.dumps({"tool": tool, "title": work.name, "took": took, **found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
