"""How one number is spelled in a scenario: plain, with a unit, as a prior, with a source, or over the years."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from forecast.declare import FAMILIES, SMALLEST, Declaration, Prior
from forecast.scenario.layers import nearest
from forecast.scenario.reading import Node, short, shown
from forecast.scenario.units import UnitProblem, convert, example

BOUNDS = {
    "at_least": ("at least {:.10g}", lambda value, bound: value >= bound),
    "at_most": ("at most {:.10g}", lambda value, bound: value <= bound),
    "above": ("above {:.10g}", lambda value, bound: value > bound),
    "below": ("below {:.10g}", lambda value, bound: value < bound),
}
EARLIEST, LATEST = 1900, 2200
LONGEST_TEXT = 2000


class LeafProblem(ValueError):
    """A number that cannot be read: the node at fault and what is wrong with it."""

    def __init__(self, node: Node, problem: str):
        self.node = node
        super().__init__(problem)


@dataclass(frozen=True)
class Spelled:
    """What one node says of a number; parts that it does not mention are None."""

    value: float | None = None
    prior: Prior | None = None
    source: str | None = None


def allowed(bounds: dict[str, float]) -> str:
    """Bounds in words; empty if there are none."""
    return " and ".join(BOUNDS[name][0].format(bound) for name, bound in bounds.items() if name in BOUNDS)


def with_unit(value: float, unit: str) -> str:
    """A number for a message."""
    return f"{value:.10g}" if unit == "1" else f"{value:.10g} {unit}"


def number(node: Node, declaration: Declaration) -> float:
    """A finite number in the unit and within the bounds of its declaration. Raises LeafProblem."""
    value, unit = node.value, declaration.unit
    if isinstance(value, str):
        try:
            value = convert(value, unit)
        except UnitProblem as problem:
            raise LeafProblem(node, f"{shown(node)}; {problem}") from None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise LeafProblem(node, f"{shown(node)}; must be a number, or a text such as {example(unit)}")
    value = float(value)
    if not math.isfinite(value):
        raise LeafProblem(node, f"{shown(node)}; must be a finite number{_also(declaration)}")
    check_bounds(node, value, declaration)
    return value


def check_bounds(node: Node, value: float, declaration: Declaration) -> None:
    """Raise LeafProblem if the value is out of bounds, or of a size that makes no sense in its unit."""
    unit, bounds = declaration.unit, declaration.bounds
    for name, bound in bounds.items():
        if name in BOUNDS and not BOUNDS[name][1](value, bound):
            raise LeafProblem(node, f"{with_unit(value, unit)}; must be {allowed(bounds)}")
    if abs(value) > declaration.largest:
        raise LeafProblem(node, f"{with_unit(value, unit)}; must not be larger than {with_unit(declaration.largest, unit)}")
    if 0 < abs(value) < SMALLEST:
        zero = "" if "above" in bounds else "0, or "
        raise LeafProblem(node, f"{with_unit(value, unit)}; must be {zero}at least {with_unit(SMALLEST, unit)} in size")


def _also(declaration: Declaration) -> str:
    bound = allowed(declaration.bounds) or f"not larger than {with_unit(declaration.largest, declaration.unit)}"
    return f", {bound}"


def spelled(node: Node, declaration: Declaration) -> Spelled:
    """Read one quantity in any of its spellings. Raises LeafProblem."""
    if not isinstance(node.value, dict):
        return Spelled(number(node, declaration))
    value, prior, source = None, None, None
    for key, inner in node.value.items():
        if key == "value":
            value = number(inner, declaration)
        elif key == "source":
            source = text(inner)
        elif key in FAMILIES and prior is None:
            prior = _prior(str(key), inner, declaration)
        elif key in FAMILIES:
            raise LeafProblem(inner, "two priors; must be one")
        else:
            raise LeafProblem(inner, f"unknown key {short(key)!r}{nearest(key, ('value', 'source', *FAMILIES))}")
    if value is None and prior is None and source is None:
        raise LeafProblem(node, "an empty mapping; must hold value, source or a prior")
    return Spelled(prior.centre if value is None and prior is not None else value, prior, source)


def _prior(family: str, node: Node, declaration: Declaration) -> Prior:
    wanted = FAMILIES[family].arguments
    if not isinstance(node.value, list) or len(node.value) != len(wanted):
        raise LeafProblem(node, f"{family}: {shown(node)}; must be [{', '.join(wanted)}]")
    free = replace(declaration, bounds={"at_most": declaration.largest})
    of_logarithm = replace(declaration, unit="1", bounds={})
    kinds = [of_logarithm if (family, name) == ("lognormal", "sd") else free for name in wanted]
    arguments = tuple(number(inner, kind) for inner, kind in zip(node.value, kinds, strict=True))
    given = ", ".join(f"{argument:.10g}" for argument in arguments)
    problem = FAMILIES[family].problem(*arguments)
    if problem:
        raise LeafProblem(node, f"{family} [{given}]; {problem}")
    prior = Prior(family, arguments)
    if not math.isfinite(prior.centre):
        raise LeafProblem(node, f"{family} [{given}]; must have a finite median")
    try:
        check_bounds(node, prior.centre, declaration)
    except LeafProblem as error:
        raise LeafProblem(node, f"{family} [{given}] has its median at {error}") from None
    return prior


def years(node: Node, declaration: Declaration) -> tuple[tuple[float, ...], tuple[float, ...], str | None]:
    """Read a path: its years, its values, its source if given. Raises LeafProblem."""
    if not isinstance(node.value, dict):
        return (2015.0,), (number(node, declaration),), None
    source, points = None, dict[float, float]()
    for key, inner in node.value.items():
        if key == "source":
            source = text(inner)
        elif isinstance(key, int | float) and EARLIEST <= key <= LATEST:
            points[float(key)] = number(inner, declaration)
        else:
            raise LeafProblem(inner, f"{short(key)!r}; must be a year from {EARLIEST} to {LATEST}, or source")
    ordered = sorted(points.items())
    return tuple(year for year, _ in ordered), tuple(value for _, value in ordered), source


def text(node: Node) -> str:
    """A source or other text on one line, not empty. Raises LeafProblem."""
    if not isinstance(node.value, str) or not node.value.strip():
        raise LeafProblem(node, f"{shown(node)}; must be a text that is not empty")
    said = " ".join(node.value.split())
    if len(said) > LONGEST_TEXT:
        raise LeafProblem(node, f"{len(said):,} letters; must be at most {LONGEST_TEXT:,}")
    return said


def placeholder(source: str) -> bool:
    """Whether a declared source only says where the source must be given."""
    return not source or source.endswith(" block") or source.startswith("see ")


def plain(value: Any) -> Any:
    """A whole float as an int, for output."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
