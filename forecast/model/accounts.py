"""The books of makers: what a month of sales teaches, earns and costs, and who can go on; compiled kernels.

Arrays come with realizations last, as they lie in memory: neighbours in the innermost loops touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR


@njit(cache=True, nogil=True, error_model="numpy")
def learn(output, deliveries, counts, made, world_made):
    """What was made counts as experience: own for yield, everybody's for processing.

    output      (maker, chemistry, realization)            good cells of the month, GWh
    deliveries  (segment, region, chemistry, realization)  GWh
    counts      (segment, realization)                     share of cells sold here that counts
    made        (maker, chemistry, realization)            changed: own output so far, GWh
    world_made  (chemistry, realization)                   changed: output of the world that counts, GWh
    """
    segments, regions, chemistries, worlds = deliveries.shape
    month = np.empty((chemistries, worlds))
    for k in range(chemistries):  # loops, here and below: what numpy offers takes long to compile
        for r in range(worlds):
            month[k, r] = 0.0
    for s in range(segments):
        for g in range(regions):
            for k in range(chemistries):
                for r in range(worlds):
                    month[k, r] += deliveries[s, g, k, r] * counts[s, r]
    for k in range(chemistries):
        for r in range(worlds):
            world_made[k, r] += month[k, r]
    for m in range(len(made)):
        for k in range(chemistries):
            for r in range(worlds):
                made[m, k, r] += output[m, k, r]


@njit(cache=True, nogil=True, error_model="numpy")
def book(output, capacity, price, cash_cost, line_cost, alive, programmes, founding, upkeep, payout, cash, revenue):
    """Revenue in; cash cost, upkeep, programmes and payouts out (GWh x USD/kWh = MUSD).

    output, capacity             (maker, chemistry, realization)  good cells, GWh a month, and lines, GWh/year
    price, cash_cost, line_cost  (maker, chemistry, realization)  USD/kWh, the last a year
    alive                        (maker, realization)             1 in business, 0 not
    programmes                   (maker, realization)             spending of the month, MUSD
    founding                     (maker, realization)             cash at the start, MUSD: as much stays beside a year's revenue
    upkeep                       (realization,)                   yearly cost of a line over its investment
    payout                       (realization,)                   share of what is beyond that owners take out each year
    cash                         (maker, realization)             changed, MUSD
    revenue                      (maker, realization)             changed: of the last year, MUSD
    """
    makers, chemistries, worlds = output.shape
    sold, spent, kept = np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for m in range(makers):
        for r in range(worlds):
            sold[r] = spent[r] = kept[r] = 0.0
        for k in range(chemistries):
            for r in range(worlds):
                sold[r] += output[m, k, r] * price[m, k, r]
                spent[r] += output[m, k, r] * cash_cost[m, k, r]
                kept[r] += capacity[m, k, r] * line_cost[m, k, r]
        for r in range(worlds):
            year = MONTHS_PER_YEAR * sold[r]
            there = cash[m, r] + alive[m, r] * (sold[r] - spent[r] - kept[r] * upkeep[r] / MONTHS_PER_YEAR - programmes[m, r])
            rich = max(there - year - founding[m, r], 0.0)
            cash[m, r] = there - rich * payout[r] / MONTHS_PER_YEAR
            revenue[m, r] += (year - revenue[m, r]) / MONTHS_PER_YEAR


@njit(cache=True, nogil=True, error_model="numpy")
def fail(cash, revenue, credit, patience, failing, alive, capacity):
    """Beyond the patience of lenders a maker closes; others take over its lines, in proportion to theirs of the chemistry.

    cash, revenue  (maker, realization)             as in ``book``
    credit         (realization,)                   years of revenue that lenders cover
    patience       (realization,)                   losses that owners cover beyond it, MUSD
    failing        (maker, realization)             above 0 where an event makes the maker fail
    alive          (maker, realization)             1 in business, 0 not; changed
    capacity       (maker, chemistry, realization)  GWh/year, changed
    """
    makers, chemistries, worlds = capacity.shape
    closes, touched = np.empty((makers, worlds), np.bool_), np.empty(worlds, np.bool_)
    for r in range(worlds):
        touched[r] = False
    for m in range(makers):
        for r in range(worlds):
            deep = cash[m, r] < -credit[r] * revenue[m, r] - patience[r]
            closes[m, r] = (alive[m, r] > 0) & (deep | (failing[m, r] > 0))
            touched[r] |= closes[m, r]
    for r in range(worlds):
        if touched[r]:
            for k in range(chemistries):
                sold = left = 0.0
                for m in range(makers):
                    if closes[m, r]:
                        alive[m, r] = 0.0
                        sold += capacity[m, k, r]
                        capacity[m, k, r] = 0.0
                    left += capacity[m, k, r]
                more = 1.0 + (sold / left if left > 0 else 0.0)
                for m in range(makers):
                    capacity[m, k, r] *= more
