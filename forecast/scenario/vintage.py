"""The world as it could be known at the end of a past year, to replay forecasts that nobody made.

What is taken away: sales, prices, shares and output after the year; the numbers of the year that were restated later;
policies not announced; makers not founded and programmes not seen; the course of paths, which go on as they went.
What stays, because it was there to be known or is a belief with a prior: deposits, saturation of markets, behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from forecast.declare import Block, Path, Prior, Quantity, slots
from forecast.errors import DataError
from forecast.history.observed import CONFIDENCE, observed
from forecast.history.vintages import as_known as as_printed
from forecast.history.vintages import restatements
from forecast.model.world import World

FEWEST_YEARS = 3
TREND_YEARS = 3.0  # the slope of so many years is carried on
FADING = 3.0  # years over which it dies away
AHEAD = 12
DISCOVERY = 12.0  # years within which a deposit unknown at the origin becomes known, at some date
SERIES = {
    "cell_price": "cell_price",
    "lithium_price": "lithium_price",
    "lithium_price_year_end": "lithium_price_year_end",
    "lithium_price_mid_year": "lithium_price_mid_year",
    "mine_output": "mine_output",
    "mineral_price": "mineral_price",
    "share": "lfp_share",
    "sales_last_quarter": "car_sales_last_quarter",
}


def as_known(world: World, year: int, last_year: int | None = None) -> World:
    """The world as an analyst could describe it once the numbers of ``year`` were out, to play from then on.

    last_year  of the simulation; that of the world if None
    Raises DataError for a year that leaves fewer than FEWEST_YEARS of record, or lies after the record's end.
    """
    last = last_on_record(world)
    if not world.first_year + FEWEST_YEARS - 1 <= year <= last:
        raise DataError(f"origin {year}: must be a year from {world.first_year + FEWEST_YEARS - 1} to {last}, the years on record")
    makers = {name: _maker(maker, year) for name, maker in world.manufacturers.items() if maker.founded.value <= year + 1}
    changes = {
        "observed_until": year,
        "prior": "",
        "last_year": world.last_year if last_year is None else last_year,
        "manufacturers": makers,
        "policy": {name: _event(event, year) for name, event in world.policy.items() if _announced(event) <= year + 1},
        "mines": {name: _mine(mine, year) for name, mine in world.mines.items()},
        "record": {name: _series(series, year) for name, series in world.record.items() if series.values.years[0] <= year},
        "segments": {name: _segment(segment, year) for name, segment in world.segments.items()},
    }
    return _with_paths(world.model_copy(update=changes), lambda path: _carried_on(path, year))


def last_on_record(world: World) -> int:
    """Last year that all series of the record reach; the last observed year of demand if there is no record."""
    return min([world.observed_until, *(int(max(series.values.years)) for series in world.record.values())])


def _announced(event: Any) -> float:
    return event.announced.value or event.start.value


def _event(event: Any, year: int) -> Any:
    if event.announced_end.value and event.end.value > year + 1:
        expected = max(event.announced_end.value, year + 1.0)
        return event.model_copy(update={"end": replace(event.announced_end, value=expected)})
    return event


def _maker(maker: Any, year: int) -> Any:
    seen = {name: pipeline for name, pipeline in maker.programmes.items() if pipeline.since.value <= year + 1}
    return maker.model_copy(update={"programmes": seen})


def _mine(mine: Any, year: int) -> Any:
    if mine.known.value <= year + 1:
        return mine
    found = Prior("uniform", (year + 1.0, year + 1.0 + DISCOVERY))
    known = Quantity(found.centre, found, "when it would be found was not known")
    return mine.model_copy(update={"known": known})


def _series(series: Any, year: int) -> Any:
    """The series to the year, whose value is as first printed and will be restated as those before were."""
    kept = _until(series.values, year)
    name, place = SERIES[series.kind], series.region or series.mineral or "world"
    values = Path(kept.years, (*kept.values[:-1], kept.values[-1] * _restated(name, place, year)), kept.source)
    return series.model_copy(update={"values": values, "restatement": _restatement(name, place, year)})


def _segment(segment: Any, year: int) -> Any:
    history = {region: _until(sales, year) for region, sales in segment.history.items()}
    return segment.model_copy(update={"history": history})


def _until(path: Path, year: int) -> Path:
    kept = {y: value for y, value in zip(path.years, path.values, strict=True) if y <= year}
    return Path(tuple(kept), tuple(kept.values()), path.source)


def _restated(series: str, region: str, year: int) -> float:
    """First print of a year over today's value."""
    then, now = as_printed(series, region, origin=year, confidence=CONFIDENCE), observed(series, region, year, confidence=CONFIDENCE)
    return float(then.values[-1] / now.values[-1]) if now.values[-1] > 0 else 1.0


def _restatement(series: str, region: str, year: int) -> Quantity:
    """What is to be expected of the next restatement, from those so far and one year without any."""
    seen = [0.0, *restatements(series, region, origin=year, confidence=CONFIDENCE)]
    mean, spread = float(np.mean(seen)), float(np.std(seen, ddof=1)) if len(seen) > 1 else 0.0
    belief = Prior("normal", (mean, spread)) if spread > 0 else None
    return Quantity(mean, belief, f"first prints of {series} before {year} and today's values")


def _carried_on(path: Path, year: int) -> Path:
    """The path to the next January, then its slope of late, dying away."""
    now = year + 1.0
    if max(path.years) <= now:
        return path
    value, before = (float(path.at(np.array(y))) for y in (now, now - TREND_YEARS))
    slope = np.log(value / before) / TREND_YEARS if min(value, before) > 0 else 0.0
    kept = [(y, v) for y, v in zip(path.years, path.values, strict=True) if y < now]
    coming = [(now + k, value * float(np.exp(slope * FADING * -np.expm1(-k / FADING)))) for k in range(AHEAD + 1)]
    years, values = zip(*kept, *coming, strict=True)
    return Path(years, values, f"to {year}: {path.source}; then its slope of late, dying away")


def _with_paths(block: Block, change: Callable[[Path], Path]) -> Any:
    """A block whose paths are changed, save those of history and record."""
    changes: dict[str, Any] = {}
    for slot in slots(type(block)).values():
        value = getattr(block, slot.name)
        if slot.kind == "path" and slot.name != "values":
            changes[slot.name] = change(value)
        elif isinstance(value, Block):
            changes[slot.name] = _with_paths(value, change)
        elif isinstance(value, dict) and slot.inner is not None:
            changes[slot.name] = {name: _with_paths(inner, change) for name, inner in value.items()}
    return block.model_copy(update=changes)
