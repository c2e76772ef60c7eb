"""Generated cells: random programs under the tape, against a with-block written by hand.

A :class:`Writer` writes every program twice at once: as a cell, and as the lines of the hand-written
block, which watches and keeps each tensor of a source right after the line that binds it. Nothing
of gradmagic takes part in the second. All numbers are compared to the last bit.
"""

from __future__ import annotations

import contextlib
import random
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

import gradmagic

# Kinds of tensors: m [3, 4], v [4], s [].
SHAPES = {"m": (3, 4), "v": (4,), "s": ()}
START = {"w": "m", "b": "v", "g": "s", "x": "m", "y": "v", "v": "m", "c": "v"}
PARTS = {"params['k']": "m", "params['c']": "v", "layers[0]": "m", "layers[1]": "v"}
VARIABLES = ("v", "c", "params['c']", "layers[1]")
SOURCES = ("w", "b", "g", "v", "c", "params", "params['k']", "params['c']", "layers", "layers[0]")

SMOOTH = {
    "m": [
        ("({0} + {1})", "mm"),
        ("({0} - {1})", "mv"),
        ("({0} * {1})", "mm"),
        ("({0} * {1})", "ms"),
        ("({0} / (2.0 + tf.sin({1})))", "mm"),
        ("(-{0})", "m"),
        ("tf.tanh({0})", "m"),
        ("tf.sigmoid({0})", "m"),
        ("tf.nn.softplus({0})", "m"),
        ("tf.square({0})", "m"),
        ("tf.sin({0})", "m"),
        ("tf.cos({0})", "m"),
        ("tf.exp(tf.sin({0}))", "m"),
        ("tf.sqrt(1.0 + tf.square({0}))", "m"),
        ("tf.math.log1p(tf.square({0}))", "m"),
        ("tf.nn.softmax({0})", "m"),
        ("tf.nn.log_softmax({0})", "m"),
        ("tf.nn.silu({0})", "m"),
        ("tf.cumsum({0}, 1)", "m"),
        ("tf.reverse({0}, [0])", "m"),
        ("tf.roll({0}, 1, 1)", "m"),
        ("tf.gather({0}, [2, 0, 2])", "m"),
        ("tf.transpose(tf.reshape({0}, [4, 3]))", "m"),
        ("(0.1 * {0} @ tf.transpose({1}) @ {0})", "mm"),
        ("tf.identity({0})", "m"),
        ("(tf.einsum('ij,kj->ik', {0}, {1}) @ {0})", "mm"),
        ("tf.add_n([{0}, {1}])", "mm"),
        ("tf.concat([{0}, {1}], 0)[1:4]", "mm"),
        ("tf.stack([{0}, {1}])[1]", "mm"),
        ("tf.math.squared_difference({0}, {1})", "mm"),
        ("tf.broadcast_to({0}, [3, 4])", "v"),
        ("tf.reduce_mean(tf.stack([{0}, {1}]), 0)", "mm"),
        ("tf.math.l2_normalize({0}, 1)", "m"),
        ("tf.squeeze(tf.expand_dims({0}, 1), 1)", "m"),
        ("tf.tile({0}, [2, 1])[2:5]", "m"),
        ("tf.concat(tf.split({0}, 2, 1)[::-1], 1)", "m"),
        ("tf.linalg.band_part({0}, 1, 1)", "m"),
        ("tf.pad({0}, [[1, 0], [0, 0]])[:3]", "m"),
        ("tf.math.cumulative_logsumexp({0}, 0)", "m"),
        ("tf.tensor_scatter_nd_add({0}, [[1]], [{1}])", "mv"),
        ("({0} ** 2)", "m"),
    ],
    "v": [
        ("({0} + {1})", "vv"),
        ("({0} * {1})", "vv"),
        ("({0} * {1})", "vs"),
        ("tf.tanh({0})", "v"),
        ("tf.reduce_sum({0}, 0)", "m"),
        ("tf.reduce_mean({0}, axis=0)", "m"),
        ("{0}[1]", "m"),
        ("tf.reduce_logsumexp({0}, 0)", "m"),
        ("tf.linalg.matvec(tf.transpose({0}), {0}[:, 0])", "m"),
        ("tf.nn.softmax({0})", "v"),
        ("tf.cumsum({0}, reverse=True)", "v"),
        ("tf.sin({0})", "v"),
        ("tf.unstack({0})[2]", "m"),
        ("tf.gather({0}, [3, 1, 1, 0])", "v"),
    ],
    "s": [
        ("tf.reduce_sum({0})", "m"),
        ("tf.reduce_mean({0})", "m"),
        ("tf.reduce_sum({0})", "v"),
        ("tf.reduce_mean({0} * {1})", "vv"),
        ("({0} + {1})", "ss"),
        ("({0} * {1})", "ss"),
        ("tf.tanh({0})", "s"),
        ("tf.tensordot({0}, {1}, 1)", "vv"),
        ("{0}[0]", "v"),
        ("tf.nn.l2_loss({0})", "m"),
        ("tf.reduce_logsumexp({0})", "m"),
        ("{0}[2, 1]", "m"),
        ("tf.reduce_mean(tf.square({0} - {1}))", "mm"),
        ("tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits([1, 3, 0], {0}))", "m"),
        (
            "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.one_hot([0, 2, 1], 4), {0}))",
            "m",
        ),
        ("tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(tf.ones_like({0}), {0}))", "v"),
    ],
}
ROUGH = {
    "m": [
        ("tf.nn.relu({0})", "m"),
        ("tf.abs({0})", "m"),
        ("tf.maximum({0}, {1})", "mm"),
        ("tf.minimum({0}, {1})", "mm"),
        ("tf.where({0} > {1}, {0}, 0.5 * {1})", "mm"),
        ("tf.clip_by_value({0}, -0.5, 0.7)", "m"),
        ("tf.stop_gradient({0})", "m"),
        ("tf.cast(tf.cast({0}, tf.float64), tf.float32)", "m"),
        ("tf.sort({0})", "m"),
        ("tf.cast(tf.cast({0}, tf.float16), tf.float32)", "m"),
        ("tf.sign({0})", "m"),
        ("tf.nn.dropout({0}, 0.4)", "m"),
        ("({0} + tf.random.normal([3, 4]))", "m"),
        ("tf.nn.leaky_relu({0})", "m"),
        ("tf.nn.elu({0})", "m"),
        ("tf.nn.gelu({0})", "m"),
        ("tf.clip_by_norm({0}, 1.0)", "m"),
        ("tf.math.divide_no_nan({0}, {1})", "mm"),
        ("tf.cast({0} > 0, tf.float32)", "m"),
        ("tf.math.sqrt({0})", "m"),
        ("({0} if tf.reduce_mean({1}) > 0 else {1})", "mm"),
    ],
    "v": [
        ("tf.reduce_max({0}, 0)", "m"),
        ("tf.reduce_min({0}, 0)", "m"),
        ("tf.norm({0}, axis=0)", "m"),
        ("tf.reduce_prod({0}, 0)", "m"),
        ("tf.nn.relu({0})", "v"),
        ("tf.math.log({0})", "v"),
        ("tf.math.cumprod({0})", "v"),
        ("tf.math.top_k({0}, 4).values", "v"),
    ],
    "s": [
        ("tf.reduce_max({0})", "m"),
        ("tf.norm({0})", "v"),
        ("tf.reduce_prod({0})", "v"),
        ("({0} * np.random.uniform())", "s"),
        ("({0} + random.random())", "s"),
        ("tf.reduce_mean(tf.losses.MSE({0}, {1}))", "mm"),
        (
            "tf.reduce_mean(tf.losses.categorical_crossentropy(tf.nn.softmax({0}), tf.nn.softmax({1})))",
            "mm",
        ),
        ("tf.reduce_sum(tf.boolean_mask({0}, {0} > 0))", "v"),
    ],
}
OPS = {kind: SMOOTH[kind] + ROUGH[kind] for kind in SHAPES}


