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
from forecast.model.instructions import WIDTH, equal, fetch, less, lowest, many
from forecast.model.lanes import (
    LANES,
    any_of,
    both,
    columns_of,
    doubled,
    either,
    lanes,
    larger,
    looked_up,
    note,
    number,
    one_of,
    put,
    put_wholes,
    ranks,
    smaller,
    spread,
    times_plus,
    together,
    wholes,
)  # fmt: skip

BUYER = np.uint64(0xD1B54A32D192ED03)
S16, S40 = np.uint64(16), np.uint64(40)
LOW24 = np.uint64(2**24 - 1)
UNIT = np.float32(2.0**-24)
NOTHING = np.int8(-1)
NEVER, NONE, ONE = np.float32(-1e30), np.float32(0.0), np.float32(1.0)
OCTAVE = np.float32(1.4426950408889634)  # 1 / log(2)
SHIFT = np.float32(1.5 * 2.0**23)  # what is added to it loses its fraction
LEAST = np.float32(-80.0)  # what is e**80 times less likely is out of the question
PARTY = 16 * LANES  # so many visitors' wishes are added up in single precision
AHEAD = 2 * LANES  # so many visitors before their turn memory is asked for what they are
AT_ONCE = 8  # places written down without a look whether there is another
LATEST = 32000  # a month beyond any horizon
TASTES, NEEDS = 5, 4
TRAITS = TASTES + NEEDS + 1
BASE, HABIT, ADMISSION, TASTE, NEED = 0, 1, 2, 3, 3 + TASTES
FIELDS = NEED + NEEDS
Listed = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Visits = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
columns = columns_of(TRAITS)


def room(worlds: int, cells: int, buyers: int) -> tuple[Listed, Visits]:
    """An empty list of those who fall due soon, as ``list_due`` fills it, and room for visits, as ``shop`` notes them.

    returns  (buyer, when, mine, places), (visitor, own, pick, luck, until)
    """
    most, visits, ends = worlds * buyers, worlds * buyers + LANES, cells * worlds + 1
    listed = np.empty(most + AT_ONCE, np.int32), np.empty(most + WIDTH, np.int16), np.empty(most + 1, np.int8), np.zeros(ends, np.int64)
    visitor, pick = np.empty(visits, np.int32), np.empty(visits, np.int8)
    return listed, (visitor, np.zeros(visits, np.int8), pick, np.empty(visits, np.float32), np.zeros(ends, np.int64))


def offers_for(cells: int, worlds: int, chemistries: int) -> np.ndarray:
    """Room for what each chemistry is to the buyers of a cell, (cell, realization, chemistry, field)."""
    return np.zeros((cells, worlds, chemistries, FIELDS), np.float32)


@njit(inline="always")
def _exp(x):
    """exp of lanes <= 0: 2**whole times a polynomial in the fraction that is nowhere off by more than 1e-7 of it; 0 far below."""
    shifted = larger(x, LEAST) * OCTAVE + SHIFT
    f = times_plus(larger(x, LEAST), OCTAVE, SHIFT - shifted)
    p = times_plus(f, np.float32(0.00132765), np.float32(0.00967554))
    p = times_plus(p, f, np.float32(0.05550713))
    p = times_plus(p, f, np.float32(0.2402212))
    p = times_plus(p, f, np.float32(0.69314697))
    p = times_plus(p, f, np.float32(1.00000007))
    return either(x > LEAST, doubled(p, shifted), NONE)


@njit(inline="always")
def _first(bits, count):
    """The bits of the first numbers of a group; none of a group beyond."""
    return bits if count >= WIDTH else bits & ((np.uint64(1) << np.uint64(count)) - np.uint64(1))


@njit(inline="always")
def _write_down(found, group, row, place):
    """Write the numbers of a group whose bits are set from a place on, ``AT_ONCE`` without a look whether there is another; returns the place behind."""
    end = place + many(found)
    for some in range(place, end, AT_ONCE):
        for one in range(AT_ONCE):
            note(row, some + one, np.int32(group + lowest(found)))
            found &= found - np.uint64(1)
    return end


