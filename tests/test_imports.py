"""The import directions, core <- render <- widgets <- show <- magics, and what is imported when."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(__file__).parent.parent / "gradmagic"

# each imports itself and those before it
LAYERS = (
    "core",
    "render",
    "widgets",
    "shell",
    "show",
    "saving",
    "sidebar",
    "activating",
    "descending",
    "displaying",
    "exporting",
    "arguments",
    "magics",
    "extension",
)

# What a layer may import from outside, beside the standard library; a layer not named here is free.
OUTSIDE = {
    "core": {"numpy", "tensorflow", "keras", "networkx", "pygraphviz"},
    "render": {"numpy", "cssselect2", "fontTools", "matplotlib", "tinycss2"},
    "widgets": {"numpy", "anywidget", "rjsmin", "ipywidgets", "sidecar", "traitlets"},
}

# What only some files may import, whatever their layer.
SOLE_IMPORTERS = {
    "IPython": {"magics.py", "arguments.py", "displaying.py", "show.py"},
    "matplotlib": {"render/plots.py"},
    "networkx": {"core/graph/networks.py"},
    "matplotlib.pyplot": set(),
    "pylab": set(),
    "tensorflow.python": {"core/recorder.py"},
}

URL = re.compile(r"https?://(?!www\.w3\.org/)[^\s\"'`)>]*")


def find_breaches(package: Path) -> list[str]:
    """One line for each import in ``package`` that goes against the rules above."""
    return [
        f"{path}:{line}: {breach}"
        for file, path in _list_files(package, ".py")
        for line, name, always, for_types in _find_imports(_parse(file), path)
        for breach in _judge(path, name, always=always, for_types=for_types)
    ]


def find_urls(package: Path) -> list[str]:
    """One line for each address in the sources that a browser could be made to load."""
    return [
        f"{path}: {url}"
        for file, path in _list_files(package, ".py", ".js", ".css")
        for url in URL.findall(file.read_text(encoding="utf-8"))
    ]


def _list_files(package: Path, *suffixes: str) -> Iterator[tuple[Path, str]]:
    """Each file, and its path inside the package with forward slashes."""
    for file in sorted(package.rglob("*")):
        if file.suffix in suffixes:
            yield file, file.relative_to(package).as_posix()


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), file.name)


def _find_imports(module: ast.Module, path: str) -> Iterator[tuple[int, str, bool, bool]]:
    """Each import's line, full dotted name, whether importing the file does it, and whether only mypy does."""
    todo: list[tuple[ast.AST, bool, bool]] = [(module, True, False)]
    while todo:
        node, always, for_types = todo.pop()
        for name in _name_imports(node, path):
            yield node.lineno, name, always and not for_types, for_types
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            todo += [(child, always, True) for child in node.body]
            todo += [(child, always, for_types) for child in node.orelse]
            continue
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        todo += [(child, always and not inside, for_types) for child in ast.iter_child_nodes(node)]


