"""Reads the observed series that the package ships, one tidy CSV per series beside this file.

Columns: series, region, year, value, unit, source, source_url, confidence, known_from, note. Licences: SOURCES.md.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from forecast.errors import DataError

CONFIDENCE = ("high", "medium", "low")


@dataclass(frozen=True)
class Observation:
    """One series in one region, by rising year; all arrays are (year,).

    years int; values float in `unit`; source, confidence, known_from and note one text per year.
    known_from is the ISO date from which some value of that year was public, empty if unknown.
    """

    series: str
    region: str
    unit: str
    years: np.ndarray
    values: np.ndarray
    source: tuple[str, ...]
    confidence: tuple[str, ...]
    known_from: tuple[str, ...]
    note: tuple[str, ...]


def observed(
    series: str,
    region: str = "world",
    until: int | None = None,
    known_by: str | datetime.date | None = None,
    confidence: Iterable[str] = ("high", "medium"),
) -> Observation:
    """One observed series, cut to what a question may use.

    region      china, europe, united_states, india, rest_of_world or world; the maker for manufacturer_share, the country for
                mine_output_by_country
    until       last year wanted
    known_by    ISO date; only values public by then. Values are today's best; a replay of the past should
                ask vintages.as_known, which gives the last year as it was first printed
    confidence  the grades to accept, of high, medium, low; low rows are assumptions or from memory

    Units are those of the file (GWh/year, USD2024/kWh, USD2024/t, t/year, 1 for shares).
    Raises DataError for an unknown series or region, a bad date or grade, or when no row is left.
    """
    rows = rows_of(series, region)
    kept = rows_of(series, region, confidence)
    if until is not None:
        kept = [row for row in kept if int(row["year"]) <= until]
    if known_by is not None:
        date = _date(known_by)
        kept = [row for row in kept if row["known_from"] and row["known_from"] <= date]
    if not kept:
        raise DataError(
            f"observed {series}, {region}: none of {len(rows)} rows is left with until={until}, "
            f"known_by={known_by}, confidence={tuple(confidence)}; the rows run from {rows[0]['year']} to "
            f"{rows[-1]['year']}, graded {', '.join(sorted({row['confidence'] for row in rows}))}"
        )
    return as_observation(series, region, kept)


def names() -> tuple[str, ...]:
    """The series that observed() knows, in alphabetical order; those named outlook_... are scenarios of others."""
    return tuple(sorted(_all_rows()))


def regions(series: str) -> tuple[str, ...]:
    """The regions (makers or countries, where series have these) of one series; raises DataError if it is unknown."""
    if series not in _all_rows():
        raise DataError(f"observed series {series!r} is unknown; allowed: {', '.join(names())}")
    return tuple(sorted({row["region"] for row in _all_rows()[series]}))


def rows_of(series: str, region: str, confidence: Iterable[str] = CONFIDENCE) -> list[dict[str, str]]:
    """The rows of one series and region by rising year, as texts by column, perhaps none of the grades asked for.

    Raises DataError for an unknown series, region or grade.
    """
    if region not in regions(series):
        raise DataError(f"observed {series}: region {region!r} is unknown; allowed: {', '.join(regions(series))}")
    grades = _grades(confidence)
    return [row for row in _all_rows()[series] if row["region"] == region and row["confidence"] in grades]


def _grades(confidence: Iterable[str]) -> frozenset[str]:
    given = frozenset((confidence,) if isinstance(confidence, str) else confidence)
    if not given or given - set(CONFIDENCE):
        raise DataError(f"confidence {sorted(given)}: allowed are {', '.join(CONFIDENCE)}")
    return given


def _date(known_by: str | datetime.date) -> str:
    try:
        return datetime.date.fromisoformat(str(known_by)).isoformat()
    except ValueError as error:
        raise DataError(f"known_by {known_by!r}: must be an ISO date such as 2020-12-31") from error


def as_observation(series: str, region: str, rows: list[dict[str, str]]) -> Observation:
    """One or more rows of one series and region as an Observation that nobody can edit."""

    def texts(column: str) -> tuple[str, ...]:
        return tuple(row[column] for row in rows)

    years = np.array([int(row["year"]) for row in rows])
    values = np.array([float(row["value"]) for row in rows])
    # history is not to be edited in place
    years.flags.writeable = values.flags.writeable = False
    return Observation(
        series, region, rows[0]["unit"], years, values,
        texts("source"), texts("confidence"), texts("known_from"), texts("note"),
    )  # fmt: skip


@cache
def _all_rows() -> dict[str, list[dict[str, str]]]:
    """Rows by series, each series by region and rising year."""
    found: dict[str, list[dict[str, str]]] = {}
    for file in resources.files(__package__).iterdir():
        if file.name.endswith(".csv"):
            for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
                found.setdefault(row["series"], []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: (row["region"], int(row["year"])))
    return found
