"""What the record of a run says of each op: against TensorFlow's own word, and in mean cases."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gradmagic
from gradmagic.core import recorder
from gradmagic.core.graph import expansion
from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.levels import make_level
from gradmagic.core.replay.chain import write_chain
from gradmagic.core.replay.nudge import check_entry
from gradmagic.core.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradmagic.core.records import Graph, Node


@pytest.fixture(autouse=True)
def untouched(tf: Any) -> Iterator[None]:
    """After each test all that a recording replaces is TensorFlow's and Keras' own again."""
    import keras
    from tensorflow.python.ops import custom_gradient

    places = [
        (keras.layers.Layer, "__call__"),
        (tf.GradientTape, "gradient"),
        (tf.GradientTape, "jacobian"),
        (tf.GradientTape, "batch_jacobian"),
        (tf.name_scope, "__enter__"),
        (tf.name_scope, "__exit__"),
        (custom_gradient, "_eager_mode_decorator"),
    ]
    before = [vars(owner)[name] for owner, name in places]
    yield
    assert [vars(owner)[name] for owner, name in places] == before


@pytest.fixture
def names(tf: Any) -> dict[str, Any]:
    import keras

    return {
        "tf": tf,
        "keras": keras,
        "x": tf.constant([[1.0, 2.0], [3.0, 4.0]]),
        "w": tf.constant([[0.5, -0.25], [0.125, 1.0]]),
        "v": tf.Variable(2.0),
    }


def run(body: str, *sources: str, names: dict[str, Any], **options: Any) -> Graph:
    graph = gradmagic.gradtape(body, *sources, names=names, **options).graph
    assert graph is not None
    for edge in graph.edges:  # ids grow along edges
        assert edge.producer < edge.consumer
    return graph


def ops(graph: Graph, kind: str | None = None) -> list[Node]:
    return [
        node
        for node in graph.nodes
        if node.kind == "op" and (kind is None or any(s.kind == kind for s in node.scopes))
    ]


def find(graph: Graph, op: str) -> Node:
    (found,) = (node for node in graph.nodes if node.op == op)
    return found


def scopes(node: Node) -> list[tuple[str, str, str]]:
    return [(one.kind, one.name, one.detail) for one in node.scopes]


def inputs(graph: Graph, node: Node) -> list[int]:
    """The nodes that feed a node, by slot."""
    slots: dict[int, int] = {}
    for edge in graph.edges:
        if edge.consumer == node.id:
            slots.setdefault(edge.slot, edge.producer)
    return [slots[slot] for slot in sorted(slots)]


def test_ops_of_layers_lie_in_their_calls(names: dict[str, Any]) -> None:
    keras = names["keras"]
    names["model"] = keras.Sequential(
        [keras.Input([2]), keras.layers.Dense(3, activation="relu", name="first")], name="net"
    )
    graph = run("loss = tf.reduce_sum(model(x))", "model", names=names)
    inside = [one for one in scopes(find(graph, "Relu")) if one[0] == "layer"]
    assert inside == [("layer", "net", "Sequential"), ("layer", "first", "Dense")]
    assert find(graph, "Sum").scopes == ()


def test_each_call_of_a_layer_is_another(names: dict[str, Any]) -> None:
    names["layer"] = names["keras"].layers.Dense(2, name="shared")
    names["layer"](names["x"])
    graph = run("loss = tf.reduce_sum(layer(layer(x)))", "layer", names=names)
    calls = [
        {s.call for s in node.scopes if s.kind == "layer"}
        for node in graph.nodes
        if node.op == "MatMul"
    ]
    assert len(calls) == 2
    assert not calls[0] & calls[1]


def test_name_scopes_are_left_however_that_happens(names: dict[str, Any]) -> None:
    body = """
def steps(t):
    with tf.name_scope("inside"):
        yield tf.sin(t)
        yield tf.cos(t)
with tf.name_scope("outer"):
    with tf.name_scope("inner"):
        a = tf.exp(w)
    try:
        with tf.name_scope("broken"):
            raise ValueError
    except ValueError:
        b = tf.tanh(a)
