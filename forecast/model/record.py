"""The record: what was observed steers the replay, and what the model could not explain fades once the record ends.

A replay left to itself drifts from the past. Here it is held to the record, month by month, by corrections that
nothing in the model explains: of cell prices, of mine output, of lithium contracts and of tastes; and the lithium price is set as observed.
How large they have to be is the evidence against the parameters. In the forecast they fade and are joined by new ones
as large as those of the past, so the forecast starts from the world as it is and carries the model's own error.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from forecast.declare import Block, Lognormal, Path, Quantity, parameter, path, setting
from forecast.layout import blank
from forecast.model.calendar import MONTHS_PER_YEAR, STEER, month, on
from forecast.streams import Deck, each, normal

KINDS = {
    "cell_price": "mean price of lithium-ion cells in the world, USD/kWh",
    "share": "share of `chemistry` in the lithium batteries delivered to `unexplained.segments` in `region`, by energy",
    "lithium_price": "price of battery-grade carbonate as published for the year, contracts that lag the spot price, USD/t",
    "lithium_price_year_end": "spot price at the end of the year, USD/t",
    "lithium_price_mid_year": "spot price in the middle of the year, USD/t; used beside year-end prices",
    "mine_output": "lithium mined in the world, t LCE/year",
    "mineral_price": "mean price of `mineral` in the year, USD/kg",
    "sales_last_quarter": "sales to `unexplained.segments` in `region` in the last quarter of the year over those in that of the year before",
}
WORLDWIDE = {
    "cell_price": "cell_price",
    "mine_output": "mine_output",
    "lithium_price": "lithium_price",
    "contract_price": "lithium_price_mid_year",
}
"""What may be unexplained beside tastes, and the kind of series on record that tells it.

