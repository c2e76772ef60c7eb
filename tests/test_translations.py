"""Every text that users see is in the catalogue of every language, whole and with its places."""

from __future__ import annotations

import ast
import gettext
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gradmagic.core import i18n

PACKAGE = Path(__file__).parent.parent / "gradmagic"
KEYWORDS = {"_": None, "N_": None, "_n": (1, 2)}
CATALOGUES = sorted(PACKAGE.glob("locale/*/LC_MESSAGES/*.po"))
each_language = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])


def list_texts() -> set[str | tuple[str, str]]:
    found = extract_from_dir(PACKAGE, [("**.py", "python")], keywords=KEYWORDS)
    return {
        tuple(text) if isinstance(text, list | tuple) else text for _f, _l, text, _c, _x in found
    }


def list_places(text: str) -> set[str]:
    return {name for _t, name, _s, _c in string.Formatter().parse(text) if name is not None}


def find_faults(texts: set[str | tuple[str, str]], path: Path) -> list[str]:
    """One line for each text that is not translated, no longer used, or has other places."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parts[-3])
    messages = {message.id: message for message in catalogue if message.id}
    faults = [f"no longer used: {text!r}" for text in messages.keys() - texts]
    for text in texts:
        message = messages.get(text)
        forms = [] if message is None else message.string
        forms = [forms] if isinstance(forms, str) else list(forms)
        if not forms or not all(forms) or message.fuzzy:
            faults.append(f"untranslated: {text!r}")
            continue
        english = text if isinstance(text, str) else text[-1]
        for form in forms:
            try:
                same = list_places(form) == list_places(english)
            except ValueError:  # braces that are no places
                same = form.count("{") == english.count("{")
            if not same:
                faults.append(f"other places: {english!r} -> {form!r}")
            if (
                form[:1].isspace() != english[:1].isspace()
                or form[-1:].isspace() != english[-1:].isspace()
            ):
                faults.append(f"other blanks at an end: {english!r} -> {form!r}")
    return sorted(faults)


def test_there_is_a_catalogue_of_every_language() -> None:
    assert {path.parts[-3] for path in CATALOGUES} == set(i18n.LANGUAGES) - {i18n.ENGLISH}


@each_language
def test_everything_is_translated_and_keeps_its_places(path: Path) -> None:
    texts = list_texts()
    assert len(texts) > 1000
    assert find_faults(texts, path) == []


def test_faults_are_found(tmp_path: Path) -> None:
    path = tmp_path / "zh_CN" / "LC_MESSAGES" / "x.po"
    path.parent.mkdir(parents=True)
    path.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "a {b}"\nmsgstr "{c}"\n\nmsgid "old"\nmsgstr "x"\n\nmsgid "empty"\nmsgstr ""\n\n'
        'msgid "end "\nmsgstr "x"\n',
        encoding="utf-8",
    )
    faults = find_faults({"a {b}", "empty", "missing", "end "}, path)
    assert [fault.partition(":")[0] for fault in faults] == [
        "no longer used",
        "other blanks at an end",
        "other places",
        "untranslated",
        "untranslated",
    ]


@each_language
def test_what_is_installed_is_what_the_catalogue_says(path: Path) -> None:
    compiled = path.with_suffix(".mo")
    hint = f"{compiled} is old or missing: pip install -e . compiles it"
    assert compiled.exists(), hint
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parts[-3])
    with compiled.open("rb") as file:
        translated = gettext.GNUTranslations(file)
    for message in catalogue:
        if isinstance(message.id, str) and message.id:
            assert translated.gettext(message.id) == message.string, hint
        elif message.id:
            assert translated.ngettext(*message.id, 2) == message.string[-1], hint


def test_nothing_is_translated_before_it_is_shown() -> None:
    """A text that is translated while a module is imported would stay in that language."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for part in (function.body if isinstance(function.body, list) else [function.body])
            for node in ast.walk(part)
        }
        found += [
            f"{file}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("_", "_n")
            and id(node) not in inside
        ]
    assert found == []


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_SG"}, "zh_CN"),
        ({"LC_ALL": "zh_Hans_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "zh_Hant_HK"}, "en"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "de:zh_CN:en"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
    ],
)
def test_the_environment_chooses_the_language(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], language: str
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert i18n.find_language() == language
