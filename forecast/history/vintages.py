"""What an analyst knew: the observed series as they stood in the middle of the year after an origin.

Of some series two editions are kept: today's, and the first print of each year. The final values are observed.observed().
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

from forecast.errors import DataError
from forecast.history.observed import Observation, as_observation, names, observed, regions, rows_of

# the edition that was public by this day of the year after the origin
DEADLINE = "07-31"
BASE_YEAR = 2024
# Not ev_battery_demand: what the outlooks print first counts other modes, and joined to today's years it would falsify growth.
FIRST_PRINTS = {
    "cell_price": "cell_price_first_print",
    "lithium_price": "lithium_price_first_print",
    "lithium_price_nominal": "lithium_price_first_print",
    "mine_output": "mine_output_first_print",
}


def as_known(series: str, region: str = "world", *, origin: int, confidence: Iterable[str] = ("high", "medium")) -> Observation:
    """One series as an analyst had it on 31 July of the year after the origin.

    origin      the last year that may be used
    confidence  the grades to accept, of high, medium, low, in both editions

    Years up to the origin whose known_from is not later than that day. The year of the origin is as first printed, where
    that is on file; earlier years are in today's edition, as if the restatement had been out a year later. Units as in
    observed(); a first print in nominal dollars is brought to dollars of 2024.
    Raises DataError for an unknown series, region or grade, a series without vintages, an origin outside the years with
    data, or when nothing was public by then.
    """
    grades = (confidence,) if isinstance(confidence, str) else tuple(confidence)
    rows = rows_of(series, region, grades)
    question = f"as_known {series}, {region}, origin {origin}"
    if series not in with_vintages():
        raise DataError(f"{question}: {series} has no vintages; allowed: {', '.join(with_vintages())}")
    _check_origin(question, origin, rows, grades)
    known = [row for row in rows if int(row["year"]) <= origin and _is_public(row, origin)]
    first = _first_print(series, region, origin, grades)
    if first:
        known = [row for row in known if int(row["year"]) < origin] + [_in_unit_of(rows[0]["unit"], first)]
    if not known:
        raise DataError(
            f"{question}: nothing was public by {origin + 1}-{DEADLINE}; rows graded {', '.join(grades)} were public "
            f"from {min((row['known_from'] for row in rows if row['known_from']), default='no date on file')}"
        )
    return as_observation(series, region, known)


def restatements(series: str, region: str = "world", *, origin: int, confidence: Iterable[str] = ("high", "medium")) -> list[float]:
    """By how much first prints were restated: logarithm of today's value over the first print, of each year before the origin.

    Years that lack either are left out: nothing is left of a series without first prints on file. The restatement of a year
    counts as public a year later, as in as_known().
    """
    grades = (confidence,) if isinstance(confidence, str) else tuple(confidence)
    rows = rows_of(series, region, grades)
    now = {int(row["year"]): float(row["value"]) for row in rows}
    first = {year: _first_print(series, region, year, grades) for year in now if year < origin}
    printed = {year: float(_in_unit_of(rows[0]["unit"], row)["value"]) for year, row in first.items() if row}
    return [math.log(now[year] / value) for year, value in printed.items()]


@cache
def with_vintages() -> tuple[str, ...]:
    """The observed series whose rows say from when they were public, in alphabetical order; as_known() takes these."""

    def dated(series: str) -> bool:
        return any(row["known_from"] for region in regions(series) for row in rows_of(series, region))

    return tuple(series for series in names() if dated(series) and not series.startswith("outlook_"))


def to_2024_dollars(value: float, year: int) -> float:
    """Dollars of a year in dollars of 2024, by the US GDP deflator; raises DataError for a year without one."""
    found = observed("us_gdp_deflator", "united_states")
    level = dict(zip(found.years.tolist(), found.values.tolist(), strict=True))
    if year not in level:
        raise DataError(f"us_gdp_deflator: no value for {year}; allowed: {min(level)} to {max(level)}")
    return value * level[BASE_YEAR] / level[year]


def _check_origin(question: str, origin: int, rows: list[dict[str, str]], grades: tuple[str, ...]) -> None:
    if not rows:
        raise DataError(f"{question}: no row is graded {', '.join(grades)}; ask for other grades")
    first, last = int(rows[0]["year"]), int(rows[-1]["year"])
    if not first <= origin <= last:
        raise DataError(f"{question}: the origin must be a year from {first} to {last}, those with rows graded {', '.join(grades)}")


def _is_public(row: dict[str, str], origin: int) -> bool:
    return "" < row["known_from"] <= f"{origin + 1}-{DEADLINE}"


def _first_print(series: str, region: str, origin: int, grades: tuple[str, ...]) -> dict[str, str] | None:
    """The first print of the origin's year, if one is on file, of an accepted grade and public in time."""
    edition = FIRST_PRINTS.get(series)
    if edition is None or region not in regions(edition):
        return None
    rows = (row for row in rows_of(edition, region, grades) if int(row["year"]) == origin and _is_public(row, origin))
    return next(rows, None)


def _in_unit_of(unit: str, row: dict[str, str]) -> dict[str, str]:
    """A row of a first print in the unit of its series."""
    value = float(row["value"])
    if row["unit"] != unit:
        if row["unit"].replace("USD/", "USD2024/") != unit:
            raise DataError(f"{row['series']}, {row['year']}: {row['unit']} cannot be brought to {unit}")
        value = to_2024_dollars(value, int(row["year"]))
    return row | {"value": repr(value), "unit": unit, "note": f"first print {row['value']} {row['unit']}; {row['note']}"}
