"""The posterior of a calibration: joint draws of the numbers it learned, kept in a netCDF file, dealt in place of priors.

A number is dealt only where its prior is still the one it was learned from: what a scenario says otherwise counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import streams
from forecast.declare import Block, Slot, slots
from forecast.ensemble.design import FIXED_AXES, beliefs
from forecast.ensemble.manifest import fingerprint
from forecast.errors import ForecastError, StoreError
from forecast.model.world import World

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "battery_forecast_posterior"
"""Attribute of the file that says which version of the format it has."""
VERSION = 1
PRECISION = 1e-7
"""Relative; the file keeps numbers as float32, and what is dealt is what the file keeps."""
DRAW = "draw"
PARAMETER = "parameter"
OWN = (FORMAT, "Conventions")
MOST_DRAWS = 100_000
MOST_VARIABLES = 10_000
MOST_VALUES = 50_000_000
TOLD = 5
JOINT = "__"
"""In place of the dots of a path, which CF does not want in names of variables."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Joint draws of numbers of the world, by dotted path.

    draws   (draw,) float64 each, in the unit of the declaration; entry i of all numbers belongs together
    priors  text of the prior that each was learned from, such as "lognormal(9, 0.3)"
    units   as declared
    attrs   texts and numbers about the calibration: scenario, last year it knew, seed, version; CF wants title and history too
    extra   further variables of the file, without attributes of their own; None if there are none or they were not read
    sha256  of the file's content; empty before it was written
    file    where it was read from
    """

    draws: dict[str, np.ndarray]
    priors: dict[str, str]
    units: dict[str, str]
    attrs: dict[str, Any] = field(default_factory=dict)
    extra: xr.Dataset | None = None
    sha256: str = ""
    file: Path | None = None

    @property
    def size(self) -> int:
        """Number of draws."""
        return len(next(iter(self.draws.values())))

    @property
    def name(self) -> str:
        """Name of the file, without its folder; empty if it was not written."""
        return self.file.name if self.file else ""

    def taken(self, world: World) -> list[str]:
        """Numbers of the world that are dealt: their prior is the one they were learned from."""
        believed = {name: belief.quantity.prior for name, belief in beliefs(world).items()}
        return [name for name in self.draws if (prior := believed.get(name)) is not None and prior.text == self.priors[name]]

    def deal(self, world: World, seed: int, realizations: np.ndarray) -> dict[str, np.ndarray]:
        """Values (R,) of the numbers that are taken; each realization gets one joint draw, by seed and its number alone.

        realizations  (R,) whole numbers, any order
        """
        luck = streams.uniform(seed, "posterior", np.asarray(realizations))
        place = np.minimum((luck * self.size).astype(int), self.size - 1)
        return {name: self.draws[name][place] for name in self.taken(world)}

    def check(self, world: World, name: str) -> None:
        """Raise StoreError, with ``name`` in front, unless the posterior is one of this model and says something of the world."""
        if foreign := [problem for path in sorted(self.draws) if (problem := self._foreign(path))]:
            more = f" and {len(foreign) - TOLD} more" if len(foreign) > TOLD else ""
            raise StoreError(f"{name}: belongs to another version of the model: {', '.join(foreign[:TOLD])}{more}")
        if not self.taken(world):
            raise StoreError(f"{name}: none of its {len(self.draws)} numbers has the prior that it was learned from")

    def _foreign(self, path: str) -> str:
        slot = declared(path)
        if slot is None:
            return f"{path} (no such number)"
        unit = slot.declaration.unit
        return "" if self.units[path] == unit else f"{path} (in {self.units[path]}, not {unit})"

    def content(self) -> bytes:
        """The bytes of the file. Raises StoreError if it has changed since it was read."""
        from hashlib import sha256

        try:
            content = b"" if self.file is None else self.file.read_bytes()
        except OSError as error:
            raise StoreError(f"{self.file}: cannot read: {error.strerror or error}") from error
        if sha256(content).hexdigest() != self.sha256:
            raise StoreError(f"{self.file}: has changed since it was read")
        return content


def declared(path: str, block: type[Block] = World) -> Slot | None:
    """The declaration of the number at a dotted path, whatever the names of blocks in it; None if there is no such number."""
    name, _, rest = path.partition(".")
    slot = slots(block).get(name)
    if slot is None or slot.kind == "quantity":
        return None if rest else slot
    if slot.kind == "table":
        return slot if rest and "." not in rest and rest in FIXED_AXES.get(slot.declaration.axis, (rest,)) else None
    if slot.inner is None:
        return None
    return declared(rest if slot.kind == "block" else rest.partition(".")[2], slot.inner)


def write(posterior: Posterior, file: Path) -> Posterior:
    """Write a posterior as netCDF, one variable for each number, and return it as the file keeps it.

    The same posterior gives the same bytes, whole or not at all. Raises ForecastError for numbers that are not finite, that
    are off by more than PRECISION in the file, or of which there are not equally many.
    """
    from forecast.ensemble.export import write_netcdf

    write_netcdf(_as_dataset(posterior), file)
    return replace(read(file, extra=False), extra=posterior.extra)


def _as_dataset(posterior: Posterior) -> xr.Dataset:
    import xarray as xr

    from forecast.ensemble.metadata import CONVENTIONS

    others = xr.Dataset() if posterior.extra is None else posterior.extra
    numbers = {path.replace(".", JOINT): _variable(posterior, path) for path in sorted(posterior.draws)}
    if not numbers or len(numbers) < len(posterior.draws) or set(numbers) & set(others.variables):
        raise ForecastError("posterior: must hold at least one number, and no two variables of the same name")
    return others.assign(numbers).assign_attrs({"Conventions": CONVENTIONS, FORMAT: VERSION} | posterior.attrs)


def _variable(posterior: Posterior, path: str) -> tuple[str, np.ndarray, dict[str, str]]:
    """A number as xarray takes it: dimension, values, attributes."""
    slot = declared(path)
    about = {"long_name": slot.declaration.meaning if slot else path, "units": posterior.units[path]}
    return DRAW, _kept(path, posterior.draws[path], posterior.size), about | {PARAMETER: path, "prior": posterior.priors[path]}


def _kept(path: str, values: np.ndarray, size: int) -> np.ndarray:
    """Draws of a number as the file keeps them."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        kept = np.asarray(values, np.float32)
        near = np.abs(kept.astype(float) - values) <= PRECISION * np.abs(values)
    if kept.shape != (size,) or not size or not near.all():
        raise ForecastError(f"{path}: must be {size} draws, at least one, all finite and within the reach of float32")
    return kept


