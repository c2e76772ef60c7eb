"""Run a cell under the tape, and make the record of the run."""

from __future__ import annotations

import ast
import contextlib
import time
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gradmagic.core import program, reduction
from gradmagic.core.cell import BOUND, Namespace
from gradmagic.core.diagnose import diagnose
from gradmagic.core.diagnose.code import CellCode
from gradmagic.core.diagnose.cuts import find_cuts
from gradmagic.core.diagnose.evidence import Evidence, Subject
from gradmagic.core.diagnose.history import History
from gradmagic.core.gradients import (
    finish_hessian,
    start_hessian,
    take_gradients,
    take_jacobian,
    take_zeros,
)
from gradmagic.core.graph import building
from gradmagic.core.graph.grouping import group_nodes
from gradmagic.core.reads import add_hidden_reads
from gradmagic.core.recorder import CellTape, EagerTensor, Recorder, check_tensorflow, identify
from gradmagic.core.records import ByName, Gradient, TapeRun, Target
from gradmagic.core.scopes import learn_layers, may_call_own
from gradmagic.core.sources import (
    COMPOSITES,
    Entry,
    Sources,
    Version,
    find_parts,
    list_held,
    name_part,
    name_tensors,
    unwrap,
)
from gradmagic.core.summary import summarize
from gradmagic.core.target import FoundTarget, find_target

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gradmagic.core.cell import Cell
    from gradmagic.core.records import Diagnosis, Graph


@dataclass(frozen=True)
class Options:
    """What the magic's line asks for; the names are TensorFlow's own.

    ``unconnected_gradients`` is ``"none"`` or ``"zero"``; ``tape`` the name that the tape is bound
    to; ``graph`` whether to record the ops; ``magic`` the line itself, for the report.
    """

    sources: tuple[str, ...] = ()
    target: str | None = None
    persistent: bool = False
    watch_accessed_variables: bool = True
    unconnected_gradients: str = "none"
    tape: str = "tape"
    jacobian: bool = False
    hessian: bool = False
    graph: bool = True
    magic: str = "%%gradtape"


def run_cell(
    cell: Cell, names: dict[str, Any], options: Options, earlier: Sequence[str] = ()
) -> TapeRun:
    """Run a compiled cell once under a tf.GradientTape and record what happened.

    Afterwards ``names`` is what the plain with-block would have left, plus ``grads``; the tape,
    bound under its name, is still unused. What the cell raises, this raises.

    Parameters
    ----------
    cell
        From :func:`gradmagic.core.cell.compile_cell`.
    names
        The namespace in which it runs.
    options
        What to differentiate, and how.
    earlier
        The code of the cells that ran before, for the diagnoses.

    Raises
    ------
    UserError
        A source or the target is missing or no tensor, or what was asked for is too large.
    """
    __tracebackhide__ = True  # IPython folds this frame away when the cell raises
    check_tensorflow()
    tape = CellTape(
        cell.filename,
        persistent=options.persistent,
        watch_accessed_variables=options.watch_accessed_variables,
    )
    sources = Sources(options.sources, names, tape, cell.lines)
    mentioned = frozenset(n.id for n in ast.walk(cell.tree) if isinstance(n, ast.Name))
    calls_own = any(may_call_own(names[name]) for name in mentioned & names.keys())
    sources.check(frozenset(cell.lines), mentioned)
    body = _Body(cell, names, sources)
    recorder = Recorder(cell.filename, flat=cell.flat and not calls_own)
    try:
        names[options.tape] = tape
        with recorder if options.graph else contextlib.nullcontext(), tape:
            sources.watch(None)
            start = time.perf_counter()
            last_value = body.run(recorder)
            forward_seconds = time.perf_counter() - start
            target = find_target(
                options.target,
                names,
                cell,
                bound=body.bound,
                last_value=last_value,
            )
            entries = sources.finish() if sources.roots else _find_watched(sources, tape, names)
            ran = _Ran(
                cell, names, options, tape, sources, body, recorder, target, entries, earlier
            )
            slopes = start_hessian(tape, target.tensor, ran.flat) if options.hessian else None
        hessian = None if slopes is None else finish_hessian(tape, slopes, ran.flat)
        return _record(ran, hessian, forward_seconds)
    finally:
        tape.release()


