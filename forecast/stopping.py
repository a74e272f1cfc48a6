"""Ctrl-C and SIGTERM end a process of ours at once, whatever it was about.

Python raises KeyboardInterrupt wherever it is: in a callback, where exceptions are told of and forgotten; where a lock was just
taken that nobody would give back; inside a library of C that does not bear it. To end as by a kill loses nothing: what is
finished is whole on disk. Programs that use this package, and work on other computers that must be called off, get the exception.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from forecast import loading
from forecast.errors import Interrupted

INTERRUPTED = Interrupted.exit_code
CURSOR = "\x1b[?25h\n"
"""What lets a terminal show the cursor that a progress bar hides, and leaves the line of the bar."""


@contextmanager
def stoppable(farewell: str = "interrupted") -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end this process, if it may, with a message; else both raise KeyboardInterrupt in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = os.getpid()

    def stop(number: int, frame: Any) -> None:
        if not loading.may_end():
            raise KeyboardInterrupt
        if os.getpid() == ours:  # a copy of this process has nothing to say
            _take_leave(farewell)
        os._exit(INTERRUPTED)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _take_leave(farewell: str) -> None:
    """End other processes of this one, which would notice a little later, and say that it ends."""
    children = getattr(sys.modules.get("multiprocessing"), "active_children", list)  # nothing is loaded now: it may be half loaded
    with suppress(Exception):
        for process in children():
            process.kill()
    with suppress(OSError):
        os.write(2, f"{CURSOR if os.isatty(2) else ''}{farewell}\n".encode(errors="replace"))
