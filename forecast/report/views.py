"""Views of a results dataset: whole years, the whole world, all segments together.

Results have the dimensions ``realization``, ``time`` (yearly) or ``month`` and others by name. A view has ``year``, an
integer coordinate, instead of ``time`` or ``month``. What is large is read a block of realizations at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import numpy as np
import xarray as xr

Method = Literal["linear", "inverted_cdf"]

MONTHS = 12
BLOCK = 100
BLOCK_BYTES = 16e6
BLOCKS_AT_ONCE = 4
"""Each takes some times its size in memory."""
SORTED_AT_ONCE = 1 << 19
TURNED_AT_ONCE = 512
LARGEST = 400e6
"""Bytes of an array that is held in memory whole."""
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


def blocks(array: xr.DataArray) -> list[slice]:
    """Places of some hundreds of realizations each: chunks of the file of the array, of which none is in two."""
    count, step = array.sizes["realization"], array.encoding.get("chunks", (BLOCK,))[0]
    size = step * max(1, int(BLOCK_BYTES * count / max(array.nbytes, 1) / step))
    return [slice(first, first + size) for first in range(0, max(count, 1), size)]


def in_blocks(array: xr.DataArray, reduce: Callable[[xr.DataArray], xr.DataArray]) -> xr.DataArray:
    """What ``reduce`` makes of each block of realizations, read and reduced in some threads; realizations come first."""

    def reduced(place: slice) -> xr.DataArray:
        return reduce(array.isel(realization=place).load()).transpose("realization", ...)

    def fill(place: slice) -> None:
        whole[place] = reduced(place).values

    places = blocks(array)
    first = reduced(places[0])
    whole = np.empty((array.sizes["realization"], *first.shape[1:]), first.dtype)
    whole[places[0]] = first.values
    if len(places) > 1:
        with ThreadPoolExecutor(BLOCKS_AT_ONCE) as threads:
            list(threads.map(fill, places[1:]))
    coords = {name: coordinate for name, coordinate in first.coords.items() if "realization" not in coordinate.dims}
    numbers = {"realization": array["realization"]} if "realization" in array.coords else {}
    return xr.DataArray(whole, coords | numbers, first.dims, first.name, first.attrs)


def quantiles(array: xr.DataArray, levels: Sequence[float], method: Method = "linear") -> xr.DataArray:
    """Quantiles over realizations, to the last bit as ``array.quantile(levels, "realization", method=method, skipna=False)``.

    method  linear or inverted_cdf

    Values of one place lie far apart in memory, so some places at a time are copied together and sorted, in several threads.
    """
    whole = array.transpose("realization", ...)
    count, shape = len(whole), whole.shape[1:]
    flat = whole.values.reshape(count, -1)
    found = np.empty((len(levels), flat.shape[1]))
    width = max(1, SORTED_AT_ONCE // count)

    def sort(first: int) -> None:
        rows = _turned(flat[:, first : first + width])
        rows.sort(axis=-1)
        found[:, first : first + width] = _read_off(rows, np.asarray(levels, float), method)

    pieces = range(0, flat.shape[1], width)
    if len(pieces) == 1:
        sort(0)
    else:
        with ThreadPoolExecutor() as threads:
            list(threads.map(sort, pieces))
    coords = {name: coordinate for name, coordinate in whole.coords.items() if "realization" not in coordinate.dims}
    return xr.DataArray(found.reshape(-1, *shape), coords | {"quantile": list(levels)}, ("quantile", *whole.dims[1:]), array.name)


def quantiles_of_stored(array: xr.DataArray, levels: Sequence[float]) -> xr.DataArray:
    """The same of an array in a file, read in pieces if it is too large to be held whole."""
    dim = max(array.dims, key=lambda name: (name != "realization") * array.sizes[name])
    step = max(1, int(array.sizes[dim] * LARGEST / array.nbytes)) if array.nbytes > LARGEST else array.sizes[dim]
    pieces = [array.isel({dim: slice(first, first + step)}) for first in range(0, array.sizes[dim], step)]
    parts = (quantiles(piece.copy(deep=False).load(), levels) for piece in pieces)
    return next(parts) if len(pieces) == 1 else xr.concat(parts, dim).transpose("quantile", ..., *array.dims[1:])


def _turned(values: np.ndarray) -> np.ndarray:
    """Values by place, then realization; copied in pieces that the cache holds."""
    turned = np.empty(values.shape[::-1], values.dtype)
    for first in range(0, len(values), TURNED_AT_ONCE):
        turned[:, first : first + TURNED_AT_ONCE] = values[first : first + TURNED_AT_ONCE].T
    return turned


def _read_off(rows: np.ndarray, levels: np.ndarray, method: Method) -> np.ndarray:
    """Quantiles of sorted rows (places, realizations), nan where a row holds one: (levels, places)."""
    count = rows.shape[1]
    if method != "linear":
        ranks = np.quantile(np.arange(count), levels, method=method).astype(int)
        return np.where(np.isnan(rows[:, -1]), np.nan, rows[:, ranks].T)
    rank = (count - 1) * levels
    below = np.floor(rank).astype(int)
    part = (rank - below)[:, None]
    low, high = rows[:, below].T, rows[:, np.minimum(below + 1, count - 1)].T
    step = high - low
    return np.where(np.isnan(rows[:, -1]), np.nan, np.where(part < 0.5, low + step * part, high - step * (1 - part)))


def with_total(array: xr.DataArray, dim: str, name: str) -> xr.DataArray:
    """The array with its sum over ``dim`` appended under ``name``."""
    total = array.variable.sum(dim).values  # of what has no names there are none to align
    values = np.concatenate([array.values, np.expand_dims(total, array.get_axis_num(dim))], array.get_axis_num(dim))
    others = {str(at): coordinate for at, coordinate in array.coords.items() if dim not in coordinate.dims}
    names = xr.Variable(dim, np.append(array[dim].values, name), array[dim].attrs)
    return xr.DataArray(values, others | {dim: names}, array.dims, array.name, array.attrs)


def shares(deliveries: xr.DataArray) -> xr.DataArray:
    """Share of each chemistry in deliveries; zero where nothing was delivered."""
    total = deliveries.variable.sum("chemistry")
    share = (deliveries.variable / total.where(total > 0)).fillna(0)
    return deliveries.copy(data=share.transpose(*deliveries.dims).values)


def all_deliveries(block: xr.DataArray) -> xr.DataArray:
    """Yearly deliveries with the region ``world`` and the segment ``all`` added."""
    return with_total(with_total(by_year(block, "sum"), "region", WORLD), "segment", ALL)


@contextmanager
def remembered() -> Iterator[None]:
    """Deliveries of the world, which most pictures and tables ask for, are read once in here; results must not change meanwhile."""
    before = _kept.get()
    token = _kept.set({} if before is None else before)
    try:
        yield
    finally:
        _kept.reset(token)


_kept: ContextVar[dict[int, tuple[xr.Dataset, xr.DataArray]] | None] = ContextVar("deliveries of the world", default=None)


def world_deliveries(results: xr.Dataset) -> xr.DataArray:
    """Yearly deliveries of the world (realization, year, segment with ``all``, chemistry), GWh."""
    kept = _kept.get()
    if kept is None:
        return _world_deliveries(results)
    if id(results) not in kept:
        kept[id(results)] = results, _world_deliveries(results)
    return kept[id(results)][1]


def _world_deliveries(results: xr.Dataset) -> xr.DataArray:
    return in_blocks(results["deliveries"], lambda block: with_total(by_year(block.sum("region"), "sum"), "segment", ALL))


def world_shares(results: xr.Dataset) -> xr.DataArray:
    """Share of the world's yearly deliveries by segment, with ``all``, and chemistry."""
    return in_blocks(world_deliveries(results), shares)


def deliveries_of(results: xr.Dataset, segments: Sequence[str]) -> xr.DataArray:
    """Yearly deliveries (realization, year, region with ``world``, chemistry) of some segments together, GWh."""
    present = [name for name in segments if name in results["segment"].values]
    chosen = results["deliveries"].sel(segment=present)
    return in_blocks(chosen, lambda block: with_total(by_year(block.sum("segment"), "sum"), "region", WORLD))
