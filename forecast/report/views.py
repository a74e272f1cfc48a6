"""Views of a results dataset: whole years, the whole world, all segments together.

Results have the dimensions ``realization``, ``time`` (yearly) or ``month`` and others by name. A view has ``year``, an
integer coordinate, instead of ``time`` or ``month``. What is large is read a block of realizations at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

Method = Literal["linear", "inverted_cdf"]

MONTHS = 12
BLOCK = 100
BLOCK_BYTES = 8e6
BLOCKS_AT_ONCE = 2
"""Each takes some times its size in memory."""
WORTH_COMPILED = 1 << 22
"""Values; fewer are sorted before what is compiled has been loaded."""
PICKED = (np.float32, np.int8)
"""Kinds of numbers whose ranks are picked."""
PLACES_AT_ONCE = 128
LARGEST = 600e6
"""Bytes of an array that is held in memory whole."""
WORLD = "world"
ALL = "all"
CARS = ("micro_cars", "mass_cars", "premium_cars")
VEHICLES = ("two_three_wheelers", *CARS, "commercial_vehicles")
STORAGE = ("stationary_grid", "stationary_home")


def years(results: xr.Dataset | xr.DataArray, dim: str = "time") -> np.ndarray:
    """Integer years of the yearly steps, or of the months with ``dim="month"``."""
    steps = results[dim]
    if np.issubdtype(steps.dtype, np.number):
        return np.floor(steps.values).astype(int)
    return np.array([step.year for step in steps.values], int)


def dates(results: xr.Dataset) -> np.ndarray:
    """Middle of each month as a decimal year, for drawing."""
    steps = results["month"]
    if np.issubdtype(steps.dtype, np.number):
        return np.asarray(steps.values, float)
    return steps.dt.year.values + (steps.dt.month.values - 0.5) / MONTHS


def by_year(array: xr.DataArray, how: str = "mean") -> xr.DataArray:
    """The array with an integer ``year`` for its ``time`` or ``month``; months become the year's mean or sum."""
    if "month" in array.dims:
        calendar = years(array, "month")[::MONTHS]
        array = getattr(array.drop_vars("month").coarsen(month=MONTHS), how)().rename(month="year")
    else:
        calendar = years(array)
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
    """
    whole = array.transpose("realization", ...)
    flat = np.ascontiguousarray(whole.values).reshape(len(whole), -1)
    return _quantiles(whole, levels, method, lambda ranks: of_ranks(flat, ranks))


def _quantiles(array: xr.DataArray, levels: Sequence[float], method: Method, of: Callable[[np.ndarray], np.ndarray]) -> xr.DataArray:
    """Quantiles of an array, realizations first, from ``of`` its ranks: (ranks,) -> (ranks, places)."""
    count, wanted = len(array), np.asarray(levels, float)
    if method != "linear":
        found = of(np.quantile(np.arange(count), wanted, method=method).astype(int))
    else:
        rank = (count - 1) * wanted
        below = np.floor(rank).astype(int)
        part = (rank - below)[:, None]
        low, high = np.split(of(np.append(below, np.minimum(below + 1, count - 1))), 2)
        step = high - low
        found = np.where(part < 0.5, low + step * part, high - step * (1 - part))
    coords = {name: coordinate for name, coordinate in array.coords.items() if "realization" not in coordinate.dims}
    values = found.astype(float).reshape(-1, *array.shape[1:])
    return xr.DataArray(values, coords | {"quantile": list(levels)}, ("quantile", *array.dims[1:]), array.name)


def of_ranks(values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Values of some ranks (ranks, places) among all realizations (realizations, places); nan where any is nan."""
    if values.size < WORTH_COMPILED or values.dtype not in PICKED:
        rows = np.ascontiguousarray(values.T)
        rows.sort(axis=-1)
        return np.where(np.isnan(rows[:, -1]), np.nan, rows[:, ranks].T)
    from forecast.report.selection import pick

    bits = values.astype(np.float32, copy=False).view(np.uint32)
    return _picked(ranks, values.shape[1], lambda first, last, rising, found: pick(bits, first, last, rising, found))


def _picked(ranks: np.ndarray, places: int, pick: Callable[[int, int, np.ndarray, np.ndarray], None]) -> np.ndarray:
    """Values of some ranks (ranks, places), picked from the first to before the last place in several threads."""
    rising, where = np.unique(ranks, return_inverse=True)
    found = np.empty((len(rising), places), np.float32)

    def some(first: int) -> None:
        pick(first, min(places, first + PLACES_AT_ONCE), rising, found.view(np.uint32))

    with ThreadPoolExecutor() as threads:
        list(threads.map(some, range(0, places, PLACES_AT_ONCE)))
    return found[where]


