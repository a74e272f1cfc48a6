"""The trade in cells: what lines cost and makers ask, how orders divide, what is delivered, and how it went; compiled kernels.

Arrays come with realizations last, as they lie in memory (``worlds_last``): neighbours in the innermost loops touch. Few
makers have lines for any one chemistry: what concerns lines passes over those that exist in no world; a line that only
this world lacks has neither capacity nor orders, and so adds nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.powers import exponential, logarithm
from forecast.model.rationing import NEARLY, served

LEAST_PAID = 0.1  # share of the posted price that no credit takes off
LEAST_NEED = 1e-12  # t of lithium
NOTHING_SOLD = 1e-12  # GWh: less is none
A_LITTLE = 1e-9  # GWh/year: the weight of a maker without lines in mean costs
LAST = [(*range(1, axes), 0)[:axes] for axes in range(6)]  # how axes are turned, by their number


def worlds_last(*arrays: np.ndarray) -> list[np.ndarray]:
    """The same arrays with the first axis, realizations, last."""
    return [array.T if array.ndim < 3 else array.transpose(LAST[array.ndim]) for array in arrays]


@njit(nogil=True, error_model="numpy")
def anywhere(number, m, k):
    """Whether a number (maker, chemistry, realization) of a line is above 0 in any world."""
    found = False
    for r in range(number.shape[2]):
        found |= number[m, k, r] > 0
    return found


@njit(nogil=True, error_model="numpy")
def makers_of(k, lines, more, found):
    """Note the makers of a chemistry in any world: of two numbers (maker, chemistry, realization) one is above 0; returns how many."""
    count = 0
    for m in range(len(lines)):
        if anywhere(lines, m, k) or anywhere(more, m, k):
            found[count] = m
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def reckon(
    made, capacity, alive, local, minerals, components, processing, investment, overhead, charge, mature, gap, ripening,
    good, cash, line_cost, full, parts,
):  # fmt: skip
    """Unit cost of every line, and the parts of a chemistry's mean cost.

    made         (maker, chemistry, realization)  own output so far, GWh: the yield gap closes with it
    capacity     (maker, chemistry, realization)  GWh/year, the weight of the mean; with the living, a little
    alive        (maker, realization)             1 in business, 0 not
    local        (maker, realization)             cost of processing and lines over that in China
    minerals, components, processing  (chemistry, realization)  USD/kWh of cells, good or not; the last as in China
    investment   (chemistry, realization)         USD/kWh a year of a new line, as in China
    overhead     (realization,)                   cost with overhead over cost without
    charge       (realization,)                   yearly charge over investment
    mature, gap  (chemistry, realization)         share of good cells at last, and what is missing on a first line
    ripening     (chemistry, realization)         GWh over which 63 % of the gap is closed
    good         (maker, chemistry, realization)  written: share of good cells
    cash         (maker, chemistry, realization)  written: cash cost, USD/kWh
    line_cost    (maker, chemistry, realization)  written: USD/kWh a year
    full         (maker, chemistry, realization)  written: full cost, USD/kWh
    parts        (chemistry, part, realization)   written: parts of the full cost as in ``COST_PARTS``, means over lines, USD/kWh
    """
    makers, chemistries, worlds = made.shape
    total, bought, worked, shares = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty((3, worlds))
    for k in range(chemistries):
        for r in range(worlds):
            total[r] = shares[0, r] = shares[1, r] = shares[2, r] = 0.0
            bought[r], worked[r] = (minerals[k, r] + components[k, r]) * overhead[r], processing[k, r] * overhead[r]
        for m in range(makers):
            for r in range(worlds):
                good[m, k, r] = mature[k, r] - gap[k, r]
            if anywhere(made, m, k):
                for r in range(worlds):
                    good[m, k, r] = mature[k, r] - gap[k, r] * exponential(-made[m, k, r] / ripening[k, r])
            for r in range(worlds):
                cash[m, k, r] = (bought[r] + worked[r] * local[m, r]) / good[m, k, r]
                line_cost[m, k, r] = investment[k, r] * local[m, r]
                full[m, k, r] = cash[m, k, r] + line_cost[m, k, r] * charge[r]
            for r in range(worlds):
                weight = capacity[m, k, r] + A_LITTLE * alive[m, r]
                total[r] += weight
                shares[0, r] += weight / good[m, k, r]
                shares[1, r] += weight / good[m, k, r] * local[m, r]
                shares[2, r] += weight * local[m, r]
        for r in range(worlds):
            lines = max(total[r], A_LITTLE)
            per_good, local_per_good, locally = shares[0, r] / lines, shares[1, r] / lines, shares[2, r] / lines
            mineral, component, process = minerals[k, r] * per_good, components[k, r] * per_good, processing[k, r] * local_per_good
            parts[k, 0, r], parts[k, 1, r], parts[k, 2, r] = mineral, component, process
            parts[k, 3, r] = investment[k, r] * charge[r] * locally
            parts[k, 4, r] = (mineral + component + process) * (overhead[r] - 1.0)


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


@njit(nogil=True, error_model="numpy")
def among_living(number, alive, k, r):
    """Mean over makers in business of a number (maker, chemistry, realization), for one chemistry and realization."""
    total = count = 0.0
    for m in range(len(alive)):
        total += number[m, k, r] * alive[m, r]
        count += alive[m, r]
    return total / max(count, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def divide(price, cost, capacity, alive, elasticity, home, factor, power, credit, abroad, at_home, total, mean, variety, offered):
    """Divide orders between the makers that have lines: a logit on the logarithm of the price that buyers meet.

    Buyers of a region meet prices of makers from one other region at one factor, so such makers are added up once for all
    regions. What a maker gets of a region's orders is ``at_home / total``, or ``abroad x power / total`` where it is not at home.

    price, cost  (maker, chemistry, realization)          posted price and full cost, USD/kWh
    capacity     (maker, chemistry, realization)          lines, GWh/year
    alive        (maker, realization)                     1 in business, 0 not
    elasticity   (realization,)                           response to price
    home         (maker,)                                 region where it builds
    factor       (region, home, chemistry, realization)   price met over price posted: transport and duties
    power        (region, home, chemistry, realization)   factor ** -elasticity
    credit       (region, realization)                    USD/kWh for cells made at home
    abroad       (maker, chemistry, realization)          written for makers of the chemistry: its pull at the price posted
    at_home      (maker, chemistry, realization)          written for makers of the chemistry: its pull at the price met at home
    total        (region, chemistry, realization)         written: sum of what pulls; 1 where nobody sells
    mean         (region, chemistry, realization)         written: price that buyers meet; mean full cost where nobody sells
    variety      (region, chemistry, realization)         written: logarithm of the effective number of makers; 0 where nobody sells
    offered      (chemistry, realization)                 written: 1 where anybody sells, 0 where not
    """
    regions, chemistries, worlds = mean.shape
    sellers, lowest, landed = np.empty(len(home), np.int64), np.empty(worlds), np.empty(worlds)
    value, squares, unsold = np.empty(worlds), np.empty(worlds), np.empty(worlds)
    away, here = np.empty((3, regions, worlds)), np.empty((3, regions, worlds))  # of makers by home: pull, pull x price, pull squared
    for k in range(chemistries):
        count = makers_of(k, capacity, capacity, sellers)
        for r in range(worlds):
            lowest[r] = np.inf
            offered[k, r] = 0.0
            for g in range(regions):
                away[0, g, r] = away[1, g, r] = away[2, g, r] = here[0, g, r] = here[1, g, r] = here[2, g, r] = 0.0
        for i in range(count):
            m = sellers[i]
            for r in range(worlds):
                abroad[m, k, r] = capacity[m, k, r] if alive[m, r] > 0 else 0.0
                lowest[r] = min(lowest[r], price[m, k, r] if abroad[m, k, r] > 0 else np.inf)
        for i in range(count):
            m, at = sellers[i], home[sellers[i]]
            for r in range(worlds):
                value[r] = logarithm(price[m, k, r] / lowest[r])
            for r in range(worlds):
                value[r] = exponential(-elasticity[r] * value[r])
            for r in range(worlds):
                offered[k, r] = 1.0 if abroad[m, k, r] > 0 else offered[k, r]
                abroad[m, k, r] = abroad[m, k, r] * value[r] if abroad[m, k, r] > 0 else 0.0
            for r in range(worlds):
                at_home[m, k, r] = abroad[m, k, r] * power[at, at, k, r]
                landed[r] = price[m, k, r] * factor[at, at, k, r]
            for r in range(worlds):
                if credit[at, r] != 0 and abroad[m, k, r] > 0:
                    landed[r] = max(landed[r] - credit[at, r], LEAST_PAID * price[m, k, r])
                    at_home[m, k, r] = capacity[m, k, r] * exponential(-elasticity[r] * logarithm(landed[r] / lowest[r]))
            for r in range(worlds):
                pull, near = abroad[m, k, r], at_home[m, k, r]
                away[0, at, r] += pull
                away[1, at, r] += pull * price[m, k, r]
                away[2, at, r] += pull * pull
                here[0, at, r] += near
                here[1, at, r] += near * landed[r]
                here[2, at, r] += near * near
        for r in range(worlds):
            if offered[k, r] == 0:
                unsold[r] = among_living(cost, alive, k, r)
        for g in range(regions):
            for r in range(worlds):
                total[g, k, r], value[r], squares[r] = here[0, g, r], here[1, g, r], here[2, g, r]
            for at in range(regions):
                if at != g:
                    for r in range(worlds):
                        reach = power[g, at, k, r]
                        total[g, k, r] += away[0, at, r] * reach
                        value[r] += away[1, at, r] * reach * factor[g, at, k, r]
                        squares[r] += away[2, at, r] * reach * reach
            for r in range(worlds):
                if offered[k, r] == 0:
                    value[r], squares[r], total[g, k, r] = unsold[r], 1.0, 1.0
                mean[g, k, r] = value[r] / total[g, k, r]
            for r in range(worlds):
                variety[g, k, r] = -logarithm(squares[r] / (total[g, k, r] * total[g, k, r]))


@njit(cache=True, nogil=True, error_model="numpy")
def deliver(
    home, abroad, at_home, power, total, by_region, by_segment, capacity, good, met, content, at_hand, priority, first,
    asked, able, output, cells, needed, fill,
):  # fmt: skip
    """Fill orders as far as lines, components and lithium allow; who is full passes orders on to who is not.

    home        (maker,)                                   region where it builds
    abroad, at_home  (maker, chemistry, realization)       what pulls orders to a maker, as ``divide`` left it, and so the next two
    power       (region, home, chemistry, realization)
    total       (region, chemistry, realization)
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
    makers, chemistries, worlds = capacity.shape
    regions = len(by_region)
    per_pull, away, allowed, placed = np.empty((regions, worlds)), np.empty((regions, worlds)), np.empty(worlds), np.empty(worlds)
    segments = len(priority)
    left, room, supply, taken = np.empty(worlds), np.empty(worlds), np.empty((chemistries, worlds)), np.empty(worlds)
    wanted, weight, rank, got = np.empty(segments), np.empty(segments), np.empty(segments, np.int64), np.empty(segments)
    sellers = np.empty(makers, np.int64)
    for r in range(worlds):
        needed[r] = 0.0
    for m in range(makers):
        for k in range(chemistries):
            for r in range(worlds):
                asked[m, k, r] = able[m, k, r] = output[m, k, r] = 0.0
    for k in range(chemistries):
        for r in range(worlds):
            left[r] = room[r] = supply[k, r] = cells[k, r] = 0.0
        count = makers_of(k, capacity, capacity, sellers)
        for g in range(regions):
            for r in range(worlds):
                per_pull[g, r] = by_region[g, k, r] / total[g, k, r]
        for at in range(regions):
            for r in range(worlds):
                away[at, r] = 0.0
            for g in range(regions):
                if g != at:
                    for r in range(worlds):
                        away[at, r] += power[g, at, k, r] * per_pull[g, r]
        for i in range(count):
            m, at = sellers[i], home[sellers[i]]
            for r in range(worlds):
                orders = abroad[m, k, r] * away[at, r] + at_home[m, k, r] * per_pull[at, r]
                asked[m, k, r] = orders
                most = capacity[m, k, r] * good[m, k, r] * met[k, r] / MONTHS_PER_YEAR
                planned = min(orders, most)
                able[m, k, r], output[m, k, r] = most, planned
                left[r] += orders - planned
                room[r] += most - planned
        for r in range(worlds):
            taken[r] = min(left[r], room[r]) / room[r] if room[r] > 0 else 0.0
        for i in range(count):
            m = sellers[i]
            for r in range(worlds):
                final = output[m, k, r] + (able[m, k, r] - output[m, k, r]) * taken[r]
                output[m, k, r] = final
                supply[k, r] += final
                cells[k, r] += final / good[m, k, r]
        for r in range(worlds):
            needed[r] += cells[k, r] * content[k, r]
    for r in range(worlds):
        allowed[r] = min(1.0, at_hand[r] / max(needed[r], LEAST_NEED))
    for k in range(chemistries):
        for r in range(worlds):
            supply[k, r] *= allowed[r]
            cells[k, r] *= allowed[r]
            placed[r] = 0.0
        for r in range(worlds):
            if allowed[r] < 1.0:
                for m in range(makers):
                    output[m, k, r] *= allowed[r]
        for g in range(regions):
            for r in range(worlds):
                placed[r] += by_region[g, k, r]
        for s in range(segments):
            for r in range(worlds):
                fill[s, k, r] = 1.0
        for r in range(worlds):
            if placed[r] > supply[k, r] * NEARLY:  # few worlds are short of anything
                for s in range(segments):
                    wanted[s], weight[s], rank[s] = 0.0, priority[s, r], first[s, r]
                    for g in range(regions):
                        wanted[s] += by_segment[s, g, k, r]
                served(wanted, supply[k, r], weight, rank, got)
                for s in range(segments):
                    fill[s, k, r] = got[s]


