"""Plants: what makers build, convert and scrap, on their own view of demand and margins."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Quantity, Triangular, parameter
from forecast.layout import blank, side_by_side
from forecast.model.calendar import MONTHS_PER_YEAR, PLAN, QUARTER, is_quarter_end, month, on

LEAST_LAG = 0.1
FASTEST_FALL = -0.5  # of orders in a month, as far as anybody believes


class Investment(Block):
    """How all makers decide on capacity."""

    planning_time: Quantity = parameter("month", "Time over which makers smooth orders to see demand and its growth", "assumption", 6.0, Lognormal(6.0, 0.2), at_least=1)
    extrapolation: Quantity = parameter("1", "Share of the recent growth rate that plans carry forward over the lead time", "capacity of 2023 ran to 2.5 times demand: makers extrapolate", 1.0, Normal(1.0, 0.1), at_least=0, at_most=10)
    highest_growth: Quantity = parameter("1/year", "Largest yearly growth of demand that makers believe in (logarithm)", "assumption; value set with the replay of 2015-24", 1.0, Lognormal(1.0, 0.2), above=0)
    reserve: Quantity = parameter("1", "Capacity aimed at over expected orders", "assumption: headroom for peaks", 1.35, Normal(1.35, 0.05), above=0)
    catch_up: Quantity = parameter("1", "Share of the capacity gap committed each quarter", "assumption: projects are decided one by one; value set with the replay of 2015-24", 0.7, Triangular(0.5, 0.7, 0.9), above=0, at_most=1)
    fastest_growth: Quantity = parameter("1", "Most that a maker commits in a quarter, over the lines it has", "assumption: CATL grew sixfold in 2020-24; value set with the replay of 2015-24", 0.4, Lognormal(0.4, 0.25), above=0)
    first_plant: Quantity = parameter("GWh/year", "First line after a programme succeeds", "HiNa 2022: 1 GWh; Toyota and Samsung SDI plans: 1-10 GWh", 2.0, Lognormal(2.0, 0.4), above=0)
    nerve: Quantity = parameter("1", "Loss of margin over which commitments fall by 63 %", "assumption", 0.15, Lognormal(0.15, 0.3), above=0)
    spending_limit: Quantity = parameter("1", "Most that a maker spends in a quarter, over its cash and credit", "assumption; value set with the replay of 2015-24", 0.35, Triangular(0.2, 0.35, 0.5), above=0, at_most=1)
    borrowing: Quantity = parameter("year", "Years of revenue that lenders advance for plants", "assumption: debt and equity of growing makers; less than the credit at which lenders close a maker", 1.0, Lognormal(1.0, 0.15), at_least=0)
    idle_below: Quantity = parameter("1", "Utilisation below which lines count as idle", "assumption", 0.6, Triangular(0.45, 0.6, 0.75), above=0, at_most=1)
    scrap_rate: Quantity = parameter("1/year", "Share of idle lines scrapped each year", "assumption", 0.10, Lognormal(0.10, 0.4), at_least=0, at_most=1)


class Plants:
    """The lines of all makers: rows of makers and chemistries, in every world of the block."""

    def __init__(self, parameters):
        self.own, self.chemistries = parameters.investment, parameters.chemistries
        self.free = ~np.array(parameters.chemistries.programme)
        self.pace, self.aim = 1.0 / self.own.planning_time, parameters.manufacturers.ambition * self.own.reserve[:, None]
        self.lead = self.chemistries.build_time / MONTHS_PER_YEAR
        shape = parameters.manufacturers.capacity.shape
        self.build_time, self.conversion_time = (
            np.clip(np.rint(months), 1, parameters.months).astype(int) for months in (self.chemistries.build_time, self.chemistries.conversion_time)
        )
        self.slots = int(max(self.build_time.max(), self.conversion_time.max())) + 1
        self.coming = blank((shape[0], self.slots, *shape[1:]))  # by month of opening; months come round again
        self.fast = self.seen = self.slow = np.zeros(0)
        self._continue_building(parameters.manufacturers.capacity * (parameters.manufacturers.founded <= parameters.first_year)[:, :, None])
        from forecast.model import building, trade  # compiled code is slow to load and needed only to play

        self.kernels, self.worlds_last = building, trade.worlds_last

    def _continue_building(self, lines: np.ndarray) -> None:
        """What was being built at the start opens evenly over the build time."""
        opens = lines * (self.chemistries.opening_growth / MONTHS_PER_YEAR)[:, None, :]
        for now in range(1, self.slots):
            self.coming[:, now] = opens * (now <= self.chemistries.build_time)[:, None, :]
        self.underway = self.coming.sum(axis=1)

    def run(self, env, market):
        """Watch orders every month; open what was built; decide each quarter."""
        while True:
            yield on(env, PLAN)
            self.open(market, month(env))
            self.watch(market)
            if is_quarter_end(env):
                wanted, idle = self.wanted(market), self.idle(market)
                wanted = self.convert(market, wanted, idle, month(env))
                self.build(market, wanted, month(env))
                self.scrap(market, idle)
            market.committed[...] = self.underway.sum(axis=1)

    def open(self, market, now: int) -> None:
        """Lines that are ready and whose chemistry may be sold start; the others wait, those of failed makers are lost."""
        ready, later = self.coming[:, now % self.slots], self.coming[:, (now + 1) % self.slots]
        lines = market.capacity, self.underway
        self.kernels.open_lines(*self.worlds_last(ready, later, market.alive, self.free, market.may_sell, *lines))

    def watch(self, market) -> None:
        """Smooth orders fast and slowly; the difference is growth."""
        if not self.seen.size:
            self.fast = market.wanted * MONTHS_PER_YEAR
            self.seen = self.fast.sum(axis=1)
            passed = np.expm1(self.chemistries.opening_growth / MONTHS_PER_YEAR) * self.own.planning_time[:, None]
            self.slow = self.seen * (1.0 + passed) / (1.0 + 2.0 * passed)
        else:
            self.kernels.watch(*self.worlds_last(market.wanted, self.pace, self.fast, self.seen, self.slow))

    def growth(self) -> np.ndarray:
        """Yearly growth of the world's orders that makers see, (realization, chemistry), logarithm."""
        years = (self.own.planning_time / MONTHS_PER_YEAR)[:, None]
        ratio = np.maximum(self.seen, 1e-9) / np.maximum(self.slow, 1e-9)
        # Averages over T and 2T months lag what grows by g a month by 1 + g T and 1 + 2 g T.
        monthly = (ratio - 1.0) / (years * MONTHS_PER_YEAR * np.maximum(2.0 - ratio, LEAST_LAG))
        seen = MONTHS_PER_YEAR * np.log1p(np.maximum(monthly, FASTEST_FALL))
        return np.clip(seen, -self.own.highest_growth[:, None], self.own.highest_growth[:, None])

    def wanted(self, market) -> np.ndarray:
        """New lines each maker would like to commit this quarter, (realization, maker, chemistry) GWh/year."""
        own, more = self.own, np.empty_like(self.fast)
        ahead = np.exp(own.extrapolation[:, None] * self.growth() * self.lead)
        self.kernels.want(
            *self.worlds_last(
                *(self.fast, ahead, self.aim, self.chemistries.mature_yield, own.catch_up, own.nerve, own.fastest_growth, own.first_plant),
                *(market.margin, market.capacity, self.underway, self.free, market.may_build, market.alive, more),
            )
        )
        return more

    def convert(self, market, wanted: np.ndarray, idle: np.ndarray, now: int) -> np.ndarray:
        """Turn idle lines of one chemistry into lines of another where that is possible and cheaper; returns what is still wanted."""
        own, left, order = self.own, side_by_side(wanted), blank(wanted.shape)
        means = own.borrowing[:, None] * market.revenue
        self.kernels.convert(
            *self.worlds_last(left, self.chemistries.conversion_cost, market.line_cost, market.cash, means, own.spending_limit, idle, market.capacity, order)
        )
        self.enter(order, self.conversion_time, now)
        return left

    def idle(self, market) -> np.ndarray:
        """Share of lines that counts as idle, (realization, maker, chemistry)."""
        idle = market.utilisation / self.own.idle_below[:, None, None]
        np.subtract(1.0, idle, out=idle)
        return np.maximum(idle, 0.0, out=idle)

    def build(self, market, wanted: np.ndarray, now: int) -> None:
        """Commit new lines as far as cash and credit allow; they open after the build time."""
        size = side_by_side(wanted)
        self.kernels.afford(*self.worlds_last(size, market.line_cost, market.revenue, self.own.spending_limit, self.own.borrowing, market.cash))
        self.enter(size, self.build_time, now)

    def enter(self, size: np.ndarray, months: np.ndarray, now: int) -> None:
        """Enter lines in the calendar of openings.

        size    (realization, maker, chemistry) GWh/year
        months  (realization, chemistry) lead time
        """
        self.kernels.enter(*self.worlds_last(size, (now + months) % self.slots, self.coming, self.underway))

    def scrap(self, market, idle: np.ndarray) -> None:
        """Long idle lines go."""
        market.capacity *= 1.0 - idle * self.own.scrap_rate[:, None, None] * QUARTER / MONTHS_PER_YEAR
