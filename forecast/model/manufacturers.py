"""Makers of cells: they post prices, deliver, learn, and sometimes fail. What they build stands in plants.py."""

from __future__ import annotations

from typing import Literal

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Quantity, Triangular, parameter, setting, table
from forecast.layout import blank, side_by_side
from forecast.model.calendar import DELIVER, MONTHS_PER_YEAR, POST_OFFERS, SETTLE, month, on
from forecast.model.cost import annuity, lithium_cost

Stage = Literal["laboratory", "interface", "conductivity", "pilot", "qualification", "ramp", "commercial"]


class Pipeline(Block):
    """A maker's development programme on one chemistry, as observed at a date."""

    stage: Stage = setting("Stage reached at `since`")
    since: Quantity = parameter("year", "When that stage was observed; the programme moves on from here", "manufacturer block", at_least=1900, at_most=2200)
    effort: Quantity = parameter("1", "Effort relative to a fully funded programme", "manufacturer block", 1.0, above=0)


class Manufacturer(Block):
    """One maker of cells."""

    title: str = setting("Name in pictures and tables")
    region: str = setting("Region where it builds")
    strategy: Literal["lithium_incumbent", "dual_track", "sodium_specialist", "solid_state_specialist", "fast_follower", "lead_acid_incumbent"] = setting("What it will start and convert to")
    founded: Quantity = parameter("year", "Year from which it can build", "manufacturer block", 2015, at_least=1900, at_most=2200)
    capacity: dict[str, Quantity] = table("GWh/year", "Lines at the start; for a maker founded later, its first lines", "manufacturer block", "chemistries", at_least=0)
    cash: Quantity = parameter("MUSD", "Cash and credit at the start (or when founded)", "manufacturer block", at_least=0)
    ambition: Quantity = parameter("1", "Market share it aims at over the share it has", "assumption: makers plan to gain share; world lines ran at 56 % of capacity in 2019 (Benchmark) and 40 % in 2023 (IEA); value set with the replay of 2015-24", 1.6, Triangular(1.3, 1.6, 1.9), above=0)
    programmes: dict[str, Pipeline] = setting("Development programmes by chemistry", dict())


