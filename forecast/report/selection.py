"""Numbers of given ranks among many, compiled. Only what lies near a wanted rank is put in order.

Numbers are counted in some thousand bins of equal width; what is in a bin with a wanted rank is counted again in finer ones.
They are told apart by their bits, read as integers that rise with the numbers, so that no range is too wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TOGETHER, TURNED = 16, 64
"""Places that share a line of the cache, and realizations of them that it holds while they are turned."""
BESIDE = 128
"""Rows that are written side by side."""
MOST_BINS, FEW_BINS, FEW = 2048, 64, 256
"""Bins at most, and for few numbers."""
SIGN, SIZE = np.uint32(1 << 31), np.uint32((1 << 31) - 1)
INFINITE = np.uint32(0x7F800000)
"""Bits of infinity; those of nan are more."""
NOWHERE = np.uint32((1 << 32) - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def pick(bits, first, last, ranks, found):
    """Numbers of some ranks at each place from the first to before the last; nan where any number is nan.

    bits   (realizations, places)  float32 seen as uint32
    ranks  (ranks,)                from 0, rising
    found  (ranks, places)         written: float32 seen as uint32
    """
    count = len(bits)
    rows = np.empty((TOGETHER, count + TOGETHER), np.uint32)
    room = rooms(count, len(ranks))
    for start in range(first, last, TOGETHER):
        stop = min(last, start + TOGETHER)
        turn(bits, start, stop, rows)
        for place in range(start, stop):
            choose(rows[place - start], count, ranks, room, found[:, place])


@njit(cache=True, nogil=True, error_model="numpy")
def pick_in_rows(rows, first, last, ranks, found):
    """The same of places that stand in rows.

    rows   (places, realizations)  float32 seen as uint32; overwritten
    """
    room = rooms(rows.shape[1], len(ranks))
    for place in range(first, last):
        choose(rows[place], rows.shape[1], ranks, room, found[:, place])


@njit(cache=True, nogil=True, error_model="numpy")
def turn_into(bits, rows, first):
    """Copy realizations into rows of their places.

    bits   (some realizations, places)
    rows   (places, realizations)  written from the first on
    """
    places = bits.shape[1]
    for start in range(0, places, BESIDE):
        for n in range(len(bits)):
            for place in range(start, min(places, start + BESIDE)):
                rows[place, first + n] = bits[n, place]


@njit(nogil=True, error_model="numpy")
def rooms(count, ranks):
    """Room for choosing some ranks among so many numbers."""
    return np.empty(count, np.uint32), np.empty((2, ranks), np.uint32), np.empty(MOST_BINS, np.uint32), np.empty(ranks, np.uint32)


@njit(nogil=True, error_model="numpy")
def choose(keys, count, ranks, room, found):
    """Numbers of some ranks in a row.

    keys   (at least count,)  bits of the numbers; overwritten
    found  (ranks,)           written
    """
    spare, piece, tally, chosen = room
    if make_keys(keys, count) > INFINITE:
        for j in range(len(ranks)):
            found[j] = SIZE
        return
    for j in range(len(ranks)):
        piece[0, j], piece[1, j] = 0, count
    here, there = keys, spare
    while narrow(here, there, ranks, piece, tally, chosen):
        here, there = there, here
    for j in range(len(ranks)):
        found[j] = chosen[j] - SIGN if chosen[j] >= SIGN else SIGN | (SIGN - chosen[j])


@njit(nogil=True, error_model="numpy")
def turn(bits, first, last, rows):
    """Copy some places that lie side by side, each to a row of its own."""
    count = len(bits)
    for start in range(0, count, TURNED):
        stop = min(count, start + TURNED)
        for place in range(first, last):
            for n in range(start, stop):
                rows[place - first, n] = bits[n, place]


@njit(nogil=True, error_model="numpy")
def make_keys(row, count):
    """Turn the bits of numbers, sign and size, into keys that rise with the numbers; returns the largest size."""
    largest = np.uint32(0)
    for n in range(count):
        size = row[n] & SIZE
        row[n] = SIGN + size if row[n] == size else SIGN - size
        largest = size if size > largest else largest
    return largest


@njit(nogil=True, error_model="numpy")
def narrow(keys, there, ranks, piece, tally, chosen):
    """Divide every piece of the keys that holds a wanted rank into smaller ones; whether any are left.

    keys    (count,)    in order as far as the pieces are
    there   (count,)    written: keys in smaller pieces
    ranks   (ranks,)    places in the order of all keys
    piece   (2, ranks)  first place of the piece that each is in, and the first beyond; equal once its key is known; moved
    tally   (bins,)     room
    chosen  (ranks,)    written: keys that are known
    """
    j, left = 0, False
    while j < len(ranks):
        begin, end = piece[0, j], piece[1, j]
        if begin == end:
            j += 1
            continue
        lowest, highest, bits = extent(keys, begin, end)
        shift, most = np.uint64(0), MOST_BINS if end - begin > FEW else FEW_BINS
        while (highest - lowest) >> shift >= most:
            shift += np.uint64(1)
        bins = ((highest - lowest) >> shift) + np.uint64(1)
        exact = (bits >> shift) << shift == bits  # all keys of a bin are equal
        for b in range(bins):
            tally[b] = 0
        for n in range(begin, end):
            tally[(keys[n] - lowest) >> shift] += 1
        first = begin
        for b in range(bins):
            last = first + tally[b]
            tally[b] = NOWHERE
            while j < len(ranks) and ranks[j] < last:
                chosen[j] = lowest + (b << shift)
                piece[0, j], piece[1, j] = first, first if exact else last
                tally[b] = first
                j += 1
            first = last
        if not exact:
            gather(keys, there, begin, end, lowest, shift, tally)
            left = True
    return left


@njit(nogil=True, error_model="numpy")
def extent(keys, begin, end):
    """The lowest and the highest key of a piece, and all bits of any."""
    lowest = highest = keys[begin]
    bits = np.uint32(0)
    for n in range(begin, end):
        key = keys[n]
        lowest = key if key < lowest else lowest
        highest = key if key > highest else highest
        bits |= key
    return lowest, highest, bits


@njit(nogil=True, error_model="numpy")
def gather(keys, there, begin, end, lowest, shift, tally):
    """Put the keys of wanted bins where their bin begins.

    tally  (bins,)  first place of each bin, NOWHERE for those that hold no wanted rank; moved
    """
    for n in range(begin, end):
        b = (keys[n] - lowest) >> shift
        if tally[b] != NOWHERE:
            there[tally[b]] = keys[n]
            tally[b] += 1