def quantiles_of_each(arrays: Iterable[xr.DataArray], levels: Sequence[float]) -> Iterator[xr.DataArray]:
    """Quantiles over realizations of arrays in files, read one after the other into the same memory.

    What is too large to be held whole is read in pieces.
    """
    room = np.empty(0, np.uint32)
    for array in arrays:
        parts = []
        for piece in _pieces(array):
            if piece.size < WORTH_COMPILED or piece.dtype not in PICKED:
                parts.append(quantiles(piece.copy(deep=False).load(), levels))
                continue
            if room.size < piece.size:
                del room  # before there is another
                room = np.empty(piece.size, np.uint32)
            parts.append(_quantiles(piece, levels, "linear", partial(_of_ranks_in_rows, _turned(piece, room[: piece.size]))))
        yield parts[0] if len(parts) == 1 else xr.concat(parts, _longest(array)).transpose("quantile", ..., *array.dims[1:])


def _longest(array: xr.DataArray) -> Hashable:
    """The dimension with most places, realizations aside."""
    return max(array.dims, key=lambda name: (name != "realization") * array.sizes[name])


def _pieces(array: xr.DataArray) -> list[xr.DataArray]:
    """The array in pieces that can be held whole, each with all realizations."""
    dim = _longest(array)
    step = max(1, int(array.sizes[dim] * LARGEST / array.nbytes)) if array.nbytes > LARGEST else array.sizes[dim]
    return [array.isel({dim: slice(first, first + step)}) for first in range(0, array.sizes[dim], step)]


def _turned(array: xr.DataArray, room: np.ndarray) -> np.ndarray:
    """Bits of an array in a row for each place (places, realizations), read a block of realizations at a time."""
    from forecast.report.selection import turn_into

    rows = room.reshape(-1, len(array))

    def fill(place: slice) -> None:
        values = np.ascontiguousarray(array.variable.isel(realization=place).values, np.float32)
        turn_into(values.view(np.uint32).reshape(len(values), -1), rows, place.start)

    with ThreadPoolExecutor(BLOCKS_AT_ONCE) as threads:
        list(threads.map(fill, blocks(array)))
    return rows


def _of_ranks_in_rows(rows: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    from forecast.report.selection import pick_in_rows

    return _picked(ranks, len(rows), lambda first, last, rising, found: pick_in_rows(rows, first, last, rising, found))


def total(array: xr.DataArray, dim: str) -> xr.DataArray:
    """The sum over a dimension of few places, added one after the other: numpy's own sum takes three times as long."""
    return array.isel({dim: 0}, drop=True).copy(data=sum(np.moveaxis(array.values, array.get_axis_num(dim), 0)))


def with_total(array: xr.DataArray, dim: str, name: str) -> xr.DataArray:
    """The array with its sum over ``dim`` appended under ``name``."""
    axis = array.get_axis_num(dim)
    values = np.concatenate([array.values, np.expand_dims(total(array, dim).values, axis)], axis)
    others = {str(at): coordinate for at, coordinate in array.coords.items() if dim not in coordinate.dims}
    names = xr.Variable(dim, np.append(array[dim].values, name), array[dim].attrs)
    return xr.DataArray(values, others | {dim: names}, array.dims, array.name, array.attrs)


def shares(deliveries: xr.DataArray) -> xr.DataArray:
    """Share of each chemistry in deliveries; zero where nothing was delivered."""
    whole = np.expand_dims(total(deliveries, "chemistry").values, deliveries.get_axis_num("chemistry"))
    return deliveries.copy(data=deliveries.values / np.where(whole > 0, whole, np.inf))


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
    return in_blocks(results["deliveries"], lambda block: with_total(by_year(total(block, "region"), "sum"), "segment", ALL))


def world_shares(results: xr.Dataset, segments: Sequence[str] = ()) -> xr.DataArray:
    """Share of the world's yearly deliveries by chemistry in all segments, and in ``all`` together, or in those that are named."""
    sold = world_deliveries(results)
    return in_blocks(sold.sel(segment=list(segments)) if segments else sold, shares)


def deliveries_of(results: xr.Dataset, segments: Sequence[str]) -> xr.DataArray:
    """Yearly deliveries (realization, year, region with ``world``, chemistry) of some segments together, GWh."""
    present = [name for name in segments if name in results["segment"].values]
    chosen = results["deliveries"].sel(segment=present)
    return in_blocks(chosen, lambda block: with_total(by_year(total(block, "segment"), "sum"), "region", WORLD))
