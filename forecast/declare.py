"""How the model says what its numbers mean: unit, meaning, source and, where unsure, a prior.

A declaration is a pydantic field, so validation, defaults and the JSON schema come from one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Prior:
    """What we believe of a number before we look: a family and its arguments.

    normal (mean, sd); lognormal (median, sd of the logarithm); uniform (low, high);
    triangular (low, mode, high).
    """

    family: str
    arguments: tuple[float, ...]

    def quantile(self, probability: np.ndarray) -> np.ndarray:
        """Inverse distribution function; probability in (0, 1), any shape."""
        return FAMILIES[self.family].quantile(probability, *self.arguments)

    @property
    def centre(self) -> float:
        """The median, used where one number must stand for the prior."""
        return float(FAMILIES[self.family].centre(*self.arguments))

    @property
    def text(self) -> str:
        """Family and arguments for tables: "lognormal(9, 0.3)"."""
        return f"{self.family}({', '.join(f'{argument:.10g}' for argument in self.arguments)})"


@dataclass(frozen=True)
class Family:
    """A distribution that a prior may name."""

    arguments: tuple[str, ...]
    quantile: Callable[..., np.ndarray]
    centre: Callable[..., float]
    problem: Callable[..., str | None]


def _normal(probability, mean, sd):
    from forecast.special import ndtri

    return mean + sd * ndtri(probability)


def _lognormal(probability, median, sd):
    return median * np.exp(_normal(probability, 0.0, sd))


def _uniform(probability, low, high):
    return low + (high - low) * probability


def _triangular(probability, low, mode, high):
    peak = (mode - low) / (high - low)
    rising = low + np.sqrt(probability * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - probability) * (high - low) * (high - mode))
    return np.where(probability < peak, rising, falling)


WIDEST = 3.0
"""Standard deviation of a logarithm: draws are off by a factor of 20, in one of twenty by one of 400; more says that nothing is known."""
FAMILIES = {
    "normal": Family(("mean", "sd"), _normal, lambda mean, sd: mean, lambda mean, sd: None if sd >= 0 else "sd must not be negative"),
    "lognormal": Family(
        ("median", "sd"),
        _lognormal,
        lambda median, sd: median,
        lambda median, sd: None if median > 0 and 0 <= sd <= WIDEST else f"median must be above 0 and sd from 0 to {WIDEST:g}",
    ),
    "uniform": Family(
        ("low", "high"), _uniform, lambda low, high: (low + high) / 2, lambda low, high: None if low <= high else "low must not exceed high"
    ),
    "triangular": Family(
        ("low", "mode", "high"),
        _triangular,
        lambda low, mode, high: _triangular(np.array(0.5), low, mode, high),
        lambda low, mode, high: None if low <= mode <= high and low < high else "must have low <= mode <= high, low < high",
    ),
}


@dataclass(frozen=True)
class Quantity:
    """A number of the scenario in its canonical unit, with what we know of it."""

    value: float
    prior: Prior | None = None
    source: str = ""


@dataclass(frozen=True)
class Path:
    """A number that changes with the calendar: values at the start of years, straight lines between.

    years   strictly increasing, may have a fraction
    values  same length, canonical unit; held constant before the first and after the last year
    """

    years: tuple[float, ...]
    values: tuple[float, ...]
    source: str = ""

    def at(self, year: np.ndarray) -> np.ndarray:
        """Values at the given decimal years, same shape."""
        return np.interp(year, self.years, self.values)


class Block(BaseModel):
    """A group of declared numbers, such as one chemistry or one mine; frozen, nothing undeclared."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


LARGEST = 1e9
"""Size that no number of a scenario exceeds, in the unit of its declaration, unless the unit or the declaration says otherwise."""
LIMITS = {"1": 1e3, "1/year": 1e4, "1/month": 1e3, "1/hour": 1e3, "month": 1200.0, "year": 2200.0, "GWh/year": 1e6, "kg/kWh": 1e3}
"""The same for units whose numbers stand in exponents, or count the steps of a delay: far beyond sense, and what still can be simulated."""
SMALLEST = 1e-9
"""Size below which a number must be 0: what is divided by it must stay finite."""


@dataclass(frozen=True)
class Declaration:
    """What the model says of one field; read by the scenario loader, the schema and the documents.

    kind    quantity | path | table | paths | blocks | setting
    source  of the default; "... block" means that the block must say it, "see FIELD" that its FIELD does
    axis    for table, paths and blocks: the scenario mapping whose names are the keys
    bounds  any of at_least, at_most, above, below; ``fill`` for tables and paths
    """

    kind: str
    unit: str
    meaning: str
    source: str = ""
    axis: str = ""
    bounds: dict[str, float] = field(default_factory=dict)

    @cached_property
    def largest(self) -> float:
        """Size that the number must not exceed, whatever its sign."""
        told = [abs(self.bounds[name]) for name in ("at_most", "below") if name in self.bounds]
        return max(told[0], LIMITS.get(self.unit, LARGEST)) if told else LIMITS.get(self.unit, LARGEST)


