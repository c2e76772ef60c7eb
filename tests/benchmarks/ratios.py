"""Recording, and the gradients of every node, against a bare tf.GradientTape."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from timing import Row, alternate, compare, write_milliseconds
from workloads import make_large_model, make_lesson, make_loop, make_small_model

from gradmagic.core import tape
from gradmagic.core.cell import Cell, parse_cell
from gradmagic.core.tape import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads import Workload

MAKERS = (make_lesson, make_loop, make_small_model, make_large_model)
RECORDING, EVERY_NODE, EXPLAINING = 1.10, 1.5, 0.10


def measure() -> Iterator[tuple[str, list[Row]]]:
    """The rows of one piece of work after the other."""
    for make in MAKERS:
        work = make()
        yield work.name, measure_workload(work)


def measure_workload(work: Workload) -> list[Row]:
    """Four figures of one piece of work, from the same rounds."""
    cell = parse_cell(work.body, work.sources)
    bare = _compile_plain(work.block, work.names)
    bare_gradient = _compile_plain(work.block_with_gradient, work.names)
    options = Options(sources=work.sources)
    explaining: list[float] = []
    seconds = alternate(
        [
            bare,
            lambda: record(cell, work, options),
            bare_gradient,
            lambda: take_every_gradient(cell, work, options),
            lambda: explaining.append(run_whole(cell, work, options)),
        ],
        work.repetitions,
    )
    block, recorded, with_gradient, every, whole = seconds
    runs = len(block)
    forward = f"the with-block, {write_milliseconds(block)}"
    both = f"the with-block and tape.gradient, {write_milliseconds(with_gradient)}"
    reach = EXPLAINING if work.name == "ResNet50" else None
    return [
        Row("recording alone", compare(block, recorded), "x", RECORDING, forward, runs),
        Row("gradients of every node", compare(with_gradient, every), "x", EVERY_NODE, both, runs),
        Row("explanations", compare(with_gradient, explaining[-runs:]), "x", reach, both, runs),
        Row("whole run_cell", compare(with_gradient, whole), "x", None, both, runs),
    ]


class _StopError(Exception):
    """Ends a run where a benchmark has seen enough."""


def _run_until(name: str, cell: Cell, work: Workload, options: Options, *, after: bool) -> None:
    """Run the cell until :mod:`gradmagic.core.tape` calls a function: just before it, or after."""
    real = getattr(tape, name)

    def stop(*given: Any, **named: Any) -> None:
        if after:
            real(*given, **named)
        raise _StopError

    setattr(tape, name, stop)
    try:
        tape.run_cell(cell, work.names, options)
    except _StopError:
        return
    finally:
        setattr(tape, name, real)


def record(cell: Cell, work: Workload, options: Options) -> None:
    """The body under tape and recorder, its sources watched as they are bound."""
    _run_until("find_target", cell, work, options, after=False)


def take_every_gradient(cell: Cell, work: Workload, options: Options) -> None:
    """The same, and the gradients of the sources and of all that lies between them and loss."""
    _run_until("take_gradients", cell, work, options, after=True)


def run_whole(cell: Cell, work: Workload, options: Options) -> float:
    """The whole run; the seconds that its diagnoses took."""
    spent = 0.0
    real = tape.explain

    def explain(*given: Any) -> Any:
        nonlocal spent
        start = time.perf_counter()
        result = real(*given)
        spent = time.perf_counter() - start
        return result

    tape.explain = explain
    try:
        tape.run_cell(cell, work.names, options)
    finally:
        tape.explain = real
    return spent


def _compile_plain(text: str, names: dict[str, Any]) -> Callable[[], None]:
    code = compile(text, "<plain>", "exec")
    return lambda: exec(code, names)