class _Body:
    """Runs the cell's code and remembers what it bound."""

    def __init__(self, cell: Cell, names: dict[str, Any], sources: Sources) -> None:
        self.cell = cell
        self.names = names
        self.sources = sources
        self.roots = frozenset(sources.roots.values())
        self.tensor_names = name_tensors(names)
        self.bound: dict[str, tuple[Any, int]] = {}  # in the order of the last bindings

    def run(self, recorder: Recorder) -> Any:
        """Run it once; the value of its last expression, or None."""
        __tracebackhide__ = True
        namespace = Namespace(self.names, self._on_bind, self.sources.watch, self.cell.filename)
        self.names[BOUND] = namespace.tell
        try:
            exec(self.cell.body, self.names, namespace)
            recorder.leave_frame()
            if self.cell.last is None:
                return None
            return eval(self.cell.last, self.names, namespace)
        finally:
            self.names.pop(BOUND, None)  # (a cell may run another, or clear its names)

    def _on_bind(self, name: str, value: Any, line: int) -> None:
        if name in self.roots:
            self.sources.watch(line, name)
        self.bound.pop(name, None)
        self.bound[name] = value, line
        if type(value) is EagerTensor:
            self.tensor_names.setdefault(identify(value), name)


@dataclass(frozen=True, eq=False)
class _Ran:
    """All that is at hand once the body has run."""

    cell: Cell
    names: dict[str, Any]
    options: Options
    tape: CellTape
    sources: Sources
    body: _Body
    recorder: Recorder
    target: FoundTarget
    entries: Mapping[str, list[Entry]]
    earlier: Sequence[str]

    @property
    def flat(self) -> list[Entry]:
        """The tensors of all sources, in order."""
        return [entry for group in self.entries.values() for entry in group]

    def versions(self, entry: Entry) -> list[Version]:
        """All tensors that the entry's name was bound to, in order."""
        return self.sources.versions[entry.name]


def _find_watched(
    sources: Sources, tape: CellTape, names: Mapping[str, Any]
) -> dict[str, list[Entry]]:
    """What the tape watched by itself, or was told to in the body, by name."""
    known = name_tensors(names)
    entries: dict[str, list[Entry]] = {}
    for watched in [*tape.watched_variables(), *tape.watched]:
        tensor = unwrap(watched)
        if any(one.tensor is tensor for group in entries.values() for one in group):
            continue
        own = getattr(tensor, "name", "") if isinstance(tensor, tf.Variable) else ""
        name = known.get(identify(tensor)) or own.removesuffix(":0") or "tensor"
        while name in entries:
            name += "'"
        entries[name] = [Entry(name, tensor)]
        sources.versions[name] = [Version(tensor, None)]
    return entries


def _record(ran: _Ran, hessian: Any, forward_seconds: float) -> TapeRun:
    target, recorder = ran.target, ran.recorder
    versions = [version for entry in ran.flat for version in ran.versions(entry)]
    known = [*ran.tape.watched_variables(), *(v.tensor for v in versions), *ran.names.values()]
    variables = {identify(one): one for one in map(unwrap, known) if isinstance(one, tf.Variable)}
    add_hidden_reads(recorder, list(variables.values()), ran.tape)
    paths = building.find_paths(recorder, target.tensor, [v.tensor for v in versions])
    between = [recorder.seen[number].tensor for number in paths.between]
    start = time.perf_counter()
    results, blocked = take_gradients(
        ran.tape, recorder, target.tensor, [*(v.tensor for v in versions), *between]
    )
    backward_seconds = time.perf_counter() - start
    by_version = dict(zip(map(id, versions), results, strict=False))
    by_tensor = dict(zip(paths.between, results[len(versions) :], strict=True))
    gradients, subjects = [], []
    for source, group in ran.entries.items():
        for entry in group:
            gradient, tensor = _make_gradient(ran, source, entry, by_version, blocked=bool(blocked))
            gradients.append(gradient)
            own = ran.versions(entry)
            connected = by_version[id(own[gradient.taken])] is not None
            subjects.append(Subject(gradient, tensor, connected, own, entry.of_keras))
            by_tensor |= _pair_parts(tensor, by_version[id(own[gradient.taken])])
    positions = _name_positions(ran.entries, gradients)
    ran.names["grads"] = ByName([one.result for one in gradients], positions)
    drawn = _build_graph(ran, variables, by_tensor, paths) if ran.options.graph else None
    diagnoses, cuts = explain(ran, subjects, by_tensor, drawn)
    if cuts:
        drawn = _build_graph(ran, variables, by_tensor, paths, cuts)
    return TapeRun(
        target=Target(
            name=target.name,
            reason=target.reason,
            line=target.line,
            value=summarize(target.tensor),
            summed=target.tensor.shape.rank != 0,
            unit=reduction.find_unit(recorder, target.tensor),
        ),
        loss=target.tensor,
        gradients=ByName(gradients, positions),
        graph=None if drawn is None else group_nodes(drawn),
        lines=program.write_program(
            ran.cell, ran.options, target, gradients, ran.sources.roots, ran.names
        ),
        magic=ran.options.magic,
        forward_seconds=forward_seconds,
        backward_seconds=backward_seconds,
        diagnoses=diagnoses,
        per_sample=reduction.find_per_sample(recorder, target.tensor),
        hessian=hessian,
        history=(float(np.real(tf.reduce_sum(target.tensor).numpy())),),
        ops=len(recorder.ops),
    )


