"""Segments: what a battery is for, how much is wanted, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.declare import Block, Lognormal, Normal, Path, Quantity, Triangular, parameter, path, paths, setting, table
from forecast.layout import blank, records, side_by_side
from forecast.model.calendar import DAYS_PER_MONTH, MONTHS_PER_YEAR, PROCLAIM, QUARTER, WANT, month, on
from forecast.model.market import PUSHES
from forecast.streams import Deck, each, normal

HALF_YEAR = MONTHS_PER_YEAR // 2
LEAST_ROOM = 1.05  # a market that is not saturated yet can grow by this factor at the least
TINY = 1e-12  # of GWh, of saturation, of a variance: nothing has no logarithm and divides nothing
YEAR = np.ones(MONTHS_PER_YEAR) / MONTHS_PER_YEAR
FROM_YEAR_TO_YEAR = np.convolve(YEAR, YEAR)
"""Weights of the months in the growth from one yearly sum to the next."""
FROM_QUARTER_TO_QUARTER = np.convolve(YEAR, np.ones(QUARTER) / QUARTER)
"""Weights of the months in the growth from the last quarter of a year to that of the next."""
FULLEST = 0.99  # of a ceiling that a forecast may open at
LARGEST_SURPRISE = 1.0  # growth beyond the curve's in which anybody believes, a year


class Segment(Block):
    """One application, with its demand by region and the tastes of its buyers.

    Utility of a chemistry = - price_sensitivity x ln(cost of ownership) + weight x ln(Wh/kg) + cold x winter x capacity at
    -20 degC + charging x ln(charge rate) - safety x hazard + endurance x ln(life) + habit + imitation x share.
    """

    title: str = setting("Name in pictures and tables")
    history: dict[str, Path] = paths("GWh/year", "Batteries sold each year, as observed", "see history_source", "regions", fill=None, at_least=0)
    history_source: str = setting("Where the history comes from", "")
    saturation: dict[str, Quantity] = table("GWh/year", "Yearly sales at the end of the S-curve, central case", "segment block", "regions", fill=None, above=0)
    saturation_scale: Quantity = parameter("1", "Factor on `saturation`, the same in all regions", "assumption: spread of published outlooks", 1.0, Lognormal(1.0, 0.25), above=0)
    growth: Quantity = parameter("1/year", "Growth rate of the S-curve while far from saturation", "segment block", at_least=0)
    surprise: Quantity = parameter("1/year", "Standard deviation of the surprise in the growth rate of a region", "yearly growth of world solar installations varied by 0.27 (logarithm) in 2004-17, which takes about 0.48 in each region with the correlations of `demand`: assumption by analogy", 0.48, Lognormal(0.48, 0.4), at_least=0, at_most=10)
    price_elasticity: Quantity = parameter("1", "Response of demand to pack price against its expected path (logarithms, negative)", "segment block", -0.4, at_least=-10, at_most=0)
    pack_cost: Path = path("USD/kWh", "Cost of turning cells into the packs of this segment", "segment block", at_least=0)
    cycles_per_year: Quantity = parameter("1/year", "Full cycles in a year of use", "segment block", above=0)
    service_life: Quantity = parameter("year", "Longest time a battery stays in use here, whatever its health", "segment block", above=0)
    opening_years: Quantity = parameter("year", "Stock in use at the start, over the first year's sales", "assumption: young, fast growing fleets", 2.0, Lognormal(2.0, 0.3), at_least=0)
    discount_rate: Quantity = parameter("1/year", "Rate at which buyers weigh later replacement against price", "assumption", 0.08, Triangular(0.05, 0.08, 0.11), at_least=0)
    minimum_specific_energy: Quantity = parameter("Wh/kg", "Pack specific energy that the median buyer needs at the least", "segment block", at_least=0)
    requirement_path: Path = path("1", "Needed specific energy over that of 2024: buyers ask for more range as packs grow", "assumption: no change", 1.0, above=0)
    minimum_cycle_life: Quantity = parameter("cycle", "Cycle life that the median buyer needs at the least", "segment block", at_least=0)
    minimum_cold_capacity: Quantity = parameter("1", "Capacity at -20 degC that the median buyer needs at the least, where winters are longest", "segment block", at_least=0, at_most=1)
    highest_hazard: Quantity = parameter("1", "Safety hazard that the median buyer accepts at the most (nmc = 1)", "segment block", above=0)
    requirement_spread: Quantity = parameter("1", "Spread of requirements between buyers (standard deviation of the logarithm)", "assumption", 0.2, Lognormal(0.2, 0.2), above=0)
    price_sensitivity: Quantity = parameter("1", "Utility per logarithm of cost of ownership", "segment block", above=0)
    weight: Quantity = parameter("1", "Utility per logarithm of pack specific energy", "segment block", at_least=0)
    cold: Quantity = parameter("1", "Utility of keeping all capacity at -20 degC where winters are longest", "segment block", at_least=0)
    charging: Quantity = parameter("1", "Utility per logarithm of charge rate", "segment block", at_least=0)
    safety: Quantity = parameter("1", "Utility lost per unit of hazard", "segment block", at_least=0)
    taste_spread: Quantity = parameter("1", "Spread of each taste between buyers over its mean", "assumption: mixed-logit studies of car buyers find 0.3-1", 0.5, Triangular(0.3, 0.5, 0.7), at_least=0)
    habit: Quantity = parameter("1", "Utility of staying with the chemistry bought last", "assumption", 0.8, Lognormal(0.8, 0.25), at_least=0)
    imitation: Quantity = parameter("1", "Utility per share of recent sales among peers", "assumption", 1.0, Lognormal(1.0, 0.25), at_least=0)
    design_in: Quantity = parameter("month", "Time from the first serial samples of a chemistry to its first products here", "segment block", at_least=0)
    acceptance_time: Quantity = parameter("month", "Time over which product lines open to an admitted chemistry (63 %)", "assumption: a platform generation", 36, Lognormal(36, 0.25), at_least=1)
    opening_shares: dict[str, Quantity] = table("1", "Chemistries in use at the start", "segment block", "chemistries", at_least=0, at_most=1)
    experience: Quantity = parameter("1", "Share of cells sold here that counts as experience with large cells", "segment block", 1.0, at_least=0, at_most=1)
    variety: Quantity = parameter("1", "Utility per logarithm of the effective number of makers", "assumption: second sources are asked for; nested logit with similar makers", 0.15, Lognormal(0.15, 0.3), at_least=0)
    buyers: Quantity = parameter("1", "Weight of this segment in the division of buyers", "numerical choice: enough buyers where shares move", 1.0, above=0)


class Demand(Block):
    """What moves the demand of all segments together."""

    scale: Quantity = parameter("1", "Factor on all saturation levels", "assumption: spread between IEA STEPS, APS and NZE outlooks", 1.0, Lognormal(1.0, 0.15), above=0)
    persistence: Quantity = parameter("year", "Time over which a surprise in growth fades", "assumption: models, policies and plants of a boom last a year or two", 1.0, Lognormal(1.0, 0.3), above=0)
    common: Quantity = parameter("1", "Share of the variance of surprises that all segments have in common", "assumption: oil prices, business cycles and climate policy touch all; at most what regions have in common", 0.15, Triangular(0.0, 0.15, 0.3), at_least=0, at_most=1)
    regional: Quantity = parameter("1", "Share of the rest that each region has for itself", "subsidies are national: growth of EV batteries by region in 2012-18 (IEA) is correlated by about 0.2, in 2013-18 not at all; with `common`, 0.32 here", 0.8, Triangular(0.6, 0.8, 1.0), at_least=0, at_most=1)
    expected_decline: Quantity = parameter("1/year", "Yearly fall of pack prices already contained in the S-curves", "Mauler et al. 2021: outlooks expect 2-4 % a year", 0.03, Normal(0.03, 0.008), at_least=0, below=1)


def monthly_history(yearly: np.ndarray) -> np.ndarray:
    """Spread yearly sales over months so that each year keeps its sum and months join smoothly; the last year ends level.

    yearly   (..., year) above 0
    returns  (..., 12 x year), per month; geometric between mid-years
    """
    years = yearly.shape[-1]
    when = (np.arange(years * MONTHS_PER_YEAR) + 0.5) / MONTHS_PER_YEAR
    flat = np.log(np.maximum(yearly, TINY)).reshape(-1, years)
    smooth = np.exp([np.interp(when, np.arange(years) + 0.5, row) for row in flat]).reshape(-1, years, MONTHS_PER_YEAR)
    smooth *= (yearly.reshape(-1, years) / smooth.sum(axis=-1))[..., None]
    return smooth.reshape(*yearly.shape[:-1], years * MONTHS_PER_YEAR)


def last_year(sales: np.ndarray, came: np.ndarray, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spread the sales of the last year over its months, which end where the forecast begins.

    sales    (...,) in the year; arrays broadcast
    came     (...,) logarithm of the growth in its first half-year
    ahead    (...,) and in its second
    returns  (..., 12) per month, and (...,) per year at its end
    """
    when = (np.arange(MONTHS_PER_YEAR) + 0.5) / HALF_YEAR - 1.0
    shape = np.exp(np.where(when < 0, when * came[..., None], when * ahead[..., None]))
    middle = sales / shape.mean(axis=-1)
    return middle[..., None] * shape / MONTHS_PER_YEAR, middle * np.exp(ahead)


