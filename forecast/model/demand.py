"""How demand moves: what packs cost those who buy them, and S-curves bent by surprises; compiled kernels.

Arrays come with realizations last, as they lie in memory: neighbours in the innermost loops touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.powers import exponential

A_LITTLE = 1e-12  # GWh: less than this was not sold


@njit(cache=True, nogil=True, error_model="numpy")
def watch(packing, memory, deliveries, cell_price, offered, offer_price, price):
    """Smooth the mean price of packs in each segment; who has bought nothing yet looks at what is offered.

    packing      (segment,)                                 cost of turning cells into packs, USD/kWh, as all prices
    memory       months over which prices are smoothed
    deliveries   (segment, region, chemistry, realization)  GWh
    cell_price   (chemistry, realization)                   mean by output
    offered      (chemistry, realization)                   1 where anybody sells, 0 where not
    offer_price  (region, chemistry, realization)           that buyers meet
    price        (segment, realization)                     changed
    """
    segments, regions, chemistries, worlds = deliveries.shape
    asked, sellers = np.empty(worlds), np.empty(worlds)
    sold, total, value = np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for r in range(worlds):
        asked[r] = sellers[r] = 0.0
    for k in range(chemistries):
        for r in range(worlds):
            sellers[r] += offered[k, r] * regions
    for g in range(regions):
        for k in range(chemistries):
            for r in range(worlds):
                asked[r] += offered[k, r] * offer_price[g, k, r] / max(sellers[r], 1.0)
    for s in range(segments):
        for r in range(worlds):
            total[r] = value[r] = 0.0
        for k in range(chemistries):
            for r in range(worlds):
                sold[r] = 0.0
            for g in range(regions):
                for r in range(worlds):
                    sold[r] += deliveries[s, g, k, r]
            for r in range(worlds):
                total[r] += sold[r]
                value[r] += sold[r] * cell_price[k, r]
        for r in range(worlds):
            mean = packing[s] + (value[r] / max(total[r], A_LITTLE) if total[r] > 0 else asked[r])
            price[s, r] += (mean - price[s, r]) / memory


@njit(cache=True, nogil=True, error_model="numpy")
def grow(own, noise, growth, ceiling, here, segment_luck, common_luck, surprise, level):
    """A month further up the S-curves: surprises fade and are joined by new ones, in part common to all, to a segment, and a region's own.

    own           (realization,) records          what is left of a surprise after a month, and the parts of a new one
    noise         (segment, realization)          standard deviation of what is new, 1/year
    growth        (segment, realization)          of the curve, 1/year
    ceiling       (segment, region, realization)  GWh/year
    here          (place, realization)            luck of each segment and region, standard normal as the next two
    segment_luck  (segment, realization)
    common_luck   (1, realization)
    surprise      (segment, region, realization)  changed: growth beyond the curve's, 1/year
    level         (segment, region, realization)  changed: GWh/year
    """
    segments, regions, worlds = level.shape
    left = np.empty(worlds)
    for s in range(segments):
        for g in range(regions):
            for r in range(worlds):
                o = own[r]
                luck = here[s * regions + g, r] * o.region + o.all_regions * segment_luck[s, r]
                luck = luck * o.segment + o.all_segments * common_luck[0, r]
                surprise[s, g, r] = o.kept * surprise[s, g, r] + noise[s, r] * luck
            for r in range(worlds):
                left[r] = exponential(-(growth[s, r] + surprise[s, g, r]) / MONTHS_PER_YEAR)
            for r in range(worlds):
                level[s, g, r] = ceiling[s, g, r] / (1.0 + (ceiling[s, g, r] / level[s, g, r] - 1.0) * left[r])


@njit(cache=True, nogil=True, error_model="numpy")
def ask(level, ceiling, response, moved, push, demand):
    """Write down what is wanted in a month.

    level     (segment, region, realization)  GWh a year at expected prices
    ceiling   (segment, region, realization)  GWh a year
    response  (segment, realization)          logarithm of the factor that prices add
    moved     (segment, region, realization)  logarithm of the factor that policies put on the odds of what is filled
    push      (segment, region, realization)  logarithm of the factor that policies add
    demand    (segment, region, realization)  written, GWh
    """
    segments, regions, worlds = level.shape
    factor = np.empty(worlds)
    for s in range(segments):
        for r in range(worlds):
            factor[r] = exponential(response[s, r]) / MONTHS_PER_YEAR
        for g in range(regions):
            for r in range(worlds):
                demand[s, g, r] = level[s, g, r] * factor[r]
            for r in range(worlds):
                if moved[s, g, r] != 0 and level[s, g, r] < ceiling[s, g, r]:
                    room = (ceiling[s, g, r] / level[s, g, r] - 1.0) * np.exp(-moved[s, g, r])
                    demand[s, g, r] = ceiling[s, g, r] / (1.0 + room) * factor[r]
                if push[s, g, r] != 0:
                    demand[s, g, r] *= np.exp(push[s, g, r])
