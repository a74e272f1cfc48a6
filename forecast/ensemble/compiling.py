"""Compiling the model, once after installation: all processors at it, and each kernel by one process only.

numba compiles a kernel when it is first called, and keeps it on disk; one world after the other would wait for it. So a world
is rehearsed first, whose kernels do nothing but note what kinds of arguments they are called with; that takes a moment. Then
every process that is about to play, and copies of one that is alone, take the kernels that nobody has taken.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from forecast import loading
from forecast.errors import ForecastError

MODULES = (
    "mixing", "model.accounts", "model.ageing", "model.building", "model.choice", "model.clearing", "model.demand", "model.extraction",
    "model.learning", "model.noting", "model.offers", "model.trade",
)  # fmt: skip
"""Where compiled kernels are that a world calls."""
OF_LARGE_WORLDS = ("mixing.deal",)
"""Those that a small world does without."""
NOTICE = "compiling, once after installation"
Asked = dict[str, tuple[Any, ...]]
"""Name of a kernel -> kinds of its arguments."""

_done = False
_one_at_a_time = threading.Lock()


def notice() -> str:
    """What to tell somebody who waits for a first run; empty if something is kept already, or it cannot be seen where."""
    import forecast.model

    beside = Path(forecast.model.__path__[0])
    place = Path(os.environ.get("NUMBA_CACHE_DIR") or beside / "__pycache__")
    known = place.is_dir() or os.access(beside, os.W_OK)
    return NOTICE if known and next(place.rglob("choice.*.nbi"), None) is None else ""


def load_kept() -> None:
    """Load all kernels before a world calls them, the compiler if some are not kept; copies of this process then have them."""
    global _done
    with _one_at_a_time:
        if _done:
            return
        if not _all_kept():
            loading.load_compiler()
            return
        loading.kernels_as_kept()
        for kernel in kernels().values():
            for kinds in _kinds_kept(kernel):
                kernel.compile(kinds)
        _done = True


def once(rehearse: Callable[[], object], copies: int = 0) -> None:
    """Compile what is not kept yet, in the first call of a process; others that do the same meanwhile share the work.

    rehearse  plays a world as it will be played, only shorter
    copies    of this process that help
    """
    global _done
    with _one_at_a_time:
        loading.kernels_as_kept()
        if not _done and not _all_kept():
            loading.compile_faster()
            with suppress(OSError):  # no locks, copies or room here: kernels are then compiled as they are called
                _together(asked(rehearse), copies)
        _done = True


def _kinds_kept(kernel: Any) -> list[Any]:
    """Kinds of arguments for which a kernel is kept; none where a power failure cut off what is kept, which is thrown away."""
    try:
        files = kernel._cache._cache_file
        index = files._load_index()
        if not all(Path(files._data_path(name)).read_bytes().endswith(pickle.STOP) for name in index.values()):
            raise EOFError
        return [kinds for kinds, *_ in index]
    except Exception:  # noqa: BLE001 - as in ``loading.kernels_as_kept``
        with suppress(OSError):
            for file in _kept_by(kernel):
                os.unlink(file)
        return []


def _all_kept() -> bool:
    return all(kept(kernel) and _kinds_kept(kernel) for name, kernel in kernels().items() if name not in OF_LARGE_WORLDS)


def kernels() -> dict[str, Any]:
    """Every compiled kernel of the model that numba keeps, by module and name."""
    from numba.extending import is_jitted

    found: dict[str, Any] = {}
    for name in MODULES:
        module = importlib.import_module(f"forecast.{name}")
        found |= {f"{name}.{key}": value for key, value in vars(module).items() if is_jitted(value) and _is_of(value, module)}
    return found


def _is_of(kernel: Any, module: Any) -> bool:
    return kernel.py_func.__module__ == module.__name__ and bool(kernel.stats.cache_path)


def kept(kernel: Any) -> bool:
    """Whether numba has kept something for a kernel since its code was last changed."""
    with suppress(OSError):
        changed = os.stat(kernel.py_func.__code__.co_filename).st_mtime
        return any(file.stat().st_mtime >= changed for file in _kept_by(kernel))
    return False


def _kept_by(kernel: Any) -> list[os.DirEntry[str]]:
    """The files in which numba lists what it keeps for a kernel."""
    code = kernel.py_func.__code__
    name = f"{Path(code.co_filename).stem}.{kernel.py_func.__qualname__}-{code.co_firstlineno}."
    return [file for file in os.scandir(kernel.stats.cache_path) if file.name.startswith(name) and file.name.endswith(".nbi")]


def asked(rehearse: Callable[[], object]) -> Asked:
    """What every kernel is called with in a world that is rehearsed, as far as it gets: its numbers mean nothing."""
    found: Asked = {}
    here = threading.get_ident()

    def noting(name: str, kernel: Any) -> Callable[..., None]:
        def note(*arguments: Any) -> None:
            if threading.get_ident() != here:  # somebody else plays in earnest
                kernel(*arguments)
            elif name not in found:
                found[name] = tuple(map(kernel.typeof_pyval, arguments))

        return note

    real = kernels()
    try:
        for name, kernel in real.items():
            setattr(*_place(name), noting(name, kernel))
        with np.errstate(all="ignore"), warnings.catch_warnings(), suppress(ArithmeticError, ForecastError, LookupError, ValueError):
            warnings.simplefilter("ignore")
            rehearse()
    finally:
        for name, kernel in real.items():
            setattr(*_place(name), kernel)
        _forget()
    return found


def _forget() -> None:
    """Forget what functions of the model remember: after a rehearsal that is nonsense."""
    for name, module in list(sys.modules.items()):
        if name.startswith("forecast.model."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _place(name: str) -> tuple[Any, str]:
    module, _, kernel = name.rpartition(".")
    return importlib.import_module(f"forecast.{module}"), kernel


def _together(wanted: Asked, copies: int) -> None:
    """Compile, with the help of some copies of this process, which die with it."""
    children: list[int] = []
    alive, held = os.pipe()
    try:
        for _ in range(copies):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the copies use none of theirs
                child = os.fork()
            if child == 0:
                try:
                    os.close(held)
                    threading.Thread(target=lambda: os.read(alive, 1) or os._exit(1), daemon=True).start()
                    with suppress(BaseException):
                        _compile(wanted)
                finally:
                    os._exit(0)
            children.append(child)
        _compile(wanted)
    except BaseException:
        for child in children:
            os.kill(child, signal.SIGKILL)
        raise
    finally:
        for child in children:
            os.waitpid(child, 0)
        os.close(alive)
        os.close(held)


def _compile(wanted: Asked) -> None:
    """Compile every kernel that nobody else is compiling, the longest first, and wait until none is being compiled."""
    from filelock import Timeout

    found = kernels()
    longest_first = sorted(wanted, key=lambda name: -len(found[name].py_func.__code__.co_code))
    taken = []
    for name in longest_first:
        try:
            _take(name, found[name], wanted[name], 0)
        except Timeout:
            taken.append(name)
    for name in taken:
        _take(name, found[name], wanted[name], -1)


def _take(name: str, kernel: Any, kinds: tuple[Any, ...], patience: float) -> None:
    from filelock import FileLock

    lock = Path(kernel.stats.cache_path, f"{name}.lock")
    with FileLock(lock, timeout=patience):
        if not kept(kernel):
            kernel.targetoptions["no_cfunc_wrapper"] = True  # nobody calls it from C
            kernel.compile(kinds)
            for file in _kept_by(kernel):
                os.utime(file)  # numba goes by what code says, and leaves its files alone where code was only saved again
        lock.unlink(missing_ok=True)  # who waits for it finds the kernel kept