class Industry(Block):
    """How all makers behave in the market."""

    normal_utilisation: Quantity = parameter("1", "Utilisation at which the normal markup is earned", "world lines ran at 40-60 % of nameplate in 2018-24 (Benchmark, IEA) while makers earned normal margins until 2022", 0.60, above=0, at_most=1)
    normal_markup: Quantity = parameter("1", "Markup over full cost at normal utilisation", "CATL annual reports 2018-24: gross margin 18-27 %, of which overhead and research take most; price over full cost, capital included", 0.06, Normal(0.06, 0.03))
    markup_slope: Quantity = parameter("1", "Change of markup per unit of utilisation", "CATL annual reports 2018-24: gross margin between 18 and 27 % while lines ran at 50-90 %", 0.35, Lognormal(0.35, 0.3), at_least=0)
    lowest_price: Quantity = parameter("1", "Lowest posted price over cash cost", "assumption: for a while makers sell near or below cash cost to keep lines busy", 0.95, Normal(0.95, 0.03), above=0)
    price_adjustment: Quantity = parameter("month", "Time over which posted prices follow their target", "assumption: contracts are indexed monthly to quarterly", 2.5, Lognormal(2.5, 0.25), at_least=1)
    material_lag: Quantity = parameter("month", "Time over which mineral prices reach cell contracts", "assumption: indexed contracts with a quarter or two of delay; BNEF 2022-23 cell prices lag carbonate", 5, Lognormal(5, 0.3), at_least=1)
    material_saving: Quantity = parameter("1", "Fall of minerals per kWh with the logarithm of specific energy", "assumption: better use of cathode and thinner foils give a part of the gain", 0.2, Triangular(0.0, 0.2, 0.4), at_least=0)
    overhead: Quantity = parameter("1", "Overhead, sales and warranty over other cost", "BatPaC 5: 5-10 % of cost", 0.08, at_least=0)
    line_life: Quantity = parameter("year", "Depreciation life of a line", "company reports: 7-10 years", 10.0, at_least=0.1)
    capital_charge: Quantity = parameter("1/year", "Yearly return asked on lines", "assumption: cost of capital of listed makers", 0.08, Triangular(0.05, 0.08, 0.11), at_least=0)
    capital_learning: Quantity = parameter("1", "Fall of investment per line per doubling of experience", "capex of announced plants: about 120 USD/kWh (2016) to 50-70 (2024): assumption", 0.16, Normal(0.16, 0.03), at_least=0, below=1)
    demand_memory: Quantity = parameter("month", "Time over which makers smooth orders to see how busy they are", "assumption: a quarter", 3.0, Lognormal(3.0, 0.3), at_least=1)
    scarcity: Quantity = parameter("1", "Most that unfilled orders add to utilisation when prices are set", "assumption: contracts cap what scarcity can earn", 0.6, Triangular(0.3, 0.6, 0.9), at_least=0)
    phantom_orders: Quantity = parameter("1", "Least share of the orders that makers believe in which is really placed, when buyers are discouraged by waiting", "assumption: makers see through double orders beyond a third", 0.7, Triangular(0.5, 0.7, 0.9), above=0, at_most=1)
    forward_pricing: Quantity = parameter("1", "Share of the gap between a young chemistry's cost and its cost at scale that makers give away", "sodium-ion sold at 1.3-1.6 times LFP in 2024-25 while its cost was about twice: S&P Global, ICC Sino", 0.5, Normal(0.5, 0.12), at_least=0, at_most=1)
    forward_doublings: Quantity = parameter("1", "Doublings of experience that forward pricing looks ahead", "assumption", 4.0, Triangular(2.0, 4.0, 6.0), at_least=0)
    forward_scale: Quantity = parameter("GWh/year", "World output of a chemistry at which forward pricing has halved", "assumption: a gift that large output would make unbearable", 40.0, Lognormal(40.0, 0.4), above=0)
    credit: Quantity = parameter("year", "Years of revenue that lenders cover before a maker fails", "assumption", 1.6, Lognormal(1.6, 0.2), at_least=0)
    patience: Quantity = parameter("MUSD", "Losses that owners cover beyond credit", "Northvolt and Natron burnt 1-15 billion and 0.3 billion USD: assumption in between", 500.0, Lognormal(500.0, 0.5), at_least=0)
    upkeep: Quantity = parameter("1/year", "Yearly cost of keeping a line, over its investment", "assumption", 0.02, Triangular(0.01, 0.02, 0.03), at_least=0)
    payout: Quantity = parameter("1/year", "Share of cash beyond a year's revenue that owners take out each year", "assumption", 0.5, Triangular(0.2, 0.5, 0.8), at_least=0)
    maker_elasticity: Quantity = parameter("1", "Response of a buyer's choice of maker to its price (logarithms)", "assumption: cells of one chemistry are close substitutes", 8.0, Lognormal(8.0, 0.2), above=0, at_most=50)


