"""Lithium mines: each row decides, on its own view of the price, to run, idle, expand or open."""

from __future__ import annotations

from typing import Literal

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Quantity, parameter, setting
from forecast.layout import blank, side_by_side
from forecast.model.calendar import COMMIT, MINE, MONTHS_PER_YEAR, QUARTER, is_quarter_end, month, on
from forecast.streams import each, normal, uniform

MARGIN = 0.9  # share of running capacity below the marginal cost; the dearest tenth has other reasons to run
RESOURCE, EVALUATION, CONSTRUCTION, PRODUCING, IDLE = range(5)
STATE = {"resource": RESOURCE, "evaluation": EVALUATION, "construction": CONSTRUCTION, "producing": PRODUCING}


class Mine(Block):
    """One lithium deposit as it stood at the start."""

    title: str = setting("Name in pictures and tables", "")
    country: str = setting("Country")
    resource: Literal["brine", "hard_rock", "clay"] = setting("Kind of deposit")
    status: Literal["producing", "construction", "evaluation", "resource"] = setting("State at the start")
    capacity: Quantity = parameter("t/year", "Lithium carbonate equivalent it can produce at the start", "mine block", at_least=0)
    potential: Quantity = parameter("t/year", "Largest capacity the deposit allows", "mine block", above=0)
    cash_cost: Quantity = parameter("USD/t", "Cash cost per t LCE, conversion included, without tax", "mine block", above=0)
    capital_cost: Quantity = parameter("USD*year/t", "Investment per t LCE a year of new capacity", "mine block", above=0)
    lead_time: Quantity = parameter("year", "From decision to first output of a new mine", "mine block", above=0)
    known: Quantity = parameter("year", "First year in which the owner could decide to build", "mine block", 2015, at_least=1900, at_most=2200)


class Mining(Block):
    """How all mine owners behave."""

    required_return: Quantity = parameter("1/year", "Yearly capital charge on new capacity, risk included", "assumption: 10-12 % after tax over 15 years, before tax of 25-35 %, royalties and risk", 0.26, Normal(0.26, 0.05), above=0)
    expectation_time: Quantity = parameter("month", "Time over which owners smooth the price they believe in", "assumption: a quarter or two of quoted prices", 6, Lognormal(6, 0.3), at_least=1)
    anchoring: Quantity = parameter("1", "Weight of the long-run cost in the expected price, the rest is recent price", "assumption: analysts' long-run price moves far less than spot, owners follow spot", 0.3, Normal(0.3, 0.1), at_least=0, at_most=1)
    expansion_rate: Quantity = parameter("1/year", "Share of its remaining potential that an eager owner commits in a year", "assumption: stages of 20-50 kt at deposits of 100-200 kt, one or two a year in a boom", 0.7, Lognormal(0.7, 0.35), above=0)
    eagerness: Quantity = parameter("1", "Response of commitments to the margin over the incentive price (logarithms)", "assumption", 2, Lognormal(2, 0.4), above=0)
    fastest_growth: Quantity = parameter("1/year", "Most that all owners together commit in a year, over the world's capacity", "assumption: contractors and permits are few: even at the height of a boom an industry does not double its plans within a year", 0.45, Normal(0.45, 0.1), above=0)
    reinvestment: Quantity = parameter("1", "Investment that all owners together can pay for, over their cash flow", "assumption: lenders and shareholders add to retained earnings in good years; listed miners of 2016-23 spent about what they earned", 0.8, Lognormal(0.8, 0.3), above=0)
    expansion_time: Quantity = parameter("1", "Lead time of expanding a producing mine over that of a new one", "assumption: brownfield saves permitting and infrastructure", 0.5, Lognormal(0.5, 0.2), above=0)
    pace: Quantity = parameter("1", "Time that projects take over the lead time of the mine block", "Arcadia and Bikita (2022-23) took 12-15 months, a third to a half of the usual: assumption", 0.6, Lognormal(0.6, 0.2), above=0)
    ramp_time: Quantity = parameter("month", "Time to reach 63 % of new capacity after first output", "S&P Global 2023: 18-24 months to nameplate, faster in a boom: assumption", 7, Lognormal(7, 0.25), at_least=1)
    slowdown_time: Quantity = parameter("month", "Time to bring output down", "assumption: a campaign", 2.0, at_least=1)
    full_above: Quantity = parameter("1", "Price over cash cost above which a mine runs at capacity; below it output is throttled down to nothing at `idle_below`", "Pilbara Minerals, Galaxy and Talison throttled output in 2019-20 while prices stood above cash cost: assumption on the range", 1.35, Normal(1.35, 0.1), above=1)
    idle_below: Quantity = parameter("1", "Price over cash cost below which a mine idles", "assumption: shutdown costs make owners wait; Wodgina and Bald Hill idled in 2019", 0.85, Normal(0.85, 0.07), above=0)
    restart_above: Quantity = parameter("1", "Price over cash cost above which an idle mine restarts", "assumption: hysteresis", 1.25, above=0)
    restart_time: Quantity = parameter("month", "Time to restart an idle mine", "Wodgina took about 9 months in 2021-22", 9, Lognormal(9, 0.25), at_least=1)
    cost_decline: Quantity = parameter("1/year", "Yearly fall of running cost and investment", "real unit cost of mining fell by 1-3 % a year over decades in other minerals: assumption", 0.025, Normal(0.025, 0.012), at_least=-1, below=1)
    outage: Quantity = parameter("1", "Standard deviation of monthly output around capacity", "assumption", 0.03, at_least=0)
    first_stage: Quantity = parameter("1", "Share of its potential that a new mine builds first", "assumption: projects are staged", 0.45, Normal(0.45, 0.08), above=0, at_most=1)
    cost_factor: Quantity = parameter("1", "True running cost over the cash cost of the studies: sustaining capital, royalties, corporate cost", "assumption: price floors of 2019-20 (8,400 USD/t, USGS) lay a quarter to a half above study costs", 1.3, Lognormal(1.3, 0.12), above=0)


