"""Reading arrays that somebody else may have touched: every file is checked, and only our own codecs are run.

Files are decompressed here, not by zarr, which is told that they never were compressed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.buffer.core import default_buffer_prototype
from zarr.storage import LocalStore

from forecast.ensemble.manifest import Files
from forecast.errors import StoreError

CODECS = {"string": "vlen-utf8", "float32": "bytes", "float64": "bytes", "int32": "bytes", "int8": "bytes"}
WIDTH = {"string": 64, "float32": 4, "float64": 8, "int32": 4, "int8": 1}
LARGEST_CHUNK = 2_147_483_631
LARGEST_SHAPE = 2**40
LARGEST_COORDINATE = 2**26
"""Bytes of one coordinate; all are read when results are opened."""
LARGEST_DESCRIPTION = 2**20
ABOUT = "zarr.json"
HEADER = struct.Struct("<4x3I")
"""What blosc puts first: bytes when decompressed, of a piece, and as they are."""
COUNT = struct.Struct("<I")
"""What comes first in texts: their number."""


class SealedArrays(LocalStore):
    """The arrays of a folder, read-only; a file that is missing or changed raises StoreError instead of reading as nothing."""

    def __init__(self, folder: Path, below: str, files: Files):
        super().__init__(folder / below, read_only=True)
        self.folder, self.below, self.files = folder, below, files
        self.described = descriptions(folder, below, files)

    def with_read_only(self, read_only: bool = False) -> SealedArrays:
        """The same store; it cannot be written."""
        return self

    def get_sync(self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Content of one file, or None for a file that was never written."""
        if f"{self.below}/{key}" not in self.files:
            return None
        array, _, name = key.rpartition("/")
        about = self.described[array]
        if name == ABOUT:
            content = json.dumps(about | {"codecs": about["codecs"][:1]} if array else about).encode()
        else:
            content = _decompressed(self.root / key, self._content(key, _bytes_of_chunk(about)), about)
        return (prototype or default_buffer_prototype()).buffer.from_bytes(_part(content, byte_range))

    def _content(self, key: str, unpacked: int) -> bytes:
        file, facts = self.root / key, self.files[f"{self.below}/{key}"]
        try:
            whole = file.stat().st_size == facts["size"] <= unpacked + LARGEST_DESCRIPTION
            content = file.read_bytes() if whole else b""
        except OSError as error:
            raise StoreError(f"{file}: cannot read: {error.strerror or error}") from error
        if not whole or hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise StoreError(f"{file}: its content has changed since the run")
        return content

    async def get(self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Content of one file, checked."""
        return await asyncio.to_thread(self.get_sync, key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of files, each checked whole."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]


def _part(content: bytes, wanted: ByteRequest | None) -> bytes:
    if wanted is None:
        return content
    if isinstance(wanted, RangeByteRequest):
        return content[wanted.start : wanted.end]
    if isinstance(wanted, OffsetByteRequest):
        return content[wanted.offset :]
    return content[max(0, len(content) - wanted.suffix) :]


def _chunk(about: dict[str, Any]) -> list[int]:
    return about["chunk_grid"]["configuration"]["chunk_shape"]


def _bytes_of_chunk(about: dict[str, Any]) -> int:
    """Of a text, the most that we take."""
    return LARGEST_COORDINATE if about["data_type"] == "string" else math.prod(_chunk(about)) * WIDTH[about["data_type"]]


def _decompressed(file: Path, content: bytes, about: dict[str, Any]) -> bytes:
    """Values of a chunk as bytes. StoreError if they are not as many as described: a small file can unpack to a large one."""
    from numcodecs import blosc  # type: ignore[import-untyped]

    text, wanted = about["data_type"] == "string", _bytes_of_chunk(about)
    unpacked, _, packed = HEADER.unpack_from(content) if len(content) >= HEADER.size else (0, 0, 0)
    if packed != len(content) or not (unpacked <= wanted if text else unpacked == wanted):
        raise StoreError(f"{file}: is {len(content)} bytes that would be {unpacked}; described are {wanted}")
    try:
        values = bytes(blosc.decompress(content))
    except RuntimeError as error:
        raise StoreError(f"{file}: cannot be decompressed: {error}") from error
    if text and values[: COUNT.size] != COUNT.pack(math.prod(_chunk(about))):
        raise StoreError(f"{file}: does not hold as many texts as are described")
    return values


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
    if names != [CODECS[kind], "blosc"] or codecs[1]["configuration"].get("cname") != "zstd":
        return f"codecs {names}; this program writes {CODECS[kind]} and blosc with zstd"
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
        if f"{array}c.{block}{'.0' * (len(shape) - 1)}" not in files:
            return f"chunk {block} is not in the manifest"
    return ""