ways = steps(b)
c = next(ways)
d = tf.sigmoid(c)
ways.close()
loss = tf.reduce_sum(tf.nn.softplus(d))
"""
    graph = run(body, "w", names=names)
    assert [s.name for s in find(graph, "Exp").scopes] == ["outer", "inner"]
    assert [s.name for s in find(graph, "Tanh").scopes] == ["outer"]
    assert [s.name for s in find(graph, "Sin").scopes] == ["inside"]
    assert [s.name for s in find(graph, "Softplus").scopes] == []


@pytest.mark.parametrize("error", ["ValueError", "KeyboardInterrupt"])
def test_nothing_stays_after_an_error_in_a_layer(names: dict[str, Any], error: str) -> None:
    body = f"""
class Broken(keras.layers.Layer):
    def call(self, t):
        y = tf.sin(t)
        raise {error}("mine")
loss = Broken()(x)
"""
    kind: type[BaseException] = KeyboardInterrupt if error == "KeyboardInterrupt" else ValueError
    with pytest.raises(kind, match="mine"):
        run(body, names=names)


def test_a_tape_inside_the_cell_keeps_its_backward_ops_apart(names: dict[str, Any]) -> None:
    body = """
with tf.GradientTape() as inner:
    inner.watch(x)
    z = tf.reduce_sum(tf.sin(x))
g = inner.gradient(z, x)
loss = tf.reduce_sum(g * w)
"""
    graph = run(body, "w", names=names)
    assert find(graph, "Sin").scopes == ()
    assert ("gradient", "gradient", "") in scopes(find(graph, "Cos"))
    assert all(node.line == 5 for node in ops(graph, "gradient"))


def test_the_cells_own_tape_used_in_the_body(names: dict[str, Any]) -> None:
    body = "z = tf.reduce_sum(tf.sin(w))\ng = tape.gradient(z, w)\nloss = tf.reduce_sum(g * w) + z"
    graph = run(body, "w", names=names, persistent=True)
    assert ("gradient", "gradient", "") in scopes(find(graph, "Cos"))


def test_an_own_gradient_rule_is_a_scope_with_its_inside(names: dict[str, Any]) -> None:
    body = """
@tf.custom_gradient
def tripled(t):
    y = tf.sin(t)
    return y + 1.0, lambda upstream: upstream * 3.0
loss = tf.reduce_sum(tripled(w))
"""
    graph = run(body, "w", names=names)
    sine = find(graph, "Sin")
    assert scopes(sine) == [("custom_gradient", "tripled", "")]
    assert graph.nodes[0].outputs[0].name in ("w", "x")
    np.testing.assert_array_equal(names["grads"][0], np.full((2, 2), 3.0))
    # the gradient passes into the call and out of it, and by its inside
    flows = {(e.producer, e.consumer): e.gradient for e in graph.edges}
    source = next(n.id for n in graph.nodes if n.kind == "source")
    end, total = find(graph, "Identity").id, find(graph, "Sum").id
    assert flows[source, sine.id]
    assert flows[end, total]
    assert not flows[sine.id, find(graph, "AddV2").id]


def test_a_rule_of_the_library_says_so(names: dict[str, Any]) -> None:
    graph = run("loss = tf.reduce_sum(tf.nn.silu(w))", "w", names=names)
    assert ("custom_gradient", "swish_impl", "library") in [
        one for node in ops(graph) for one in scopes(node)
    ]


def test_seconds_are_those_that_passed(names: dict[str, Any]) -> None:
    body = "import time\na = tf.sin(w)\ntime.sleep(0.05)\nloss = tf.reduce_sum(a)"
    graph = run(body, "w", names=names)
    assert all(node.seconds is not None and node.seconds > 0 for node in ops(graph))
    assert find(graph, "Sum").seconds >= 0.05


def test_names_inside_functions(names: dict[str, Any]) -> None:
    body = """
def predict(t):
    logits = t @ w
    prob = tf.nn.softmax(logits)
    return prob