@dataclass(frozen=True)
class Program:
    """One generated program.

    ``plain`` are the hand-written lines, each with the names that it binds; ``target`` is what the
    option names, ``named`` the name that holds the target in the hand-written block.
    """

    cell: str
    plain: tuple[tuple[str, tuple[str, ...]], ...]
    sources: tuple[str, ...]
    target: str | None
    named: str


class Writer:
    """Writes a random program as a cell and as the lines of a hand-written block."""

    def __init__(self, draw: Any, sources: list[str], *, smooth: bool = False) -> None:
        self.draw = draw
        self.favoured = sources
        self.ops = SMOOTH if smooth else OPS
        self.smooth = smooth
        self.scope = {**START, **PARTS}
        self.variables = set(VARIABLES)
        self.cell: list[str] = []
        self.plain: list[tuple[str, tuple[str, ...]]] = []
        self.depth = 0
        self.inside_function = False
        self.stopped = False
        self.count = 0

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(list(options)))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) < percent

    def fresh(self, letter: str = "h") -> str:
        self.count += 1
        return f"{letter}{self.count}"

    # -- lines ------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        """A line of the cell alone."""
        self.cell.append("    " * self.depth + text)

    def hand(self, text: str, *bound: str) -> None:
        """A line of the hand-written block alone."""
        roots = tuple(name.split("[")[0] for name in bound)
        self.plain.append(("    " * self.depth + text, () if self.inside_function else roots))

    def both(self, text: str, *bound: str) -> None:
        self.type(text)
        self.hand(text, *bound)

    @contextlib.contextmanager
    def block(self, head: str, *bound: str, typed: bool = True) -> Any:
        """A statement with a body; ``bound`` are the names that its head binds."""
        if typed:
            self.type(head)
        self.hand(head)
        self.depth += 1
        if bound:
            self.hand("pass", *bound)
        scope, self.scope = self.scope, dict(self.scope)
        yield
        self.depth -= 1
        self.scope = scope

    # -- expressions ------------------------------------------------------------------------

    def name(self, kind: str) -> str:
        """A name or part of this kind, mostly a source or a name bound lately."""
        held = [name for name, own in self.scope.items() if own == kind]
        lately = [n for n in held if n.split("[")[0] in self.favoured or n in self.favoured]
        lately += [n for n in held if n[0] in "hpqo"][-3:]
        return self.pick(lately if lately and self.chance(75) else held)

    def expression(self, kind: str, depth: int = 2) -> str:
        """An expression of one op at least, so that its value is a new tensor."""
        template, kinds = self.pick(self.ops[kind])
        return template.format(*(self.operand(one, depth - 1) for one in kinds))

    def total(self, kind: str) -> str:
        """An expression that uses several of the names."""
        terms = [f"tf.reduce_mean({self.name(self.pick('mv'))} ** 2)" for _ in "12"]
        return " + ".join([self.expression(kind), *terms])

    def operand(self, kind: str, depth: int) -> str:
        if depth < 1 or self.chance(45):
            return self.name(kind)
        return self.expression(kind, depth)

    def condition(self) -> str:
        return f"tf.reduce_sum({self.operand(self.pick('mv'), 1)}) {self.pick('<>')} 0"

    def place(self, kind: str | None = None) -> tuple[str, str]:
        """A name or a part to bind: mostly a new one, else one that there is; and its kind."""
        if self.smooth or self.inside_function or self.chance(40):
            kind = kind or self.pick("mmvs")
            name = self.fresh("q" if self.inside_function else "h")
            return name, kind
        held = [
            (name, own)
            for name, own in self.scope.items()
            if name not in ("x", "y")
            and kind in (None, own)
            and (self.depth == 0 or name not in self.variables)
        ]
        return self.pick(held)

    def bind(self, name: str, kind: str) -> None:
        self.scope[name] = kind
        self.variables.discard(name)

    # -- statements -------------------------------------------------------------------------

    def statement(self) -> None:
        simple = [self.assign, self.assign, self.assign, self.augment, self.unpack, self.chain]
        if not self.inside_function:
            simple += [self.walrus, self.walrus, self.semicolon, self.comprehend, self.annotate]
            simple += [self.lay_out, self.scratch]
        compound = [self.branch, self.loop, self.wait, self.scope_name, self.attempt]
        if not self.inside_function:
            compound += [self.loop_over, self.enter, self.define, self.branch_walrus, self.one_line]
            compound += [self.wait_walrus, self.differentiate, self.match]
            if not self.smooth:
                compound += [self.stop_recording, self.assign_variable, self.replace_parts]
        self.pick(simple + (compound if self.depth < 2 else []))()

    def body(self) -> None:
        written = len(self.plain)
        for _ in range(self.draw(st.integers(1, 2))):
            self.statement()
        if len(self.plain) == written:
            self.both("pass")

    def assign(self) -> None:
        name, kind = self.place()
        self.both(f"{name} = {self.expression(kind)}", name)
        self.bind(name, kind)

    def annotate(self) -> None:
        name, kind = self.place()
        self.both(f"{name}: object = {self.expression(kind)}", name)
        self.bind(name, kind)

    def augment(self) -> None:
        held = [n for n in self.scope if n not in self.variables and n not in ("x", "y")]
        mine = [n for n in held if n.startswith("q" if self.inside_function else "h")]
        if self.smooth or self.inside_function:
            held = mine
        if not held:
            return
        name = self.pick(held)
        value = f"{self.operand(self.scope[name], 1)}"
        self.both(f"{name} {self.pick(['-=', '+=', '*='])} 0.3 * {value}", name)

    def unpack(self) -> None:
        (one, kind), (other, kind_of_other) = self.place(), self.place()
        assume(one != other)
        first, last = self.expression(kind), self.expression(kind_of_other)
        line = self.pick(
            [
                f"{one}, {other} = {first}, {last}",
                f"{one}, *{self.fresh('r')}, {other} = {first}, {self.expression('v', 1)}, {last}",
                f"[{one}, ({other},)] = {first}, [{last}]",
            ]
        )
        self.both(line, one, other)
        self.bind(one, kind)
        self.bind(other, kind_of_other)

    def chain(self) -> None:
        name, kind = self.place()
        other, _ = self.place(kind)
        self.both(f"{name} = {other} = {self.expression(kind)}", name, other)
        self.bind(name, kind)
        self.bind(other, kind)

    def walrus(self) -> None:
        kind = self.pick("mv")
        inner, _ = self.place(kind)
        if "[" in inner:  # a walrus binds names only
            return
        value = self.expression(kind)
        outer = self.fresh()
        self.hand(f"{inner} = {value}", inner)
        self.bind(inner, kind)
        more = self.operand(kind, 1)
        self.type(f"{outer} = tf.tanh({inner} := {value}) + {more}")
        self.hand(f"{outer} = tf.tanh({inner}) + {more}", outer)
        self.bind(outer, kind)

    def semicolon(self) -> None:
        name, kind = self.place()
        first = f"{name} = {self.expression(kind)}"
        self.hand(first, name)
        self.bind(name, kind)
        other, kind = self.place()
        second = f"{other} = {self.expression(kind)}"
        self.hand(second, other)
        self.bind(other, kind)
        self.type(f"{first}; {second}")

    def lay_out(self) -> None:
        """Lines broken in brackets, comments, a string with line breaks, a backslash."""
        name, kind = self.place()
        one, other = self.expression(kind, 1), self.expression(kind, 1)
        text = self.fresh("t")
        self.type(f"# {name} = {one}")
        self.type(f'{text} = """{name} = 1\n  {name} = 2\n"""; {name} = ({one}\n  +  # {name} = 3')
        self.type(f"   {other} \\")
        self.type("      + 0.0)  # é := 4\n")
        self.hand(f'{text} = "{name} = 1\\n  {name} = 2\\n"')
        self.hand(f"{name} = {one} + {other} + 0.0", name)
        self.bind(name, kind)

    def scratch(self) -> None:
        name, kind = self.fresh("d"), self.pick("mv")
        self.both(f"{name} = {self.expression(kind)}")
        place, _ = self.place(kind)
        self.both(f"{place} = tf.sin({name})", place)
        self.bind(place, kind)
        self.both(f"del {name}")

    def comprehend(self) -> None:
        """Its own variable is none of the module's, whatever it is called."""
        own = self.pick(["i1", "w", "b"])
        kind = self.pick("mv")
        items = f"[{self.expression(kind, 1)}, {self.expression(kind, 1)}]"
        place, _ = self.place(kind)
        self.both(f"{place} = tf.add_n([tf.sin({own}) for {own} in {items}])", place)
        self.bind(place, kind)

    def branch(self) -> None:
        with self.block(f"if {self.condition()}:"):
            self.body()
        if self.chance(50):
            with self.block("else:"):
                self.body()

    def branch_walrus(self) -> None:
        name, kind = self.place(self.pick("mv"))
        if "[" in name:
            return
        value = self.expression(kind)
        self.hand(f"{name} = {value}", name)
        self.type(f"if tf.reduce_sum({name} := {value}) > 0:")
        self.bind(name, kind)
        with self.block(f"if tf.reduce_sum({name}) > 0:", typed=False):
            self.body()

    def one_line(self) -> None:
        """A whole ``if`` on a line."""
        condition = self.condition()
        held = [n for n in self.scope if n not in self.variables and n not in ("x", "y")]
        name = self.pick([n for n in held if not self.smooth or n[0] == "h"] or ["skip"])
        if name == "skip":
            return
        step = f"{name} = {self.expression(self.scope[name], 1)}"
        self.type(f"if {condition}: {step}; {name} = tf.sin({name})")
        with self.block(f"if {condition}:", typed=False):
            self.hand(step, name)
            self.hand(f"{name} = tf.sin({name})", name)

    def loop(self) -> None:
        with self.block(f"for {self.fresh('k')} in range({self.draw(st.integers(1, 3))}):"):
            self.body()

    def loop_over(self) -> None:
        name, kind = self.place(self.pick("mv"))
        if "[" in name:
            return
        items = f"[{self.expression(kind, 1)}, {self.expression(kind, 1)}]"
        head = self.pick([f"for {name} in {items}:", f"for k0, {name} in enumerate({items}):"])
        with self.block(head, name):
            self.scope[name] = kind
            self.body()
        self.bind(name, kind)

    def wait(self) -> None:
        counter = self.fresh("n")
        self.both(f"{counter} = 0")
        with self.block(f"while {self.condition()} and {counter} < 2:"):
            self.both(f"{counter} += 1")
            self.body()

    def wait_walrus(self) -> None:
        name, kind = self.place(self.pick("mv"))
        if "[" in name:
            return
        counter, value = self.fresh("n"), f"tf.sin({self.operand(kind, 2)})"
        self.both(f"{counter} = 0")
        self.type(
            f"while tf.reduce_sum({name} := {value}) > -100.0 and ({counter} := {counter} + 1) < 3:"
        )
        self.bind(name, kind)
        with self.block("while True:", typed=False):
            self.hand(f"{name} = {value}", name)
            self.hand(
                f"if not (tf.reduce_sum({name}) > -100.0 and ({counter} := {counter} + 1) < 3):"
            )
            self.hand("    break")
            self.body()

    def scope_name(self) -> None:
        with self.block(f'with tf.name_scope("a") as {self.fresh("s")}:'):
            self.body()

    def enter(self) -> None:
        """``with ... as w``."""
        name, kind = self.place(self.pick("mv"))
        if "[" in name and self.chance(80):
            return
        with self.block(f"with contextlib.nullcontext({self.expression(kind)}) as {name}:", name):
            self.scope[name] = kind
            self.body()
        self.bind(name, kind)

    def stop_recording(self) -> None:
        if self.stopped:  # TensorFlow refuses to stop twice
            return
        self.stopped = True
        with self.block("with tape.stop_recording():"):
            self.body()
        self.stopped = False

    def attempt(self) -> None:
        with self.block("try:"):
            self.body()
            if self.chance(60):
                self.both("raise ValueError('expected')")
        with self.block("except ValueError as error:"):
            self.body()
        if self.chance(40):
            with self.block("finally:"):
                self.body()

    def match(self) -> None:
        name, kind = self.place(self.pick("mv"))
        if "[" in name:
            return
        value = self.expression(kind, 1)
        self.type(f"match {value}:")
        self.depth += 1
        self.type(f"case {name}:")
        self.depth -= 1
        self.hand(f"{name} = {value}", name)
        self.bind(name, kind)
        self.depth += 1
        other, kind = self.place()
        step = f"{other} = {self.expression(kind)}"
        self.type(f"    {step}")
        self.depth -= 1
        self.hand(step, other)
        if self.depth == 0 or other in self.scope:
            self.bind(other, kind)

    def define(self) -> None:
        """A function of the cell, which reads the cell's names and has its own."""
        name, parameter, kind = self.fresh("f"), self.pick(["p", "w", "b"]), self.pick("mv")
        self.inside_function = True
        with self.block(f"def {name}({parameter}):"):
            self.scope[parameter] = kind
            self.body()
            self.both(f"return {self.expression(kind)}")
        self.inside_function = False
        place, kind = self.place(kind)
        argument = self.operand(kind, 1)
        call = self.pick([f"{name}({argument})", f"(lambda w: {name}(tf.cos(w)))({argument})"])
        self.both(f"{place} = {call} + {self.name(kind)}", place)
        self.bind(place, kind)

    def differentiate(self) -> None:
        """A tape of the program's own, whose gradient goes into the value."""
        held = [n for n, kind in self.scope.items() if kind == "m" and n not in self.variables]
        name, inner = self.pick(held), self.fresh("z")
        with self.block(f"with tf.GradientTape() as {inner}:"):
            self.both(f"{inner}.watch({name})")
            self.both(f"{inner}_y = tf.reduce_sum(tf.sin({name}) * {self.operand('m', 1)})")
        place, _ = self.place("m")
        self.both(f"{place} = tf.convert_to_tensor({inner}.gradient({inner}_y, {name}))", place)
        self.bind(place, "m")

    def assign_variable(self) -> None:
        held = [n for n in self.scope if n in self.variables]
        if held:
            name = self.pick(held)
            call = self.pick(["assign_sub(0.1 * {})", "assign({})", "assign_add({})"])
            self.both(f"{name}.{call.format(self.operand(self.scope[name], 1))}")

    def replace_parts(self) -> None:
        """A source made of parts bound anew, or one more part."""
        if self.depth:
            return
        if self.chance(50):
            self.both(f"layers.append({self.expression(self.pick('mv'))})", "layers")
            return
        self.both(
            f"params = {{'k': {self.expression('m')}, 'c': {self.expression('v')}}}", "params"
        )
        self.variables.discard("params['c']")