class Manufacturers:
    """Makers of cells; each is a row, in every world of the block."""

    def __init__(self, parameters):
        self.own, self.industry, self.chemistries = parameters.manufacturers, parameters.industry, parameters.chemistries
        self.first_year = parameters.first_year
        from forecast.model import accounts, learning, trade  # compiled code is slow to load and needed only to play

        self.accounts, self.learning, self.trade = accounts, learning, trade
        lines, regions = self.own.capacity.shape, parameters.regions
        self.home = np.array([regions.names.index(region) for region in self.own.region])
        self.local_cost = side_by_side(regions.cost_factor[:, self.home])
        self.import_cost = regions.import_cost
        self.heeded: int | None = None
        self.priority = side_by_side(1.0 / parameters.segments.price_sensitivity)
        self.served_first = side_by_side(np.argsort(-self.priority, axis=1, kind="stable"))
        self.counts = parameters.segments.experience
        self.founding_cash = side_by_side(self.own.cash)
        self.lithium_loss = parameters.lithium.processing_loss
        self.made, self.listed, self.cash_cost, self.asked, self.able = (blank(lines) for _ in range(5))
        self.world_made, self.minerals, self.components, self.processing, self.investment = (blank((lines[0], lines[2])) for _ in range(5))
        self.pressure = side_by_side(self.industry.normal_utilisation[:, None, None], lines)
        self.lagged_minerals = side_by_side(parameters.minerals.opening_price)
        self.lagged_lithium = parameters.lithium.first_price.copy()
        self.learns = side_by_side(self.chemistries.learns_from)
        diagonal = np.arange(lines[2])
        self.learns[:, diagonal, diagonal] = 1.0
        self.abroad, self.at_home = blank(lines), blank(lines)  # what pulls orders to a maker
        self.total = blank((lines[0], len(regions.names), lines[2]))
        self.founding_year = self.own.founded.min()
        self.founded = blank(lines[:2], False, bool)
        self.fix()

    def fix(self) -> None:
        """Work out once what no month changes: charges and markups, and what forward pricing looks ahead to."""
        own, industry = self.chemistries, self.industry
        self.charge = (1.0 / (annuity(industry.capital_charge, industry.line_life) * industry.normal_utilisation))[:, None]
        self.overhead = 1.0 + industry.overhead[:, None]
        ahead = industry.forward_doublings[:, None]
        self.pace, self.capital_pace = np.log1p(-own.learning_rate), np.log1p(-industry.capital_learning)
        self.processing_ahead = (1.0 - (1.0 - own.learning_rate) ** ahead) * self.overhead
        self.capital_ahead = (1.0 - (1.0 - industry.capital_learning[:, None]) ** ahead) * self.charge
        self.forward_pricing = side_by_side(industry.forward_pricing[:, None] * np.array(own.programme))
        self.yield_gap = own.mature_yield - own.first_yield
        self.idle_price = 1.0 + industry.normal_markup - industry.markup_slope * industry.normal_utilisation
        self.follows = 1.0 / industry.price_adjustment

    def run(self, env, market):
        """Post offers, deliver what was ordered, book it, learn from it."""
        while True:
            yield on(env, POST_OFFERS)
            year = self.first_year + month(env) / MONTHS_PER_YEAR
            self.found(market, year)
            self.reckon(market, year)
            self.post_prices(market, first=month(env) == 0)
            self.offer(market)
            yield on(env, DELIVER)
            self.deliver(market)
            self.look_back(market)
            yield on(env, SETTLE)
            self.learn(market)
            self.book(market)
            self.fail(market)

    def found(self, market, year: float) -> None:
        """A maker enters with its first lines and its owners' money."""
        if self.founding_year > year + 1e-9:
            return
        new = ~self.founded & (self.own.founded <= year + 1e-9)
        self.founded |= new
        self.founding_year = np.min(self.own.founded, initial=np.inf, where=~self.founded)
        market.alive[...] = np.where(new, 1.0, market.alive)
        market.cash[...] = np.where(new, self.own.cash, market.cash)
        market.capacity[...] = np.where(new[:, :, None], self.own.capacity, market.capacity)

    def reckon(self, market, year: float) -> None:
        """Work out the unit cost of every maker and chemistry, USD/kWh, and the parts of its mean over lines by capacity."""
        own = self.chemistries
        market.experience[...] = self.experience()
        minerals, components = self.bought(market, year)
        processing, investment = self.learned(market)
        self.trade.reckon(
            *self.trade.worlds_last(
                *(self.made, market.capacity, market.alive, self.local_cost, minerals, components, processing, investment),
                *(self.overhead[:, 0], self.charge[:, 0], own.mature_yield, self.yield_gap, own.yield_experience),
                *(market.good, self.cash_cost, market.line_cost, market.unit_cost, market.cost_of),
            )
        )

    def experience(self) -> np.ndarray:
        """Output of the world that counts for each chemistry, (realization, chemistry) GWh."""
        return self.chemistries.opening_experience + (self.learns * self.world_made[:, None, :]).sum(axis=-1)

    def bought(self, market, year: float) -> tuple[np.ndarray, np.ndarray]:
        """Minerals, and components, at the prices that have reached contracts: twice (realization, chemistry) USD/kWh."""
        own, industry = self.chemistries, self.industry
        development = year - own.reference_year, own.specific_energy_start, own.specific_energy_ceiling, own.specific_energy_progress
        contracts = industry.material_saving, industry.material_lag, own.intensity, market.mineral_price, own.components, market.component_price
        found = self.lagged_minerals, market.specific_energy, self.minerals, self.components
        self.learning.buy(*self.trade.worlds_last(*development, *contracts, *found))
        self.lagged_lithium += (market.lithium_price - self.lagged_lithium) / industry.material_lag
        self.minerals += lithium_cost(own.lithium, self.lagged_lithium, self.lithium_loss)
        return self.minerals, self.components

    def learned(self, market) -> tuple[np.ndarray, np.ndarray]:
        """Processing, and investment per line, where cost is that of China: twice (realization, chemistry).

        Notes what forward pricing expects both to fall by (``processing_hoped`` and ``capital_hoped``, USD/kWh).
        """
        own, processing, investment = self.chemistries, self.processing, self.investment
        cost = own.processing_cost, own.processing_floor, self.pace, own.capital_cost, own.capital_floor, self.capital_pace
        self.learning.learn(*self.trade.worlds_last(market.experience, own.opening_experience, *cost, processing, investment))
        self.processing_hoped = (processing - own.processing_floor) * self.processing_ahead
        self.capital_hoped = (investment - own.capital_floor) * self.capital_ahead
        return processing, investment

    def post_prices(self, market, first: bool) -> None:
        """Mark up cost when lines are busy, cut when they are not; sell the young below cost in hope of scale."""
        industry = self.industry
        self.trade.post(
            *self.trade.worlds_last(
                *(self.cash_cost, market.unit_cost, market.good, self.pressure, self.local_cost),
                *(self.idle_price, industry.markup_slope, industry.lowest_price, *self.gift(market)),
                *(np.ones_like(self.follows) if first else self.follows, np.exp(market.unexplained_cell_price)),
                *(self.listed, market.price, market.margin),
            )
        )

    def gift(self, market) -> tuple[np.ndarray, np.ndarray]:
        """What makers give away on processing and on capital of a chemistry whose cost they expect to fall: twice (realization, chemistry), USD/kWh.

        Both are to be multiplied by the local cost; what is given on processing is for all cells, good or not.
        """
        made = market.cells_made * MONTHS_PER_YEAR
        given = self.forward_pricing / (1.0 + made / self.industry.forward_scale[:, None])
        return self.processing_hoped * given, self.capital_hoped * given

    def offer(self, market) -> None:
        """Divide each region's orders between makers, and work out the price its buyers meet."""
        self.heed(market)
        self.trade.divide(
            *self.trade.worlds_last(
                *(market.price, market.unit_cost, market.capacity, market.alive, self.industry.maker_elasticity, self.home),
                *(self.factor, self.power, market.local_content, self.abroad, self.at_home, self.total),
                *(market.offer_price, market.makers_choice, market.offered),
            )
        )

    def heed(self, market) -> None:
        """Look again at what trade costs, if a law changed it: price met over price posted, by region and home of the maker."""
        if market.proclaimed == self.heeded:
            return
        self.heeded = market.proclaimed
        abroad = ~np.eye(len(self.import_cost[0]), dtype=bool)
        extra = np.where(abroad, self.import_cost, 0.0)[..., None] + market.licence[:, :, None, :]
        extra = extra + np.where(abroad[..., None], market.tariff[:, :, None, :], 0.0)
        self.factor = side_by_side(np.maximum(1.0 + extra, self.trade.LEAST_PAID))
        self.power = side_by_side(np.exp(-self.industry.maker_elasticity[:, None, None, None] * np.log(self.factor)))

    def deliver(self, market) -> None:
        """Fill orders as far as lines, components and lithium allow; who is full passes orders on to who is not."""
        self.trade.deliver(
            *self.trade.worlds_last(
                *(self.home, self.abroad, self.at_home, self.power, self.total, market.orders_by_region, market.orders),
                *(market.capacity, market.good, market.component_met),
                *(market.lithium_content, market.lithium_at_hand, self.priority, self.served_first),
                *(self.asked, self.able, market.output, market.cells_made, market.lithium_wanted, market.fill),
            )
        )

    def look_back(self, market) -> None:
        """Remember how busy the lines were, which sets the next markup, and what was sold at which price."""
        industry = self.industry
        self.trade.look_back(
            *self.trade.worlds_last(
                *(self.asked, self.able, market.output, market.price, market.unit_cost, market.alive, market.offered),
                *(market.discouraged, industry.phantom_orders, industry.scarcity, industry.demand_memory, self.chemistries.lithium),
                *(market.wanted, self.pressure, market.utilisation, market.cell_orders),
                *(market.cost_sustainability, market.supply_chain_readiness, market.cell_price, market.mean_cell_price),
            )
        )

    def learn(self, market) -> None:
        """What was made counts as experience: own for yield, everybody's for processing."""
        self.accounts.learn(*self.trade.worlds_last(market.output, market.deliveries, self.counts, self.made, self.world_made))

    def book(self, market) -> None:
        """Revenue in; cash cost, upkeep, programmes and payouts out."""
        self.accounts.book(
            *self.trade.worlds_last(
                *(market.output, market.capacity, market.price, self.cash_cost, market.line_cost, market.alive),
                *(market.programme_spending, self.founding_cash, self.industry.upkeep, self.industry.payout, market.cash, market.revenue),
            )
        )

    def fail(self, market) -> None:
        """Beyond its lenders' patience a maker closes; makers of the same chemistry take over its lines, in proportion to their own."""
        credit, patience = self.industry.credit, self.industry.patience
        self.accounts.fail(*self.trade.worlds_last(market.cash, market.revenue, credit, patience, market.failing, market.alive, market.capacity))