REQUIRED: Any = ...


def _field(declaration: Declaration, default: Any) -> Any:
    if callable(default):
        return Field(default_factory=default, description=declaration.meaning, json_schema_extra={"declaration": declaration})  # type: ignore[dict-item]
    return Field(default, description=declaration.meaning, json_schema_extra={"declaration": declaration})  # type: ignore[dict-item]


def parameter(unit: str, meaning: str, source: str, default: float = REQUIRED, prior: Prior | None = None, **bounds: float) -> Any:
    """One number. bounds: at_least, at_most, above, below."""
    value: Any = default if default is REQUIRED else Quantity(float(default), prior, source)
    return _field(Declaration("quantity", unit, meaning, source, bounds=bounds), value)


def path(unit: str, meaning: str, source: str, default: dict[float, float] | float = REQUIRED, **bounds: float) -> Any:
    """One number that changes with the calendar: ``{2015: 0.3, 2024: 0.5}``."""
    value: Any = default
    if isinstance(default, int | float):
        default = {2015: float(default)}
    if isinstance(default, dict):
        value = Path(tuple(float(y) for y in default), tuple(float(v) for v in default.values()), source)
    return _field(Declaration("path", unit, meaning, source, bounds=bounds), value)


def table(unit: str, meaning: str, source: str, axis: str, fill: float | None = 0.0, **bounds: float) -> Any:
    """One number for each name of another mapping of the scenario; names left out take ``fill``."""
    declaration = Declaration("table", unit, meaning, source, axis, bounds | ({} if fill is None else {"fill": fill}))
    return _field(declaration, REQUIRED if fill is None else dict)


def paths(unit: str, meaning: str, source: str, axis: str, fill: float | None = 0.0, **bounds: float) -> Any:
    """One path for each name of another mapping of the scenario; names left out take ``fill``."""
    declaration = Declaration("paths", unit, meaning, source, axis, bounds | ({} if fill is None else {"fill": fill}))
    return _field(declaration, REQUIRED if fill is None else dict)


def blocks(meaning: str, axis: str = "") -> Any:
    """A mapping of names to blocks, such as all mines; with ``axis``, only names of that mapping of the scenario."""
    return _field(Declaration("blocks", "", meaning, axis=axis), dict)


def setting(meaning: str, default: Any = REQUIRED) -> Any:
    """A text, a flag, a whole number or one of a few words; not a physical quantity."""
    return _field(Declaration("setting", "", meaning), default)


@dataclass(frozen=True)
class Slot:
    """One field of a class of blocks, as the scenario loader and the design of draws see it.

    kind     as in its declaration, or "block" for a single block
    inner    the class of the block or blocks in it, else None
    default  REQUIRED if the scenario must give it
    """

    name: str
    kind: str
    declaration: Declaration
    annotation: Any
    inner: type[Block] | None
    default: Any


@cache
def slots(block: type[Block]) -> dict[str, Slot]:
    """The fields of a class of blocks, in order of declaration."""
    return {name: _slot(name, info) for name, info in block.model_fields.items()}


def _slot(name: str, info: Any) -> Slot:
    declaration: Declaration = info.json_schema_extra["declaration"]
    kind, inner, annotation = declaration.kind, None, info.annotation
    if isinstance(annotation, type) and issubclass(annotation, Block):
        kind, inner = "block", annotation
    elif get_origin(annotation) is dict and issubclass(get_args(annotation)[1], Block):
        kind, inner = "blocks", get_args(annotation)[1]
    default = REQUIRED if info.is_required() else info.get_default(call_default_factory=True)
    return Slot(name, kind, declaration, annotation, inner, default)


def Normal(mean: float, sd: float) -> Prior:
    """Prior with the bell shape."""
    return Prior("normal", (mean, sd))


def Lognormal(median: float, sd: float) -> Prior:
    """Prior of a positive number; sd is that of its logarithm."""
    return Prior("lognormal", (median, sd))


def Uniform(low: float, high: float) -> Prior:
    """Prior that knows only the ends."""
    return Prior("uniform", (low, high))


def Triangular(low: float, mode: float, high: float) -> Prior:
    """Prior with ends and a most likely value."""
    return Prior("triangular", (low, mode, high))
