"""Two notebooks whose code is the same up to names, comments and strings."""

from __future__ import annotations

import ast
import re
from typing import Any


def list_code(notebook: Any, tag: str | None = None) -> list[Any]:
    """Its code cells, or those with a tag."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return cells if tag is None else [one for one in cells if tag in one.metadata.get("tags", ())]


def match_names(original: Any, other: Any) -> dict[str, str]:
    """Which name stands for which, in two notebooks whose code is else the same.

    Raises
    ------
    AssertionError
        The code differs in more than names, comments and strings.
    """
    names: dict[str, str] = {}
    ours, theirs = list_code(original), list_code(other)
    assert len(ours) == len(theirs)
    for one, two in zip(ours, theirs, strict=True):
        assert one.metadata == two.metadata
        magics, body = _part(one.source)
        their_magics, their_body = _part(two.source)
        _match_words(magics, their_magics, names)
        _match_trees(ast.parse(body), ast.parse(their_body), names)
    assert len(set(names.values())) == len(names)  # no name stands for two
    return names


def _part(source: str) -> tuple[list[str], str]:
    """The words of the magics' lines, and the Python in a cell.

    A line that begins with %config, which sets the language, is no part of the lesson.
    """
    lines = [line for line in source.split("\n") if not line.startswith("%config ")]
    magics = " \n ".join(line for line in lines if line.startswith("%"))
    return re.findall(r"\w+|\S", magics), "\n".join(
        "" if line.startswith("%") else line for line in lines
    )


def _match_words(ours: list[str], theirs: list[str], names: dict[str, str]) -> None:
    assert len(ours) == len(theirs), (ours, theirs)
    for one, two in zip(ours, theirs, strict=True):
        assert names.setdefault(one, two) == two, (one, two)


def _match_trees(one: Any, two: Any, names: dict[str, str]) -> None:
    assert type(one) is type(two), (one, two)
    if isinstance(one, ast.JoinedStr):
        one, two = (  # the texts between the values may stand elsewhere
            [part for part in whole.values if isinstance(part, ast.FormattedValue)]
            for whole in (one, two)
        )
    if isinstance(one, ast.Constant):
        assert type(one.value) is type(two.value)
        assert isinstance(one.value, str) or one.value == two.value, (one.value, two.value)
    elif isinstance(one, list):
        assert len(one) == len(two)
        for ours, theirs in zip(one, two, strict=True):
            _match_trees(ours, theirs, names)
    elif isinstance(one, ast.AST):
        fixed = {ast.Attribute: "attr", ast.keyword: "arg"}.get(
            type(one)
        )  # names that are not ours
        assert fixed is None or getattr(one, fixed) == getattr(two, fixed)
        for field in one._fields:
            if field != fixed:
                _match_trees(getattr(one, field), getattr(two, field), names)
    elif isinstance(one, str):
        _match_words([one], [two], names)
    else:
        assert one == two
