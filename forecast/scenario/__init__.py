"""Scenarios: YAML files that say only how they differ, read into a validated World.

    why: lithium triples in price        # required, one line
    base: baseline                       # a file beside this one or a shipped scenario; or a list, later ones overlay
    lithium:
      long_run_price: 30000              # a number in the unit of the declaration
      first_price: 9 USD/kg              # or text with a unit
      ceiling: {lognormal: [90000, 0.1], source: "where it is from"}
      other_demand: {2015: 95000, 2050: 250 kt/year, source: "..."}
    mines:
      some_mine: null                    # removes the block

Any block may carry ``source:`` for all its numbers and ``sources: {field: text}``. A number over a number replaces value and
prior; without a source of its own it says where it was written and keeps the source of what it replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from forecast.model.world import World
from forecast.scenario.building import Builder
from forecast.scenario.layers import find, gather, names, shipped_folder
from forecast.scenario.problems import Problems
from forecast.scenario.references import check
from forecast.scenario.schema import Reference, reference_rows, schema
from forecast.scenario.writing import SourceRow, as_text, resolve, source_rows_of

__all__ = [
    "Reference",
    "Scenario",
    "SourceRow",
    "dump",
    "find",
    "load",
    "names",
    "reference_rows",
    "schema",
    "shipped_folder",
    "source_rows",
]


@dataclass(frozen=True)
class Scenario:
    """A named world, ready to run.

    files  the files it was read from, the scenario itself first
    """

    name: str
    world: World
    files: tuple[Path, ...]

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The whole world as plain mappings, texts and numbers, as ``dump`` writes it."""
        return resolve(self.world)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read and validate a scenario.

    path       a shipped name, or a YAML file
    overrides  texts ``a.b.c=value``, laid over the files in this order
    Raises ScenarioError that carries all problems.
    """
    stack = gather(path, overrides)
    problems = Problems(stack.problems)
    builder = Builder(stack, problems)
    world = builder.world()
    check(world, builder)
    problems.raise_any()
    return Scenario(stack.name, world, tuple(stack.files))


def dump(scenario: Scenario) -> str:
    """The fully resolved scenario as YAML: no base, all values, priors and sources; loading it gives an equal world."""
    return as_text(scenario.resolved)


def source_rows(scenario: Scenario) -> list[SourceRow]:
    """Every number of the scenario with its unit, prior and source."""
    return source_rows_of(scenario.world)
