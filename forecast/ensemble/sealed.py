"""Reading arrays that somebody else may have touched: every file is checked, and only our own codecs are run.

Nothing is read before it is asked for, and then the chunks that hold it, in several threads.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from forecast.ensemble.arrays import ABOUT, LARGEST_CHUNK, chunk_name, texts
from forecast.ensemble.manifest import Files
from forecast.errors import StoreError

CODECS = {"string": "vlen-utf8", "float32": "bytes", "float64": "bytes", "int32": "bytes", "int8": "bytes"}
WIDTH = {"string": 64, "float32": 4, "float64": 8, "int32": 4, "int8": 1}
COMPRESSORS = ("lz4", "zstd")  # the second wrote results before
LARGEST_SHAPE = 2**40
LARGEST_COORDINATE = 2**26
"""Bytes of one coordinate; all are read when results are opened."""
LARGEST_DESCRIPTION = 2**20
FEW_CHUNKS = 4
HEADER = struct.Struct("<4x3I")
"""What blosc puts first: bytes when decompressed, of a piece, and as they are."""
CLOCK = ("units", "calendar")
"""What says of numbers that they are times."""
ENCODED = (*CLOCK, "bounds")
"""Attributes of times that belong to how they are stored."""


class SealedArrays:
    """The arrays of a folder, read-only; a file that is missing or changed raises StoreError instead of reading as nothing."""

    def __init__(self, folder: Path, below: str, files: Files):
        self.folder, self.below, self.files = folder, below, files
        self.described = descriptions(folder, below, files)

    def dataset(self) -> xr.Dataset:
        """All arrays by name, coordinates in memory and their times as dates; the others are read when they are asked for."""
        arrays = {name: about for name, about in self.described.items() if name}
        known = {name for name, about in arrays.items() if name in about["dimension_names"]}
        known |= {about["attributes"].get("bounds") for about in arrays.values()} & arrays.keys()
        coordinates = {name: self._coordinate(name) for name in sorted(known)}
        for name, variable in coordinates.items():
            if variable.attrs.get("standard_name") == "time":
                bounds = coordinates.get(variable.attrs.get("bounds", ""))
                coordinates |= _dates(name, variable, bounds)
        return xr.Dataset(
            {name: self._lazy(name) for name in sorted(arrays.keys() - known)}, coordinates, self.described[""].get("attributes", {})
        )

    def _lazy(self, name: str) -> xr.Variable:
        about = self.described[name]
        values = indexing.LazilyIndexedArray(_Chunks(self, name))
        return xr.Variable(about["dimension_names"], values, dict(about["attributes"]), {"chunks": tuple(_chunk(about))})

    def _coordinate(self, name: str) -> xr.Variable:
        return self._lazy(name).load()

    def chunk(self, name: str, block: int, into: np.ndarray | None = None) -> np.ndarray:
        """Values of one chunk, which is as large as described, whatever of it is used.

        into  numbers of the same kind and number, side by side in memory: written instead of new ones
        """
        about = self.described[name]
        key = f"{name}/{chunk_name(about['dimension_names'], block)}"
        file = self.folder / self.below / key
        values = _decompressed(file, self._content(key, _bytes_of_chunk(about)), about, into)
        if about["data_type"] == "string":
            return _labels(file, values, math.prod(_chunk(about)))
        return np.frombuffer(values, np.dtype(about["data_type"]).newbyteorder("<")).reshape(_chunk(about))

    def _content(self, key: str, unpacked: int) -> bytes:
        file, facts = self.folder / self.below / key, self.files[f"{self.below}/{key}"]
        try:
            whole = file.stat().st_size == facts["size"] <= unpacked + LARGEST_DESCRIPTION
            content = file.read_bytes() if whole else b""
        except OSError as error:
            raise StoreError(f"{file}: cannot read: {error.strerror or error}") from error
        if not whole or hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise StoreError(f"{file}: its content has changed since the run")
        return content


class _Chunks(BackendArray):
    """One array in its chunks, as xarray asks for parts of it."""

    def __init__(self, arrays: SealedArrays, name: str):
        about = arrays.described[name]
        self.arrays, self.name, self.step = arrays, name, _chunk(about)[0] if about["shape"] else 1
        self.shape = tuple(about["shape"])
        self.dtype = np.dtype(object if about["data_type"] == "string" else about["data_type"])

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Places along each dimension: a number, a slice or an array."""
        first, rest = np.arange(self.shape[0])[key[0]], key[1:]
        rows = np.atleast_1d(first)
        found = np.empty((len(rows), *_part(np.broadcast_to(np.int8(0), self.shape[1:]), rest).shape), self.dtype)
        block = rows // self.step

        numbers = self.dtype != object and self.dtype == self.dtype.newbyteorder("<")
        as_stored = numbers and all(isinstance(part, slice) and part == slice(None) for part in rest)

        def fill(number: int) -> None:
            here = np.flatnonzero(block == number)
            there, inside = _span(here), _span(rows[here] % self.step)
            if as_stored and isinstance(there, slice) and isinstance(inside, slice) and len(here) == self.step:
                self.arrays.chunk(self.name, number, found[there])
            else:
                found[there] = _part(self.arrays.chunk(self.name, number), (inside, *rest))

        wanted = np.unique(block).tolist() if found.size else []
        if len(wanted) < FEW_CHUNKS:
            for number in wanted:
                fill(number)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as threads:  # more would hold more chunks
                list(threads.map(fill, wanted))
        return found if np.ndim(first) else found[0]


