"""The design of an ensemble: which numbers each realization believes, drawn from the priors by name.

A draw depends on the seed, the realization and the dotted path of the number, and on nothing else: not on the order
of the scenario file, not on the size of the block, not on which other agents exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np

from forecast import streams
from forecast.declare import Block, Declaration, Path, Quantity, Slot, slots
from forecast.layout import side_by_side
from forecast.model.programmes import STAGES
from forecast.model.world import World

MONTHS = 12
FIXED_AXES = {"stages": STAGES[:-1]}
NESTED_AXIS = "chemistries"
"""Axis of a mapping of blocks inside a block whose declaration names none."""
NEAREST = 1e-3
"""A draw keeps this share of the central value's distance from a bound that must not be touched."""


class Drawn(SimpleNamespace):
    """The world as arrays, one row of realizations for each number that has a prior.

    Fields have the names of the declarations. R realizations, n blocks of a kind sorted by name (``names``):
    quantity (R,) in a single block, (R, n) in a mapping of blocks; table (R, n, axis); path (months,) or (n, months);
    paths (n, axis, months); setting: as it is, or a tuple of n; axis names sorted, stages in their order.
    A mapping of blocks in a block: ``present`` (n, axis), quantities (R, n, axis) with nan where absent, words as their
    index (n, axis) with -1 where absent.

    size                     R
    months                   number of months from January of first_year to December of last_year
    first_year, last_year    whole years
    """


@dataclass(frozen=True)
class Belief:
    """A number that has a prior, and the bounds of its declaration."""

    quantity: Quantity
    declaration: Declaration

    def at(self, probability: np.ndarray) -> np.ndarray:
        """Values at these probabilities of the prior, kept within bounds."""
        assert self.quantity.prior is not None
        return self.kept(self.quantity.prior.quantile(probability))

    def kept(self, values: np.ndarray) -> np.ndarray:
        """Values of this number, kept within its bounds."""
        return _within(values, self.quantity.value, self.declaration)


def beliefs(world: World) -> dict[str, Belief]:
    """Every number of the world that has a prior, by its dotted path."""
    deal = _Deal(world, 0, np.zeros(0, int), {})
    deal.single(world, "")
    return dict(sorted(deal.beliefs.items()))


def draw(world: World, seed: int, realizations: np.ndarray, given: Mapping[str, np.ndarray] | None = None) -> Drawn:
    """Draw all numbers of the world for the given realizations.

    realizations  (R,) whole numbers, any order; row i of every array belongs to realizations[i]
    given         values (R,) of numbers that are known otherwise, such as from a posterior, by dotted path
    """
    deal = _Deal(world, seed, np.asarray(realizations), given or {})
    drawn = deal.single(world, "")
    drawn.size, drawn.months = len(deal.realizations), len(deal.times)
    return drawn


