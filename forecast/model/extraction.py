"""How lithium mines run: a compiled kernel, since many deposits are never opened and a month of one depends on no other."""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.instructions import fetch
from forecast.model.lanes import number
from forecast.model.market import STATUS

MARGIN = 0.9  # share of running capacity below the marginal cost; the dearest tenth has other reasons to run
RESOURCE, EVALUATION, CONSTRUCTION, PRODUCING, IDLE = range(len(STATUS))


@njit(inline="always")
def _marginal(cash_cost, order, running, total, cheap, marginal):
    """Write the cash cost below which most of the running capacity lies, USD/t."""
    worlds = len(total)
    reached = np.empty(worlds)
    for r in range(worlds):
        reached[r] = 0.0
        marginal[r] = cheap[r] * cash_cost[order[0, r], r]
    for rank in range(len(order)):
        for r in range(worlds):
            mine, before = order[rank, r], reached[r]
            reached[r] += running[mine, r]
            if before < MARGIN * total[r] <= reached[r]:
                marginal[r] = cheap[r] * cash_cost[mine, r]


@njit(cache=True, nogil=True, error_model="numpy")
def work(
    now, own, price, unsold, unexplained, cheap, cash_cost, order, opening, luck, cut,
    capacity, underway, lost, status, waited, running, output, ahead, marginal,
):  # fmt: skip
    """A month of all mines: unless too much is unsold building goes on and new capacity opens; owners idle below cash cost.

    now          index of the month
    own          (realization,) records         behaviour of mine owners
    price        (realization,)                 of lithium carbonate, USD/t
    unsold       (realization,)                 use that lithium between mines and makers covers, months
    unexplained  (realization,)                 logarithm of output that the deposits do not explain
    cheap        (realization,)                 cost over that of the start
    cash_cost    (mine, realization)            at the start, USD/t
    order        (mine, realization) int        mines from the cheapest to the dearest
    opening      (mine, realization, month)     capacity that opens, if no month is lost from now on and none was before, t/year
    luck         (mine, realization)            standard normal
    cut          (mine, realization)            share of output lost
    lost         (mine, realization) int        months in which building was suspended
    capacity, underway, running (mine, realization) t/year, lost, status int8, waited months: changed
    output       (mine, realization)            written, t/month
    ahead        (realization,)                 written: output that will be added within a year, t/year
    marginal     (realization,)                 written: cash cost below which most of the running capacity lies, USD/t
    """
    mines, worlds = capacity.shape
    ramping, total, factor, worth, taken = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    faster, slower, throttled, idle_below = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    restart_above, restart_time, outage = np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for r in range(worlds):  # loops, here and below: what numpy offers takes long to compile
        ramping[r], total[r], factor[r], worth[r] = 0.0, 0.0, np.exp(unexplained[r]), price[r] / cheap[r]
        faster[r], slower[r], outage[r] = 1.0 / own[r].ramp_time, 1.0 / own[r].slowdown_time, own[r].outage
        taken[r] = min(own[r].unsold_limit / max(unsold[r], 1e-9), 1.0)
        throttled[r], idle_below[r] = 1.0 / (own[r].full_above - own[r].idle_below), own[r].idle_below
        restart_above[r], restart_time[r] = own[r].restart_above, own[r].restart_time
    for m in range(mines):
        following = min(m + 1, mines - 1)
        for r in range(worlds):
            if underway[following, r] > 0:
                today = (following * worlds + r) * opening.shape[2] + now - lost[following, r]
                fetch(opening, today)
                fetch(opening, today + MONTHS_PER_YEAR)
        for r in range(worlds):
            if underway[m, r] > 0:
                if taken[r] < 1.0:
                    lost[m, r] += 1
                else:
                    today = (m * worlds + r) * opening.shape[2] + now - lost[m, r]
                    opened, coming = number(opening, today), ramping[r]
                    for later in range(1, MONTHS_PER_YEAR + 1):  # the calendar goes on for a year after the horizon
                        coming += number(opening, today + later)
                    ramping[r] = coming
                    if opened > 0:
                        capacity[m, r] += opened
                        underway[m, r] -= opened
                        status[m, r] = max(status[m, r], PRODUCING)
        for r in range(worlds):  # what was never opened has no capacity and puts out nothing
            state, over_cost = status[m, r], worth[r] / cash_cost[m, r]
            state = IDLE if state == PRODUCING and over_cost < idle_below[r] else state
            wait = waited[m, r] + 1 if state == IDLE and over_cost > restart_above[r] else 0
            state = PRODUCING if wait >= restart_time[r] else state
            throttle = taken[r] * min(max((over_cost - idle_below[r]) * throttled[r], 0.0), 1.0)
            target = capacity[m, r] * throttle if state == PRODUCING else 0.0
            gap = target - running[m, r]
            runs = running[m, r] + gap * (faster[r] if gap > 0 else slower[r])
            works = max(1.0 + outage[r] * luck[m, r], 0.0) * min(max(1.0 - cut[m, r], 0.0), 1.0)
            status[m, r], waited[m, r], running[m, r] = state, wait, runs
            ramping[r] += target - runs
            total[r] += runs
            output[m, r] = runs * works * factor[r] / MONTHS_PER_YEAR
    for r in range(worlds):
        ahead[r] = ramping[r] * factor[r]
    _marginal(cash_cost, order, running, total, cheap, marginal)


