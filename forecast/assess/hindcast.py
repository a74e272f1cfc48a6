"""The track record: forecasts from past years, made with what was known then, beside naive rivals, and the years that followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast import streams
from forecast.assess.calibrate import BLOCK, MEMBERS, STEPS, Progress, Replay, calibrate, prepare, processes
from forecast.assess.memory import Memory
from forecast.assess.observables import OBSERVABLES, Observable, observable
from forecast.assess.rivals import EXTRA_LUCK, RIVALS, Past
from forecast.ensemble.engines import Engine
from forecast.errors import DataError, RequestError
from forecast.history.observed import CONFIDENCE, regions
from forecast.history.vintages import as_known as as_printed
from forecast.model.world import World
from forecast.scenario.vintage import as_known

if TYPE_CHECKING:
    import xarray as xr

MODEL = "model"
ORIGINS = (2018, 2019, 2020, 2021, 2022, 2023, 2024)
HORIZON = 5
LONGEST = 10
PARTS = 100  # of progress, for one origin
UNSEEN = 500_000
"""Number of the first realization of a forecast: its luck is none that a member was fitted to."""
QUARTERS = "car_sales_last_quarter"
SINCE = 2010
"""First year that rivals see."""


@dataclass(frozen=True)
class Projection(Replay):
    """Replays that play on beyond the record; what they say of every series is kept."""

    names: tuple[str, ...] = ()

    def __call__(self, block: int) -> tuple[int, dict[str, np.ndarray]]:  # type: ignore[override]
        drawn, results = self.play(block)
        return block, {name: OBSERVABLES[name].simulated(drawn, results) for name in self.names}


def hindcast(
    world: World,
    origins: Sequence[int] = ORIGINS,
    horizon: int = HORIZON,
    seed: int = 1,
    *,
    names: Sequence[str] = tuple(OBSERVABLES),
    members: int = MEMBERS,
    steps: int = STEPS,
    engine: Engine | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Forecast every series from every origin, as the model and its rivals would have.

    origins  years whose numbers are the last to be known
    horizon  years ahead
    names    of observables
    engine   where replays are computed; processes on all cores if None. Changes no number
    returns  the forecasts as samples, the values that followed and those known then; see ``as_dataset``

    Raises what ``check`` raises.
    """
    check(world, origins, horizon, names, members, steps)
    memory, engine = memory or Memory(), engine or processes()
    found: dict[int, Mapping[str, np.ndarray]] = {}
    for count, origin in enumerate(origins):
        if (kept := memory.recall(f"origin-{origin}")) is None:
            tell = _within(progress, count, len(origins))
            kept = forecasts(world, origin, horizon, seed, names, members, steps, engine, tell)
            memory.keep(f"origin-{origin}", kept)
        found[origin] = kept
        _within(progress, count, len(origins))(1, 1)
    return as_dataset(found, horizon, names)


