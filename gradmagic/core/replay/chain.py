"""The chain rule written out: for each path to a source a product of local derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core.graph.notation import PARTING
from gradmagic.core.i18n import _
from gradmagic.core.replay.backward import add_up, differentiate_node, make_dense
from gradmagic.core.replay.forward import Run
from gradmagic.core.replay.ops import ReplayError
from gradmagic.core.replay.paths import Paths, write_count
from gradmagic.core.replay.wiring import Place, find_target
from gradmagic.core.rules.writing import is_call, is_name, number_name
from gradmagic.core.summary import format_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradmagic.core.records import Graph, Node, Output

MOST_PATHS = 8
MOST_STEPS = 12  # on one path
SMALL_JACOBIAN = 64  # entries of a local derivative that is given whole
LONGEST = 16  # letters of an expression that stands in a formula as it is


@dataclass(frozen=True, eq=False)
class Step:
    """One factor of a product: the derivative of ``numerator`` with respect to ``denominator``.

    Attributes
    ----------
    node
        The op that computes the numerator from the denominator.
    numerator, denominator
        What the formula calls them.
    jacobian
        The local derivative, of shape numerator + denominator, where it is small and real; else
        None.
    product
        The product of this factor and all before it: the part of the target's gradient with
        respect to the denominator that comes along this path; of the denominator's shape.
    slots
        The inputs of the op that the denominator is: two for ``x · x``.
    """

    node: int
    numerator: str
    denominator: str
    jacobian: np.ndarray | None
    product: Any
    slots: tuple[int, ...]

    @property
    def factor(self) -> float | None:
        """The local derivative where both are scalars."""
        one = self.jacobian is not None and self.jacobian.size == 1
        return float(self.jacobian.reshape(())) if one and self.jacobian is not None else None

    @property
    def formula(self) -> str:
        """The factor, such as ``d h/d z``."""
        return f"d {self.numerator}/d {self.denominator}"


@dataclass(frozen=True, eq=False)
class Path:
    """One way from the target back to the source; ``product`` is what comes along it."""

    steps: tuple[Step, ...]
    product: Any

    @property
    def formula(self) -> str:
        """The product of its factors."""
        return " · ".join(step.formula for step in self.steps) or "1"


@dataclass(frozen=True, eq=False)
class Chain:
    """The chain rule for one source.

    Attributes
    ----------
    source, target
        What the formula calls them.
    paths
        All paths; the sum of their products is the gradient.
    gradient
        That sum.
    where
        What the letters of the formula stand for, where it is not the name of a tensor.
    index
        The entry of the source that ``numbers`` is about; empty for a scalar.
    """

    source: str
    target: str
    paths: tuple[Path, ...]
    gradient: Any
    where: tuple[tuple[str, str], ...]
    index: tuple[int, ...]

    @property
    def formula(self) -> str:
        """``d loss/d w = d loss/d h · d h/d w``; a further path on a line of its own."""
        head = f"d {self.target}/d {self.source} = "
        return head + "\n+ ".join(path.formula for path in self.paths)

    @property
    def numbers(self) -> str:
        """The formula with numbers: of scalars the factors, of an array one entry of each path."""
        terms = [_write_product(path, self.index) for path in self.paths]
        total = write_number(float(self.gradient.numpy()[self.index]))
        head = f"d {self.target}/d {self.source}{format_index(self.index)} = "
        known = len(terms) == 1 and terms[0] == total
        return head + (total if known else f"{' + '.join(terms)} = {total}")


def _write_product(path: Path, index: tuple[int, ...]) -> str:
    factors = [step.factor for step in path.steps]
    if path.steps and all(factor is not None for factor in factors):
        return " · ".join(write_number(factor) for factor in factors if factor is not None)
    return write_number(float(path.product.numpy()[index]))


def write_number(number: float) -> str:
    """A number to four digits."""
    return f"{number:.4g}".replace("-", "−")


def write_chain(graph: Graph, source: str, index: tuple[int, ...] | None = None) -> Chain:
    """Write the chain rule out for a source.

    Parameters
    ----------
    graph
        All recorded ops.
    source
        Its name.
    index
        The entry that the numbers are about; None: the one with the largest gradient.

    Raises
    ------
    ReplayError
        There are too many paths, or none, or a local derivative is not known.
    """
    paths = Paths(graph, source)
    target = find_target(graph)
    _refuse(paths, source, graph.nodes[target].label)
    _refuse_complex(graph, paths, source)
    return _Writer(graph, paths, target, Run(graph, {})).write(source, index)


def _refuse(paths: Paths, source: str, target: str) -> None:
    """Raise where there is nothing to write, or too much."""
    reason = paths.find_hidden()
    if reason is not None:
        raise ReplayError(reason)
    if paths.count == 0:
        raise ReplayError(
            _("No gradient comes from {target} to {source}.").format(target=target, source=source)
        )
    if paths.count > MOST_PATHS:
        raise ReplayError(
            _(
                "From {target} to {source} lead {count} paths; at most {most} are written out."
            ).format(count=write_count(paths.count), target=target, source=source, most=MOST_PATHS)
        )
    longest = max(len(route) - 1 for route in paths.list_routes())
    if longest > MOST_STEPS:
        raise ReplayError(
            _(
                "A path from {target} to {source} has {count} steps; "
                "at most {most} are written out."
            ).format(target=target, source=source, count=longest, most=MOST_STEPS)
        )


def _refuse_complex(graph: Graph, paths: Paths, source: str) -> None:
    """Raise for a complex source, whose gradient is no product of derivatives."""
    node, output = paths.start
    if _is_complex(graph.nodes[node].outputs[output]):
        text = _("{source} is complex; the chain rule is written out for real sources only.")
        raise ReplayError(text.format(source=source))


@dataclass(frozen=True, eq=False)
class _Writer:
    """Writes the paths between the target and one source."""

    graph: Graph
    paths: Paths
    target: int
    run: Run  # gives values

    def write(self, source: str, index: tuple[int, ...] | None) -> Chain:
        """Follow each path."""
        routes = self.paths.list_routes()
        names, where = self._name(routes)
        paths = tuple(self._follow(route, names) for route in routes)
        gradient = make_dense(add_up([path.product for path in paths]))
        if not gradient.shape.num_elements():
            raise ReplayError(_("{name} has no entries.").format(name=source))
        if index is None:
            flat = np.nan_to_num(np.abs(gradient.numpy()))
            index = tuple(int(i) for i in np.unravel_index(np.argmax(flat), flat.shape))
        return Chain(source, self.graph.nodes[self.target].label, paths, gradient, where, index)

    def _name(
        self, routes: Sequence[Sequence[Place]]
    ) -> tuple[dict[Place, str], tuple[tuple[str, str], ...]]:
        """What the formula calls each output, and what those names stand for that need it."""
        wanted = {p: self._want_name(p) for p in sorted({p for route in routes for p in route})}
        taken = list(wanted.values())
        names: dict[Place, str] = {}
        where, unnamed = [], 0
        for place, name in wanted.items():
            if not name:
                unnamed += 1
                names[place] = number_name("u", unnamed)
            elif taken.count(name) > 1:  # h = relu(h)
                before = sum(other == name for p, other in wanted.items() if p <= place)
                names[place] = number_name(name, before)
            else:
                names[place] = name
                continue
            node = self.graph.nodes[place[0]]
            if node.kind == "op":
                where.append((names[place], write_place(node, place[1])))
        return names, tuple(where)

    def _want_name(self, place: Place) -> str:
        """Its Python name; else how it is computed, where that is short."""
        node = self.graph.nodes[place[0]]
        made = node.outputs[place[1]]
        if place == self.paths.start:
            return node.source or ""
        if place == self.paths.end:
            return self.graph.nodes[self.target].label
        if made.name:
            return made.name
        label = write_place(node, place[1])
        label = label if is_name(label) or is_call(label) else f"({label})"
        return label if len(label) <= LONGEST else ""

    def _follow(self, route: Sequence[Place], names: Mapping[Place, str]) -> Path:
        """Multiply along one path, from the target to the source."""
        product: Any = tf.ones_like(self.graph.nodes[self.target].outputs[0].value)
        steps: list[Step] = []
        for before, after in zip(route[-2::-1], route[:0:-1], strict=True):
            product = self._multiply(before, after, product)
            jacobian = self._find_jacobian(before, after)
            slots = tuple(self.graph.edges[p].slot for p in self.paths.arcs[before][after])
            steps.append(Step(after[0], names[after], names[before], jacobian, product, slots))
        return Path(tuple(steps), product)

    def _multiply(self, before: Place, after: Place, product: Any) -> Any:
        """The vector-Jacobian product of one op, from one of its outputs to one of its inputs."""
        node = self.graph.nodes[after[0]]
        into = self.paths.ways.inputs[node.id]
        slots = [i for i, position in enumerate(into) if position in self.paths.arcs[before][after]]
        upstream = [product if output == after[1] else None for output in range(len(node.outputs))]
        parts = differentiate_node(self.run, node, upstream, slots)
        total = add_up([part for part in parts if part is not None])
        return tf.zeros_like(self.run.fetch(into[slots[0]])) if total is None else make_dense(total)

    def _find_jacobian(self, before: Place, after: Place) -> np.ndarray | None:
        node, below = self.graph.nodes[after[0]], self.graph.nodes[before[0]]
        if _is_complex(node.outputs[after[1]]) or _is_complex(below.outputs[before[1]]):
            return None
        shape = [side or 0 for side in node.outputs[after[1]].shape]  # 0: it is not known
        wrt = [side or 0 for side in below.outputs[before[1]].shape]
        size = math.prod(shape)
        if not 0 < size * math.prod(wrt) <= SMALL_JACOBIAN:
            return None
        rows = np.eye(size).reshape((size, *shape))
        dtype = node.outputs[after[1]].dtype
        found = [self._multiply(before, after, tf.constant(row, dtype)).numpy() for row in rows]
        return np.stack(found).reshape((*shape, *wrt))


def _is_complex(output: Output) -> bool:
    return output.dtype.startswith("complex")


def write_place(node: Node, output: int) -> str:
    """How an output is computed; of several that have gradients, which one."""
    several = sum(made.gradient is not None for made in node.outputs) > 1
    return f"{node.label}[{output}]" if several or node.op in PARTING else node.label