@st.composite
def programs(draw: Any, *, smooth: bool = False, ending: str | None = None) -> Program:
    """Random programs with one to three sources."""
    sources = draw(
        st.lists(
            st.sampled_from(SOURCES if not smooth else ["w", "b", "g", "v"]),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    writer = Writer(draw, sources, smooth=smooth)
    for _ in range(draw(st.integers(1, 5))):
        writer.statement()
    ending = ending or draw(
        st.sampled_from(["loss", "loss", "loop", "expression", "last", "named"])
    )
    target, named = None, "loss"
    if ending == "loss":
        writer.both(f"loss = {writer.total(writer.pick('sssv'))}")
        for _ in range(0 if smooth else draw(st.integers(0, 2))):
            writer.statement()
        if writer.chance(30):
            writer.both("loss")
    elif ending == "loop":
        writer.both("loss = 0.0")
        with writer.block(f"for k0 in range({draw(st.integers(1, 3))}):"):
            writer.both(
                f"loss {draw(st.sampled_from(['+=', '= loss +']))} {writer.expression('s')}"
            )
            writer.body()
    elif ending == "expression":
        named, value = "target_", writer.total(writer.pick("sm"))
        writer.type(value)
        writer.hand(f"target_ = {value}")
    elif ending == "last":
        named, kind = "out", writer.pick("smv")
        writer.both(f"out = {writer.total(kind)}", "out")
        writer.scope["out"] = kind
    else:
        named, target = "target_", writer.total(writer.pick("sm"))
        writer.both("pass")
        writer.hand(f"target_ = {target}")
    made = [name for name in writer.scope if name.startswith("h")]
    if made and not smooth and writer.chance(50):
        sources.insert(draw(st.integers(0, len(sources))), writer.pick(made))
    return Program("\n".join(writer.cell), tuple(writer.plain), tuple(sources), target, named)


VALUES = np.random.default_rng(3).standard_normal([9, 12])


def make_names(tf: Any, dtype: str = "float32") -> dict[str, Any]:
    """The namespace in which a program starts, new each time."""
    rows = iter(VALUES)

    def make(kind: str) -> Any:
        shape = SHAPES[kind]
        return tf.constant(next(rows)[: int(np.prod(shape))].reshape(shape), dtype)

    return {
        "tf": tf,
        "np": np,
        "random": random,
        "contextlib": contextlib,
        "w": make("m"),
        "b": make("v"),
        "g": make("s"),
        "x": make("m"),
        "y": make("v"),
        "v": tf.Variable(make("m")),
        "c": tf.Variable(make("v")),
        "params": {"k": make("m"), "c": tf.Variable(make("v"))},
        "layers": [
            tf.constant(VALUES[0].reshape(3, 4) / 2, dtype),
            tf.Variable(VALUES[1][:4], dtype=dtype),
        ],
    }


def seed(tf: Any) -> None:
    tf.random.set_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)


def run_text(text: str, names: dict[str, Any]) -> None:
    """Run Python text, without the ``__future__`` imports of this file."""
    exec(compile(text, "<by hand>", "exec", dont_inherit=True), names)


def find_leaves(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in find_leaves(f"{name}[{key!r}]", value[key])]
    if isinstance(value, list):
        return [leaf for i, one in enumerate(value) for leaf in find_leaves(f"{name}[{i}]", one)]
    return [(name, value)]


def write_block(program: Program) -> str:
    """The hand-written block: after each binding of a source its tensors are watched and kept."""

    def write_keeps(indent: str, bound: tuple[str, ...]) -> list[str]:
        return [
            f"{indent}keep(tape, {source!r}, {source})"
            for source in program.sources
            if source.split("[")[0] in bound
        ]

    lines = write_keeps("", (*START, "params", "layers"))
    for text, bound in program.plain:
        indent = text[: len(text) - len(text.lstrip())]
        lines += [text, *write_keeps(indent, bound)]
    return "with tf.GradientTape() as tape:\n" + "\n".join("    " + line for line in lines)


def run_block(tf: Any, program: Program, names: dict[str, Any]) -> list[list[Any]]:
    """Run the hand-written block; the tensors that each part of each source was, in order."""
    versions: dict[str, list[Any]] = {}

    def keep(tape: Any, name: str, value: Any) -> None:
        for leaf, tensor in find_leaves(name, value):
            own = versions.setdefault(leaf, [])
            if not own or own[-1] is not tensor:
                own.append(tensor)
            if not isinstance(tensor, tf.Variable):
                tape.watch(tensor)

    names["keep"] = keep
    run_text(write_block(program), names)
    del names["keep"]
    flat = [leaf for s in program.sources for leaf, _ in find_leaves(s, eval(s, names))]
    return [versions[leaf] for leaf in flat]


def take_hand_written(tf: Any, program: Program, names: dict[str, Any]) -> list[Any]:
    """The gradients of the hand-written block: of each source's last tensor that the target used."""
    versions = run_block(tf, program, names)
    flat = [tensor for own in versions for tensor in own]
    results = iter(names["tape"].gradient(names[program.named], flat))
    grads = []
    for own in versions:
        used = [one for one in [next(results) for _ in own] if one is not None]
        grads.append(used[-1] if used else None)
    return grads


def freeze(value: Any) -> Any:
    """Something that is equal exactly where all bits are."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (types.FunctionType, types.ModuleType)):
        return type(value)
    if isinstance(value, dict):
        return {key: freeze(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [freeze(one) for one in value]
    if type(value).__name__ == "IndexedSlices":
        return "slices", freeze(value.values), freeze(value.indices), freeze(value.dense_shape)
    if type(value).__name__ == "GradientTape":
        return "tape"
    array = np.asarray(value)
    return type(value).__name__, str(array.dtype), array.shape, array.tobytes()


def freeze_names(names: dict[str, Any], *without: str) -> dict[str, Any]:
    hidden = {"__builtins__", "tape", "grads", *without}
    return {name: freeze(value) for name, value in names.items() if name not in hidden}


def run_both(tf: Any, program: Program, gradtape: Any = gradmagic.gradtape, **options: Any) -> Any:
    """The program through gradmagic and by hand: run, its names, by hand: gradients, names."""
    note(
        f"{program.cell}\n\n# sources: {program.sources}, target: {program.target or program.named}"
    )
    names, names_by_hand = make_names(tf), make_names(tf)
    seed(tf)
    if program.target:
        options["target"] = program.target
    run = gradtape(program.cell, *program.sources, names=names, **options)
    seed(tf)
    grads = take_hand_written(tf, program, names_by_hand)
    return run, names, grads, names_by_hand


COMMON = {
    "phases": [Phase.generate],  # with Phase.shrink a failure is small, but takes minutes
    "report_multiple_bugs": False,
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=160, **COMMON)
@given(program=programs())
def test_numbers_and_names_are_those_of_the_hand_written_block(tf, program):
    """Gradients, the target, all values left behind and their names."""
    run, names, grads, by_hand = run_both(tf, program)
    assert freeze(names["grads"]) == freeze(grads)
    assert freeze(run.loss) == freeze(by_hand[program.named])
    by_hand.pop("target_", None)
    assert set(names) == {*by_hand, "tape", "grads"}
    assert freeze_names(names) == freeze_names(by_hand)


# What a diagnosis says of its source's gradient; other kinds have no place in these programs.
SAID = {
    **dict.fromkeys(
        [
            "computed-before-tape",
            "control-flow",
            "integer-dtype",
            "left-tensorflow",
            "no-gradient-registered",
            "not-differentiable",
            "not-trainable",
            "not-used",
            "not-watched",
            "recording-stopped",
            "stateful-assign",
            "stop-gradient",
            "target-constant",
        ],
        lambda gradient: gradient is None,
    ),
    **dict.fromkeys(
        ["constant-region", "dead-relu", "saturated", "zero-gradient"],
        lambda gradient: gradient is not None and not np.any(gradient),
    ),
    **dict.fromkeys(
        ("nan-gradient", "inf-gradient"),
        lambda gradient: gradient is not None and not np.all(np.isfinite(gradient)),
    ),
    "variable-replaced": None,
}


@settings(max_examples=70, **COMMON)
@given(program=programs())
def test_no_false_alarm(tf, program):
    """Each None, zero or NaN has a diagnosis, no other has; what is 'not used' can be changed."""
    run, _names, _grads, _by_hand = run_both(tf, program)
    explained = {d.subject for d in run.diagnoses}
    for one in run.gradients:
        missing = one.result is None
        constant = "target-constant" in {d.kind for d in run.diagnoses}
        assert not missing or one.name in explained or constant
        bad = one.gradient is not None and (one.gradient.nans or one.gradient.infs)
        assert not bad or explained & {one.name, run.target.name}
    for diagnosis in run.diagnoses:
        note(str(diagnosis))
        if diagnosis.kind in ("softmax-then-crossentropy", "probabilities-as-logits"):
            assert "softmax(" in program.cell
            continue
        assert diagnosis.kind in SAID
        if diagnosis.kind == "variable-replaced":  # it may be any Variable that the cell read
            continue
        if diagnosis.subject not in run.gradients.names:
            assert diagnosis.subject == run.target.name
            continue
        gradient = run.gradients[diagnosis.subject]
        result = gradient.result
        dense = None if result is None else tf.convert_to_tensor(result).numpy()
        assert SAID[diagnosis.kind](dense)
        if diagnosis.kind == "not-used" and gradient.bound == (None,):
            changed = make_names(tf)
            other = f"{diagnosis.subject} * 1.5 + 2.0"
            change = f"{diagnosis.subject}.assign({other})"
            exec(change if gradient.variable else f"{diagnosis.subject} = {other}", changed)
            seed(tf)
            options = {"target": program.target} if program.target else {}
            again = gradmagic.gradtape(program.cell, *program.sources, names=changed, **options)
            assert freeze(again.loss) == freeze(run.loss)


@settings(max_examples=15, **COMMON)
@given(program=programs())
def test_the_magic_gives_the_same(tf, program, gradtape, shell):
    """As a magic too (and as a call), the gradients and the names are those of the block."""
    assume(program.target is None or '"' not in program.target)
    before = dict(shell.user_ns)
    try:
        _, names, grads, by_hand = run_both(tf, program, gradtape)
    finally:  # one example's names are no part of the next one's namespace
        shell.user_ns.clear()
        shell.user_ns.update(before)
    by_hand.pop("target_", None)
    assert freeze(names["grads"]) == freeze(grads)
    assert freeze_names(names) == freeze_names(by_hand)


@settings(max_examples=120, **COMMON)
@given(program=programs())
def test_the_pasted_program_gives_the_same(tf, program):
    """``run.code`` in a new namespace: the same gradients, and values of the cell's names."""
    run, names, grads, _ = run_both(tf, program)
    pasted = make_names(tf)
    seed(tf)
    note(run.code)
    run_text(run.code, pasted)
    assert freeze(tf.nest.flatten(pasted["grads"])) == freeze(grads)
    added = set(pasted) - set(names)
    assert freeze_names(pasted, *added) == freeze_names(names)


@settings(max_examples=50, **COMMON)
@given(program=programs(ending="loss"))
def test_a_following_gradient_call_gives_the_same(tf, program):
    """``tape`` is unused: ``tape.gradient(loss, sources)`` as after the hand-written block."""
    _, names, _, _ = run_both(tf, program)
    by_hand = make_names(tf)
    seed(tf)
    run_block(tf, program, by_hand)
    asked = [
        [own["tape"].gradient(own["loss"], [eval(s, own) for s in program.sources])]
        for own in (names, by_hand)
    ]
    assert freeze(asked[0]) == freeze(asked[1])
    with pytest.raises(RuntimeError, match="non-persistent"):
        names["tape"].gradient(names["loss"], names["w"])


def read_random_state(tf: Any) -> Any:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (the global one is what a cell may disturb)
    return [
        freeze(tf.random.normal([3])),
        freeze(tf.random.uniform([2])),
        random.getstate(),
        [kind, keys.tobytes(), *rest],
        freeze(tf.random.get_global_generator().state),
    ]


@settings(max_examples=40, **COMMON)
@given(program=programs(), graph=st.booleans())
def test_no_random_state_is_consumed(tf, program, graph):
    """What is drawn after the cell, by TensorFlow, NumPy and Python, is what the block leaves."""
    names, options = make_names(tf), {"target": program.target} if program.target else {}
    note(program.cell)
    seed(tf)
    gradmagic.gradtape(program.cell, *program.sources, names=names, graph=graph, **options)
    after = read_random_state(tf)
    seed(tf)
    take_hand_written(tf, program, make_names(tf))
    assert after == read_random_state(tf)


@settings(max_examples=60, **COMMON)
@given(program=programs(smooth=True, ending="loss"))
def test_gradients_are_finite_differences(tf, program):
    """In float64, of smooth programs, along a random direction of each source."""
    names = make_names(tf, "float64")
    note(program.cell)
    run = gradmagic.gradtape(program.cell, *program.sources, names=names)
    direction = np.random.default_rng(1).standard_normal

    def evaluate(name: str, step: Any) -> float:
        own = make_names(tf, "float64")
        own[name] = own[name].assign_add(step) if name == "v" else own[name] + step
        own["tape"] = tf.GradientTape()
        run_text(program.cell, own)
        return float(tf.reduce_sum(own["loss"]))

    for name, grad in zip(program.sources, names["grads"], strict=True):
        along = direction(SHAPES[START[name]])
        slope = (evaluate(name, 1e-5 * along) - evaluate(name, -1e-5 * along)) / 2e-5
        exact = (
            0.0 if grad is None else float(np.sum(np.asarray(tf.convert_to_tensor(grad)) * along))
        )
        size = max(1.0, abs(exact), abs(float(np.sum(run.loss))))
        assert abs(slope - exact) <= 1e-5 * size, name


# What a generated program seldom holds, each with the block as one would write it by hand.
CORNERS = {
    "walrus-in-comprehension": (
        "hs = [tf.sin(w := w * (k + 1.0)) for k in range(2)]\nloss = tf.reduce_sum(tf.add_n(hs))",
        "w",
        """
    tape.watch(w)
    hs = []
    for k in range(2):
        w = w * (k + 1.0)
        tape.watch(w)
        hs.append(tf.sin(w))
    loss = tf.reduce_sum(tf.add_n(hs))""",
        "w",
    ),
    "new-tensor-by-walrus-in-comprehension": (
        "hs = [tf.sin(w := x * (k + 1.0)) for k in range(2)]\nloss = tf.reduce_sum(tf.add_n(hs))",
        "w",
        """
    hs = []
    for k in range(2):
        w = x * (k + 1.0)
        tape.watch(w)
        hs.append(tf.sin(w))
    loss = tf.reduce_sum(tf.add_n(hs))""",
        "w",
    ),
    "new-tensor-by-walrus": (
        "h = tf.sin(w := x * 2.0)\nloss = tf.reduce_sum(h)",
        "w",
        """
    w = x * 2.0
    tape.watch(w)
    h = tf.sin(w)
    loss = tf.reduce_sum(h)""",
        "w",
    ),
    "bound-again-in-a-loop": (
        "loss = 0.0\nfor k in range(3):\n    loss += tf.reduce_sum(w ** 2)\n    w = w * 0.5",
        "w",
        """
    loss = 0.0
    for k in range(3):
        tape.watch(w)
        w_used = w
        loss += tf.reduce_sum(w ** 2)
        w = w * 0.5""",
        "w_used",
    ),
    "loop-on-one-line": (
        "for w in [x, 2.0 * x]: loss = tf.reduce_sum(w ** 2)",
        "w",
        """
    for w in [x, 2.0 * x]:
        tape.watch(w)
        loss = tf.reduce_sum(w ** 2)""",
        "w",
    ),
    "with-on-one-line": (
        "with contextlib.nullcontext(x) as w: loss = tf.reduce_sum(w ** 2)",
        "w",
        """
    with contextlib.nullcontext(x) as w:
        tape.watch(w)
        loss = tf.reduce_sum(w ** 2)""",
        "w",
    ),
    "several-on-one-line": (
        "w = x * 2.0; loss = tf.reduce_sum(w * w); w = w + 1.0",
        "w",
        """
    w = w_used = x * 2.0
    tape.watch(w)
    loss = tf.reduce_sum(w * w)
    w = w + 1.0""",
        "w_used",
    ),
    "part-of-a-dict-bound-again": (
        "params = {'k': x + 1.0}\nloss = tf.reduce_sum(params['k'] ** 2)\nparams['k'] = x",
        "params['k']",
        """
    params = {'k': x + 1.0}
    used = params['k']
    tape.watch(used)
    loss = tf.reduce_sum(params['k'] ** 2)
    params['k'] = x""",
        "used",
    ),
    "dict-with-a-part-bound-again": (
        "loss = tf.reduce_sum(params['k'] * params['c'])\nparams['k'] = x",
        "params",
        """
    used = params['k']
    tape.watch(used)
    loss = tf.reduce_sum(params['k'] * params['c'])
    params['k'] = x""",
        "used, params['c']",
    ),
    "swap": (
        "w, x = x, w\nloss = tf.reduce_sum(w * x * x)",
        "w x",
        """
    tape.watch([w, x])
    w, x = x, w
    loss = tf.reduce_sum(w * x * x)""",
        "w, x",
    ),
    "deleted-and-made-again": (
        "h = w * 3.0\ndel w\nw = h + 1.0\nloss = tf.reduce_sum(w * h)",
        "w",
        """
    tape.watch(w)
    h = w * 3.0
    del w
    w = h + 1.0
    tape.watch(w)
    loss = tf.reduce_sum(w * h)""",
        "w",
    ),
    "walrus-in-a-test-that-fails": (
        "if tf.reduce_sum(w := x * 2.0) > 1e9:\n    pass\nloss = tf.reduce_sum(w * w)\nw = w + 1.0",
        "w",
        """
    w = w_used = x * 2.0
    tape.watch(w)
    loss = tf.reduce_sum(w * w)
    w = w + 1.0""",
        "w_used",
    ),
    "captured-by-match": (
        "match x * 2.0:\n    case w:\n        h = w * w\n        w = w + 1.0\nloss = tf.reduce_sum(h * w)",
        "w",
        """
    w = x * 2.0
    tape.watch(w)
    h = w * w
    w = w + 1.0
    tape.watch(w)
    loss = tf.reduce_sum(h * w)""",
        "w",
    ),
    "copy-of-the-namespace": (
        "names = sorted(k for k in locals().copy() if k == 'w')\nloss = tf.reduce_sum(w * w)",
        "w",
        """
    tape.watch(w)
    names = ['w']
    loss = tf.reduce_sum(w * w)""",
        "w",
    ),
    "class-with-the-same-name-inside": (
        "class Net:\n    w = x * 2.0\n    def call(self, w):\n        return self.w * w\nloss = tf.reduce_sum(Net().call(w))",
        "w",
        """
    tape.watch(w)
    loss = tf.reduce_sum((x * 2.0) * w)""",
        "w",
    ),
    "decorated-and-traced": (
        "@tf.function\ndef f(a):\n    return tf.sin(a) * w\nloss = tf.reduce_sum(f(w))",
        "w",
        """
    tape.watch(w)
    @tf.function
    def f(a):
        return tf.sin(a) * w
    loss = tf.reduce_sum(f(w))""",
        "w",
    ),
}


@pytest.mark.parametrize("pasted", [False, True], ids=["run", "pasted"])
@pytest.mark.parametrize("name", CORNERS)
def test_corners(tf, name, pasted):
    """Bindings that need care: the gradients of the run, and of the program to paste."""
    cell, sources, block, asked = CORNERS[name]
    by_hand = make_names(tf)
    run_text(
        f"with tf.GradientTape() as tape:{block}\ngrads = tape.gradient(loss, [{asked}])", by_hand
    )
    names = make_names(tf)
    run = gradmagic.gradtape(cell, *sources.split(), names=names)
    if pasted:
        names = make_names(tf)
        run_text(run.code, names)
    assert freeze(tf.nest.flatten(names["grads"])) == freeze(by_hand["grads"])
    assert freeze(names["loss"]) == freeze(by_hand["loss"])
