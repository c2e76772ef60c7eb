"""A magic's line: its words, its options, and what to say where they make no sense."""

from __future__ import annotations

import difflib
import keyword
import re
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import (
    MagicArgumentParser,
    MagicHelpFormatter,
    parse_argstring,
)

from gradmagic.core.errors import UserError
from gradmagic.core.i18n import N_, _
from gradmagic.render.lettering import wrap_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from IPython.core.magic import Magics

_ARGUMENTS, _OPTIONS = N_("arguments"), N_("options")

# What argparse says, and the same in words that can be translated.
_SAID = (
    (
        r"argument (?P<option>\S+): invalid int value: (?P<value>.+)",
        N_("{option} takes a whole number, not {value}"),
    ),
    (
        r"argument (?P<option>\S+): invalid float value: (?P<value>.+)",
        N_("{option} takes a number, not {value}"),
    ),
    (
        r"argument (?P<option>\S+): invalid choice: (?P<value>.+) \(choose from (?P<choices>.+)\)",
        N_("{option} cannot be {value}; choose one of {choices}"),
    ),
    (
        r"argument (?P<option>\S+): expected (?P<count>[2-9]) arguments",
        N_("{option} takes {count} values, divided by blanks"),
    ),
    (
        r"argument (?P<option>\S+): expected (?:at least )?one argument",
        N_("{option} takes a value; type it after the option"),
    ),
    (
        r"argument (?P<option>\S+): ignored explicit argument (?P<value>.+)",
        N_("{option} takes no value; leave out {value}"),
    ),
    (
        r"ambiguous option: (?P<option>\S+) could match (?P<choices>.+)",
        N_("{option} could be one of {choices}; type it in full"),
    ),
    (
        r"the following arguments are required: (?P<option>.+)",
        N_("the line lacks {option}"),
    ),
)
# What argparse takes for a number, where it stands alone, knows no exponent: -1e3.
_NEGATIVE_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$|-inf$", re.IGNORECASE)
_originals: dict[tuple[Any, str], str] = {}  # the English of what was translated


def parse_line(name: str, magic: Any, line: str) -> argparse.Namespace:
    """The line's arguments as the magic declares them; UserError where they make no sense.

    Parameters
    ----------
    name
        The magic as it is typed: ``%%gradtape``.
    magic
        Its method.
    line
        What follows the name.
    """
    magic.parser._negative_number_matcher = _NEGATIVE_NUMBER  # noqa: SLF001  (no other way in)
    try:
        return parse_argstring(magic, line)
    except UsageError as error:
        raise UserError(_say_usage(name, str(error), magic.parser)) from None
    except ValueError as error:  # from the splitting into words
        raise UserError(
            _("the line of {magic} cannot be read ({why}): each quote needs its second").format(
                magic=name, why=error
            )
        ) from None


def _say_usage(name: str, message: str, parser: MagicArgumentParser) -> str:
    """What is wrong with a line; the nearest option to one that does not exist."""
    for pattern, said in _SAID:
        found = re.fullmatch(pattern, message)
        if found:
            words = found.groupdict()
            words["option"] = words["option"].rsplit("/", 1)[-1]  # the long name of -q/--quiet
            if "choices" in words:
                words["choices"] = words["choices"].replace("'", "")
            return _(said).format_map(words)
    unknown = re.search(r"unrecognized arguments: (\S+)", message)
    if not unknown:
        return message
    if not unknown[1].startswith("-"):
        return _(
            "there is one word too many: {word}; put an expression with spaces in quotes"
        ).format(word=unknown[1])
    near = difflib.get_close_matches(unknown[1], list_options(parser), 1)
    if near:
        return _("there is no option {option}; did you mean {near}?").format(
            option=unknown[1], near=near[0]
        )
    return _("there is no option {option}; {magic}? lists the options").format(
        option=unknown[1], magic=name
    )


def list_options(parser: MagicArgumentParser) -> list[str]:
    """All options that a magic has."""
    return [
        option
        for action in parser._actions  # noqa: SLF001  (argparse has no other list of them)
        for option in action.option_strings
        if option not in ("-h", "--help")
    ]


class _HelpFormatter(MagicHelpFormatter):
    """IPython's, in lines as wide as they look: a Chinese character takes two columns."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap_text(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrap_text(text, width))


def translate_help(magics: Magics) -> None:
    """What ``%%gradtape?`` and ``%config GradTapeMagics`` say, in the language in use."""
    for trait in type(magics).class_own_traits(config=True).values():
        trait.help = _(_originals.setdefault((trait, "help"), trait.help))
    for kind in magics.magics.values():
        for magic in kind.values():
            function = magic.__func__
            parser = function.parser
            for part, key in [(parser, "description"), *((a, "help") for a in parser._actions)]:  # noqa: SLF001
                english = _originals.setdefault((part, key), getattr(part, key))
                setattr(part, key, _(english))
            parser.formatter_class = _HelpFormatter
            for group, title in zip(parser._action_groups, (_ARGUMENTS, _OPTIONS), strict=False):  # noqa: SLF001
                group.title = _(title)
            function.__doc__ = parser.format_help()


def join_brackets(words: Sequence[str]) -> list[str]:
    """Expressions whose brackets hold spaces, which the line's splitting tore apart: made whole."""
    joined: list[str] = []
    open_part = ""
    for word in words:
        part = f"{open_part} {word}" if open_part else word
        if part.count("[") > part.count("]") or part.count("(") > part.count(")"):
            open_part = part
        else:
            joined.append(part)
            open_part = ""
    return [*joined, open_part] if open_part else joined


def unquote(text: str) -> str:
    """``text`` without the quotes around the whole of it."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def check_name(name: str) -> None:
    """UserError where ``name`` cannot be a Python name."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UserError(_("'{name}' cannot be a Python name").format(name=name))
