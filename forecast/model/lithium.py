"""The lithium market: converters, stocks and orders, and the price that comes out."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Path, Quantity, Triangular, Uniform, parameter, path
from forecast.layout import records, side_by_side
from forecast.model.calendar import MONTHS_PER_YEAR, TRADE, month, on
from forecast.model.cost import LITHIUM_CARBONATE
from forecast.streams import normal


class Lithium(Block):
    """Stocks, price formation and demand outside batteries."""

    first_price: Quantity = parameter("USD/t", "Price of battery-grade carbonate in January of the first year", "USGS MCS 2019: 6,690 (2014) and 6,500 (2015) USD/t, in 2024 dollars", 8600, Lognormal(8600, 0.1), above=0)
    long_run_price: Quantity = parameter("USD/t", "Price that pays for the supply the market needs in the long run", "Thunder Said Energy 2023: incentive price 12,500 USD/t LCE for 10 % return", 12500, Lognormal(12500, 0.15), above=0)
    opening_cover: Quantity = parameter("month", "Stock upstream at the start, in months of consumption", "assumption: half a year above the normal cover, as prices had been flat and low for years", 11, Lognormal(11, 0.35), above=0)
    normal_cover: Quantity = parameter("month", "Stock upstream at which price equals the long-run price", "assumption: most of a year of stock at mines, ports and converters; USGS output less consumption of 2015-20 leaves more", 9, Lognormal(9, 0.3), above=0)
    cover_elasticity: Quantity = parameter("1", "Response of price to cover (logarithms)", "USGS output and consumption: ln(68/8.4) / ln(14/4) = 1.7 between 2020 and 2022, stocks downstream included; two points only", 1.7, Lognormal(1.7, 0.35), above=0)
    adjustment_time: Quantity = parameter("month", "Time over which price follows its fundamentals", "assumption: contracts of a quarter or two turn into spot", 4, Lognormal(4, 0.3), at_least=1)
    stocking: Quantity = parameter("1", "Response of stocks that makers want in their stores to the expected yearly price change (logarithms)", "assumption: cathode makers held 1-4 months of carbonate in 2021-23", 0.9, Lognormal(0.9, 0.35), at_least=0)
    trend_memory: Quantity = parameter("month", "Time over which makers see a price trend", "assumption: between a quarter and half a year", 4.5, Lognormal(4.5, 0.25), at_least=1)
    downstream_cover: Quantity = parameter("month", "Downstream stock wanted at a steady price, in months of consumption", "assumption: carbonate, cathode, cells, packs and vehicles on their way; cells made ran 10-20 % ahead of registrations in 2021-24 (SNE, EVTank, IEA)", 4, Lognormal(4, 0.2), above=0)
    in_process: Quantity = parameter("1", "Share of downstream stock that is on its way through plants and to drivers: it follows use, whatever makers expect of the price", "assumption: of four months, makers can do with or without a month of carbonate and cathode in their stores. If all were in stores, the replay's makers would have bought 750 kt in 2021 and 570 in 2022; used were 486 and 797 (Australian government)", 0.75, Triangular(0.5, 0.8, 0.95), at_least=0, at_most=1)
    stocking_limit: Quantity = parameter("1", "Most by which stocking moves what is wanted in stores (logarithm)", "assumption: warehouses and credit set an end", 1.0, Lognormal(1.0, 0.3), above=0)
    least_orders: Quantity = parameter("1", "Least orders over use while stocks are run down", "assumption: contracts oblige", 0.1, Triangular(0.0, 0.1, 0.2), at_least=0)
    stocking_time: Quantity = parameter("month", "Time over which downstream stock is adjusted", "assumption: a quarter or two", 5, Lognormal(5, 0.25), at_least=1)
    use_memory: Quantity = parameter("month", "Time over which traders smooth use and supply", "assumption: a quarter", 3.0, Lognormal(3.0, 0.3), at_least=1)
    growth_memory: Quantity = parameter("month", "Time over which traders see use grow", "assumption: half a year", 6.0, Lognormal(6.0, 0.3), at_least=1)
    opening_growth: Quantity = parameter("1/year", "Growth of lithium use at the start (logarithm)", "Roskill and USGS 2012-15: 6-8 % a year", 0.07, at_least=-2, at_most=2)
    foresight: Quantity = parameter("year", "How far ahead traders look", "assumption: offtake talks and yearly budgets look about a year ahead", 0.8, Lognormal(0.8, 0.3), at_least=0, at_most=10)
    stock_seen: Quantity = parameter("1", "Share of makers' stock that traders count with what lies upstream", "assumption: trade papers survey some converters and cathode makers, not cells and packs on their way; how much the price knows of it is unknown", 0.3, Uniform(0.0, 0.6), at_least=0, at_most=1)
    trust: Quantity = parameter("1", "Share of the output that mines will add within a year on which traders count", "assumption: projects slip; bank analysts foresaw the surplus of 2023 from projects under construction in May 2022 (Goldman Sachs, Battery Metals Watch)", 0.6, Normal(0.6, 0.15), at_least=0, at_most=1.5)
    floor: Quantity = parameter("1", "Lowest price over the cash cost of the marginal mine in use", "assumption: sellers at a loss hold back", 1.0, Normal(1.0, 0.05), above=0)
    lowest_price: Quantity = parameter("USD/t", "Price below which nobody sells", "definition: far below any cash cost, so that prices have logarithms", 1000, above=0)
    ceiling: Quantity = parameter("USD/t", "Price at which cell makers stop buying", "assumption: at 110,000 USD/t lithium alone costs 65 USD/kWh, half of what cells sold for in 2020", 110000, Lognormal(110000, 0.4), above=0)
    contract_lag: Quantity = parameter("month", "Time over which prices in contracts, which yearly averages report, follow the spot price", "assumption: contracts are indexed to the last quarter or two; USGS reports large fixed contracts", 4.0, Lognormal(4.0, 0.5), at_least=1)
    revision: Quantity = parameter("1", "Share of an unexplained price change that reveals, each month, how much stock there really is", "assumption: no stock is counted; what the price tells of it and what is mood is unknown", 0.2, Lognormal(0.2, 0.5), at_least=0, at_most=1)
    noise: Quantity = parameter("1", "Standard deviation of the monthly shock to the logarithm of price", "assumption: sentiment and policy news", 0.06, Lognormal(0.06, 0.3), at_least=0)
    conversion_yield: Quantity = parameter("1", "Share of the lithium dug from rock that becomes battery-grade carbonate", "8 t of concentrate per t of carbonate, as SMM reckons (April 2019), are 84 % of what 6 % Li2O hold, 7.7 t (Pilgangoora, Industrial Minerals) 88 %, 8.0 t of Greenbushes (a broker, 2021) 84 %; brine is counted as the salts made of it (Kaiser Research on USGS), clay as in its studies", 0.84, Triangular(0.80, 0.84, 0.88), above=0, at_most=1)
    raw_ore: Path = path("1", "Share of the lithium dug from rock that is sold in ore as dug, not in concentrate", "Mineral Resources shipped 3.5 Mt from Wodgina in the year to June 2018, 2.8 more than in the year before (Argus, August 2018), and 0.4 Mt in the next quarter (The West Australian); Pilbara Minerals 0.2 Mt; none reached China in January 2019 (SMM). assumption: at 1.2-1.5 % Li2O 145-185 kt LCE, a quarter to a third of what USGS counts from rock in 2017-18; a smaller wave of 2022-23 (S&P) is left out, and origins before 2018 take the first to last", {2015: 0, 2017.25: 0, 2017.33: 0.5, 2017.92: 0.45, 2018.5: 0.33, 2018.75: 0.15, 2019: 0}, at_least=0, at_most=1)
    raw_ore_recovery: Quantity = parameter("1", "Share of the lithium in raw ore that reaches converters as if in concentrate", "assumption: SMM counts 14.5 kt LCE in the raw ore of early 2018, which by weight and grade held 27-34 kt: 0.58 before conversion; ore for nearly 30 kt still lay in stock in spring 2020 (SMM): 0.36 if that was never used", 0.47, Uniform(0.36, 0.58), at_least=0, at_most=1)
    ore_loss: Quantity = parameter("1/year", "Rate at which ore that waits for converters is lost to the market", "assumption: poor concentrate is blended or left; of what USGS counts in 2017-20 a seventh (8-22 %) is by our count neither used nor in known stocks nor lost on the way", 0.4, Lognormal(0.4, 0.5), at_least=0)
    conversion_spare: Quantity = parameter("1", "Converters' plants over the ore they expect", "assumption: Chinese converters ran at 60-80 % of nameplate in normal years", 1.4, Normal(1.4, 0.1), above=0)
    conversion_time: Quantity = parameter("month", "Time over which converters follow the mines", "Kemerton, Kwinana and Chinese plants took 1-3 years to ramp in 2018-23, others less than a year", 12, Lognormal(12, 0.25), at_least=1)
    conversion_growth: Quantity = parameter("1/year", "Fastest growth of converters' plants", "Chinese conversion capacity grew by a third to a half a year in 2016-19 and 2021-23: assumption", 0.42, Lognormal(0.42, 0.25), above=0)
    ore_patience: Quantity = parameter("month", "Time in which converters would like to work off stocks of ore", "assumption: less than a year", 10, Lognormal(10, 0.3), at_least=1)
    processing_loss: Quantity = parameter("1", "Lithium bought per lithium in good cells, cell scrap aside", "BatPaC-based intensities leave out losses in cathode synthesis and conversion: assumption", 1.15, Normal(1.15, 0.03), at_least=1)
    other_demand: Path = path("t/year", "Lithium carbonate equivalent used outside batteries", "Busch et al. 2025 from USGS MYB 2018; earlier years extrapolated", {2015: 95000, 2018: 107000, 2022: 119466, 2024: 123840, 2030: 138186, 2040: 167768, 2050: 198579}, at_least=0)


PATHS = ("other_demand", "raw_ore")  # change with the calendar and are handed to kernels month by month


class LithiumMarket:
    """Where makers' orders meet mines' output; one market per world.

    Upstream stock is what the price watches. Downstream stock belongs to cathode and cell makers, who want more of it
    when they expect the price to rise: their stocking amplifies every cycle.
    """

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        from forecast.model import clearing  # compiled code is slow to load and needed only to play

        self.kernels, self.own = clearing, parameters.lithium
        self.behaviour = records({name: value for name, value in vars(self.own).items() if name not in PATHS})
        self.content = side_by_side(parameters.chemistries.lithium * LITHIUM_CARBONATE * 1000.0 * self.own.processing_loss[:, None])
        self.of_rock = np.array([kind == "hard_rock" for kind in parameters.mines.resource])
        self.state = records(self.opening(self.first_need(parameters), self.first_rock(parameters.mines)))
        self.shock = side_by_side(normal(seed, "lithium price", realizations, parameters.months))
        self.cover, self.rock, self.salts = (np.zeros(parameters.size) for _ in range(3))

    def opening(self, need: np.ndarray, rock: np.ndarray) -> dict[str, np.ndarray]:
        """The state of the market at the start, each (realization,).

        need  t LCE a month
        rock  share of what is mined that is dug from rock
        """
        own, nothing = self.own, np.zeros_like(need)
        return {
            "need": need,  # t LCE a month, as slow_need, arriving, plants and orders
            "slow_need": need * np.exp(-own.opening_growth * own.growth_memory / MONTHS_PER_YEAR),
            "growth": own.opening_growth,  # logarithm a year
            "arriving": need,  # carbonate
            "making": nothing,  # carbonate, of what is mined this month as far as plants allow
            "plants": need * rock / (1.0 - rock * (1.0 - own.conversion_yield)) * own.conversion_spare,  # ore that converters can take
            "orders": need,
            "ore": nothing,  # t LCE, as all stocks
            "ore_lost": nothing,
            "useless": nothing,  # raw ore of which nothing comes
            "upstream": own.opening_cover * need,
            "downstream": own.downstream_cover * need,
            "price": np.log(own.first_price),
            "contract": own.first_price,  # USD/t
            "trend": nothing,  # of the price, logarithm a year
        }

    def first_need(self, parameters) -> np.ndarray:
        """Consumption a month at the start: batteries of the first year and everything else, (realization,) t LCE."""
        segments = parameters.segments
        sold = segments.history[None, :, :, 0].sum(axis=-1)[..., None] * segments.opening_shares
        cells = (sold.sum(axis=1) * self.content).sum(axis=-1)
        return (cells + self.own.other_demand[0]) / MONTHS_PER_YEAR

    def first_rock(self, mines) -> np.ndarray:
        """Share of the first output that is dug from rock, (realization,)."""
        running = mines.capacity * (np.array(mines.status) == "producing")
        return running[:, self.of_rock].sum(axis=-1) / np.maximum(running.sum(axis=-1), 1e-9)

    def run(self, env, market):
        """Use, reorder, ship, and let the price follow the stocks."""
        market.lithium_price[...] = np.exp(self.state["price"])
        market.lithium_at_hand[...] = self.state["downstream"]
        market.lithium_unsold[...] = self.state["upstream"] / self.state["need"]
        market.lithium_content[...] = self.content
        while True:
            yield on(env, TRADE)
            self.use(market, self.own.other_demand[month(env)] / MONTHS_PER_YEAR)
            self.ship(market, self.own.raw_ore[month(env)])
            self.move_price(market, self.shock[:, month(env)])
            self.report(market)

    def use(self, market, elsewhere: float) -> None:
        """Cells and everything else take lithium from the downstream stock."""
        self.kernels.use(
            self.behaviour,
            self.state,
            market.cells_made.T,
            self.content.T,
            market.lithium_wanted,
            market.demand.transpose(1, 2, 0),
            market.orders_by_region.transpose(1, 2, 0),
            elsewhere,
            market.lithium_demand,
        )

    def ship(self, market, raw: float) -> None:
        """Makers order what they use and adjust their stock; the mines' output and recycled lithium fill the orders."""
        market.lithium_supply[...] = market.mine_output.sum(axis=-1)
        self.rock, self.salts = (market.mine_output[:, kind].sum(axis=-1) for kind in (self.of_rock, ~self.of_rock))
        self.kernels.ship(self.behaviour, self.state, self.rock, raw, self.salts, market.lithium_recycled, market.stockpiling)

    def move_price(self, market, shock: np.ndarray) -> None:
        """The price follows what the upstream stock is worth, or the record; a record that stocks do not explain corrects them."""
        self.kernels.move_price(
            self.behaviour,
            self.state,
            self.rock,
            self.salts,
            market.lithium_recycled,
            market.mine_coming,
            market.marginal_cost,
            market.unexplained_lithium_price + market.price_push,
            shock,
            market.lithium_price_on_record,
            self.cover,
            market.lithium_price_missed,
            market.lithium_revision,
        )

    def report(self, market) -> None:
        """Write down price, orders and stocks."""
        own, state = self.own, self.state
        market.lithium_price[...] = np.exp(state["price"])
        state["contract"] += (market.lithium_price - state["contract"]) / own.contract_lag
        market.lithium_contract_price[...] = state["contract"] * np.exp(market.unexplained_contract_price)
        market.lithium_lost[...] = (state["ore_lost"] + state["useless"]) * own.conversion_yield
        market.lithium_orders[...] = state["orders"]
        unsold = state["upstream"] + state["ore"] * own.conversion_yield
        market.lithium_unsold[...] = unsold / state["need"]
        market.lithium_inventory[...] = unsold + state["downstream"]
        market.lithium_at_hand[...] = state["downstream"]
