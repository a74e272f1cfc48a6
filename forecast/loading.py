"""Loading less of large libraries, which takes longer than a world to simulate; nothing here changes a number.

Only for a process that is ours from the start: programs that use this package find their libraries as they know them.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("dask", "distributed", "pint")
"""What xarray loads, where it is installed, to see that our arrays are none of theirs: half a second."""
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


@contextmanager
def worlds() -> Iterator[None]:
    """While worlds are simulated: they end as rings of objects, whose memory is given back at once."""
    if not _ours["process"]:
        yield
        return
    if not gc.get_freeze_count():
        gc.freeze()  # what was loaded before stays, and need not be looked through each time
    yield
    gc.collect()
