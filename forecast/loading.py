"""Loading less of large libraries, which takes longer than a world to simulate; nothing here changes a number.

Only for a process that is ours from the start: programs that use this package find their libraries as they know them.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Content = TypeVar("Content")

UNUSED = ("dask", "distributed", "pint")
"""What xarray loads, where it is installed, to see that our arrays are none of theirs: half a second."""
HEAPS = 2
"""For threads to share; the system would give each its own, and each keeps what was freed in it: a fifth of the memory of a summary."""
KEPT, ON_ITS_OWN = 1 << 27, 1 << 25
"""Bytes of freed memory that a process keeps, and size from which a piece is given back at once, the largest that can be set.
To get memory anew, page by page and cleared, took a tenth of the time of a large summary."""
MOST_HEAPS, MOST_KEPT, LEAST_ON_ITS_OWN = -8, -1, -3
"""What the C library of Linux calls M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""

RARELY = 500_000
"""New objects after which rings of them are looked for; after 700, as usual, it is done hundreds of times while libraries load: 0.2 s."""

ROLLED = "-unroll-runtime=false"
"""Tells LLVM to leave loops as they are whose length it does not know: unrolling took a tenth of the time to compile large kernels."""

_ours = _elsewhere = _faster = False
_workers = 1


def lightly(cluster: bool = False, workers: int = 1) -> None:
    """Take of libraries what a command uses.

    cluster  the command computes elsewhere, with one of those that others do without
    workers  processes like this one, which share the processors
    """
    global _ours, _elsewhere, _workers
    _ours, _elsewhere, _workers = True, cluster, workers
    gc.set_threshold(RARELY)
    with suppress(AttributeError, OSError):  # other systems have one heap
        for what, value in ((MOST_HEAPS, HEAPS), (MOST_KEPT, KEPT), (LEAST_ON_ITS_OWN, ON_ITS_OWN)):
            ctypes.CDLL(None).mallopt(what, value)
    for name in () if cluster else UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def leave(code: int) -> NoReturn:
    """End this process at once: the system takes its memory back as a whole, where Python would give back object by object, 0.1 s."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def kernels_as_kept() -> None:
    """Let numba load kernels that it keeps without getting ready to compile, 0.25 s; it still does so where it must compile one.

    What it keeps may be cut off, as by a power failure: it is thrown away then, and compiled again.
    """
    from numba.core.caching import Cache
    from numba.core.runtime import rtsys

    if not _ours or not hasattr(Cache, "_load_overload"):
        return

    def load(cache: Any, kinds: Any, context: Any) -> Any:
        rtsys.initialize(context)  # all of ``context.refresh()`` that compiled code needs
        try:
            with cache._guard_against_spurious_io_errors():
                return cache._load_overload(kinds, context)
        except Exception:  # noqa: BLE001 - whatever reading bytes that mean nothing may raise
            with suppress(OSError):
                cache.flush()
            return None

    Cache.load_overload = load  # type: ignore[method-assign]


def compile_faster() -> None:
    """Compile faster from now on, once in a process, to the same bits."""
    global _faster
    if _ours and not _faster:
        from llvmlite.binding import set_option

        set_option("forecast", ROLLED)
        with suppress(ImportError, AttributeError):  # another numba compiles as it does
            _remember_kinds()
            _leave_calls_plain()
        _faster = True


def load_compiler() -> None:
    """Load all of numba that compiling needs, 0.4 s; copies of this process then have it."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _remember_kinds() -> None:
    """Let numba remember what functions make of kinds of arguments: it finds out anew wherever one is called, a tenth of its time."""
    from numba.core.targetconfig import ConfigStack
    from numba.core.types.functions import BaseFunction

    known: dict[Any, Any] = {}
    find = BaseFunction.get_call_type

    def remembered(function: Any, context: Any, kinds: Any, named: Any) -> Any:
        if named or not all(kind.is_precise() for kind in kinds):
            return find(function, context, kinds, named)
        asked = function, context, kinds, ConfigStack.top_or_none()  # what is compiled within goes by the options of what calls it
        if asked not in known:
            known[asked] = find(function, context, kinds, named)
        return known[asked]

    BaseFunction.get_call_type = remembered  # type: ignore[assignment]


def _leave_calls_plain() -> None:
    """Let LLVM leave as it is what hands a kernel its arguments: a twentieth of the time to compile, for 0.3 us in a call."""
    from numba.core.callwrapper import PyCallWrapper

    build = PyCallWrapper.build

    def plainly(wrapper: Any) -> Any:
        call, rest = build(wrapper)
        for attribute in ("noinline", "optnone"):
            call.attributes.add(attribute)
        return call, rest

    PyCallWrapper.build = plainly  # type: ignore[method-assign]


def may_end() -> bool:
    """Whether this process may end without a word to anybody: ours from the start, and nothing is computed for it elsewhere."""
    return _ours and not _elsewhere


def may_copy() -> bool:
    """Whether this process may make copies of itself: ours from the start, where libraries of the system bear it (not those of macOS)."""
    return _ours and sys.platform == "linux"


def copies(processors: int) -> int:
    """How many copies this process may make so that all processors have work."""
    return max(0, processors // _workers - 1) if may_copy() else 0


def beside(call: Callable[[], Content], meanwhile: Callable[[], object]) -> Content:
    """What a copy of this process returns from a call, while this one does something else.

    Where the copy returns nothing it is called here, so that an error is an error of this process.
    """
    from multiprocessing import get_context

    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    copy = context.Process(target=_tell, args=(call, here, there), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of copies made beside threads: they use none of theirs
        copy.start()
    there.close()
    try:
        meanwhile()
        with suppress(EOFError, OSError):
            return here.recv()
    finally:
        here.close()
        copy.join()
    return call()


def _tell(call: Callable[[], object], here: Connection, there: Connection) -> None:
    here.close()  # or what is sent to somebody who has gone would wait to be read for ever
    with suppress(BaseException):
        there.send(call())
