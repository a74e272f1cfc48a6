"""What the results say of themselves: variables, coordinates and attributes after CF-1.11 and ACDD-1.3.

Everything comes from the declarations of ``model/market.py``; no unit or meaning is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecast.ensemble.plan import Plan, versions
from forecast.model.market import COLUMNS, COST_PARTS, DERIVED, MONTHS, STATUS, Column
from forecast.model.programmes import STAGES

DAYS_A_MONTH = 30
CONVENTIONS = "CF-1.11, ACDD-1.3"
NAMES = {
    "segment": "Application in which batteries are used",
    "region": "Market where batteries are bought",
    "chemistry": "Battery chemistry",
    "manufacturer": "Maker of cells",
    "mine": "Lithium deposit",
    "mineral": "Mineral other than lithium",
    "component": "Component of cells",
    "cost_part": "Part of the cost of a cell",
}
MAPPINGS = {name: f"{name}s" for name in NAMES} | {"chemistry": "chemistries"}
FLAGS = {
    "programme_stage": {-1: "no_programme", **dict(enumerate(STAGES))},
    "mine_status": dict(enumerate(STATUS)),
}
"""Columns that hold codes; stored as whole numbers."""
CELL_METHODS = {"sum": "sum", "mean": "mean", "last": "point (at the end of the interval)"}
NO_CODE = -128


@dataclass(frozen=True)
class Variable:
    """One array of the results: its name, dimensions, type and attributes."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    attributes: dict[str, Any]
    values: np.ndarray | None = field(default=None, compare=False)


def variables(plan: Plan) -> list[Variable]:
    """The recorded variables, realization first; without values."""
    declared = COLUMNS | {name: column for name, (column, _) in DERIVED.items()}
    return [_variable(name, column, plan.monthly) for name, column in declared.items() if column.every]


def _variable(name: str, column: Column, monthly: bool) -> Variable:
    clock = "month" if monthly or column.every == "month" else "time"
    unit = column.unit
    if clock == "month" and column.every == "year" and column.how == "sum":
        unit = unit.replace("year-1", "month-1")
    attributes: dict[str, Any] = {"long_name": column.meaning, "units": unit, "cell_methods": _cell_methods(name, column, clock)}
    if flags := FLAGS.get(name):
        attributes |= {"flag_values": list(flags), "flag_meanings": " ".join(flags.values())}
    return Variable(name, ("realization", clock, *column.dims), "int8" if flags else "float32", attributes)


def _cell_methods(name: str, column: Column, clock: str) -> str:
    if name not in DERIVED:
        return f"{clock}: {CELL_METHODS[column.how]}"
    whole = DERIVED[name][1]
    if COLUMNS[whole].how == "last":
        return f"{clock}: {CELL_METHODS['last']}"
    return f"{clock}: mean (weighted by {whole})"


def coordinates(plan: Plan) -> list[Variable]:
    """Coordinate variables with their values: realizations, names, and the clock with its bounds."""
    number = {"standard_name": "realization", "long_name": "Number of the realization", "units": "1"}
    found = [Variable("realization", ("realization",), "int32", number, plan.numbers.astype("int32"))]
    found += [Variable(name, (name,), "string", {"long_name": meaning}, names(plan, name)) for name, meaning in NAMES.items()]
    if not plan.monthly:
        found += _clock(plan, "time", MONTHS)
    return found + _clock(plan, "month", 1)


def names(plan: Plan, dimension: str) -> np.ndarray:
    """Labels along a dimension, in the order in which the model holds them."""
    if dimension == "cost_part":
        return np.array(COST_PARTS, object)
    return np.array(sorted(getattr(plan.world, MAPPINGS[dimension])), object)


def _clock(plan: Plan, name: str, months: int) -> list[Variable]:
    days = months * DAYS_A_MONTH
    starts = days * np.arange(plan.years * MONTHS // months)
    attributes = {
        "standard_name": "time",
        "long_name": "Middle of the year" if months == MONTHS else "Middle of the month",
        "axis": "T",
        "units": f"days since {plan.world.first_year}-01-01",
        "calendar": "360_day",
        "bounds": f"{name}_bnds",
    }
    bounds = starts[:, None] + np.array([0, days])
    return [
        Variable(name, (name,), "float64", attributes, starts + days / 2),
        Variable(f"{name}_bnds", (name, "bnds"), "float64", {"long_name": "Start and end"}, bounds.astype(float)),
    ]


def dataset_attributes(plan: Plan) -> dict[str, Any]:
    """Attributes of the whole dataset; no clock time, no place, nothing of workers or blocks."""
    title = getattr(plan.world, "title", "") or plan.name
    software = versions()
    learned = {"posterior": plan.posterior.name, "posterior_sha256": plan.posterior_sha256} if plan.posterior else {}
    return {
        "Conventions": CONVENTIONS,
        "title": f"Battery market forecast: {title}",
        "summary": (
            f"Ensemble of {plan.realizations} simulated worlds of the scenario '{plan.name}': who buys which battery, in which "
            "segment and region, when and at what price. Every realization draws its own parameters from "
            + (f"the posterior of a calibration, {plan.posterior.name}, and the priors." if plan.posterior else "their priors.")
        ),
        "keywords": "batteries, technology adoption, sodium-ion, solid-state, lithium price, forecast, ensemble",
        "source": f"battery-forecast {software['battery-forecast']}, agent-based simulation of the battery market",
        "history": f"forecast run {plan.name} --realizations {plan.realizations} --seed {plan.seed}" + " --monthly" * plan.monthly,
        "comment": (
            "Money is in United States dollars of 2024, written USD, which UDUNITS does not know. "
            "Years have 12 months of 30 days. Values keep 12 bits of mantissa, a relative error below 0.00013. "
            "No date of creation is stored, so that the same inputs give the same bytes."
        ),
        "license": "MIT",
        "creator_name": "battery-forecast",
        "creator_type": "group",
        "institution": "The battery-forecast developers",
        "processing_level": "model output",
        "product_version": software["battery-forecast"],
        "standard_name_vocabulary": "CF Standard Name Table",
        "time_coverage_start": f"{plan.world.first_year}-01-01",
        "time_coverage_end": f"{plan.world.last_year}-12-30",
        "time_coverage_resolution": "P1M",
        "scenario": plan.name,
        "scenario_sha256": plan.scenario_sha256,
        **learned,
        "seed": plan.seed,
        "software_versions": ", ".join(f"{name} {version}" for name, version in software.items()),
    }
