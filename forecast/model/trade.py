"""How a region's orders divide between makers: a compiled kernel, since few makers have lines for any one chemistry."""

from __future__ import annotations

import numpy as np
from numba import njit

LEAST_PAID = 0.1  # share of the posted price that no credit takes off


@njit(cache=True, nogil=True, error_model="numpy")
def divide(price, lines, elasticity, transport, away, duty, credit, share, mean, crowd):
    """Divide orders between the makers that have lines: a logit on the logarithm of the price that buyers meet.

    price       (realization, maker, chemistry)          USD/kWh
    lines       (realization, maker, chemistry)          GWh/year, 0 if closed
    elasticity  (realization,)                           response to price
    transport   (realization, region, maker)             share of price; 0 at home
    away        (region, maker)                          whether the maker is abroad
    duty        (2, realization, region, chemistry)      share of price: for cells made at home, and abroad
    credit      (realization, region)                    USD/kWh for cells made at home
    share       (realization, region, maker, chemistry)  written: share of orders
    mean        (realization, region, chemistry)         written: price that buyers meet; 0 where nobody sells
    crowd       (realization, region, chemistry)         written: sum of squared shares; 0 where nobody sells
    """
    worlds, regions, makers, chemistries = share.shape
    sellers, landed = np.empty(makers, np.int64), np.empty(makers)
    for r in range(worlds):
        for k in range(chemistries):
            count = 0
            for m in range(makers):
                if lines[r, m, k] > 0:
                    sellers[count] = m
                    count += 1
                else:
                    for g in range(regions):
                        share[r, g, m, k] = 0.0
            for g in range(regions):
                best = np.inf
                for i in range(count):
                    m = sellers[i]
                    abroad = away[g, m]
                    paid = price[r, m, k] * (1.0 + transport[r, g, m] + duty[int(abroad), r, g, k]) - (0.0 if abroad else credit[r, g])
                    landed[i] = max(paid, LEAST_PAID * price[r, m, k])
                    best = min(best, landed[i])
                total = 0.0
                for i in range(count):
                    m = sellers[i]
                    share[r, g, m, k] = lines[r, m, k] * np.exp(-elasticity[r] * np.log(landed[i] / best))
                    total += share[r, g, m, k]
                mean[r, g, k] = crowd[r, g, k] = 0.0
                for i in range(count):
                    m = sellers[i]
                    share[r, g, m, k] /= total
                    mean[r, g, k] += share[r, g, m, k] * landed[i]
                    crowd[r, g, k] += share[r, g, m, k] ** 2