def score(t):
    h = tf.exp(predict(t))
    return tf.reduce_sum(h)
loss = score(x)
"""
    graph = run(body, "w", names=names)
    called = {node.op: node.outputs[0].name for node in ops(graph)}
    assert called == {"MatMul": "logits", "Softmax": "prob", "Exp": "h", "Sum": "loss"} | {
        op: name for op, name in called.items() if op not in ("MatMul", "Softmax", "Exp", "Sum")
    }
    assert find(graph, "Softmax").label == "softmax(logits)"


def test_the_cells_own_name_wins(names: dict[str, Any]) -> None:
    body = "def f(t):\n    inner = tf.sin(t)\n    return inner\nouter = f(w)\nloss = tf.reduce_sum(outer)"
    assert find(run(body, "w", names=names), "Sin").outputs[0].name == "outer"


def test_functions_from_before_the_cell_and_own_layers_have_names(names: dict[str, Any]) -> None:
    exec(
        compile(
            "class Own(keras.layers.Layer):\n"
            "    def call(self, t):\n        hidden = tf.sin(t)\n        return tf.exp(hidden)\n"
            "def earlier(t):\n    mine = tf.cos(t)\n    return mine * 2.0\n",
            "/notebook/cell1.py",
            "exec",
        ),
        names,
    )
    names["model"] = names["keras"].Sequential([names["Own"]()])
    graph = run("loss = tf.reduce_sum(model(x) * earlier(w))", "w", names=names)
    assert find(graph, "Sin").outputs[0].name == "hidden"
    assert find(graph, "Cos").outputs[0].name == "mine"


def test_nothing_of_the_users_is_kept_alive(tf: Any, names: dict[str, Any]) -> None:
    body = """
import weakref
class Thing: pass
def f(t):
    thing = Thing()
    seen.append(weakref.ref(thing))
    y = tf.sin(t)
    return y
seen = []
a = f(w)
alive = seen[0]() is not None
b = locals_are_mine(a)
loss = tf.reduce_sum(b)
"""

    def locals_are_mine(t: Any) -> Any:
        first = tf.exp(t)
        before = locals()
        second = tf.sin(first)
        assert set(before) == {"t", "first", "tf"}
        return second

    names["locals_are_mine"] = locals_are_mine
    run(body, "w", names=names)
    assert names["alive"] is False


def test_what_a_function_deletes_is_gone(names: dict[str, Any]) -> None:
    body = """
import weakref
class Thing: pass
def f(t):
    thing = Thing()
    seen = weakref.ref(thing)
    y = tf.sin(t)
    del thing
    return y, seen() is None
a, gone = f(w)
loss = tf.reduce_sum(a)
"""
    run(body, "w", names=names)
    assert names["gone"]


def test_frames_are_let_go_of_after_the_cell(names: dict[str, Any]) -> None:
    class Weighty:
        pass

    def f(t: Any) -> Any:
        weighty = Weighty()
        kept.append(weakref.ref(weighty))
        return names["tf"].sin(t)

    kept: list[Any] = []
    names["f"] = f
    record = gradmagic.gradtape("loss = tf.reduce_sum(f(w))", "w", names=names)
    gc.collect()
    assert kept[0]() is None
    assert record.graph is not None


def test_recursion_and_threads(names: dict[str, Any]) -> None:
    body = """
import threading
def twice(t, depth):
    if depth == 0:
        return t
    deeper = twice(tf.sin(t), depth - 1)
    return deeper
def other():
    with tf.name_scope("elsewhere"):
        tf.exp(x)
thread = threading.Thread(target=other)
thread.start()
thread.join()
loss = tf.reduce_sum(twice(w, 4))
"""
    graph = run(body, "w", names=names)
    assert sum(node.op == "Sin" for node in graph.nodes) == 4
    assert not any(s.name == "elsewhere" for node in graph.nodes for s in node.scopes)
    assert threading.active_count() >= 1


def traced(function: Any, *arguments: Any) -> list[str]:
    """The op types in the FuncGraph of a tf.function, without placeholders and NoOps."""
    graph = function.get_concrete_function(*arguments).graph
    types = [op.type for op in graph.get_operations()]
    return sorted(one for one in types if one not in ("Placeholder", "NoOp"))


def test_a_traced_function_is_opened(tf: Any, names: dict[str, Any]) -> None:
    body = """
