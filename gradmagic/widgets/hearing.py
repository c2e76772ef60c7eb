"""Hearing a message of the browser while a cell keeps the kernel busy."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ_IN = 1  # zmq.POLLIN


class Ear:
    """Looks through what has come for the kernel's main thread, between two steps of a cell.

    A front-end that gives widgets a thread of the kernel of their own (JupyterLab 4.4 and Notebook
    7.4 with ipykernel 7) is heard without this. All others put a widget's messages behind the
    running cell. Here they are read early, looked at, and handed on unchanged and in order, so that
    the kernel handles each after the cell as it would have.

    Parameters
    ----------
    kernel
        IPython's kernel; any other object is deaf.
    comm_id
        Whose messages are looked at.
    hear
        Called with the content that the browser sent.
    """

    def __init__(self, kernel: Any, comm_id: str, hear: Callable[[dict[str, Any]], None]) -> None:
        self._comm_id = comm_id
        self._hear = hear
        self._stream = _find_stream(kernel)

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Look at what comes, as long as this is open."""
        stream = self._stream
        handle = getattr(stream, "_recv_callback", None)
        if handle is None:
            yield
            return

        def pass_on(frames: list[Any]) -> Any:
            with contextlib.suppress(Exception):  # what is not understood here is not for us
                self._look_at([bytes(getattr(frame, "bytes", frame)) for frame in frames])
            return handle(frames)

        stream.on_recv(pass_on, copy=False)
        try:
            yield
        finally:
            stream.on_recv(handle, copy=False)

    def read(self) -> None:
        """Read what has come by now; in the thread that runs the cell."""
        if self._stream is not None:
            with contextlib.suppress(Exception):  # a stop is then not heard; the interrupt is
                self._stream.flush(READ_IN)

    def _look_at(self, frames: list[bytes]) -> None:
        """Jupyter's wire protocol: ids, delimiter, signature, header, parent, metadata, content."""
        start = frames.index(b"<IDS|MSG>") + 2
        header, content = json.loads(frames[start]), json.loads(frames[start + 3])
        if header["msg_type"] == "comm_msg" and content["comm_id"] == self._comm_id:
            self._hear(content["data"].get("content") or {})


def _find_stream(kernel: Any) -> Any:
    """Where messages for the main thread arrive; None where that is not known."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return getattr(kernel, "shell_stream", None)
    pair = getattr(getattr(thread, "manager", None), "_shell_channel_to_main", None)
    return getattr(pair, "to_stream", None)
