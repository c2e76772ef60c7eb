"""A shell that shows reports as a kernel's does, up to the wire: it keeps what it would send."""

from __future__ import annotations

import json
import logging
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Any as AnyTrait
from traitlets import Type


class _Publisher(DisplayPublisher):
    """Writes each message as the kernel would, and keeps its size."""

    bytes = 0

    def publish(self, data: dict[str, Any], metadata: Any = None, **_more: Any) -> None:
        self.bytes += len(json.dumps({"data": data, "metadata": metadata or {}}).encode())


class KernelShell(InteractiveShell):
    """As :class:`InteractiveShell`, and takes itself for a kernel's."""

    display_pub_class = Type(_Publisher)
    kernel = AnyTrait(default_value=object())


def start_shell() -> KernelShell:
    """The shell of this process, with the extension loaded and no history on disk."""
    logging.disable(logging.WARNING)  # a widget outside a kernel says that nobody listens
    KernelShell.history_manager_class = None
    shell = KernelShell.instance()
    shell.run_line_magic("load_ext", "gradmagic")
    return shell


def run(shell: KernelShell, text: str) -> None:
    """Run a cell; raises what it raises."""
    shell.run_cell(text, store_history=True).raise_error()


def count_message_bytes(shell: KernelShell, text: str) -> int:
    """Bytes of all messages that a cell sends to the browser, its widget's state included."""
    from gradmagic import show

    shell.display_pub.bytes = 0
    before = set(show._widgets)
    run(shell, text)
    states = [show._widgets[key].get_state() for key in set(show._widgets) - before]
    return shell.display_pub.bytes + len(json.dumps(states).encode())