def _within(progress: Progress | None, done: int, wanted: int) -> Progress:
    """Report parts of one origin as parts of all."""

    def tell(part: int, whole: int) -> None:
        if progress is not None:
            progress(PARTS * done + PARTS * part // whole, PARTS * wanted)

    return tell


def check(world: World, origins: Sequence[int], horizon: int, names: Sequence[str], members: int = MEMBERS, steps: int = STEPS) -> None:
    """Raise DataError unless every series can be forecast from every origin and something can be judged.

    Raises ForecastError for a horizon that makes no sense, and what ``calibrate`` raises.
    """
    if not 1 <= horizon <= LONGEST:
        raise RequestError(f"horizon {horizon}: must be from 1 to {LONGEST} years")
    if not names:
        raise DataError("no series; must be at least one")
    if not origins:
        raise DataError("no origin; must be at least one")
    for origin in origins:
        prepare(world, origin, members, steps)
        for name in names:
            observable(name).past(origin)
    if min(origins) >= max(year for name in names for year in observable(name).final()):
        raise DataError(f"origin {min(origins)}: nothing is known of the years after it, so it cannot be judged")


def forecasts(
    world: World, origin: int, horizon: int, seed: int, names: Sequence[str], members: int, steps: int, engine: Engine, progress: Progress
) -> dict[str, np.ndarray]:
    """Samples of all forecasters from one origin, "forecaster series" -> (draw, horizon)."""
    found = calibrate(world, origin, seed, members=members, steps=steps, engine=engine, progress=progress)
    ahead = as_known(world, origin, origin + horizon)
    simulated = project(Projection(ahead, seed, found.given, members, UNSEEN, tuple(names)), engine)
    first = origin + 1 - world.first_year
    made = {}
    for name in names:
        own, past = OBSERVABLES[name], past_of(OBSERVABLES[name], origin)
        luck = streams.normal(seed, f"measured {name} {origin}", np.arange(members), horizon)
        made[f"{MODEL} {name}"] = own.measured(simulated[name][:, first : first + horizon], luck).astype(np.float32)
        for rival, forecast in RIVALS.items():
            luck = streams.normal(seed, f"rival {rival} {name} {origin}", np.arange(members), horizon + EXTRA_LUCK)
            samples = forecast(past, horizon, luck)
            if samples is not None:
                made[f"{rival} {name}"] = samples.astype(np.float32)
    return made


def project(work: Projection, engine: Engine) -> dict[str, np.ndarray]:
    """What all members say of every series, (member, year) each."""
    with closing(engine.compute(work, work.blocks)) as finished:
        parts = dict(finished)
    assert len(parts) == -(-work.members // BLOCK)
    return {name: np.concatenate([parts[block][name] for block in sorted(parts)]) for name in work.names}


def past_of(own: Observable, origin: int) -> Past:
    """What rivals see of a series, and of what the model knows besides: batteries made, last quarters, lithium prices of year-ends."""
    seen = own.past(origin)
    recent = seen.years >= SINCE
    experience = pace = latest = None
    if own.name == "cell_price":
        sold = OBSERVABLES["ev_battery_demand"].past(origin)
        made = dict(zip(sold.years.tolist(), np.cumsum(sold.values).tolist(), strict=True))
        recent &= np.isin(seen.years, sold.years)
        experience = np.array([made[year] for year in seen.years[recent].tolist()])
    elif own.name == "ev_battery_demand":
        pace = pace_of_quarters(origin, seen.years[recent])
    elif own.name == "lithium_price":
        told = _by_year("lithium_price_year_end", own.region, origin)
        latest = np.array([told.get(year, np.nan) for year in seen.years[recent].tolist()])
    return Past(seen.years[recent], seen.values[recent], own.scale, experience, pace, latest, own.price)


def pace_of_quarters(origin: int, years: np.ndarray) -> np.ndarray:
    """Logarithm of the growth of the world's electric cars from last quarter to last quarter, (year,); NaN where it was not known.

    Regions grow as their cars of the last quarter did, the rest of the world by years; they weigh as much as the batteries of the year.
    """
    quarters = {place: _by_year(QUARTERS, place, origin) for place in regions(QUARTERS)}
    batteries = {place: _by_year("ev_battery_demand", place, origin) for place in (*quarters, "world")}
    pace = np.full(len(years), np.nan)
    for i, year in enumerate(years.tolist()):
        if all(year in told for told in quarters.values()) and all({year - 1, year} <= set(told) for told in batteries.values()):
            now, before = ({place: told[when] for place, told in batteries.items()} for when in (year, year - 1))
            rest = [each["world"] - sum(each[place] for place in quarters) for each in (now, before)]
            grown = [(now[place], told[year]) for place, told in quarters.items()] + [(rest[0], rest[0] / rest[1])]
            pace[i] = -np.log(sum(weight / ratio for weight, ratio in grown) / now["world"])
    return pace


def _by_year(series: str, region: str, origin: int) -> dict[int, float]:
    known = as_printed(series, region, origin=origin, confidence=CONFIDENCE)
    return dict(zip(known.years.tolist(), known.values.tolist(), strict=True))


def as_dataset(found: Mapping[int, Mapping[str, np.ndarray]], horizon: int, names: Sequence[str]) -> xr.Dataset:
    """All forecasts and what became of them.

    prediction  (series, origin, horizon, forecaster, draw) in the unit of the series; NaN where a rival does not apply
    observed    (series, origin, horizon) as known today; NaN where it is not, or not well enough to judge by
    past        (series, year) as known today
    as_known    (series, origin, year) as known at the origin
    """
    import xarray as xr

    origins, forecasters = list(found), [MODEL, *RIVALS]
    draws = len(next(iter(found[origins[0]].values())))
    prediction = np.full((len(names), len(origins), horizon, len(forecasters), draws), np.nan, np.float32)
    observed = np.full(prediction.shape[:3], np.nan)
    years = np.arange(SINCE, max(origins) + horizon + 1)
    past, known = np.full((len(names), len(years)), np.nan), np.full((len(names), len(origins), len(years)), np.nan)
    for i, name in enumerate(names):
        own = OBSERVABLES[name]
        final = own.final()
        past[i] = [final.get(year, np.nan) for year in years.tolist()]
        for j, origin in enumerate(origins):
            for k, forecaster in enumerate(forecasters):
                if (samples := found[origin].get(f"{forecaster} {name}")) is not None:
                    prediction[i, j, :, k] = samples.T
            observed[i, j] = [final.get(origin + ahead, np.nan) for ahead in range(1, horizon + 1)]
            seen = own.past(origin)
            known[i, j, np.searchsorted(years, seen.years[seen.years >= SINCE])] = seen.values[seen.years >= SINCE]
    chosen = [OBSERVABLES[name] for name in names]
    return xr.Dataset(
        {
            "prediction": (("series", "origin", "horizon", "forecaster", "draw"), prediction),
            "observed": (("series", "origin", "horizon"), observed),
            "past": (("series", "year"), past),
            "as_known": (("series", "origin", "year"), known),
            **{key: ("series", np.array([getattr(own, key) for own in chosen], object)) for key in ("unit", "scale", "title")},
        },
        {
            "series": np.array(names, object),
            "origin": origins,
            "horizon": ("horizon", np.arange(1, horizon + 1), {"units": "year"}),
            "forecaster": np.array(forecasters, object),
            "year": years,
        },
    )
