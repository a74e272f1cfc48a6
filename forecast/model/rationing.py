"""Who gets what is scarce: a compiled function of orders, supply and priority; it becomes part of the kernel that calls it."""

from __future__ import annotations

import numpy as np
from numba import njit

ROUNDING = 1e-12  # orders that exceed supply by less are served in full
NEARLY = 1.0 + 0.5 * ROUNDING  # orders below so much of the supply are, in whatever order they were added up


@njit(inline="always")
def served(orders, supply, priority, first, share):
    """Share of each segment's orders that is delivered when supply falls short.

    Shares rise with priority, up to one, and use all of the supply: share = min(1, level x priority).

    orders    (segment,)  at least 0
    supply    at least 0
    priority  (segment,)  above 0
    first     (segment,)  segments in falling order of priority
    share     (segment,)  written: in [0, 1]; 1 where nothing is short
    """
    wanted = 0.0  # loops: what numpy offers takes long to compile
    for segment in range(len(orders)):
        wanted += orders[segment]
        share[segment] = 1.0
    if wanted > supply * (1.0 + ROUNDING):
        below = np.empty(len(orders) + 1)  # orders of this rank and below, each times its priority
        below[len(orders)] = 0.0
        for place in range(len(orders) - 1, -1, -1):
            below[place] = below[place + 1] + orders[first[place]] * priority[first[place]]
        full, level = 0.0, 0.0  # what the segments served in full take; how far the rest is served
        for place in range(len(orders)):
            segment = first[place]
            level = (supply - full) / below[place] if below[place] > 0 else 0.0
            if level * priority[segment] <= 1.0:
                break
            full += orders[segment]
        for segment in range(len(orders)):
            share[segment] = min(max(level, 0.0) * priority[segment], 1.0)
