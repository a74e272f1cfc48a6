"""When things first happen: distributions over realizations in which "not by the end" is an answer.

A milestone is a year per realization, NaN where it is not reached by the last year. Its quantiles count those
realizations as later than every year (right censoring), so a quantile is NaN when fewer realizations reach it.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from forecast.errors import RequestError
from forecast.model.programmes import STAGES
from forecast.report import views
from forecast.report.views import ALL, WORLD, all_deliveries, by_year, in_blocks, shares, world_deliveries

THRESHOLDS = (0.01, 0.05, 0.10, 0.50)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ENTRY = 0.01
FOOTHOLD = 0.05
CHALLENGER, INCUMBENT = "sodium_ion", "lfp"
COMMERCIAL = len(STAGES) - 1
NEVER = 1e6
MEANINGS = {
    "share_year": "First year in which the share of the year's deliveries is above the threshold",
    "entry_year": "First year with more than 1 % of the world's deliveries in any segment",
    "commercial_year": "First year in which the programme of any maker is commercial",
    "crossover_year": f"First year in which {CHALLENGER} on sale is cheaper than {INCUMBENT}, mean cell price of the year",
    "lasting_crossover_year": f"First year from which {CHALLENGER} stays cheaper than {INCUMBENT} to the end",
}


def first_year(passed: xr.DataArray) -> xr.DataArray:
    """First year that is true, NaN where none is; years must be consecutive."""
    start = float(passed["year"].values[0])

    def first(values: np.ndarray, axis: int) -> np.ndarray:
        return np.where(values.any(axis), start + values.argmax(axis), np.nan).astype(np.float32)

    return passed.reduce(first, "year")


def share_years(results: xr.Dataset) -> xr.DataArray:
    """First year above each threshold (realization, threshold, segment, region, chemistry)."""
    threshold = xr.DataArray(list(THRESHOLDS), dims="threshold")

    def passing(block: xr.DataArray) -> xr.DataArray:
        share = shares(all_deliveries(block))
        return first_year(threshold.astype(share.dtype) < share)

    found = in_blocks(results["deliveries"], passing)
    found = found.assign_coords(threshold=list(THRESHOLDS))
    return found.transpose("realization", "threshold", "segment", "region", "chemistry")


def entry_years(share_year: xr.DataArray) -> xr.DataArray:
    """First year above 1 % in any segment of the world (realization, chemistry)."""
    world = share_year.sel(region=WORLD, threshold=ENTRY, drop=True).drop_sel(segment=ALL)
    return world.min("segment")


def commercial_years(results: xr.Dataset) -> xr.DataArray:
    """First year in which any maker's programme is commercial (realization, chemistry)."""
    return in_blocks(
        results["programme_stage"],
        lambda block: first_year((by_year(block, "max") >= COMMERCIAL).any("manufacturer")),
    )


def cheaper(results: xr.Dataset) -> xr.DataArray:
    """Whether sodium-ion was on sale and cheaper than LFP in the year's mean (realization, year)."""
    price = in_blocks(results["cell_price"], by_year)
    sold = world_deliveries(results).sel(segment=ALL, chemistry=CHALLENGER, drop=True) > 0
    return sold & (price.sel(chemistry=CHALLENGER, drop=True) < price.sel(chemistry=INCUMBENT, drop=True))


def lasting(passed: xr.DataArray) -> xr.DataArray:
    """True from the first year after which it is never false again."""
    backwards = passed.isel(year=slice(None, None, -1)).astype(int)
    return backwards.cumprod("year").isel(year=slice(None, None, -1)).assign_coords(year=passed["year"]).astype(bool)


def milestone_years(results: xr.Dataset) -> xr.Dataset:
    """The year of every milestone in every realization, NaN where it is not reached by the last year."""
    found = {"share_year": share_years(results)}
    found["entry_year"] = entry_years(found["share_year"])
    found["commercial_year"] = commercial_years(results)
    if {CHALLENGER, INCUMBENT} <= set(results["chemistry"].values):
        crossed = cheaper(results)
        found["crossover_year"] = first_year(crossed)
        found["lasting_crossover_year"] = first_year(lasting(crossed))
    for name, year in found.items():
        year.attrs = {"units": "1", "long_name": MEANINGS[name], "comment": "calendar year; missing: not by the last year"}
    first, *_, last = by_year(results["deliveries"].isel(realization=[]))["year"].values
    number = results.sizes["realization"]
    return xr.Dataset(found, attrs={"first_year": int(first), "last_year": int(last), "realizations": number})


def censored_quantiles(year: xr.DataArray, quantiles: tuple[float, ...] = QUANTILES) -> xr.DataArray:
    """Smallest year by which a share q of all realizations has reached it, NaN where it lies after the last year.

    Inverse of the empirical distribution function (Hyndman and Fan 1996, definition 1), so nothing is interpolated
    between a year and "never".
    """
    found = views.quantiles(year.fillna(NEVER), quantiles, "inverted_cdf")
    return found.where(found < NEVER).astype("float32")


