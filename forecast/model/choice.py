"""How buyers choose: compiled kernels on arrays; they change nothing but the rows they are handed.

Buyers of one cell (segment x region) stand together, and ``due[realization, buyer]`` is the month in which each one's
battery falls due. Whoever falls due soon is copied to a list now and then, in the same order: to look through the small
numbers of the list every month is far quicker than to look at everybody or to follow a chain of buyers through memory.
What a buyer is (``profile``) is shared by all worlds; each world folds its own means and spreads into ``offer``. The
kernels go cell by cell through all worlds, so that the cell's buyers stay in the cache. float32 throughout: choices need
no more.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.mixing import GOLDEN, scramble
from forecast.model.calendar import QUARTER
from forecast.model.instructions import WIDTH, equal, fetch, less, lowest

BUYER = np.uint64(0xD1B54A32D192ED03)
S16, S40 = np.uint64(16), np.uint64(40)
LOW24 = np.uint64(2**24 - 1)
UNIT = np.float32(2.0**-24)
NOTHING = np.int8(-1)
NEVER = np.float32(-1e4)
LANES = 16  # visitors who choose side by side
LATEST = 32000  # a month beyond any horizon
TASTES, NEEDS = 5, 4
TRAITS = TASTES + NEEDS + 1
Four = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def room(worlds: int, cells: int, buyers: int) -> tuple[Four, Four]:
    """An empty list of those who fall due soon, as ``list_due`` fills it, and room for visits, as ``shop`` notes them.

    returns  (buyer, when, mine, places), (visitor, pick, luck, until)
    """
    most, ends = worlds * buyers, cells * worlds + 1
    listed = np.empty(most, np.int32), np.empty(most + WIDTH, np.int16), np.empty(most, np.int8), np.zeros(ends, np.int64)
    return listed, (np.empty(most, np.int64), np.empty(most, np.int8), np.empty(most, np.float32), np.zeros(ends, np.int64))


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
def _first(bits, count):
    """The bits of the first numbers of a group; none of a group beyond."""
    return bits if count >= WIDTH else bits & ((np.uint64(1) << np.uint64(count)) - np.uint64(1))


@njit(cache=True, nogil=True, error_model="numpy")
def list_due(before, due, owned, start, buyer, when, mine, until):
    """Write what befell the buyers on the list back to where all stand, and list those who fall due before a month.

    before  first month that is not listed
    due     (realization, buyer) int16     month in which the battery falls due, brought up to date
    owned   (realization, buyer) int8      chemistry in use, brought up to date
    start   (cell + 1,) int64              first buyer of each cell
    buyer   (place,) int32                 changed: who is on the list, cell by cell and in these world by world
    when    (place,) int16                 changed: month in which each one's battery falls due; ``WIDTH`` places are spare
    mine    (place,) int8                  changed: chemistry in use
    until   (cell x realization + 1,) int64  changed: places of a world in a cell end here, the next begin
    """
    worlds = len(due)
    for c in range(len(start) - 1):
        for r in range(worlds):
            for place in range(until[c * worlds + r], until[c * worlds + r + 1]):
                due[r, buyer[place]] = when[place]
                owned[r, buyer[place]] = mine[place]
    place = 0
    for c in range(len(start) - 1):
        for r in range(worlds):
            row, until[c * worlds + r] = due[r], place
            for group in range(start[c], start[c + 1], WIDTH):
                count = start[c + 1] - group
                if count >= WIDTH:
                    found = less(row, group, np.int16(before))
                    while found != 0:
                        buyer[place] = group + np.int64(lowest(found))
                        place += 1
                        found &= found - np.uint64(1)
                else:
                    for last in range(group, start[c + 1]):
                        buyer[place] = last
                        place += row[last] < before
            for listed in range(until[c * worlds + r], place):
                when[listed], mine[listed] = row[buyer[listed]], owned[r, buyer[listed]]
    until[len(until) - 1] = place


@njit(inline="always")
def _those_due(month, when, buyer, profile, begin, end, today):
    """Note the places on the list of those who fall due this month, and ask memory for what they are; returns how many."""
    now, count = np.int16(month), 0
    for group in range(begin, end, WIDTH):
        found = _first(equal(when, group, now), end - group)
        while found != 0:
            place = group + np.int64(lowest(found))
            today[count] = place
            count += 1
            fetch(profile, np.int64(buyer[place]) * TRAITS)
            fetch(profile, np.int64(buyer[place]) * TRAITS + TRAITS - 1)
            found &= found - np.uint64(1)
    return count


@njit(inline="always")
def _offers(offer, offers):
    """Note the chemistries that anybody's products admit; returns how many."""
    offered = 0
    for k in range(len(offer)):
        if offer[k].admission > 0:
            offers[offered] = k
            offered += 1
    return offered


