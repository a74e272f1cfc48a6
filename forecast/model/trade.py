"""The trade in cells: what lines cost and makers ask, how orders divide, what is delivered, and how it went; compiled kernels.

Arrays come with realizations last, as they lie in memory (``worlds_last``): neighbours in the innermost loops touch.
Few makers have lines for any one chemistry: what concerns lines passes over those that do not exist.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.rationing import served

LEAST_PAID = 0.1  # share of the posted price that no credit takes off
LEAST_NEED = 1e-12  # t of lithium
A_LITTLE = 1e-9  # GWh/year: the weight of a maker without lines in mean costs
LAST = [(*range(1, axes), 0)[:axes] for axes in range(6)]  # how axes are turned, by their number


def worlds_last(*arrays: np.ndarray) -> list[np.ndarray]:
    """The same arrays with the first axis, realizations, last."""
    return [array.transpose(LAST[array.ndim]) for array in arrays]


@njit(cache=True, nogil=True, error_model="numpy")
def reckon(made, capacity, alive, local, paid, processing, investment, charge, mature, gap, ripening, good, cash, line_cost, full, shares):
    """Unit cost of every line, and what the parts of a chemistry's mean cost hang on.

    made         (maker, chemistry, realization)  own output so far, GWh: the yield gap closes with it
    capacity     (maker, chemistry, realization)  GWh/year, the weight of the mean; with the living, a little
    alive        (maker, realization)             1 in business, 0 not
    local        (maker, realization)             cost of processing and lines over that in China
    paid         (chemistry, realization)         minerals and components with their overhead, USD/kWh
    processing   (chemistry, realization)         with its overhead, USD/kWh, as in China
    investment   (chemistry, realization)         USD/kWh a year of a new line, as in China
    charge       (realization,)                   yearly charge over investment
    mature, gap  (chemistry, realization)         share of good cells at last, and what is missing on a first line
    ripening     (chemistry, realization)         GWh over which 63 % of the gap is closed
    good         (maker, chemistry, realization)  written: share of good cells
    cash         (maker, chemistry, realization)  written: cash cost, USD/kWh
    line_cost    (maker, chemistry, realization)  written: USD/kWh a year
    full         (maker, chemistry, realization)  written: full cost, USD/kWh
    shares       (3, chemistry, realization)      written: means over lines of 1 / good, local / good and local
    """
    makers, chemistries, worlds = made.shape
    total = np.empty(worlds)
    for k in range(chemistries):
        total[:] = 0.0
        shares[:, k] = 0.0
        for m in range(makers):
            for r in range(worlds):
                left = np.exp(-made[m, k, r] / ripening[k, r]) if made[m, k, r] > 0 else 1.0
                good[m, k, r] = mature[k, r] - gap[k, r] * left
            for r in range(worlds):
                cash[m, k, r] = (paid[k, r] + processing[k, r] * local[m, r]) / good[m, k, r]
                line_cost[m, k, r] = investment[k, r] * local[m, r]
                full[m, k, r] = cash[m, k, r] + line_cost[m, k, r] * charge[r]
            for r in range(worlds):
                weight = capacity[m, k, r] + A_LITTLE * alive[m, r]
                total[r] += weight
                shares[0, k, r] += weight / good[m, k, r]
                shares[1, k, r] += weight / good[m, k, r] * local[m, r]
                shares[2, k, r] += weight * local[m, r]
        for part in range(3):
            for r in range(worlds):
                shares[part, k, r] /= max(total[r], A_LITTLE)


@njit(cache=True, nogil=True, error_model="numpy")
def post(cash, full, good, pressure, local, usual, slope, lowest, given, given_capital, pace, unexplained, listed, price, margin):
    """Mark up cost when lines are busy, cut when they are not; sell the young below cost in hope of scale.

    cash, full, good, pressure  (maker, chemistry, realization)  cash and full cost, USD/kWh; share of good cells; utilisation
    local                       (maker, realization)             cost of processing and lines over that in China
    usual, slope                (realization,)                   price over full cost when nothing runs; its rise with utilisation
    lowest                      (realization,)                   least price over cash cost
    given, given_capital        (chemistry, realization)         given away on processing and on capital, USD/kWh as in China
    pace                        (realization,)                   share of the way to the target that prices go in a month
    unexplained                 (realization,)                   factor that nothing explains
    listed                      (maker, chemistry, realization)  price without that factor, changed
    price, margin               (maker, chemistry, realization)  written: price posted, USD/kWh, and price over full cost less one
    """
    makers, chemistries, worlds = cash.shape
    for m in range(makers):
        for k in range(chemistries):
            for r in range(worlds):
                target = max(full[m, k, r] * (usual[r] + slope[r] * pressure[m, k, r]), lowest[r] * cash[m, k, r])
                target -= (given[k, r] / good[m, k, r] + given_capital[k, r]) * local[m, r]
                listed[m, k, r] += (target - listed[m, k, r]) * pace[r]
                price[m, k, r] = listed[m, k, r] * unexplained[r]
                margin[m, k, r] = price[m, k, r] / full[m, k, r] - 1.0


@njit(error_model="numpy")
def among_living(number, alive, k, r):
    """Mean over makers in business of a number (maker, chemistry, realization), for one chemistry and realization."""
    total = count = 0.0
    for m in range(len(alive)):
        total += number[m, k, r] * alive[m, r]
        count += alive[m, r]
    return total / max(count, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def divide(price, cost, capacity, alive, elasticity, home, factor, power, credit, share, mean, crowd, offered):
    """Divide orders between the makers that have lines: a logit on the logarithm of the price that buyers meet.

    price, cost  (maker, chemistry, realization)          posted price and full cost, USD/kWh
    capacity     (maker, chemistry, realization)          lines, GWh/year
    alive        (maker, realization)                     1 in business, 0 not
    elasticity   (realization,)                           response to price
    home         (maker,)                                 region where it builds
    factor       (region, home, chemistry, realization)   price met over price posted: transport and duties
    power        (region, home, chemistry, realization)   factor ** -elasticity
    credit       (region, realization)                    USD/kWh for cells made at home
    share        (region, maker, chemistry, realization)  written: share of orders
    mean         (region, chemistry, realization)         written: price that buyers meet; mean full cost where nobody sells
    crowd        (region, chemistry, realization)         written: sum of squared shares; 1 where nobody sells
    offered      (chemistry, realization)                 written: 1 where anybody sells, 0 where not
    """
    regions, makers, chemistries, worlds = share.shape
    sellers, pull = np.empty(makers, np.int64), np.empty(makers)
    for k in range(chemistries):
        for r in range(worlds):
            count, lowest = 0, np.inf
            for m in range(makers):
                if capacity[m, k, r] * alive[m, r] > 0:
                    sellers[count] = m
                    count += 1
                    lowest = min(lowest, price[m, k, r])
                else:
                    for g in range(regions):
                        share[g, m, k, r] = 0.0
            offered[k, r] = 1.0 if count else 0.0
            if count == 0:
                mean[:, k, r] = among_living(cost, alive, k, r)
                crowd[:, k, r] = 1.0
                continue
            for i in range(count):
                m = sellers[i]
                pull[i] = capacity[m, k, r] * np.exp(-elasticity[r] * np.log(price[m, k, r] / lowest))
            for g in range(regions):
                total = value = squares = 0.0
                for i in range(count):
                    m = sellers[i]
                    posted, at = price[m, k, r], home[m]
                    landed = posted * factor[g, at, k, r]
                    if at == g and credit[g, r] != 0.0:
                        landed = max(landed - credit[g, r], LEAST_PAID * posted)
                        weight = capacity[m, k, r] * np.exp(-elasticity[r] * np.log(landed / lowest))
                    else:
                        weight = pull[i] * power[g, at, k, r]
                    share[g, m, k, r] = weight
                    total += weight
                    value += weight * landed
                    squares += weight * weight
                for i in range(count):
                    share[g, sellers[i], k, r] /= total
                mean[g, k, r] = value / total
                crowd[g, k, r] = squares / (total * total)


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
def look_back(
    asked, able, output, price, cost, alive, offered, believed, scarcity, memory,
    wanted, pressure, utilisation, ordered, made, value, sustainable, ready, mean_price,
):  # fmt: skip
    """How busy the lines were, which sets the next markup, and what each chemistry sold for.

    asked, able, output  (maker, chemistry, realization)  orders, most that lines yield, and good cells, GWh a month
    price, cost          (maker, chemistry, realization)  posted price and full cost, USD/kWh
    alive                (maker, realization)             1 in business, 0 not
    offered              (chemistry, realization)         1 where anybody sells, 0 where not
    believed             (chemistry, realization)         factor by which waiting reduced orders, as far as makers believe it
    scarcity             (realization,)                   most that unfilled orders add to utilisation
    memory               (realization,)                   months over which makers see how busy they are
    wanted               (maker, chemistry, realization)  written: orders that makers see, GWh a month
    pressure             (maker, chemistry, realization)  changed: utilisation and unfilled orders, smoothed
    utilisation          (maker, chemistry, realization)  written: output over what the lines could deliver
    ordered, made        (chemistry, realization)         written: sums of asked and output
    value                (chemistry, realization)         written: output at posted prices, MUSD
    sustainable          (chemistry, realization)         written: share of output sold above full cost
    ready                (chemistry, realization)         written: what lines could deliver over what is wanted, at most 1
    mean_price           (chemistry, realization)         written: mean price by output; the mean posted one where nothing is sold
    """
    makers, chemistries, worlds = asked.shape
    paid, could = np.empty(worlds), np.empty(worlds)
    for k in range(chemistries):
        for r in range(worlds):
            ordered[k, r] = made[k, r] = value[k, r] = paid[r] = could[r] = 0.0
        for m in range(makers):
            for r in range(worlds):
                wanted[m, k, r] = utilisation[m, k, r] = 0.0
                if asked[m, k, r] > 0:
                    ordered[k, r] += asked[m, k, r]
                    wanted[m, k, r] = asked[m, k, r] / believed[k, r]
                if able[m, k, r] > 0:
                    could[r] += able[m, k, r]
                    made[k, r] += output[m, k, r]
                    value[k, r] += output[m, k, r] * price[m, k, r]
                    paid[r] += output[m, k, r] if price[m, k, r] >= cost[m, k, r] else 0.0
        for m in range(makers):
            for r in range(worlds):
                if able[m, k, r] > 0:
                    utilisation[m, k, r] = output[m, k, r] / able[m, k, r]
                    short = 1.0 - made[k, r] / ordered[k, r] if ordered[k, r] > 0 else 0.0
                    busy = utilisation[m, k, r] + min(short, scarcity[r])
                    pressure[m, k, r] += (busy - pressure[m, k, r]) / memory[r]
        for r in range(worlds):
            sold = made[k, r] > 0
            sustainable[k, r] = paid[r] / made[k, r] if sold else 0.0
            ready[k, r] = min(1.0, could[r] * believed[k, r] / ordered[k, r] if ordered[k, r] > 0 else offered[k, r])
            mean_price[k, r] = value[k, r] / made[k, r] if sold else among_living(price, alive, k, r)
