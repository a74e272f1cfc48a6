"""Recyclers: retired packs come back as lithium, later and not all of it."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Quantity, Triangular, parameter
from forecast.layout import side_by_side
from forecast.model.calendar import RECYCLE, on
from forecast.model.cost import LITHIUM_CARBONATE


class Recycling(Block):
    """How much lithium comes back from retired batteries."""

    collection: Quantity = parameter("1", "Share of retired lithium that is collected at the reference price", "IEA 2024, Batteries and Secure Energy Transitions; EU 2023/1542 asks 63-73 % for portable by 2027-30", 0.5, Triangular(0.25, 0.5, 0.8), at_least=0, at_most=1)
    recovery: Quantity = parameter("1", "Share of collected lithium recovered as carbonate", "EU Regulation 2023/1542 Annex XII: 50 % by 2027, 80 % by 2031", 0.7, Triangular(0.5, 0.7, 0.9), at_least=0, at_most=1)
    delay: Quantity = parameter("month", "Mean time from retirement to recovered lithium, second life included", "assumption: storage, second life and processing", 24, Lognormal(24, 0.3), at_least=1)
    price_response: Quantity = parameter("1", "Rise of collection with the logarithm of the lithium price", "assumption: weak, mandates and nickel value drive collection too", 0.15, Lognormal(0.15, 0.4), at_least=0)
    reference_price: Quantity = parameter("USD/t", "Lithium price at which `collection` holds", "USGS MCS 2025: 14,000 USD/t in 2024", 14000, above=0)


class Recyclers:
    """One pool of collected lithium per world; it empties at the pace of second life and processing."""

    def __init__(self, parameters):
        self.own = parameters.recycling
        self.content = side_by_side(parameters.chemistries.lithium * LITHIUM_CARBONATE * 1000.0)
        self.pool = np.zeros(parameters.size)

    def run(self, env, market):
        """Collect what retires, recover what is ready."""
        while True:
            yield on(env, RECYCLE)
            self.pool += self.collect(market)
            ready = self.pool / self.own.delay
            self.pool -= ready
            market.lithium_recycled[...] = ready * self.own.recovery

    def collect(self, market) -> np.ndarray:
        """Lithium collected this month, (realization,) t LCE."""
        retired = market.retirements.sum(axis=(1, 2))
        contained = (retired * self.content).sum(axis=-1)
        dear = np.log(market.lithium_price / self.own.reference_price)
        return contained * np.minimum(np.maximum(self.own.collection + self.own.price_response * dear, 0.0), 1.0)
