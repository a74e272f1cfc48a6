"""What is to be computed: a scenario, a seed, and realizations in blocks that fit into memory and chunks."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.errors import ForecastError, RequestError

if TYPE_CHECKING:
    from forecast.ensemble.posterior import Posterior

MOST = 2**31 - 1
"""Realizations that can be numbered."""
LARGEST_BLOCK = 125
MOST_BUYERS = 12_500_000  # in a block: about 20 bytes each in memory
SHARES = 4
LIBRARIES = ("numpy", "scipy", "simpy", "numba", "pydantic", "xarray", "zarr", "numcodecs")
ENGINE = (
    "declare.py", "layout.py", "mixing.py", "special.py", "streams.py", "model",
    "ensemble/arrays.py", "ensemble/design.py", "ensemble/posterior.py", "ensemble/rounding.py",
)  # fmt: skip
"""Code on which the numbers depend."""


def default_block(realizations: int, buyers: int) -> int:
    """Realizations of one block: depends on nothing but their number and that of buyers, so that bytes do not depend on the machine.

    As large as memory bears; and as many blocks as two or four processors share evenly.
    """
    most = max(1, min(LARGEST_BLOCK, MOST_BUYERS // buyers))
    blocks = SHARES * -(-realizations // (SHARES * most))
    return -(-realizations // blocks)


@cache
def versions() -> dict[str, str]:
    """Versions of all that the numbers depend on."""
    found = {"battery-forecast": _version("battery-forecast"), "python": platform.python_version()}
    return found | {name: _version(name) for name in LIBRARIES}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


@cache
def engine_sha256() -> str:
    """Hash of the code that makes the numbers: an unfinished run is not continued by another engine."""
    root = Path(__file__).parent.parent
    files = [file for part in ENGINE for file in ([root / part] if part.endswith(".py") else sorted((root / part).glob("*.py")))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


@dataclass(frozen=True)
class Plan:
    """An ensemble, before or after it is computed.

    name          of the scenario
    world         its parameters
    text          the scenario, fully resolved, as a file that gives the same world
    seed          of all luck
    realizations  how many
    block         realizations computed together; one chunk of the results
    monthly       keep every variable by month
    first         number of the first realization
    posterior     what replaces priors, as read from its file
    """

    name: str
    world: Any
    text: str
    seed: int
    realizations: int
    block: int = 0
    monthly: bool = False
    first: int = 0
    posterior: Posterior | None = None

    def __post_init__(self) -> None:
        if self.realizations < 1:
            raise RequestError(f"realizations: {self.realizations}; must be at least 1")
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"seed: {self.seed}; must be from 0 to {2**63 - 1}")
        if self.first < 0 or self.first + self.realizations > MOST:
            raise RequestError(f"realizations: {self.first} to {self.first + self.realizations - 1}; must be from 0 to {MOST - 1}")
        if self.block < 0:
            raise RequestError(f"block: {self.block}; must be at least 1, or 0 for a fitting size")
        if self.posterior is not None and not self.posterior.sha256:
            raise ForecastError("posterior: in no file; must be written to one first")
        object.__setattr__(self, "block", min(self.block or default_block(self.realizations, self.world.buyers.number), self.realizations))

    @property
    def years(self) -> int:
        """Number of simulated years."""
        return self.world.last_year + 1 - self.world.first_year

    @cached_property
    def scenario_sha256(self) -> str:
        """Hash of the resolved scenario."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def posterior_sha256(self) -> str:
        """Hash of the file of the posterior; empty if there is none."""
        return self.posterior.sha256 if self.posterior else ""

    @property
    def numbers(self) -> np.ndarray:
        """Numbers of all realizations."""
        return np.arange(self.first, self.first + self.realizations)

    @property
    def blocks(self) -> range:
        """Indices of the blocks."""
        return range(-(-self.realizations // self.block))

    def places(self, block: int) -> slice:
        """Where a block stands along the dimension ``realization``."""
        return slice(block * self.block, min((block + 1) * self.block, self.realizations))

    def identity(self) -> dict[str, Any]:
        """What two runs must share to be the same run, ready for JSON."""
        return {
            "scenario": self.name,
            "scenario_sha256": self.scenario_sha256,
            "posterior_sha256": self.posterior_sha256,
            "seed": self.seed,
            "first": self.first,
            "realizations": self.realizations,
            "block": self.block,
            "monthly": self.monthly,
            "engine_sha256": engine_sha256(),
            "versions": versions(),
        }