@njit(cache=True, nogil=True, error_model="numpy")
def shop(month, buyer, when, mine, places, visitor, pick, luck, until, profile, start, cell_key, key, offer, wish):
    """Let everyone who is due this month choose a chemistry.

    month      index of the month
    buyer, when, mine, places  the list of those who fall due soon; as in ``list_due``, places its ``until``
    visitor    (visit,) int64                          written: place on the list of who chose this month
    pick       (visit,) int8                           written: chemistry each visitor chose, -1 none
    luck       (visit,) f32                            written: uniform luck of each visitor that is left for the delivery
    until      (cell x realization + 1,) int64         written: visits of a world in a cell end here, the next begin
    profile    (buyer, 5 tastes + 4 requirements + 1)  standard normal, the last uniform: openness; f32
    start      (cell + 1,) int64                       first buyer of each cell
    cell_key   (cell,) uint64                          luck of each cell, by name
    key        (realization,) uint64                   luck of this world
    offer      (cell, realization, chemistry) records  what each chemistry is to the buyers of a cell (``buyers.OFFER``)
    wish       (realization, cell, chemistry)          written: sum of choice probabilities

    A buyer for whom nothing on offer is good enough takes from what is offered. ``LANES`` visitors of a cell choose side by
    side, each in a lane of its own through the loops, which so run as vectors; lanes left over repeat the last visitor and
    count for nothing.
    """
    cells, worlds, chemistries = offer.shape
    occasion = np.uint64(month) * GOLDEN
    taste, need = np.empty((TASTES, LANES), np.float32), np.empty((NEEDS, LANES), np.float32)
    openness, best, sofar, mark = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    own, passed, bits = np.empty(LANES, np.float32), np.empty(LANES, np.int32), np.empty(LANES, np.uint64)
    utility, weight = np.empty((chemistries, LANES), np.float32), np.empty((chemistries, LANES), np.float32)
    wishes, offers = np.empty((chemistries, LANES)), np.empty(chemistries, np.int64)
    largest = 0
    for place in range(len(places) - 1):  # loops, here and below: what numpy offers takes seconds to compile
        largest = max(largest, places[place + 1] - places[place])
    today = np.empty(largest + LANES + 1, np.int64)
    for c in range(cells):
        for r in range(worlds):
            begin, end = places[c * worlds + r], places[c * worlds + r + 1]
            first, visitors = until[c * worlds + r], _those_due(month, when, buyer, profile, begin, end, today)
            until[c * worlds + r + 1] = first + visitors
            for i in range(visitors):
                visitor[first + i], pick[first + i] = today[i], NOTHING
            offered = _offers(offer[c, r], offers)
            if visitors == 0 or offered == 0:
                continue
            for i in range(LANES):
                today[visitors + i] = today[visitors - 1]
            for o in range(offered):
                for i in range(LANES):
                    wishes[o, i] = 0.0
            for begin in range(0, visitors, LANES):
                here = min(LANES, visitors - begin)
                for i in range(LANES):
                    who = np.int64(buyer[today[begin + i]])
                    for a in range(TASTES):
                        taste[a, i] = profile[who, a]
                    for q in range(NEEDS):
                        need[q, i] = profile[who, TASTES + q]
                    openness[i] = profile[who, TASTES + NEEDS]
                    own[i] = mine[today[begin + i]]
                    bits[i] = who - start[c]
                    best[i] = NEVER
                for i in range(LANES):
                    bits[i] = scramble(scramble((key[r] ^ (cell_key[c] + bits[i] * BUYER)) + occasion))
                for o in range(offered):
                    k = offers[o]
                    this, mean, loyalty, admitted = np.float32(k), offer[c, r, k].base, offer[c, r, k].habit, offer[c, r, k].admission
                    b0, b1, b2 = offer[c, r, k].price, offer[c, r, k].weight, offer[c, r, k].cold
                    b3, b4 = offer[c, r, k].charging, offer[c, r, k].safety
                    n0, n1 = offer[c, r, k].specific_energy, offer[c, r, k].cycle_life
                    n2, n3 = offer[c, r, k].cold_capacity, offer[c, r, k].hazard
                    for i in range(LANES):
                        u = mean + (loyalty if own[i] == this else np.float32(0.0))
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
                    mark[i] = np.float32(bits[i] >> S40) * UNIT * sofar[i]
                    best[i] = np.float32(1.0) / sofar[i] if i < here else np.float32(0.0)
                    sofar[i] = np.float32(0.0)
                for o in range(offered):
                    for i in range(LANES):
                        sofar[i] += weight[o, i]
                        passed[i] += sofar[i] <= mark[i]
                        wishes[o, i] += weight[o, i] * best[i]
                for i in range(here):
                    pick[first + begin + i] = offers[min(passed[i], offered - 1)]
                    luck[first + begin + i] = np.float32((bits[i] >> S16) & LOW24) * UNIT
            for o in range(offered):
                total = 0.0
                for i in range(0, LANES, 4):
                    total += (wishes[o, i] + wishes[o, i + 1]) + (wishes[o, i + 2] + wishes[o, i + 3])
                wish[r, c, offers[o]] += total


