"""How lithium mines run: a compiled kernel, since many deposits are never opened and a month of one depends on no other."""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.market import STATUS
from forecast.model.powers import exponential, logarithm

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


@njit(inline="always")
def _open(month, world, opening, planned, capacity, underway, status):
    """Take into use what opens in a world."""
    if planned[world, month] > 0:
        for mine in range(len(capacity)):
            if opening[world, month, mine] > 0:
                capacity[mine, world] += opening[world, month, mine]
                underway[mine, world] -= opening[world, month, mine]
                status[mine, world] = max(status[mine, world], PRODUCING)


@njit(cache=True, nogil=True, error_model="numpy")
def work(
    now, own, price, unsold, unexplained, cheap, cash_cost, order, opening, planned, lost, luck, cut,
    capacity, underway, status, waited, running, output, ahead, marginal,
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
    opening      (realization, month, mine)     capacity that opens, if no month is lost from now on and none was before, t/year
    planned      (realization, month)           sum of it over mines
    lost         (realization,) int             months in which building was suspended, changed
    luck         (mine, realization)            standard normal
    cut          (mine, realization)            share of output lost
    capacity, underway, running (mine, realization) t/year, status, waited months: changed
    output       (mine, realization)            written, t/month
    ahead        (realization,)                 written: output that will be added within a year, t/year
    marginal     (realization,)                 written: cash cost below which most of the running capacity lies, USD/t
    """
    mines, worlds = capacity.shape
    ramping, total, factor, worth, taken = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    faster, slower, throttled, idle_below = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    restart_above, restart_time, outage = np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for r in range(worlds):  # loops, here and below: what numpy offers takes long to compile
        total[r], factor[r], worth[r] = 0.0, np.exp(unexplained[r]), price[r] / cheap[r]
        faster[r], slower[r], outage[r] = 1.0 / own[r].ramp_time, 1.0 / own[r].slowdown_time, own[r].outage
        taken[r] = min(own[r].unsold_limit / max(unsold[r], 1e-9), 1.0)
        throttled[r], idle_below[r] = 1.0 / (own[r].full_above - own[r].idle_below), own[r].idle_below
        restart_above[r], restart_time[r] = own[r].restart_above, own[r].restart_time
    for r in range(worlds):
        ramping[r] = 0.0
        if taken[r] < 1.0:
            lost[r] += 1
        else:
            _open(now - lost[r], r, opening, planned, capacity, underway, status)
            for later in range(1, MONTHS_PER_YEAR + 1):  # the calendar goes on for a year after the horizon
                ramping[r] += planned[r, now - lost[r] + later]
    for m in range(mines):
        for r in range(worlds):  # what was never opened has no capacity and puts out nothing
            state, over_cost = status[m, r], worth[r] / cash_cost[m, r]
            state = IDLE if (state == PRODUCING) & (over_cost < idle_below[r]) else state
            wait = waited[m, r] + 1.0 if (state == IDLE) & (over_cost > restart_above[r]) else 0.0
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
def build(now, size, lead, opening, planned, lost, underway):
    """Enter capacity in the calendar of openings; what lies beyond its end opens in its last month, which never comes.

    size  (mine, realization)  t/year
    lead  (mine, realization)  months
    other arguments as in ``work``; opening, planned and underway are changed
    """
    mines, worlds = size.shape
    for m in range(mines):
        for r in range(worlds):
            if size[m, r] > 0:
                _enter(now, m, r, size[m, r], lead[m, r], opening, planned, lost, underway)


@njit(inline="always")
def _enter(now, mine, world, size, lead, opening, planned, lost, underway):
    when = min(now - lost[world] + int(max(np.rint(lead), 1.0)), planned.shape[1] - 1)
    opening[world, when, mine] += size
    planned[world, when] += size
    underway[mine, world] += size


@njit(cache=True, nogil=True, error_model="numpy")
def commit(
    now, years, known, own, believed, spot, luck, cheap, cash_cost, incentive, capital_cost, potential, lead, expansion,
    capacity, running, underway, status, opening, planned, lost,
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
    expansion     (mine, realization)          of an expansion, months
    other arguments as in ``work``; underway, status, opening and planned are changed
    """
    mines, worlds = capacity.shape
    wanted, eager, rate = np.empty((mines, worlds)), np.empty(worlds), np.empty(worlds)
    earned, there, bill, total = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    hoped, seen, share, eagerness, first_stage = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    for r in range(worlds):
        earned[r], there[r], bill[r], total[r] = 0.0, 0.0, 0.0, 0.0
        hoped[r], seen[r] = believed[r] / cheap[r], spot[r] / cheap[r]
        eagerness[r], rate[r], first_stage[r] = own[r].eagerness, own[r].expansion_rate * years, own[r].first_stage
    for m in range(mines):
        for r in range(worlds):
            eager[r] = -eagerness[r] * logarithm(max(hoped[r] / incentive[m, r], 1.0))
        for r in range(worlds):
            eager[r] = 1.0 - exponential(eager[r])  # nobody is below the incentive price
        for r in range(worlds):
            state = EVALUATION if (status[m, r] == RESOURCE) & known[m, r] else status[m, r]
            chance = rate[r] * eager[r] if known[m, r] else 0.0
            opens = first_stage[r] * potential[m, r] if (state == EVALUATION) & (luck[m, r] < chance) else 0.0
            more = chance * max(potential[m, r] - capacity[m, r] - underway[m, r], 0.0) if state == PRODUCING else opens
            earned[r] += running[m, r] * max(seen[r] - cash_cost[m, r], 0.0) if state >= PRODUCING else 0.0
            there[r] += capacity[m, r] if state >= PRODUCING else 0.0
            bill[r] += more * capital_cost[m, r] * cheap[r]
            total[r] += more
            status[m, r], wanted[m, r] = state, more
    for r in range(worlds):
        paid, most = own[r].reinvestment * earned[r] * cheap[r] * years, own[r].fastest_growth * there[r] * years
        share[r] = min(paid / max(bill[r], 1e-9), most / max(total[r], 1e-9), 1.0)
    for m in range(mines):
        for r in range(worlds):
            size = wanted[m, r] * share[r]
            if size > 0:
                expands = status[m, r] == PRODUCING
                status[m, r] = PRODUCING if expands else CONSTRUCTION
                _enter(now, m, r, size, expansion[m, r] if expands else lead[m, r], opening, planned, lost, underway)
