"""How time and memory grow with buyers and realizations, what questions to a large ensemble cost, and how a run begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.processes import alone, command

QUESTIONS = {
    "milestones": ("milestones", "{a}"),
    "curves": ("curves", "{a}"),
    "compare": ("compare", "{a}", "{b}"),
    "plot": ("plot", "{a}", "--output", "pictures"),
    "export as CSV": ("export", "{a}", "--variable", "lithium_price", "--output", "prices.csv", "--force"),
    "export as netCDF": ("export", "{a}", "--variable", "share_of_sales", "--format", "netcdf", "--output", "shares.nc", "--force"),
    "verify": ("verify", "{a}"),
    "verify --values": ("verify", "{a}", "--values"),
}
QUIET = ("--no-pictures", "--force")


def starts(folder: Path) -> Iterator[dict[str, Any]]:
    """The smallest run, cold and warm, with and without pictures, and commands that compute nothing."""
    one = ("run", "baseline", "--realizations", "1", "--force", "--output", "one")
    cold = {"NUMBA_CACHE_DIR": str(folder / "numba")}
    command(folder, *one)
    yield {"what": "one realization, nothing compiled before", **alone(folder, *one, "--no-pictures", **cold)}
    yield {"what": "one realization", **alone(folder, *one, "--no-pictures", **cold)}
    yield {"what": "one realization, with pictures", **alone(folder, *one, "--pictures")}
    yield {"what": "validate baseline", **alone(folder, "validate", "baseline")}
    yield {"what": "--help", **alone(folder, "--help")}


def buyers(folder: Path, sizes: Sequence[int], realizations: int = 20) -> Iterator[dict[str, Any]]:
    """One block of realizations in one process."""
    for number in sizes:
        size = ("--realizations", str(realizations), "--block", str(realizations), "--workers", "1", "--set", f"buyers.number={number}")
        yield {"buyers": number, "realizations": realizations, **alone(folder, "run", "baseline", *size, *QUIET, "--output", "crowd")}


def realizations(folder: Path, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """On all cores; the last results stay in ``ensemble``."""
    for number in sizes:
        yield {"realizations": number, **command(folder, "run", "baseline", "--realizations", str(number), *QUIET, "--output", "ensemble")}


def questions(folder: Path) -> Iterator[dict[str, Any]]:
    """What one asks of results, those of ``realizations``."""
    shutil.copytree(folder / "ensemble", folder / "other", copy_function=os.link)
    for what, words in QUESTIONS.items():
        yield {"what": what, **alone(folder, *(word.format(a="ensemble", b="other") for word in words))}
