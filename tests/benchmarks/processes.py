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
            plain, magic = _ask("plain", form, kind), _ask("magic", form, kind)
            more = (magic["peak"] - plain["peak"]) / TENSOR_BYTES
            against = f"by hand {plain['peak'] / TENSOR_BYTES:.2f} tensors at the peak"
            peaks.append(Row(f"{form}, {kind}", more, "tensors", PEAK, against))
            what = "all messages of the cell: static report, widget, text"
            sizes.append(Row(f"{form}, {kind}", magic["sent"] / 1000, "kB", MESSAGES, what))
    yield f"Peak memory beyond the hand-written cell's, {ENTRIES:,} float32 entries", peaks
    yield f"Messages to the browser, {ENTRIES:,} entries", sizes
    rows = []
    for name in ("lesson", "large"):
        left = _ask("reruns", name)
        what = "after 20 runs, collected; the tensors of a run hold {size:.3g} MB".format(**left)
        rows.append(Row(f"{name}, runs 21 to 200", left["grown"], "MB", None, what))
    yield "Memory that re-runs of a cell leave behind", rows


def _ask(*words: str) -> Any:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
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


def use_large_source(form: str, kind: str, *, magic: bool) -> dict[str, Any]:
    """Run a cell on a large source, by hand or under the magic."""
    from shells import count_message_bytes, run, start_shell

    shell = start_shell()
    run(shell, "import tensorflow as tf")
    made = f"tf.fill([{ENTRIES}], 0.5)"
    run(shell, f"w = tf.Variable({made})" if kind == "variable" else f"w = {made}")
    before = find_peak_bytes()
    sent = 0
    body = FORMS[form]
    if magic:
        sent = count_message_bytes(shell, f"%%gradtape w\n{body}")
    else:
        run(
            shell,
            f"with tf.GradientTape() as tape:\n    tape.watch(w)\n    {body}\n"
            "grads = tape.gradient(loss, [w])",
        )
    return {"peak": find_peak_bytes(), "before": before, "sent": sent}


def rerun(name: str) -> dict[str, Any]:
    """Run a cell 200 times, and see how memory grew from the 20th run on."""
    import psutil
    from shells import run, start_shell
    from workloads import make_lesson

    shell = start_shell()
    work = make_lesson()
    shell.user_ns.update(work.names)
    text, size = work.magic, 1e-3
    if name == "large":
        run(shell, "big = tf.fill([1000, 1000], 0.5)")
        text, size = "%%gradtape big\nloss = tf.reduce_sum(tf.sin(big) * big)", 12.0
    resident = []
    for number in range(1, 201):
        run(shell, text)
        if number in (20, 200):
            gc.collect()
            resident.append(psutil.Process().memory_info().rss)
    return {"grown": (resident[1] - resident[0]) / 1e6, "size": size}


def main(task: str, *words: str) -> None:
    """Do one task, and print what came out."""
    if task == "loading":
        found = load()
    elif task == "reruns":
        found = rerun(*words)
    else:
        found = use_large_source(*words, magic=task == "magic")
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
