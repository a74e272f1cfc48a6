"""Lithium mines: each row decides, on its own view of the price, to run, idle, expand, open or put off."""

from __future__ import annotations

from typing import Literal

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Quantity, Triangular, parameter, setting
from forecast.layout import blank, records, side_by_side
from forecast.model.calendar import COMMIT, MINE, MONTHS_PER_YEAR, QUARTER, is_quarter_end, month, on
from forecast.model.market import STATUS
from forecast.streams import Deck, normal, uniform

RESOURCE, EVALUATION, CONSTRUCTION, PRODUCING, IDLE = range(len(STATUS))
STATE = {"resource": RESOURCE, "evaluation": EVALUATION, "construction": CONSTRUCTION, "producing": PRODUCING}


class Mine(Block):
    """One lithium deposit as it stood at the start."""

    title: str = setting("Name in pictures and tables", "")
    country: str = setting("Country")
    resource: Literal["brine", "hard_rock", "clay"] = setting("Kind of deposit")
    status: Literal["producing", "construction", "evaluation", "resource"] = setting("State at the start")
    capacity: Quantity = parameter("t/year", "Lithium carbonate equivalent it can produce at the start, or once what is under construction then is done", "mine block", at_least=0)
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
    fastest_growth: Quantity = parameter("1/year", "Most that all owners together commit in a year, over the world's capacity", "world output rose by 82 % in 2017 and by 38 % in 2018 (USGS), as fast as what owners had committed a year or two before: contractors and permits are few, but allowed that, and owners decide by the quarter: assumption on the range", 1.2, Normal(1.2, 0.25), above=0)
    reinvestment: Quantity = parameter("1", "Investment that all owners together can pay for, over their cash flow", "assumption: listed miners of 2016-23 spent about what they earned; newcomers, who built half of what was added in 2016-18 (Pilbara, Altura, Mineral Resources), raised shares and prepayments besides", 1.5, Lognormal(1.5, 0.4), above=0)
    expansion_time: Quantity = parameter("1", "Lead time of expanding a producing mine over that of a new one", "assumption: brownfield saves permitting and infrastructure; brine has to wait for new ponds all the same, see `brine_pace`", 0.5, Lognormal(0.5, 0.2), above=0)
    pace: Quantity = parameter("1", "Time that projects take over the lead time of the mine block", "Arcadia and Bikita (2022-23) took 12-15 months, a third to a half of the usual: assumption", 0.6, Lognormal(0.6, 0.2), above=0)
    brine_pace: Quantity = parameter("1", "Time that brine projects take over the lead time of the mine block, expansions as long as new ones", "brine stays in the ponds of Atacama for 18 months, and no boom hastens the sun; SQM's stage decided in 2018 took 3-4 years, La Negra 3 and 4 about 4, the second stage of Olaroz 4.6 (Orocobre and Allkem, Albemarle, SQM; years from memory), where the mine blocks say 2.5: assumption below these, which met the pandemic", 1.2, Lognormal(1.2, 0.2), above=0)
    ramp_time: Quantity = parameter("month", "Time to reach 63 % of new capacity after first output", "S&P Global 2023: 18-24 months to nameplate, faster in a boom: assumption", 7, Lognormal(7, 0.25), at_least=1)
    unsold_limit: Quantity = parameter("month", "Lithium between mines and makers, in months of use, above which owners put out less in proportion and suspend what they build", "in 2019-20 Pilbara Minerals and Galaxy put out what customers took and Greenbushes about half; Albemarle (125 kt, July 2019), Talison (third plant), Tianqi (Kwinana) and SQM put off what they were building and took it up again in 2021: assumption on the level, half as much again as the normal cover", 14, Lognormal(14, 0.3), at_least=1)
    slowdown_time: Quantity = parameter("month", "Time to bring output down", "assumption: a campaign", 2.0, Lognormal(2.0, 0.3), at_least=1)
    full_above: Quantity = parameter("1", "Price over cash cost above which a mine runs at capacity; below it output is throttled down to nothing at `idle_below`", "Pilbara Minerals, Galaxy and Talison throttled output in 2019-20 while prices stood above cash cost: assumption on the range", 1.35, Normal(1.35, 0.1), above=1)
    idle_below: Quantity = parameter("1", "Price over cash cost below which a mine idles", "assumption: shutdown costs make owners wait; Wodgina and Bald Hill idled in 2019", 0.85, Normal(0.85, 0.07), above=0)
    restart_above: Quantity = parameter("1", "Price over cash cost above which an idle mine restarts", "assumption: hysteresis", 1.25, Triangular(1.1, 1.25, 1.4), above=0)
    restart_time: Quantity = parameter("month", "Time to restart an idle mine", "Wodgina took about 9 months in 2021-22", 9, Lognormal(9, 0.25), at_least=1)
    cost_decline: Quantity = parameter("1/year", "Yearly fall of running cost and investment", "real unit cost of mining fell by 1-3 % a year over decades in other minerals: assumption", 0.025, Normal(0.025, 0.012), at_least=-1, below=1)
    outage: Quantity = parameter("1", "Standard deviation of monthly output around capacity", "assumption", 0.03, Lognormal(0.03, 0.4), at_least=0)
    first_stage: Quantity = parameter("1", "Share of its potential that a new mine builds first", "assumption: projects are staged", 0.45, Normal(0.45, 0.08), above=0, at_most=1)
    cost_factor: Quantity = parameter("1", "True running cost over the cash cost of the studies: sustaining capital, royalties, corporate cost", "assumption: price floors of 2019-20 (8,400 USD/t, USGS) lay a quarter to a half above study costs", 1.3, Lognormal(1.3, 0.12), above=0)


