"""What the parts of a world say of each other: names that must exist, shares that must add up, years that must fit.

Fields that could not be read are absent from their blocks; they have been reported, and are passed over here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from forecast.declare import slots
from forecast.ensemble.metadata import MAPPINGS
from forecast.model.market import COLUMNS, COST_PARTS, MONTHS
from forecast.model.world import World
from forecast.scenario.building import Builder
from forecast.scenario.layers import nearest
from forecast.scenario.reading import short

EARLIEST, LATEST = 2015, 2100
HISTORY_FROM = 2015
MOST_BUYERS = 10_000_000
MOST_BLOCKS = 1000
MOST_NUMBERS = 100_000_000
"""Numbers that a world may record if it is kept by month, 400 MB; fifty times the baseline."""
TOLERANCE = 1e-6
ENDS, MIDDLES = "lithium_price_year_end", "lithium_price_mid_year"
LATE = (ENDS, MIDDLES, "sales_last_quarter")
"""Kinds of record that may begin after the simulation."""
OF = {"share": ("region", "chemistry"), "sales_last_quarter": ("region",), "mineral_price": ("mineral",)}
"""What a series of some kinds of record is of; of other kinds there is one."""
OF_SEGMENTS = ("share", "sales_last_quarter")
"""Kinds of record of the sales of some segments."""
NEEDED = ("regions", "chemistries", "segments", "manufacturers", "mines")


def check(world: World, builder: Builder) -> None:
    """Add to the builder's problems whatever does not fit together."""
    for find in (_why, _years, _sizes, _needed, _events, _makers, _mines, _programmes, _segments, _buyers, _record):
        for where, problem in find(world):
            builder.problems.add(builder.place(where), where, problem)


def _why(world: World) -> Iterator[tuple[str, str]]:
    if not getattr(world, "why", "said"):
        yield "why", "empty; must say in one line why the scenario exists"


def _years(world: World) -> Iterator[tuple[str, str]]:
    if not EARLIEST <= world.first_year < LATEST:
        yield "first_year", f"{world.first_year}; must be from {EARLIEST} to {LATEST - 1}"
    if not world.first_year < world.last_year <= LATEST:
        yield "last_year", f"{world.last_year}; must be after first_year ({world.first_year}) and at most {LATEST}"
    if world.observed_until < world.first_year:
        yield "observed_until", f"{world.observed_until}; must not be before first_year ({world.first_year})"


def _sizes(world: World) -> Iterator[tuple[str, str]]:
    for name in (slot.name for slot in slots(World).values() if slot.kind == "blocks"):
        if len(getattr(world, name)) > MOST_BLOCKS:
            yield name, f"{len(getattr(world, name))} blocks; must be at most {MOST_BLOCKS}"
    lengths = {dim: len(COST_PARTS) if dim == "cost_part" else len(getattr(world, name, ())) for dim, name in MAPPINGS.items()}
    months = MONTHS * (min(max(world.last_year - world.first_year, 0), LATEST - EARLIEST) + 1)
    numbers = months * sum(math.prod(lengths[dim] for dim in column.dims) for column in COLUMNS.values())
    if numbers > MOST_NUMBERS:
        longest, most = max((length, MAPPINGS[dim]) for dim, length in lengths.items() if dim != "cost_part")[::-1]
        yield longest, f"{most} blocks, with all others {numbers:,} numbers to record; must be at most {MOST_NUMBERS:,}"


def _needed(world: World) -> Iterator[tuple[str, str]]:
    for name in NEEDED:
        if not getattr(world, name):
            yield name, "empty; must have at least one"


def _events(world: World) -> Iterator[tuple[str, str]]:
    kinds = [slot.name for slot in slots(World).values() if slot.kind == "blocks"]
    for name, event in world.policy.items():
        for kind in kinds:
            for mentioned in getattr(event, kind, ()):
                if mentioned not in getattr(world, kind):
                    yield f"policy.{name}.{kind}", f"{short(mentioned)!r}; unknown name of {kind}{nearest(mentioned, getattr(world, kind))}"
        start, end = getattr(event, "start", None), getattr(event, "end", None)
        if start and end and end.value <= start.value:
            yield f"policy.{name}.end", f"{end.value:g}; must be after start ({start.value:g})"


