"""How buyers choose: compiled kernels on arrays; they change nothing but the rows they are handed.

Buyers of one cell (segment x region) stand together, and ``due[realization, buyer]`` is the month in which each one's
battery falls due: looking through these small numbers in order is far quicker than following a chain of buyers through
memory. What a buyer is (``profile``) is shared by all worlds; each world folds its own means and spreads into ``base``
and ``slope``. The kernels go cell by cell through all worlds, so that the cell's buyers stay in the cache. float32
throughout: choices need no more.
"""

from __future__ import annotations

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
BUYER = np.uint64(0xD1B54A32D192ED03)
S27, S30, S31, S40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)
UNIT = np.float32(2.0**-24)
NOTHING = np.int8(-1)
NEVER = np.float32(-1e4)
LANES = 16  # visitors who choose side by side
LATEST = 32000  # a month beyond any horizon
STRIDE = 64  # due months looked at in one go


@njit(inline="always")
def _scramble(bits):
    bits = (bits ^ (bits >> S30)) * M1
    bits = (bits ^ (bits >> S27)) * M2
    return bits ^ (bits >> S31)


@njit(inline="always")
def _luck(key, occasion):
    """Uniform in [0, 1) from a key and the number of the occasion (SplitMix64, as in ``streams``)."""
    return np.float32(_scramble(_scramble(key + occasion * GOLDEN)) >> S40) * UNIT


@njit(inline="always")
def _exp(x):
    """exp for x <= 0 in float32: 2**whole times a polynomial on the fraction, relative error below 1e-6; 0 far below."""
    y = max(x, np.float32(-87.0)) * np.float32(1.4426950408889634)
    whole = np.floor(y)
    f = (y - whole) * np.float32(0.6931471805599453)
    p = np.float32(1.0 / 5040.0)
    p = p * f + np.float32(1.0 / 720.0)
    p = p * f + np.float32(1.0 / 120.0)
    p = p * f + np.float32(1.0 / 24.0)
    p = p * f + np.float32(1.0 / 6.0)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    power = np.int32(whole) + np.int32(127)
    value = p * np.int32(power << np.int32(23)).view(np.float32)
    return value if x > np.float32(-80.0) else np.float32(0.0)


@njit(inline="always")
def _those_due(month, due, begin, end, visitor, place):
    """Note the buyers whose battery falls due this month, in order; returns the place after the last."""
    now = np.int16(month)
    row = due[begin:end]
    whole = len(row) - len(row) % STRIDE
    for group in range(0, whole, STRIDE):
        months = row[group : group + STRIDE]
        hits, where = np.int16(0), np.int16(0)
        for i in range(STRIDE):
            hit = np.int16(months[i] == now)
            hits += hit
            where += hit * np.int16(i)
        if hits == 1:
            visitor[place] = begin + group + where
            place += 1
        elif hits > 1:
            for i in range(STRIDE):
                visitor[place] = begin + group + i
                place += months[i] == now
    for i in range(whole, len(row)):
        visitor[place] = begin + i
        place += row[i] == now
    return place


@njit(inline="always")
def _offers(admission, offers):
    """Note the chemistries that anybody's products admit; returns how many."""
    offered = 0
    for k in range(len(admission)):
        if admission[k] > 0:
            offers[offered] = k
            offered += 1
    return offered