@tf.function
def forward(t, u):
    with tf.name_scope("block"):
        h = tf.tanh(t @ u)
    return tf.reduce_sum(h * v)
before = tf.sin(x)
loss = forward(before, w)
"""
    graph = run(body, "w", "v", names=names)
    inside = ops(graph, "function")
    types = sorted(str(node.op) for node in inside if node.op != "NoOp")
    assert types == traced(names["forward"], names["before"], names["w"])
    assert {node.position for node in inside} == {find(graph, "MatMul").position}
    assert scopes(find(graph, "Tanh")) == [("function", "forward", ""), ("name", "block", "")]
    assert find(graph, "Tanh").line == 5
    # TensorFlow hands out what the backward pass needs, and so has the real value of tanh
    hidden = tf.tanh(names["before"] @ names["w"])
    np.testing.assert_array_equal(find(graph, "Tanh").outputs[0].value, hidden)
    assert not find(graph, "Tanh").traced
    assert find(graph, "Sum").traced
    sources = {n.source: n.id for n in graph.nodes if n.kind == "source"}
    sine = find(graph, "Sin").id
    assert inputs(graph, find(graph, "MatMul")) == [sine, sources["w"]]
    assert inputs(graph, find(graph, "ReadVariableOp")) == [sources["v"]]
    assert find(graph, "MatMul").outputs[0].shape == (2, 2)
    last = graph.nodes[-1]
    np.testing.assert_array_equal(last.outputs[0].value, tf.reduce_sum(hidden * names["v"]))
    flows = {(e.producer, e.consumer): e.gradient for e in graph.edges}
    assert flows[sources["w"], find(graph, "MatMul").id]
    assert flows[find(graph, "MatMul").id, find(graph, "Tanh").id]
    assert not flows[sine, find(graph, "MatMul").id]


def test_nested_functions_called_twice_and_retraced(tf: Any, names: dict[str, Any]) -> None:
    body = """
@tf.function
def inner(t):
    return tf.sin(t)
@tf.function(jit_compile=True)
def compiled(t):
    return tf.cos(t)
@tf.function
def outer(t):
    return inner(inner(t)) * compiled(t)
first = outer(w)
second = outer(w[0])
loss = tf.reduce_sum(first) + tf.reduce_sum(second)
"""
    graph = run(body, "w", names=names)
    sines = [node for node in graph.nodes if node.op == "Sin"]
    assert len(sines) == 4
    assert len({node.scopes[1].call for node in sines}) == 4
    assert len({node.scopes[0].call for node in sines}) == 2
    assert [node.outputs[0].shape for node in sines] == [(2, 2), (2, 2), (2,), (2,)]
    assert {s.detail for n in graph.nodes if n.op == "Cos" for s in n.scopes} == {"", "jit_compile"}


def test_without_gradients_all_inside_is_traced(tf: Any, names: dict[str, Any]) -> None:
    names["f"] = tf.function(
        lambda t: tf.reduce_sum(tf.sin(t) + 1.0),
        input_signature=[tf.TensorSpec([None, 2], tf.float32)],
    )
    graph = run("c = f(x)\nloss = tf.reduce_sum(w) * c", "w", names=names)
    assert find(graph, "Sin").traced
    assert find(graph, "Sin").outputs[0].shape == (2, 2)  # as it was called
    assert find(graph, "Sin").line == 1


@pytest.mark.parametrize(("sign", "taken"), [(1.0, "then"), (-1.0, "else")])
def test_both_branches_are_drawn_and_which_was_taken(
    tf: Any, names: dict[str, Any], sign: float, taken: str
) -> None:
    body = """
