"""The local derivatives, against TensorFlow's own gradient functions; and what is written of them."""

import inspect
import math
import re

import numpy as np
import pytest
import tensorflow as tf
from cases_rules import CASES, FORMULAS, WORDED, draw
from tensorflow.python.framework import op_callbacks

from gradmagic.core.rules import (
    NOTATION,
    OPS,
    find_rule,
    find_terms,
    holds_for_complex,
    write_formula,
    write_numbers,
)
from gradmagic.render.numbers import format_number

SYMBOLS = "abcdefghij"


def name_case(case):
    op, inputs, attributes = case
    shapes = ",".join(str(getattr(one, "shape", "list")).replace(" ", "") for one in inputs)
    return f"{op}-{shapes}-{'-'.join(str(v) for v in attributes.values())}".replace(
        "[", ""
    ).replace("]", "")


def flatten(inputs):
    return [one for part in inputs for one in (part if isinstance(part, list) else [part])]


class Taped:
    """One op run by TensorFlow, with a random upstream gradient, and what its tape gives back."""

    def __init__(self, op, inputs, attributes):
        run = getattr(tf.raw_ops, op)
        self.op = op
        tensors = [
            [tf.constant(one) for one in part] if isinstance(part, list) else tf.constant(part)
            for part in inputs
        ]
        self.flat = flatten(tensors)
        floats = [tensor for tensor in self.flat if tensor.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            outputs = tf.nest.flatten(
                run(
                    **dict(zip(inspect.signature(run).parameters, tensors, strict=False)),
                    **attributes,
                )
            )
        several = op in ("Split", "SplitV", "Unpack", "IdentityN")
        targets = (
            outputs if several else outputs[1:2] if op == "LogMatrixDeterminant" else outputs[:1]
        )
        upstream = [
            tf.constant(draw(*out.shape), out.dtype) if out.dtype.is_floating else None
            for out in targets
        ]
        if any(up is None for up in upstream):
            found = [None] * len(floats)
        else:
            found = tape.gradient(targets, floats, output_gradients=upstream)
        self.gradients = [None] * len(self.flat)
        for tensor, gradient in zip(floats, found, strict=False):
            place = next(at for at, one in enumerate(self.flat) if one is tensor)
            self.gradients[place] = (
                None if gradient is None else tf.convert_to_tensor(gradient).numpy()
            )
        self.inputs = [tensor.numpy() for tensor in self.flat]
        self.outputs = [out.numpy() for out in outputs]
        self.upstream = [None if up is None else up.numpy() for up in upstream]
        self.upstream += [None] * (len(outputs) - len(upstream))
        # As an op callback hands them out.
        named = {"axis": "squeeze_dims"} if op == "Squeeze" else {}
        self.attributes = tuple(
            part for name, value in attributes.items() for part in (named.get(name, name), value)
        )

    def ask(self, function, slot, index, *more):
        return function(
            self.op, self.attributes, self.inputs, self.outputs, self.upstream, slot, index, *more
        )


def test_the_rules_are_many_and_of_real_ops():
    differentiable = [op for op in OPS if any(slot.differentiable for slot in find_rule(op).slots)]
    assert len(set(differentiable)) == len(differentiable) >= 150
    assert [op for op in OPS if not hasattr(tf.raw_ops, op)] == []
    assert find_rule("NoSuchOp") is None
    assert write_formula("NoSuchOp", (), 0, ["x"]) is None
    assert (
        write_numbers(
            "NoSuchOp", (), [np.ones(1)], [np.ones(1)], [np.ones(1)], 0, (0,), format_number
        )
        is None
    )


def test_every_rule_has_a_case():
    assert set(OPS) - {op for op, *_ in CASES + WORDED} <= {
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",  # in tests of their own
        "AssignVariableOp",
        "AssignAddVariableOp",
        "AssignSubVariableOp",  # run outside a tape
        "TruncateDiv",
        "LogicalAnd",
        "LogicalOr",
        "LogicalNot",
        "All",
        "Any",
        "InTopKV2",  # take no floats
    }


@pytest.mark.parametrize("case", CASES, ids=name_case)
def test_numbers_are_those_of_the_tape(case):
    taped = Taped(*case)
    rule = find_rule(taped.op, taped.attributes)
    single = taped.op.startswith("Resize") or any(
        one.dtype == np.float32 for one in (*taped.inputs, *taped.outputs)
    )
    exact = 1e-6 if single else 1e-10
    written = 0
    for slot, gradient in enumerate(taped.gradients):
        own = rule.find_slot(slot, len(taped.inputs))
        assert own.differentiable == (gradient is not None), (slot, own)
        if gradient is None:
            assert taped.ask(find_terms, slot, (0,) * taped.inputs[slot].ndim) is None
            continue
        indices = list(np.ndindex(*gradient.shape))
        for index in indices[:: max(1, len(indices) // 8)]:
            terms = taped.ask(find_terms, slot, index)
            np.testing.assert_allclose(
                terms.total, gradient[index], rtol=exact, atol=exact, err_msg=f"{slot} {index}"
            )
            line = taped.ask(write_numbers, slot, index, format_number)
            check_line(line, terms)
            written += 1
    assert written


def trim(number):
    return re.sub(r"(\.\d*?)0+$", r"\1", number).removesuffix(".")


def check_line(line, terms):
    """What stands before the = sign, computed by Python, is what stands after it."""
    left, _, right = line.rpartition(" = ")
    total = trim(format_number(terms.total))
    if not left:
        assert line in {total, "0, as it is used nowhere"}
        return
    assert right == total
    if "…" in left:
        assert len(terms.values) > 4
        assert left.endswith(f"({len(terms.values)} terms)")
        assert left.count(" + ") + left.count(" − ") + 1 >= 4
        return
    code = (
        left.replace("·", "*")
        .replace("−", "-")
        .replace("²", "**2")
        .replace("³", "**3")
        .replace(" ^ ", "**")
    )
    code = (
        re.sub(r"\|([^|]*)\|", r"abs(\1)", code)
        .replace("√π", "(math.pi**0.5)")
        .replace("√(", "root(")
        .replace("2π", "2 * π")
        .replace("π", "math.pi")
    )
    functions = {
        "math": math,
        "root": math.sqrt,
        "abs": abs,
        "floor": math.floor,
        "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
        "digamma": lambda x: float(tf.math.digamma(tf.constant(x, tf.float64))),
        "trigamma": lambda x: float(
            tf.math.polygamma(tf.constant(1.0, tf.float64), tf.constant(x, tf.float64))
        ),
        **{
            name: getattr(math, name)
            for name in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log"]
        },
    }
    size = float(np.abs(terms.values).sum()) + max(
        float(np.abs(column).max()) for column in terms.columns.values()
    )
    try:
        computed = eval(code, functions)
    except (
        ValueError,
        ZeroDivisionError,
    ):  # log(0), 0/0: TensorFlow's convention stands on the right
        return
    assert computed == pytest.approx(terms.total, abs=4e-3 * size), (line, code)


@pytest.mark.parametrize("case", WORDED, ids=name_case)
def test_rules_without_numbers_name_the_slots_that_get_a_gradient(case):
    taped = Taped(*case)
    rule = find_rule(taped.op, taped.attributes)
    assert [
        rule.find_slot(slot, len(taped.inputs)).differentiable for slot in range(len(taped.inputs))
    ] == [gradient is not None for gradient in taped.gradients]


@pytest.mark.parametrize(("op", "inputs", "attributes", "slot", "formula"), FORMULAS)
def test_formulas_without_numbers_are_true(op, inputs, attributes, slot, formula):
    taped = Taped(op, inputs, attributes)
    at = 1 if op == "LogMatrixDeterminant" else 0
    g, z = taped.upstream[0], taped.outputs[at]
    expected = formula(g, *taped.inputs, z)
    found = taped.gradients[slot]
    if op in ("Cholesky", "SelfAdjointEigV2"):  # a symmetric input: only both halves together count
        expected, found = expected + expected.T, found + found.T
    np.testing.assert_allclose(
        expected,
        found,
        rtol=2e-3 if found.dtype == np.float32 else 1e-8,
        atol=1e-5 if found.dtype == np.float32 else 1e-10,
    )


@pytest.mark.parametrize("op", OPS)
def test_every_text_is_there_and_filled(op):
    rule = find_rule(op, ("equation", "ij,jk->ik") if op == "Einsum" else ())
    assert rule.op == op
    symbols = [slot.symbol for slot in rule.slots]
    assert len(set(symbols)) == len(symbols)
    for at, slot in enumerate(rule.slots):
        assert slot.words.endswith(".")
        assert "{" not in slot.words + rule.note
        assert len(slot.words) < 160
        formula = write_formula(
            op,
            ("equation", "ij,jk->ik") if op == "Einsum" else (),
            at,
            [f"{s}_{n}" for n, s in enumerate(SYMBOLS[: len(symbols)])],
            ["out" if symbol == "z" else None for symbol in rule.outputs],
        )
        if not slot.formula:
            assert formula is None
            assert slot.find_terms is None
            continue
        assert slot.formula.startswith(f"dL/d{{{slot.symbol}}} = ")
        assert formula.startswith(f"dL/d{SYMBOLS[at]}_{at} = ")
        assert "{" not in formula
        if "{" in slot.formula.split(" = ", 1)[1] and "{z}" in slot.formula:
            assert "out" in formula
    assert "dL/dx" in NOTATION


@pytest.mark.parametrize(
    ("op", "attributes", "slot", "operands", "outputs", "summed", "expected"),
    [
        ("MatMul", (), 0, ["x", "w"], [None], False, "dL/dx = dL/dz @ wᵀ"),
        ("MatMul", (), 1, ["x", "w"], ["logits"], False, "dL/dw = xᵀ @ dL/dlogits"),
        (
            "MatMul",
            ("transpose_a", False, "transpose_b", True),
            1,
            ["q", "k"],
            [None],
            False,
            "dL/dk = (dL/dz)ᵀ @ q",
        ),
        ("MatMul", (), 0, ["a + b", None], [None], False, "dL/d(a + b) = dL/dz @ wᵀ"),
        ("Mul", (), 0, ["x", "a + b"], [None], False, "dL/dx = dL/dz · (a + b)"),
        ("Mul", (), 0, ["x", "softmax(h)"], [None], False, "dL/dx = dL/dz · softmax(h)"),
        ("Mul", (), 0, ["x", "f(a) + f(b)"], [None], False, "dL/dx = dL/dz · (f(a) + f(b))"),
        ("AddV2", (), 1, ["x", "b"], [None], True, "dL/db = Σ dL/dz"),
        ("Sin", (), 0, ["a + b"], [None], False, "dL/d(a + b) = dL/dz · cos(a + b)"),
        ("SelectV2", (), 1, ["x > 0", "x", "y"], [None], False, "dL/dx = dL/dz · [x > 0]"),
        ("Square", (), 0, ["z"], [None], False, "dL/dz = dL/dout · 2 · z"),
        (
            "LeakyRelu",
            ("alpha", 0.1),
            0,
            ["x"],
            [None],
            False,
            "dL/dx = dL/dz · (1 if x > 0 else 0.1)",
        ),
        ("ConcatV2", ("N", 2), 1, ["a", "b", None], [None], False, "dL/db = split(dL/dz)"),
        ("ConcatV2", ("N", 2), 2, ["a", "b", None], [None], False, None),
        (
            "Einsum",
            ("equation", b"abc,cde->abde"),
            1,
            ["x", "w"],
            [None],
            False,
            "dL/dw = einsum('abde,abc->cde', dL/dz, x)",
        ),
        (
            "SoftmaxCrossEntropyWithLogits",
            (),
            0,
            ["logits", "y"],
            ["loss"],
            False,
            "dL/dlogits = (softmax(logits) − y) · dL/dloss",
        ),
    ],
)
def test_formulas_carry_the_operands_names(
    op, attributes, slot, operands, outputs, summed, expected
):
    assert write_formula(op, attributes, slot, operands, outputs, summed=summed) == expected


@pytest.mark.parametrize(
    ("op", "attributes", "slot", "operands", "outputs", "expected"),
    [
        # a power and a sum of calls are no names
        ("RealDiv", (), 1, ["s", "t²"], [None], "dL/d(t²) = −dL/dz · s / (t²)²"),
        ("Square", (), 0, ["f(a) · g(b)"], [None], "dL/d(f(a) · g(b)) = dL/dz · 2 · (f(a) · g(b))"),
        ("Square", (), 0, ["split(x)[1]"], [None], "dL/d(split(x)[1]) = dL/dz · 2 · split(x)[1]"),
        ("Square", (), 0, ["h₁"], [None], "dL/dh₁ = dL/dz · 2 · h₁"),
        # an attribute that is 0
        ("LeakyRelu", ("alpha", 0.0), 0, ["x"], [None], "dL/dx = dL/dz · (1 if x > 0 else 0)"),
        # outputs
        ("Split", (), 1, [None, "x"], ["a", "b"], "dL/dx = concat(dL/da, dL/db)"),
        ("Split", (), 1, [None, "x"], ["a", None], "dL/dx = concat(dL/dz)"),
        ("Unpack", (), 0, ["x"], ["a", "b", "c"], "dL/dx = stack(dL/da, dL/db, dL/dc)"),
        ("Unpack", (), 0, ["x"], ["r", "r"], "dL/dx = stack(dL/dz)"),
        ("Unpack", (), 0, ["x"], [], "dL/dx = stack(dL/dz)"),
        ("IdentityN", (), 1, ["a", "b"], ["p", "q"], "dL/db = dL/dq"),
        (
            "LogMatrixDeterminant",
            (),
            0,
            ["m"],
            ["sign", "logdet"],
            "dL/dm = dL/dlogdet · inverse(m)ᵀ",
        ),
        ("Svd", (), 0, ["m"], ["d", "a", "b"], "dL/dm = a @ diag(dL/dd) @ bᵀ"),
        ("Svd", (), 0, ["m"], ["d", "_", "_"], "dL/dm = U @ diag(dL/dd) @ Vᵀ"),
        ("TopKV2", (), 0, ["x", "2"], ["v", "i"], "dL/dx = scatter_nd(i, dL/dv)"),
        # a name that was bound again
        ("Relu", (), 0, ["h"], ["h"], "dL/dh = dL/dz · [h > 0]"),
        ("Mul", (), 0, ["h + 1", "2"], ["h"], "dL/d(h + 1) = dL/dz · 2"),
        # from which end a running sum was run
        ("Cumsum", (), 0, ["x", "0"], [None], "dL/dx = cumsum(dL/dz, backwards)"),
        ("Cumsum", ("reverse", True), 0, ["x", "0"], [None], "dL/dx = cumsum(dL/dz, forwards)"),
        (
            "Cumprod",
            ("exclusive", True, "reverse", True),
            0,
            ["x", "0"],
            [None],
            "dL/dx = cumsum(dL/dz · z, forwards, exclusive) / x",
        ),
        ("Select", (), 2, [None, "x", "y"], [None], "dL/dy = select(c, 0, dL/dz)"),
        # what no einsum computes
        *(
            (
                "Einsum",
                ("equation", equation),
                slot,
                ["x", "w"][: equation.count(",") + 1],
                [],
                None,
            )
            for equation, slot in (
                ("ii->", 0),
                ("ii->i", 0),
                ("ij->i", 0),
                ("ij,kj->i", 1),
                ("...ij,jk->...ik", 1),
                ("...ij,...jk->...ik", 0),
            )
        ),
        (
            "Einsum",
            ("equation", "...ij,jk->...ik"),
            0,
            ["x", "w"],
            [],
            "dL/dx = einsum('...ik,jk->...ij', dL/dz, w)",
        ),
    ],
)
def test_formulas_are_true(op, attributes, slot, operands, outputs, expected):
    assert write_formula(op, attributes, slot, operands, outputs) == expected


@pytest.mark.parametrize(
    ("op", "operands", "outputs", "taken", "expected"),
    [
        ("MatMul", ["x", "w"], [None], "xwz", "dL/dw = xᵀ @ dL/dout"),
        ("MatMul", [None, "a"], [None], "xaz", "dL/da = uᵀ @ dL/dout"),
        ("MatMul", [None, None], [None], "wu", "dL/dv = xᵀ @ dL/dz"),
        ("MatMul", ["w", None], [None], "", "dL/du = wᵀ @ dL/dz"),
        ("MatMul", ["x", "w"], [None], ("z", "out", "output", "result"), "dL/dw = xᵀ @ dL/dz_1"),
        ("AddN", [None, None], ["z"], "z", "dL/dx = dL/dz"),
    ],
)
def test_letters_are_no_names_of_other_tensors(op, operands, outputs, taken, expected):
    assert write_formula(op, (), 1, operands, outputs, taken=taken) == expected


@pytest.mark.parametrize("condition", [True, [True, False], [[True, False, True], [False] * 3]])
def test_a_selection_by_rows_or_entries_is_that_of_the_tape(condition):
    condition, x, y, g = np.array(condition), draw(2, 3), draw(2, 3), draw(2, 3)
    watched = tf.constant(x), tf.constant(y)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        z = tf.raw_ops.Select(condition=condition, x=watched[0], y=watched[1])
    found = tape.gradient(z, watched, output_gradients=tf.constant(g))
    for slot, gradient in enumerate(found, 1):
        for index in np.ndindex(2, 3):
            terms = find_terms("Select", (), [condition, x, y], [z.numpy()], [g], slot, index)
            assert terms.total == gradient.numpy()[index]


def test_complex_numbers_have_no_real_terms():
    z = np.array([1.0 + 2.0j])
    for op in ("Mul", "AddV2", "Sub"):
        assert find_terms(op, (), [z, z], [z], [z], 0, (0,)) is None
    assert not holds_for_complex("Mul")
    assert holds_for_complex("AddV2")
    assert holds_for_complex("Reshape")
    assert not holds_for_complex("Cast")


@pytest.mark.parametrize(
    ("op", "inputs", "upstream", "slot", "index", "expected"),
    [
        ("Mul", [[2.0], [3.0]], [0.5], 1, (0,), "0.5 · 2 = 1"),
        ("Mul", [[-2.0], [3.0]], [-0.5], 1, (0,), "−0.5 · (−2) = 1"),
        (
            "MatMul",
            [[[1.0, 2.0]], [[0.3, 1.2], [1.0, 1.0]]],
            [[0.1, -0.2]],
            0,
            (0, 0),
            "0.1 · 0.3 + (−0.2) · 1.2 = −0.21",
        ),
        (
            "AddV2",
            [np.ones((6, 1)), [1.0]],
            np.arange(6.0)[:, None],
            1,
            (0,),
            "0 + 1 + 2 + … (6 terms) = 15",
        ),
        ("AddV2", [[1.0], [1.0]], [0.25], 0, (0,), "0.25"),
        ("RealDiv", [[3.0], [-2.0]], [0.5], 1, (0,), "−0.5 · 3 / (−2)² = −0.375"),
        ("Sub", [np.ones(2), np.ones(1)], [0.5, -2.0], 1, (0,), "−0.5 − (−2) = 1.5"),
    ],
)
def test_numbers_are_written_as_in_a_textbook(op, inputs, upstream, slot, index, expected):
    inputs = [np.array(one) for one in inputs]
    line = write_numbers(op, (), inputs, [None], [np.array(upstream)], slot, index, format_number)
    assert line == expected


def test_variables_need_no_value():
    g = draw(3, 2)
    ids = np.array([4, 1, 4], np.int32)
    gathered = find_terms("ResourceGather", ("batch_dims", 0), [None, ids], [g], [g], 0, (4, 1))
    assert gathered.total == g[0, 1] + g[2, 1]
    assert (
        find_terms("ResourceGatherNd", (), [None, ids[:, None]], [g], [g], 0, (4, 1)).total
        == gathered.total
    )
    assert find_terms("ReadVariableOp", (), [None], [g], [g], 0, (2, 1)).total == g[2, 1]
    variable = tf.Variable(draw(5, 2))
    with tf.GradientTape() as tape:
        rows = tf.gather(variable, ids)
    found = tf.convert_to_tensor(tape.gradient(rows, variable, output_gradients=tf.constant(g)))
    assert gathered.total == found.numpy()[4, 1]


def test_what_is_missing_gives_none():
    x, g = np.ones(2), np.ones(2)
    assert find_terms("Mul", (), [x, None], [x], [g], 0, (0,)) is None
    assert find_terms("Mul", (), [x, x], [x], [None], 0, (0,)) is None
    assert find_terms("Mul", (), [x * 1j, x * 1j], [x * 1j], [g * 1j], 0, (0,)) is None
    assert find_terms("Cholesky", (), [np.eye(2)], [np.eye(2)], [np.eye(2)], 0, (0, 0)) is None


def test_attributes_of_a_traced_op_are_read():
    from tensorflow.core.framework.attr_value_pb2 import AttrValue

    traced = ("transpose_b", AttrValue(b=True), "T", AttrValue(type=1))
    assert write_formula("MatMul", traced, 0, ["x", "w"]) == "dL/dx = dL/dz @ w"
    strides = AttrValue(list=AttrValue.ListValue(i=[1, 2, 2, 1]))
    x, w, g = draw(1, 4, 4, 1), draw(2, 2, 1, 1), draw(1, 2, 2, 1)
    padding = AttrValue(s=b"VALID")
    terms = find_terms(
        "Conv2D",
        (
            "strides",
            strides,
            "padding",
            padding,
            "explicit_paddings",
            AttrValue(list=AttrValue.ListValue()),
        ),
        [x, w],
        [g],
        [g],
        1,
        (0, 1, 0, 0),
    )
    assert terms.total == pytest.approx((x[0, ::2, 1::2, 0] * g[0, :, :, 0]).sum())


def run_network():
    """A network of the usual kind; each op as its callback hands it out, and the gradient of each tensor."""
    ops = []

    def record(op, inputs, attributes, outputs, op_name=None, graph=None):
        ops.append(
            (op.decode() if isinstance(op, bytes) else op, attributes, list(inputs), list(outputs))
        )
        return outputs

    image, classes = tf.constant(draw(2, 6, 6, 1)), tf.constant([1, 0])
    kernel, table, w = (tf.constant(draw(*shape)) for shape in ((3, 3, 1, 2), (5, 8), (8, 3)))
    b, words = tf.constant(draw(3)), tf.constant([[0, 4, 4], [1, 2, 0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([kernel, table, w, b])
        op_callbacks.add_op_callback(record)
        try:
            h = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "VALID"))
            h = tf.reshape(tf.nn.max_pool2d(h, 2, 2, "VALID"), [2, -1])
            e = tf.reduce_mean(tf.gather(table, words), axis=1)
            q = tf.nn.softmax(tf.matmul(e, h, transpose_b=True) / 3.0)
            h = tf.concat([h[:, :4], tf.einsum("ij,jk->ik", q, h)[:, 4:]], axis=-1)
            h = tf.nn.leaky_relu(h) * tf.nn.sigmoid(h) + tf.squeeze(e[:, None], 1)
            logits = tf.nn.bias_add(h @ w, b)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
            loss = tf.reduce_mean(losses) + 0.1 * tf.nn.l2_loss(w)
        finally:
            op_callbacks.remove_op_callback(record)
    tensors = {
        id(t): t
        for _, _, inputs, outputs in ops
        for t in (*inputs, *outputs)
        if t.dtype.is_floating
    }
    found = tape.gradient(loss, list(tensors.values()))
    gradients = {
        key: None if g is None else tf.convert_to_tensor(g).numpy()
        for key, g in zip(tensors, found, strict=True)
    }
    return ops, gradients


def test_what_the_consumers_of_a_tensor_send_back_adds_up_to_its_gradient():
    ops, gradients = run_network()
    consumers = {}
    for op, attributes, inputs, outputs in ops:
        upstream = [gradients.get(id(t)) for t in outputs]
        if upstream and upstream[0] is not None:
            for slot, tensor in enumerate(inputs):
                call = (
                    op,
                    attributes,
                    [t.numpy() for t in inputs],
                    [t.numpy() for t in outputs],
                    upstream,
                    slot,
                )
                consumers.setdefault(id(tensor), []).append(call)
    checked = set()
    for key, calls in consumers.items():
        if gradients.get(key) is None:
            continue
        for index in list(np.ndindex(*gradients[key].shape))[::5]:
            totals = [find_terms(*call, index).total for call in calls]
            assert sum(totals) == pytest.approx(gradients[key][index], rel=1e-9, abs=1e-12), [
                call[0] for call in calls
            ]
        checked.update(call[0] for call in calls)
    assert checked >= {
        "Conv2D",
        "MaxPool",
        "GatherV2",
        "Einsum",
        "MatMul",
        "StridedSlice",
        "Squeeze",
        "BiasAdd",
        "LeakyRelu",
    }
