"""The chain rule written out: its text, and that the sum of its products is the gradient."""

from __future__ import annotations

import cells_replayed
import models_small
import numpy as np
import pytest

import gradmagic
from gradmagic.core.replay.backward import make_dense
from gradmagic.core.replay.chain import write_chain
from gradmagic.core.replay.ops import ReplayError
from gradmagic.core.replay.paths import count_paths, write_count
from gradmagic.core.replay.wiring import find_source


def run_text(text, sources, **names):
    return gradmagic.gradtape(text, *sources.split(), names=cells_replayed.make_names() | names)


def test_smallest_case():
    """y = x * w: one factor, 2."""
    graph = run_text("y = x0 * w0", "w0").graph
    chain = write_chain(graph, "w0")
    assert chain.formula == "d y/d w0 = d y/d w0"
    assert chain.numbers == "d y/d w0 = 2"
    (path,) = chain.paths
    assert [step.factor for step in path.steps] == [2.0]


def test_a_product_of_three(tf):
    chain = write_chain(run_text("z = w0 * 2.0\nh = tf.sin(z)\nloss = h ** 2.0", "w0").graph, "w0")
    assert chain.formula == "d loss/d w0 = d loss/d h · d h/d z · d z/d w0"
    factors = [step.factor for step in chain.paths[0].steps]
    np.testing.assert_allclose(factors, [2 * np.sin(2), np.cos(2), 2.0], rtol=1e-6)
    assert chain.numbers == "d loss/d w0 = 1.819 · −0.4161 · 2 = −1.514"
    products = [float(step.product) for step in chain.paths[0].steps]
    np.testing.assert_allclose(products, np.cumprod(factors), rtol=1e-6)


def test_complex_sources_have_none(tf):
    graph = run_text("loss = tf.reduce_sum(tf.abs(c))", "c", c=tf.constant([1 + 1j, 0j])).graph
    with pytest.raises(ReplayError, match="c is complex"):
        write_chain(graph, "c")


def test_complex_tensors_on_the_way_have_no_factors():
    graph = run_text("z = tf.complex(0.0, w0)\nloss = tf.math.real(tf.exp(z))", "w0").graph
    chain = write_chain(graph, "w0")
    assert chain.numbers == "d loss/d w0 = −0.8415"
    assert [step.factor for step in chain.paths[0].steps] == [None, None, None]


def test_a_sum_over_two_paths():
    chain = write_chain(run_text("h = w0 * 3.0\nloss = h * w0", "w0").graph, "w0")
    assert chain.formula == "d loss/d w0 = d loss/d h · d h/d w0\n+ d loss/d w0"
    assert chain.numbers == "d loss/d w0 = 1 · 3 + 3 = 6"


def test_a_factor_twice_is_one_step():
    """d (h · h)/d h is 2 h: not two paths."""
    graph = run_text("h = w0 + 2.0\nloss = h * h", "w0").graph
    assert count_paths(graph, "w0") == 1
    assert write_chain(graph, "w0").numbers == "d loss/d w0 = 6 · 1 = 6"


def test_a_variable_that_is_read_several_times_is_one():
    graph = run_text("loss = v0 * v0 * v0", "v0").graph
    assert write_chain(graph, "v0").formula == (
        "d loss/d v0 = d loss/d (v0 · v0) · d (v0 · v0)/d v0\n+ d loss/d v0"
    )


def test_names_that_were_bound_again_are_numbered():
    chain = write_chain(run_text("h = w0 * 2.0\nh = h * 3.0\nloss = h * 5.0", "w0").graph, "w0")
    assert chain.formula == "d loss/d w0 = d loss/d h₂ · d h₂/d h₁ · d h₁/d w0"
    assert [name for name, _expression in chain.where] == ["h₁", "h₂"]
    assert chain.numbers == "d loss/d w0 = 5 · 3 · 2 = 30"


def test_long_expressions_get_letters():
    text = "loss = tf.reduce_sum((tf.sin(w0) * 3.0 + tf.cos(x0)) * tf.exp(x0)) ** 2.0"
    chain = write_chain(run_text(text, "w0").graph, "w0")
    assert "u₁" in chain.formula
    assert {name for name, _ in chain.where} >= {"u₁"}


def test_a_power_is_no_name():
    """d loss/d w0² would be a second derivative."""
    chain = write_chain(run_text("loss = w0**2.0 * 3.0", "w0").graph, "w0")
    assert chain.formula == "d loss/d w0 = d loss/d (w0²) · d (w0²)/d w0"


def test_only_the_number_of_a_name_stands_below():
    text = "h1 = w0 * 2.0\nh1 = h1 * 3.0\nloss = h1 * 5.0"
    chain = write_chain(run_text(text, "w0").graph, "w0")
    assert [name for name, _expression in chain.where] == ["h1₁", "h1₂"]


