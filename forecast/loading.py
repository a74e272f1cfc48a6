"""Loading less of large libraries, which takes longer than a world to simulate; nothing here changes a number.

Only for a process that is ours from the start: programs that use this package find their libraries as they know them.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys

UNUSED = ("dask", "distributed", "pint")
"""What xarray loads, where it is installed, to see that our arrays are none of theirs: half a second."""
NOT_COPIED = ("f2py", "testing", "ctypeslib")
"""Parts of numpy, read only when they are asked for, that scipy asks for to copy all names of numpy: 0.06 s."""
PRODUCTS = "scipy.linalg.cython_blas"
"""What numba loads to see that it could multiply matrices, which no compiled code here does: 0.04 s."""
RARELY = 500_000
"""New objects after which rings of them are looked for; after 700, as usual, it is done hundreds of times while libraries load: 0.2 s."""

_ours = False


def lightly(cluster: bool = False) -> None:
    """Take of libraries what a command uses.

    cluster  the command computes elsewhere, with one of those that others do without
    """
    global _ours
    _ours = True
    gc.set_threshold(RARELY, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # rings of objects are not looked for when all memory is given back anyway: 0.3 s
    for name in () if cluster else UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def may_copy() -> bool:
    """Whether this process may make copies of itself: ours from the start, and not one of several workers already."""
    workers = sys.modules.get("multiprocessing")  # a worker was begun by it
    return _ours and hasattr(os, "fork") and (workers is None or workers.parent_process() is None)


def compiler() -> None:
    """Load what compiled code and distributions need, before the model asks for it; does nothing in a process of others."""
    if not _ours:
        return
    import numpy

    for name in NOT_COPIED:
        vars(numpy).setdefault(name, None)
    importlib.import_module("scipy.special")
    absent = PRODUCTS not in sys.modules
    sys.modules.setdefault(PRODUCTS, None)  # type: ignore[arg-type]
    importlib.import_module("numba.np.arraymath")
    if absent:
        del sys.modules[PRODUCTS]
