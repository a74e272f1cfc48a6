"""The small file to share: quantiles of the main variables over realizations, milestones and adoption curves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial

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
SUMMED = {"capacity": "manufacturer", "output": "manufacturer", "mine_output": "mine", "stock": "region"}


def declared(name: str) -> Column:
    """Unit and meaning of a recorded or derived variable."""
    return COLUMNS[name] if name in COLUMNS else DERIVED[name][0]


def described(array: xr.DataArray, name: str, over: str = "") -> xr.DataArray:
    """The array with the unit and meaning of the recorded variable it comes from."""
    column = declared(name)
    return array.assign_attrs(units=column.unit, long_name=f"{column.meaning}{over}", comment="quantiles over realizations")


def on_time(array: xr.DataArray, results: xr.Dataset) -> xr.DataArray:
    """A view by ``year`` back on the ``time`` of the results."""
    return array.drop_vars("year").rename(year="time").assign_coords(time=results["time"])


def places(results: xr.Dataset, regions: list[str]) -> xr.DataArray:
    """Yearly deliveries in some regions or the world (realization, region, year, segment with ``all``, chemistry)."""
    members = {region: results["region"].values if region == WORLD else [region] for region in regions}

    def reduce(block: xr.DataArray) -> xr.DataArray:
        parts = [with_total(by_year(block.sel(region=names).sum("region"), "sum"), "segment", ALL) for names in members.values()]
        return xr.concat(parts, xr.DataArray(regions, dims="region", name="region").astype(object)).astype("float32")

    return in_blocks(results["deliveries"], reduce)


def quantiles_of_places(results: xr.Dataset, regions: list[str]) -> list[tuple[xr.DataArray, xr.DataArray]]:
    """Quantiles of deliveries and of shares in each of some regions or the world; deliveries are read once."""
    deliveries = places(results, regions).drop_vars("region").transpose("region", ...)
    return [(views.quantiles(one, QUANTILES), views.quantiles(in_blocks(one, shares), QUANTILES)) for one in deliveries]


def delivered(results: xr.Dataset) -> Iterable[xr.DataArray]:
    """Quantiles of deliveries and shares by segment (with ``all``), region (with ``world``) and chemistry."""
    regions = xr.DataArray([*results["region"].values, WORLD], dims="region", name="region").astype(object)
    one = results["deliveries"].nbytes / (MONTHS if "month" in results["deliveries"].dims else 1) / results.sizes["region"]
    readings = math.ceil(len(regions) * one / views.LARGEST)
    groups = np.array_split(regions.values, min(max(readings, 1), len(regions)))
    found = [pair for group in groups for pair in quantiles_of_places(results, group.tolist())]
    for name, parts in zip(("deliveries", "share_of_sales"), zip(*found, strict=True), strict=True):
        whole = xr.concat(parts, regions).astype("float32").transpose("quantile", "year", "segment", "region", "chemistry")
        yield on_time(described(whole, name), results).rename(name)


def recorded(results: xr.Dataset) -> Iterable[xr.DataArray]:
    """Quantiles of what needs no work, and of sums over makers, mines or regions."""
    stored = [name for name in AS_RECORDED if name in results]
    for name, found in zip(stored, views.quantiles_of_each((results[name] for name in stored), QUANTILES), strict=True):
        yield described(found.astype("float32"), name).rename(name)
    for name, dim in SUMMED.items():
        if name in results:
            total = in_blocks(results[name], partial(xr.DataArray.sum, dim=dim))
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
        name = results[bounds].attrs.get("bounds") if bounds in made.dims else None
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
