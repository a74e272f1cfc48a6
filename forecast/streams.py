"""Luck by name: counter-based random numbers, so that nobody's luck depends on who else plays.

A number is a pure function of (seed, name, realization, occasion). Adding an agent, another block
size or more workers moves no number; realization k of two scenarios shares its luck.
The mixing is SplitMix64's finalizer (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15


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
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    base = np.uint64(int.from_bytes(digest, "little"))
    with np.errstate(over="ignore"):
        return mix(base + (np.asarray(realizations, np.uint64) + np.uint64(1)) * np.uint64(GOLDEN))


def uniform(seed: int, name: str, realizations: np.ndarray, *shape: int) -> np.ndarray:
    """Uniform numbers in (0, 1).

    returns  (realization, *shape) float64
    """
    occasions = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64).reshape(shape)
    key = keys(seed, name, realizations).reshape(-1, *[1] * len(shape))
    with np.errstate(over="ignore"):
        bits = mix(mix(key + occasions * np.uint64(GOLDEN)))
    return ((bits >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53


def normal(seed: int, name: str, realizations: np.ndarray, *shape: int) -> np.ndarray:
    """Standard normal numbers, (realization, *shape) float64."""
    from scipy.special import ndtri

    return ndtri(uniform(seed, name, realizations, *shape))


def each(draw: Callable[..., np.ndarray], seed: int, names: Sequence[str], realizations: np.ndarray, *shape: int) -> np.ndarray:
    """Numbers of ``draw`` (uniform or normal) for every name, (realization, *shape, name); there may be no name at all."""
    dealt = np.empty((*shape, len(names), len(realizations)))
    for number, name in enumerate(names):
        dealt[..., number, :] = np.moveaxis(draw(seed, name, realizations, *shape), 0, -1)
    return np.moveaxis(dealt, -1, 0)
