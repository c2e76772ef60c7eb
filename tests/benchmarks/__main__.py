"""Prints what gradmagic costs: ``python tests/benchmarks``, or some parts of it by name.

Each figure is a ratio against the hand-written tape on the same work in the same process. The works
run in turn (A B A B ...), and the figure is the median over the rounds, so that a machine with other
work on it disturbs both alike. The last column says what was measured against, and its own size.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from timing import HEADINGS, align, print_rows

PARTS = (
    "ratios",
    "report",
    "descent",
    "loading",
    "memory",
    "latency",
    "pages",
    "export",
    "scale",
    "peers",
)
WIDTHS = (30, 13, 14, 6, 4, 0)


def main(parts: list[str]) -> None:
    """Measure, and print each part of the table as soon as it is there."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    print_header()
    for part in parts or PARTS:
        for title, rows in _find_measure(part)():
            print_rows(title, rows, WIDTHS)


def print_header() -> None:
    """What is measured on what."""
    import platform
    from importlib.metadata import version

    import gradmagic

    print("python tests/benchmarks")
    print(
        f"gradmagic {gradmagic.__version__}, TensorFlow {version('tensorflow')}, "
        f"Keras {version('keras')}, IPython {version('ipython')}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores"
    )
    print()
    print(align(HEADINGS, WIDTHS))


def _find_measure(part: str) -> object:
    if part == "ratios":
        from ratios import measure
    elif part == "report":
        from report import measure
    elif part == "descent":
        from descent import measure
    elif part == "latency":
        from latency import measure
    elif part == "pages":
        from pages import measure
    elif part == "export":
        from export import measure
    elif part == "scale":
        from scale import measure
    elif part == "peers":
        from peers import measure
    elif part == "loading":
        from processes import measure_loading as measure
    else:
        from processes import measure_memory as measure
    return measure


if __name__ == "__main__":
    main(sys.argv[1:])