@njit(cache=True, nogil=True, error_model="numpy")
def shop(month, due, owned, visitor, pick, until, profile, start, cell_key, base, slope, habit, limit, admission, key, wish):
    """Let everyone who is due this month choose a chemistry.

    month      index of the month
    due        (realization, buyer) int16              month in which the battery falls due
    owned      (realization, buyer) int8               chemistry in use
    visitor    (realization, buyer + 1) int32          written: who chose this month, in the order of cells
    pick       (realization, buyer) int8               written: chemistry each visitor chose, -1 none
    until      (realization, cell + 1) int64           written: visitors of a cell end here, those of the next begin
    profile    (buyer, 5 tastes + 4 requirements + 1)  standard normal, the last uniform: openness; f32, as all that follow
    start      (cell + 1,) int64                       first buyer of each cell
    cell_key   (cell,) uint64                          luck of each cell, by name
    base       (realization, cell, chemistry)          utility of the mean buyer
    slope      (realization, cell, taste, chemistry)   how each taste bends it
    habit      (realization, cell)                     utility of what one owns
    limit      (realization, cell, requirement, chemistry)  most demanding buyer that is still served
    admission  (realization, cell, chemistry)          share of buyers whose products admit the chemistry; 0 no offer
    key        (realization,) uint64                   luck of this world
    wish       (realization, cell, chemistry) f64      written: sum of choice probabilities

    A buyer for whom nothing on offer is good enough takes from what is offered. ``LANES`` visitors of a cell choose side by
    side, each in a lane of its own through the loops, which so run as vectors; lanes left over repeat the last visitor and
    count for nothing.
    """
    worlds, cells, chemistries = base.shape
    occasion = np.uint64(2 * month)
    taste, need = np.empty((5, LANES), np.float32), np.empty((4, LANES), np.float32)
    openness, best, sofar, mark = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    mine, passed, luck = np.empty(LANES, np.float32), np.empty(LANES, np.int32), np.empty(LANES, np.uint64)
    utility, weight = np.empty((chemistries, LANES), np.float32), np.empty((chemistries, LANES), np.float32)
    wishes, offers = np.empty((chemistries, LANES)), np.empty(chemistries, np.int64)
    for c in range(cells):
        for r in range(worlds):
            first = until[r, c]
            last = until[r, c + 1] = _those_due(month, due[r], start[c], start[c + 1], visitor[r], first)
            offered = _offers(admission[r, c], offers)
            if first == last or offered == 0:
                pick[r, first:last] = NOTHING
                continue
            wishes[:offered] = 0.0
            for begin in range(first, last, LANES):
                here = min(LANES, last - begin)
                for i in range(LANES):
                    buyer = visitor[r, begin + min(i, here - 1)]
                    for a in range(5):
                        taste[a, i] = profile[buyer, a]
                    for q in range(4):
                        need[q, i] = profile[buyer, 5 + q]
                    openness[i] = profile[buyer, 9]
                    mine[i] = owned[r, buyer]
                    luck[i] = key[r] ^ (cell_key[c] + np.uint64(buyer - start[c]) * BUYER)
                    best[i] = NEVER
                for o in range(offered):
                    k = offers[o]
                    this, mean, loyalty, admitted = np.float32(k), base[r, c, k], habit[r, c], admission[r, c, k]
                    b0, b1, b2, b3, b4 = slope[r, c, 0, k], slope[r, c, 1, k], slope[r, c, 2, k], slope[r, c, 3, k], slope[r, c, 4, k]
                    n0, n1, n2, n3 = limit[r, c, 0, k], limit[r, c, 1, k], limit[r, c, 2, k], limit[r, c, 3, k]
                    for i in range(LANES):
                        u = mean + (loyalty if mine[i] == this else np.float32(0.0))
                        u = u + taste[0, i] * b0 + taste[1, i] * b1 + taste[2, i] * b2 + taste[3, i] * b3 + taste[4, i] * b4
                        fits = (openness[i] < admitted) & (need[0, i] <= n0) & (need[1, i] <= n1) & (need[2, i] <= n2) & (need[3, i] <= n3)
                        w = u if fits else NEVER
                        utility[o, i], weight[o, i] = u, w
                        best[i] = w if w > best[i] else best[i]
                for i in range(here):
                    if best[i] == NEVER:
                        for o in range(offered):
                            weight[o, i] = utility[o, i]
                            best[i] = max(best[i], utility[o, i])
                for i in range(LANES):
                    sofar[i] = np.float32(0.0)
                    passed[i] = 0
                for o in range(offered):
                    for i in range(LANES):
                        weight[o, i] = _exp(weight[o, i] - best[i])
                        sofar[i] += weight[o, i]
                for i in range(LANES):
                    mark[i] = _luck(luck[i], occasion) * sofar[i]
                    best[i] = np.float32(1.0) / sofar[i] if i < here else np.float32(0.0)
                    sofar[i] = np.float32(0.0)
                for o in range(offered):
                    for i in range(LANES):
                        sofar[i] += weight[o, i]
                        passed[i] += sofar[i] <= mark[i]
                        wishes[o, i] += weight[o, i] * best[i]
                for i in range(here):
                    pick[r, begin + i] = offers[min(passed[i], offered - 1)]
            for o in range(offered):
                for i in range(LANES):
                    wish[r, c, offers[o]] += wishes[o, i]


