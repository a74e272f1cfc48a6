"""What a replay leaves unexplained, year by year: the evidence for and against the parameters that played it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from forecast.errors import DataError
from forecast.model.world import World

MONTHS = 12
GROWING = ("mass_cars", "premium_cars", "commercial_vehicles", "stationary_grid", "stationary_home")
"""Segments whose growth counts as evidence: those with observed histories."""
LEVELS = ("cell_price", "mine_output", "lithium_price")
SPREADS = {
    **{kind: f"unexplained.{kind}_spread" for kind in LEVELS},
    "taste": "unexplained.taste_spread",
    **{f"growth {name}": f"segments.{name}.surprise" for name in GROWING},
}
"""Kinds of evidence, and the number that says how large each should be."""
SEEN = 0.01  # shares below say nothing of tastes


@dataclass(frozen=True)
class Evidence:
    """Surprises of replays, and how large they should be.

    kinds   (datum,) key of SPREADS
    names   (datum,) such as "cell_price 2019"
    values  (member, datum), zero expected
    unit    (member, datum) standard deviation of each value where the spread of its kind is one
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    values: np.ndarray
    unit: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """All fields as arrays, to be kept."""
        return {"kinds": np.array(self.kinds), "names": np.array(self.names), "values": self.values, "unit": self.unit}

    @classmethod
    def of_arrays(cls, kept: Mapping[str, np.ndarray]) -> Evidence:
        """What ``arrays`` gave."""
        return cls(tuple(kept["kinds"].tolist()), tuple(kept["names"].tolist()), kept["values"], kept["unit"])

    def of(self, kind: str) -> np.ndarray:
        """Places of one kind."""
        return np.array([i for i, own in enumerate(self.kinds) if own == kind], int)


class Gap(NamedTuple):
    """Something unexplained: its yearly means (member, year) from a first year on, and how long it lasts (member,) years.

    seen  (year,) whether the record can tell
    size  (member, year) its spread over that of its kind
    """

    kind: str
    name: str
    first: int
    means: np.ndarray
    memory: np.ndarray
    seen: np.ndarray
    size: np.ndarray | float = 1.0


def evidence(world: World, drawn: Any, results: Mapping[str, np.ndarray]) -> Evidence:
    """Yearly surprises of a block of replays of a world with a record: the part of every gap that is new each year.

    Raises DataError for a record that holds nothing to anything unexplained.
    """
    kinds, names, values, units = [], [], [], []
    for gap in gaps(world, drawn, results):
        fresh, unit = news(gap.means, gap.memory)
        unit = unit * gap.size
        for i in range(fresh.shape[1]):
            if gap.seen[max(i - 1, 0) : i + 1].all():
                kinds.append(gap.kind)
                names.append(f"{gap.name} {gap.first + i}")
                values.append(fresh[:, i])
                units.append(unit[:, i])
    if not values:
        raise DataError(f"the record says nothing of {', '.join(SPREADS)}: there is nothing to learn from")
    return Evidence(tuple(kinds), tuple(names), np.stack(values, axis=-1), np.stack(units, axis=-1))


def gaps(world: World, drawn: Any, results: Mapping[str, np.ndarray]) -> Iterator[Gap]:
    """All that is unexplained and on record."""
    years = world.observed_until - world.first_year + 1
    always = np.ones(years, bool)
    recorded = {series.kind for series in world.record.values()}
    for kind in LEVELS:
        if kind in recorded:
            means = results[f"unexplained_{kind}"][:, :years].astype(float)
            yield Gap(kind, kind, world.first_year, means, getattr(drawn.unexplained, f"{kind}_memory"), always)
    for series in world.record.values():
        if series.kind == "share":
            place = drawn.regions.names.index(series.region), drawn.chemistries.names.index(series.chemistry)
            means = results["unexplained_taste"][:, :years, *place].astype(float)
            seen = series.values.at(world.first_year + np.arange(years)) > SEEN
            yield Gap("taste", f"taste {series.region} {series.chemistry}", world.first_year, means, drawn.unexplained.taste_memory, seen)
    for name in GROWING:
        if name in drawn.segments.names:
            yield growth(world, drawn, results, name)


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
    return Gap(kind, kind, world.first_year + 1, means, drawn.demand.persistence, np.ones(years - 1, bool), np.sqrt(shared))


def news(mean: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is new each year in the yearly means of something that fades (an Ornstein-Uhlenbeck process).

    mean     (member, year)
    memory   (member,) years
    returns  the news, and their standard deviation where that of the process is one, (member, year) each
    """
    rate = 1.0 / memory[:, None]
    variance = 2.0 * (rate - 1.0 + np.exp(-rate)) / rate**2
    kept = ((1.0 - np.exp(-rate)) / rate) ** 2 / variance
    fresh = np.concatenate([mean[:, :1], mean[:, 1:] - kept * mean[:, :-1]], axis=1)
    later = np.repeat(np.sqrt(variance * (1.0 - kept**2)), mean.shape[1] - 1, axis=1)
    return fresh, np.concatenate([np.sqrt(variance), later], axis=1)