def read(file: str | Path, extra: bool = True, ours: bool = False) -> Posterior:
    """Read what ``write`` wrote. Raises StoreError for anything else: missing, damaged, foreign or hostile.

    extra  read the further variables too, which takes a library that is slow to load
    ours   it came with the program, so it is not tried out in another process first
    """
    import h5py  # type: ignore[import-untyped]  # noqa: F401

    from forecast.ensemble.export import UNREADABLE, unharmed

    file = Path(file)
    posterior = unharmed(file, lambda: _numbers(file, ours), ours)
    try:
        return replace(posterior, extra=_others(posterior, file)) if extra else posterior
    except UNREADABLE as error:
        raise StoreError(f"{file}: cannot be read as netCDF: {error}") from error


def _numbers(file: Path, ours: bool) -> Posterior:
    """The numbers of a posterior, checked one by one."""
    import h5py

    from forecast.ensemble.export import refuse_links

    if not ours:
        refuse_links(file)
    draws: dict[str, np.ndarray] = {}
    priors: dict[str, str] = {}
    units: dict[str, str] = {}
    with h5py.File(file, "r") as content:
        if content.attrs.get(FORMAT) != VERSION:
            raise StoreError(f"{file}: not a posterior of this program, or of another version: {FORMAT} is not {VERSION}")
        variables = [item for item in content.values() if isinstance(item, h5py.Dataset)]
        _refuse_large(file, [item.shape or () for item in variables])
        dimension = content.get(DRAW)
        for item, about in [(item, about) for item in variables if PARAMETER in (about := item.attrs)]:
            path, prior, unit = (_text(about.get(name)) for name in (PARAMETER, "prior", "units"))
            problem = _problem(item, path, prior, unit) or _misfit(item, dimension, path, draws)
            if problem:
                raise StoreError(f"{file}: {item.name.lstrip('/')}: {problem}")
            draws[path], priors[path], units[path] = item[...].astype(float), prior, unit
        attrs = {name: _plain(value) for name, value in content.attrs.items() if name not in OWN and not name.startswith("_")}
    if not draws:
        raise StoreError(f"{file}: holds no numbers")
    if broken := [path for path, values in draws.items() if not np.isfinite(values).all()]:
        raise StoreError(f"{file}: {broken[0]}: holds numbers that are not finite")
    return Posterior(draws, priors, units, attrs, sha256=fingerprint(file)["sha256"], file=file)


def _refuse_large(file: Path, shapes: list[tuple[int, ...]]) -> None:
    """A small file can say that it holds more than any memory."""
    if len(shapes) > MOST_VARIABLES:
        raise StoreError(f"{file}: {len(shapes)} variables, at most {MOST_VARIABLES}")
    if (values := sum(math.prod(shape) for shape in shapes)) > MOST_VALUES:
        raise StoreError(f"{file}: {values} values, at most {MOST_VALUES}")


def _problem(item: Any, path: str, prior: str, unit: str) -> str:
    """What keeps a variable from being draws of a number; empty if nothing does."""
    if not (path and prior and unit):
        return f"must have texts as attributes {PARAMETER}, prior and units"
    if item.dtype.kind != "f":
        return f"holds {item.dtype}; must be numbers"
    return "" if 1 <= item.size <= MOST_DRAWS else f"{item.size} draws; must be from 1 to {MOST_DRAWS}"


def _misfit(item: Any, dimension: Any, path: str, before: dict[str, np.ndarray]) -> str:
    """What keeps a variable from standing beside the numbers before it; empty if nothing does."""
    if path in before:
        return f"{path} is there twice"
    if item.ndim != 1 or list(item.dims[0].values()) != [dimension]:
        return f"must have the dimension {DRAW} alone"
    wanted = len(next(iter(before.values()), item))
    return "" if item.size == wanted else f"{item.size} draws; must be {wanted}"


def _text(value: Any) -> str:
    """A text attribute, whichever library wrote it; empty if it is none."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


def _plain(value: Any) -> Any:
    """An attribute as Python has it."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value[0]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else _text(value)


def _others(posterior: Posterior, file: Path) -> xr.Dataset | None:
    """The further variables of a file."""
    from forecast.ensemble.export import read_netcdf

    found = read_netcdf(file)
    others = found.drop_vars([name for name, variable in found.variables.items() if PARAMETER in variable.attrs])
    return others.drop_attrs(deep=False) if others.variables else None
