"""The magic in a real IPython shell: errors, line numbers, options, completion, what is left behind."""

from __future__ import annotations

import inspect
import re
import threading
from typing import Any

import numpy as np
import pytest
from IPython.core.error import UsageError

from gradmagic.arguments import parse_line


def run(shell: Any, cell: str) -> Any:
    """Run a cell and give its value; raise what it raised."""
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result


@pytest.fixture
def ready(shell: Any) -> Any:
    """A shell with TensorFlow and a few tensors."""
    run(
        shell,
        "import tensorflow as tf\n"
        "x = tf.constant(2.0)\nw = tf.constant(1.0)\nv = tf.Variable(3.0)\nn = 3\n"
        "model = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(1)])",
    )
    return shell


def callbacks() -> int:
    """How many op callbacks are installed in this thread."""
    from tensorflow.python.eager import context

    return len(context.context().op_callbacks)


USAGE = {
    "unknown name": ("W", "y = x * w", "there is no 'W'"),
    "misspelt name": ("modle", "y = x * w", "did you mean 'model'?"),
    "misspelt option": ("w --persistant", "y = x * w", "--persistant; did you mean --persistent?"),
    "no such option": ("w --zzz", "y = x * w", "there is no option --zzz"),
    "no tensor": ("n", "y = x * w", "n = tf.constant(n)"),
    "no source": ("w+1", "y = x * w", "'w+1' is not a source"),
    "target no tensor": ("w -t n", "y = x * w", "the target 'n' is no tensor"),
    "target no float": ("w", "loss = tf.argmax([w, x])", "the target 'loss' is int64"),
    "target unknown": ("w -t q", "y = x * w", "the target 'q' cannot be computed: NameError"),
    "nothing to differentiate": ("w", "k = 1", "makes no float tensor"),
    "await": ("w", "await f()", "line 2: a cell under the tape cannot await"),
    "async with": ("w", "k = 1\nasync with f() as g:\n    pass", "line 3: a cell under"),
    "not bound": ("h", "if n > 3:\n    h = w * w\nloss = w * x", "'h' was not bound"),
    "bad tape name": ("w --tape 3", "y = x * w", "'3' cannot be a Python name"),
    "huge jacobian": ("a --jacobian", "a = tf.ones([2000])\ny = a * a", "4,000,000 entries"),
    "huge hessian": (
        "a --hessian",
        "a = tf.ones([2000])\nloss = tf.reduce_sum(a * a)",
        "4,000,000",
    ),
    "misspelt attribute": ("model.layres", "y = x * w", "did you mean 'layers'?"),
    "empty cell": ("w", "# only a comment", "makes no float tensor"),
    "sparse": ("s", "s = tf.sparse.from_dense([[1.0]])\nloss = x * x", "name s.values"),
}


@pytest.mark.parametrize("case", USAGE)
def test_bad_input_gets_one_clear_line(ready: Any, case: str) -> None:
    line, body, message = USAGE[case]
    with pytest.raises(UsageError) as caught:
        run(ready, f"%%gradtape {line} -q\n{body}")
    text = str(caught.value)
    assert message in text
    assert len(text.splitlines()) == 1
    assert callbacks() == 0