def _name_imports(node: ast.AST, path: str) -> Iterable[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            here = ["gradmagic", *path.split("/")]
            base = here[: len(here) - node.level] if node.level else []
            base += [node.module] if node.module else []
            return [".".join([*base, alias.name]) for alias in node.names]
        case ast.Call(args=[ast.Constant(value=str(name)), *_]):
            if ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
                return [name]
    return []


def _judge(path: str, name: str, *, always: bool, for_types: bool) -> Iterator[str]:
    top, _, rest = name.partition(".")
    layer = path.partition("/")[0].removesuffix(".py")
    if layer == "__init__":
        if always and top in {"IPython", "tensorflow"}:
            yield f"importing gradmagic imports {name}"
        if for_types:
            return
    elif layer not in LAYERS:
        yield f"{layer} is none of the layers {', '.join(LAYERS)}"
        return
    elif top == "gradmagic":
        below = LAYERS[: LAYERS.index(layer) + 1]
        if rest.split(".")[0] not in below:
            yield f"{layer} imports {name}"
    elif top not in sys.stdlib_module_names and top not in OUTSIDE.get(layer, {top}):
        yield f"{layer} imports {name}"
    for owned, owners in SOLE_IMPORTERS.items():
        if f"{name}.".startswith(f"{owned}.") and path not in owners:
            yield f"only {', '.join(sorted(owners)) or 'nobody'} may import {owned}"
    if path == "show.py" and top == "IPython" and not f"{name}.".startswith("IPython.display."):
        yield f"show.py may import IPython.display, not {name}"


def _write(package: Path, path: str, source: str) -> None:
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")


def test_imports_go_one_way():
    assert find_breaches(PACKAGE) == []


def test_no_addresses_in_the_sources():
    assert find_urls(PACKAGE) == []


def test_the_checks_read_the_whole_package():
    read = {path for _, path in _list_files(PACKAGE, ".py", ".js", ".css")}
    assert {"__init__.py", "magics.py", "show.py", "core/tape.py", "core/recorder.py"} <= read
    assert any(path.endswith(".js") for path in read)
    assert any(path.endswith(".css") for path in read)


@pytest.mark.parametrize(
    ("path", "source", "breach"),
    [
        ("core/a.py", "import gradmagic.render.svg", "core imports gradmagic.render.svg"),
        ("core/a.py", "from gradmagic import render", "core imports gradmagic.render"),
        ("core/a.py", "from gradmagic import last_run", "core imports gradmagic.last_run"),
        ("core/a.py", "from gradmagic.widgets import x", "core imports gradmagic.widgets.x"),
        ("core/a.py", "from ..show import x", "core imports gradmagic.show.x"),
        ("core/a.py", "from gradmagic.magics import x", "core imports gradmagic.magics.x"),
        ("core/a.py", "import IPython", "core imports IPython"),
        ("core/a.py", "import ipywidgets as w", "core imports ipywidgets"),
        ("core/a.py", "def f():\n    import anywidget", "core imports anywidget"),
        ("core/a.py", "if TYPE_CHECKING:\n    import sidecar", "core imports sidecar"),
        ("core/a.py", "from matplotlib.figure import F", "core imports matplotlib.figure.F"),
        ("core/a.py", "importlib.import_module('sidecar')", "core imports sidecar"),
        ("core/b/c.py", "from ...render import x", "core imports gradmagic.render.x"),
        ("render/a.py", "from gradmagic.widgets import x", "render imports gradmagic.widgets.x"),
        ("render/a.py", "from gradmagic.show import x", "render imports gradmagic.show.x"),
        ("render/a.py", "import tensorflow as tf", "render imports tensorflow"),
        ("render/a.py", "from IPython.display import x", "render imports IPython.display.x"),
        ("render/a.py", "import matplotlib", "only render/plots.py may import matplotlib"),
        ("render/plots.py", "import matplotlib.pyplot", "nobody may import matplotlib.pyplot"),
        ("render/plots.py", "from matplotlib import pyplot", "nobody may import matplotlib.pyplot"),
        ("render/plots.py", "import pylab", "nobody may import pylab"),
        ("widgets/a.py", "from gradmagic.show import x", "widgets imports gradmagic.show.x"),
        ("widgets/a.py", "import gradmagic.magics", "widgets imports gradmagic.magics"),
        ("widgets/a.py", "import IPython.display", "widgets imports IPython.display"),
        ("widgets/a.py", "import tensorflow", "widgets imports tensorflow"),
        ("show.py", "from gradmagic.magics import x", "show imports gradmagic.magics.x"),
        ("show.py", "from IPython import get_ipython", "not IPython.get_ipython"),
        ("show.py", "import matplotlib", "only render/plots.py may import matplotlib"),
        ("magics.py", "import gradmagic", "magics imports gradmagic"),
        ("magics.py", "from matplotlib import cm", "only render/plots.py may import matplotlib"),
        ("core/a.py", "from tensorflow.python.eager import x", "only core/recorder.py may import"),
        ("core/a.py", "from tensorflow import python", "only core/recorder.py may import"),
        ("magics.py", "import tensorflow.python", "only core/recorder.py may import"),
        ("__init__.py", "import tensorflow as tf", "importing gradmagic imports tensorflow"),
        (
            "__init__.py",
            "try:\n    import IPython.core\nexcept E: pass",
            "gradmagic imports IPython",
        ),
        (
            "__init__.py",
            "def f():\n    import IPython",
            "only arguments.py, displaying.py, magics.py, show.py may import IPython",
        ),
        ("utils.py", "import math", "utils is none of the layers"),
    ],
)
def test_the_check_of_imports_can_fail(tmp_path, path, source, breach):
    _write(tmp_path, path, source)
    found = find_breaches(tmp_path)
    assert found
    assert all(line.startswith(f"{path}:") for line in found)
    assert any(breach in line for line in found)


def test_the_check_of_imports_lets_good_ones_pass(tmp_path):
    for path, source in {
        "__init__.py": "if TYPE_CHECKING:\n    import IPython\n"
        "def load_ipython_extension(shell):\n    from gradmagic.magics import load\n",
        "core/recorder.py": "import tensorflow.python\nfrom gradmagic.core import records",
        "core/layout/rows.py": "import math\nimport pygraphviz\nfrom .records import Graph",
        "render/plots.py": "from matplotlib.figure import Figure\nimport gradmagic.core.records",
        "widgets/graph.py": "import anywidget\nfrom gradmagic.render import svg",
        "show.py": "from IPython.display import display\nfrom gradmagic.widgets import graph",
        "magics.py": "import IPython\nfrom gradmagic import core, show",
    }.items():
        _write(tmp_path, path, source)
    assert find_breaches(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("widgets/a.js", "import * as d3 from 'https://cdn.example.org/d3.js';"),
        ("widgets/a.css", "@import url(http://fonts.example.org/a.css);"),
        ("render/a.py", "LINK = 'https://example.org'"),
    ],
)
def test_the_check_of_addresses_can_fail(tmp_path, path, source):
    _write(tmp_path, path, source)
    assert len(find_urls(tmp_path)) == 1


def test_the_check_of_addresses_lets_svg_pass(tmp_path):
    _write(tmp_path, "widgets/a.js", "const SVG = 'http://www.w3.org/2000/svg';")
    assert find_urls(tmp_path) == []


LOAD = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "gradmagic")
assert "gradmagic" in shell.extension_manager.loaded
assert "gradtape" in shell.magics_manager.magics["cell"]
"""


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import gradmagic", {"tensorflow", "keras", "matplotlib", "pygraphviz", "IPython"}),
        (LOAD, {"tensorflow", "keras", "matplotlib", "pygraphviz"}),
    ],
    ids=["import", "load_ext"],
)
def test_loading_imports_nothing_slow(tmp_path, code, unwanted):
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('modules:', *sys.modules)"],
        cwd=PACKAGE.parent,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    modules = ended.stdout.partition("modules:")[2].split()
    assert "gradmagic" in modules
    assert unwanted & {module.partition(".")[0] for module in modules} == set()