Contracts are told from spot prices only where these are known in the middle of years; else they are what spot prices are made from.
"""
HALF_YEAR = MONTHS_PER_YEAR // 2
SPREAD_AT = 0.3  # share at which the spread of tastes is told
LEAST_SHARE = 0.01  # shares are kept this far from 0 and 1 before their odds are taken: below, more or less says nothing of tastes
TREND_KEPT = 0.5  # part of the last year's pace that goes on from its middle to its end
SHARE_GAIN = 0.4  # part of the gap in log odds that a month corrects: buyers answer with a delay
SHARE_LEAD = 0.5  # part of the month's change on record that is passed on at once
SHARE_MEMORY = 2.0  # months over which the delivered share is smoothed
MOST_BETWEEN = 3.0  # factor by which the price of a year's middle may leave the line between its ends
BISECTIONS = 12
LITHIUM_GAIN = 0.3  # part of what the price missed by that a month corrects: published prices hide when in the year they moved
LARGEST_FACTOR = 1.0  # logarithm
LARGEST_MOOD = 2.0
LARGEST_TASTE = 4.0  # utility; beyond these two a correction could only hide that a policy or a requirement is wrong


class Series(Block):
    """One observed series; the replay is held to it."""

    kind: Literal[tuple(KINDS)] = setting("What was observed: " + "; ".join(f"{kind}: {what}" for kind, what in KINDS.items()))  # type: ignore[valid-type]
    values: Path = path("1", "Value of each year, in the unit of the kind", "record block", at_least=0, at_most=1e9)
    from_year: int = setting("First year on record, for prices at the end or in the middle of years and for last quarters; other series must begin with the simulation", 2015)
    error: Quantity = parameter("1", "Error of measurement: standard deviation of the logarithm, of the log odds for shares", "record block", at_least=0, at_most=2)
    restatement: Quantity = parameter("1", "Logarithm by which the value of the last year, a first print, will be restated", "none unless a record block says so", 0.0, at_least=-3, at_most=3)
    region: str = setting("Region, for shares and last quarters", "")
    chemistry: str = setting("Chemistry, for shares", "")
    mineral: str = setting("Mineral, for mineral prices", "")


class Unexplained(Block):
    """What the model leaves unexplained: how large it is and how long it lasts."""

    cell_price_spread: Quantity = parameter("1", "Standard deviation of the unexplained logarithm of cell prices", "none unless a scenario says so", 0.0, at_least=0, at_most=3)
    cell_price_memory: Quantity = parameter("year", "Time over which it fades", "assumption: contracts and margins of a few years", 2.0, Lognormal(2.0, 0.4), above=0)
    mine_output_spread: Quantity = parameter("1", "Standard deviation of the unexplained logarithm of mine output", "none unless a scenario says so", 0.0, at_least=0, at_most=3)
    mine_output_memory: Quantity = parameter("year", "Time over which it fades", "assumption: mines that the deposits leave out stay left out", 5.0, Lognormal(5.0, 0.4), above=0)
    lithium_price_spread: Quantity = parameter("1", "Standard deviation of the unexplained logarithm of what lithium stocks are worth", "none unless a scenario says so", 0.0, at_least=0, at_most=3)
    lithium_price_memory: Quantity = parameter("year", "Time over which it fades", "Schwartz 1997 (doi:10.1111/j.1540-6261.1997.tb02721.x), two-factor models: what stocks of copper and oil are worth beyond the trend reverts at 1.2 to 1.9 a year; figures from memory", 0.7, above=0)
    contract_price_spread: Quantity = parameter("1", "Standard deviation of the unexplained logarithm of lithium prices in contracts over lagged spot prices", "none unless a scenario says so", 0.0, at_least=0, at_most=3)
    contract_price_memory: Quantity = parameter("year", "Time over which it fades", "assumption: contracts run for one to three years", 1.5, Lognormal(1.5, 0.4), above=0)
    taste_spread: Quantity = parameter("1", "Standard deviation of the unexplained utility of a chemistry in a region where its share is 0.3; `deciders` say how it grows where few buy or few do not", "none unless a scenario says so", 0.0, at_least=0, at_most=10)
    deciders: Quantity = parameter("1", "Effective number of carmakers in a region: each decides for all of its buyers, so a small share on record hangs on few of them", "assumption: about ten", 10.0, Lognormal(10.0, 0.4), at_least=2, at_most=1e6)
    taste_memory: Quantity = parameter("year", "Time over which it fades", "assumption: half the life of a vehicle platform", 3.0, Lognormal(3.0, 0.4), above=0)
    segments: list[str] = setting("Segments whose tastes are on record", list())
    reference: str = setting("Chemistry against which tastes are measured: nothing is unexplained in it", "")


class Record:
    """Holds the replay to what was observed, then lets go."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        self.own, self.series = parameters.unexplained, parameters.record
        self.years = min(parameters.observed_until - parameters.first_year + 1, parameters.months // MONTHS_PER_YEAR)
        self.last = parameters.observed_until - parameters.first_year
        self.steered = self.years * MONTHS_PER_YEAR
        self.ion = parameters.chemistries.lithium[0] > 0
        names = parameters.regions.names, parameters.chemistries.names
        self.segments = [row for row, name in enumerate(parameters.segments.names) if name in self.own.segments]
        self.shares = np.array(self._rows("share"), int)
        self.places = (
            np.array([names[0].index(self.series.region[row]) for row in self.shares], int),
            np.array([names[1].index(self.series.chemistry[row]) for row in self.shares], int),
        )
        self.minerals = [(row, parameters.minerals.names.index(self.series.mineral[row])) for row in self._rows("mineral_price")]
        self.target = self._targets(seed, realizations)
        self.first = np.array([max(year - parameters.first_year, 0) for year in self.series.from_year], int)
        self.lithium = self._lithium_path(parameters.lithium)
        self.contracts = self._contracts(parameters.lithium)
        self.seen = blank((2, parameters.size, len(self.shares)))
        self.sold = blank(self.seen.shape)
        tastes = [f"taste {region} {chemistry}" for region in names[0] for chemistry in names[1]]
        kinds = [f"unexplained {kind}" for kind in (*(name.replace("_", " ") for name in WORLDWIDE), *tastes)]
        self.luck = Deck(normal, seed, kinds, realizations)
        self.unexplained = blank((parameters.size, len(kinds)))
        self.state = dict(zip(WORLDWIDE, self.unexplained.T, strict=False)) | {"taste": self._by_place(self.unexplained)}
        self.held = np.zeros(len(kinds), bool)
        self.held[: len(WORLDWIDE)] = [bool(self._rows(kind)) for kind in WORLDWIDE.values()]
        self._by_place(self.held[None])[:, *self.places] = True
        self.kept, self.renewed = self._fading(len(tastes))
        self._by_place(self.renewed)[..., [name == self.own.reference for name in names[1]]] = 0.0

    def _by_place(self, numbers: np.ndarray) -> np.ndarray:
        """Of (..., kind), the tastes, (..., region, chemistry)."""
        return numbers[..., len(WORLDWIDE) :].reshape(*numbers.shape[:-1], -1, len(self.ion))

    def _fading(self, tastes: int) -> tuple[np.ndarray, np.ndarray]:
        """What is kept of the unexplained each month, and the standard deviation of what is new, (realization, kind)."""
        kinds = (*WORLDWIDE, *["taste"] * tastes)
        memory = np.stack([getattr(self.own, f"{kind}_memory") for kind in kinds])
        spread = np.stack([getattr(self.own, f"{kind}_spread") for kind in kinds])
        kept = np.exp(-1.0 / (memory * MONTHS_PER_YEAR))
        return kept.T, (spread * np.sqrt(1.0 - kept**2)).T

    def _targets(self, seed: int, realizations: np.ndarray) -> np.ndarray:
        """What each world takes for the truth, (realization, series, year), logarithm or log odds: the record within its error, the last year restated."""
        observed = self.series.values[:, ::MONTHS_PER_YEAR][:, : self.years]
        shares = np.array([kind == "share" for kind in self.series.kind], bool)[:, None]
        kept = _within(observed)
        scaled = np.where(shares, np.log(kept / (1.0 - kept)), np.log(np.maximum(observed, 1e-12)))
        error = each(normal, seed, [f"error of {name}" for name in self.series.names], realizations, self.years)
        targets = scaled + self.series.error[:, :, None] * np.moveaxis(error, 1, 2)
        targets[:, :, self.last : self.last + 1] += self.series.restatement[:, :, None]
        return targets

    def _rows(self, kind: str) -> list[int]:
        return [row for row, own in enumerate(self.series.kind) if own == kind]

    def at(self, now: int) -> np.ndarray:
        """Target of every series in a month, straight between mid-years and at half the last pace beyond them, (realization, series)."""
        when = max((now + 0.5) / MONTHS_PER_YEAR - 0.5, 0.0)
        after = min(int(when) + 1, self.years - 1)
        before = max(after - 1, 0)
        share = min(when - before, 1.0) + TREND_KEPT * max(when - before - 1.0, 0.0)
        return self.target[:, :, before] + share * (self.target[:, :, after] - self.target[:, :, before])

    def _lithium_path(self, lithium) -> np.ndarray:
        """Spot price of every month on record, (realization, month) USD/t; no month without a series.

        Where the spot price is known at the end of a year and of the year before, it runs straight between them through the
        middle of the year; if that is not known, through one by which contracts average what was published. Else it runs
        straight through the published years.
        """
        rows, ends, middles = (self._rows(f"lithium_price{when}")[:1] for when in ("", "_year_end", "_mid_year"))
        if not rows:
            return np.zeros((len(self.target), 0))
        path, contract = np.zeros((len(self.target), 0)), np.broadcast_to(lithium.first_price, len(self.target))
        for year in range(self.years):
            if ends and year > self.first[ends[0]]:
                knots = [self.target[:, ends[0], year - 1], self.target[:, ends[0], year]]
                if middles and year >= self.first[middles[0]]:
                    months = through(knots, self.target[:, middles[0], year])
                else:
                    months = between(knots, self.target[:, rows[0], year], contract, lithium.contract_lag)
            else:
                now = range(year * MONTHS_PER_YEAR, (year + 1) * MONTHS_PER_YEAR)
                months = np.exp(np.stack([self.at(each_month)[:, rows[0]] for each_month in now], axis=-1))
            contract = contracted(months, contract, lithium.contract_lag)[:, -1]
            path = np.concatenate([path, months], axis=1)
        return path

    def _contracts(self, lithium) -> np.ndarray:
        """Logarithm by which contracts differ from lagged spot prices in every month on record, (realization, month).

        Each year what was published differs from the mean of lagged spot prices by so much; it runs straight between mid-years.
        It is known from the first year on whose middle is on record.
        """
        published, middles = self._rows("lithium_price")[:1], self._rows("lithium_price_mid_year")[:1]
        if not published or not middles or self.first[middles[0]] >= self.years:
            return np.zeros((len(self.target), self.steered))
        spot = contracted(self.lithium, np.broadcast_to(lithium.first_price, len(self.target)), lithium.contract_lag)
        told = self.target[:, published[0], : self.years] - np.log(spot.reshape(len(spot), self.years, -1).mean(axis=2))
        first, when = self.first[middles[0]], (np.arange(self.steered) + 0.5) / MONTHS_PER_YEAR
        years = np.arange(first, self.years)
        path = np.stack([np.interp(when, years + 0.5, row[first:]) for row in np.clip(told, -LARGEST_FACTOR, LARGEST_FACTOR)])
        return np.where(when < first, 0.0, path)

    def run(self, env, market):
        """Compare last month with the record, correct, and let what is not on record drift."""
        while True:
            yield on(env, STEER)
            now = month(env)
            sold = self.sales(market)
            self.drift(sold, now)
            if 0 < now < self.steered:
                self.correct(market, sold, now)
            self.tell(market, now)

    def sales(self, market) -> np.ndarray:
        """Batteries of each series of shares, and all lithium ones of its region, delivered last month to the segments on record, (2, realization, series) GWh."""
        sold = sum((market.deliveries[:, segment] for segment in self.segments), np.zeros_like(market.unexplained_taste))
        return np.stack([sold[:, *self.places], (sold * self.ion).sum(axis=-1)[:, self.places[0]]])

    def drift(self, sold: np.ndarray, now: int) -> None:
        """What is unexplained fades and is renewed, save where a series says what it is; tastes on record by the share of the last year."""
        self.sold += (sold - self.sold) / min(max(now, 1), MONTHS_PER_YEAR)
        new = self.renewed * self.luck.on(now)
        self._by_place(new)[:, *self.places] *= lumpiness(_share(self.sold), self.own.deciders[:, None])
        drifted = self.kept * self.unexplained + new
        np.copyto(self.unexplained, drifted, where=~self.held | (now >= self.steered))

    def correct(self, market, sold: np.ndarray, now: int) -> None:
        """Move what is unexplained by what separates last month from the record."""
        target = self.at(now)
        measured = {"cell_price": market.mean_cell_price, "mine_output": market.mine_output.sum(axis=-1) * MONTHS_PER_YEAR}
        for name, value in measured.items():
            for row in self._rows(name)[:1]:
                moved = self.state[name] + target[:, row] - np.log(np.maximum(value, 1e-12))
                self.state[name][...] = np.clip(moved, -LARGEST_FACTOR, LARGEST_FACTOR)
        if self._rows("lithium_price"):
            self.state["contract_price"][...] = self.contracts[:, now]
            fading = self.kept[:, list(WORLDWIDE).index("lithium_price")]  # as it will after the record: what lasts must be stock
            moved = fading * self.state["lithium_price"] + LITHIUM_GAIN * market.lithium_price_missed
            self.state["lithium_price"][...] = np.clip(moved, -LARGEST_MOOD, LARGEST_MOOD)
        if self.shares.size:
            self.correct_tastes(sold, now, target)

    def correct_tastes(self, sold: np.ndarray, now: int, target: np.ndarray) -> None:
        """Move what is unexplained in tastes by the gap between the shares of last months and those on record."""
        self.seen += sold if now == 1 else (sold - self.seen) / SHARE_MEMORY
        share = _share(self.seen)
        gap = target[:, self.shares] - np.log(share / (1.0 - share))
        lead = (target - self.at(now - 1))[:, self.shares]
        moved = self.state["taste"][:, *self.places] + SHARE_GAIN * gap + SHARE_LEAD * lead
        self.state["taste"][:, *self.places] = np.clip(moved, -LARGEST_TASTE, LARGEST_TASTE)

    def tell(self, market, now: int) -> None:
        """Write down what is unexplained, and the lithium price on record."""
        for name, state in self.state.items():
            getattr(market, f"unexplained_{name}")[...] = state
        if now <= self.steered:
            for row, mineral in self.minerals:
                market.mineral_price_on_record[:, mineral] = np.exp(self.at(now)[:, row]) if now < self.steered else 0.0
        on_record = now < self.lithium.shape[1]
        market.lithium_price_on_record[...] = self.lithium[:, now] if on_record else 0.0


def _share(sold: np.ndarray) -> np.ndarray:
    """Share of what was sold in all, (2, ...)."""
    return _within(sold[0] / np.maximum(sold[1], 1e-12))


def _within(share: np.ndarray) -> np.ndarray:
    return np.clip(share, LEAST_SHARE, 1.0 - LEAST_SHARE)


def lumpiness(share: np.ndarray, deciders: np.ndarray) -> np.ndarray:
    """Spread of the log odds of a share over that of a share of ``SPREAD_AT``, where each of some deciders takes all or nothing.

    Where n decide, the share s of those who take has a variance of (1 - s) / (n s) times the square of its mean, the rest one of
    s / (n (1 - s)), and one falls as the other rises; log odds are spread as those of two lognormal numbers of which this holds.
    """
    return np.sqrt(_odds_variance(_within(share), deciders) / _odds_variance(SPREAD_AT, deciders))


def _odds_variance(share, deciders):
    odds = share / (1.0 - share)
    return np.log1p(1.0 / (deciders * odds)) + np.log1p(odds / deciders) - 2.0 * np.log1p(-1.0 / deciders)


def contracted(spot: np.ndarray, contract: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Prices in contracts that follow the spot price with a lag.

    spot      (realization, month)
    contract  (realization,)  before the first month
    lag       (realization,)  months
    returns   (realization, month)
    """
    found = []
    for now in spot.T:
        contract = contract + (now - contract) / lag
        found.append(contract)
    return np.stack(found, axis=-1)


def through(ends: list[np.ndarray], middle: np.ndarray) -> np.ndarray:
    """Spot prices of a year, straight lines in the logarithm from end to middle to end.

    ends     logarithm of the spot price before and at the end of the year, (realization,) each
    middle   in the middle of the year
    returns  (realization, month)
    """
    share = (np.arange(MONTHS_PER_YEAR) + 1.0) / HALF_YEAR
    rise, fall = np.minimum(share, 1.0), np.maximum(share - 1.0, 0.0)
    return np.exp(ends[0][:, None] + (middle - ends[0])[:, None] * rise + (ends[1] - middle)[:, None] * fall)


def between(ends: list[np.ndarray], published: np.ndarray, contract: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Spot prices of a year whose contracts average what was published, as far as a factor of MOST_BETWEEN allows.

    ends       logarithm of the spot price before and at the end of the year, (realization,) each
    published  logarithm of the yearly price, (realization,)
    returns    (realization, month)
    """
    chord = 0.5 * (ends[0] + ends[1])
    low, high = chord - np.log(MOST_BETWEEN), chord + np.log(MOST_BETWEEN)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        spot = through(ends, middle)
        above = contracted(spot, contract, lag).mean(axis=1) > np.exp(published)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return spot

