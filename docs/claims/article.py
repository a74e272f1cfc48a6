"""The article on two revolutions, line by line, beside a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from claims.run import HIGH_END, SMALL, Run, median
from forecast.report.style import label
from forecast.report.views import ALL
from writing import percent, spread


class Line(NamedTuple):
    """One claim of the article: what it says, a measure of a run, and whether a run carries it."""

    says: str
    measured: Callable[[Run], str]
    carried: Callable[[Run], bool] | None


def at(run: Run, name: str, chemistry: str, year: int) -> xr.DataArray:
    return run.yearly(name).sel(chemistry=chemistry, year=year)


def below_lfp(run: Run, year: int = 2035) -> np.ndarray:
    price = run.yearly("cell_price").sel(year=year)
    return (1 - price.sel(chemistry="sodium_ion") / price.sel(chemistry="lfp")).values


def three_years(run: Run) -> float:
    """Share of realizations in which lithium triples within some three years that end in 2026-2035."""
    month = run.results["month"].dt.year.values
    price = run.results["lithium_price"].values[:, (month >= 2023) & (month <= 2035)]
    return float((price[:, 36:] / price[:, :-36]).max(axis=1).__ge__(3).mean())


def likely(values: Any) -> bool:
    return float(np.mean(np.asarray(values))) > 0.5


def dense(run: Run, year: int = 2035) -> xr.DataArray:
    """Share of the chemistries of highest specific energy in premium cars (realization,)."""
    return run.shares.sel(year=year, segment="premium_cars", chemistry=["semi_solid", "solid_state"]).sum("chemistry")


def both_sides(run: Run, year: int = 2030) -> np.ndarray:
    """Makers with lines for sodium-ion and for a lithium chemistry."""
    lines = run.yearly("capacity").sel(year=year) > 0.1
    lithium = lines.sel(chemistry=[name for name in lines["chemistry"].values if name in ("lfp", "nmc", "semi_solid", "solid_state")])
    return (lines.sel(chemistry="sodium_ion") & lithium.any("chemistry")).sum("manufacturer").values


ARTICLE = (
    Line(
        "sodium-ion has 175 Wh/kg",
        lambda r: f"{spread(at(r, 'specific_energy', 'sodium_ion', 2026))} Wh/kg in 2026",
        lambda r: likely(at(r, "specific_energy", "sodium_ion", 2026) >= 175),
    ),
    Line(
        "sodium-ion keeps over 70 % of capacity at -20 °C",
        lambda r: f"{spread(r.drawn_of('sodium_ion', 'cold_capacity'), '{:.0f}', 100)} % (assumed)",
        lambda r: likely(r.drawn_of("sodium_ion", "cold_capacity") > 0.7),
    ),
    Line(
        "sodium-ion runs on lithium lines with little disruption",
        lambda r: (
            f"converting an LFP line costs {percent(r.world.chemistries['sodium_ion'].conversion_cost['lfp'].value)} of a new one (assumed)"
        ),
        lambda r: r.world.chemistries["sodium_ion"].conversion_cost["lfp"].value <= 0.2,
    ),
    Line(
        "sodium-ion costs 30-40 % less than LFP",
        lambda r: (
            f"{spread(below_lfp(r), '{:.0f}', 100)} % less in 2035 (negative: dearer); "
            f"cheaper for good: {r.when(r.milestones['lasting_crossover_year'])}"
        ),
        lambda r: likely(below_lfp(r) >= 0.3),
    ),
    Line(
        "sodium-ion cars from 2026",
        lambda r: f"1 % of micro or mass-market cars: {r.when(r.passing('sodium_ion', ('micro_cars', 'mass_cars'), 0.01))}",
        lambda r: likely(r.passing("sodium_ion", ("micro_cars", "mass_cars"), 0.01) <= 2026),
    ),
    Line(
        "sodium-ion has almost no rival in storage, low-speed vehicles, industry",
        lambda r: (
            "share in 2035: "
            + ", ".join(f"{label(s).lower()} {percent(median(r.shares.sel(year=2035, segment=s, chemistry='sodium_ion')))}" for s in SMALL)
        ),
        lambda r: all(likely(r.shares.sel(year=2035, segment=s, chemistry="sodium_ion") >= 0.8) for s in SMALL),
    ),
    Line(
        "solid-state has 300-400 Wh/kg",
        lambda r: f"{spread(at(r, 'specific_energy', 'solid_state', 2030))} Wh/kg in 2030",
        lambda r: likely(at(r, "specific_energy", "solid_state", 2030) >= 300),
    ),
    Line(
        "solid-state lasts over 5,000 cycles",
        lambda r: f"{spread(r.drawn_of('solid_state', 'cycle_life'), '{:,.0f}')} cycles (assumed)",
        lambda r: likely(r.drawn_of("solid_state", "cycle_life") > 5000),
    ),
    Line(
        "thermal runaway is nearly gone",
        lambda r: f"hazard {r.world.chemistries['solid_state'].hazard.value:.2g} of the nickel family's (assumed)",
        lambda r: r.world.chemistries["solid_state"].hazard.value <= 0.25,
    ),
    Line(
        "semi-solid is in early production",
        lambda r: f"programme commercial: {r.when(r.milestones['commercial_year'].sel(chemistry='semi_solid'))}",
        lambda r: likely(r.milestones["commercial_year"].sel(chemistry="semi_solid") <= 2026),
    ),
    Line(
        "mass adoption of solid-state is 4-5 years away (2030-31)",
        lambda r: f"10 % of all sales: {r.when(r.passing('solid_state', [ALL], 0.1))}",
        lambda r: likely(r.passing("solid_state", [ALL], 0.1) <= 2031),
    ),
    Line(
        "solid-state starts in premium cars, eVTOL and drones",
        lambda r: f"one of them is first with {percent(r.first_places('solid_state', HIGH_END)[0])}",
        lambda r: r.first_places("solid_state", HIGH_END)[0] > 0.5,
    ),
    Line(
        "lithium rises by over 200 % in three years",
        lambda r: f"triples within some three years up to 2035 in {percent(three_years(r))}",
        lambda r: three_years(r) > 0.5,
    ),
    Line(
        "buyers still pay for range",
        lambda r: f"semi-solid and solid-state in premium cars, 2035: {percent(median(dense(r)))} (taste assumed)",
        lambda r: likely(dense(r) > 0.2),
    ),
    Line(
        "makers run on dual tracks",
        lambda r: f"{spread(both_sides(r))} makers with lines on both sides in 2030",
        lambda r: likely(both_sides(r) >= 5),
    ),
    Line(
        "solid-state sodium is where the paths meet",
        lambda r: f"5 % of all sales by {r.last}: {percent(r.passing('solid_state_sodium', [ALL]).notnull().mean())}",
        lambda r: likely(r.passing("solid_state_sodium", [ALL]).notnull()),
    ),
)
