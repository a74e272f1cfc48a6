"""Least squares for adoption curves, compiled: each series takes as many steps as it needs. Formulas are named in ``curves``."""

from __future__ import annotations

import numpy as np
from numba import njit

STEPS = 60
FIRST_DAMPING = 1e-2
LEAST_DAMPING, MOST_DAMPING = 1e-9, 1e9
SETTLED = 1e-8
"""Change of every parameter, as a share of it or at least of one, below which a series is done."""
FREE, HELD_BACK = 1e-3, 1e4
"""Damping below which a small step that helped was the last, and above which one that did not help was."""


@njit(cache=True, nogil=True, error_model="numpy")
def logistic(parameters, when, value, slope):
    """Logistic shares of one series and their slopes by parameter.

    parameters  (3,)        ceiling, midpoint, logarithm of the width
    when        (years,)    calendar year
    value       (years,)    written
    slope       (years, 3)  written
    """
    ceiling, midpoint, width = parameters[0], parameters[1], np.exp(parameters[2])
    for t in range(when.size):
        z = (when[t] - midpoint) / width
        part = 1.0 / (1.0 + np.exp(-z))
        bend = ceiling * part * (1.0 - part)
        value[t] = ceiling * part
        slope[t, 0], slope[t, 1], slope[t, 2] = part, -bend / width, -bend * z


@njit(cache=True, nogil=True, error_model="numpy")
def bass(parameters, when, value, slope):
    """Bass shares of one series and their slopes by parameter; zero before the launch.

    parameters  (3,)        logarithms of p, q and m
    when        (years,)    years since the launch
    value       (years,)    written
    slope       (years, 3)  written
    """
    p, q, m = np.exp(parameters[0]), np.exp(parameters[1]), np.exp(parameters[2])
    for t in range(when.size):
        if when[t] <= 0.0:
            value[t] = slope[t, 0] = slope[t, 1] = slope[t, 2] = 0.0
            continue
        x = when[t]
        left = np.exp(-(p + q) * x)
        below = 1.0 + q / p * left
        part = (1.0 - left) / below
        slow = x * left * (below + q / p * (1.0 - left)) / below**2
        value[t] = m * part
        slope[t, 0] = m * p * (slow + (1.0 - left) * q / p**2 * left / below**2)
        slope[t, 1] = m * q * (slow - (1.0 - left) / p * left / below**2)
        slope[t, 2] = m * part


@njit(cache=True, nogil=True, error_model="numpy")
def step_of(slope, missed, damping, step):
    """Damped step of one series towards what its curve misses: three equations, solved by elimination.

    slope   (years, 3)
    missed  (years,)  share less its curve
    step    (3,)      written
    """
    a00 = a01 = a02 = a11 = a12 = a22 = b0 = b1 = b2 = 0.0
    for t in range(missed.size):
        s0, s1, s2 = slope[t, 0], slope[t, 1], slope[t, 2]
        a00, a01, a02 = a00 + s0 * s0, a01 + s0 * s1, a02 + s0 * s2
        a11, a12, a22 = a11 + s1 * s1, a12 + s1 * s2, a22 + s2 * s2
        b0, b1, b2 = b0 + s0 * missed[t], b1 + s1 * missed[t], b2 + s2 * missed[t]
    a00, a11, a22 = a00 + damping * a00 + 1e-12, a11 + damping * a11 + 1e-12, a22 + damping * a22 + 1e-12
    by1, by2 = a01 / a00, a02 / a00
    a11, a12, a22 = a11 - by1 * a01, a12 - by1 * a02, a22 - by2 * a02
    b1, b2 = b1 - by1 * b0, b2 - by2 * b0
    by2 = a12 / a11
    step[2] = (b2 - by2 * b1) / (a22 - by2 * a12)
    step[1] = (b1 - a12 * step[2]) / a11
    step[0] = (b0 - a01 * step[1] - a02 * step[2]) / a00


@njit(cache=True, nogil=True, error_model="numpy")
def least_squares(is_bass, best, when, share, low, high, fitted):
    """Levenberg (1944) and Marquardt (1963) steps for each series until it settles.

    A step that does not help is taken back and damped more; parameters are clipped to the bounds.

    is_bass  whether the curve is Bass or logistic
    best     (series, 3)      parameters to start from; written: those of least squares
    when     (series, years)  calendar years, or years since the launch
    share    (series, years)
    low      (3,)             bounds
    high     (3,)
    fitted   (series, years)  written: the curve at its best
    """
    years = share.shape[1]
    curve, slope, slope_there = np.empty(years), np.empty((years, 3)), np.empty((years, 3))
    step, tried, missed = np.empty(3), np.empty(3), np.empty(years)
    for n in range(len(share)):
        error, damping = np.inf, FIRST_DAMPING
        for i in range(3):
            tried[i] = best[n, i] = min(max(best[n, i], low[i]), high[i])
        for turn in range(STEPS + 1):
            if is_bass:
                bass(tried, when[n], curve, slope_there)
            else:
                logistic(tried, when[n], curve, slope_there)
            error_there = moved = 0.0
            for t in range(years):
                error_there += (share[n, t] - curve[t]) ** 2
            for i in range(3):
                moved = max(moved, abs(tried[i] - best[n, i]) / max(1.0, abs(best[n, i])))
            better = error_there < error
            if better:
                error = error_there
                slope, slope_there = slope_there, slope
                for i in range(3):
                    best[n, i] = tried[i]
                for t in range(years):
                    fitted[n, t], missed[t] = curve[t], share[n, t] - curve[t]
            if turn:
                if moved < SETTLED and (damping < FREE if better else damping > HELD_BACK):
                    break
                damping = min(max(damping / 5 if better else damping * 4, LEAST_DAMPING), MOST_DAMPING)
            step_of(slope, missed, damping, step)
            for i in range(3):
                tried[i] = min(max(best[n, i] + step[i], low[i]), high[i])