class Mines:
    """Lithium mines; each is a row, in every world of the block."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        own, self.mining = parameters.mines, parameters.mining
        from forecast.model import extraction  # compiled code is slow to load and needed only to play

        self.kernels, self.behaviour = extraction, records(vars(self.mining))
        self.first_year = parameters.first_year
        self.cash_cost = side_by_side(own.cash_cost * self.mining.cost_factor[:, None])
        self.order = np.ascontiguousarray(np.argsort(self.cash_cost, axis=-1).T, np.int16)  # all grow cheaper at one pace, so it stays
        self.capital_cost = side_by_side(own.capital_cost)
        self.incentive = self.cash_cost + self.capital_cost * self.mining.required_return[:, None]
        self.cheap, self.cheaper = np.ones(parameters.size), (1.0 - self.mining.cost_decline) ** (1.0 / MONTHS_PER_YEAR)
        self.potential, self.known = side_by_side(own.potential), own.known
        self.lead_time, self.expansion_time = self._lead_times(own)
        self.status = side_by_side(np.array([[STATE[state] for state in own.status]], float), own.capacity.shape)
        self.capacity = side_by_side(np.where(self.status == PRODUCING, own.capacity, 0.0))
        self.running = side_by_side(self.capacity)
        self.waited = blank(self.capacity.shape)
        self.expected_price = np.log(parameters.lithium.first_price)
        self.long_run_price = np.log(parameters.lithium.long_run_price)
        beyond = parameters.months + MONTHS_PER_YEAR  # what opens after the horizon is seen coming in the last year, and no further
        self.opening = np.zeros((parameters.size, beyond + 1, len(own.names)))  # the mines of a month side by side: they are read together
        self.planned, self.lost = np.zeros(self.opening.shape[:2]), np.zeros(parameters.size, int)
        self.underway = blank(self.capacity.shape)
        self._continue_building(own)
        self.outage = Deck(normal, seed, [f"outage {name}" for name in own.names], realizations)
        self.resolve = Deck(uniform, seed, [f"commit {name}" for name in own.names], realizations)

    def _lead_times(self, own) -> tuple[np.ndarray, np.ndarray]:
        """Months from the decision to the first output of a new mine and of an expansion, (realization, mine) each."""
        brine = np.array([kind == "brine" for kind in own.resource])
        behaviour = {name: getattr(self.mining, name)[:, None] for name in ("pace", "brine_pace", "expansion_time")}
        new = own.lead_time * np.where(brine, behaviour["brine_pace"], behaviour["pace"]) * MONTHS_PER_YEAR
        return side_by_side(new), side_by_side(np.where(brine, new, new * behaviour["expansion_time"]))

    def _continue_building(self, own) -> None:
        """What was under construction at the start comes half a lead time later."""
        started = np.where(self.status == CONSTRUCTION, own.capacity, 0.0)
        self._build(0, started, self.lead_time / 2.0)

    def run(self, env, market):
        """Produce each month; look at the price; each quarter commit to more."""
        while True:
            yield on(env, MINE)
            self.cheapen()
            self.work(market, month(env))
            yield on(env, COMMIT)
            self.form_expectation(market)
            if is_quarter_end(env):
                self.commit(month(env))

    def cheapen(self) -> None:
        """Mining gets a little cheaper each month."""
        self.cheap *= self.cheaper

    def work(self, market, now: int) -> None:
        """New capacity opens and ramps, mines idle below cash cost and restart above it; write down what they put out."""
        self.kernels.work(
            now,
            self.behaviour,
            market.lithium_price,
            market.lithium_unsold,
            market.unexplained_mine_output,
            self.cheap,
            self.cash_cost.T,
            self.order,
            self.opening,
            self.planned,
            self.lost,
            self.outage.on(now).T,
            market.mine_cut.T,
            self.capacity.T,
            self.underway.T,
            self.status.T,
            self.waited.T,
            self.running.T,
            market.mine_output.T,
            market.mine_coming,
            market.marginal_cost,
        )
        market.mine_capacity[...] = self.capacity
        market.mine_status[...] = self.status

    def form_expectation(self, market) -> None:
        """Owners smooth the price and pull it towards what they think it must be in the long run."""
        self.expected_price += (np.log(market.lithium_price) - self.expected_price) / self.mining.expectation_time

    def commit(self, now: int) -> None:
        """Expand where it pays; open new mines, each when its owner makes up his mind; all together as far as money and contractors go."""
        anchoring = self.mining.anchoring
        self.kernels.commit(
            now,
            QUARTER / MONTHS_PER_YEAR,
            (self.first_year + now / MONTHS_PER_YEAR >= self.known).T,
            self.behaviour,
            np.exp(anchoring * self.long_run_price + (1.0 - anchoring) * self.expected_price),
            np.exp(self.expected_price),
            self.resolve.on(now // QUARTER).T,
            self.cheap,
            self.cash_cost.T,
            self.incentive.T,
            self.capital_cost.T,
            self.potential.T,
            self.lead_time.T,
            self.expansion_time.T,
            self.capacity.T,
            self.running.T,
            self.underway.T,
            self.status.T,
            self.opening,
            self.planned,
            self.lost,
        )

    def _build(self, now: int, size: np.ndarray, months: np.ndarray) -> None:
        """Enter capacity in the calendar of openings; what lies beyond the horizon never opens."""
        self.kernels.build(now, size.T, months.T, self.opening, self.planned, self.lost, self.underway.T)
