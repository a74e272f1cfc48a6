"""Scenarios: YAML files that say only how they differ, read into a validated World.

    why: lithium triples in price        # required, one line
    base: baseline                       # a file beside this one or a shipped scenario; or a list, later ones overlay
    prior: posterior-2024.nc             # what a calibration learned, in place of priors; found like a base, null for none
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
from typing import TYPE_CHECKING, Any

from forecast.model.world import World
from forecast.scenario.building import Builder
from forecast.scenario.layers import find, gather, lies_in, names, shipped_folder
from forecast.scenario.learned import posterior_file
from forecast.scenario.problems import Problems
from forecast.scenario.references import check
from forecast.scenario.schema import Reference, reference_rows, schema
from forecast.scenario.writing import SourceRow, as_text, resolve, source_rows_of

if TYPE_CHECKING:
    from forecast.ensemble.posterior import Posterior

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

    files           the files it was read from, the scenario itself first
    posterior_file  what ``prior:`` names; None if it names nothing
    """

    name: str
    world: World
    files: tuple[Path, ...]
    posterior_file: Path | None = None

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The whole world as plain mappings, texts and numbers, as ``dump`` writes it."""
        return resolve(self.world)

    @cached_property
    def posterior(self) -> Posterior | None:
        """What a calibration learned, in place of priors; None if the scenario names none.

        Raises StoreError if the file is broken, or belongs to another version of the model.
        """
        from forecast.ensemble.posterior import read

        if self.posterior_file is None:
            return None
        ours = lies_in(self.posterior_file, [shipped_folder()])
        posterior = read(self.posterior_file, extra=False, ours=ours)
        posterior.check(self.world, str(self.posterior_file))
        return posterior


def load(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read and validate a scenario.

    path       a shipped name, or a YAML file
    overrides  texts ``a.b.c=value``, laid over the files in this order
    Raises ScenarioError that carries all problems. The posterior is not read before it is asked for.
    """
    stack = gather(path, overrides)
    problems = Problems(stack.problems)
    builder = Builder(stack, problems)
    world = builder.world()
    check(world, builder)
    learned = posterior_file(stack, problems)
    problems.raise_any()
    world = world.model_copy(update={"prior": learned.name if learned else ""})
    return Scenario(stack.name, world, tuple(stack.files), learned)


def dump(scenario: Scenario) -> str:
    """The fully resolved scenario as YAML: no base, all values, priors and sources; loading it gives an equal world."""
    return as_text(scenario.resolved)


def source_rows(scenario: Scenario) -> list[SourceRow]:
    """Every number of the scenario with its unit, prior and source; a prior that a posterior replaces says so."""
    rows = source_rows_of(scenario.world)
    if scenario.posterior is None:
        return rows
    taken, name = set(scenario.posterior.taken(scenario.world)), scenario.posterior.name
    return [row._replace(prior=f"{name}, over: {row.prior}") if row.path in taken else row for row in rows]
