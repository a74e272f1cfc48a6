"""How arrays lie in memory: the first axis, realizations, is the one whose neighbours touch.

Agents write ``price[realization, maker, chemistry]``; worlds that differ in nothing else lie side by side, so every sum over
makers and every product with a number of each chemistry runs through memory in long strides that a processor takes as
vectors. Arithmetic keeps the layout of what it is given, so only what is made from nothing is laid out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

PART = 512  # rows turned in one go: some hundred kB


def blank(shape: tuple[int, ...], fill: float = 0.0, dtype: Any = float) -> np.ndarray:
    """An array (realization, ...) full of one number, worlds side by side."""
    worlds, *others = shape
    found = np.full((*others, worlds), fill, dtype) if fill else np.zeros((*others, worlds), dtype)
    return found.transpose(len(others), *range(len(others)))


def side_by_side(array: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A copy of an array (realization, ...), broadcast to ``shape`` if given, worlds side by side."""
    found = blank(shape or array.shape, dtype=array.dtype)
    found[...] = array
    return found


def records(numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """One record of each world, (realization,), with a field for each number (realization,): what a kernel reads as ``own[r].trust``."""
    found = np.empty(len(next(iter(numbers.values()))), [(name, float) for name in numbers])
    for name, values in numbers.items():
        found[name] = values
    return found


def one_after_another(array: np.ndarray) -> np.ndarray:
    """The same array (realization, ...) with each world in one piece, as it is stored; turned in parts that the cache holds."""
    worlds, *shape = array.shape
    beside = np.moveaxis(array, 0, -1).reshape(-1, worlds)
    found = np.empty((worlds, len(beside)), array.dtype)
    for start in range(0, len(beside), PART):
        found[:, start : start + PART] = beside[start : start + PART].T
    return found.reshape(worlds, *shape)
