"""What needs a fresh process: loading the extension, and memory.

As a program (``processes.py TASK ...``) it does one task and prints what it found as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timing import Row

LOADING = 0.3  # seconds
LOADS = 5
PEAK = 2.0  # tensors
MESSAGES = 300.0  # kB
ENTRIES = 100_000_000
TENSOR_BYTES = 4 * ENTRIES
FORMS = {
    "sum(w * w)": "loss = tf.reduce_sum(w * w)",
    "sum(sin(w) * w + w)": "loss = tf.reduce_sum(tf.sin(w) * w + w)",
}
KINDS = ("tensor", "variable")


def measure_loading() -> Iterator[tuple[str, list[Row]]]:
    """``%load_ext gradmagic`` in fresh processes that have imported IPython."""
    from timing import Row

    found = [_ask("loading") for _ in range(LOADS)]
    seconds = statistics.median(one["seconds"] for one in found)
    imported = sorted({name for one in found for name in one["imported"]})
    said = f"TensorFlow imported: {'YES' if 'tensorflow' in imported else 'no'}"
    others = ", ".join(name for name in imported if name != "tensorflow")
    against = f"a fresh process with IPython imported; {said}" + (others and f" ({others}: yes)")
    yield "%load_ext gradmagic", [Row("time", seconds, "s", LOADING, against, LOADS)]


def measure_memory() -> Iterator[tuple[str, list[Row]]]:
    """Peak memory beyond the hand-written block's, and what re-runs of a cell leave."""
    from timing import Row

    peaks, sizes = [], []
    for form in FORMS:
        for kind in KINDS:
            plain, kept, magic = (_ask(way, form, kind) for way in ("plain", "kept", "magic"))
            more = (magic["peak"] - plain["peak"]) / TENSOR_BYTES
            by_hand, unused = (one["peak"] / TENSOR_BYTES for one in (plain, kept))
            against = f"by hand {by_hand:.2f} at the peak; with persistent=True {unused:.2f}"
            peaks.append(Row(f"{form}, {kind}", more, "tensors", PEAK, against))
            what = "all messages of the cell: static report, widget, text"
            sizes.append(Row(f"{form}, {kind}", magic["sent"] / 1000, "kB", MESSAGES, what))
    yield f"Peak memory beyond the hand-written cell's, {ENTRIES:,} float32 entries", peaks
    yield f"Messages to the browser, {ENTRIES:,} entries", sizes
    rows = []
    for name in ("crossentropy", "4 MB source"):
        plain, magic = _ask("reruns", name, "plain"), _ask("reruns", name, "magic")
        what = f"runs 21 to 200 by hand, which leave {plain['grown']:.1f} MB"
        left = magic["grown"] - plain["grown"]
        rows.append(Row(f"{name}, 180 more runs", left, "MB", None, what))
        against = "what is there after the 20th run"
        rows.append(Row(f"{name}, widgets more", magic["widgets"], "", 0, against))
    yield "Memory that re-runs of a cell leave behind", rows


def _ask(*words: str) -> Any:
    return ask(__file__, *words)


def ask(program: str, *words: str) -> Any:
    """Run a program in a fresh process; what the last line that it prints says as JSON."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, program, *words],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def find_peak_bytes() -> int:
    """The most memory that this process has had so far."""
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def load() -> dict[str, Any]:
    """Time ``%load_ext gradmagic``."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    start = time.perf_counter()
    shell.run_line_magic("load_ext", "gradmagic")
    seconds = time.perf_counter() - start
    heavy = ("tensorflow", "keras", "numpy", "matplotlib", "ipywidgets", "pygraphviz")
    return {"seconds": seconds, "imported": [name for name in heavy if name in sys.modules]}


def use_large_source(way: str, form: str, kind: str) -> dict[str, Any]:
    """Run a cell on a large source.

    ``way`` is ``"plain"`` (by hand, which uses the tape up), ``"kept"`` (by hand, with
    ``persistent=True``: the tape keeps what the magic's tape keeps) or ``"magic"``.
    """
    from shells import count_message_bytes, run, start_shell

    shell = start_shell()
    run(shell, "import tensorflow as tf")
    made = f"tf.fill([{ENTRIES}], 0.5)"
    run(shell, f"w = tf.Variable({made})" if kind == "variable" else f"w = {made}")
    sent = 0
    body = FORMS[form]
    if way == "magic":
        sent = count_message_bytes(shell, f"%%gradtape w\n{body}")
    else:
        opening = f"with tf.GradientTape(persistent={way == 'kept'}) as tape:"
        block = f"{opening}\n    tape.watch(w)\n    {body}\ngrads = tape.gradient(loss, [w])"
        run(shell, block)
    return {"peak": find_peak_bytes(), "sent": sent}


def rerun(name: str, way: str) -> dict[str, Any]:
    """Run a cell 200 times, and see how memory and widgets grew from the 20th run on.

    ``name`` is ``"crossentropy"`` or ``"4 MB source"``, ``way`` ``"plain"`` or ``"magic"``.
    """
    import comm
    import psutil
    from shells import run, start_shell
    from workloads import LARGE_BODY, Workload, make_lesson

    shell = start_shell()
    work = make_lesson()
    if name != "crossentropy":
        big = {"tf": work.names["tf"], "big": work.names["tf"].fill([1000, 1000], 0.5)}
        work = Workload(name, LARGE_BODY, big, ("big",), ("big",), "[big]", 1)
    shell.user_ns.update(work.names)
    resident, widgets = [], []
    for number in range(1, 201):
        run(shell, work.magic if way == "magic" else work.block_with_gradient)
        if number in (20, 200):
            gc.collect()
            resident.append(psutil.Process().memory_info().rss)
            widgets.append(len(comm.get_comm_manager().comms))
    grown = (resident[1] - resident[0]) / 1e6
    return {"grown": grown, "widgets": widgets[1] - widgets[0]}


def main(task: str, *words: str) -> None:
    """Do one task, and print what came out."""
    if task == "loading":
        found = load()
    elif task == "reruns":
        found = rerun(*words)
    else:
        found = use_large_source(task, *words)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
