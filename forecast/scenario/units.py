"""Numbers with units: a text such as ``15 USD/kg`` becomes a float in the unit that a declaration asks for.

The grammar is small on purpose (number, space, names joined by * and /, whole powers up to 3), so nothing that a file says
can hang or be read as another unit. A table of our own is used instead of pint, whose import alone costs half a second,
and which reads ``kt`` as knots and accepts ``nan``.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from forecast.scenario.layers import nearest

LONGEST = 100

ENERGY, MASS, MONEY, TIME = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
PURE = (0, 0, 0, 0)
UNITS: dict[str, tuple[float, tuple[int, ...]]] = {
    "1": (1.0, PURE),
    "%": (0.01, PURE),
    "cycle": (1.0, PURE),
    "USD": (1.0, MONEY),
    "kUSD": (1e3, MONEY),
    "MUSD": (1e6, MONEY),
    "GUSD": (1e9, MONEY),
    "g": (1e-3, MASS),
    "kg": (1.0, MASS),
    "t": (1e3, MASS),
    "kt": (1e6, MASS),
    "Mt": (1e9, MASS),
    "Wh": (1e-3, ENERGY),
    "kWh": (1.0, ENERGY),
    "MWh": (1e3, ENERGY),
    "GWh": (1e6, ENERGY),
    "TWh": (1e9, ENERGY),
    "hour": (1 / 24, TIME),
    "day": (1.0, TIME),
    "month": (30.0, TIME),
    "year": (360.0, TIME),
}
"""Name -> (factor, powers of energy in kWh, mass in kg, money in USD of 2024, time in days; a year is 12 months of 30 days)."""
SPELLINGS = {"h": "hour", "hours": "hour", "days": "day", "months": "month", "yr": "year", "years": "year", "cycles": "cycle"}

_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?"
_TEXT = re.compile(rf"({_NUMBER}) ?(%|[1A-Za-z][A-Za-z0-9*/^ -]*)")
_FACTOR = re.compile(r"([A-Za-z]+|1|%)(?:\^(-?[1-3]))?")


class UnitProblem(ValueError):
    """A text that is not a number in a fitting unit; says what is wrong."""


def convert(text: str, unit: str) -> float:
    """The number that ``text`` states, in ``unit``.

    Raises UnitProblem if the text is not ``NUMBER UNIT``, names an unknown unit or one of another dimension.
    """
    match = _TEXT.fullmatch(text.strip()) if len(text) <= LONGEST and text.isascii() else None
    if match is None:
        raise UnitProblem(f"must be a number, or a text such as {example(unit)}")
    factor, powers = measure(match[2])
    wanted_factor, wanted_powers = measure(unit)
    if powers != wanted_powers:
        raise UnitProblem("must be without unit, or in %" if unit == "1" else f"must be in {unit} or a unit that converts to it")
    number = float(match[1]) if factor == wanted_factor else float(match[1]) * (factor / wanted_factor)
    if not math.isfinite(number):
        raise UnitProblem(f"must be a finite number of {unit}")
    return number


def example(unit: str) -> str:
    """How a number with its unit is written."""
    return f'"15 {"%" if unit == "1" else unit}"'


@lru_cache(maxsize=256)
def measure(unit: str) -> tuple[float, tuple[int, ...]]:
    """Factor and powers of the dimensions of a unit such as ``USD*year/kWh``; raises UnitProblem."""
    factor, powers, sign = 1.0, list(PURE), 1
    for part in re.split(r" ?([*/]) ?", unit):
        if part in ("*", "/"):
            sign = 1 if part == "*" else -1
            continue
        match = _FACTOR.fullmatch(part)
        name = SPELLINGS.get(match[1], match[1]) if match else ""
        if match is None or name not in UNITS:
            raise UnitProblem(f"unknown unit {part!r}{nearest(part, UNITS, len(UNITS))} (units are joined by * and /)")
        power = sign * int(match[2] or 1)
        factor *= UNITS[name][0] ** power
        powers = [held + power * own for held, own in zip(powers, UNITS[name][1], strict=True)]
    return factor, tuple(powers)
