"""Minerals other than lithium: correlated, mean-reverting prices."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Quantity, parameter, setting
from forecast.model.calendar import EXTRACT, MONTHS_PER_YEAR, month, on
from forecast.streams import each, normal


class Mineral(Block):
    """A mineral whose price is a random walk pulled towards what it costs in the long run."""

    title: str = setting("Name in pictures and tables")
    opening_price: Quantity = parameter("USD/kg", "Price in January of the first year", "mineral block", above=0)
    mean_price: Quantity = parameter("USD/kg", "Price to which it reverts", "mineral block", above=0)
    volatility: Quantity = parameter("1", "Standard deviation of the logarithm of price over a year", "mineral block", at_least=0, at_most=2)
    reversion: Quantity = parameter("1/year", "Share of the gap to the mean closed each year", "mineral block", at_least=0, at_most=12)
    common: Quantity = parameter("1", "Correlation with the common commodity factor", "mineral block", 0.5, at_least=0, at_most=1)


class Minerals:
    """Prices of nickel, cobalt, graphite and the rest, in every world of the block."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        own = parameters.minerals
        self.mean, self.reversion = np.log(own.mean_price), own.reversion / MONTHS_PER_YEAR
        self.price = np.log(own.opening_price)
        common = normal(seed, "minerals", realizations, parameters.months)[..., None]
        single = each(normal, seed, [f"mineral {name}" for name in own.names], realizations, parameters.months)
        load = own.common[:, None, :]
        step = own.volatility[:, None, :] / np.sqrt(MONTHS_PER_YEAR)
        self.shock = step * (np.sqrt(load) * common + np.sqrt(1.0 - load) * single)

    def run(self, env, market):
        """Follow the record while it lasts; then drift home, and be pushed about."""
        while True:
            yield on(env, EXTRACT)
            drifted = self.price + self.reversion * (self.mean - self.price) + self.shock[:, month(env)]
            known = market.mineral_price_on_record
            self.price = np.where(known > 0, np.log(np.maximum(known, 1e-12)), drifted)
            market.mineral_price[...] = np.exp(self.price + market.mineral_push)
