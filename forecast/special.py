"""Special functions of scipy, without what their package loads so that they take arrays of other libraries too: 0.25 s."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

import scipy

PACKAGE = "scipy.special"


def _functions() -> Any:
    """The compiled functions, which need nothing of their package but its place; the package as a whole if others may ask for it."""
    if PACKAGE in sys.modules or threading.active_count() > 1:
        return importlib.import_module(PACKAGE)
    empty = ModuleType(PACKAGE)
    empty.__path__ = [f"{place}/special" for place in scipy.__path__]
    sys.modules[PACKAGE] = empty
    try:
        return importlib.import_module(f"{PACKAGE}._ufuncs")
    except ImportError:  # another version of scipy keeps them elsewhere
        del sys.modules[PACKAGE]
        return importlib.import_module(PACKAGE)
    finally:
        if sys.modules.get(PACKAGE) is empty:
            del sys.modules[PACKAGE]  # who asks for the package gets all of it


_found = _functions()
gammaincinv, ndtr, ndtri = _found.gammaincinv, _found.ndtr, _found.ndtri
