"""Rounding of numbers that are to be packed: a compiled pass over their bits."""

from __future__ import annotations

import numpy as np
from numba import njit

SIGN, INFINITE, MISSING = np.uint32(0x80000000), np.uint32(0x7F800000), np.uint32(0x7FC00000)


@njit(cache=True, nogil=True, error_model="numpy")
def round_off(bits, dropped, found):
    """Round to so many bits less, half to even; there is one nan and one zero in the result, whatever their signs and payloads were.

    bits     (number,) uint32 of float32
    dropped  bits at the end that are to be zero
    found    (number,) written: uint32 of float32
    """
    one, drop = np.uint32(1), np.uint32(dropped)
    below_half = np.uint32((one << np.uint32(drop - one)) - one)
    kept = ~np.uint32((one << drop) - one)
    for place in range(len(bits)):
        was = bits[place]
        rounded = np.uint32(was + below_half + ((was >> drop) & one)) & kept
        rounded = rounded if rounded != SIGN else np.uint32(0)
        found[place] = MISSING if np.uint32(was & ~SIGN) > INFINITE else rounded