def first_segments(share_year: xr.DataArray) -> xr.DataArray:
    """Probability that a segment is the first to pass 5 % of the world's sales (segment, chemistry); ties are shared."""
    world = share_year.sel(region=WORLD, threshold=FOOTHOLD, drop=True).drop_sel(segment=ALL)
    leads = world == world.min("segment")
    return (leads / leads.sum("segment").clip(min=1)).mean("realization").astype("float32")


def milestones(results: xr.Dataset) -> xr.Dataset:
    """All milestones of an ensemble, with censoring.

    For each milestone NAME: ``NAME`` by realization, ``NAME_quantile``, ``NAME_reached`` (probability that it is
    reached by the last year) and ``NAME_from_start`` (probability that it held in the first year already, when it may
    have been reached earlier); and ``first_segment``, the probability that a segment is first to 5 %.
    """
    found = milestone_years(results)
    more = {}
    for name in found.data_vars:
        year, meaning = found[name], MEANINGS[str(name)]
        more[f"{name}_quantile"] = censored_quantiles(year).assign_attrs(
            units="1", long_name=f"{meaning}: quantile", comment="calendar year; missing: after the last year"
        )
        more[f"{name}_reached"] = (
            year.notnull()
            .mean("realization")
            .astype("float32")
            .assign_attrs(units="1", long_name=f"{meaning}: probability that it is reached by the last year")
        )
        more[f"{name}_from_start"] = (
            (year == found.attrs["first_year"])
            .mean("realization")
            .astype("float32")
            .assign_attrs(units="1", long_name=f"{meaning}: probability that it held in the first year")
        )
    more["first_segment"] = first_segments(found["share_year"]).assign_attrs(
        units="1", long_name="Probability that the segment is the first to pass 5 % of the world's sales; ties are shared"
    )
    found = found.assign(more)
    found["quantile"].attrs = {"units": "1", "long_name": "Quantile over realizations"}
    found["threshold"].attrs = {"units": "1", "long_name": "Share that is passed"}
    return found


def year_text(year: float, last_year: int) -> str:
    """A year as people read it; NaN is "after" the last year."""
    return f"after {last_year}" if np.isnan(year) else f"{year:.0f}"


def answer(quantiles: np.ndarray, reached: float, from_start: float, attrs: dict) -> str:
    """One line: median, 90 % interval and probability."""
    first, last = attrs["first_year"], attrs["last_year"]
    if reached == 0:
        return f"after {last} in every realization"
    if from_start == 1:
        return f"{first} or earlier"
    low, middle, high = (year_text(quantiles[i], last) for i in (0, len(quantiles) // 2, -1))
    return f"{middle} ({low} to {high}); {reached:.0%} by {last}".replace("%", " %")


def rows(found: xr.Dataset, region: str | None = WORLD, thresholds: tuple[float, ...] = THRESHOLDS) -> list[dict]:
    """One row per milestone, segment, region, chemistry and threshold; a year is None where it is after the last year.

    region  only this one, or None for all

    Raises ForecastError for a region that is not there.
    """
    chosen = found.sel(threshold=list(thresholds))
    if region is not None:
        if region not in chosen["region"].values:
            raise RequestError(f"region {region}: not in these results; there are {', '.join(chosen['region'].values)}")
        chosen = chosen.sel(region=[region])
    table = []
    for name in MEANINGS:
        if name in chosen:
            table += milestone_rows(chosen, name)
    return table


def milestone_rows(found: xr.Dataset, name: str) -> list[dict]:
    """Rows of one milestone."""
    reached = found[f"{name}_reached"]
    quantiles = found[f"{name}_quantile"].transpose(*reached.dims, "quantile").values
    start = found[f"{name}_from_start"].transpose(*reached.dims).values
    table = []
    for place in np.ndindex(*reached.shape):
        key = {dim: reached[dim].values.tolist()[i] for dim, i in zip(reached.dims, place, strict=True)}
        held = [None if np.isnan(year) else int(year) for year in quantiles[place]]
        table.append(
            {"milestone": name, **key, "probability": round(float(reached.values[place]), 4)}
            | {f"q{round(100 * q):02d}": year for q, year in zip(found["quantile"].values, held, strict=True)}
            | {"from_start": round(float(start[place]), 4)}
            | {"answer": answer(quantiles[place], float(reached.values[place]), float(start[place]), found.attrs)}
        )
    return table


def first_segment_rows(found: xr.Dataset) -> list[dict]:
    """One row per chemistry: which segments may be first to 5 %, most likely first, and the chance of none."""
    table = []
    for chemistry in found["chemistry"].values:
        chance = found["first_segment"].sel(chemistry=chemistry)
        order = np.argsort(-chance.values, kind="stable")
        likely = {str(chance["segment"].values[i]): round(float(chance.values[i]), 4) for i in order if chance.values[i] > 0}
        table.append({"chemistry": str(chemistry), "segments": likely, "none": round(max(0.0, 1 - float(chance.sum())), 4)})
    return table
