"""Trying out what a C library may not survive: damaged HDF5 can crash it, or keep it busy for ever, and nothing stops it there."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

SECONDS = 10
"""Of work, not of waiting: what a file that we read takes is below one."""
PATIENCE = 300
"""Seconds, of waiting too."""


def survives(attempt: Callable[[], object], seconds: int = SECONDS) -> bool:
    """Whether an attempt ends by itself, in a copy of this process; an exception is an end too.

    What the attempt needs should be imported before, or it is imported twice.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the copy uses none of theirs
        child = os.fork()
    if child == 0:
        _try(attempt, seconds)
    try:
        return not os.WIFSIGNALED(os.waitpid(child, 0)[1])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _try(attempt: Callable[[], object], seconds: int) -> NoReturn:
    try:
        faulthandler.disable()
        for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        with suppress(BaseException):
            attempt()
    finally:
        os._exit(0)
