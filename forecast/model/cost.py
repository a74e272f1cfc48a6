"""Unit cost of a cell: pure functions of arrays, no state.

Minerals and components are bought, processing learns with experience (``learning``), all of it is divided by yield, and
capital and overhead come on top (``trade.reckon``).
"""

from __future__ import annotations

import numpy as np

LITHIUM_CARBONATE = 5.323  # t of lithium carbonate per t of lithium: molar masses 73.89 / (2 x 6.94)


def annuity(rate: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Present value of one a year for ``years`` at ``rate``; the limit ``years`` at rate zero."""
    rate = np.maximum(rate, 1e-9)
    return -np.expm1(-years * np.log1p(rate)) / rate


def lithium_cost(intensity: np.ndarray, price: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Cost of lithium, USD/kWh.

    intensity  (realization, chemistry)  kg Li/kWh
    price      (realization,)            USD/t LCE
    loss       (realization,)            lithium bought per lithium in the cell
    """
    return intensity * LITHIUM_CARBONATE * (price * loss)[:, None] / 1000.0
