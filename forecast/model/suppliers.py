"""Suppliers of components whose chains are young: hard carbon, sodium salts, sulfide electrolyte, lithium metal."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Quantity, Triangular, parameter, setting
from forecast.layout import side_by_side
from forecast.model.calendar import MONTHS_PER_YEAR, SUPPLY, on


class Component(Block):
    """One bought component: what it costs and how fast its makers can follow orders."""

    title: str = setting("Name in pictures and tables")
    opening_price: Quantity = parameter("USD/kg", "Price at `opening_experience`", "component block", above=0)
    floor_price: Quantity = parameter("USD/kg", "What engineering says the price cannot go below", "component block", at_least=0)
    learning_rate: Quantity = parameter("1", "Price cut per doubling of output", "component block", at_least=0, below=1)
    opening_experience: Quantity = parameter("kt", "Cumulative output at the start", "component block", above=0)
    opening_capacity: Quantity = parameter("kt/year", "Capacity at the start", "component block", above=0)
    build_time: Quantity = parameter("month", "Delay of capacity behind orders", "component block", at_least=1)
    fastest_growth: Quantity = parameter("1/year", "Most that capacity can grow in a year", "component block", above=0)


class SupplierBehaviour(Block):
    """How all component makers behave."""

    shortage_elasticity: Quantity = parameter("1", "Rise of the component price per shortage of capacity (logarithms)", "assumption: near lithium's response to cover", 0.5, Lognormal(0.5, 0.3), at_least=0, at_most=3)
    trust: Quantity = parameter("1", "Share of the need of cell lines, built and under construction, for which suppliers build ahead", "assumption: supply agreements are signed when lines are decided (Idemitsu for Toyota, POSCO for Korean makers)", 0.5, Lognormal(0.5, 0.25), at_least=0)
    spare_capacity: Quantity = parameter("1", "Capacity that suppliers aim at, over expected orders", "assumption: 20-30 % spare is usual in chemicals", 1.3, Triangular(1.1, 1.3, 1.5), above=0)


class Suppliers:
    """Makers of components; each row is one component, in every world of the block."""

    def __init__(self, parameters):
        self.own, self.behaviour = parameters.components, parameters.supply
        self.use = parameters.chemistries.components
        self.pace = np.log1p(-self.own.learning_rate)
        from forecast.model import learning, trade  # compiled code is slow to load and needed only to play

        self.kernels, self.worlds_last = learning, trade.worlds_last
        self.capacity = side_by_side(self.own.opening_capacity)
        self.produced = np.zeros_like(self.capacity)
        self.expected = np.zeros_like(self.capacity)

    def run(self, env, market):
        """Look at the orders, quote a price, follow with capacity."""
        while True:
            yield on(env, SUPPLY)
            orders = self.orders(market)
            self.quote(market, orders)
            self.follow(np.maximum(orders, self.booked(market)))

    def orders(self, market) -> np.ndarray:
        """Component orders of last month's cell orders, (realization, component) kt/year."""
        return (market.cell_orders[:, :, None] * self.use).sum(axis=1) * MONTHS_PER_YEAR

    def booked(self, market) -> np.ndarray:
        """What the cell lines in place and under construction will need, as far as suppliers trust it, (realization, component) kt/year."""
        lines = market.capacity.sum(axis=1) + market.committed
        return (lines[:, :, None] * self.use).sum(axis=1) * self.behaviour.trust[:, None]

    def quote(self, market, orders: np.ndarray) -> None:
        """Post prices, shortage and how much of what each chemistry needs can be had."""
        own, behaviour = self.own, self.behaviour
        learning = own.opening_experience, own.opening_price, own.floor_price, self.pace, behaviour.shortage_elasticity
        told = self.produced, market.component_price, market.component_shortage, market.component_met
        self.kernels.quote(*self.worlds_last(orders, market.component_cut, self.capacity, *learning, self.use, *told))

    def follow(self, orders: np.ndarray) -> None:
        """Let capacity follow orders and supply agreements, as fast as plants can be built; it never shrinks."""
        delay = self.own.build_time
        self.expected += (orders - self.expected) / (delay / 2.0)
        wanted = self.expected * self.behaviour.spare_capacity[:, None]
        fastest = self.capacity * self.own.fastest_growth / MONTHS_PER_YEAR
        self.capacity += np.minimum(np.maximum((wanted - self.capacity) / (delay / 2.0), 0.0), fastest)
