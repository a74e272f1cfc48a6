"""Loading less of large libraries, which takes longer than a world to simulate; nothing here changes a number.

Only for a process that is ours from the start: programs that use this package find their libraries as they know them.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

UNUSED = ("dask", "distributed", "pint")
"""What xarray loads, where it is installed, to see that our arrays are none of theirs: half a second."""
SPECIAL = "scipy.special"
NEEDED = ("ndtr", "ndtri", "gammaincinv")
"""Of scipy.special; they are compiled and need nothing of the package around them: 0.2 s."""
NEW_OBJECTS = 50_000
"""After so many, Python looks for rings of objects that nobody holds any more; with its own 700, a tenth of a short run."""

_ours = {"process": False}


def lightly(cluster: bool = False) -> None:
    """Take of libraries what a command uses.

    cluster  the command computes elsewhere, with one of those that others do without
    """
    _ours["process"] = True
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # nor are they looked for when all memory is given back anyway: 0.3 s
    for name in () if cluster else UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    sys.modules.setdefault(SPECIAL, _Special(SPECIAL))


class _Special(ModuleType):
    """Stands for scipy.special until somebody asks for more than the functions we need, and then hands on what it has."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            return [f"{folder}/special" for folder in importlib.import_module("scipy").__path__]
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in NEEDED and sys.modules.get(SPECIAL) is self:
            del sys.modules[SPECIAL]
        return getattr(importlib.import_module(f"{SPECIAL}._ufuncs" if name in NEEDED else SPECIAL), name)


def kernels() -> None:
    """Let compiled code come from its cache without the compiler, which sets itself up if there is something to compile."""
    if not _ours["process"]:
        return
    from numba.core.caching import Cache
    from numba.core.runtime import rtsys
    from numba.np import linalg

    def load_overload(self: Any, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)  # memory of arrays that kernels make
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def ensure_blas() -> None:
        raise ImportError("no kernel multiplies matrices")  # so scipy.linalg, 0.1 s, is not loaded to do so

    Cache.load_overload = load_overload  # type: ignore[method-assign]
    linalg.ensure_blas = ensure_blas


@contextmanager
def worlds() -> Iterator[None]:
    """While worlds are simulated: they end as rings of objects, whose memory is given back at once."""
    if not _ours["process"]:
        yield
        return
    if not gc.get_freeze_count():
        gc.freeze()  # what was loaded before stays, and need not be looked through each time
    kernels()
    yield
    gc.collect()
