"""How buyers choose: compiled kernels on arrays; they change nothing but the due calendar they are handed.

Buyers of one cell (segment x region) stand together. Whoever falls due in the same month hangs on one chain:
``first[realization, month, cell]`` is a buyer, ``following[realization, buyer]`` the next one, -1 the end.
Only those due are touched. Tastes are standard normal draws shared by all worlds; each world folds its own means and
spreads into ``base`` and ``slope``. float32 throughout: choices need no more, and memory is what costs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
S27, S30, S31, S40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)
UNIT = np.float32(2.0**-24)
NOBODY = -1


@njit(inline="always")
def _luck(key, occasion):
    """Uniform in [0, 1) from the world's key and the occasion's number (SplitMix64, as in ``streams``)."""
    bits = key + occasion * GOLDEN
    bits = (bits ^ (bits >> S30)) * M1
    bits = (bits ^ (bits >> S27)) * M2
    bits = bits ^ (bits >> S31)
    bits = (bits ^ (bits >> S30)) * M1
    bits = (bits ^ (bits >> S27)) * M2
    return np.float32((bits ^ (bits >> S31)) >> S40) * UNIT


@njit(inline="always")
def _exp(x):
    """exp for x <= 0 in float32: 2**whole times a polynomial on the fraction, relative error below 1e-6."""
    if x < np.float32(-80.0):
        return np.float32(0.0)
    y = x * np.float32(1.4426950408889634)
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
    return np.float32(np.ldexp(p, np.int32(whole)))


@njit(cache=True, nogil=True)
def shop(month, first, following, last, pick, taste, need, openness, base, slope, habit, limit, admission, key, buyer_key, wish, shoppers):
    """Let everyone who is due this month choose a chemistry.

    month      index of the month
    first      (realization, months, cell) int32     heads of the due chains
    following  (realization, buyer) int32            next buyer on the same chain
    last       (realization, buyer) int8             chemistry bought last
    pick       (realization, buyer) int8             written: chemistry chosen now
    taste      (buyer, taste) float32                standard normal draws
    need       (buyer, requirement) float32          standard normal draws: how demanding
    openness   (buyer,) float32                      uniform: low is first to try what is new
    base       (realization, cell, chemistry) f32    utility of the mean buyer
    slope      (realization, cell, taste, chemistry) f32
    habit      (realization, cell) float32
    limit      (realization, cell, requirement, chemistry) f32  most demanding buyer that is still served
    admission  (realization, cell, chemistry) f32    share of buyers whose products admit the chemistry; 0 no offer
    key        (realization,) uint64                 luck of this world
    buyer_key  (buyer,) uint64                       luck of this buyer, by name
    wish       (realization, cell, chemistry) f64    written: sum of choice probabilities
    shoppers   (realization, cell) int64             written: how many chose

    A buyer for whom nothing on offer is good enough takes from what is offered.
    """
    worlds, cells, chemistries = base.shape
    tastes = taste.shape[1]
    needs = need.shape[1]
    occasion = np.uint64(2 * month)
    utility = np.empty(chemistries, np.float32)
    fits = np.empty(chemistries, np.bool_)
    for r in range(worlds):
        for c in range(cells):
            count = 0
            buyer = first[r, month, c]
            while buyer != NOBODY:
                found = False
                for k in range(chemistries):
                    good = openness[buyer] < admission[r, c, k]
                    for q in range(needs):
                        good = good and need[buyer, q] <= limit[r, c, q, k]
                    fits[k] = good
                    found = found or good
                if not found:
                    for k in range(chemistries):
                        fits[k] = admission[r, c, k] > 0
                        found = found or fits[k]
                best = np.float32(-1e30)
                for k in range(chemistries):
                    if fits[k]:
                        u = base[r, c, k]
                        for a in range(tastes):
                            u += taste[buyer, a] * slope[r, c, a, k]
                        if k == last[r, buyer]:
                            u += habit[r, c]
                        utility[k] = u
                        best = max(best, u)
                total = np.float32(0.0)
                for k in range(chemistries):
                    if fits[k]:
                        utility[k] = _exp(utility[k] - best)
                        total += utility[k]
                    else:
                        utility[k] = np.float32(0.0)
                if found:
                    mark = _luck(key[r] ^ buyer_key[buyer], occasion) * total
                    reached = np.float32(0.0)
                    chosen = -1
                    for k in range(chemistries):
                        if fits[k]:
                            wish[r, c, k] += utility[k] / total
                            if reached <= mark:
                                chosen = k
                            reached += utility[k]
                    pick[r, buyer] = chosen
                    count += 1
                else:
                    pick[r, buyer] = -1
                buyer = following[r, buyer]
            shoppers[r, c] = count


@njit(cache=True, nogil=True)
def take_home(month, first, following, last, pick, fill, life, life_factor, key, buyer_key):
    """Hand over what was delivered and set the month in which each battery falls due; the others come back next month.

    fill           (realization, cell, chemistry) f32  share of orders delivered
    life           (realization, cell, chemistry) f32  mean life in months
    life_factor    (n,) float32                        life over its mean, quantiles at n equal steps
    other arguments as in ``shop``; first, following and last are updated
    """
    worlds, months, cells = first.shape
    steps = life_factor.shape[0]
    occasion = np.uint64(2 * month + 1)
    for r in range(worlds):
        for c in range(cells):
            buyer = first[r, month, c]
            while buyer != NOBODY:
                onward = following[r, buyer]
                due = month + 1
                chosen = pick[r, buyer]
                if chosen >= 0:
                    luck = _luck(key[r] ^ buyer_key[buyer], occasion)
                    if luck < fill[r, c, chosen]:
                        last[r, buyer] = chosen
                        rank = luck / fill[r, c, chosen]
                        wait = life[r, c, chosen] * life_factor[min(np.int64(rank * steps), steps - 1)]
                        due = month + max(np.int64(1), np.int64(wait))
                if due < months:
                    following[r, buyer] = first[r, due, c]
                    first[r, due, c] = buyer
                buyer = onward
            first[r, month, c] = NOBODY


@njit(cache=True, nogil=True)
def enrol(first, following, cell_start, opening_due):
    """Hang every buyer on the chain of the month in which its first battery falls due.

    cell_start   (cell + 1,) int64        first buyer of each cell
    opening_due  (realization, buyer) i32 month of the first choice
    """
    worlds, months, cells = first.shape
    for r in range(worlds):
        for c in range(cells):
            for buyer in range(cell_start[c], cell_start[c + 1]):
                due = opening_due[r, buyer]
                if due < months:
                    following[r, buyer] = first[r, due, c]
                    first[r, due, c] = buyer