@njit(cache=True, nogil=True, error_model="numpy")
def take_home(month, due, owned, visitor, pick, until, start, cell_key, fill, life, life_factor, key):
    """Hand over what was delivered and set the month in which each battery falls due; the others come back next month.

    fill         (realization, cell, chemistry) f32  share of orders delivered
    life         (realization, cell, chemistry) f32  mean life in months
    life_factor  (n,) float32                        life over its mean, quantiles at n equal steps
    other arguments as in ``shop``; due and owned are written
    """
    worlds, cells, _ = fill.shape
    steps = life_factor.shape[0]
    occasion = np.uint64(2 * month + 1)
    for c in range(cells):
        for r in range(worlds):
            for place in range(until[r, c], until[r, c + 1]):
                buyer = visitor[r, place]
                when = month + 1
                chosen = pick[r, place]
                if chosen >= 0:
                    luck = _luck(key[r] ^ (cell_key[c] + np.uint64(buyer - start[c]) * BUYER), occasion)
                    if luck < fill[r, c, chosen]:
                        owned[r, buyer] = chosen
                        rank = luck / fill[r, c, chosen]
                        wait = life[r, c, chosen] * life_factor[min(np.int64(rank * steps), steps - 1)]
                        when = month + max(np.int64(1), np.int64(wait))
                due[r, buyer] = min(when, LATEST)


@njit(cache=True, nogil=True, error_model="numpy")
def enrol(due, owned, start, habit, left, shares, life):
    """Give every buyer its first battery and the month in which that falls due.

    due, owned   as in ``shop``, written
    start        (cell + 1,) int64                first buyer of each cell
    habit, left  (buyer,) float64                 uniform luck: chemistry owned, share of its life that is left
    shares       (realization, cell, chemistry)   chemistries in use
    life         (realization, cell)              life in months
    """
    worlds, cells, chemistries = shares.shape
    for c in range(cells):
        for r in range(worlds):
            for buyer in range(start[c], start[c + 1]):
                reached = 0.0
                for k in range(chemistries):
                    if shares[r, c, k] > 0 and reached <= habit[buyer]:
                        owned[r, buyer] = k
                    reached += shares[r, c, k]
                due[r, buyer] = min(np.int64(left[buyer] * life[r, c]), LATEST)


@njit(cache=True, nogil=True, error_model="numpy")
def grow_old(ages, pace, bought, retired, stock):
    """Move batteries in use on through their classes of age; what was bought is young, and what leaves the last class retires.

    ages     (realization, segment, region, chemistry, class)  GWh in use, changed
    pace     (realization, segment, chemistry)                 share of a class that moves on this month
    bought   (realization, segment, region, chemistry)         GWh
    retired  (realization, segment, region, chemistry)         written, GWh
    stock    (realization, segment, region, chemistry)         written, GWh
    """
    worlds, segments, regions, chemistries, classes = ages.shape
    for s in range(segments):
        for g in range(regions):
            for k in range(chemistries):
                for r in range(worlds):
                    coming, total = bought[r, s, g, k], 0.0
                    for a in range(classes):
                        moving = ages[r, s, g, k, a] * pace[r, s, k]
                        ages[r, s, g, k, a] += coming - moving
                        total += ages[r, s, g, k, a]
                        coming = moving
                    retired[r, s, g, k], stock[r, s, g, k] = coming, total