@njit(cache=True, nogil=True, error_model="numpy")
def look_back(
    asked, able, output, price, cost, alive, offered, discouraged, phantom, scarcity, memory, lithium,
    wanted, pressure, utilisation, ordered, sustainable, ready, mean_price, lithium_price,
):  # fmt: skip
    """How busy the lines were, which sets the next markup, and what each chemistry sold for.

    asked, able, output  (maker, chemistry, realization)  orders, most that lines yield, and good cells, GWh a month
    price, cost          (maker, chemistry, realization)  posted price and full cost, USD/kWh
    alive                (maker, realization)             1 in business, 0 not
    offered              (chemistry, realization)         1 where anybody sells, 0 where not
    discouraged          (chemistry, realization)         factor by which waiting reduced orders
    phantom              (realization,)                   least that makers believe of it
    scarcity             (realization,)                   most that unfilled orders add to utilisation
    memory               (realization,)                   months over which makers see how busy they are
    lithium              (chemistry, realization)         above 0 in lithium-ion cells
    wanted               (maker, chemistry, realization)  written: orders that makers see, GWh a month
    pressure             (maker, chemistry, realization)  changed: utilisation and unfilled orders, smoothed
    utilisation          (maker, chemistry, realization)  written: output over what the lines could deliver
    ordered              (chemistry, realization)         written: sum of asked
    sustainable          (chemistry, realization)         written: share of output sold above full cost
    ready                (chemistry, realization)         written: what lines could deliver over what is wanted, at most 1
    mean_price           (chemistry, realization)         written: mean price by output; the mean posted one where nothing is sold
    lithium_price        (realization,)                   written: mean price of lithium-ion cells by output
    """
    makers, chemistries, worlds = asked.shape
    paid, could, short, sellers = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(makers, np.int64)
    believed, made, value, ions = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for r in range(worlds):
        lithium_price[r] = ions[r] = 0.0
    for m in range(makers):
        for k in range(chemistries):
            for r in range(worlds):
                wanted[m, k, r] = utilisation[m, k, r] = 0.0
    for k in range(chemistries):
        for r in range(worlds):
            ordered[k, r] = made[r] = value[r] = paid[r] = could[r] = 0.0
            believed[r] = max(discouraged[k, r], phantom[r])
        count = makers_of(k, asked, able, sellers)
        for i in range(count):
            m = sellers[i]
            for r in range(worlds):
                orders, cells, posted = asked[m, k, r], output[m, k, r], price[m, k, r]
                ordered[k, r] += orders
                wanted[m, k, r] = orders / believed[r]
                could[r] += able[m, k, r]
                made[r] += cells
                value[r] += cells * posted
                paid[r] += cells if posted >= cost[m, k, r] else 0.0
        for r in range(worlds):
            sold, orders = made[r], ordered[k, r]
            sustainable[k, r] = paid[r] / sold if sold > 0 else 0.0
            ready[k, r] = min(1.0, could[r] * believed[r] / orders if orders > 0 else offered[k, r])
            mean_price[k, r] = value[r] / sold if sold > 0 else among_living(price, alive, k, r)
            short[r] = min(1.0 - sold / orders if orders > 0 else 0.0, scarcity[r])
        for r in range(worlds):
            ions[r] += made[r] if lithium[k, r] > 0 else 0.0
            lithium_price[r] += value[r] if lithium[k, r] > 0 else 0.0
        for i in range(count):
            m = sellers[i]
            for r in range(worlds):
                if able[m, k, r] > 0:
                    used = output[m, k, r] / able[m, k, r]
                    utilisation[m, k, r] = used
                    pressure[m, k, r] += (used + short[r] - pressure[m, k, r]) / memory[r]
    for r in range(worlds):
        lithium_price[r] /= max(ions[r], NOTHING_SOLD)