@njit(cache=True, nogil=True, error_model="numpy")
def list_due(before, due, owned, start, buyer, when, mine, until):
    """Write what befell the buyers on the list back to where all stand, and list those who fall due before a month.

    before  first month that is not listed
    due     (one,) int16                   month in which each one's battery falls due, brought up to date; cell by cell, world by world
    owned   (one,) int8                    chemistry in use, brought up to date
    start   (cell + 1,) int64              first buyer of each cell
    buyer   (place,) int32                 changed: who is on the list, cell by cell and in these world by world; ``AT_ONCE`` places are spare
    when    (place,) int16                 changed: month in which each one's battery falls due; ``WIDTH`` places are spare
    mine    (place,) int8                  changed: chemistry in use; a place is spare
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
                    place = _write_down(less(due, row + group, np.int16(before)), group, buyer, place)
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
def _those_due(month, buyer, when, mine, places, visitor, own, until, first_buyer, cell_key, key, cell, who, bits):
    """Note who falls due this month in a cell, world by world, and whose luck it is."""
    now, here, worlds = np.int16(month), until[cell * len(key)], len(key)
    occasion, first = np.uint64(month) * GOLDEN, here
    for r in range(worlds):
        row, begin, name = cell * worlds + r, here, key[r]
        end = places[row + 1]
        for group in range(places[row], end, WIDTH):
            here = _write_down(_first(equal(when, group, now), end - group), group, visitor, here)
        for visit in range(begin, here):
            place = np.int64(number(visitor, visit))
            note(who, visit - first, number(buyer, place))
            note(own, visit, number(mine, place))
        for i in range(begin - first, here - first):  # by itself, so that it runs as vectors
            note(bits, i, (name ^ (cell_key + np.uint64(number(who, i) - first_buyer) * BUYER)) + occasion)
        until[row + 1] = here
    for spare in range(LANES + AHEAD):
        note(who, here - first + spare, np.int32(0))


@njit(inline="always")
def _ask_for(profile, who, begin):
    """Ask memory for what some visitors are, whose turn comes soon."""
    for i in range(begin, begin + LANES):
        row = np.int64(number(who, i)) * TRAITS
        fetch(profile, row)
        fetch(profile, row + TRAITS - 1)


@njit(inline="always")
def _deal(first, end, bits, mark, luck):
    """Deal every visitor of a cell two uniform numbers by name: one for the choice, one that is left for the delivery."""
    for i in range(end - first):
        dealt = scramble(scramble(number(bits, i)))
        note(luck, first + i, np.float32(np.int32((dealt >> S16) & LOW24)) * UNIT)
        note(mark, i, np.float32(np.int32(dealt >> S40)) * UNIT)


@njit(inline="always")
def _weigh_up(traits, own, resigned, offer, at, chemistries, weight):
    """Write the utility of each chemistry on offer, ``NEVER`` if it does not fit a visitor, and return the highest.

    traits    columns of ``profile``
    resigned  whom whatever is offered fits
    weight    written, one chemistry on offer after the other
    """
    best, there = spread(NEVER), 0
    for k in range(chemistries):
        here = at + k * FIELDS
        if number(offer, here + ADMISSION) > NONE:
            u = number(offer, here + BASE) + either(own == np.float32(k), number(offer, here + HABIT), NONE)
            for a in range(TASTES):
                u = times_plus(traits[a], number(offer, here + TASTE + a), u)
            fits = traits[TASTES + NEEDS] < number(offer, here + ADMISSION)
            for q in range(NEEDS):
                fits = both(fits, traits[TASTES + q] <= number(offer, here + NEED + q))
            u = either(one_of(fits, resigned), u, NEVER)
            put(weight, there, u)
            there += LANES
            best = larger(best, u)
    return best


@njit(inline="always")
def _compare(best, count, weight):
    """Turn utilities into weights, that of the best 1, and return their sum."""
    total = spread(NONE)
    for j in range(count):
        w = _exp(lanes(weight, j * LANES) - best)
        put(weight, j * LANES, w)
        total = total + w
    return total


@njit(inline="always")
def _pick(mark, share, offered, count, weight, wishes):
    """The chemistry among whose weights a mark falls; weights are added to the wishes.

    share    what a weight counts in wishes
    offered  which chemistries are on offer
    """
    passed, found = spread(NONE), spread(NONE)
    for j in range(count):
        w = lanes(weight, j * LANES)
        found = either(passed <= mark, number(offered, j), found)
        put(wishes, j * LANES, times_plus(w, share, lanes(wishes, j * LANES)))
        passed = passed + w
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def shop(month, buyer, when, mine, places, visitor, own, pick, luck, until, profile, start, cell_key, key, offer, wish):
    """Let everyone who is due this month choose a chemistry.

    month      index of the month
    buyer, when, mine, places  the list of those who fall due soon; as in ``list_due``, places its ``until``
    visitor    (visit,) int32                          written: place on the list of who chose this month; ``LANES`` visits are spare, here and below
    own        (visit,) int8                           written: chemistry each visitor has in use
    pick       (visit,) int8                           written: chemistry each visitor chose, -1 none
    luck       (visit,) f32                            written: uniform luck of each visitor that is left for the delivery
    until      (cell x realization + 1,) int64         written: visits of a world in a cell end here, the next begin
    profile    (buyer, 5 tastes + 4 requirements + 1)  standard normal, the last uniform: openness; f32
    start      (cell + 1,) int64                       first buyer of each cell
    cell_key   (cell,) uint64                          luck of each cell, by name
    key        (realization,) uint64                   luck of this world
    offer      (cell, realization, chemistry, field) f32  what each chemistry is to the buyers of a cell (``buyers.OFFER``)
    wish       (realization, cell, chemistry)          written: sum of choice probabilities

    A buyer for whom nothing on offer is good enough takes from what is offered. Visitors of a world to a cell, who see the
    same offers, stand side by side in lanes and choose at once; what is noted of lanes left over is written over by the next.
    Nobody looks at what is not on offer.
    """
    cells, worlds, chemistries, _ = offer.shape
    largest_cell = 0
    for c in range(cells):  # loops, here and below: what numpy offers takes seconds to compile
        largest_cell = max(largest_cell, places[(c + 1) * worlds] - places[c * worlds])
    who, bits, mark = np.empty(largest_cell + LANES + AHEAD, np.int32), np.empty(largest_cell, np.uint64), np.empty(largest_cell + LANES, np.float32)
    offered, weight, wishes = np.empty(chemistries, np.float32), np.empty(chemistries * LANES, np.float32), np.empty(chemistries * LANES, np.float32)
    for c in range(cells):
        _those_due(month, buyer, when, mine, places, visitor, own, until, start[c], cell_key[c], key, c, who, bits)
        _deal(until[c * worlds], until[(c + 1) * worlds], bits, mark, luck)
        first = until[c * worlds]
        for r in range(worlds):
            at, end = (c * worlds + r) * chemistries * FIELDS, until[c * worlds + r + 1]
            choices = 0
            for k in range(chemistries):
                wish[r, c, k] = 0.0
                note(offered, choices, np.float32(k))  # the next is written over it if it is not
                choices += number(offer, at + k * FIELDS + ADMISSION) > NONE
            for party in range(until[c * worlds + r], end, PARTY):
                count, there = min(PARTY, end - party), party - first
                for j in range(choices):
                    put(wishes, j * LANES, spread(NONE))
                for i in range(0, count, LANES):
                    _ask_for(profile, who, there + i + AHEAD)
                    traits, habit = columns(profile, who, there + i), wholes(own, party + i)
                    best = _weigh_up(traits, habit, ranks() < NONE, offer, at, chemistries, weight)
                    if any_of(best == NEVER):
                        best = _weigh_up(traits, habit, best == NEVER, offer, at, chemistries, weight)
                    total, able = _compare(best, choices, weight), best > NEVER
                    share = either(both(ranks() < np.float32(count - i), able), ONE / total, NONE)
                    chosen = _pick(lanes(mark, there + i) * total, share, offered, choices, weight, wishes)
                    put_wholes(pick, party + i, either(able, chosen, np.float32(NOTHING)))
                for j in range(choices):
                    wish[r, c, np.int64(number(offered, j))] += together(lanes(wishes, j * LANES))
    for spare in range(LANES):  # ``take_home`` notes what becomes of lanes left over at a place behind the list
        note(visitor, until[cells * worlds] + spare, np.int32(places[cells * worlds]))


@njit(inline="always")
def _served(month, luck, share, lasts, life_factor):
    """Who is served within a quarter, and the month in which each falls due again.

    luck   uniform
    share  of orders for what was chosen that is delivered each month
    lasts  mean life of what was chosen, in months
    """
    now, steps, waiting = np.float32(month), np.float32(len(life_factor)), spread(ONE)
    ahead, part, day = luck, share, spread(now)
    for wait in range(1, QUARTER):
        waiting = waiting - waiting * share
        served = ahead < part
        ahead, day = either(served, ahead, ahead - part), either(served, day, now + np.float32(wait))
        part = either(served, part, waiting * share)
    lives = lasts * looked_up(life_factor, larger(smaller(ahead / part * steps, steps - ONE), NONE))
    again = either(ahead < part, day + larger(lives, ONE), now + np.float32(QUARTER))
    return ahead < part, smaller(again, np.float32(LATEST))


@njit(cache=True, nogil=True, error_model="numpy")
def take_home(month, when, mine, visitor, own, pick, luck, until, fill, life, life_factor):
    """Hand over what was delivered and set the month in which each battery falls due.

    Who is not served keeps the order for a quarter, in which it is as likely to be served each month as now, and then chooses
    again; who found nothing on offer comes back next month.

    fill         (realization, segment, chemistry)  share of orders delivered; each segment has as many cells, one after the other
    life         (realization, segment, chemistry)  mean life in months
    life_factor  (n,) float32                       life over its mean, quantiles at n equal steps
    other arguments as in ``shop``; when and mine are written
    """
    worlds, segments, chemistries = fill.shape
    regions = (len(until) - 1) // worlds // segments
    shares, lives = np.empty(worlds * chemistries, np.float32), np.empty(worlds * chemistries, np.float32)
    again, taken = np.empty(LANES, np.int16), np.empty(LANES, np.int8)
    for s in range(segments):
        for k in range(chemistries):
            for r in range(worlds):
                shares[r * chemistries + k], lives[r * chemistries + k] = fill[r, s, k], life[r, s, k]
        for row in range(s * regions * worlds, (s + 1) * regions * worlds):
            at = row % worlds * chemistries
            for begin in range(until[row], until[row + 1], LANES):
                chosen, share, lasts = wholes(pick, begin), spread(NONE), spread(NONE)
                for k in range(chemistries):
                    share = either(chosen == np.float32(k), number(shares, at + k), share)
                    lasts = either(chosen == np.float32(k), number(lives, at + k), lasts)
                served, day = _served(month, lanes(luck, begin), share, lasts, life_factor)
                put_wholes(again, 0, either(chosen < NONE, np.float32(month + 1), day))
                put_wholes(taken, 0, either(served, chosen, wholes(own, begin)))
                for lane in range(LANES):  # what is noted of lanes left over is written over by the next, or at a place of nobody
                    note(when, np.int64(number(visitor, begin + lane)), number(again, lane))
                    note(mine, np.int64(number(visitor, begin + lane)), number(taken, lane))


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
            row, reached = start[c] * worlds + r * (start[c + 1] - start[c]) - start[c], 0.0
            for k in range(chemistries):  # buyers within, so that they run as vectors
                if shares[r, c, k] > 0:
                    for buyer in range(start[c], start[c + 1]):
                        note(owned, row + buyer, np.int8(k) if reached <= number(habit, buyer) else number(owned, row + buyer))
                reached += shares[r, c, k]
            for buyer in range(start[c], start[c + 1]):
                note(due, row + buyer, np.int16(np.int32(min(number(left, buyer) * life[r, c], LATEST))))
