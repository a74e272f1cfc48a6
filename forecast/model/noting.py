"""How a month is added to its year: a compiled pass over the blackboard, which is too large to be turned over twice."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def add(now, year):
    """Add a month to what is kept of its year.

    now   (number, realization)      float64
    year  (number, realization)      float32, changed
    """
    numbers, worlds = now.shape
    for number in range(numbers):
        for world in range(worlds):
            year[number, world] += np.float32(now[number, world])
