"""netCDF-4 as HDF5 holds it: dimensions are scales, variables have them attached; large variables are written in pieces.

The file is made in memory, because HDF5 does not survive a disk that fails. What it holds was made fit for CF before.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

WITHOUT_VARIABLE = "This is a netCDF dimension but not a netCDF variable.{:10d}"
"""Name of a scale that only says how long a dimension is."""
WORTH_PACKING = 4096
"""Bytes; what is smaller takes more room packed, for the index of its chunks."""
LARGE = 1 << 24
"""Bytes of a variable from which on it is read, packed and written in pieces."""
CHUNK = 1 << 20
"""Bytes of a chunk of a large variable."""


def content_of(dataset: xr.Dataset) -> memoryview:
    """The bytes of a netCDF file; the same dataset gives the same. Times are told by their units in ``encoding``."""
    import h5py  # type: ignore[import-untyped]
    from xarray.conventions import encode_dataset_coordinates

    variables, attributes = encode_dataset_coordinates(dataset)
    stream = io.BytesIO()
    with h5py.File(stream, "w", track_order=True) as file:
        _describe(file, attributes)
        scales: dict[str, Any] = {}
        for number, (dim, size) in enumerate(dataset.sizes.items()):
            name = str(dim)
            if name in variables and variables[name].dims == (dim,):
                scales[name] = _write(file, name, variables[name], name in dataset.coords)
                scales[name].make_scale(name)
            else:
                scales[name] = file.create_dataset(name, (size,), ">f4", track_order=True)
                scales[name].make_scale(WITHOUT_VARIABLE.format(size))
            scales[name].attrs["_Netcdf4Dimid"] = np.int32(number)
        for name, variable in variables.items():
            if name not in scales:
                written = _write(file, str(name), variable, name in dataset.coords)
                for axis, dim in enumerate(variable.dims):
                    written.dims[axis].attach_scale(scales[str(dim)])
    return stream.getbuffer()


def _write(file: Any, name: str, variable: xr.Variable, coordinate: bool) -> Any:
    """Write one variable; returns it as the file has it."""
    first = _stored(variable[:1] if _in_pieces(variable) else variable)
    options: dict[str, Any] = {"track_order": True}  # such headers have checksums
    if first.dtype.kind == "f" and not coordinate:
        options["fillvalue"] = first.dtype.type(np.nan)
    if variable.dtype.kind != "O" and variable.nbytes >= WORTH_PACKING:
        options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    if not _in_pieces(variable):
        written = file.create_dataset(name, data=first, **options)
    else:
        rows = min(len(variable), max(1, CHUNK // first.nbytes))
        written = file.create_dataset(name, variable.shape, first.dtype, chunks=(rows, *variable.shape[1:]), **options)
        for place in _pieces(variable, rows):
            written[place] = _stored(variable[place])
    _describe(written, dict(variable.attrs) | {key: variable.encoding[key] for key in ("units", "calendar") if key in variable.encoding})
    if "fillvalue" in options:
        written.attrs["_FillValue"] = np.atleast_1d(options["fillvalue"])
    return written


def _in_pieces(variable: xr.Variable) -> bool:
    return variable.ndim > 1 and variable.nbytes >= LARGE


def _pieces(variable: xr.Variable, rows: int) -> Iterator[slice]:
    """Whole chunks, of some megabytes together and as many as those of the file it is read from, if they fit."""
    together = int(np.lcm(rows, variable.encoding.get("chunks", (rows,))[0]))
    step = max(rows, min(together, rows * max(1, LARGE // CHUNK)))
    return (slice(first, first + step) for first in range(0, len(variable), step))


def _stored(variable: xr.Variable) -> np.ndarray:
    """Values as the file has them: times as numbers, flags as small numbers, texts as they are."""
    values = np.asarray(variable.values)
    if "calendar" in variable.encoding:
        from cftime import date2num

        return np.asarray(date2num(values, variable.encoding["units"], variable.encoding["calendar"]), float)
    if values.dtype.kind in "OTU":
        import h5py

        return np.array(values.tolist(), object).astype(h5py.string_dtype())
    return values.astype("i1") if values.dtype.kind == "b" else values


def _describe(item: Any, attributes: Mapping[Any, Any]) -> None:
    for name, value in attributes.items():
        item.attrs[str(name)] = value if isinstance(value, str) else _numbers(value)


def _numbers(value: Any) -> Any:
    """A number or several; texts as a list of them."""
    found = np.atleast_1d(value)
    if found.dtype.kind in "OTU":
        import h5py

        return found.astype(object).astype(h5py.string_dtype())
    return found.astype("i1") if found.dtype.kind == "b" else found
