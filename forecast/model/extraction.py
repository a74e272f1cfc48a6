"""How lithium mines run: a compiled kernel, since many deposits are never opened and a month of one depends on no other."""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.market import STATUS

MARGIN = 0.9  # share of running capacity below the marginal cost; the dearest tenth has other reasons to run
RESOURCE, EVALUATION, CONSTRUCTION, PRODUCING, IDLE = range(len(STATUS))


@njit(inline="always")
def _throttle(over_cost, own):
    """Share of capacity that is worth running at this price over cash cost."""
    return min(max((over_cost - own.idle_below) / (own.full_above - own.idle_below), 0.0), 1.0)


@njit(inline="always")
def _marginal(world, cash_cost, order, running, total):
    """Cash cost below which most of the running capacity lies, USD/t."""
    reached = 0.0
    for rank in range(len(order)):
        mine = order[rank, world]
        reached += running[mine, world]
        if reached >= MARGIN * total:
            return cash_cost[mine, world]
    return cash_cost[order[0, world], world]


@njit(cache=True, nogil=True, error_model="numpy")
def work(
    now, own, price, unexplained, cash_cost, order, opening, coming, luck, cut, capacity, underway, status, waited, running, output, ahead, marginal
):
    """A month of all mines: new capacity opens; owners idle below cash cost and restart above it; output ramps.

    now          index of the month
    own          (realization,) records         behaviour of mine owners
    price        (realization,)                 of lithium carbonate, USD/t
    unexplained  (realization,)                 logarithm of output that the deposits do not explain
    cash_cost    (mine, realization)            USD/t
    order        (mine, realization) int        mines from the cheapest to the dearest
    opening      (month, mine, realization)     capacity that opens, t/year
    coming       (month, realization)           the same of all mines
    luck         (month, mine, realization)     standard normal
    cut          (mine, realization)            share of output lost
    capacity, underway, running (mine, realization) t/year, status int8, waited months: changed
    output       (mine, realization)            written, t/month
    ahead        (realization,)                 written: output that will be added within a year, t/year
    marginal     (realization,)                 written: cash cost below which most of the running capacity lies, USD/t
    """
    mines, worlds = capacity.shape
    ramping, total, factor = np.zeros(worlds), np.zeros(worlds), np.exp(unexplained)
    for m in range(mines):
        for r in range(worlds):
            opened = opening[now, m, r]
            if opened > 0:
                capacity[m, r] += opened
                underway[m, r] -= opened
                if status[m, r] == CONSTRUCTION:
                    status[m, r] = PRODUCING
            if status[m, r] < PRODUCING:
                output[m, r] = 0.0
                continue
            over_cost = price[r] / cash_cost[m, r]
            if status[m, r] == PRODUCING and over_cost < own[r].idle_below:
                status[m, r] = IDLE
            waited[m, r] = waited[m, r] + 1 if status[m, r] == IDLE and over_cost > own[r].restart_above else 0
            if waited[m, r] >= own[r].restart_time:
                status[m, r] = PRODUCING
            target = capacity[m, r] * _throttle(over_cost, own[r]) if status[m, r] == PRODUCING else 0.0
            gap = target - running[m, r]
            running[m, r] += gap / (own[r].ramp_time if gap > 0 else own[r].slowdown_time)
            ramping[r] += target - running[m, r]
            total[r] += running[m, r]
            works = max(1.0 + own[r].outage * luck[now, m, r], 0.0) * min(max(1.0 - cut[m, r], 0.0), 1.0)
            output[m, r] = running[m, r] * works * factor[r] / MONTHS_PER_YEAR
    for r in range(worlds):
        for month in range(now + 1, min(now + 1 + MONTHS_PER_YEAR, len(coming))):
            ramping[r] += coming[month, r]
        ahead[r] = ramping[r] * factor[r]
        marginal[r] = _marginal(r, cash_cost, order, running, total[r])