@njit(cache=True, nogil=True, error_model="numpy")
def take_home(month, when, mine, visitor, pick, luck, until, fill, life, life_factor):
    """Hand over what was delivered and set the month in which each battery falls due.

    Who is not served keeps the order for a quarter, in which it is as likely to be served each month as now, and then chooses
    again; who found nothing on offer comes back next month.

    fill         (realization, segment, chemistry)  share of orders delivered; each segment has as many cells, one after the other
    life         (realization, segment, chemistry)  mean life in months
    life_factor  (n,) float32                       life over its mean, quantiles at n equal steps
    other arguments as in ``shop``; when and mine are written
    """
    worlds, segments, _ = fill.shape
    cells = (len(until) - 1) // worlds
    steps = life_factor.shape[0]
    for c in range(cells):
        s = c * segments // cells
        for r in range(worlds):
            for place in range(until[c * worlds + r], until[c * worlds + r + 1]):
                chosen = pick[place]
                if chosen < 0:
                    when[visitor[place]] = month + 1
                    continue
                left, waiting, again = luck[place], np.float32(1.0), month + QUARTER
                for wait in range(QUARTER):
                    served = waiting * np.float32(fill[r, s, chosen])
                    if left < served:
                        mine[visitor[place]] = chosen
                        lives = np.float32(life[r, s, chosen]) * life_factor[min(np.int64(left / served * steps), steps - 1)]
                        again = month + wait + max(np.int64(1), np.int64(lives))
                        break
                    left -= served
                    waiting -= served
                when[visitor[place]] = min(again, LATEST)


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

    Realizations are the last axis here, so that they run as vectors.

    ages     (segment, region, chemistry, class, realization)  GWh in use, changed
    pace     (segment, chemistry, realization)                 share of a class that moves on this month
    bought   (segment, region, chemistry, realization)         GWh
    retired  (segment, region, chemistry, realization)         written, GWh
    stock    (segment, region, chemistry, realization)         written, GWh
    """
    segments, regions, chemistries, classes, worlds = ages.shape
    coming, total = np.empty(worlds), np.empty(worlds)
    for s in range(segments):
        for g in range(regions):
            for k in range(chemistries):
                for r in range(worlds):
                    coming[r], total[r] = bought[s, g, k, r], 0.0
                for a in range(classes):
                    for r in range(worlds):
                        moving = ages[s, g, k, a, r] * pace[s, k, r]
                        ages[s, g, k, a, r] += coming[r] - moving
                        total[r] += ages[s, g, k, a, r]
                        coming[r] = moving
                for r in range(worlds):
                    retired[s, g, k, r], stock[s, g, k, r] = coming[r], total[r]
