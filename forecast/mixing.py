"""Luck in bulk: the compiled twin of ``streams.mix``, and normal numbers, for the millions that a block plays with.

Normal numbers come by the inverse of their distribution, to the last digits (algorithm AS 241 of Wichura 1988,
doi:10.2307/2347330).
"""

from __future__ import annotations

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
S11, S27, S30, S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)

CENTRE = 0.425  # so far from a half a probability lies in the middle of the distribution
NEAR, FAR = 1.6, 5.0  # root of the logarithm from which on it lies far out
# Coefficients of a rational function each, from the highest power: above and below the line.
MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
    (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
     5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0),
)  # fmt: skip
TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 0.241780725177450611770, 1.27045825245236838258,
     3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 0.148103976427480074590,
     0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)  # fmt: skip
FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 0.136929880922735805310, 0.599832206555887937690, 1.0),
)  # fmt: skip


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


@njit(inline="always")
def _ratio(x, above, below):
    over, under = above[0], below[0]
    for power in range(1, len(above)):
        over, under = over * x + above[power], under * x + below[power]
    return over / under


@njit(cache=True, nogil=True, error_model="numpy")
def bend(dealt):
    """Turn uniform numbers into standard normal ones, in place; as the middle is the same for all, a processor takes several at once.

    dealt  (occasion, name, realization), in (0, 1)
    """
    occasions, names, worlds = dealt.shape
    uniform, outside = np.empty(worlds), np.empty(worlds, np.int64)
    for occasion in range(occasions):
        for name in range(names):
            count = 0
            for world in range(worlds):
                uniform[world] = dealt[occasion, name, world]
                centred = uniform[world] - 0.5
                dealt[occasion, name, world] = centred * _ratio(CENTRE * CENTRE - centred * centred, MIDDLE[0], MIDDLE[1])
            for world in range(worlds):
                outside[count] = world
                count += abs(uniform[world] - 0.5) > CENTRE
            for place in range(count):
                number = uniform[outside[place]]
                far = np.sqrt(-np.log(min(number, 1.0 - number)))
                size = _ratio(far - NEAR, TAIL[0], TAIL[1]) if far <= FAR else _ratio(far - FAR, FAR_TAIL[0], FAR_TAIL[1])
                dealt[occasion, name, outside[place]] = size if number > 0.5 else -size