class Mines:
    """Lithium mines; each is a row, in every world of the block."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        own, self.mining = parameters.mines, parameters.mining
        self.first_year = parameters.first_year
        self.cash_cost = own.cash_cost * self.mining.cost_factor[:, None]
        self.incentive = self.cash_cost + own.capital_cost * self.mining.required_return[:, None]
        self.potential, self.known, self.capital_cost = own.potential, own.known, own.capital_cost
        self.lead_time = own.lead_time * self.mining.pace[:, None] * MONTHS_PER_YEAR
        self.status = side_by_side(np.array([STATE[state] for state in own.status]), own.capacity.shape)
        self.capacity = np.where(self.status == PRODUCING, own.capacity, 0.0)
        self.running = side_by_side(self.capacity)
        self.restart_in = np.zeros_like(self.capacity)
        self.expected_price = np.log(parameters.lithium.first_price)
        self.long_run_price = np.log(parameters.lithium.long_run_price)
        beyond = parameters.months + MONTHS_PER_YEAR  # what opens after the horizon is seen coming in the last year, and no further
        self.under_construction = blank((*self.capacity.shape, beyond + 1))
        self.underway = np.zeros_like(self.capacity)
        self._continue_building(own)
        self.outage = each(normal, seed, [f"outage {name}" for name in own.names], realizations, parameters.months)
        self.resolve = each(uniform, seed, [f"commit {name}" for name in own.names], realizations, parameters.months // QUARTER + 1)

    def _continue_building(self, own) -> None:
        """What was under construction at the start comes half a lead time later."""
        started = np.where(self.status == CONSTRUCTION, self.mining.first_stage[:, None] * own.potential, 0.0)
        self._build(0, started, self.lead_time / 2.0)

    def run(self, env, market):
        """Produce each month; look at the price; each quarter commit to more."""
        while True:
            yield on(env, MINE)
            self.cheapen()
            self.open(month(env))
            self.run_or_idle(market)
            self.produce(market, month(env))
            self.report(market, month(env))
            yield on(env, COMMIT)
            self.form_expectation(market)
            if is_quarter_end(env):
                self.evaluate(month(env))
                self.commit(month(env))

    def cheapen(self) -> None:
        """Mining gets a little cheaper each month."""
        kept = (1.0 - self.mining.cost_decline[:, None]) ** (1.0 / MONTHS_PER_YEAR)
        self.cash_cost, self.incentive, self.capital_cost = self.cash_cost * kept, self.incentive * kept, self.capital_cost * kept

    def open(self, now: int) -> None:
        """New capacity comes on stream and begins to ramp."""
        opened = self.under_construction[:, :, now]
        self.capacity += opened
        self.underway -= opened
        self.status = np.where((opened > 0) & (self.status == CONSTRUCTION), PRODUCING, self.status)

    def run_or_idle(self, market) -> None:
        """Idle below cash cost, restart above it; owners wait a little in both directions."""
        over_cost = market.lithium_price[:, None] / self.cash_cost
        stop = (self.status == PRODUCING) & (over_cost < self.mining.idle_below[:, None])
        self.status = np.where(stop, IDLE, self.status)
        waiting = (self.status == IDLE) & (over_cost > self.mining.restart_above[:, None])
        self.restart_in = np.where(waiting, self.restart_in + 1.0, 0.0)
        again = self.restart_in >= self.mining.restart_time[:, None]
        self.status = np.where(again, PRODUCING, self.status)

    def produce(self, market, now: int) -> None:
        """Output ramps towards capacity, throttled where the margin is thin; outages and shocks take their part."""
        over_cost = market.lithium_price[:, None] / self.cash_cost
        full, idle = self.mining.full_above[:, None], self.mining.idle_below[:, None]
        throttle = np.clip((over_cost - idle) / (full - idle), 0.0, 1.0)
        target = np.where(self.status == PRODUCING, self.capacity * throttle, 0.0)
        pace = np.where(target > self.running, 1.0 / self.mining.ramp_time[:, None], 1.0 / self.mining.slowdown_time[:, None])
        self.running += (target - self.running) * pace
        self.ramping = target - self.running
        luck = np.maximum(1.0 + self.mining.outage[:, None] * self.outage[:, now], 0.0)
        unexplained = np.exp(market.unexplained_mine_output)[:, None]
        market.mine_output[...] = self.running * luck * unexplained * np.clip(1.0 - market.mine_cut, 0.0, 1.0) / MONTHS_PER_YEAR

    def form_expectation(self, market) -> None:
        """Owners smooth the price and pull it towards what they think it must be in the long run."""
        self.expected_price += (np.log(market.lithium_price) - self.expected_price) / self.mining.expectation_time

    def promise(self) -> np.ndarray:
        """Share by which the expected price exceeds each mine's incentive price (logarithm; negative: it does not)."""
        anchoring = self.mining.anchoring
        expected = anchoring * self.long_run_price + (1.0 - anchoring) * self.expected_price
        return expected[:, None] - np.log(self.incentive)

    def evaluate(self, now: int) -> None:
        """A resource becomes a project that can be built in the year in which it is known well enough."""
        known = self.first_year + now / MONTHS_PER_YEAR >= self.known
        self.status = np.where((self.status == RESOURCE) & known, EVALUATION, self.status)

    def commit(self, now: int) -> None:
        """Expand where it pays; open new mines, each when its owner makes up his mind."""
        known = self.first_year + now / MONTHS_PER_YEAR >= self.known
        eager = -np.expm1(-self.mining.eagerness[:, None] * np.maximum(self.promise(), 0.0)) * known
        rate = self.mining.expansion_rate[:, None] * eager * QUARTER / MONTHS_PER_YEAR
        room = np.maximum(self.potential - self.capacity - self.underway, 0.0)
        more = np.where(self.status == PRODUCING, rate * room, 0.0)
        opens = (self.status == EVALUATION) & (self.resolve[:, now // QUARTER] < rate)
        new = np.where(opens, self.mining.first_stage[:, None] * self.potential, 0.0)
        share = self.affordable(more + new)[:, None]
        self.status = np.where(opens & (share > 0), CONSTRUCTION, self.status)
        self._build(now, more * share, self.lead_time * self.mining.expansion_time[:, None])
        self._build(now, new * share, self.lead_time)

    def affordable(self, wanted: np.ndarray) -> np.ndarray:
        """Share of the capacity wanted this quarter for which there are money and contractors, (realization,).

        wanted  (realization, mine) t LCE/year
        """
        margin = np.maximum(np.exp(self.expected_price)[:, None] - self.cash_cost, 0.0)
        money = self.mining.reinvestment * (self.running * margin).sum(axis=-1) * QUARTER / MONTHS_PER_YEAR
        most = self.mining.fastest_growth * self.capacity.sum(axis=-1) * QUARTER / MONTHS_PER_YEAR
        paid = money / np.maximum((wanted * self.capital_cost).sum(axis=-1), 1e-9)
        return np.minimum(np.minimum(paid, most / np.maximum(wanted.sum(axis=-1), 1e-9)), 1.0)

    def _build(self, now: int, size: np.ndarray, months: np.ndarray) -> None:
        """Enter capacity in the calendar of openings; what lies beyond the horizon never opens."""
        when = np.minimum(now + np.maximum(np.rint(months), 1.0), self.under_construction.shape[-1] - 1).astype(int)
        world, mine = size.nonzero()
        self.under_construction[world, mine, when[world, mine]] += size[world, mine]
        self.underway += size

    def report(self, market, now: int) -> None:
        """Write down capacity, status, what is on its way and what the last needed tonne costs."""
        opens = self.under_construction[:, :, now + 1 : now + 1 + MONTHS_PER_YEAR].sum(axis=-1)
        market.mine_coming[...] = (self.ramping + opens).sum(axis=-1) * np.exp(market.unexplained_mine_output)
        market.mine_capacity[...] = self.capacity
        market.mine_status[...] = self.status
        market.marginal_cost[...] = self.marginal_cost()

    def marginal_cost(self) -> np.ndarray:
        """Cash cost below which most of the running capacity lies, (realization,) USD/t."""
        order = np.argsort(self.cash_cost, axis=-1)
        running = np.take_along_axis(self.running, order, axis=-1).cumsum(axis=-1)
        reached = running >= MARGIN * running[:, -1:]
        return np.take_along_axis(self.cash_cost, order, axis=-1)[np.arange(len(order)), reached.argmax(axis=-1)]
