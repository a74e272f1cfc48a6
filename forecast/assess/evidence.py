"""What a replay leaves unexplained, year by year: the evidence for and against the parameters that played it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from forecast.declare import Quantity
from forecast.errors import DataError
from forecast.model.record import WORLDWIDE, lumpiness
from forecast.model.segments import FROM_YEAR_TO_YEAR, YEAR
from forecast.model.world import World

MONTHS = 12
GROWING = ("mass_cars", "premium_cars", "commercial_vehicles", "stationary_grid", "stationary_home")
"""Segments whose growth counts as evidence: those with observed histories."""
SPREADS = {
    **{kind: f"unexplained.{kind}_spread" for kind in WORLDWIDE},
    "taste": "unexplained.taste_spread",
    **{f"growth {name}": f"segments.{name}.surprise" for name in GROWING},
}
"""Kinds of evidence, and the number that says how large each should be."""
SEEN = 0.01  # shares below, and above one less this, say nothing of tastes


@dataclass(frozen=True)
class Evidence:
    """Surprises of replays, and how large they should be.

    kinds   (datum,) key of SPREADS
    names   (datum,) such as "cell_price 2019"
    values  (member, datum), zero expected
    unit    (member, datum) standard deviation of each value where the spread of its kind is one
    spread  (member, datum) spread of the kind in the member's world
    noise   (datum,) standard deviation of a value among replays of the same parameters: luck, and errors of measurement
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    values: np.ndarray
    unit: np.ndarray
    spread: np.ndarray
    noise: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """All fields as arrays, to be kept."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def of_arrays(cls, kept: Mapping[str, np.ndarray]) -> Evidence:
        """What ``arrays`` gave."""
        kinds, names, *told = (kept[field.name] for field in fields(cls))
        return cls(tuple(kinds.tolist()), tuple(names.tolist()), *told)

    def of(self, kind: str) -> np.ndarray:
        """Places of one kind."""
        return np.array([i for i, own in enumerate(self.kinds) if own == kind], int)


class Gap(NamedTuple):
    """Something unexplained: what was seen of it (member, year) from a first year on, and how it behaves.

    memory  (member,) years over which it fades
    spread  (member,) its standard deviation
    seen    (year,) whether the record can tell
    months  weights of months in what was seen of a year
    size    (member, year) its spread over that of its kind
    """

    kind: str
    name: str
    first: int
    means: np.ndarray
    memory: np.ndarray
    spread: np.ndarray
    seen: np.ndarray
    months: np.ndarray = YEAR
    size: np.ndarray | float = 1.0


def evidence(world: World, drawn: Any, results: Mapping[str, np.ndarray]) -> Evidence:
    """Yearly surprises of a block of replays of a world with a record: the part of every gap that is new each year.

    Where the spread of a kind is 0 the world has no luck of that kind: nothing says how large surprises should be, so they
    are no evidence. Raises DataError for a record that holds nothing to anything unexplained.
    """
    kinds, names, values, units, spreads = [], [], [], [], []
    for gap in gaps(world, drawn, results):
        fresh, unit = news(gap.means / gap.size, gap.memory, gap.seen, gap.months)
        for i in range(fresh.shape[1]):
            if gap.seen[max(i - 1, 0) : i + 1].all():
                kinds.append(gap.kind)
                names.append(f"{gap.name} {gap.first + i}")
                values.append((fresh * gap.size)[:, i])
                units.append((unit * gap.size)[:, i])
                spreads.append(gap.spread)
    if not values:
        raise DataError(f"the record says nothing of {', '.join(SPREADS)}, or their spread is 0: there is nothing to learn from")
    value, unit, spread = (np.stack(each, axis=-1) for each in (values, units, spreads))
    return Evidence(tuple(kinds), tuple(names), value, unit, spread, np.zeros(len(names)))


def gaps(world: World, drawn: Any, results: Mapping[str, np.ndarray]) -> Iterator[Gap]:
    """All that is unexplained and on record."""
    own, shown = world.unexplained, drawn.unexplained
    years = world.observed_until - world.first_year + 1
    recorded = {series.kind: series.from_year for series in world.record.values()}
    for kind, teller in WORLDWIDE.items():
        if teller in recorded and happens(getattr(own, f"{kind}_spread")):
            means = results[f"unexplained_{kind}"][:, :years].astype(float)
            memory, spread = (getattr(shown, f"{kind}_{name}") for name in ("memory", "spread"))
            seen = world.first_year + np.arange(years) >= recorded[teller]
            yield Gap(kind, kind, world.first_year, means, memory, spread, seen)
    for series in world.record.values():
        if series.kind == "share" and happens(own.taste_spread):
            place = drawn.regions.names.index(series.region), drawn.chemistries.names.index(series.chemistry)
            means = results["unexplained_taste"][:, :years, *place].astype(float)
            share = series.values.at(world.first_year + np.arange(years))
            seen = (share > SEEN) & (share < 1.0 - SEEN)
            name = f"taste {series.region} {series.chemistry}"
            size = lumpiness(share, shown.deciders[:, None])
            yield Gap("taste", name, world.first_year, means, shown.taste_memory, shown.taste_spread, seen, size=size)
    for name in GROWING:
        if name in world.segments and happens(world.segments[name].surprise):
            yield growth(world, drawn, results, name)


def happens(spread: Quantity) -> bool:
    """Whether there is any luck of a kind."""
    return spread.value > 0 or spread.prior is not None


def growth(world: World, drawn: Any, results: Mapping[str, np.ndarray], segment: str) -> Gap:
    """Surprises in the growth of a segment, mean over regions by sales; nothing is known of the first year."""
    row = drawn.segments.names.index(segment)
    years = world.observed_until - world.first_year + 1
    sold = drawn.segments.history[row, :, ::MONTHS][:, 1:years]
    weight = sold / sold.sum(axis=0)
    means = (results["unexplained_growth"][:, 1:years, row].astype(float) * weight.T).sum(axis=-1)
    common, regional = drawn.demand.common[:, None], drawn.demand.regional[:, None]
    shared = common + (1.0 - common) * (1.0 - regional + regional * (weight**2).sum(axis=0))
    kind = f"growth {segment}"
    seen, spread = np.ones(years - 1, bool), drawn.segments.surprise[:, row]
    return Gap(kind, kind, world.first_year + 1, means, drawn.demand.persistence, spread, seen, FROM_YEAR_TO_YEAR, np.sqrt(shared))


def news(seen: np.ndarray, memory: np.ndarray, known: np.ndarray, months: np.ndarray = YEAR) -> tuple[np.ndarray, np.ndarray]:
    """What the years before do not tell of a year, for something that fades (an Ornstein-Uhlenbeck process).

    seen     (member, year) its weighted means
    memory   (member,) years
    known    (year,) whether the year is known; of others the news are 0
    months   weights of the mean
    returns  the news, and their standard deviation where that of the process is one, (member, year) each
    """
    covariance = together(memory, seen.shape[1], months)
    unknown = ~(known[:, None] & known)
    factor = np.linalg.cholesky(np.where(unknown, np.eye(len(known)), covariance))
    unit = np.diagonal(factor, axis1=1, axis2=2)
    return np.linalg.solve(factor, np.where(known, seen, 0.0)[..., None])[..., 0] * unit, unit


def together(memory: np.ndarray, years: int, months: np.ndarray) -> np.ndarray:
    """Covariance (member, year, year) of weighted means of something of spread one that fades by months."""
    weights = np.convolve(months, months[::-1])
    apart = np.subtract.outer(np.arange(years), np.arange(years))[..., None] * MONTHS + np.arange(len(weights)) - len(months) + 1
    return np.exp(-abs(apart) / (memory[:, None, None, None] * MONTHS)) @ weights
