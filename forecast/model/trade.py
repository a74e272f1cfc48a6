"""The trade in cells: how orders divide between makers, what is delivered, and how it went; compiled, as few makers have lines for any one chemistry.

Arrays come with realizations last, as they lie in memory (``worlds_last``): neighbours in the innermost loops touch.
Lines without capacity are passed over.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.rationing import served

LEAST_PAID = 0.1  # share of the posted price that no credit takes off
LEAST_NEED = 1e-12  # t of lithium
LAST = [(*range(1, axes), 0)[:axes] for axes in range(6)]  # how axes are turned, by their number


def worlds_last(*arrays: np.ndarray) -> list[np.ndarray]:
    """The same arrays with the first axis, realizations, last."""
    return [array.transpose(LAST[array.ndim]) for array in arrays]


@njit(cache=True, nogil=True, error_model="numpy")
def divide(price, lines, elasticity, home, factor, power, credit, share, mean, crowd):
    """Divide orders between the makers that have lines: a logit on the logarithm of the price that buyers meet.

    price       (maker, chemistry, realization)             USD/kWh
    lines       (maker, chemistry, realization)             GWh/year, 0 if closed
    elasticity  (realization,)                              response to price
    home        (maker,)                                    region where it builds
    factor      (region, home, chemistry, realization)      price met over price posted: transport and duties
    power       (region, home, chemistry, realization)      factor ** -elasticity
    credit      (region, realization)                       USD/kWh for cells made at home
    share       (region, maker, chemistry, realization)     written: share of orders
    mean        (region, chemistry, realization)            written: price that buyers meet; 0 where nobody sells
    crowd       (region, chemistry, realization)            written: sum of squared shares; 0 where nobody sells
    """
    regions, makers, chemistries, worlds = share.shape
    sellers, pull = np.empty(makers, np.int64), np.empty(makers)
    for k in range(chemistries):
        for r in range(worlds):
            count, lowest = 0, np.inf
            for m in range(makers):
                if lines[m, k, r] > 0:
                    sellers[count] = m
                    count += 1
                    lowest = min(lowest, price[m, k, r])
                else:
                    for g in range(regions):
                        share[g, m, k, r] = 0.0
            for i in range(count):
                m = sellers[i]
                pull[i] = lines[m, k, r] * np.exp(-elasticity[r] * np.log(price[m, k, r] / lowest))
            for g in range(regions):
                total = value = squares = 0.0
                for i in range(count):
                    m = sellers[i]
                    posted, at = price[m, k, r], home[m]
                    landed = posted * factor[g, at, k, r]
                    if at == g and credit[g, r] != 0.0:
                        landed = max(landed - credit[g, r], LEAST_PAID * posted)
                        weight = lines[m, k, r] * np.exp(-elasticity[r] * np.log(landed / lowest))
                    else:
                        weight = pull[i] * power[g, at, k, r]
                    share[g, m, k, r] = weight
                    total += weight
                    value += weight * landed
                    squares += weight * weight
                whole = 1.0 / total if total > 0 else 0.0
                for i in range(count):
                    share[g, sellers[i], k, r] *= whole
                mean[g, k, r] = value * whole
                crowd[g, k, r] = squares * whole * whole


@njit(cache=True, nogil=True, error_model="numpy")
def deliver(share, by_region, by_segment, capacity, good, met, content, at_hand, priority, first, asked, able, output, cells, needed, fill):
    """Fill orders as far as lines, components and lithium allow; who is full passes orders on to who is not.

    share       (region, maker, chemistry, realization)    share of a region's orders
    by_region   (region, chemistry, realization)           orders, GWh a month
    by_segment  (segment, region, chemistry, realization)  the same orders
    capacity    (maker, chemistry, realization)            GWh/year
    good        (maker, chemistry, realization)            share of good cells
    met         (chemistry, realization)                   share of component needs that can be met
    content     (chemistry, realization)                   t of lithium carbonate per GWh of cells, scrap included
    at_hand     (realization,)                             t of lithium carbonate
    priority    (segment, realization)                     who is served first
    first       (segment, realization)                     segments in falling order of priority
    asked       (maker, chemistry, realization)            written: orders, GWh a month
    able        (maker, chemistry, realization)            written: most that lines and components yield, GWh a month
    output      (maker, chemistry, realization)            written: good cells, GWh a month
    cells       (chemistry, realization)                   written: cells made, scrap included, GWh a month
    needed      (realization,)                             written: t of lithium carbonate that planned cells need
    fill        (segment, chemistry, realization)          written: share of orders delivered
    """
    regions, makers, chemistries, worlds = share.shape
    segments = len(priority)
    left, room, supply = np.empty(worlds), np.empty(worlds), np.zeros((chemistries, worlds))
    wanted, got = np.empty(segments), np.empty(segments)
    cells[:] = 0.0
    needed[:] = 0.0
    for k in range(chemistries):
        left[:] = 0.0
        room[:] = 0.0
        for m in range(makers):
            for r in range(worlds):
                asked[m, k, r] = able[m, k, r] = output[m, k, r] = 0.0
                if capacity[m, k, r] > 0:
                    orders = 0.0
                    for g in range(regions):
                        orders += share[g, m, k, r] * by_region[g, k, r]
                    most = capacity[m, k, r] * good[m, k, r] * met[k, r] / MONTHS_PER_YEAR
                    asked[m, k, r], able[m, k, r], output[m, k, r] = orders, most, min(orders, most)
                    left[r] += orders - min(orders, most)
                    room[r] += most - min(orders, most)
        for m in range(makers):
            for r in range(worlds):
                if able[m, k, r] > 0:
                    if left[r] > 0 and room[r] > 0:
                        output[m, k, r] += (able[m, k, r] - output[m, k, r]) * (min(left[r], room[r]) / room[r])
                    supply[k, r] += output[m, k, r]
                    cells[k, r] += output[m, k, r] / good[m, k, r]
        for r in range(worlds):
            needed[r] += cells[k, r] * content[k, r]
    for k in range(chemistries):
        for r in range(worlds):
            allowed = min(1.0, at_hand[r] / max(needed[r], LEAST_NEED))
            if allowed < 1.0:
                supply[k, r] *= allowed
                cells[k, r] *= allowed
                for m in range(makers):
                    output[m, k, r] *= allowed
            for s in range(segments):
                wanted[s] = 0.0
                for g in range(regions):
                    wanted[s] += by_segment[s, g, k, r]
            served(wanted, supply[k, r], priority[:, r], first[:, r], got)
            for s in range(segments):
                fill[s, k, r] = got[s]


@njit(cache=True, nogil=True, error_model="numpy")
def look_back(asked, able, output, price, cost, discouraged, scarcity, memory, wanted, pressure, utilisation, ordered, made, value, paid, could):
    """How busy the lines were, which sets the next markup, and what each chemistry sold for.

    asked, able, output  (maker, chemistry, realization)  orders, most that lines yield, and good cells, GWh a month
    price, cost          (maker, chemistry, realization)  posted price and full cost, USD/kWh
    discouraged          (chemistry, realization)         factor by which waiting reduced orders, as far as makers believe it
    scarcity             (realization,)                   most that unfilled orders add to utilisation
    memory               (realization,)                   months over which makers see how busy they are
    wanted               (maker, chemistry, realization)  written: orders that makers see, GWh a month
    pressure             (maker, chemistry, realization)  changed: utilisation and unfilled orders, smoothed
    utilisation          (maker, chemistry, realization)  written: output over what the lines could deliver
    ordered, made        (chemistry, realization)         written: sums of asked and output
    value                (chemistry, realization)         written: output at posted prices, MUSD
    paid                 (chemistry, realization)         written: output of those who sell above full cost
    could                (chemistry, realization)         written: sum of able
    """
    makers, chemistries, worlds = asked.shape
    for k in range(chemistries):
        for r in range(worlds):
            ordered[k, r] = made[k, r] = value[k, r] = paid[k, r] = could[k, r] = 0.0
        for m in range(makers):
            for r in range(worlds):
                ordered[k, r] += asked[m, k, r]
                if able[m, k, r] > 0:
                    could[k, r] += able[m, k, r]
                    made[k, r] += output[m, k, r]
                    value[k, r] += output[m, k, r] * price[m, k, r]
                    paid[k, r] += output[m, k, r] if price[m, k, r] >= cost[m, k, r] else 0.0
        for m in range(makers):
            for r in range(worlds):
                wanted[m, k, r] = utilisation[m, k, r] = 0.0
                if asked[m, k, r] > 0:
                    wanted[m, k, r] = asked[m, k, r] / discouraged[k, r]
                if able[m, k, r] > 0:
                    utilisation[m, k, r] = output[m, k, r] / able[m, k, r]
                    short = 1.0 - made[k, r] / ordered[k, r] if ordered[k, r] > 0 else 0.0
                    busy = utilisation[m, k, r] + min(short, scarcity[r])
                    pressure[m, k, r] += (busy - pressure[m, k, r]) / memory[r]