def test_outputs_of_one_op():
    text = "a, b = tf.split(two, 2)\nloss = tf.reduce_sum(a * 2.0) + tf.reduce_sum(b * 3.0)"
    chain = write_chain(run_text(text, "two").graph, "two", (1,))
    assert chain.numbers == "d loss/d two[1] = 0 + 3 = 3"
    assert chain.gradient.numpy().tolist() == [2.0, 3.0]


@pytest.mark.parametrize("name", cells_replayed.CELLS)
def test_the_sum_of_products_is_the_gradient(name):
    """For all cells and sources for which it is written; the others say how many paths there are."""
    cell, sources = cells_replayed.CELLS[name]
    graph = run_text(cell, sources).graph
    for source in sources.split():
        try:
            chain = write_chain(graph, source)
        except ReplayError as error:
            assert any(  # noqa: PT017
                text in str(error)
                for text in ("paths", "steps", "rule of its own", "known", "traced", "No gradient")
            )
            continue
        want = make_dense(find_source(graph, source).outputs[0].gradient).numpy()
        got = chain.gradient.numpy()
        np.testing.assert_allclose(
            got, want, rtol=1e-4, atol=1e-6 * max(1, np.nan_to_num(abs(want)).max())
        )
        for path in chain.paths:
            for step in path.steps:
                assert step.jacobian is None or step.jacobian.size <= 64


def test_jacobians_multiply_to_the_product():
    """Of small tensors each factor is a matrix: their product from the left is the gradient."""
    text = "z = two * 2.0\np = tf.nn.softmax(z)\nloss = tf.reduce_sum(p ** 3.0)"
    graph = run_text(text, "two").graph
    (path,) = write_chain(graph, "two").paths
    product = np.ones([])
    for step in path.steps:
        rank = np.ndim(product)
        product = np.tensordot(product, step.jacobian, rank)
    np.testing.assert_allclose(product, find_source(graph, "two").outputs[0].gradient, rtol=1e-5)


def test_softmax_jacobian(tf):
    """diag(p) - p pᵀ."""
    graph = run_text("p = tf.nn.softmax(two)\nloss = tf.reduce_sum(p ** 2.0)", "two").graph
    (path,) = write_chain(graph, "two").paths
    p = tf.nn.softmax(cells_replayed.make_names()["two"]).numpy()
    np.testing.assert_allclose(path.steps[-1].jacobian, np.diag(p) - np.outer(p, p), atol=1e-7)


@pytest.mark.parametrize("silu", ["tf.nn.silu", "tf.function(lambda x: tf.nn.silu(x))"])
def test_paths_through_silu(silu):
    """x · sigmoid(x): through both factors, in a tf.function too."""
    graph = run_text(f"f = {silu}\nloss = tf.reduce_sum(f(two))", "two").graph
    assert count_paths(graph, "two") == 2


def test_too_many_paths_are_counted():
    text = "h = w0\nfor _ in range(60):\n    h = h * h + h\nloss = h"
    graph = run_text(text, "w0").graph
    assert count_paths(graph, "w0") == 2**60
    with pytest.raises(ReplayError, match=r"From loss to w0 lead about 1.1e18 paths; at most 8"):
        write_chain(graph, "w0")


def test_a_path_that_is_too_long():
    graph = run_text("h = w0\nfor _ in range(20):\n    h = tf.sin(h)\nloss = h", "w0").graph
    assert count_paths(graph, "w0") == 1
    with pytest.raises(ReplayError, match="has 20 steps; at most 12"):
        write_chain(graph, "w0")


def test_paths_of_a_large_model_are_counted_at_once():
    run = gradmagic.gradtape(models_small.CELL, "model", names=models_small.make_names("lstm"))
    source = next(node.source for node in run.graph.nodes if node.source)
    assert count_paths(run.graph, source) > 10**6


@pytest.mark.parametrize(
    ("count", "text"),
    [(7, "7"), (12_345, "12,345"), (32 * 10**13, "about 3.2e14"), (10**400, "about 1.0e400")],
)
def test_counts(count, text):
    assert write_count(count) == text


def test_a_source_that_gets_nothing(tf):
    graph = run_text("loss = tf.stop_gradient(w0) * x0", "w0 x0").graph
    with pytest.raises(ReplayError, match="No gradient comes from loss to w0"):
        write_chain(graph, "w0")
    with pytest.raises(ReplayError, match=r"none has no entries\."):
        write_chain(run_text("loss = tf.reduce_sum(none * 2.0) + w0", "none", none=tf.zeros([0, 3])).graph, "none")  # fmt: skip
    with pytest.raises(ReplayError, match="No op of the cell uses a source 'q'"):
        write_chain(graph, "q")
