"""Who gets what is scarce: a pure function of orders, supply and priority."""

from __future__ import annotations

import numpy as np


def served(orders: np.ndarray, supply: np.ndarray, priority: np.ndarray) -> np.ndarray:
    """Share of each segment's orders that is delivered when supply falls short.

    Shares rise with priority, up to one, and use all of the supply: share = min(1, level x priority).

    orders    (realization, segment, chemistry)  at least 0
    supply    (realization, chemistry)           at least 0
    priority  (realization, segment)             above 0
    returns   (realization, segment, chemistry)  in [0, 1]; 1 where nothing is short
    """
    first = np.argsort(-priority, axis=1, kind="stable")
    wanted = np.take_along_axis(orders, first[:, :, None], axis=1)
    rank = np.take_along_axis(priority, first, axis=1)[:, :, None]
    full = np.cumsum(wanted, axis=1) - wanted
    weighted = wanted * rank
    rest = np.cumsum(weighted[:, ::-1], axis=1)[:, ::-1]
    level = np.divide(supply[:, None] - full, rest, out=np.zeros_like(rest), where=rest > 0)
    stop = level * rank <= 1.0
    stop[:, -1] = True
    chosen = np.take_along_axis(np.maximum(level, 0.0), stop.argmax(axis=1)[:, None], axis=1)
    share = np.minimum(chosen * priority[:, :, None], 1.0)
    return np.where(orders.sum(axis=1, keepdims=True) <= supply[:, None] * (1.0 + 1e-12), 1.0, share)
