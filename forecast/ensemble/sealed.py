"""Reading arrays that somebody else may have touched: every file is checked, and only our own codecs are run."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
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


class SealedArrays(LocalStore):
    """The arrays of a folder, read-only; a file that is missing or changed raises StoreError instead of reading as nothing."""

    def __init__(self, folder: Path, below: str, files: Files):
        super().__init__(folder / below, read_only=True)
        self.folder, self.below, self.files = folder, below, files

    def with_read_only(self, read_only: bool = False) -> SealedArrays:
        """The same store; it cannot be written."""
        return self

    def get_sync(self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Content of one file, or None for a file that was never written."""
        facts = self.files.get(f"{self.below}/{key}")
        if facts is None:
            return None
        file = self.root / key
        try:
            content = file.read_bytes()
        except OSError as error:
            raise StoreError(f"{file}: cannot read: {error.strerror or error}") from error
        if len(content) != facts["size"] or hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise StoreError(f"{file}: its content has changed since the run")
        return (prototype or default_buffer_prototype()).buffer.from_bytes(_part(content, byte_range))

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


def refuse_foreign(folder: Path, below: str, files: Files) -> None:
    """StoreError if the description of any array is not one that this program writes."""
    described = [path for path in files if path.startswith(f"{below}/") and path.endswith("zarr.json")]
    if f"{below}/zarr.json" not in described:
        raise StoreError(f"{folder / below}: holds no arrays")
    sizes: dict[str, int] = {}
    for path in described:
        about = json.loads((folder / path).read_bytes())
        depth = path.count("/")
        if about.get("zarr_format") != 3 or about.get("node_type") != ("group" if depth == 1 else "array") or depth > 2:
            raise StoreError(f"{folder / path}: not an array of this program")
        if depth == 2 and (problem := _foreign(about, path, files, sizes)):
            raise StoreError(f"{folder / path}: {problem}")


def _foreign(about: dict[str, Any], path: str, files: Files, sizes: dict[str, int]) -> str:
    kind = about.get("data_type")
    if not isinstance(kind, str) or kind not in CODECS:
        return f"data type {kind!r}; allowed are {', '.join(CODECS)}"
    codecs = about.get("codecs", [])
    names = [codec.get("name") for codec in codecs]
    if names != [CODECS[kind], "blosc"] or codecs[1]["configuration"].get("cname") != "zstd":
        return f"codecs {names}; this program writes {CODECS[kind]} and blosc with zstd"
    if about.get("storage_transformers") or about["chunk_grid"]["name"] != "regular":
        return "stored in a way in which this program does not store"
    shape, chunk, dims = about["shape"], about["chunk_grid"]["configuration"]["chunk_shape"], about["dimension_names"]
    if not (len(shape) == len(chunk) == len(dims)) or not all(isinstance(n, int) and n >= 0 for n in (*shape, *chunk)) or 0 in chunk:
        return f"shape {shape} and chunk {chunk} of dimensions {dims} do not fit"
    if math.prod(shape) > LARGEST_SHAPE or math.prod(chunk) * WIDTH[kind] > LARGEST_CHUNK:
        return f"shape {shape} in chunks {chunk} is larger than any this program writes"
    for dim, size in zip(dims, shape, strict=True):
        if sizes.setdefault(dim, size) != size:
            return f"{dim} has {size} places here and {sizes[dim]} elsewhere"
    return _chunks_missing(path, shape, chunk, files)


def _chunks_missing(path: str, shape: list[int], chunk: list[int], files: Files) -> str:
    if any(-(-n // c) > 1 for n, c in zip(shape[1:], chunk[1:], strict=True)):
        return f"chunks {chunk} divide more than the first dimension"
    array = path.removesuffix("zarr.json")
    for block in range(-(-shape[0] // chunk[0])) if math.prod(shape) else ():
        if f"{array}c.{block}{'.0' * (len(shape) - 1)}" not in files:
            return f"chunk {block} is not in the manifest"
    return ""