@tf.function
def f(t):
    if tf.reduce_sum(t) > 0.0:
        y = tf.sin(t)
    else:
        y = tf.cos(t)
    return y
loss = tf.reduce_sum(f(w * sign))
"""
    names["sign"] = sign
    graph = run(body, "w", names=names)
    details = {
        op: [s.detail for s in find(graph, op).scopes if s.kind == "branch"]
        for op in ("Sin", "Cos")
    }
    said = {"then": "Sin", "else": "Cos"}
    for which, op in said.items():
        assert details[op] == [f"{which} ({'taken' if which == taken else 'not taken'})"]
    join = next(node for node in graph.nodes if node.op in ("If", "StatelessIf"))
    feeding = inputs(graph, join)
    assert graph.nodes[feeding[0]].op == "Greater"
    flowing = {e.producer for e in graph.edges if e.gradient}
    assert find(graph, "Sin").id in flowing


def test_a_loop_has_its_condition_and_its_body(names: dict[str, Any]) -> None:
    body = """
@tf.function
def f(t):
    for _ in tf.range(3):
        t = tf.sin(t)
    return t
loss = tf.reduce_sum(f(w))
"""
    graph = run(body, "w", names=names)
    parts = {s.detail for node in graph.nodes for s in node.scopes if s.kind == "loop"}
    assert parts == {"cond", "body"}
    assert [s.detail for s in find(graph, "Sin").scopes if s.kind == "loop"] == ["body"]
    assert find(graph, "Sin").fold is None
    folded = {str(n.op): n.fold for n in graph.nodes}
    assert folded["TensorListPushBack"] == "side"  # what only the backward pass wants


def test_layers_inside_a_traced_function(names: dict[str, Any]) -> None:
    keras = names["keras"]
    names["model"] = keras.Sequential(
        [keras.Input([2]), keras.layers.Dense(3, name="one"), keras.layers.Dense(1, name="one_1")],
        name="net",
    )
    names["step"] = names["tf"].function(lambda t: names["tf"].reduce_mean(names["model"](t)))
    names["step"](names["x"])  # traced before the cell
    graph = run("loss = step(x)", "model", names=names)
    layers = [
        [(s.name, s.detail) for s in node.scopes if s.kind == "layer"]
        for node in graph.nodes
        if node.op == "MatMul"
    ]
    assert layers == [
        [("net", "Sequential"), ("one", "Dense")],
        [("net", "Sequential"), ("one_1", "Dense")],
    ]


def test_a_tape_inside_a_traced_function(names: dict[str, Any]) -> None:
    body = """
@tf.function
def slope(t):
    with tf.GradientTape() as inner:
        inner.watch(t)
        y = tf.reduce_sum(tf.sin(t))
    return inner.gradient(y, t)
loss = tf.reduce_sum(slope(w))
"""
    graph = run(body, "w", names=names)
    assert ("gradient", "gradient", "") in scopes(find(graph, "Cos"))
    assert ("gradient", "gradient", "") not in scopes(find(graph, "Sin"))


def test_a_function_that_was_let_go_of(names: dict[str, Any]) -> None:
    body = """
import gc
def once(t):
    return tf.function(lambda u: tf.sin(u) * 2.0)(t)
h = once(w)
gc.collect()
loss = tf.reduce_sum(h)
"""
    assert find(run(body, "w", names=names), "Sin").scopes[0].kind == "function"


def test_large_functions_stay_closed_and_say_so(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "MOST_INNER", 3)
    body = "@tf.function\ndef f(t):\n    return tf.sin(t) * 2.0\nloss = tf.reduce_sum(f(w))"
    graph = run(body, "w", names=names)
    call = next(node for node in graph.nodes if str(node.op).startswith("__forward_f"))
    assert call.label == "f(w) (4 ops inside)"
    assert not ops(graph, "function")


def test_a_function_that_cannot_be_read_again_stays_closed(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise ValueError("expects to be colocated with unknown node")

    monkeypatch.setattr("gradmagic.core.recorder.TracedFunctions._open", fail)
    body = "@tf.function\ndef f(t):\n    return tf.sin(t) * 2.0\nloss = tf.reduce_sum(f(w))"
    graph = run(body, "w", names=names)
    assert find(graph, next(n.op for n in graph.nodes if "forward_f" in str(n.op))).label == (
        "f(w) (4 ops inside)"
    )


def test_a_jacobian_of_an_inner_tape_is_opened(names: dict[str, Any]) -> None:
    body = """with tf.GradientTape(persistent=True) as inner:
    e = v * v
