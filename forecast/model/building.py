"""What makers build and develop: compiled kernels, since few lines are touched in any one month.

Arrays come with realizations last, as they lie in memory: neighbours in the innermost loops touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR

ROUNDING = 1e-9  # of a share of stages
NONE = -1  # stage of a programme that is not
LEAST_LINE = 1e-9  # GWh/year; what a conversion leaves below this is rounding, not a line that could sell
CHEAPER = 1.0  # a conversion must cost less than this share of a new line


@njit(cache=True, nogil=True, error_model="numpy")
def open_lines(ready, later, alive, free, may_sell, capacity, underway):
    """Start lines that are ready where the chemistry may be sold; the others wait a month, those of failed makers are lost.

    ready     (maker, chemistry, realization)  GWh/year that open this month; emptied
    later     (maker, chemistry, realization)  GWh/year that open next month; what waits is added
    alive     (maker, realization)             0 where the maker is not in business
    free      (chemistry,)                     whether anybody may sell the chemistry
    may_sell  (maker, chemistry, realization)  above 0 where this maker may
    capacity  (maker, chemistry, realization)  GWh/year in place, changed
    underway  (maker, chemistry, realization)  GWh/year under construction, changed
    """
    makers, chemistries, worlds = ready.shape
    for m in range(makers):
        for k in range(chemistries):
            for r in range(worlds):
                if alive[m, r] == 0:
                    underway[m, k, r] = 0.0
                elif ready[m, k, r] != 0:
                    if free[k] or may_sell[m, k, r] > 0:
                        capacity[m, k, r] += ready[m, k, r]
                        underway[m, k, r] -= ready[m, k, r]
                    else:
                        later[m, k, r] += ready[m, k, r]
                ready[m, k, r] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def watch(wanted, pace, fast, seen, slow):
    """Smooth orders, and the orders of the world both fast and slowly.

    wanted      (maker, chemistry, realization)  orders that makers see, GWh a month
    pace        (realization,)                   share of the gap closed in a month
    fast        (maker, chemistry, realization)  changed: orders of each maker, GWh/year
    seen, slow  (chemistry, realization)         changed: orders of the world, the second at half the pace
    """
    makers, chemistries, worlds = wanted.shape
    world = np.empty((chemistries, worlds))
    for k in range(chemistries):
        for r in range(worlds):
            world[k, r] = 0.0
    for m in range(makers):
        for k in range(chemistries):
            for r in range(worlds):
                yearly = wanted[m, k, r] * MONTHS_PER_YEAR
                fast[m, k, r] += (yearly - fast[m, k, r]) * pace[r]
                world[k, r] += yearly
    for k in range(chemistries):
        for r in range(worlds):
            seen[k, r] += (world[k, r] - seen[k, r]) * pace[r]
            slow[k, r] += (world[k, r] - slow[k, r]) * pace[r] / 2.0


@njit(cache=True, nogil=True, error_model="numpy")
def want(orders, ahead, aim, mature, catch_up, nerve, fastest, first, margin, capacity, underway, free, may_build, alive, more):
    """New lines that makers would like to commit in a quarter.

    orders    (maker, chemistry, realization)  GWh/year, smoothed
    ahead     (chemistry, realization)         orders when a line opens over those of now
    aim       (maker, realization)             lines aimed at over expected orders
    mature    (chemistry, realization)         share of good cells
    catch_up  (realization,)                   share of the gap committed
    nerve     (realization,)                   loss of margin over which commitments fall by 63 %
    fastest   (realization,)                   most that is committed, over all lines of the maker
    first     (realization,)                   first line of a chemistry, GWh/year
    margin    (maker, chemistry, realization)  price over full cost, less one
    capacity, underway  (maker, chemistry, realization)  lines in place and under construction, GWh/year
    free      (chemistry,)                     whether anybody may build
    may_build (maker, chemistry, realization)  above 0 where this maker may
    alive     (maker, realization)             1 in business, 0 not
    more      (maker, chemistry, realization)  written, GWh/year
    """
    makers, chemistries, worlds = orders.shape
    most = np.empty(worlds)
    for m in range(makers):
        for r in range(worlds):
            most[r] = 0.0
        for k in range(chemistries):
            for r in range(worlds):
                most[r] += capacity[m, k, r]
        for r in range(worlds):
            most[r] = fastest[r] * (most[r] + first[r])
        for k in range(chemistries):
            for r in range(worlds):
                missing = orders[m, k, r] * ahead[k, r] * aim[m, r] / mature[k, r] - capacity[m, k, r] - underway[m, k, r]
                more[m, k, r] = max(missing, 0.0) * catch_up[r]
            for r in range(worlds):
                if more[m, k, r] > 0 and margin[m, k, r] < 0:  # losses take courage
                    more[m, k, r] *= np.exp(margin[m, k, r] / nerve[r])
            for r in range(worlds):
                may, lines = may_build[m, k, r] > 0, capacity[m, k, r] + underway[m, k, r]
                size = min(more[m, k, r], most[r]) + (first[r] if may & (lines <= 0) else 0.0)
                more[m, k, r] = size * alive[m, r] if free[k] | may else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def afford(size, price, revenue, limit, borrowing, cash):
    """Scale commitments to what cash and credit allow, and pay for them.

    size       (maker, chemistry, realization)  GWh/year, changed
    price      (maker, chemistry, realization)  USD/kWh a year
    revenue    (maker, realization)             MUSD a year
    limit      (realization,)                   most that is spent at a time, over cash and credit
    borrowing  (realization,)                   years of revenue that lenders advance
    cash       (maker, realization)             MUSD, changed
    """
    makers, chemistries, worlds = size.shape
    bill, share = np.empty(worlds), np.empty(worlds)
    for m in range(makers):
        for r in range(worlds):
            bill[r] = 0.0
        for k in range(chemistries):
            for r in range(worlds):
                bill[r] += price[m, k, r] * size[m, k, r]
        for r in range(worlds):
            means = limit[r] * max(cash[m, r] + borrowing[r] * revenue[m, r], 0.0)
            share[r] = means / bill[r] if bill[r] > means else 1.0
            cash[m, r] -= bill[r] * share[r]
        for k in range(chemistries):
            for r in range(worlds):
                size[m, k, r] *= share[r]


@njit(cache=True, nogil=True, error_model="numpy")
def convert(wanted, share, line_cost, cash, means, limit, idle, capacity, order):
    """Turn idle lines of one chemistry into lines of another where that is possible and cheaper, as far as money goes.

    wanted     (maker, chemistry, realization)  new lines, GWh/year; what is converted is taken off
    share      (new, old, realization)          cost of converting a line over that of a new one; 0 where it is not possible
    line_cost  (maker, chemistry, realization)  USD/kWh a year
    cash       (maker, realization)             MUSD, changed
    means      (maker, realization)             MUSD that lenders add to cash
    limit      (realization,)                   most that is spent at a time, over cash and credit
    idle       (maker, chemistry, realization)  share of the lines that is idle
    capacity   (maker, chemistry, realization)  GWh/year in place, changed
    order      (maker, chemistry, realization)  changed: lines to be converted to the chemistry, GWh/year, are added
    """
    makers, chemistries, worlds = wanted.shape
    for m in range(makers):
        for new in range(chemistries):
            for r in range(worlds):
                if wanted[m, new, r] <= 0:
                    continue
                total = dear = 0.0
                for old in range(chemistries):
                    if 0 < share[new, old, r] < CHEAPER:
                        total += capacity[m, old, r] * idle[m, old, r]
                        dear += capacity[m, old, r] * idle[m, old, r] * share[new, old, r]
                if total <= 0:
                    continue
                size = min(wanted[m, new, r], total)
                bill = line_cost[m, new, r] * dear * size / total
                most = limit[r] * max(cash[m, r] + means[m, r], 0.0)
                if bill > most:
                    size *= most / bill
                    bill = most
                for old in range(chemistries):
                    if 0 < share[new, old, r] < CHEAPER:
                        left = capacity[m, old, r] * (1.0 - idle[m, old, r] * size / total)
                        capacity[m, old, r] = left if left > LEAST_LINE else 0.0
                cash[m, r] -= bill
                wanted[m, new, r] -= size
                order[m, new, r] += size


@njit(cache=True, nogil=True, error_model="numpy")
def enter(order, when, coming, underway):
    """Enter lines in the calendar of openings.

    order     (maker, chemistry, realization)         GWh/year
    when      (chemistry, realization)                place in the calendar of the month in which a line opens
    coming    (place, maker, chemistry, realization)  GWh/year, changed
    underway  (maker, chemistry, realization)         GWh/year under construction, changed
    """
    makers, chemistries, worlds = order.shape
    for m in range(makers):
        for k in range(chemistries):
            for r in range(worlds):
                if order[m, k, r] > 0:
                    coming[when[k, r], m, k, r] += order[m, k, r]
                    underway[m, k, r] += order[m, k, r]


@njit(cache=True, nogil=True, error_model="numpy")
def begin(observed, due, alive, stage):
    """Programmes that are due enter at the stage at which they were observed; those of makers that are not in business end.

    observed  (maker, programme) int               stage, -1 none
    due       (maker, programme, realization) bool  whether it was observed by now
    alive     (maker, realization)                  0 where the maker is not in business
    stage     (maker, programme, realization) int   stage reached, -1 none; changed
    """
    makers, programmes, worlds = stage.shape
    for m in range(makers):
        for p in range(programmes):
            for r in range(worlds):
                reached = observed[m, p] if due[m, p, r] and stage[m, p, r] == NONE else stage[m, p, r]
                stage[m, p, r] = reached if alive[m, r] > 0 else NONE


@njit(cache=True, nogil=True, error_model="numpy")
def report(last, columns, stage, spending, shown, may_sell, may_build, spent):
    """Write down the stages, who may sell and who may build, and what the programmes cost until they reach the market.

    last                                                         stage of what has reached the market
    columns             (programme,) int                         its chemistry
    stage               (maker, programme, realization)          stage reached, -1 none
    spending            (maker, programme, realization)          of a month, MUSD
    shown               (maker, chemistry, realization)          written: stage of the chemistry's programme
    may_sell, may_build (maker, chemistry, realization)          written: 1 or 0
    spent               (maker, realization)                     written, MUSD
    """
    makers, programmes, worlds = stage.shape
    for m in range(makers):
        for r in range(worlds):
            spent[m, r] = 0.0
        for p in range(programmes):
            k = columns[p]
            for r in range(worlds):
                reached = stage[m, p, r]
                shown[m, k, r] = reached
                may_sell[m, k, r] = reached == last
                may_build[m, k, r] = reached >= last - 1
                spent[m, r] += spending[m, p, r] if (reached >= 0) & (reached < last) else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(stage, luck, builds_on, alive, welcome, pace, effort, help_, push, start):
    """Pass a stage, or start a programme, where luck falls below the probability of the month.

    stage      (maker, programme, realization)  stage reached, -1 none; changed
    luck       (maker, programme, realization)  uniform in [0, 1)
    builds_on  (programme, other, realization)  share of the other's stages that somebody must have passed
    alive      (maker, realization)             0 where the maker is not in business, and starts nothing
    welcome    (maker, programme)               whether the maker would start the programme
    pace       (programme, stage, realization)  stages a month of a maker alone
    effort     (maker, programme, realization)  factor on it
    help_      (lead, realization)              factor on it, by the stages that the leader is ahead
    push       (programme, realization)         factor on it
    start      (realization,)                   probability of the month that a ripe programme starts
    """
    makers, programmes, worlds = stage.shape
    last = pace.shape[1]
    best, known = np.empty((programmes, worlds), np.int64), np.empty(worlds, np.bool_)
    for p in range(programmes):
        for r in range(worlds):
            best[p, r] = -1
        for m in range(makers):
            for r in range(worlds):
                best[p, r] = max(best[p, r], stage[m, p, r])
    for p in range(programmes):
        for r in range(worlds):
            known[r] = True
            for other in range(programmes):
                known[r] &= max(best[other, r], 0) / last >= builds_on[p, other, r] - ROUNDING
        for m in range(makers):
            for r in range(worlds):
                now, chance = stage[m, p, r], luck[m, p, r]
                if 0 <= now < last:
                    if known[r]:
                        rate = pace[p, now, r] * effort[m, p, r] * help_[best[p, r] - now, r] * push[p, r]
                        # 1 - exp(-rate) is below rate: mostly there is no need to work it out
                        if chance < rate and chance < -np.expm1(-rate):
                            stage[m, p, r] = now + 1
                elif now < 0 and welcome[m, p] and best[p, r] >= last - 2 and alive[m, r] > 0 and chance < start[r]:
                    stage[m, p, r] = 0
