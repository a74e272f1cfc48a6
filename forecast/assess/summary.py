"""The small file to share: quantiles of the main variables over realizations, milestones and adoption curves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from itertools import pairwise

import numpy as np
import xarray as xr

from forecast.assess.curves import fit_curves
from forecast.assess.milestones import milestones
from forecast.model.market import COLUMNS, DERIVED, MONTHS, Column
from forecast.report import views
from forecast.report.views import ALL, WORLD, by_year, in_blocks, shares, with_total, years

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
AS_RECORDED = (
    "cell_price", "mean_cell_price", "lithium_price", "lithium_supply", "lithium_demand", "lithium_inventory", "lithium_recycled",
    "offer_price", "cost_of", "experience", "specific_energy", "application_alignment", "supply_chain_readiness",
    "cost_sustainability", "mineral_price", "component_price", "component_shortage",
)  # fmt: skip
WITH_SHARES = 3
"""Times the size of deliveries, about: with their totals, and as many shares."""
HALF_A_MONTH = timedelta(days=15)
SUMMED = {"capacity": "manufacturer", "output": "manufacturer", "mine_output": "mine", "stock": "region"}


def declared(name: str) -> Column:
    """Unit and meaning of a recorded or derived variable."""
    return COLUMNS[name] if name in COLUMNS else DERIVED[name][0]


def described(array: xr.DataArray, name: str, over: str = "") -> xr.DataArray:
    """The array with the unit and meaning of the recorded variable it comes from."""
    column = declared(name)
    return array.assign_attrs(units=column.unit, long_name=f"{column.meaning}{over}", comment="quantiles over realizations")


def on_time(array: xr.DataArray, results: xr.Dataset) -> xr.DataArray:
    """A view by ``year`` back on the ``time`` of the results; those by month alone have none, and get the middles of their years."""
    if "time" not in results.coords:
        june = results["month"].variable[MONTHS // 2 - 1 :: MONTHS]
        results = results.assign_coords(time=("time", june.values + HALF_A_MONTH, june.attrs | {"long_name": "Middle of the year"}))
    return array.drop_vars("year").rename(year="time").assign_coords(time=results["time"])


def quantiles_of_sold(deliveries: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Quantiles of deliveries and of shares by segment (with ``all``) and region (with ``world``), which are read once."""

    def with_totals(block: xr.DataArray) -> xr.DataArray:
        return with_total(by_year(with_total(block, "region", WORLD), "sum"), "segment", ALL)

    sold = in_blocks(deliveries, with_totals)
    return views.quantiles(sold, QUANTILES), views.quantiles(in_blocks(sold, shares), QUANTILES)


def delivered(results: xr.Dataset) -> Iterable[xr.DataArray]:
    """Quantiles of deliveries and shares by segment (with ``all``), region (with ``world``) and chemistry; some years at a time."""
    sold = results["deliveries"]
    dim, steps = ("month", MONTHS) if "month" in sold.dims else ("time", 1)
    number = sold.sizes[dim] // steps
    readings = min(max(math.ceil(WITH_SHARES * sold.nbytes / steps / views.LARGEST), 1), number)
    ends = [number * n // readings * steps for n in range(readings + 1)]
    found = [quantiles_of_sold(sold.isel({dim: slice(*places)})) for places in pairwise(ends)]
    for name, parts in zip(("deliveries", "share_of_sales"), zip(*found, strict=True), strict=True):
        whole = xr.concat(parts, "year").astype("float32").transpose("quantile", "year", "segment", "region", "chemistry")
        yield on_time(described(whole, name), results).rename(name)


def recorded(results: xr.Dataset) -> Iterable[xr.DataArray]:
    """Quantiles of what needs no work, and of sums over makers, mines or regions."""
    stored = [name for name in AS_RECORDED if name in results]
    for name, found in zip(stored, views.quantiles_of_each((results[name] for name in stored), QUANTILES), strict=True):
        yield described(found.astype("float32"), name).rename(name)
    for name, dim in SUMMED.items():
        if name in results:
            total = in_blocks(results[name], partial(xr.DataArray.sum, dim=dim, skipna=False))
            yield described(views.quantiles(total, QUANTILES).astype("float32"), name, f", sum over {dim}s").rename(name)


def without_realizations(found: xr.Dataset, prefix: str) -> xr.Dataset:
    """What is said of the ensemble as a whole, every name with a prefix."""
    kept = found.drop_dims("realization", errors="ignore")
    return kept.rename({name: f"{prefix}_{name}" for name in kept.data_vars})


def summarise(results: xr.Dataset) -> xr.Dataset:
    """Summary of an ensemble: quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 of the main variables, milestones and curves.

    Deliveries and shares have the extra segment ``all`` and the extra region ``world``, where variables that cannot be
    added up are missing. Variables of milestones begin with ``milestone_``, those of adoption curves with ``curve_``.
    """
    whole = {"segment": [*results["segment"].values, ALL], "region": [*results["region"].values, WORLD]}
    arrays = [*delivered(results), *recorded(results)]
    made = xr.Dataset({array.name: array.reindex({dim: names for dim, names in whole.items() if dim in array.dims}) for array in arrays})
    first = milestones(results)
    made = made.merge(without_realizations(first, "milestone"), join="exact")
    made = made.merge(without_realizations(fit_curves(results), "curve"), join="exact")
    for dim in ("segment", "region", "quantile", "threshold", "chemistry"):
        made[dim].attrs |= {"long_name": dim} | first[dim].attrs
    for bounds in ("time", "month"):
        name = made[bounds].attrs.get("bounds") if bounds in made.dims else None
        if name in results:
            made[name] = results[name]
    return made.assign_attrs(results.attrs | about(results, first))


def about(results: xr.Dataset, first: xr.Dataset) -> dict:
    """Attributes that say what the file is."""
    return {
        "title": f"Summary of {results.attrs.get('title') or results.attrs.get('scenario') or 'an ensemble'}",
        "summary": "Quantiles over realizations, milestones with censoring, fitted adoption curves",
        "realizations": np.int32(results.sizes["realization"]),
        "first_year": np.int32(first.attrs["first_year"]),
        "last_year": np.int32(first.attrs["last_year"]),
    }


def rows(summary: xr.Dataset, year: int, quantity: str = "share_of_sales", region: str = WORLD) -> list[dict]:
    """One row per segment and chemistry: quantiles of shares or deliveries in a year."""
    chosen = summary[quantity].isel(time=years(summary) == year).squeeze("time", drop=True).sel(region=region)
    table = []
    for segment in chosen["segment"].values.tolist():
        for chemistry in chosen["chemistry"].values.tolist():
            values = chosen.sel(segment=segment, chemistry=chemistry).values
            found = {f"q{round(100 * q):02d}": float(f"{v:.6g}") for q, v in zip(chosen["quantile"].values, values, strict=True)}
            table.append({"year": year, "region": region, "segment": segment, "chemistry": chemistry, **found})
    return table
