"""The magics: parse the line, delegate, show. The only file that knows IPython's shell."""

from __future__ import annotations

import ast
import hashlib
import sys
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from traitlets import Bool, Enum, Unicode

from gradmagic.arguments import check_name, join_brackets, list_options, parse_line, unquote
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import _

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gradmagic.core.losses import LossComparison
    from gradmagic.core.records import TapeRun


@magics_class
class GradTapeMagics(Magics):
    """The magics; the defaults of their options are traits: ``%config GradTapeMagics``."""

    persistent = Bool(False, help="Let tape.gradient be called more than once.").tag(config=True)
    watch_accessed_variables = Bool(
        True, help="Let the tape watch the trainable Variables that the cell reads."
    ).tag(config=True)
    unconnected_gradients = Enum(
        ["none", "zero"], "none", help="What a source gets that the target does not depend on."
    ).tag(config=True)
    tape = Unicode("tape", help="The name that the tape is bound to.").tag(config=True)
    graph = Bool(True, help="Record the ops and draw the computation graph.").tag(config=True)
    static = Bool(False, help="Show the static report, without a widget.").tag(config=True)
    quiet = Bool(False, help="Show nothing.").tag(config=True)

    @magic_arguments()
    @argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="What to differentiate by: a tensor, a "
        "Variable, a layer or model, a list or dict of these: w, layer.kernel, params['w']. "
        "None: what the tape watches by itself.",
    )
    @argument(
        "-t",
        "--target",
        metavar="EXPR",
        help="What to differentiate. Default: loss where "
        "the cell assigns it, else the cell's last expression, else its last float tensor.",
    )
    @argument(
        "--persistent",
        action="store_true",
        default=None,
        help="Let tape.gradient be called more than once.",
    )
    @argument(
        "--no-watch-accessed-variables",
        action="store_false",
        default=None,
        dest="watch_accessed_variables",
        help="Watch the plain tensors named here and what is watched by hand, "
        "but no Variable for being read.",
    )
    @argument(
        "--unconnected-gradients",
        choices=["none", "zero"],
        default=None,
        help="What a source gets that the target does not depend on: None, or zeros.",
    )
    @argument("--tape", metavar="NAME", default=None, help="The name that the tape is bound to.")
    @argument(
        "--jacobian", action="store_true", help="Take the Jacobian of a target that is no scalar."
    )
    @argument("--hessian", action="store_true", help="Take the Hessian over all sources too.")
    @argument(
        "--no-graph",
        action="store_false",
        default=None,
        dest="graph",
        help="Do not record the ops.",
    )
    @argument(
        "--static",
        action="store_true",
        default=None,
        help="Show the static report, without a widget.",
    )
    @argument("-q", "--quiet", action="store_true", default=None, help="Show nothing.")
    @argument("-o", "--output", metavar="NAME", help="Keep the run's record under this name.")
    @cell_magic
    def gradtape(self, line: str, cell: str) -> None:
        """Run the cell under a tf.GradientTape and show loss, gradients and computation graph.

        Afterwards `grads` holds the gradients, by position and by name, and `tape` is still unused.
        """
        __tracebackhide__ = True
        try:
            given = parse_line("%%gradtape", self.gradtape, line)
            given.sources = join_brackets(given.sources)
            if given.target is not None:
                given.target = unquote(given.target)
            self._run_tape(given, line, cell)
        except UserError as error:
            raise UsageError(str(error)) from None

    def _run_tape(self, given: argparse.Namespace, line: str, text: str) -> None:
        __tracebackhide__ = True
        from gradmagic.core import runs
        from gradmagic.core.tape import Options, run_cell

        shell: Any = self.shell
        names = ("persistent", "watch_accessed_variables", "unconnected_gradients", "tape", "graph")
        options = {n: _or_default(getattr(given, n), getattr(self, n)) for n in names}
        for name in (options["tape"], given.output or "run"):
            check_name(name)
        if given.jacobian and given.hessian:
            raise UserError(_("--jacobian and --hessian exclude each other; give one"))
        cell = _compile(shell, line, text, given.sources)
        asked = Options(
            sources=tuple(given.sources),
            target=given.target,
            jacobian=given.jacobian,
            hessian=given.hessian,
            magic=f"%%gradtape {line}".rstrip(),
            **options,
        )
        run = run_cell(cell, shell.user_ns, asked)
        key = _identify_cell(shell, line, text)
        run = runs.remember(run, key, shell.user_ns.get(asked.tape))
        if given.output:
            shell.user_ns[given.output] = run
        if not _or_default(given.quiet, self.quiet):
            from gradmagic import show

            show.show_run(run, shell, static=_or_default(given.static, self.static), key=key)

    @magic_arguments()
    @argument(
        "operands",
        nargs="*",
        metavar="TARGETS PREDICTIONS",
        help="Class numbers, one-hot rows or soft labels; and logits or probabilities. "
        "None: what the graph of the last %%%%gradtape cell shows.",
    )
    @argument(
        "--from-logits",
        action="store_true",
        default=None,
        help="PREDICTIONS are logits. Default: told by their values.",
    )
    @argument(
        "--probabilities",
        action="store_false",
        default=None,
        dest="from_logits",
        help="PREDICTIONS are probabilities.",
    )
    @argument(
        "--sources",
        nargs="+",
        default=(),
        metavar="SOURCE",
        help="Show the gradients with respect to these too; the last %%%%gradtape cell must have "
        "made PREDICTIONS from them.",
    )
    @argument("--inline", action="store_true", help="Show it below the cell, not at the side.")
    @line_magic
    def gradlosses(self, line: str) -> None:
        """Compare MSE with crossentropy on one-hot targets, in a panel at the side.

        The panel follows the notebook: it shows the new numbers whenever a cell has made them.
        """
        __tracebackhide__ = True
        try:
            self._compare(parse_line("%gradlosses", self.gradlosses, line), line)
        except UserError as error:
            raise UsageError(str(error)) from None

    def _compare(self, given: argparse.Namespace, line: str) -> None:
        __tracebackhide__ = True
        operands = [unquote(one) for one in join_brackets(given.operands)]
        if len(operands) not in (0, 2):
            raise UserError(
                _("give targets and predictions, or neither: %gradlosses TARGETS PREDICTIONS")
            )
        from gradmagic import sidebar

        targets, predictions = operands or (None, None)
        sources = tuple(join_brackets(given.sources))
        asked = sidebar.Asked(targets, predictions, given.from_logits, sources, given.inline)
        sidebar.show_losses(asked, self.shell, _identify_line(self.shell, line))


