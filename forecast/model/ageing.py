"""How batteries in use grow old: a compiled kernel; it changes nothing but the arrays it is handed."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def grow_old(ages, pace, bought, retired, stock):
    """Move batteries in use on through their classes of age; what was bought is young, and what leaves the last class retires.

    Realizations are the last axis here, so that they run as vectors.

    ages     (segment, region, chemistry, class, realization)  GWh in use, changed
    pace     (segment, chemistry, realization)                 share of a class that moves on this month
    bought   (segment, region, chemistry, realization)         GWh
    retired  (segment, region, chemistry, realization)         written, GWh
    stock    (segment, region, chemistry, realization)         of a month ago, brought up to date, GWh; where none was or comes nobody looks
    """
    segments, regions, chemistries, classes, worlds = ages.shape
    coming, total = np.empty(worlds), np.empty(worlds)
    for s in range(segments):
        for g in range(regions):
            for k in range(chemistries):
                some = 0.0
                for r in range(worlds):
                    coming[r], total[r], retired[s, g, k, r] = bought[s, g, k, r], 0.0, 0.0
                    some = max(some, coming[r] + stock[s, g, k, r])
                if some == 0.0:
                    continue
                for a in range(classes):
                    for r in range(worlds):
                        moving = ages[s, g, k, a, r] * pace[s, k, r]
                        ages[s, g, k, a, r] += coming[r] - moving
                        total[r] += ages[s, g, k, a, r]
                        coming[r] = moving
                for r in range(worlds):
                    retired[s, g, k, r], stock[s, g, k, r] = coming[r], total[r]