BAD_LINES = {
    "no number": ("%%graddescent w --steps x\nw", "--steps takes a whole number, not 'x'"),
    "no float": ("%%graddescent w --until x\nw", "--until takes a number, not 'x'"),
    "no value": ("%%gradtape w --target\nw", "--target takes a value; type it after the option"),
    "one of two": ("%gradactivation relu --range 1", "--range takes 2 values, divided by blanks"),
    "a value too much": ("%%gradtape w --quiet=1\nw", "--quiet takes no value; leave out '1'"),
    "no choice": (
        "%%gradtape w --unconnected-gradients all\nw",
        "--unconnected-gradients cannot be 'all'; choose one of none, zero",
    ),
    "two meant": ("%%graddescent w --st 3\nw", "--st could be one of --steps, --static; type"),
    "nothing": ("%gradexport", "the line lacks FILE"),
    "open quote": ("%%gradtape w -t 'y\nw", "each quote needs its second"),
    "open quote in a line": ("%gradexport 'x.html", "(No closing quotation)"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_gets_one_clear_line(ready: Any, case: str) -> None:
    line, message = BAD_LINES[case]
    with pytest.raises(UsageError) as caught:
        run(ready, line)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("bounds", ["-1e3 1E+3", "-5. -.5", "-2 2"])
def test_negative_numbers_are_no_options(ready: Any, bounds: str) -> None:
    lab = ready.magics_manager.magics["line"]["gradactivation"].__self__
    given = parse_line("%gradactivation", lab.gradactivation, f"relu --range {bounds}")
    assert given.range_ == [float(bound) for bound in bounds.split()]


def test_the_users_exception_comes_out_once_with_the_notebooks_line(
    ready: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    result = ready.run_cell(
        "\n\n%%gradtape w -q\ny = x * w\n\nz = undefined_name", store_history=True
    )
    printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert isinstance(result.error_in_exec, NameError)
    assert printed.count("NameError: name 'undefined_name' is not defined") == 1
    assert "6 z = undefined_name" in printed
    assert callbacks() == 0


def test_a_syntax_error_carries_the_notebooks_line(ready: Any) -> None:
    with pytest.raises(SyntaxError) as caught:
        run(ready, "%%gradtape w -q\ny = x * w\nz = = 1")
    assert caught.value.lineno == 3


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit", "ValueError"])
def test_nothing_stays_installed_after_an_error(ready: Any, error: str) -> None:
    profile, before = threading.getprofile(), set(ready.user_ns)
    result = ready.run_cell(f"%%gradtape w -q\ny = x * w\nraise {error}('stop')", silent=True)
    assert type(result.error_in_exec).__name__ == error
    assert callbacks() == 0
    assert threading.getprofile() is profile
    assert set(ready.user_ns) - before == {"y", "tape"}  # as the plain with-block leaves them
    assert run(ready, "y.numpy() + 1") == 3.0


def test_an_error_in_the_body_is_not_swallowed_by_a_following_run(ready: Any) -> None:
    ready.run_cell("%%gradtape w -q\nraise ValueError", silent=True)
    run(ready, "%%gradtape w -q\nloss = x * w")
    assert run(ready, "grads[0].numpy()") == 2.0


def test_the_notebook_idioms_all_work(ready: Any) -> None:
    run(ready, "%%gradtape w v -q\nloss = x * w * v\n")
    assert run(ready, "grads[0].numpy()") == 6.0
    assert run(ready, 'grads["w"].numpy()') == 6.0
    assert run(ready, "dw, dv = grads\nfloat(dv)") == 2.0
    assert run(ready, "[float(g) for g in tape.gradient(loss, [w, v])]") == [6.0, 2.0]
    with pytest.raises(RuntimeError, match="non-persistent"):
        run(ready, "tape.gradient(loss, w)")
    run(ready, "%%gradtape model -q\nloss = tf.reduce_sum(model(tf.ones([3, 2])))")
    assert run(ready, "len(list(zip(grads, model.trainable_variables)))") == 2
    assert run(ready, 'len(grads["model"])') == 2
    assert run(ready, "len(tf.nest.flatten(grads))") == 2
    with pytest.raises(KeyError, match="the names are 'model"):
        run(ready, 'grads["nothing"]')


def test_persistent_tapes_can_be_asked_again(ready: Any) -> None:
    run(ready, "%%gradtape w --persistent -q\nloss = x * w")
    assert run(ready, "[float(tape.gradient(loss, w)) for _ in range(3)]") == [2.0] * 3


def test_the_tape_has_the_name_it_is_given(ready: Any) -> None:
    run(ready, "%%gradtape w --tape t -q\nt.watch(x)\nloss = x * w")
    assert run(ready, "float(t.gradient(loss, x))") == 1.0
    assert "tape" not in ready.user_ns


def test_the_record_is_kept_under_a_name(ready: Any) -> None:
    run(ready, "%%gradtape w -q -o first\nloss = x * w")
    run(ready, "%%gradtape w -q\nloss = x * w * w")
    assert float(ready.user_ns["first"].loss) == 2.0
    assert ready.user_ns["first"].magic == "%%gradtape w -q -o first"


def test_targets_can_be_expressions_and_sources_can_hold_spaces(ready: Any) -> None:
    run(ready, "params = {'a b': tf.constant(3.0)}")
    run(ready, "%%gradtape params['a b'] -q -t \"tf.square(y) * 2.0\"\ny = params['a b'] * x")
    assert run(ready, "float(grads[0])") == 48.0


def test_ipythons_own_syntax_works_in_the_body(ready: Any) -> None:
    run(ready, "%%gradtape w -q\n%precision 3\nhere = !echo hello\nloss = x * w")
    assert run(ready, "here[0]") == "hello"
    assert run(ready, "float(grads[0])") == 2.0


def test_braces_on_the_line_expand(ready: Any) -> None:
    run(ready, "name = 'w'")
    run(ready, "%%gradtape {name} -q\nloss = x * w")
    assert run(ready, "float(grads['w'])") == 2.0


def test_defaults_are_traits(ready: Any) -> None:
    run(ready, "%config GradTapeMagics.tape = 'recorded'")
    try:
        run(ready, "%%gradtape w -q\nloss = x * w")
        assert "recorded" in ready.user_ns
    finally:
        run(ready, "%config GradTapeMagics.tape = 'tape'")


def test_the_help_documents_every_option(ready: Any) -> None:
    documented = inspect.getdoc(ready.find_cell_magic("gradtape"))
    for option in (
        "--target",
        "--persistent",
        "--no-watch-accessed-variables",
        "--hessian",
        "--unconnected-gradients",
        "--tape",
        "--jacobian",
        "--no-graph",
        "--static",
        "--quiet",
        "--output",
        "SOURCE",
    ):
        assert option in documented


def test_tab_completes_sources_and_options(ready: Any) -> None:
    run(ready, "word = 'text'")
    _, names = ready.complete("", "%%gradtape ", 11)
    assert {"w", "x", "v", "model"} <= set(names)
    assert not {"n", "word", "tf"} & set(names)
    _, options = ready.complete("--per", "%%gradtape w --per", 18)
    assert options == ["--persistent"]


def test_the_extension_can_be_unloaded_and_loaded_again(ready: Any) -> None:
    run(ready, "%unload_ext gradmagic")
    assert "gradtape" not in ready.magics_manager.magics["cell"]
    assert ready.complete("", "%%gradtape ", 11)[1] != ["w"]
    run(ready, "%load_ext gradmagic")
    run(ready, "%%gradtape w -q\nloss = x * w")


def test_the_same_cell_twice_has_a_history(ready: Any) -> None:
    import gradmagic

    for _ in range(3):
        run(ready, "%%gradtape w -q\nloss = w * 7.25 * x\nw = w - 0.01 * loss")
    history = gradmagic.last_run().history
    assert len(history) == 3
    assert np.all(np.diff(history) < 0)


def test_without_a_kernel_the_report_is_text(
    ready: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.run_cell("%%gradtape w\nloss = x * w")
    printed = capsys.readouterr().out
    assert "loss = 2" in printed
    assert "d loss / d w" in printed
    assert "<" not in printed.replace("<module>", "")