def display(record: TapeRun | LossComparison) -> None:
    """Show a run's report or a comparison where this process shows things."""
    from gradmagic.core.records import TapeRun

    if isinstance(record, TapeRun):
        from gradmagic import show

        show.show_run(record, get_ipython())
    else:
        from gradmagic import sidebar

        sidebar.show_comparison(record, get_ipython())


def load(shell: Any) -> None:
    """Register the magics, the completion of their lines, and what keeps open panels up to date."""
    shell.register_magics(GradTapeMagics)
    for name in ("%%gradtape", "%gradlosses"):
        shell.set_hook("complete_command", _complete, str_key=name)
    shell.events.register("post_run_cell", _follow_cell)


def unload(shell: Any) -> None:
    """Take away what :func:`load` registered."""
    shell.magics_manager.magics["cell"].pop("gradtape", None)
    shell.magics_manager.magics["line"].pop("gradlosses", None)
    registry = shell.magics_manager.registry.pop("GradTapeMagics", None)
    if registry in shell.configurables:
        shell.configurables.remove(registry)
    for name in ("%%gradtape", "%gradlosses"):
        shell.strdispatchers["complete_command"].strs.pop(name, None)
    if _follow_cell in shell.events.callbacks["post_run_cell"]:
        shell.events.unregister("post_run_cell", _follow_cell)


def _follow_cell(_result: Any = None) -> None:
    """After each cell: nothing to do, and nothing imported, before a panel was opened."""
    sidebar = sys.modules.get("gradmagic.sidebar")
    if sidebar is not None:
        sidebar.follow_cells()


def _or_default(given: Any, default: Any) -> Any:
    return default if given is None else given


def _compile(shell: Any, line: str, text: str, sources: Sequence[str]) -> Any:
    """The body, after IPython's own transformations, under the name of the notebook's cell."""
    __tracebackhide__ = True
    from gradmagic.core.cell import compile_cell, find_root

    roots = [find_root(source) for source in sources]
    number, offset = _place_cell(shell, text)
    body = shell.transform_cell(text)
    whole = "\n" * (offset - 1) + f"%%gradtape {line}\n{body}"
    filename = shell.compile.cache(whole, number, raw_code=whole)
    padded = "\n" * offset + body  # so that a SyntaxError tells the notebook's line
    flags = shell.compile.flags
    tree = compile(padded, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    tree = shell.transform_ast(tree)
    return compile_cell(
        text, tree, filename=filename, first_line=offset + 1, roots=roots, flags=flags
    )


def _place_cell(shell: Any, text: str) -> tuple[int, int]:
    """The number of the notebook's cell, and how many lines stand before the body in it.

    These are the magic's own line and blank ones, which IPython strips before it runs the cell.
    """
    history = shell.history_manager.input_hist_raw if shell.history_manager else [""]
    raw = history[-1].rstrip()
    if raw.lstrip().startswith("%%") and raw.endswith(text.rstrip()):
        # IPython 9 counts a cell before it runs, earlier ones after; the history does not differ
        return len(history) - 1, raw.removesuffix(text.rstrip()).count("\n")
    return shell.execution_count, 1


def _identify_cell(shell: Any, line: str, text: str) -> str:
    """What stays the same when a cell is run again: the front-end's id of it, else its text."""
    return _find_cell_id(shell) or hashlib.sha256(f"{line}\n{text}".encode()).hexdigest()


def _identify_line(shell: Any, line: str) -> str:
    """The same for a line magic, of which a cell may hold several."""
    return f"%gradlosses {line} {_find_cell_id(shell)}"


def _find_cell_id(shell: Any) -> str:
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return (parent.get("metadata") or {}).get("cellId") or ""


def _complete(shell: Any, event: Any) -> list[str]:
    """TAB on the magic's line: its options, and names of tensors, variables and models."""
    typed = event.symbol
    if typed.startswith("-"):
        magic = event.line.lstrip().partition(" ")[0].lstrip("%")
        return list_options(getattr(GradTapeMagics, magic).parser)
    return [
        name for name, value in shell.user_ns.items() if not name.startswith("_") and _fits(value)
    ]


def _fits(value: Any) -> bool:
    if "tensorflow" not in sys.modules:  # then there is no tensor yet
        return False
    from gradmagic.core.sources import is_source

    return is_source(value)
