"""The JavaScript of the widgets, by Node's own test runner."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rjsmin

import gradmagic
from gradmagic.render import numbers
from gradmagic.widgets.bundle import join_modules

SCRIPTS = sorted(Path(__file__).parent.glob("*.test.mjs"))
NODE = shutil.which("node")


def test_there_are_scripts():
    assert SCRIPTS


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed, and users do not need it")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script(script):
    environment = {k: v for k, v in os.environ.items() if k != "NODE_OPTIONS"}
    result = subprocess.run(
        [NODE, "--test", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


WIDGETS = Path(gradmagic.__file__).parent / "widgets"


def run_node(source, *arguments):
    """What a module prints, from JSON."""
    environment = {k: v for k, v in os.environ.items() if k != "NODE_OPTIONS"}
    result = subprocess.run(
        [NODE, "--input-type=module", "-e", source, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed, and users do not need it")
def test_numbers_are_written_as_python_writes_them():
    random = np.random.default_rng(1)
    values = [
        0.0,
        1.0,
        -1.0,
        0.5,
        9.9996,
        99.996,
        0.00099999,
        1e6,
        123456.0,
        1e-30,
        28.0,
        16.118095,
    ]
    values += [float(v) for v in random.normal(0, 1, 200) * 10.0 ** random.integers(-12, 8, 200)]
    script = (WIDGETS / "sidebar" / "numbers.js").as_uri()
    source = f"""
        import {{ formatEntry, formatNumber, sayNumber, sayTimes }} from {script!r};
        const values = JSON.parse(process.argv[1]);
        console.log(JSON.stringify(values.map((v) => [
          formatEntry(v), formatEntry(v, 3), formatNumber(v, 7), formatNumber(v, 5),
          sayNumber(Math.abs(v)), sayTimes(Math.abs(v)),
        ])));
    """
    for value, written in zip(values, run_node(source, json.dumps(values)), strict=True):
        assert written == [
            numbers.format_entry(value),
            numbers.format_entry(value, 3),
            numbers.format_number(value, 7),
            numbers.format_number(value, 5),
            numbers.say_number(abs(value)),
            numbers.say_times(abs(value)),
        ], value


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed, and users do not need it")
@pytest.mark.parametrize("squeeze", [str, rjsmin.jsmin], ids=["whole", "squeezed"])
@pytest.mark.parametrize(
    ("name", "exported"),
    [
        ("activation.js", {"default", "mountSavedActivations", "Curves"}),
        ("descent.js", {"default", "mountSavedDescent", "mountPanel"}),
        ("losses.js", {"default", "mountWhenSeen", "Panel", "Table"}),
        ("exporting.js", {"openBook", "inflate", "mountSaved", "mountPanel", "mountExplorer"}),
        ("asking/saved.js", {"mountSavedAsked", "mountQuiz", "markAnswer"}),
        ("report.js", {"default", "mountExplorer", "mountSavedExplorer", "makePicture"}),
        ("asked_report.js", {"default", "mountSavedExplorer", "mountAskedReport", "mountQuiz"}),
    ],
)
def test_the_joined_script_is_one_module(name, exported, squeeze, tmp_path):
    file = tmp_path / "joined.mjs"
    file.write_text(squeeze(join_modules(WIDGETS / name)), "utf-8")
    source = f"""
        const module = await import({file.as_uri()!r});
        console.log(JSON.stringify(Object.keys(module)));
    """
    assert exported <= set(run_node(source))


def test_comments_are_taken_out_and_texts_stay():
    text = 'const a = `x  ${b ? "// no" : 1}\\n  // t`; // one\n/** Two. */\nconst c = /a\\/\\/ b/.test("/* d */");\n'
    line = rjsmin.jsmin(text)
    for kept in ('`x  ${b ? "// no" : 1}\\n  // t`', "/a\\/\\/ b/", '"/* d */"'):
        assert kept in line
    assert "one" not in line
    assert "Two" not in line


def list_unimported(modules):
    """``module: name`` of each function or class that a module calls, and neither has nor imports."""
    exported = r"^export (?:async )?(?:function\*?|class|const|let) (\w+)"
    shared = {
        name for text in modules.values() for name in re.findall(exported, text, re.MULTILINE)
    }
    found = []
    for module, text in modules.items():
        imports = re.findall(r"^import \{([^}]*)\}", text, re.MULTILINE)
        own = {name.strip() for line in imports for name in line.split(",")}
        own |= set(re.findall(r"(?:function\*?|class|const|let) (\w+)", text))
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        code = re.sub(r"(^|\s)// .*$|^\s+[\w ]*\([^()]*\) \{$", "", code, flags=re.MULTILINE)
        called = {name for name in shared if re.search(rf"(?<![\w.$#]){name}\(", code)}
        found += [f"{module}: {name}" for name in sorted(called - own)]
    return found


def test_a_module_imports_what_it_calls():
    modules = {
        str(path.relative_to(WIDGETS)): path.read_text("utf-8") for path in WIDGETS.rglob("*.js")
    }
    assert "explorer/explorer.js" in modules
    assert list_unimported(modules) == []  # (in the joined script they would be there by chance)


def test_the_check_of_imports_can_fail():
    modules = {"a.js": "export function one() {}\n", "b.js": "export const two = () => one();\n"}
    assert list_unimported(modules) == ["b.js: one"]
    modules["b.js"] = f'import {{ one }} from "./a.js";\n{modules["b.js"]}'
    assert list_unimported(modules) == []


def test_joining_takes_each_module_once(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "a.js").write_text(
        'import { b } from "./parts/b.js";\nimport { c } from "./parts/c.js";\nb(c);\n'
    )
    (tmp_path / "parts" / "b.js").write_text(
        'import { c } from "./c.js";\nexport const b = () => c;\n'
    )
    (tmp_path / "parts" / "c.js").write_text("export const c = 1;\n")
    joined = join_modules(tmp_path / "a.js")
    assert joined == "export const c = 1;\n\nexport const b = () => c;\n\nb(c);\n"
