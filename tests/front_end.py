"""Real JupyterLab and Notebook 7, driven in Chromium."""

from __future__ import annotations

import contextlib
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "gradmagic"  # noqa: S105  (a server for this machine alone)
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """Debian's Chromium, or Chrome."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def start_chromium(path: str) -> Iterator[Any]:
    """A headless browser."""
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


@contextlib.contextmanager
def start_server(folder: Path) -> Iterator[Server]:
    """A Jupyter server over a folder, without news and with a workspace of its own."""
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
        while self._start_all() == "lost":  # it was connected later than that
            pass
        failed = self.page.locator("[data-mime-type='application/vnd.jupyter.error']")
        assert not failed.count(), failed.first.inner_text()

    def _start_all(self) -> str:
        """Choose Run All Cells; how that ended: ``done``, ``failed`` or ``lost``."""
        self.page.keyboard.press("Escape")
        self.page.click(".lm-MenuBar >> text=Run")
        self.page.click("text=Run All Cells")
        self.page.wait_for_timeout(1500)
        ended = self.page.wait_for_function(
            """() => {
                if (document.querySelector('[data-mime-type="application/vnd.jupyter.error"]')) return "failed";
                const all = [...document.querySelectorAll(".jp-CodeCell .jp-InputArea-prompt")];
                if (all.every((prompt) => /\\[\\d+\\]/.test(prompt.textContent))) return "done";
                return all.every((prompt) => /\\[\\s\\]/.test(prompt.textContent)) ? "lost" : null;
            }""",
            timeout=120_000,
        )
        return str(ended.json_value())

    def save(self) -> None:
        """Save the notebook."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(2000)

    def count_visible(self, selector: str) -> int:
        """How many elements are to be seen."""
        return sum(one.is_visible() for one in self.page.locator(selector).all())
