"""The magics: parse the line, delegate, show."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, kwds, magic_arguments
from traitlets import Bool, Enum, Int, Unicode, observe

from gradmagic.arguments import (
    check_name,
    join_brackets,
    parse_line,
    translate_help,
    unquote,
)
from gradmagic.core.errors import UserError
from gradmagic.core.i18n import LANGUAGES, N_, _, choose_language
from gradmagic.shell import compile_body, identify_cell, identify_line, list_earlier

if TYPE_CHECKING:
    import argparse

    from gradmagic.core.cell import Cell


@magics_class
class GradTapeMagics(Magics):
    """The magics; the defaults of their options are traits: ``%config GradTapeMagics``."""

    persistent = Bool(False, help=N_("Let tape.gradient be called more than once.")).tag(
        config=True
    )
    watch_accessed_variables = Bool(
        True, help=N_("Let the tape watch the trainable Variables that the cell reads.")
    ).tag(config=True)
    unconnected_gradients = Enum(
        ["none", "zero"], "none", help=N_("What a source gets that the target does not depend on.")
    ).tag(config=True)
    tape = Unicode("tape", help=N_("The name that the tape is bound to.")).tag(config=True)
    graph = Bool(True, help=N_("Record the ops and draw the computation graph.")).tag(config=True)
    static = Bool(False, help=N_("Show the static report, without a widget.")).tag(config=True)
    quiet = Bool(False, help=N_("Show nothing.")).tag(config=True)
    lr = Unicode("0.1", help=N_("The learning rate of %%graddescent.")).tag(config=True)
    steps = Int(100, help=N_("How many steps %%graddescent takes.")).tag(config=True)
    optimizer = Unicode("sgd", help=N_("What moves the sources of %%graddescent.")).tag(config=True)

    language = Enum(
        ["", *LANGUAGES],
        "",
        help=N_("The language of what gradmagic writes; empty: that of the environment."),
    ).tag(config=True)
    large = Bool(
        False, help=N_("Show what follows large, for a projector: larger type, full contrast.")
    ).tag(config=True)
    grey = Bool(False, help=N_("Show what follows in greys, to be printed.")).tag(config=True)

    @observe("language")
    def _speak(self, change: Any) -> None:
        choose_language(change["new"])
        translate_help(self)

    @observe("large", "grey")
    def _present(self, change: Any) -> None:
        from gradmagic.render.presenting import choose_presentation

        choose_presentation(**{change["name"]: change["new"]})

    @magic_arguments()
    @kwds(
        description=N_(
            "Run the cell under a tf.GradientTape and show loss, gradients and computation graph. "
            "Afterwards `grads` holds the gradients, by position and by name, and `tape` is still "
            "unused."
        )
    )
    @argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help=N_(
            "What to differentiate by: a tensor, a "
            "Variable, a layer or model, a list or dict of these: w, layer.kernel, params['w']. "
            "None: what the tape watches by itself."
        ),
    )
    @argument(
        "-t",
        "--target",
        metavar="EXPR",
        help=N_(
            "What to differentiate. Default: loss where "
            "the cell assigns it, else the cell's last expression, else its last float tensor."
        ),
    )
    @argument(
        "--persistent",
        action="store_true",
        default=None,
        help=N_("Let tape.gradient be called more than once."),
    )
    @argument(
        "--no-watch-accessed-variables",
        action="store_false",
        default=None,
        dest="watch_accessed_variables",
        help=N_(
            "Watch the plain tensors named here and what is watched by hand, "
            "but no Variable for being read."
        ),
    )
    @argument(
        "--unconnected-gradients",
        choices=["none", "zero"],
        default=None,
        help=N_("What a source gets that the target does not depend on: None, or zeros."),
    )
    @argument(
        "--tape", metavar="NAME", default=None, help=N_("The name that the tape is bound to.")
    )
    @argument(
        "--jacobian",
        action="store_true",
        help=N_("Take the Jacobian of a target that is no scalar."),
    )
    @argument("--hessian", action="store_true", help=N_("Take the Hessian over all sources too."))
    @argument(
        "--no-graph",
        action="store_false",
        default=None,
        dest="graph",
        help=N_("Do not record the ops."),
    )
    @argument(
        "--static",
        action="store_true",
        default=None,
        help=N_("Show the static report, without a widget."),
    )
    @argument(
        "--ask",
        action="store_true",
        help=N_("Ask what the gradients will be before it shows them."),
    )
    @argument("-q", "--quiet", action="store_true", default=None, help=N_("Show nothing."))
    @argument("-o", "--output", metavar="NAME", help=N_("Keep the run's record under this name."))
    @cell_magic
    def gradtape(self, line: str, cell: str) -> None:
        """Run the cell under the tape, and show the report."""
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
        cell = compile_body(shell, f"%%gradtape {line}", text, given.sources)
        asked = Options(
            sources=tuple(given.sources),
            target=given.target,
            jacobian=given.jacobian,
            hessian=given.hessian,
            magic=f"%%gradtape {line}".rstrip(),
            **options,
        )
        quiet = _or_default(given.quiet, self.quiet)
        try:
            run = run_cell(cell, shell.user_ns, asked, list_earlier(shell))
        except Exception as error:
            if not quiet:
                _explain(error, cell, asked.magic, shell)
            raise
        key = identify_cell(shell, line, text)
        run = runs.remember(run, key, shell.user_ns.get(asked.tape))
        if given.output:
            shell.user_ns[given.output] = run
        if not quiet:
            from gradmagic import show

            static = _or_default(given.static, self.static)
            show.show_run(run, shell, static=static, key=key, ask=given.ask)

    @magic_arguments()
    @kwds(
        description=N_(
            "Descend: run the cell, take the gradients and move the sources, again and again. "
            "The numbers are those of the loop written by hand; `record[0].code` is that loop."
        )
    )
    @argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help=N_(
            "What to move: a tensor (its name is bound to each new one), a Variable, a layer or "
            "model, a list or dict of these."
        ),
    )
    @argument(
        "-t",
        "--target",
        metavar="EXPR",
        help=N_(
            "The loss. Default: loss where the cell assigns it, else the cell's last expression, "
            "else its last float tensor."
        ),
    )
    @argument(
        "--lr", metavar="RATE", help=N_("The learning rate; of 0.01,0.1,1 each from the start.")
    )
    @argument("--steps", type=int, default=None, help=N_("How many steps."))
    @argument(
        "--optimizer",
        metavar="NAME",
        default=None,
        help=N_("sgd, momentum, nesterov, rmsprop, adam, or the name of your own Keras optimizer."),
    )
    @argument("--compile", action="store_true", help=N_("Run each step as a tf.function."))
    @argument(
        "--until",
        type=float,
        metavar="TOL",
        help=N_("Stop where the loss changes by at most this from one step to the next."),
    )
    @argument(
        "--batches",
        metavar="EXPR",
        help=N_("A list or dataset: each step binds the next element to the name batch."),
    )
    @argument("--static", action="store_true", default=None, help=N_("Show it without a widget."))
    @argument("-q", "--quiet", action="store_true", default=None, help=N_("Show nothing."))
    @argument("-o", "--output", metavar="NAME", help=N_("Keep the record under this name."))
    @cell_magic
    def graddescent(self, line: str, cell: str) -> None:
        """Run the cell again and again, and show the descent."""
        __tracebackhide__ = True
        try:
            given = parse_line("%%graddescent", self.graddescent, line)
            self._descend(given, line, cell)
        except UserError as error:
            raise UsageError(str(error)) from None

    def _descend(self, given: argparse.Namespace, line: str, text: str) -> None:
        __tracebackhide__ = True
        from gradmagic import descending
        from gradmagic.core.descent.records import DescentOptions

        shell: Any = self.shell
        check_name(given.output or "run")
        optimizer = unquote(_or_default(given.optimizer, self.optimizer))
        options = DescentOptions(
            sources=tuple(join_brackets(given.sources)),
            target=None if given.target is None else unquote(given.target),
            rates=descending.choose_rates(given.lr, optimizer, self.lr),
            steps=_or_default(given.steps, self.steps),
            optimizer=optimizer,
            compile=given.compile,
            until=given.until,
            batches=None if given.batches is None else unquote(given.batches),
            magic=f"%%graddescent {line}".rstrip(),
        )
        cell = compile_body(shell, options.magic, text, ())
        record = descending.descend_cell(
            cell,
            shell,
            options,
            follow_cell,
            quiet=_or_default(given.quiet, self.quiet),
            static=_or_default(given.static, self.static),
            key=identify_cell(shell, line, text),
        )
        if given.output:
            shell.user_ns[given.output] = record

    @magic_arguments()
    @kwds(
        description=N_(
            "Compare MSE with crossentropy on one-hot targets, in a panel at the side. The panel "
            "follows the notebook: it shows the new numbers whenever a cell has made them."
        )
    )
    @argument(
        "operands",
        nargs="*",
        metavar="TARGETS PREDICTIONS",
        help=N_(
            "Class numbers, one-hot rows or soft labels; and logits or probabilities. "
            "None: what the graph of the last %%%%gradtape cell shows."
        ),
    )
    @argument(
        "--from-logits",
        action="store_true",
        default=None,
        help=N_("PREDICTIONS are logits. Default: told by their values."),
    )
    @argument(
        "--probabilities",
        action="store_false",
        default=None,
        dest="from_logits",
        help=N_("PREDICTIONS are probabilities."),
    )
    @argument(
        "--sources",
        nargs="+",
        default=(),
        metavar="SOURCE",
        help=N_(
            "Show the gradients with respect to these too; the last %%%%gradtape cell must have "
            "made PREDICTIONS from them."
        ),
    )
    @argument("--inline", action="store_true", help=N_("Show it below the cell, not at the side."))
    @argument(
        "--ask",
        action="store_true",
        help=N_("Ask which loss has the larger gradient before it shows them."),
    )
    @line_magic
    def gradlosses(self, line: str) -> None:
        """Compare the losses, and show the panel."""
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
        asked = sidebar.Asked(
            targets, predictions, given.from_logits, sources, given.inline, given.ask
        )
        sidebar.show_losses(asked, self.shell, identify_line(self.shell, f"%gradlosses {line}"))

    @magic_arguments()
    @kwds(
        description=N_(
            "Show activations and their derivatives, with a point to drag and layers to stack."
        )
    )
    @argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=N_(
            "An activation (sigmoid, tanh, relu, leaky_relu, elu, softplus, gelu, swish, softmax) "
            "or any elementwise function of the notebook. Default: sigmoid tanh relu."
        ),
    )
    @argument(
        "--range",
        nargs=2,
        type=float,
        metavar=("LO", "HI"),
        dest="range_",
        help=N_("From where to where. Default: -6 6, further where TENSOR reaches further."),
    )
    @argument(
        "--of",
        metavar="TENSOR",
        help=N_(
            "Lay the histogram of this tensor under the curves, and count how much of it is "
            "where an activation is saturated."
        ),
    )
    @argument(
        "--bound",
        type=float,
        metavar="B",
        default=0.05,
        help=N_("Saturated is where |derivative| < B. Default: 0.05."),
    )
    @argument("--ask", action="store_true", help=N_("Ask about the slopes before it shows them."))
    @line_magic
    def gradactivation(self, line: str) -> None:
        """Compute the activations, and show them."""
        __tracebackhide__ = True
        try:
            given = parse_line("%gradactivation", self.gradactivation, line)
            from gradmagic import activating

            names = tuple(unquote(one) for one in join_brackets(given.names))
            of = None if given.of is None else unquote(given.of)
            asked = activating.AskedActivations(names, given.range_, of, given.bound, given.ask)
            activating.show_activations(
                asked, self.shell, identify_line(self.shell, f"%gradactivation {line}")
            )
        except UserError as error:
            raise UsageError(str(error)) from None

    @magic_arguments()
    @kwds(
        description=N_(
            "Write every report of this kernel into one page that needs no kernel and no network: "
            "each with its cell, what gradmagic found, and what was guessed."
        )
    )
    @argument("file", metavar="FILE", help=N_("The page: a name that ends in .html."))
    @argument("--force", action="store_true", help=N_("Replace a file that is there already."))
    @line_magic
    def gradexport(self, line: str) -> None:
        """Write the page."""
        __tracebackhide__ = True
        try:
            given = parse_line("%gradexport", self.gradexport, line)
            from gradmagic import exporting

            print(exporting.export_reports(unquote(given.file), force=given.force))  # noqa: T201
        except UserError as error:
            raise UsageError(str(error)) from None


def _explain(error: Exception, cell: Cell, magic: str, shell: Any) -> None:
    """A line above the traceback, where it is certain what failed; the exception stays as it is."""
    with contextlib.suppress(Exception):  # no flaw here may take its place
        from gradmagic.core.diagnose.failing.failure import explain_failure

        diagnosis = explain_failure(error, cell.tree, cell.filename, magic)
        if diagnosis is not None:
            from gradmagic import show

            show.show_failure(diagnosis, shell)


def follow_cell(_result: Any = None) -> None:
    """After each cell: nothing to do, and nothing imported, before a panel was opened."""
    sidebar = sys.modules.get("gradmagic.sidebar")
    if sidebar is not None:
        sidebar.follow_cells()


def _or_default(given: Any, default: Any) -> Any:
    return default if given is None else given
