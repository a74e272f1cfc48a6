"""Views of a results dataset: whole years, the whole world, all segments together.

Results have the dimensions ``realization``, ``time`` (yearly) or ``month`` and others by name. A view has ``year``, an
integer coordinate, instead of ``time`` or ``month``. What is large is read a block of realizations at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import xarray as xr

MONTHS = 12
BLOCK = 100
WORLD = "world"
ALL = "all"
CARS = ("micro_cars", "mass_cars", "premium_cars")
VEHICLES = ("two_three_wheelers", *CARS, "commercial_vehicles")
STORAGE = ("stationary_grid", "stationary_home")


def years(results: xr.Dataset, dim: str = "time") -> np.ndarray:
    """Integer years of the yearly steps, or of the months with ``dim="month"``."""
    steps = results[dim]
    if np.issubdtype(steps.dtype, np.number):
        return np.floor(steps.values).astype(int)
    return steps.dt.year.values.astype(int)


def dates(results: xr.Dataset) -> np.ndarray:
    """Middle of each month as a decimal year, for drawing."""
    steps = results["month"]
    if np.issubdtype(steps.dtype, np.number):
        return np.asarray(steps.values, float)
    return steps.dt.year.values + (steps.dt.month.values - 0.5) / MONTHS


def by_year(array: xr.DataArray, how: str = "mean") -> xr.DataArray:
    """The array with an integer ``year`` for its ``time`` or ``month``; months become the year's mean or sum."""
    if "month" in array.dims:
        calendar = years(array.to_dataset(name="months"), "month")[::MONTHS]
        array = getattr(array.drop_vars("month").coarsen(month=MONTHS), how)().rename(month="year")
    else:
        calendar = years(array.to_dataset(name="steps"))
        array = array.drop_vars("time").rename(time="year")
    return array.assign_coords(year=calendar)


def blocks(array: xr.DataArray, size: int = BLOCK) -> Iterator[xr.DataArray]:
    """The array in memory, ``size`` realizations at a time."""
    for first in range(0, array.sizes["realization"], size):
        yield array.isel(realization=slice(first, first + size)).load()


def in_blocks(array: xr.DataArray, reduce: Callable[[xr.DataArray], xr.DataArray]) -> xr.DataArray:
    """What ``reduce`` makes of each block of realizations, put together again."""
    return xr.concat([reduce(block) for block in blocks(array)], "realization")


def with_total(array: xr.DataArray, dim: str, name: str) -> xr.DataArray:
    """The array with its sum over ``dim`` appended under ``name``."""
    total = array.sum(dim).expand_dims({dim: [name]})
    return xr.concat([array, total], dim).transpose(*array.dims)


def shares(deliveries: xr.DataArray) -> xr.DataArray:
    """Share of each chemistry in deliveries; zero where nothing was delivered."""
    total = deliveries.sum("chemistry")
    return (deliveries / total.where(total > 0)).fillna(0).transpose(*deliveries.dims)


def all_deliveries(block: xr.DataArray) -> xr.DataArray:
    """Yearly deliveries with the region ``world`` and the segment ``all`` added."""
    return with_total(with_total(by_year(block, "sum"), "region", WORLD), "segment", ALL)


def world_deliveries(results: xr.Dataset) -> xr.DataArray:
    """Yearly deliveries of the world (realization, year, segment with ``all``, chemistry), GWh."""
    return in_blocks(results["deliveries"], lambda block: with_total(by_year(block.sum("region"), "sum"), "segment", ALL))


def world_shares(results: xr.Dataset) -> xr.DataArray:
    """Share of the world's yearly deliveries by segment, with ``all``, and chemistry."""
    return shares(world_deliveries(results))


def deliveries_of(results: xr.Dataset, segments: Sequence[str]) -> xr.DataArray:
    """Yearly deliveries (realization, year, region with ``world``, chemistry) of some segments together, GWh."""
    present = [name for name in segments if name in results["segment"].values]
    chosen = results["deliveries"].sel(segment=present)
    return in_blocks(chosen, lambda block: with_total(by_year(block.sum("segment"), "sum"), "region", WORLD))
