"""Arrays as files of zarr 3: how each is described, and its values packed; byte for byte what zarr writes, which is slow to load."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forecast.ensemble.metadata import NO_CODE, Variable

ABOUT = "zarr.json"
KEPT_BITS, MANTISSA_BITS = 12, 23
"""Bits of mantissa of what is stored, and of any float32."""
LARGEST_CHUNK = 2_147_483_631
"""Bytes of one chunk that the compressor can take."""
COMPRESSION = {"cname": "lz4", "clevel": 5, "shuffle": "bitshuffle", "blocksize": 1 << 17}
"""Of rounded numbers the same bits are always zero; sorted by bit they cost no time and no room.

Zstandard would take twice the time and a sixth less room."""
FILL = {"string": "", "int8": NO_CODE, "int32": 0, "float32": float("nan"), "float64": float("nan")}
COUNT = struct.Struct("<I")
"""What comes before texts, their number, and before each, its bytes."""


def chunk_name(dims: Sequence[object], block: int = 0) -> str:
    """File of a chunk; only the first dimension is divided."""
    return ".".join(["c", str(block), *["0"] * (len(dims) - 1)])


def create_group(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Make the folder of all arrays."""
    folder.mkdir(parents=True)
    (folder / ABOUT).write_bytes(_json({"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}))


def create_array(folder: Path, variable: Variable, shape: Sequence[int], chunk: Sequence[int]) -> None:
    """Describe an array in a folder of its own, with its values if it has some."""
    place = folder / variable.name
    place.mkdir()
    (place / ABOUT).write_bytes(_json(_described(variable, shape, chunk)))
    if variable.values is not None and variable.values.size:
        values = _texts(variable.values) if variable.dtype == "string" else np.ascontiguousarray(variable.values, variable.dtype)
        (place / chunk_name(variable.dims)).write_bytes(packed(values))


def round_bits(values: np.ndarray, keep: int = KEPT_BITS) -> np.ndarray:
    """Round float32 to ``keep`` bits of mantissa, half to even, so that it compresses; whole numbers below 2**keep stay exact.

    There is one nan and one zero in the result, whatever their signs and payloads were.
    """
    from forecast.ensemble.rounding import round_off  # compiled code is slow to load

    values = np.ascontiguousarray(values, np.float32)
    rounded = np.empty_like(values)
    round_off(values.reshape(-1).view(np.uint32), MANTISSA_BITS - keep, rounded.reshape(-1).view(np.uint32))
    return rounded


def packed(values: np.ndarray | bytes) -> bytes:
    """Values compressed."""
    from numcodecs import blosc  # type: ignore[import-untyped]

    blosc.use_threads = False  # threads write pieces in the order in which they happen to be done
    return bytes(blosc.compress(values, b"lz4", COMPRESSION["clevel"], blosc.BITSHUFFLE, COMPRESSION["blocksize"]))


def _texts(texts: np.ndarray) -> bytes:
    encoded = [str(text).encode() for text in texts.ravel()]
    return COUNT.pack(len(encoded)) + b"".join(COUNT.pack(len(text)) + text for text in encoded)


def texts(content: bytes, number: int) -> list[str]:
    """Texts of a chunk; ValueError if it holds more or fewer, or something else."""
    found, place = [], COUNT.size
    if len(content) < place or COUNT.unpack_from(content) != (number,):
        raise ValueError("not as many texts as are described")
    for _ in range(number):
        if place + COUNT.size > len(content):
            raise ValueError("a text is missing")
        (length,) = COUNT.unpack_from(content, place)
        place += COUNT.size + length
        if place > len(content):
            raise ValueError("a text is cut off")
        found.append(content[place - length : place].decode())
    return found


def _described(variable: Variable, shape: Sequence[int], chunk: Sequence[int]) -> dict[str, Any]:
    text, fill = variable.dtype == "string", FILL[variable.dtype]
    width = 1 if text else np.dtype(variable.dtype).itemsize
    values: dict[str, Any] = {"name": "bytes", "configuration": {"endian": "little"}}
    if text or width == 1:
        values = {"name": "vlen-utf8", "configuration": {}} if text else {"name": "bytes"}
    return {
        "shape": list(shape),
        "data_type": variable.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": "NaN" if fill != fill else fill,
        "codecs": [values, {"name": "blosc", "configuration": {"typesize": width, **COMPRESSION}}],
        "attributes": variable.attributes,
        "dimension_names": list(variable.dims),
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()
