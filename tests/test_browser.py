"""The report in real JupyterLab and Notebook 7, in Chromium: live, saved, opened again."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser

TOKEN = "gradmagic"  # noqa: S105  (a server of this test alone)
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SET_UP = """
%load_ext gradmagic
import tensorflow as tf
tf.random.set_seed(1)
x, w, b = tf.random.normal([2, 4]), tf.random.normal([4, 3]), tf.zeros([3])
names = {"<img src=x onerror=window.hacked=1>": w}
"""
CROSSENTROPY = """%%gradtape w b
logits = x @ w + b
loss = tf.reduce_mean(
    tf.losses.categorical_crossentropy(tf.one_hot([2, 0], 3), logits, from_logits=True))
"""
HOSTILE = """%%gradtape names
loss = tf.reduce_sum(w ** 2)  # <img src=x onerror=window.hacked=1>
"""
CELLS = [SET_UP, CROSSENTROPY, HOSTILE]


def find_chromium() -> str | None:
    """Debian's Chromium, or Chrome."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; without one the tests skip, but fail where CI=true."""
    path = find_chromium()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium on this machine: install Debian's package chromium")
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


class Server:
    """A Jupyter server over one folder."""

    def __init__(self, base: str, folder: Path) -> None:
        self.base, self.folder = base, folder

    def write(self, name: str, cells: list[str]) -> None:
        """A notebook with these cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)

    def address(self, app: str, name: str) -> str:
        """Where a notebook opens; in JupyterLab in a workspace of its own, with no other tab."""
        if app == "lab":
            return f"{self.base}/lab/workspaces/{uuid.uuid4().hex}/tree/{name}?token={TOKEN}"
        return f"{self.base}/notebooks/{name}?token={TOKEN}"

    def stop_kernels(self) -> None:
        """Shut every session down."""
        for session in self._ask("GET", "/api/sessions"):
            self._ask("DELETE", f"/api/sessions/{session['id']}")

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(  # noqa: S310  (our own server)
            f"{self.base}{path}", method=method, headers={"Authorization": f"token {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Server]:
    """One Jupyter server for this file (without Chromium it is not started)."""
    folder = tmp_path_factory.mktemp("notebooks")
    settings = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--allow-root",
            "--no-browser",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={folder}",
            f"--LabApp.user_settings_dir={folder / '.settings'}",
            f"--LabApp.workspaces_dir={folder / '.workspaces'}",
        ],
        stdout=log,
        stderr=log,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    started = Server(f"http://127.0.0.1:{port}", folder)
    try:
        for _ in range(120):
            try:
                started._ask("GET", "/api/status")
                break
            except OSError:
                assert process.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.5)
        yield started
    finally:
        process.terminate()
        process.wait(20)
        log.close()


class Page:
    """A notebook open in the browser."""

    def __init__(self, browser: Any, url: str, *, width: int = 1300) -> None:
        self.errors: list[str] = []
        self.app = self.name = ""
        self.page = browser.new_page(viewport={"width": width, "height": 1400})
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)

    def _on_console(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)

    def run_all(self) -> None:
        """Run all cells, to the end; fails where a cell failed."""
        self.page.wait_for_timeout(3000)  # until the kernel is connected
        self.page.keyboard.press("Escape")
        self.page.click(".lm-MenuBar >> text=Run")
        self.page.click("text=Run All Cells")
        self.page.wait_for_function(
            """() => document.querySelector('[data-mime-type="application/vnd.jupyter.error"]')
            || [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')].every(
                (prompt) => /\\[\\d+\\]/.test(prompt.textContent))""",
            timeout=120_000,
        )
        failed = self.page.locator("[data-mime-type='application/vnd.jupyter.error']")
        assert not failed.count(), failed.first.inner_text()

    def save(self) -> None:
        """Save the notebook."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(2000)

    def count_visible(self, selector: str) -> int:
        """How many elements are to be seen."""
        return sum(one.is_visible() for one in self.page.locator(selector).all())


@pytest.fixture(scope="module", params=["lab", "notebook"])
def opened(request: pytest.FixtureRequest, server: Server, chromium: Any) -> Iterator[Page]:
    """The notebook, run in JupyterLab and in Notebook 7, and saved."""
    name = f"{request.param}.ipynb"
    server.write(name, CELLS)
    page = Page(chromium, server.address(request.param, name))
    page.app, page.name = request.param, name
    page.run_all()
    page.page.wait_for_selector(".gm-live .gm-tabs", timeout=60_000)
    page.save()
    yield page
    page.page.close()


def test_the_live_report_shows_and_the_static_one_does_not(opened: Page) -> None:
    assert opened.count_visible(".gm-live .gm") == 2
    assert opened.count_visible(".gm-static .gm") == 0
    assert opened.page.locator(".gm-live .gm-head").first.inner_text().startswith("loss")


def test_tabs_switch_by_mouse_and_by_keyboard(opened: Page) -> None:
    report = opened.page.locator(".gm-live").first
    report.get_by_role("tab", name="Graph").click()
    assert report.locator(".gm-panel.gm-graph svg").first.is_visible()
    assert not report.locator(".gm-panel.gm-gradients").is_visible()
    opened.page.keyboard.press("ArrowRight")
    assert report.get_by_role("tab", name="Code").get_attribute("aria-selected") == "true"
    assert "tape.watch([w, b])" in report.locator(".gm-panel.gm-code").inner_text()
    opened.page.keyboard.press("Home")
    assert report.locator(".gm-panel.gm-gradients").is_visible()


def test_hostile_names_stay_text(opened: Page) -> None:
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator(".gm img").count() == 0
    assert "<img src=x onerror" in opened.page.locator(".gm-live").nth(1).inner_text()


def test_nothing_is_wider_than_the_page(opened: Page) -> None:
    for report in opened.page.locator(".gm-live .gm").all():
        assert report.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


def test_the_console_holds_no_error_of_ours(opened: Page, server: Server, chromium: Any) -> None:
    server.write("plain.ipynb", ["1 + 1"])  # what the front-end logs by itself
    plain = Page(chromium, server.address(opened.app, "plain.ipynb"))
    plain.run_all()
    plain.page.close()
    assert set(opened.errors) <= set(plain.errors)


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
def test_opened_again_without_its_kernel_it_shows_the_static_report(
    opened: Page, server: Server, chromium: Any, trusted: bool
) -> None:
    name = opened.name
    if not trusted:  # a changed file has no valid signature
        name = f"changed-{name}"
        text = (server.folder / opened.name).read_text("utf-8")
        (server.folder / name).write_text(text.replace("loss = ", "loss  = "), "utf-8")
    opened.page.goto("about:blank")
    server.stop_kernels()
    again = Page(chromium, server.address(opened.app, name))
    again.page.wait_for_timeout(5000)  # the widget manager has had its time to fail
    seen = again.page.locator(".jp-Notebook >> visible=true").first.inner_text()
    assert "model not found" not in seen
    assert again.count_visible(".gm-live .gm") == 0
    if trusted:
        assert again.count_visible(".gm-static .gm") == 2
    assert seen.count("d loss / d") >= 2
    again.page.close()
