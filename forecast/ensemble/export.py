"""netCDF and CSV: results and summaries for other programs, and netCDF read back with care."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import numpy as np

from forecast.ensemble.guarded import survives
from forecast.ensemble.manifest import cannot_write, write_bytes
from forecast.ensemble.netcdf import content_of
from forecast.errors import ForecastError, RequestError, StoreError

if TYPE_CHECKING:
    import xarray as xr

Content = TypeVar("Content")
LABELS = "_name"
"""CF wants numbers in a variable named like its dimension: labels of ``segment`` are written as ``segment_name``."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RuntimeError, MemoryError)
MOST_DEFLATED = 1100
"""Bytes that one byte of a file can hold at most: deflate packs 1032."""
REALIZATIONS_AT_ONCE = 50
FIRST_COLUMNS = ("variable", "units")


def chosen(results: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Some variables of a dataset, or all if none are named."""
    if unknown := [name for name in names if name not in results.data_vars]:
        raise RequestError(f"{', '.join(unknown)}: no such variable; there are {', '.join(sorted(map(str, results.data_vars)))}")
    if not names:
        return results
    kept = results[list(names)]
    bounds = [kept[dim].attrs.get("bounds") for dim in kept.dims if dim in kept.coords]
    return kept.assign_coords({name: results[name] for name in bounds if name in results.variables})


def write_netcdf(dataset: xr.Dataset, file: Path) -> None:
    """Write a compressed netCDF-4 file after CF-1.11; the same dataset gives the same bytes, whole or not at all."""
    refuse_device(file)
    content = content_of(_after_cf(dataset))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(file, error) from error
    write_bytes(file, content)


def _after_cf(dataset: xr.Dataset) -> xr.Dataset:
    """Labels under a name of their own; times told by one calendar."""
    import xarray as xr

    dims = [name for dim in dataset.dims if (name := str(dim)) in dataset.coords]
    labelled = {name for name in dims if dataset[name].dtype.kind in "OTU" and not _is_clock(dataset[name])}
    names = {name: f"{name}{LABELS}" if name in labelled else name for name in map(str, dataset.variables)}
    ready = {names[str(name)]: _plain_variable(variable) for name, variable in dataset.variables.items()}
    for variable in ready.values():
        if variable.dtype.kind == "O" and variable.size and hasattr(first := variable.values.flat[0], "calendar"):
            clock = dataset[variable.dims[0]].values[0] if variable.dims[0] in dims else first
            variable.encoding.update(units=f"days since {clock.year}-01-01", calendar="360_day")
    coordinates = xr.Coordinates({names[str(name)]: ready.pop(names[str(name)]) for name in dataset.coords}, indexes={})
    return xr.Dataset(ready, coordinates, dataset.attrs)


def _plain_variable(variable: xr.Variable) -> xr.Variable:
    """The variable with nothing of how it was stored but its chunks."""
    attrs = dict(variable.attrs)
    if "flag_values" in attrs:
        attrs["flag_values"] = np.array(attrs["flag_values"], variable.dtype)
    chunks = {"chunks": variable.encoding["chunks"]} if "chunks" in variable.encoding else {}
    return variable.to_base_variable()._replace(attrs=attrs, encoding=chunks)


def _is_clock(coordinate: xr.DataArray) -> bool:
    return coordinate.attrs.get("standard_name") == "time"


def read_netcdf(file: Path) -> xr.Dataset:
    """Read a netCDF file that ``write_netcdf`` wrote, labels as coordinates; StoreError for anything that leads outside it."""
    import h5netcdf  # noqa: F401
    import xarray as xr

    def load() -> xr.Dataset:
        refuse_links(file)
        refuse_large(file)
        return xr.open_dataset(file, engine="h5netcdf", decode_coords="all").load()

    dataset = unharmed(file, load)
    labels = {str(name): str(name).removesuffix(LABELS) for name in dataset.coords if str(name).endswith(LABELS)}
    named = dataset.rename_vars({name: dim for name, dim in labels.items() if dataset[name].dims == (dim,)})
    for dim in labels.values():
        named = named.set_xindex(dim) if dim not in named.indexes else named
    return named


def unharmed(file: Path, read: Callable[[], Content], ours: bool = False) -> Content:
    """What a function reads from a netCDF file; StoreError for a file that cannot be read, or not without harm.

    ours  it came with the program and does no more harm than its code
    """
    if not file.is_file():
        raise StoreError(f"{file}: no such file")
    if not ours and not survives(read):
        raise StoreError(f"{file}: cannot be read as netCDF: damaged so that it crashes or never ends")
    try:
        return read()
    except UNREADABLE as error:
        raise StoreError(f"{file}: cannot be read as netCDF: {error}") from error


def refuse_links(file: Path) -> None:
    """HDF5 can point to other files; ours never do. Raises StoreError if this one does."""
    import h5py  # type: ignore[import-untyped]

    def look(name: str, item: Any) -> str | None:
        if isinstance(item, h5py.Group):
            links = [item.get(key, getlink=True) for key in item]
            return name if any(not isinstance(link, h5py.HardLink) for link in links) else None
        return name if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None

    with h5py.File(file, "r") as content:
        if (found := look("/", content) or content.visititems(look)) is not None:
            raise StoreError(f"{file}: {found} leads outside the file; not written by this program")


def refuse_large(file: Path) -> None:
    """HDF5 can say that it holds more than was ever written. Raises StoreError if this file does."""
    import h5py

    most = file.stat().st_size * MOST_DEFLATED

    def look(name: str, item: Any) -> str | None:
        return name if isinstance(item, h5py.Dataset) and item.nbytes > most else None

    with h5py.File(file, "r") as content:
        if (found := content.visititems(look)) is not None:
            raise StoreError(f"{file}: {found} is larger than any that this program writes")


def export_netcdf(dataset: xr.Dataset, file: Path, force: bool = False) -> Path:
    """Write a netCDF file that must not exist, unless forced."""
    refuse_existing(file, force)
    write_netcdf(dataset, file)
    return file


def export_csv(dataset: xr.Dataset, file: Path, force: bool = False) -> Path:
    """Write a CSV file that must not exist, unless forced."""
    refuse_existing(file, force)
    unfinished = file.with_name(f"{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            write_csv(dataset, stream)
        os.replace(unfinished, file)
    except OSError as error:
        raise cannot_write(file, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return file


def refuse_existing(file: Path, force: bool) -> None:
    """Raise ForecastError if something is there that may not be replaced."""
    refuse_device(file)
    if file.exists() and not force:
        raise ForecastError(f"{file}: exists; --force replaces it")


def refuse_device(file: Path) -> None:
    """Raise ForecastError if a folder or device is where a file should be: it would be replaced, not written to."""
    if file.is_dir():
        raise ForecastError(f"{file}: is a folder; must be a file")
    if file.exists() and not file.is_file():
        raise ForecastError(f"{file}: not a file; cannot be replaced by one")


def write_csv(dataset: xr.Dataset, stream: TextIO) -> None:
    """Write a long table: one row per value, with the variable, its unit and its place along every dimension."""
    dims = list(dict.fromkeys(str(dim) for array in dataset.data_vars.values() for dim in array.dims))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*FIRST_COLUMNS, *dims, "value"])
    for name, array in dataset.data_vars.items():
        first = [str(name), array.attrs.get("units", "")]
        for part in _parts(array):
            writer.writerows(_rows(first, part, dims))


def _parts(array: xr.DataArray) -> Iterator[xr.DataArray]:
    if "realization" not in array.dims:
        yield array
        return
    for start in range(0, array.sizes["realization"], REALIZATIONS_AT_ONCE):
        yield array.isel(realization=slice(start, start + REALIZATIONS_AT_ONCE))


def _rows(first: list[str], array: xr.DataArray, dims: list[str]) -> Iterator[list[Any]]:
    places = [_labels(array, dim) if dim in array.dims else [""] for dim in dims]
    values = array.transpose(*[dim for dim in dims if dim in array.dims]).values.ravel().tolist()
    for place, value in zip(itertools.product(*places), values, strict=True):
        yield [*first, *place, _shown(value)]


def _labels(array: xr.DataArray, dim: str) -> list[Any]:
    if dim not in array.coords:
        return list(range(array.sizes[dim]))
    labels = array[dim].values.tolist()
    if array[dim].attrs.get("standard_name") != "time":
        return labels
    return [f"{when.year}-{when.month:02d}" for when in labels] if dim == "month" else [when.year for when in labels]


def _shown(value: Any) -> Any:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