def _span(places: np.ndarray) -> slice | np.ndarray:
    """Places as a slice where they follow each other, which numpy copies without looking each up."""
    straight = len(places) and places[-1] - places[0] == len(places) - 1 and (np.diff(places) == 1).all()
    return slice(int(places[0]), int(places[-1]) + 1) if straight else places


def _part(values: np.ndarray, key: tuple[Any, ...]) -> np.ndarray:
    """The places that a key names along each dimension, whatever it names along the others."""
    for axis in reversed(range(len(key))):
        if not (isinstance(key[axis], slice) and key[axis] == slice(None)):
            values = values[(*[slice(None)] * axis, key[axis])]
    return values


def _labels(file: Path, content: bytes, number: int) -> np.ndarray:
    """Texts as plain Python has them, which every library takes."""
    try:
        found = texts(content, number)
    except ValueError as error:
        raise StoreError(f"{file}: does not hold texts: {error}") from error
    return np.array(found, object)


def _dates(name: str, time: xr.Variable, bounds: xr.Variable | None) -> dict[str, xr.Variable]:
    """A time and its bounds as dates of their calendar, by name."""
    from cftime import num2date

    about = {key: time.attrs[key] for key in CLOCK if key in time.attrs}
    if len(about) < len(CLOCK):
        return {}

    def dated(variable: xr.Variable) -> xr.Variable:
        attrs = {key: value for key, value in variable.attrs.items() if key not in ENCODED}
        stored = {key: variable.attrs[key] for key in ENCODED if key in variable.attrs}
        return xr.Variable(variable.dims, num2date(variable.values, **about), attrs, variable.encoding | about | stored)

    return {name: dated(time)} | ({time.attrs["bounds"]: dated(bounds)} if bounds is not None else {})


def _chunk(about: dict[str, Any]) -> list[int]:
    return about["chunk_grid"]["configuration"]["chunk_shape"]


def _bytes_of_chunk(about: dict[str, Any]) -> int:
    """Of a text, the most that we take."""
    return LARGEST_COORDINATE if about["data_type"] == "string" else math.prod(_chunk(about)) * WIDTH[about["data_type"]]


def _decompressed(file: Path, content: bytes, about: dict[str, Any], into: np.ndarray | None) -> Any:
    """Bytes of a chunk. StoreError if they are not as many as described: a small file can unpack to a large one."""
    from numcodecs import blosc  # type: ignore[import-untyped]

    text, wanted = about["data_type"] == "string", _bytes_of_chunk(about)
    unpacked, _, packed = HEADER.unpack_from(content) if len(content) >= HEADER.size else (0, 0, 0)
    if packed != len(content) or not (unpacked <= wanted if text else unpacked == wanted):
        raise StoreError(f"{file}: is {len(content)} bytes that would be {unpacked}; described are {wanted}")
    try:
        return blosc.decompress(content, into)
    except RuntimeError as error:
        raise StoreError(f"{file}: cannot be decompressed: {error}") from error


