"""How buyers choose: compiled kernels on arrays; they change nothing but the rows they are handed.

Buyers of one cell (segment x region) stand together, in these those of one world, and ``due`` is the month in which each
one's battery falls due. Whoever falls due soon is copied to a list now and then, in the same order: to look through the
small numbers of the list every month is far quicker than to look at everybody or to follow a chain of buyers through memory.
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
from forecast.model.lanes import LANES, both, count_of, either, heap, lanes, larger, largest, note, number, power, put, ranks, spread, whole

BUYER = np.uint64(0xD1B54A32D192ED03)
S16, S40 = np.uint64(16), np.uint64(40)
LOW24 = np.uint64(2**24 - 1)
UNIT = np.float32(2.0**-24)
NOTHING = np.int8(-1)
NEVER, NONE = np.float32(-1e30), np.float32(0.0)
GROUP = 128  # visitors who go through a step together
LATEST = 32000  # a month beyond any horizon
TASTES, NEEDS = 5, 4
TRAITS = TASTES + NEEDS + 1
BASE, HABIT, ADMISSION, TASTE, NEED = 0, 1, 2, 3, 3 + TASTES
FIELDS = NEED + NEEDS
Four = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def room(worlds: int, cells: int, buyers: int) -> tuple[Four, Four]:
    """An empty list of those who fall due soon, as ``list_due`` fills it, and room for visits, as ``shop`` notes them.

    returns  (buyer, when, mine, places), (visitor, pick, luck, until)
    """
    most, ends = worlds * buyers, cells * worlds + 1
    listed = np.empty(most, np.int32), np.empty(most + WIDTH, np.int16), np.empty(most, np.int8), np.zeros(ends, np.int64)
    return listed, (np.empty(most, np.int32), np.empty(most, np.int8), np.empty(most, np.float32), np.zeros(ends, np.int64))


def offers_for(cells: int, worlds: int, chemistries: int) -> np.ndarray:
    """Room for what each chemistry is to the buyers of a cell, (cell, realization, block, field, lane): blocks of ``LANES`` chemistries."""
    return np.zeros((cells, worlds, -(-chemistries // LANES), FIELDS, LANES), np.float32)


@njit(inline="always")
def _exp(x):
    """exp of lanes <= 0: 2**whole times a polynomial on the fraction, relative error below 1e-6; 0 far below."""
    y = larger(x, np.float32(-87.0)) * np.float32(1.4426950408889634)
    floor = whole(y)
    f = (y - floor) * np.float32(0.6931471805599453)
    p = np.float32(1.0 / 5040.0) * f + np.float32(1.0 / 720.0)
    p = p * f + np.float32(1.0 / 120.0)
    p = p * f + np.float32(1.0 / 24.0)
    p = p * f + np.float32(1.0 / 6.0)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    return either(x > np.float32(-80.0), p * power(floor), np.float32(0.0))


@njit(inline="always")
def _first(bits, count):
    """The bits of the first numbers of a group; none of a group beyond."""
    return bits if count >= WIDTH else bits & ((np.uint64(1) << np.uint64(count)) - np.uint64(1))


@njit(cache=True, nogil=True, error_model="numpy")
def list_due(before, due, owned, start, buyer, when, mine, until):
    """Write what befell the buyers on the list back to where all stand, and list those who fall due before a month.

    before  first month that is not listed
    due     (one,) int16                   month in which each one's battery falls due, brought up to date; cell by cell, world by world
    owned   (one,) int8                    chemistry in use, brought up to date
    start   (cell + 1,) int64              first buyer of each cell
    buyer   (place,) int32                 changed: who is on the list, cell by cell and in these world by world
    when    (place,) int16                 changed: month in which each one's battery falls due; ``WIDTH`` places are spare
    mine    (place,) int8                  changed: chemistry in use
    until   (cell x realization + 1,) int64  changed: places of a world in a cell end here, the next begin
    """
    cells = len(start) - 1
    worlds = (len(until) - 1) // cells
    for c in range(cells):
        for r in range(worlds):
            row = start[c] * worlds + r * (start[c + 1] - start[c]) - start[c]
            for place in range(until[c * worlds + r], until[c * worlds + r + 1]):
                who = row + number(buyer, place)
                note(due, who, number(when, place))
                note(owned, who, number(mine, place))
    place = 0
    for c in range(cells):
        for r in range(worlds):
            row, until[c * worlds + r] = start[c] * worlds + r * (start[c + 1] - start[c]) - start[c], place
            for group in range(start[c], start[c + 1], WIDTH):
                if start[c + 1] - group >= WIDTH:
                    found = less(due, row + group, np.int16(before))
                    while found != 0:
                        note(buyer, place, np.int32(group + np.int64(lowest(found))))
                        place += 1
                        found &= found - np.uint64(1)
                else:
                    for last in range(group, start[c + 1]):
                        note(buyer, place, np.int32(last))
                        place += number(due, row + last) < before
            for listed in range(until[c * worlds + r], place):
                who = row + number(buyer, listed)
                note(when, listed, number(due, who))
                note(mine, listed, number(owned, who))
    until[len(until) - 1] = place


@njit(inline="always")
def _those_due(month, when, mine, buyer, profile, places, until, cell, worlds, visitor, world):
    """Note who falls due this month in a cell, world by world, and ask memory for what they are."""
    now, here = np.int16(month), until[cell]
    first = here
    for r in range(worlds):
        end = places[cell + r + 1]
        for group in range(places[cell + r], end, WIDTH):
            found = _first(equal(when, group, now), end - group)
            while found != 0:
                place = group + np.int64(lowest(found))
                note(visitor, here, np.int32(place))
                note(world, here - first, np.int16(r))
                here += 1
                me = np.int64(number(buyer, place)) * TRAITS
                fetch(mine, place)
                fetch(profile, me)
                fetch(profile, me + TRAITS - 1)
                found &= found - np.uint64(1)
        until[cell + r + 1] = here


@njit(inline="always")
def _weigh_up(me, own, profile, offer, at, weight, here, blocks, anything):
    """Write the utility of each chemistry that fits a visitor, ``NEVER`` for others, and return the highest.

    anything  whatever is offered fits
    """
    openness, best, name = number(profile, me + TASTES + NEEDS), spread(NEVER), ranks()
    for b in range(blocks):
        admission = lanes(offer, at + ADMISSION * LANES)
        u = lanes(offer, at + BASE * LANES) + either(name == own, lanes(offer, at + HABIT * LANES), NONE)
        for a in range(TASTES):
            u = u + number(profile, me + a) * lanes(offer, at + (TASTE + a) * LANES)
        if anything:
            fits = admission > NONE
        else:
            fits = openness < admission
            for q in range(NEEDS):
                fits = both(fits, number(profile, me + TASTES + q) <= lanes(offer, at + (NEED + q) * LANES))
        u = either(fits, u, NEVER)
        put(weight, here + b * LANES, u)
        best, name, at = larger(best, u), name + np.float32(LANES), at + FIELDS * LANES
    return largest(best)


@njit(cache=True, nogil=True, error_model="numpy")
def shop(month, buyer, when, mine, places, visitor, pick, luck, until, profile, start, cell_key, key, offer, wish):
    """Let everyone who is due this month choose a chemistry.

    month      index of the month
    buyer, when, mine, places  the list of those who fall due soon; as in ``list_due``, places its ``until``
    visitor    (visit,) int32                          written: place on the list of who chose this month
    pick       (visit,) int8                           written: chemistry each visitor chose, -1 none
    luck       (visit,) f32                            written: uniform luck of each visitor that is left for the delivery
    until      (cell x realization + 1,) int64         written: visits of a world in a cell end here, the next begin
    profile    (buyer, 5 tastes + 4 requirements + 1)  standard normal, the last uniform: openness; f32
    start      (cell + 1,) int64                       first buyer of each cell
    cell_key   (cell,) uint64                          luck of each cell, by name
    key        (realization,) uint64                   luck of this world
    offer      (cell, realization, block, field, lane) f32  what each chemistry is to the buyers of a cell (``buyers.OFFER``)
    wish       (realization, cell, chemistry)          written: sum of choice probabilities

    A buyer for whom nothing on offer is good enough takes from what is offered. Chemistries stand side by side in lanes and
    are weighed at once; in lanes left over nothing is offered. Visitors of a cell in all worlds go through each step in groups:
    a step of one need not wait for that of another.
    """
    cells, worlds, blocks, _, _ = offer.shape
    chemistries, width, occasion, largest_cell = wish.shape[2], blocks * LANES, np.uint64(month) * GOLDEN, 0
    for c in range(cells):  # loops, here and below: what numpy offers takes seconds to compile
        largest_cell = max(largest_cell, places[(c + 1) * worlds] - places[c * worlds])
    weight, reached = np.empty(GROUP * width, np.float32), np.empty(GROUP * width, np.float32)
    top, mark, share = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    bits, world, wishes = np.empty(GROUP, np.uint64), np.empty(largest_cell, np.int16), np.empty(worlds * width)
    for c in range(cells):
        _those_due(month, when, mine, buyer, profile, places, until, c * worlds, worlds, visitor, world)
        for i in range(worlds * width):
            wishes[i] = 0.0
        first, end = until[c * worlds], until[(c + 1) * worlds]
        for begin in range(first, end, GROUP):
            count = min(GROUP, end - begin)
            for i in range(count):
                place, there = np.int64(number(visitor, begin + i)), np.int64(number(world, begin - first + i))
                who, own = np.int64(number(buyer, place)), np.float32(number(mine, place))
                at = (c * worlds + there) * blocks * FIELDS * LANES
                best = NEVER
                for again in range(2):
                    if best == NEVER:
                        best = _weigh_up(who * TRAITS, own, profile, offer, at, weight, i * width, blocks, again)
                top[i] = best
                bits[i] = (number(key, there) ^ (cell_key[c] + np.uint64(who - start[c]) * BUYER)) + occasion
            for i in range(count):
                bits[i] = scramble(scramble(bits[i]))
            for i in range(count):
                for b in range(blocks):
                    here = i * width + b * LANES
                    put(weight, here, _exp(lanes(weight, here) - top[i]))
            for i in range(count):
                sofar = NONE
                for b in range(blocks):
                    for lane in range(LANES):
                        here = i * width + b * LANES + lane
                        sofar += number(weight, here)
                        note(reached, here, sofar)
                mark[i], share[i] = sofar, sofar if top[i] > NEVER else np.float32(np.inf)
            for i in range(count):
                note(luck, begin + i, np.float32((bits[i] >> S16) & LOW24) * UNIT)
                mark[i] *= np.float32(bits[i] >> S40) * UNIT
                share[i] = np.float32(1.0) / share[i]
            for i in range(count):
                passed, there = 0, np.int64(number(world, begin - first + i))
                for b in range(blocks):
                    here = i * width + b * LANES
                    passed += count_of(lanes(reached, here) <= mark[i])
                    heap(wishes, there * width + b * LANES, lanes(weight, here) * share[i])
                note(pick, begin + i, np.int8(passed) if top[i] > NEVER else NOTHING)
        for r in range(worlds):
            for k in range(chemistries):
                wish[r, c, k] = wishes[r * width + k]


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
                chosen, who = np.int64(number(pick, place)), np.int64(number(visitor, place))
                if chosen < 0:
                    note(when, who, np.int16(month + 1))
                    continue
                left, waiting, again = number(luck, place), np.float32(1.0), month + QUARTER
                for wait in range(QUARTER):
                    served = waiting * np.float32(fill[r, s, chosen])
                    if left < served:
                        note(mine, who, np.int8(chosen))
                        lives = np.float32(life[r, s, chosen]) * life_factor[min(np.int64(left / served * steps), steps - 1)]
                        again = month + wait + max(np.int64(1), np.int64(lives))
                        break
                    left -= served
                    waiting -= served
                note(when, who, np.int16(min(again, LATEST)))


@njit(cache=True, nogil=True, error_model="numpy")
def enrol(due, owned, start, habit, left, shares, life):
    """Give every buyer its first battery and the month in which that falls due.

    due, owned   as in ``list_due``, written
    start        (cell + 1,) int64                first buyer of each cell
    habit, left  (buyer,) float64                 uniform luck: chemistry owned, share of its life that is left
    shares       (realization, cell, chemistry)   chemistries in use
    life         (realization, cell)              life in months
    """
    worlds, cells, chemistries = shares.shape
    for c in range(cells):
        for r in range(worlds):
            for buyer in range(start[c], start[c + 1]):
                one = start[c] * worlds + r * (start[c + 1] - start[c]) + buyer - start[c]
                reached = 0.0
                for k in range(chemistries):
                    if shares[r, c, k] > 0 and reached <= habit[buyer]:
                        owned[one] = k
                    reached += shares[r, c, k]
                due[one] = min(np.int64(left[buyer] * life[r, c]), LATEST)


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
