"""Luck in bulk: the compiled twin of ``streams.mix``, for the millions of numbers that a block is born with."""

from __future__ import annotations

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
S11, S27, S30, S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)


@njit(inline="always")
def scramble(bits):
    """A 64-bit integer scrambled, as ``streams.mix`` does it."""
    bits = (bits ^ (bits >> S30)) * M1
    bits = (bits ^ (bits >> S27)) * M2
    return bits ^ (bits >> S31)


@njit(cache=True, nogil=True, error_model="numpy")
def deal(keys, skipped, dealt):
    """Uniform numbers in (0, 1).

    keys     (name, realization) uint64
    skipped  occasions that are left out
    dealt    (occasion, name, realization)  written
    """
    occasions, names, worlds = dealt.shape
    for occasion in range(occasions):
        step = np.uint64(skipped + occasion + 1) * GOLDEN
        for name in range(names):
            for world in range(worlds):
                bits = scramble(scramble(keys[name, world] + step))
                dealt[occasion, name, world] = (np.float64(np.int64(bits >> S11)) + 0.5) * 2.0**-53