def _makers(world: World) -> Iterator[tuple[str, str]]:
    for name, maker in world.manufacturers.items():
        region = getattr(maker, "region", None)
        if region is not None and region not in world.regions:
            yield f"manufacturers.{name}.region", f"{short(region)!r}; unknown name of regions{nearest(region, world.regions)}"
        for chemistry in maker.programmes:
            if chemistry not in world.programmes:
                yield f"manufacturers.{name}.programmes.{chemistry}", "has no block in programmes; must have one to be developed"


def _mines(world: World) -> Iterator[tuple[str, str]]:
    for name, mine in world.mines.items():
        if getattr(mine, "status", "") == "construction" and hasattr(mine, "capacity") and not mine.capacity.value:
            yield f"mines.{name}.capacity", "0; must be above 0: what is under construction"


def _programmes(world: World) -> Iterator[tuple[str, str]]:
    for name in world.programmes:
        if name not in world.chemistries:
            yield f"programmes.{name}", f"unknown name of chemistries{nearest(name, world.chemistries)}"
    for name, chemistry in world.chemistries.items():
        if chemistry.programme and name not in world.programmes:
            yield f"chemistries.{name}.programme", f"true; must have a block programmes.{name}"


def _segments(world: World) -> Iterator[tuple[str, str]]:
    first, last = HISTORY_FROM, world.observed_until
    for name, segment in world.segments.items():
        shares = getattr(segment, "opening_shares", None)
        total = 1.0 if shares is None else sum(share.value for share in shares.values())
        if abs(total - 1) > TOLERANCE:
            yield f"segments.{name}.opening_shares", f"sum to {total:.8g}; must sum to 1"
        for region, path in getattr(segment, "history", {}).items():
            if path.years[0] > first or path.years[-1] < last:
                yield f"segments.{name}.history.{region}", f"covers {path.years[0]:g}-{path.years[-1]:g}; must cover {first}-{last}"


def _buyers(world: World) -> Iterator[tuple[str, str]]:
    if not 1 <= world.buyers.number <= MOST_BUYERS:
        yield "buyers.number", f"{world.buyers.number}; must be from 1 to {MOST_BUYERS}"


def _record(world: World) -> Iterator[tuple[str, str]]:
    for name, series in world.record.items():
        kind, where = getattr(series, "kind", ""), f"record.{name}"
        for field, names in (("region", world.regions), ("chemistry", world.chemistries), ("mineral", world.minerals)):
            said = getattr(series, field, "")
            if field in OF.get(kind, ()) and said not in names:
                yield f"{where}.{field}", f"{short(said)!r}; must be a name of the scenario's{nearest(said, names)}"
        if kind and sum(_subject(each) == _subject(series) for each in world.record.values()) > 1:
            of = f" of {' '.join(_subject(series)[1:])}" if kind in OF else ""
            yield f"{where}.kind", f"{kind}{of}; there must be one series of this kind"
        if hasattr(series, "values"):
            late = kind in LATE
            if not late and series.from_year > world.first_year:
                yield (
                    f"{where}.from_year",
                    f"{series.from_year}; only prices at a day and last quarters may begin after {world.first_year}",
                )
            first = series.from_year if late else world.first_year
            if min(series.values.years) > first or max(series.values.years) < world.observed_until:
                yield (
                    f"{where}.values",
                    f"{min(series.values.years):g} to {max(series.values.years):g}; must reach from {first} to {world.observed_until}",
                )
    on_record = [getattr(series, "kind", "") for series in world.record.values()]
    if MIDDLES in on_record and ENDS not in on_record:
        yield "record", f"holds {MIDDLES} without {ENDS}; must hold both, as the price runs from the end of a year to the next"
    if set(OF_SEGMENTS) & set(on_record) and not world.unexplained.segments:
        yield "unexplained.segments", "empty; must name the segments whose shares and last quarters are on record"
    for said in world.unexplained.segments:
        if said not in world.segments:
            yield "unexplained.segments", f"{short(said)!r}; unknown name of segments{nearest(said, world.segments)}"
    if world.unexplained.reference and world.unexplained.reference not in world.chemistries:
        yield (
            "unexplained.reference",
            f"{short(world.unexplained.reference)!r}; unknown name of chemistries{nearest(world.unexplained.reference, world.chemistries)}",
        )


def _subject(series: Any) -> tuple[str, ...]:
    """Kind of a series, and what it is of."""
    kind = getattr(series, "kind", "")
    return (kind, *(getattr(series, field, "") for field in OF.get(kind, ())))
