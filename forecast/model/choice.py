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
LANES = 8
LATEST = 32000  # a month beyond any horizon
STRIDE = 32  # due months looked at in one go


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
def _next_due(month, due, r, buyer, end):
    """The first buyer from ``buyer`` on whose battery falls due this month, or ``end``."""
    now = np.int16(month)
    while buyer + STRIDE <= end:
        hit = False
        for i in range(STRIDE):
            hit |= due[r, buyer + i] == now
        if hit:
            break
        buyer += STRIDE
    while buyer < end and due[r, buyer] != now:
        buyer += 1
    return buyer


def padded(array: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Contiguous float32 with the last axis filled up to whole vectors of ``LANES``, as the kernels want it."""
    missing = -array.shape[-1] % LANES
    wide = np.full((*array.shape[:-1], array.shape[-1] + missing), fill, np.float32)
    wide[..., : array.shape[-1]] = array
    return wide


@njit(cache=True, nogil=True, error_model="numpy")
def shop(month, due, owned, visitor, pick, until, profile, start, cell_key, base, slope, habit, limit, admission, key, wish):
    """Let everyone who is due this month choose a chemistry.

    month      index of the month
    due        (realization, buyer) int16            month in which the battery falls due
    owned      (realization, buyer) int8             chemistry in use
    visitor    (realization, buyer) int32            written: who chose this month, in the order of cells
    pick       (realization, buyer) int8             written: chemistry each visitor chose, -1 none
    until      (realization, cell + 1) int64         written: visitors of a cell end here, those of the next begin
    profile    (buyer, taste + requirement + 1) f32  tastes and requirements (standard normal), openness (uniform)
    start      (cell + 1,) int64                     first buyer of each cell
    cell_key   (cell,) uint64                        luck of each cell, by name
    base       (realization, cell, lane) f32         utility of the mean buyer
    slope      (realization, cell, taste, lane) f32
    habit      (realization, cell) float32           utility of what one owns
    limit      (realization, cell, requirement, lane) f32  most demanding buyer that is still served
    admission  (realization, cell, lane) f32         share of buyers whose products admit the chemistry; 0 no offer
    key        (realization,) uint64                 luck of this world
    wish       (realization, cell, lane) f64         written: sum of choice probabilities

    Lanes are chemistries, ``padded`` with some that nobody admits, so that the loops over them run as vectors.
    A buyer for whom nothing on offer is good enough takes from what is offered.
    """
    worlds, cells, width = base.shape
    tastes = slope.shape[2]
    needs = limit.shape[2]
    occasion = np.uint64(2 * month)
    utility, allowed, reached = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for c in range(cells):
        for r in range(worlds):
            place = until[r, c]
            buyer = _next_due(month, due, r, start[c], start[c + 1])
            while buyer < start[c + 1]:
                for k in range(width):
                    utility[k] = base[r, c, k]
                if owned[r, buyer] >= 0:
                    utility[owned[r, buyer]] += habit[r, c]
                for a in range(tastes):
                    taste = profile[buyer, a]
                    for k in range(width):
                        utility[k] += taste * slope[r, c, a, k]
                open_ = profile[buyer, tastes + needs]
                for k in range(width):
                    allowed[k] = utility[k] if open_ < admission[r, c, k] else NEVER
                for q in range(needs):
                    need = profile[buyer, tastes + q]
                    for k in range(width):
                        allowed[k] = allowed[k] if need <= limit[r, c, q, k] else NEVER
                best = NEVER
                for k in range(width):
                    best = max(best, allowed[k])
                if best == NEVER:
                    for k in range(width):
                        allowed[k] = utility[k] if admission[r, c, k] > 0 else NEVER
                        best = max(best, allowed[k])
                chosen = NOTHING
                if best != NEVER:
                    total = np.float32(0.0)
                    for k in range(width):
                        allowed[k] = _exp(allowed[k] - best)
                    for k in range(width):
                        total += allowed[k]
                        reached[k] = total
                    mark = _luck(key[r] ^ (cell_key[c] + np.uint64(buyer - start[c]) * BUYER), occasion) * total
                    each = np.float32(1.0) / total
                    passed = 0
                    for k in range(width):
                        wish[r, c, k] += allowed[k] * each
                        passed += 1 if reached[k] <= mark else 0
                    chosen = np.int8(min(passed, width - 1))
                visitor[r, place] = buyer
                pick[r, place] = chosen
                place += 1
                buyer = _next_due(month, due, r, buyer + 1, start[c + 1])
            until[r, c + 1] = place


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