def descriptions(folder: Path, below: str, files: Files) -> dict[str, dict[str, Any]]:
    """Array, or "" for the group of all -> its description; StoreError if one is not such as this program writes."""
    found: dict[str, dict[str, Any]] = {}
    sizes: dict[str, int] = {}
    for path in sorted(path for path in files if path.startswith(f"{below}/") and path.endswith(f"/{ABOUT}")):
        try:
            found[path.removeprefix(below).removesuffix(ABOUT).strip("/")] = _description(folder / path, path, files, sizes)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise StoreError(f"{folder / path}: not an array of this program: {type(error).__name__}: {error}") from error
    if "" not in found:
        raise StoreError(f"{folder / below}: holds no arrays")
    if lonely := sorted(dim for dim in ("realization", "month") if dim not in found):
        raise StoreError(f"{folder / below}: holds no {', '.join(lonely)}")
    return found


def _description(file: Path, path: str, files: Files, sizes: dict[str, int]) -> dict[str, Any]:
    if files[path]["size"] > LARGEST_DESCRIPTION:
        raise StoreError(f"{file}: larger than any that this program writes")
    try:
        about = json.loads(file.read_bytes())
    except OSError as error:
        raise StoreError(f"{file}: cannot read: {error.strerror or error}") from error
    depth = path.count("/")
    if about.get("zarr_format") != 3 or about.get("node_type") != ("group" if depth == 1 else "array") or depth > 2:
        raise StoreError(f"{file}: not an array of this program")
    if depth == 2 and (problem := _foreign(about, path, files, sizes)):
        raise StoreError(f"{file}: {problem}")
    return about


def _foreign(about: dict[str, Any], path: str, files: Files, sizes: dict[str, int]) -> str:
    kind = about.get("data_type")
    if not isinstance(kind, str) or kind not in CODECS:
        return f"data type {kind!r}; allowed are {', '.join(CODECS)}"
    codecs = about.get("codecs", [])
    names = [codec.get("name") for codec in codecs]
    if names != [CODECS[kind], "blosc"] or codecs[1]["configuration"].get("cname") not in COMPRESSORS:
        return f"codecs {names}; this program writes {CODECS[kind]} and blosc with {COMPRESSORS[0]}"
    stored = about["chunk_grid"]["name"], about["chunk_key_encoding"]
    if about.get("storage_transformers") or stored != ("regular", {"name": "default", "configuration": {"separator": "."}}):
        return "stored in a way in which this program does not store"
    shape, chunk, dims = about["shape"], _chunk(about), about["dimension_names"]
    if not (len(shape) == len(chunk) == len(dims)) or not all(isinstance(n, int) and n >= 0 for n in (*shape, *chunk)) or 0 in chunk:
        return f"shape {shape} and chunk {chunk} of dimensions {dims} do not fit"
    if math.prod(shape) > LARGEST_SHAPE or any(c > max(n, 1) for c, n in zip(chunk, shape, strict=True)):
        return f"shape {shape} in chunks {chunk} is larger than any this program writes"
    coordinate = path.split("/")[1] in dims or "realization" not in dims
    if math.prod(chunk) * WIDTH[kind] > (LARGEST_COORDINATE if coordinate else LARGEST_CHUNK) or (kind == "string" and not coordinate):
        return f"{kind} in chunks {chunk} is larger than any this program writes"
    for dim, size in zip(dims, shape, strict=True):
        if sizes.setdefault(dim, size) != size:
            return f"{dim} has {size} places here and {sizes[dim]} elsewhere"
    return _chunks_missing(path, shape, chunk, files)


def _chunks_missing(path: str, shape: list[int], chunk: list[int], files: Files) -> str:
    if any(-(-n // c) > 1 for n, c in zip(shape[1:], chunk[1:], strict=True)):
        return f"chunks {chunk} divide more than the first dimension"
    array = path.removesuffix(ABOUT)
    for block in range(-(-shape[0] // chunk[0])) if math.prod(shape) else ():
        if f"{array}{chunk_name(shape, block)}" not in files:
            return f"chunk {block} is not in the manifest"
    return ""