def logistic(start: np.ndarray, ceiling: np.ndarray, growth: np.ndarray, years: np.ndarray | float) -> np.ndarray:
    """S-curve through ``start`` at time 0 towards ``ceiling``; arrays broadcast."""
    return ceiling / (1.0 + (ceiling / start - 1.0) * np.exp(-growth * years))


class SegmentDemand:
    """How much each segment wants in each region; history first, then S-curves that prices and luck bend.

    A surprise is growth beyond the curve's, without what events do: a law that moves a market once does not move it again next year. The
    forecast opens with what the last observed year, and the last quarter of it where that is on record, tell of its end, so momentum
    carries on and fades.
    """

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        own, self.segments = parameters.demand, parameters.segments
        from forecast.model import demand, trade  # compiled code is slow to load and needed only to play

        self.kernels, self.worlds_last = demand, trade.worlds_last
        observed = parameters.observed_until - parameters.first_year + 1
        yearly = self.segments.history[:, :, ::MONTHS_PER_YEAR][..., :observed]
        self.history = monthly_history(yearly)
        self.last_observed = self.history.shape[-1] - 1
        self.last_begins = self.history.shape[-1] - MONTHS_PER_YEAR
        scale = (self.segments.saturation_scale * own.scale[:, None])[:, :, None]
        self.ceiling = np.maximum(self.segments.saturation * scale, LEAST_ROOM * yearly[None, :, :, -1])
        lifted, moved = (pushes(parameters, kind, self.history.shape[-1]) for kind in ("demand", "adoption"))
        lift, move = (push.reshape(*push.shape[:-1], -1, MONTHS_PER_YEAR).mean(axis=-1) for push in (lifted, moved))
        sold = yearly / lift
        unpushed = along(sold, self.ceiling[..., None], 1.0 / move)
        growth = self.segments.growth[:, :, None]
        self.observed = observed_surprise(unpushed, self.ceiling, growth)
        self.own, self.noise = self._news(own)
        self.luck = self._luck(seed, realizations, parameters.regions.names)
        late, error = last_quarter(parameters, self.ceiling, sold, lifted, moved, growth)
        meanwhile, at_end, unsure = opening(own.persistence, self.segments.surprise, self.observed[..., -1], late, error)
        self.last, level = self._last_year(yearly[..., -1], unpushed, lifted, moved, growth + meanwhile)
        luck = each(normal, seed, [f"opening surprise {name}" for name in self.segments.names], realizations)
        self.level, self.surprise = side_by_side(level), side_by_side(at_end + unsure * self.segments.surprise[:, :, None] * luck[:, :, None])
        self.decline = np.log1p(-own.expected_decline) / MONTHS_PER_YEAR
        self.price = self.reference = np.zeros(0)

    def _news(self, own) -> tuple[np.ndarray, np.ndarray]:
        """What is left of a surprise after a month and which parts of a new one are shared, (realization,) records; how large it is, (realization, segment)."""
        kept = np.exp(-1.0 / (own.persistence * MONTHS_PER_YEAR))
        parts = {"region": own.regional, "all_regions": 1.0 - own.regional, "segment": 1.0 - own.common, "all_segments": own.common}
        behaviour = records({name: np.sqrt(share) for name, share in parts.items()} | {"kept": kept})
        return behaviour, self.segments.surprise * np.sqrt(1.0 - kept**2)[:, None]

    def _last_year(
        self, sales: np.ndarray, unpushed: np.ndarray, lifted: np.ndarray, moved: np.ndarray, growth: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Months of the last observed year, and the level at its end without events, by the growth of its second half beside that of the curve."""
        sold = np.maximum(unpushed[..., -2:], TINY)
        came = np.clip(np.diff(np.log(sold)).sum(axis=-1), -LARGEST_SURPRISE, LARGEST_SURPRISE)
        ahead = np.log(logistic(sold[..., -1], self.ceiling, growth, 0.5) / sold[..., -1])
        months, level = last_year(sold[..., -1], came / 2, ahead)
        last = slice(-MONTHS_PER_YEAR, None)
        told = lifted[..., last] * along(months * MONTHS_PER_YEAR, self.ceiling[..., None], moved[..., last])
        missed = np.maximum(sales, TINY) / told.mean(axis=-1)
        return told * missed[..., None] / MONTHS_PER_YEAR, np.minimum(level * missed, FULLEST * self.ceiling)

    def _luck(self, seed: int, realizations: np.ndarray, regions: Sequence[str]) -> list[Deck]:
        """Standard normal luck by month: of each segment and region, of each segment, and of all."""
        names = self.segments.names
        shared = [f"demand {name} {region}" for name in names for region in regions], [f"demand {name}" for name in names], ["demand"]
        return [Deck(normal, seed, those, realizations) for those in shared]

    def run(self, env, market):
        """Say what is wanted this month, and watch what packs cost."""
        while True:
            yield on(env, WANT)
            self.watch_prices(market, month(env))
            self.ask(market, month(env))
            market.unexplained_growth[...] = self.surprise_at(month(env))

    def ask(self, market, now: int) -> None:
        """Demand of the month: as it was while it is on record, then as the curve, surprises and prices say."""
        if now <= self.last_observed:
            told = self.history[None, ..., now] if now < self.last_begins else self.last[..., now - self.last_begins]
            market.demand[...] = told
        else:
            self.grow(*(deck.on(now) for deck in self.luck))
            response = self.segments.price_elasticity * np.log(self.price / self.reference)
            events = market.adoption_push, market.demand_push
            self.kernels.ask(*self.worlds_last(self.level, self.ceiling, response, *events, market.demand))

    def grow(self, *luck: np.ndarray) -> None:
        """A month further up the S-curve, with the surprise of the day.

        luck  of each segment and region, of each segment and of all, (realization, name)
        """
        self.kernels.grow(*self.worlds_last(self.own, self.noise, self.segments.growth, self.ceiling, *luck, self.surprise, self.level))

    def surprise_at(self, now: int) -> np.ndarray:
        """Growth beyond the curve's, (realization, segment, region), 1/year."""
        return self.observed[..., now // MONTHS_PER_YEAR] if now <= self.last_observed else self.surprise

    def watch_prices(self, market, now: int) -> None:
        """Mean pack price of each segment, smoothed over a year, and the path that the S-curves already contain."""
        first = not self.price.size
        if first:
            self.price = blank(self.noise.shape)
        seen = market.deliveries, market.cell_price, market.offered, market.offer_price, self.price
        self.kernels.watch(self.segments.pack_cost[:, now], 1.0 if first else float(MONTHS_PER_YEAR), *self.worlds_last(*seen))
        self.reference = self.price.copy(order="K") if now <= self.last_observed else self.reference * np.exp(self.decline)[:, None]


def pushes(parameters, kind: str, months: int) -> np.ndarray:
    """Factor by which events of a kind moved demand, or its odds, month by month, (realization, segment, region, month)."""
    segments, regions = parameters.segments.names, parameters.regions.names
    found, own = np.ones((parameters.size, len(segments), len(regions), months)), parameters.policy
    when = parameters.first_year + (np.arange(months) + PROCLAIM / DAYS_PER_MONTH) / MONTHS_PER_YEAR
    for row, each_kind in enumerate(own.kind):
        if each_kind == kind and (own.start[:, row] <= when[-1]).any():
            here, there = own.segments[row] or segments, own.regions[row] or regions
            touched = np.outer([name in here for name in segments], [name in there for name in regions])[..., None]
            in_force = (own.start[:, row, None] <= when) & (when < own.end[:, row, None])
            size = np.clip(own.size[:, row], *PUSHES)[:, None, None, None]
            found *= np.where(in_force[:, None, None] & touched, size, 1.0)
    return found


def along(sales: np.ndarray, ceiling: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Sales with the odds of what is filled multiplied by a factor; where nothing is left to fill, as they are."""
    sales = np.maximum(sales, TINY)
    return np.where(sales < ceiling, ceiling / (1.0 + (ceiling / sales - 1.0) / factor), sales)


def last_quarter(
    parameters, ceiling: np.ndarray, yearly: np.ndarray, lifted: np.ndarray, moved: np.ndarray, growth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Growth beyond the curve's from the last quarter but a year to the last, where it is on record, and its error.

    ceiling  (realization, segment, region)
    yearly   (realization, segment, region, year) sales, without what events lifted
    lifted   (realization, segment, region, month) factor of events
    moved    (realization, segment, region, month) factor of events on the odds of what is filled
    growth   (realization, segment, 1) of the curve, 1/year
    returns  (realization, segment, region) each, 1/year; 0 and infinite where it is not on record
    """
    seen, error = np.zeros(ceiling.shape), np.full(ceiling.shape, np.inf)
    told = [name in parameters.unexplained.segments for name in parameters.segments.names]
    now, series = yearly.shape[-1] - 1, parameters.record
    room = 1.0 / (1.0 - np.clip(yearly[..., -1] / ceiling, 0.0, 1.0 / LEAST_ROOM))  # of odds growth is so much more
    both = (push[..., -MONTHS_PER_YEAR - QUARTER :] for push in (lifted, moved))
    lift, move = (push[..., -QUARTER:].mean(axis=-1) / push[..., :QUARTER].mean(axis=-1) for push in both)
    for row, kind in enumerate(series.kind):
        if kind == "sales_last_quarter" and parameters.first_year + now >= series.from_year[row]:
            place = parameters.regions.names.index(series.region[row])
            ratio = np.maximum(series.values[row, now * MONTHS_PER_YEAR], TINY) / lift[:, told, place]
            beyond = np.log(ratio) * room[:, told, place] - np.log(move[:, told, place]) - growth[:, told, 0]
            seen[:, told, place] = np.clip(beyond, -LARGEST_SURPRISE, LARGEST_SURPRISE)
            error[:, told, place] = series.error[:, row, None] * room[:, told, place]
    return seen, error


def opening(
    persistence: np.ndarray, spread: np.ndarray, by_year: np.ndarray, by_quarter: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the growth between the last two yearly sums, and that between the last quarters, tell of a fading surprise.

    Surprises and the error are normal, so what is told is the mean of those that agree with both.

    persistence  (realization,) years
    spread       (realization, segment) of the surprise
    by_year      (realization, segment, region) growth beyond the curve's between yearly sums, 1/year
    by_quarter   (realization, segment, region) between last quarters
    error        (realization, segment, region) of the latter, infinite if it is not known
    returns      mean surprise in the second half of the last year; that at its end; and the standard deviation of the latter where
                 the surprise's is one, (realization, segment, region) each
    """
    month = np.arange(2 * MONTHS_PER_YEAR)  # steps from month to month, the last into the forecast
    years, quarters = np.zeros((2, len(month)))
    years[: len(FROM_YEAR_TO_YEAR)] = FROM_YEAR_TO_YEAR
    quarters[-1 - len(FROM_QUARTER_TO_QUARTER) : -1] = FROM_QUARTER_TO_QUARTER
    alike = np.exp(-abs(month[:, None] - month) / (MONTHS_PER_YEAR * persistence[:, None, None]))
    with_years, with_quarters = _weighed(alike, years), _weighed(alike, quarters)
    products = _weighed(with_years, years), _weighed(with_years, quarters), _weighed(with_quarters, quarters)
    own, both, other = (product[:, None, None] for product in products)
    variance = spread[:, :, None] ** 2
    sure = variance / np.maximum(variance * other + error**2, TINY)
    alone = own - both**2 * sure
    year, quarter = (by_year - both * sure * by_quarter) / alone, sure * (own * by_quarter - both * by_year) / alone

    half_years, half_quarters = (part[:, -HALF_YEAR:].mean(axis=-1)[:, None, None] for part in (with_years, with_quarters))
    end_years, end_quarters = (part[:, -1:, None] for part in (with_years, with_quarters))
    left = 1.0 - (end_years**2 - 2.0 * end_years * end_quarters * both * sure + end_quarters**2 * own * sure) / alone
    return half_years * year + half_quarters * quarter, end_years * year + end_quarters * quarter, np.sqrt(np.maximum(left, 0.0))


def _weighed(numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over the last axis; a product of matrices rounds as the block is large."""
    return (numbers * weights).sum(axis=-1)


def observed_surprise(yearly: np.ndarray, ceiling: np.ndarray, growth: np.ndarray) -> np.ndarray:
    """Growth rate seen on an S-curve less the curve's own; nothing is known of the first year.

    yearly   (..., segment, region, year) above 0, below the ceiling at the end
    ceiling  (realization, segment, region)
    growth   (realization, segment, 1), 1/year
    returns  (realization, segment, region, year), 1/year, kept within LARGEST_SURPRISE
    """
    filled = np.clip(yearly / ceiling[..., None], TINY, 1.0 / LEAST_ROOM)
    odds = np.log(filled / (1.0 - filled))
    seen = np.diff(odds, axis=-1) - growth[..., None]
    return np.concatenate([np.zeros_like(odds[..., :1]), np.clip(seen, -LARGEST_SURPRISE, LARGEST_SURPRISE)], axis=-1)
