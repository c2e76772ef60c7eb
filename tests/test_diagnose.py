"""Every diagnosis: cells that must get it, near misses that must not, fixes that must work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from cases_losses import LOSSES
from cases_missing import MISSING
from cases_values import VALUES
from diagnosing import Case, NearMiss, apply_fix, run

from gradmagic.core import diagnose
from gradmagic.core.diagnose import KINDS
from gradmagic.core.graph.folding import trim

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ALL = [*LOSSES, *MISSING, *VALUES]
CASES = [one for one in ALL if isinstance(one, Case)]
NEAR_MISSES = [one for one in ALL if isinstance(one, NearMiss)]


def _name(case: Case | NearMiss) -> str:
    return f"{case.kind}-{(case.cell.strip().splitlines() or [''])[0]}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_cell_gets_its_diagnosis_whose_fix_works(shell: InteractiveShell, case: Case) -> None:
    found = run(shell, case).diagnoses
    assert {d.kind for d in found} == {case.kind, *case.also}, found
    own = [d for d in found if d.kind == case.kind]
    if case.subject is not None:
        own = [d for d in own if d.subject == case.subject]
        assert len(own) == 1, found
    for field in ("line", "op"):
        expected = getattr(case, field)
        assert expected is None or getattr(own[0], field) == expected, own
    assert case.says is None or case.says in own[0].message, own
    assert bool(own[0].fix) == case.fixed, own
    if case.fixed:
        cell, line = apply_fix(case, own[0])
        mended = run(shell, case, cell=cell, line=line).diagnoses
        assert (own[0].kind, own[0].subject) not in {(d.kind, d.subject) for d in mended}, cell


@pytest.mark.parametrize("case", NEAR_MISSES, ids=_name)
def test_a_near_miss_stays_silent(shell: InteractiveShell, case: NearMiss) -> None:
    found = run(shell, case).diagnoses
    assert case.kind not in {d.kind for d in found}, found


@pytest.mark.parametrize("base", ["math.log(2.0)", "tf.math.log(2.0)", "tf.math.log(k)"])
def test_only_logarithms_that_can_be_of_0_are_shifted(shell: InteractiveShell, base: str) -> None:
    before = "p = tf.constant([0.5, 0.0])\nk = np.float32(2.0)"
    cell = f"loss = -tf.reduce_sum(p * tf.math.log(p)) / {base}"
    (found,) = run(shell, Case("nan-gradient", cell, "p", before)).diagnoses
    assert found.fix == cell.replace("log(p)", "log(p + 1e-07)")


def test_what_an_earlier_statement_adds_to_is_made_again(shell: InteractiveShell) -> None:
    before = ("w = x = tf.constant([1.0, 2.0])", "y = x + 0.5", "y = y + w")
    case = Case("computed-before-tape", "loss = tf.reduce_sum(y)", "w", before)
    (found,) = run(shell, case).diagnoses
    assert found.fix == "y = x + 0.5\ny = y + w"


def test_a_fault_of_an_explanation_loses_nothing(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explain_badly(_evidence: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(diagnose, "_EXPLAINERS", (*diagnose._EXPLAINERS, explain_badly))
    case = Case("not-used", "loss = b * b", "w b", "w, b = tf.constant(1.0), tf.constant(2.0)")
    with pytest.warns(UserWarning, match=r"could not explain .*ZeroDivisionError"):
        record = run(shell, case)
    assert [d.kind for d in record.diagnoses] == ["not-used"]
    assert float(record.gradients["b"].result) == 4.0


def test_tensors_without_a_value_are_no_obstacle(shell: InteractiveShell) -> None:
    before = "table = tf.Variable([[0.5, 0.5], [0.9, 0.1]])"
    cell = "loss = -tf.reduce_sum(tf.math.log(tf.gather(table, [0, 1])))"
    assert run(shell, Case("", cell, "table", before)).diagnoses == ()


def test_every_kind_has_three_cells_and_a_near_miss() -> None:
    cells = Counter(case.kind for case in CASES)
    assert {kind: cells[kind] for kind in KINDS if cells[kind] < 3} == {}
    assert set(KINDS) <= {case.kind for case in NEAR_MISSES}


@pytest.mark.parametrize(
    ("before", "cell", "cuts"),
    [
        ("", "loss = tf.reduce_sum(tf.round(w * b))", {("w · b", "round(w · b)")}),
        ("", "h = np.sin(w * 2.0)\nloss = tf.reduce_sum(h * b)", {("w · 2", "h")}),
        ("", "h = np.sin(w)\nloss = tf.reduce_sum(h * b)", {("w", "h")}),
        ("", "loss = tf.constant(w.numpy()) * b", {("w", "[1, 2]")}),
        ("", "v.assign(w)\nloss = v * b", {("w", "read_variable_op(v)")}),
        ("y = w * 3.0", "loss = y * b", {("w", "y")}),
        (
            "",
            "h = tf.stop_gradient(w)\nk = tf.argmax(w)\nloss = h * b",
            {("w", "stop_gradient(w)")},
        ),
        ("", "loss = w * tf.stop_gradient(w) * b", set()),
        ("", "print(w.numpy())\nloss = b * b", set()),
    ],
)
def test_the_graph_breaks_where_the_way_does(
    shell: InteractiveShell, before: str, cell: str, cuts: set[tuple[str, str]]
) -> None:
    made = "w, b, v = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]), tf.Variable([0.0, 0.0])"
    graph = run(shell, Case("", cell, "w b", (made, before))).graph
    found = {
        (graph.nodes[edge.producer].label, graph.nodes[edge.consumer].label)
        for edge in graph.edges
        if edge.cut
    }
    assert found == cuts
    assert not any(edge.gradient for edge in graph.edges if edge.cut)
    drawn = trim(graph)
    assert any(edge.cut for edge in drawn.edges) == bool(cuts)