def _pair_parts(tensor: Any, gradient: Any) -> dict[int, Any]:
    """The gradient of a source by its number; that of a ragged one by its entries'."""
    if not isinstance(tensor, COMPOSITES):
        return {identify(tensor): gradient}
    pairs = (
        zip(find_parts(tensor), find_parts(gradient), strict=False) if gradient is not None else ()
    )
    return {identify(part): own for part, own in pairs if part.shape == own.shape}


def explain(
    ran: _Ran, subjects: Sequence[Subject], gradients: Mapping[int, Any], drawn: Graph | None
) -> tuple[tuple[Diagnosis, ...], frozenset[building.Cut]]:
    """The diagnoses, worst first, and where the graph must show a way that breaks off."""
    modules = {n for n, value in ran.names.items() if isinstance(value, types.ModuleType)}
    evidence = Evidence(
        recorder=ran.recorder,
        tape=ran.tape,
        target=ran.target,
        subjects=subjects,
        gradients=gradients,
        names=name_tensors(ran.names) | ran.body.tensor_names,
        code=CellCode(ran.cell.tree, modules),
        history=History(ran.earlier, modules),
        graph=drawn,
        namespace=ran.names,
        bound={name: line for name, (_value, line) in ran.body.bound.items()},
        magic=ran.options.magic,
    )
    diagnoses = diagnose(evidence)
    return diagnoses, find_cuts(evidence, diagnoses)


def _make_gradient(
    ran: _Ran, source: str, entry: Entry, by_version: Mapping[int, Any], *, blocked: bool
) -> tuple[Gradient, Any]:
    """The record of one source tensor, and the tensor that it is about.

    Of the tensors that the name was bound to, that is the last one which the target used; where it
    used none, the last.
    """
    own, options, target = ran.versions(entry), ran.options, ran.target.tensor
    used = [by_version[id(version)] is not None for version in own]
    taken = max((i for i, is_used in enumerate(used) if is_used), default=len(own) - 1)
    tensor, result = own[taken].tensor, by_version[id(own[taken])]
    if result is None and options.unconnected_gradients == "zero" and not blocked:
        result = take_zeros(ran.tape, target, tensor)
    jacobian = (
        take_jacobian(ran.tape, target, entry, tensor, options.unconnected_gradients)
        if options.jacobian
        else None
    )
    gradient = Gradient(
        source=source,
        name=entry.name,
        variable=isinstance(tensor, tf.Variable),
        value=summarize(_find_value(ran.recorder, tensor)),
        gradient=None if result is None else summarize(result),
        result=jacobian if options.jacobian else result,
        bound=tuple(version.line for version in own),
        taken=taken,
        rebound_after_use=any(used[:-1]),
        jacobian=None if jacobian is None else summarize(jacobian),
    )
    return gradient, tensor


def _find_value(recorder: Recorder, tensor: Any) -> Any:
    """What the cell computed with: of a Variable that it also assigned, the value it read first."""
    if not isinstance(tensor, tf.Variable):
        return tensor
    read = recorder.find_first_read(tensor) if identify(tensor) in recorder.assigned else None
    return tensor.value() if read is None else read


def _name_positions(
    entries: Mapping[str, list[Entry]], gradients: list[Gradient]
) -> dict[str, int | slice]:
    """Where in the flat gradients each name and each source with several tensors is."""
    positions: dict[str, int | slice] = {one.name: i for i, one in enumerate(gradients)}
    start = 0
    for source, group in entries.items():
        if not (len(group) == 1 and group[0].name == source):
            positions[source] = slice(start, start + len(group))
        start += len(group)
    return positions


def _build_graph(
    ran: _Ran,
    variables: Mapping[int, Any],
    by_tensor: Mapping[int, Any],
    paths: building.Paths,
    cuts: Collection[building.Cut] = (),
) -> Graph:
    sources = {
        identify(part): name_part(entry.name, version.tensor)
        for entry in ran.flat
        for version in ran.versions(entry)
        for part in find_parts(version.tensor)
    }
    held = {identify(entry.tensor): entry for entry in list_held(ran.names)}
    if ran.recorder.functions:
        learn_layers(ran.names.values())
    return building.build(
        ran.recorder,
        target=ran.target.tensor,
        target_name=ran.target.name,
        names={number: entry.name for number, entry in held.items()}
        | {
            identify(one): name
            for name, one in ((name, unwrap(one)) for name, one in ran.names.items())
            if isinstance(one, tf.Variable)
        }
        | {cut.end: cut.name for cut in cuts if cut.name}
        | ran.recorder.local_names
        | ran.body.tensor_names,
        sources=sources,
        variables={number: entry.tensor for number, entry in held.items()} | dict(variables),
        gradients={number: one for number, one in by_tensor.items() if one is not None},
        paths=paths,
        cuts=cuts,
    )
