"""What makers build and develop: compiled kernels, since few lines are touched in any one month.

Arrays come with realizations last, as they lie in memory: neighbours in the innermost loops touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ROUNDING = 1e-9  # of a share of stages
NONE = -1  # stage of a programme that is not
LEAST_LINE = 1e-9  # GWh/year; what a conversion leaves below this is rounding, not a line that could sell
CHEAPER = 1.0  # a conversion must cost less than this share of a new line


@njit(cache=True, nogil=True, error_model="numpy")
def open_lines(ready, later, alive, sells, capacity, underway):
    """Start lines that are ready where the chemistry may be sold; the others wait a month, those of failed makers are lost.

    ready     (maker, chemistry, realization)  GWh/year that open this month; emptied
    later     (maker, chemistry, realization)  GWh/year that open next month; what waits is added
    alive     (maker, realization)             0 where the maker is not in business
    sells     (maker, chemistry, realization)  whether the maker may sell the chemistry
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
                    if sells[m, k, r]:
                        capacity[m, k, r] += ready[m, k, r]
                        underway[m, k, r] -= ready[m, k, r]
                    else:
                        later[m, k, r] += ready[m, k, r]
                ready[m, k, r] = 0.0


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
