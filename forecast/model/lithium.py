"""The lithium market: converters, stocks and orders, and the price that comes out."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Path, Quantity, parameter, path
from forecast.model.calendar import MONTHS_PER_YEAR, TRADE, month, on
from forecast.model.cost import LITHIUM_CARBONATE
from forecast.streams import normal

STEEPEST = 1.0  # no trader carries a growth (logarithm a year) beyond this forward
RESERVE = 0.1  # share of stocks that traders never count as gone


class Lithium(Block):
    """Stocks, price formation and demand outside batteries."""

    first_price: Quantity = parameter("USD/t", "Price of battery-grade carbonate in January of the first year", "USGS MCS 2019: 6,690 (2014) and 6,500 (2015) USD/t, in 2024 dollars", 8600, Lognormal(8600, 0.1), above=0)
    long_run_price: Quantity = parameter("USD/t", "Price that pays for the supply the market needs in the long run", "Thunder Said Energy 2023: incentive price 12,500 USD/t LCE for 10 % return; value set with the replay of 2015-24", 14000, Lognormal(14000, 0.08), above=0)
    forecast_price: Quantity = parameter("USD/t", "Price at the end of the observed years, to which the forecast's opening state is set", "China spot about 75,000 CNY/t in December 2024, without VAT (SMM, trade press); USGS MCS 2025: 14,000 USD/t on average in 2024", 10500, Normal(10500, 700), above=0)
    opening_cover: Quantity = parameter("month", "Stock upstream at the start, in months of consumption", "assumption: half a year above the normal cover, as prices had been flat and low for years; value set with the replay of 2015-24", 18.0, Lognormal(18.0, 0.22), above=0)
    normal_cover: Quantity = parameter("month", "Stock upstream at which price equals the long-run price", "assumption: most of a year of stock at mines, ports and converters; USGS output less consumption of 2015-20 leaves more; value set with the replay of 2015-24", 10.7, Lognormal(10.7, 0.10), above=0)
    cover_elasticity: Quantity = parameter("1", "Response of price to cover (logarithms)", "USGS output and consumption: ln(68/8.4) / ln(14/4) = 1.7 between 2020 and 2022, stocks downstream included; value set with the replay of 2015-24", 1.4, Normal(1.4, 0.12), above=0)
    adjustment_time: Quantity = parameter("month", "Time over which price follows its fundamentals", "assumption: contracts of a quarter or two turn into spot; value set with the replay of 2015-24", 4.9, Lognormal(4.9, 0.1), at_least=1)
    stocking: Quantity = parameter("1", "Response of wanted downstream stock to the expected yearly price change (logarithms)", "assumption: cathode makers held 1-4 months of carbonate in 2021-23; value set with the replay of 2015-24", 1.35, Lognormal(1.35, 0.12), at_least=0)
    trend_memory: Quantity = parameter("month", "Time over which makers see a price trend", "assumption: between a quarter and half a year; value set with the replay of 2015-24", 4.8, Lognormal(4.8, 0.1), at_least=1)
    downstream_cover: Quantity = parameter("month", "Downstream stock wanted at a steady price, in months of consumption", "assumption: carbonate, cathode, cells, packs and vehicles on their way; cells made ran 10-20 % ahead of registrations in 2021-24 (SNE, EVTank, IEA); value set with the replay of 2015-24", 4.3, Lognormal(4.3, 0.10), above=0)
    stocking_limit: Quantity = parameter("1", "Most by which stocking moves wanted stock (logarithm)", "assumption: warehouses and credit set an end", 1.0, above=0)
    least_orders: Quantity = parameter("1", "Least orders over use while stocks are run down", "assumption: contracts oblige", 0.1, at_least=0)
    stocking_time: Quantity = parameter("month", "Time over which downstream stock is adjusted", "assumption: a quarter or two; value set with the replay of 2015-24", 4.8, at_least=1)
    use_memory: Quantity = parameter("month", "Time over which traders smooth use and supply", "assumption: a quarter", 3.0, at_least=1)
    growth_memory: Quantity = parameter("month", "Time over which traders see use grow", "assumption: half a year", 6.0, at_least=1)
    opening_growth: Quantity = parameter("1/year", "Growth of lithium use at the start (logarithm)", "Roskill and USGS 2012-15: 6-8 % a year", 0.07)
    foresight: Quantity = parameter("year", "How far ahead traders look", "assumption: offtake talks and yearly budgets look about a year ahead; value set with the replay of 2015-24", 1.05, Lognormal(1.05, 0.1), at_least=0)
    floor: Quantity = parameter("1", "Lowest price over the cash cost of the marginal mine in use", "assumption: sellers at a loss hold back", 1.0, Normal(1.0, 0.05), above=0)
    lowest_price: Quantity = parameter("USD/t", "Price below which nobody sells", "assumption: far below any cash cost", 1000, above=0)
    ceiling: Quantity = parameter("USD/t", "Price at which cell makers stop buying", "China spot peaked near 600,000 CNY/t in November 2022 (about 80,000 USD/t without VAT)", 85000, Lognormal(85000, 0.1), above=0)
    noise: Quantity = parameter("1", "Standard deviation of the monthly shock to the logarithm of price", "assumption: sentiment and policy news", 0.05, Lognormal(0.05, 0.3), at_least=0)
    conversion_yield: Quantity = parameter("1", "Share of mined lithium that becomes battery-grade carbonate", "recovery of spodumene conversion 85-90 %; USGS output of 2015-20 exceeds consumption by a third, more than stocks explain: assumption between", 0.87, Normal(0.87, 0.02), above=0, at_most=1)
    conversion_spare: Quantity = parameter("1", "Converters' plants over the ore they expect", "assumption: Chinese converters ran at 60-80 % of nameplate in normal years; value set with the replay of 2015-24", 1.28, Normal(1.28, 0.05), above=0)
    conversion_time: Quantity = parameter("month", "Time over which converters follow the mines", "Kemerton, Kwinana and Chinese plants took 1-3 years to ramp in 2018-23, others less than a year; value set with the replay of 2015-24", 11, Lognormal(11, 0.15), at_least=1)
    conversion_growth: Quantity = parameter("1/year", "Fastest growth of converters' plants", "Chinese conversion capacity grew by a third to a half a year in 2016-19 and 2021-23: assumption; value set with the replay of 2015-24", 0.47, Normal(0.47, 0.04), above=0)
    ore_patience: Quantity = parameter("month", "Time in which converters would like to work off stocks of ore", "assumption: less than a year; value set with the replay of 2015-24", 8, at_least=1)
    processing_loss: Quantity = parameter("1", "Lithium bought per lithium in good cells, cell scrap aside", "BatPaC-based intensities leave out losses in cathode synthesis and conversion: assumption", 1.15, Normal(1.15, 0.03), at_least=1)
    other_demand: Path = path("t/year", "Lithium carbonate equivalent used outside batteries", "Busch et al. 2025 from USGS MYB 2018; earlier years extrapolated", {2015: 95000, 2018: 107000, 2022: 119466, 2024: 123840, 2030: 138186, 2040: 167768, 2050: 198579}, at_least=0)


class LithiumMarket:
    """Where makers' orders meet mines' output; one market per world.

    Upstream stock is what the price watches. Downstream stock belongs to cathode and cell makers, who want more of it
    when they expect the price to rise: their stocking amplifies every cycle.
    """

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        self.own = parameters.lithium
        self.content = parameters.chemistries.lithium * LITHIUM_CARBONATE * 1000.0 * self.own.processing_loss[:, None]
        self.need = self.first_need(parameters)
        self.growth = self.own.opening_growth
        self.slow_need = self.need * np.exp(-self.growth * self.own.growth_memory / MONTHS_PER_YEAR)
        self.arriving = self.need.copy()
        self.ore = np.zeros(parameters.size)
        self.plants = self.need / self.own.conversion_yield * self.own.conversion_spare
        self.orders = self.need.copy()
        self.upstream = self.own.opening_cover * self.need
        self.downstream = self.own.downstream_cover * self.need
        self.price = np.log(self.own.first_price)
        self.trend = np.zeros(parameters.size)
        self.shock = normal(seed, "lithium price", realizations, parameters.months)
        self.last_observed = (parameters.observed_until - parameters.first_year + 1) * MONTHS_PER_YEAR - 1

    def first_need(self, parameters) -> np.ndarray:
        """Consumption a month at the start: batteries of the first year and everything else, (realization,) t LCE."""
        segments = parameters.segments
        sold = segments.history[None, :, :, 0].sum(axis=-1)[..., None] * segments.opening_shares
        cells = (sold.sum(axis=1) * self.content).sum(axis=-1)
        return (cells + self.own.other_demand[0]) / MONTHS_PER_YEAR

    def run(self, env, market):
        """Use, reorder, ship, and let the price follow the stocks."""
        market.lithium_price[...] = np.exp(self.price)
        market.lithium_at_hand[...] = self.downstream
        market.lithium_content[...] = self.content
        while True:
            yield on(env, TRADE)
            self.use(market, self.own.other_demand[month(env)] / MONTHS_PER_YEAR)
            self.ship(market)
            self.move_price(market, self.shock[:, month(env)])
            market.lithium_revision[...] = 0.0
            if month(env) == self.last_observed:
                self.observe(market)
            self.report(market)

    def use(self, market, elsewhere: float) -> None:
        """Cells and everything else take lithium from the downstream stock."""
        cells = (market.cells_made * self.content).sum(axis=-1)
        used = np.minimum(cells + elsewhere, self.downstream)
        self.downstream -= used
        wanted = market.lithium_wanted + elsewhere
        self.need += (wanted - self.need) / self.own.use_memory
        self.slow_need += (wanted - self.slow_need) / (self.own.use_memory + self.own.growth_memory)
        self.growth = np.log(self.need / self.slow_need) * MONTHS_PER_YEAR / self.own.growth_memory
        market.lithium_demand[...] = used

    def convert(self, mined: np.ndarray) -> np.ndarray:
        """Turn concentrate and brine into carbonate, as far as converters' plants allow; they follow the mines with a delay.

        mined    (realization,) t LCE contained, this month
        returns  (realization,) t LCE of carbonate
        """
        own = self.own
        self.ore += mined
        offered = mined + self.ore / own.ore_patience
        growth = np.clip((offered * own.conversion_spare - self.plants) / own.conversion_time, 0.0, self.plants * own.conversion_growth / MONTHS_PER_YEAR)
        self.plants += growth
        used = np.minimum(self.ore, self.plants)
        self.ore -= used
        return used * own.conversion_yield

    def ship(self, market) -> None:
        """Makers order what they use and adjust their stock; the mines' output and recycled lithium fill the orders."""
        mined = market.mine_output.sum(axis=-1)
        self.upstream += self.convert(mined) + market.lithium_recycled
        public = np.clip(market.stockpiling / MONTHS_PER_YEAR, -np.inf, self.upstream)
        self.upstream -= public
        wanted = self.own.downstream_cover * np.exp(np.clip(self.own.stocking * self.trend, -self.own.stocking_limit, self.own.stocking_limit)) * self.ahead()
        self.orders = np.maximum(self.need + (wanted - self.downstream) / self.own.stocking_time, self.own.least_orders * self.need)
        shipped = np.minimum(self.orders, self.upstream)
        self.upstream -= shipped
        self.downstream += shipped
        market.lithium_supply[...] = mined

    def ahead(self) -> np.ndarray:
        """Use a month at the end of what traders foresee, (realization,) t LCE."""
        return self.need * np.exp(np.clip(self.growth, -STEEPEST, STEEPEST) * self.own.foresight)

    def expected_cover(self, market) -> np.ndarray:
        """Months of use that traders expect upstream stocks to cover, looking ahead, (realization,).

        They carry the growth of use and today's supply forward, so a price turns before the stocks do.
        """
        own = self.own
        arriving = np.minimum(market.lithium_supply, self.plants) * own.conversion_yield + market.lithium_recycled
        self.arriving += (arriving - self.arriving) / own.use_memory
        ahead = self.ahead()
        surplus = (self.arriving - 0.5 * (self.need + ahead)) * own.foresight * MONTHS_PER_YEAR
        return np.maximum(self.upstream + surplus, RESERVE * self.upstream + 1.0) / ahead

    def move_price(self, market, shock: np.ndarray) -> None:
        """The price follows what the upstream stock is worth, between marginal cost and the price nobody pays."""
        own = self.own
        cover = self.expected_cover(market)
        worth = np.log(own.long_run_price) + own.cover_elasticity * np.log(own.normal_cover / cover)
        lowest, highest = np.log(own.floor * market.marginal_cost), np.log(own.ceiling)
        worth = np.clip(worth + market.price_push, lowest, highest)
        before = self.price
        drift = (worth - before) / own.adjustment_time
        self.price = np.clip(before + drift + own.noise * shock, np.log(own.lowest_price), highest)
        self.trend += ((self.price - before) * MONTHS_PER_YEAR - self.trend) / own.trend_memory

    def observe(self, market) -> None:
        """Start the forecast from the price as it is, with the stock that goes with it; the replay before is free."""
        own = self.own
        self.price = np.log(own.forecast_price)
        self.trend = np.zeros_like(self.price)
        cover = own.normal_cover * (own.long_run_price / own.forecast_price) ** (1.0 / own.cover_elasticity)
        before = self.upstream
        self.upstream = cover * self.need
        market.lithium_revision[...] = self.upstream - before
        market.lithium_reset[...] = 1.0

    def report(self, market) -> None:
        """Write down price, orders and stocks."""
        market.lithium_price[...] = np.exp(self.price)
        market.lithium_orders[...] = self.orders
        market.lithium_inventory[...] = self.upstream + self.downstream + self.ore * self.own.conversion_yield
        market.lithium_at_hand[...] = self.downstream
