"""Room on the disk: how many bytes a result takes, and whether they are there before any work is done."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast.ensemble import metadata
from forecast.errors import ForecastError, WriteError

if TYPE_CHECKING:
    from forecast.ensemble.plan import Plan

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
COMPRESSED = 0.49
"""Share of the bytes of values that is left of them on the disk, measured in the baseline: 0.485 by year."""
SUMMARY = 1.3
"""Bytes of the summary for each byte of one realization, measured in the baseline."""
BYTES_OF_A_FILE = 1000
"""What a chunk takes besides its values: its header, its lines in receipt and manifest, the unused end of its last page."""
UNITS = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
SURELY = 0.8
"""Share of the estimate below which there surely is too little room."""


def bytes_of(plan: Plan, blocks: Collection[int] | None = None) -> int:
    """Estimate what the result of a plan takes on the disk, without pictures; with ``blocks``, what is to come if these are left."""
    one = replace(plan, realizations=1)  # of a plan too large for any disk nothing is made
    lengths = {v.name: len(v.values) for v in metadata.coordinates(one) if v.values is not None}
    recorded = metadata.variables(one)
    values = sum(math.prod(lengths[dim] for dim in v.dims[1:]) * np.dtype(v.dtype).itemsize for v in recorded)
    wanted = plan.blocks if blocks is None else blocks
    left = plan.realizations if blocks is None else sum(plan.places(block).stop - plan.places(block).start for block in blocks)
    chunks = values * COMPRESSED * left + BYTES_OF_A_FILE * len(recorded) * (len(wanted) + 1)
    posterior = plan.posterior.file if plan.posterior else None
    inputs = len(plan.text.encode()) + (posterior.stat().st_size if posterior and posterior.is_file() else 0)
    return int(chunks + SUMMARY * values) + (inputs if blocks is None else 0)


def refuse_if_short(place: Path, needed: int, freed: Path | None = None) -> None:
    """Raise ForecastError if a result surely does not fit.

    place   an existing folder on the disk that will hold it
    freed   a folder that is removed before
    """
    free = shutil.disk_usage(place).free + (_size(freed) if freed else 0)
    if free < SURELY * needed:
        raise ForecastError(f"{place}: too little room: the result takes about {shown(needed)}, {shown(free)} are free")


def with_need(error: WriteError, place: Path, needed: int) -> WriteError:
    """The same error; of a full disk it says how much room the whole result takes, and how much there is."""
    if error.errno not in FULL:
        return error
    told = WriteError(f"{error}: the whole result takes about {shown(needed)}, {shown(shutil.disk_usage(place).free)} are free")
    told.errno = error.errno
    return told


def shown(size: float) -> str:
    """Bytes for people to read: 12.3 MB."""
    unit = next((unit for unit in UNITS if size < UNITS[unit] * 1000), "TB")
    return f"{size / UNITS[unit]:.{0 if unit == 'bytes' else 1}f} {unit}"


def _size(folder: Path) -> int:
    return sum(os.lstat(os.path.join(above, name)).st_size for above, _, names in os.walk(folder) for name in names)