@njit(cache=True, nogil=True, error_model="numpy")
def build(now, size, lead, opening, lost, underway):
    """Enter capacity in the calendar of openings; what lies beyond its end opens in its last month, which never comes.

    size  (mine, realization)  t/year
    lead  (mine, realization)  months
    other arguments as in ``work``; opening and underway are changed
    """
    mines, worlds = size.shape
    for m in range(mines):
        for r in range(worlds):
            if size[m, r] > 0:
                _enter(now, m, r, size[m, r], lead[m, r], opening, lost, underway)


@njit(inline="always")
def _enter(now, mine, world, size, lead, opening, lost, underway):
    when = min(now - lost[mine, world] + int(max(np.rint(lead), 1.0)), opening.shape[2] - 1)
    opening[mine, world, when] += size
    underway[mine, world] += size


@njit(cache=True, nogil=True, error_model="numpy")
def commit(
    now, years, known, own, believed, spot, luck, cheap, cash_cost, incentive, capital_cost, potential, lead,
    capacity, running, underway, lost, status, opening,
):  # fmt: skip
    """Resources become projects; owners expand where it pays and open new mines, as far as money and contractors go.

    years         of a quarter
    known         (mine, realization) bool     whether the deposit is known well enough to build
    believed      (realization,)               price that owners expect in the long run, USD/t
    spot          (realization,)               price that owners have seen of late, USD/t
    luck          (mine, realization)          uniform: when an owner makes up his mind
    incentive     (mine, realization)          price that pays for new capacity at the cost of the start, USD/t
    capital_cost  (mine, realization)          at the start, USD per t/year
    potential     (mine, realization)          t/year
    lead          (mine, realization)          of a new mine, months
    other arguments as in ``work``; underway, status and opening are changed
    """
    mines, worlds = capacity.shape
    wanted = np.empty((mines, worlds))
    earned, there, bill, total = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    hoped, seen, share = np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for r in range(worlds):
        earned[r], there[r], bill[r], total[r] = 0.0, 0.0, 0.0, 0.0
        hoped[r], seen[r] = believed[r] / cheap[r], spot[r] / cheap[r]
    for m in range(mines):
        for r in range(worlds):
            wanted[m, r] = 0.0
            if status[m, r] == RESOURCE and known[m, r]:
                status[m, r] = EVALUATION
            if status[m, r] >= PRODUCING:
                earned[r] += running[m, r] * max(seen[r] - cash_cost[m, r], 0.0)
                there[r] += capacity[m, r]
            if hoped[r] > incentive[m, r] and known[m, r] and (status[m, r] == PRODUCING or status[m, r] == EVALUATION):
                eager = -np.expm1(-own[r].eagerness * np.log(hoped[r] / incentive[m, r]))
                rate = own[r].expansion_rate * eager * years
                if status[m, r] == PRODUCING:
                    wanted[m, r] = rate * max(potential[m, r] - capacity[m, r] - underway[m, r], 0.0)
                elif luck[m, r] < rate:
                    wanted[m, r] = own[r].first_stage * potential[m, r]
                bill[r] += wanted[m, r] * capital_cost[m, r] * cheap[r]
                total[r] += wanted[m, r]
    for r in range(worlds):
        paid, most = own[r].reinvestment * earned[r] * cheap[r] * years, own[r].fastest_growth * there[r] * years
        share[r] = min(paid / max(bill[r], 1e-9), most / max(total[r], 1e-9), 1.0)
    for m in range(mines):
        for r in range(worlds):
            size = wanted[m, r] * share[r]
            if size > 0:
                expands = status[m, r] == PRODUCING
                status[m, r] = PRODUCING if expands else CONSTRUCTION
                _enter(now, m, r, size, lead[m, r] * (own[r].expansion_time if expands else 1.0), opening, lost, underway)
