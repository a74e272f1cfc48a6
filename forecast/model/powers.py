"""Exponential and logarithm as plain arithmetic, which a compiler turns into vectors: of long rows several come at once.

Those of the system come one at a time and differ in the last digit from machine to machine. Methods as in fdlibm (Sun
Microsystems 1993): the argument is brought near zero by powers of two, and a polynomial does the rest to about 1e-16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first with zeros at its end: products with it are exact
ROUNDER = 1.5 * 2.0**52  # added to a number, it leaves its whole part in the last bits
EXPONENT, ONE = np.int64(52), np.int64(0x3FF0000000000000)  # where the exponent begins, and the bits of 1.0
WHOLE, HALF_ROOT = np.int64(0x4330000000000000), np.int64(0x3FE6A09E667F3BCD)  # bits of 2**52, and of the root of a half
BIAS = np.int64(1 << 62)  # makes exponents positive, by 1024
MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
LEAST, MOST = -708.0, 709.0  # what lies beyond is taken for these: next to nothing, and more than anything


def _bits(typing: Any, number: Any) -> Any:
    """The bits of a number as a whole number."""
    return types.int64(types.float64), lambda context, builder, signature, arguments: builder.bitcast(arguments[0], ir.IntType(64))


def _number(typing: Any, bits: Any) -> Any:
    """The number that has these bits."""
    return types.float64(types.int64), lambda context, builder, signature, arguments: builder.bitcast(arguments[0], ir.DoubleType())


bits_of: Any = intrinsic(_bits)
number_of: Any = intrinsic(_number)


@njit(forceinline=True, error_model="numpy")
def exponential(x):
    """e to the power of x, kept between 1e-307 and 1e307; error 2e-16 of it; nan of nan."""
    x = LEAST if x < LEAST else x
    x = MOST if x > MOST else x
    shifted = x * LOG2E + ROUNDER
    doublings = shifted - ROUNDER
    high, low = x - doublings * LN2_HIGH, doublings * LN2_LOW
    rest = high - low
    z = rest * rest
    bend = 4.13813679705723846039e-8 * z - 1.65339022054652515390e-6
    bend = ((bend * z + 6.61375632143793436117e-5) * z - 2.77777777770155933842e-3) * z + 1.66666666666666019037e-1
    bend = rest - z * bend
    near = 1.0 - ((low - rest * bend / (2.0 - bend)) - high)
    return near * number_of((bits_of(shifted) << EXPONENT) + ONE)


@njit(forceinline=True, error_model="numpy")
def logarithm(x):
    """Natural logarithm of x above 1e-307; error 2e-16 of it; nan of what is not above zero."""
    bits = bits_of(x) - HALF_ROOT
    doublings = number_of(((bits + BIAS) >> EXPONENT) | WHOLE) - (2.0**52 + 1024.0)
    f = number_of((bits & MANTISSA) + HALF_ROOT) - 1.0
    s = f / (2.0 + f)
    z, half = s * s, 0.5 * f * f
    bend = 1.479819860511658591e-1 * z + 1.531383769920937332e-1
    bend = ((bend * z + 1.818357216161805012e-1) * z + 2.222219843214978396e-1) * z + 2.857142874366239149e-1
    bend = ((bend * z + 3.999999999940941908e-1) * z + 6.666666666666735130e-1) * z
    found = doublings * LN2_HIGH - ((half - (s * (half + bend) + doublings * LN2_LOW)) - f)
    return found if x > 0 else np.nan