slope = inner.jacobian(e, v)
loss = tf.reduce_sum(w)
"""
    graph = run(body, "w", names=names)
    assert any(s.name == "jacobian" for n in graph.nodes for s in n.scopes)


def test_a_read_follows_the_assignment(tf: Any, names: dict[str, Any]) -> None:
    body = "v.assign_add(tf.reduce_sum(w))\nv.assign(v * 2.0)\nloss = v * 3.0"
    start = float(names["v"])
    graph = run(body, "v", names=names)
    added, assigned = find(graph, "AssignAddVariableOp"), find(graph, "AssignVariableOp")
    assert (added.fold, assigned.fold) == (None, None)
    total = start + float(tf.reduce_sum(names["w"]))
    assert float(added.outputs[0].value) == pytest.approx(total)
    assert float(assigned.outputs[0].value) == pytest.approx(total * 2)
    reads = [node for node in graph.nodes if node.op == "ReadVariableOp"]
    before = {node.id: [e.producer for e in graph.edges if e.consumer == node.id] for node in reads}
    variable = next(node.id for node in graph.nodes if node.source == "v")
    assert [variable, assigned.id] in before.values()
    assert [variable, added.id] in before.values()


def test_an_assignment_inside_a_function_is_seen(names: dict[str, Any]) -> None:
    body = """
@tf.function
def count(t):
    v.assign_add(1.0)
    return t * v
loss = tf.reduce_sum(count(w))
"""
    graph = run(body, "w", names=names)
    added = find(graph, "AssignAddVariableOp")
    reads = [node for node in graph.nodes if node.op == "ReadVariableOp"]
    assert any((e.producer, e.consumer) == (added.id, reads[-1].id) for e in graph.edges)
    assert added.fold is None


def test_what_is_first_read_from_a_variable_takes_no_room(
    tf: Any, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "HELD_BYTES", 500)
    kernel = tf.Variable(tf.ones([200, 1]))  # 800 bytes
    given = {**names, "kernel": kernel, "x": tf.ones([20, 200])}
    body = """for step in range(4):
    loss = tf.reduce_sum(tf.identity(kernel.read_value()) ** 2)
    kernel.assign_add(tf.ones([200, 1]))
"""
    graph = run(body, "kernel", names=given)
    reads = [n.outputs[0] for n in graph.nodes if n.op == "ReadVariableOp"]
    assert reads[0].value is not None
    assert reads[-1].value is None
    assert reads[-1].summary.norm == pytest.approx(4 * 200**0.5)


def test_what_is_too_large_is_summarized_at_once(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "HELD_TENSOR_BYTES", 1000)
    monkeypatch.setattr(recorder, "PENDING_SIZE", 1000)
    names["big"] = names["tf"].Variable(names["tf"].random.normal([50, 50]))
    graph = run("loss = tf.reduce_sum(tf.sin(big))", "big", names=names)
    sine = find(graph, "Sin").outputs[0]
    wanted = summarize(names["tf"].sin(names["big"]))
    assert sine.value is None
    assert sine.summary is not None
    assert (sine.summary.norm, sine.summary.low) == (wanted.norm, wanted.low)
    variable = graph.nodes[0].outputs[0]
    assert variable.summary is not None
    assert variable.summary.norm == summarize(names["big"]).norm


def test_summaries_take_bounded_time(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "HELD_TENSOR_BYTES", 8)
    monkeypatch.setattr(recorder, "SUMMARY_SECONDS", 0.0)
    output = find(run("loss = tf.reduce_sum(tf.sin(w))", "w", names=names), "Sin").outputs[0]
    assert (output.value, output.summary, output.shape) == (None, None, (2, 2))


def test_a_training_loop_hands_each_variable_on(tf: Any, names: dict[str, Any]) -> None:
    body = """for step in range(5):
    with tf.GradientTape() as inner:
        error = tf.reduce_mean(((x @ w1 + b1) @ w2 + b2) ** 2)
    for one, slope in zip([w1, b1, w2, b2], inner.gradient(error, [w1, b1, w2, b2])):
        one.assign_sub(0.1 * slope)
