"""Shared by all tests: TensorFlow imported once and quietly, one IPython shell."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
os.environ["LANGUAGE"] = "en"  # whatever the machine speaks; kernels that tests start inherit it

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from front_end import Server
    from IPython.core.interactiveshell import InteractiveShell

    from gradmagic.core.records import TapeRun

    Gradtape = Callable[..., TapeRun]

OPTIONS = {
    "target": lambda value: f'-t "{value}"',
    "persistent": lambda value: "--persistent" if value else "",
    "watch_accessed_variables": lambda value: "" if value else "--no-watch-accessed-variables",
    "unconnected_gradients": lambda value: f"--unconnected-gradients {value}",
    "tape": lambda value: f"--tape {value}",
    "jacobian": lambda value: "--jacobian" if value else "",
    "hessian": lambda value: "--hessian" if value else "",
    "graph": lambda value: "" if value else "--no-graph",
}

LESSON = """
logits = x @ w + b
prob = tf.nn.softmax(logits)
loss = tf.reduce_mean(tf.losses.MSE(y, prob))
"""


@pytest.fixture(scope="session")
def tf() -> Any:
    """TensorFlow."""
    import tensorflow as tf

    return tf


@pytest.fixture(scope="session")
def _shell() -> InteractiveShell:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    shell.run_line_magic("load_ext", "gradmagic")
    return shell


@pytest.fixture
def shell(_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    """An IPython shell with the extension loaded and an empty namespace."""
    if "gradtape" not in _shell.magics_manager.magics["cell"]:
        _shell.run_line_magic("load_ext", "gradmagic")
    before = dict(_shell.user_ns)
    yield _shell
    _shell.user_ns.clear()  # (shell.reset would collect garbage, half a second with TensorFlow)
    _shell.user_ns.update(before)


@pytest.fixture(params=["call", "magic"])
def gradtape(request: pytest.FixtureRequest, shell: InteractiveShell) -> Gradtape:
    """``gradtape(body, *sources, names=..., **options)``: as a call, and as the magic.

    Runs ``body`` under the tape with and in ``names``; raises what it raises.
    """
    import gradmagic

    if request.param == "call":
        return gradmagic.gradtape

    def run(body: str, *sources: str, names: dict[str, Any], **options: Any) -> TapeRun:
        words = [*sources, *(OPTIONS[name](value) for name, value in options.items()), "-q"]
        before = set(shell.user_ns)
        shell.user_ns.update(names)
        result = shell.run_cell(f"%%gradtape {' '.join(words)}\n{body}", silent=True)
        names.update({k: v for k, v in shell.user_ns.items() if k in names or k not in before})
        result.raise_error()
        return gradmagic.last_run()

    return run


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; without one the tests skip, but fail where CI=true.

    One a file: while it runs, its event loop does, and no other can.
    """
    from front_end import start_chromium

    with start_chromium(_find_chromium()) as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Jupyter server for all tests (without Chromium it is not started)."""
    from front_end import start_server

    _find_chromium()
    with start_server(tmp_path_factory.mktemp("notebooks")) as started:
        yield started


def _find_chromium() -> str:
    from front_end import find_chromium

    path = find_chromium()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium on this machine: install Debian's package chromium")
        pytest.skip("no Chromium on this machine")
    return path


@pytest.fixture
def ran(tf: Any) -> dict[str, Any]:
    """The lesson's model, and the names that its cell has left."""
    import gradmagic

    tf.random.set_seed(2)
    names = {
        "tf": tf,
        "x": tf.random.normal([2, 4]),
        "w": tf.random.normal([4, 3]),
        "b": tf.zeros([3]),
        "y": tf.one_hot([2, 0], 3),
    }
    gradmagic.gradtape(LESSON, "w", "b", names=names)
    return names
