"""Who gets what is scarce: compiled functions of orders, supply and priority; they become part of the kernel that calls them."""

from __future__ import annotations

import numpy as np
from numba import njit

ROUNDING = 1e-12  # orders that exceed supply by less are served in full


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


@njit(inline="always")
def share_out(by_segment, supply, priority, first, fill):
    """Share of each segment's orders for a chemistry that its supply fills.

    by_segment  (segment, region, chemistry, realization)  orders
    supply      (chemistry, realization)
    priority    (segment, realization)                     above 0
    first       (segment, realization)                     segments in falling order of priority
    fill        (segment, chemistry, realization)          written: in [0, 1]
    """
    segments, regions, chemistries, worlds = by_segment.shape
    wanted, total = np.empty((segments, worlds)), np.empty(worlds)
    orders, weight, rank, got = np.empty(segments), np.empty(segments), np.empty(segments, np.int64), np.empty(segments)
    for k in range(chemistries):
        for r in range(worlds):
            total[r] = 0.0
        for s in range(segments):
            for r in range(worlds):
                wanted[s, r] = 0.0
            for g in range(regions):
                for r in range(worlds):
                    wanted[s, r] += by_segment[s, g, k, r]
            for r in range(worlds):
                total[r] += wanted[s, r]
            for r in range(worlds):
                fill[s, k, r] = 1.0
        for r in range(worlds):  # few worlds are short of anything
            if total[r] > supply[k, r]:
                for s in range(segments):
                    orders[s], weight[s], rank[s] = wanted[s, r], priority[s, r], first[s, r]
                served(orders, supply[k, r], weight, rank, got)
                for s in range(segments):
                    fill[s, k, r] = got[s]
