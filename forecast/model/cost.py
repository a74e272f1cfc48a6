"""Unit cost of a cell: pure functions of arrays, no state.

Minerals and components are bought, processing learns with experience down to an engineering floor (Wright 1936),
all of it is divided by yield, and capital and overhead come on top.
"""

from __future__ import annotations

import numpy as np

LITHIUM_CARBONATE = 5.323  # t of lithium carbonate per t of lithium: molar masses 73.89 / (2 x 6.94)


def learned(start: np.ndarray, floor: np.ndarray, rate: np.ndarray, doublings: np.ndarray) -> np.ndarray:
    """Wright's law above a floor: what is above it falls by ``rate`` with each doubling; arrays broadcast."""
    return floor + np.maximum(start - floor, 0.0) * np.exp(np.log1p(-rate) * doublings)  # faster than a power


def doublings(experience: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """Doublings of experience since the opening, never negative."""
    return np.log2(np.maximum(experience / opening, 1.0))


def annuity(rate: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Present value of one a year for ``years`` at ``rate``; the limit ``years`` at rate zero."""
    rate = np.maximum(rate, 1e-9)
    return -np.expm1(-years * np.log1p(rate)) / rate


def mineral_cost(intensity: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Cost of minerals, USD/kWh.

    intensity  (realization, chemistry, mineral)  kg/kWh
    price      (realization, mineral)             USD/kg
    returns    (realization, chemistry)
    """
    return (intensity * price[:, None, :]).sum(axis=-1)


def lithium_cost(intensity: np.ndarray, price: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Cost of lithium, USD/kWh.

    intensity  (realization, chemistry)  kg Li/kWh
    price      (realization,)            USD/t LCE
    loss       (realization,)            lithium bought per lithium in the cell
    """
    return intensity * LITHIUM_CARBONATE * (price * loss)[:, None] / 1000.0


def specific_energy(start: np.ndarray, ceiling: np.ndarray, progress: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Cell Wh/kg after ``years`` of development: the gap to the ceiling closes at a steady rate."""
    return ceiling - (ceiling - start) * np.exp(-progress * np.maximum(years, 0.0))
