"""Graphs made by hand, op by op, as a run would leave them behind: no TensorFlow."""

from __future__ import annotations

from contextlib import contextmanager

from gradmagic.core.graph.folding import trim
from gradmagic.core.graph.grouping import group_nodes
from gradmagic.core.graph.levels import Levels
from gradmagic.core.records import Edge, Graph, Node, Output, Scope


class Grower:
    """Adds nodes; the scopes that are open when an op is added are its own."""

    def __init__(self):
        self.nodes, self.edges, self.scopes, self.calls = [], [], [], 0

    def add(self, kind, label, *inputs, line=None, op=None, shape=(2,), name=None, **more):
        number = len(self.nodes)
        output = Output(shape, more.pop("dtype", "float32"), number, number, name)
        is_op = kind == "op"
        more.setdefault("source", label if kind == "source" else None)
        node = Node(
            number, kind, op, label, line, (output,), count=int(is_op),
            position=number if is_op else None, scopes=tuple(self.scopes), **more,
        )  # fmt: skip
        self.nodes.append(node)
        for slot, producer in enumerate(inputs):
            self.edges.append(Edge(producer, number, slot=slot, gradient=True))
        return number

    def op(self, op, *inputs, line=1, **more):
        return self.add("op", more.pop("label", op.lower()), *inputs, op=op, line=line, **more)

    def source(self, name):
        return self.add("source", name)

    def input(self, name=""):
        return self.add("input", name)

    @contextmanager
    def scope(self, kind, name, detail=""):
        self.calls += 1
        self.scopes.append(Scope(kind, name, detail, self.calls))
        yield
        self.scopes.pop()

    def dense(self, name, x, line=1):
        """A call of a Keras layer of three ops, and Keras' own name scope."""
        kernel, bias = self.source(f"model.{name}.kernel"), self.source(f"model.{name}.bias")
        with self.scope("layer", name, "Dense"), self.scope("name", name):
            h = self.op("MatMul", x, kernel, line=line)
            h = self.op("BiasAdd", h, bias, line=line)
            return self.op("Relu", h, line=line)

    def finish(self, last, line=99):
        """The graph with its target, grouped."""
        self.add("target", "loss", last, line=line)
        ops = sum(node.kind == "op" for node in self.nodes)
        return group_nodes(Graph(tuple(self.nodes), tuple(self.edges), ops))


def draw(graph, group=None, iteration=0):
    """A level of a grouped graph."""
    return Levels(trim(graph)).make(group, iteration)


def name_nodes(level, *kinds):
    """Labels of a level's nodes, in their order."""
    return [node.label for node in level.nodes if not kinds or node.kind in kinds]


def list_arrows(level):
    """Edges of a level by the labels of their ends."""
    said = {node.id: node.label for node in level.nodes}
    return [(said[edge.producer], said[edge.consumer]) for edge in level.edges]