class _Deal:
    def __init__(self, world: World, seed: int, realizations: np.ndarray, given: Mapping[str, np.ndarray]):
        self.world, self.seed, self.realizations, self.given = world, seed, realizations, given
        self.beliefs: dict[str, Belief] = {}
        self.times = world.first_year + np.arange((world.last_year + 1 - world.first_year) * MONTHS) / MONTHS

    def single(self, block: Block, place: str) -> Drawn:
        """Numbers of a block of which there is one."""
        drawn = Drawn()
        for slot in slots(type(block)).values():
            here, value = f"{place}{slot.name}", getattr(block, slot.name)
            if slot.kind == "block":
                drawn_value: Any = self.single(value, f"{here}.")
            elif slot.kind == "blocks":
                drawn_value = self.mapping(slot, value, f"{here}.")
            elif slot.kind == "setting":
                drawn_value = value
            else:
                drawn_value = self.column(slot, [value], [here])
                drawn_value = drawn_value[:, 0] if slot.kind in ("quantity", "table") else drawn_value[0]
            setattr(drawn, slot.name, drawn_value)
        return drawn

    def mapping(self, slot: Slot, members: dict[str, Any], place: str) -> Drawn:
        """Numbers of a mapping of blocks, as arrays over the names in sorted order."""
        assert slot.inner is not None
        names = sorted(members)
        drawn = Drawn(names=tuple(names))
        for inner in slots(slot.inner).values():
            values = [getattr(members[name], inner.name) for name in names]
            places = [f"{place}{name}.{inner.name}" for name in names]
            setattr(drawn, inner.name, self.column(inner, values, places))
        return drawn

    def column(self, slot: Slot, values: list[Any], places: list[str]) -> Any:
        """One field of n blocks; shapes as in Drawn."""
        if slot.kind == "quantity":
            return self.quantities(slot, values, places)
        if slot.kind == "path":
            return self.paths(values)
        if slot.kind == "blocks":
            return self.nested(slot, values, places)
        if slot.kind == "setting":
            return tuple(values)
        names = self.axis(slot.declaration.axis)
        fill = slot.declaration.bounds.get("fill", np.nan)
        missing = Quantity(fill) if slot.kind == "table" else Path((0.0,), (fill,))
        cells = [value.get(name, missing) for value in values for name in names]
        if slot.kind == "paths":
            return self.paths(cells).reshape(len(values), len(names), len(self.times))
        inside = [f"{place}.{name}" for place in places for name in names]
        return self.quantities(slot, cells, inside).reshape(len(self.realizations), len(values), len(names))

    def nested(self, slot: Slot, values: list[dict[str, Any]], places: list[str]) -> Drawn:
        """A mapping of blocks inside each of n blocks, as arrays over (n, axis)."""
        assert slot.inner is not None
        names = self.axis(slot.declaration.axis or NESTED_AXIS)
        cells = [value.get(name) for value in values for name in names]
        inside = [f"{place}.{name}" for place in places for name in names]
        shape = (len(values), len(names))
        drawn = Drawn(names=tuple(names), present=np.array([cell is not None for cell in cells], bool).reshape(shape))
        for inner in slots(slot.inner).values():
            held = [None if cell is None else getattr(cell, inner.name) for cell in cells]
            if inner.kind == "quantity":
                quantities = [Quantity(np.nan) if value is None else value for value in held]
                array = self.quantities(inner, quantities, [f"{place}.{inner.name}" for place in inside])
                setattr(drawn, inner.name, array.reshape(len(self.realizations), *shape))
            else:
                setattr(drawn, inner.name, _codes(inner, held).reshape(shape))
        return drawn

    def quantities(self, slot: Slot, quantities: Sequence[Quantity], places: Sequence[str]) -> np.ndarray:
        """(R, len(quantities)): constant without a prior, else drawn by place and kept within the bounds."""
        constant = np.array([quantity.value for quantity in quantities], float)
        drawn = side_by_side(constant[None, :], (len(self.realizations), len(quantities)))
        unsure = {place: column for column, place in enumerate(places) if quantities[column].prior is not None}
        self.beliefs |= {place: Belief(quantities[column], slot.declaration) for place, column in unsure.items()}
        unknown = [place for place in unsure if place not in self.given]
        values = {place: self.given[place] for place in unsure if place in self.given}
        if unknown and self.realizations.size:
            luck = streams.each(streams.uniform, self.seed, [f"prior:{place}" for place in unknown], self.realizations)
            values |= {place: self.beliefs[place].at(luck[:, number]) for number, place in enumerate(unknown)}
        for place, value in values.items():
            drawn[:, unsure[place]] = self.beliefs[place].kept(value)
        return drawn

    def paths(self, values: Sequence[Path]) -> np.ndarray:
        """(len(values), months): values at the start of each month."""
        return np.array([value.at(self.times) for value in values], float).reshape(len(values), len(self.times))

    def axis(self, axis: str) -> Sequence[str]:
        return FIXED_AXES.get(axis) or sorted(getattr(self.world, axis))


def _within(drawn: np.ndarray, centre: float, declaration: Declaration) -> np.ndarray:
    bounds, largest = declaration.bounds, declaration.largest
    lowest, highest = bounds.get("at_least", -largest), bounds.get("at_most", largest)
    if "above" in bounds:
        lowest = max(lowest, bounds["above"] + NEAREST * (centre - bounds["above"]))
    if "below" in bounds:
        highest = min(highest, bounds["below"] - NEAREST * (bounds["below"] - centre))
    return np.clip(drawn, lowest, highest)


def _codes(slot: Slot, values: Sequence[Any]) -> np.ndarray:
    """Index of each value among the words that the field allows; -1 for None."""
    words = get_args(slot.annotation)
    return np.array([-1 if value is None else words.index(value) for value in values], int)