loss = tf.reduce_mean(((x @ w1 + b1) @ w2 + b2) ** 2)
"""
    shapes = {"w1": (3, 2), "b1": (2,), "w2": (2, 4), "b2": (4,)}
    own = {name: tf.Variable(tf.ones(shape)) for name, shape in shapes.items()}
    graph = run(body, *own, names={**names, **own, "x": tf.ones([6, 3])})
    level = make_level(trim(graph), None)
    loop = next(node for node in level.nodes if node.kind == "group" and "5" in node.label)
    assert sorted(output.shape for output in loop.outputs) == sorted(shapes.values())
    used = [edge for edge in level.edges if edge.producer == loop.id]
    assert len(used) == 4
    assert {level_op(level, edge.consumer) for edge in used} == {"MatMul", "AddV2"}


def level_op(level: Graph, number: int) -> str | None:
    return next(node.op for node in level.nodes if node.id == number)


def test_variables_of_a_model_have_its_names(tf: Any, names: dict[str, Any]) -> None:
    import keras

    layers = [keras.layers.Dense(2, name="first"), keras.layers.BatchNormalization(name="norm")]
    model = keras.Sequential(layers)
    x = tf.ones([4, 3])
    model(x)

    class Broken(tf.Module):
        @property
        def variables(self) -> Any:
            raise RuntimeError("not now")

    given = {**names, "net": model, "x": x, "broken": Broken()}
    graph = run("loss = tf.reduce_sum(net(x) ** 2)", "x", names=given)
    inputs = {node.label: node.outputs[0].shape for node in graph.nodes if node.kind == "input"}
    assert inputs["net.first.kernel"] == (3, 2)
    assert inputs["net.norm.moving_mean"] == (2,)
    assert "" not in inputs


def test_the_ops_are_walked_no_more_often_where_there_are_more_constants(
    tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[Ops] = []

    class Ops(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            walks.append(self)
            return super().__iter__()

    start = recorder.Recorder.__init__

    def start_counting(one: Any, *arguments: Any, **options: Any) -> None:
        start(one, *arguments, **options)
        one._ops = Ops()

    monkeypatch.setattr(recorder.Recorder, "__init__", start_counting)
    counts = []
    for constants in (10, 100):
        names = {"tf": tf, "v": tf.Variable(2.0)}
        cell = f"v.assign_add(1.0)\nfor i in range({constants}):\n    y = v * tf.constant(float(i))"
        run = gradmagic.gradtape(cell, "v", names=names)
        assert run.gradients["v"].result.numpy() == constants - 1
        counts.append(len(walks))
        walks.clear()
    assert counts[0] == counts[1] > 0


def use_rows(tf: Any, table: Any, how: str) -> None:
    """What makes each later read of a Variable a copy."""
    if how == "gather":
        tf.gather(table, [0, 1])
    elif how == "scatter":
        table.scatter_nd_update([[0, 1]], [5.0])
    elif how == "slice":
        table[0].assign(tf.ones([2]))
    else:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.embedding_lookup(table, [1]))
        slopes = tape.gradient(loss, table)
        tf.keras.optimizers.Adam().apply_gradients([(slopes, table)])


@pytest.fixture
def table(tf: Any) -> Any:
    return tf.Variable(np.arange(1.0, 13.0, dtype="float32").reshape(6, 2))


READS = {  # the cell, and how often it reads the whole table
    "loss = tf.reduce_sum(tf.square(table))": 1,
    "loss = tf.reduce_sum(table * table) + tf.nn.l2_loss(table)": 3,
    "e = tf.nn.embedding_lookup(table, [2, 5, 5])\nloss = tf.reduce_sum(e @ tf.transpose(table))": 1,
    "a = tf.sin(table)\nb = tf.gather(table, [0])\nloss = tf.reduce_sum(a) + tf.reduce_sum(b)": 1,
}


@pytest.mark.parametrize("cell", READS)
@pytest.mark.parametrize("how", ["gather", "scatter", "slice", "optimizer"])
def test_reads_of_a_variable_whose_rows_were_used(
    tf: Any, names: dict[str, Any], table: Any, cell: str, how: str
) -> None:
    use_rows(tf, table, how)
    graph = run(cell, "table", names={**names, "table": table})
    reads = [node for node in graph.nodes if node.op == "ReadVariableOp"]
    (source,) = (node.id for node in graph.nodes if node.source == "table")
    assert [inputs(graph, read) for read in reads] == [[source]] * READS[cell]
    for read in reads:
        np.testing.assert_array_equal(read.outputs[0].value, table)
    assert all(node.label for node in graph.nodes if node.kind == "input")


def test_equal_entries_tell_where_the_tape_was_not_asked(
    tf: Any, names: dict[str, Any], table: Any
) -> None:
    use_rows(tf, table, "gather")
    body = "with tape.stop_recording():\n    h = tf.square(table)\nloss = tf.reduce_sum(h * table)"
    graph = run(body, "table", names={**names, "table": table})
    assert sum(node.op == "ReadVariableOp" for node in graph.nodes) == 2
    still = tf.Variable(table, trainable=False)
    use_rows(tf, still, "gather")
    graph = run("loss = tf.reduce_sum(still * w[0])", "w", names={**names, "still": still})
    assert "still" in [node.label for node in graph.nodes if node.kind == "input"]


def test_a_constant_is_no_read_of_a_variable_that_holds_the_same(
    tf: Any, names: dict[str, Any], table: Any
) -> None:
    use_rows(tf, table, "gather")
    given = {**names, "table": table, "numbers": table.numpy()}
    graph = run("loss = tf.reduce_sum(table * numbers)", "table", names=given)
    assert sum(node.op == "ReadVariableOp" for node in graph.nodes) == 1
    ones = tf.Variable(tf.ones([6, 2]), trainable=False)
    use_rows(tf, ones, "gather")
    given = {**names, "ones": ones, "numbers": ones.numpy(), "t": tf.ones([6, 2])}
    graph = run("loss = tf.reduce_sum(t * numbers)", "t", names=given)
    assert not any(node.op == "ReadVariableOp" for node in graph.nodes)


def test_the_tape_is_not_asked_where_all_reads_are_found(
    tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "gradmagic.core.reads._list_read", lambda *arguments: asked.append(arguments) or {}
    )
    names = {"tf": tf, "v": tf.Variable(2.0), "u": tf.Variable(3.0)}
    run("for i in range(20):\n    loss = v * u * tf.constant(float(i))", "v", names=names)
    assert [variables for _tape, _tensor, variables in asked if variables] == []


def test_a_ragged_source_is_its_flat_values(tf: Any, names: dict[str, Any]) -> None:
    given = {**names, "r": tf.ragged.constant([[1.0, 2.0], [3.0]])}
    graph = run("loss = tf.reduce_sum(r * r)", "r", names=given)
    (source,) = (node for node in graph.nodes if node.kind == "source")
    assert source.source == source.label == "r.flat_values"
    np.testing.assert_array_equal(source.outputs[0].gradient, [2.0, 4.0, 6.0])
    flows = [edge.gradient for edge in graph.edges if edge.producer == source.id]
    assert any(flows)
    assert write_chain(graph, "r.flat_values").numbers.endswith("d r.flat_values[2] = 6")
    assert check_entry(graph, "r.flat_values", (1,)).agrees
