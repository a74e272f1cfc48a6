"""Luck by name: counter-based random numbers, so that nobody's luck depends on who else plays.

A number is a pure function of (seed, name, realization, occasion). Adding an agent, another block
size or more workers moves no number; realization k of two scenarios shares its luck.
The mixing is SplitMix64's finalizer (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MANY = 10_000  # numbers from which on compiled code pays
HAND = 12  # occasions that a deck deals in one go


def mix(number: np.ndarray) -> np.ndarray:
    """Scramble 64-bit integers; same shape, every output bit depends on every input bit."""
    with np.errstate(over="ignore"):
        number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return number ^ (number >> np.uint64(31))


def keys(seed: int, name: str, realizations: np.ndarray) -> np.ndarray:
    """One 64-bit key per realization for everything called ``name``.

    realizations  (realization,) whole numbers
    returns       (realization,) uint64
    """
    return _keys(seed, [name], realizations)[0]


def _keys(seed: int, names: Sequence[str], realizations: np.ndarray) -> np.ndarray:
    """Keys of many names, (name, realization)."""
    digests = b"".join(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in names)
    with np.errstate(over="ignore"):
        return mix(np.frombuffer(digests, "<u8")[:, None] + (np.asarray(realizations, np.uint64) + np.uint64(1)) * np.uint64(GOLDEN))


def uniform(seed: int, name: str, realizations: np.ndarray, *shape: int) -> np.ndarray:
    """Uniform numbers in (0, 1).

    returns  (realization, *shape) float64
    """
    return each(uniform, seed, [name], realizations, *shape)[..., 0]


def normal(seed: int, name: str, realizations: np.ndarray, *shape: int) -> np.ndarray:
    """Standard normal numbers, (realization, *shape) float64."""
    return each(normal, seed, [name], realizations, *shape)[..., 0]


def each(
    draw: Callable[..., np.ndarray], seed: int, names: Sequence[str], realizations: np.ndarray, *shape: int, skipped: int = 0
) -> np.ndarray:
    """Numbers of ``draw`` (uniform or normal) for every name, (realization, *shape, name); there may be no name at all.

    skipped  occasions at the beginning that nobody will look at, where there is but one axis of them: they are left out
    """
    dealt = _deal(draw, _keys(seed, names, realizations), skipped, math.prod(shape) - skipped)
    axes = (len(dealt),) if skipped else shape
    return np.moveaxis(dealt.reshape(*axes, *dealt.shape[1:]), -1, 0)


class Deck:
    """Numbers of ``draw`` for every name, as ``each`` deals them, some occasions at a time: those to come take no memory."""

    def __init__(self, draw: Callable[..., np.ndarray], seed: int, names: Sequence[str], realizations: np.ndarray):
        self.draw, self.keys = draw, _keys(seed, names, realizations)
        self.first, self.hand = 0, np.empty((0, *self.keys.shape))

    def on(self, occasion: int) -> np.ndarray:
        """The numbers of an occasion, (realization, name)."""
        if not self.first <= occasion < self.first + len(self.hand):
            self.first, self.hand = occasion, _deal(self.draw, self.keys, occasion, HAND)
        return self.hand[occasion - self.first].T


def _deal(draw: Callable[..., np.ndarray], key: np.ndarray, skipped: int, count: int) -> np.ndarray:
    """Numbers of some occasions, (occasion, name, realization)."""
    dealt = np.empty((count, *key.shape))
    if dealt.size < MANY:
        occasions = np.arange(skipped + 1, skipped + count + 1, dtype=np.uint64)[:, None, None]
        with np.errstate(over="ignore"):
            bits = mix(mix(key + occasions * np.uint64(GOLDEN)))
        dealt[...] = ((bits >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53
    else:
        from forecast import mixing  # compiled code is slow to load

        mixing.deal(key, skipped, dealt)
    if draw is normal:
        from forecast.special import ndtri

        ndtri(dealt, out=dealt)
    return dealt
