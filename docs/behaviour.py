"""Write behaviour.md: what the model must show, measured on runs of the shipped scenarios (`make behaviour`).

    python docs/behaviour.py OUTPUTS

Every claim has a rule; the verdict is computed from the runs, good or bad.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import xarray as xr

import forecast
from forecast.assess.compare import check_pairs
from forecast.assess.milestones import answer, censored_quantiles, first_segments, milestone_years
from forecast.assess.pictures import observed_past
from forecast.ensemble.design import draw
from forecast.errors import ForecastError, StoreError
from forecast.model.cost import lithium_cost
from forecast.report import plots
from forecast.report.style import label
from forecast.report.views import ALL, CARS, STORAGE, VEHICLES, WORLD, by_year, deliveries_of, shares, world_shares

SCENARIOS = (
    "baseline", "article", "lithium_surge", "lithium_glut", "sodium_fast", "sodium_stall", "solid_state_early", "solid_state_late",
    "convergence", "dual_track", "single_track", "supply_shock", "policy_push", "high_demand", "low_demand", "cold_world", "unguided",
)  # fmt: skip
PAGE = Path(__file__).parent / "behaviour.md"
DPI = 80
COLOURS = 96
FEW = 50
PAST = range(2015, 2025)
TABLE_YEARS = (2015, 2020, 2024, 2030, 2035, 2040, 2045, 2050)
EFFECT_YEARS = (2030, 2040)
AFTERMATH = 5
SMALL = ("stationary_grid", "two_three_wheelers", "micro_cars", "industrial")
HIGH_END = ("premium_cars", "aviation", "drones")
LEAD_ACID_SEGMENTS = ("two_three_wheelers", "micro_cars", "industrial")
FOOTHOLD = 0.05


class Found(NamedTuple):
    """What was measured for one claim."""

    holds: bool
    text: str
    picture: Any = None


@dataclass(frozen=True)
class Claim:
    """A sentence that must be true, how it is judged, and what measures it."""

    section: str
    title: str
    rule: str
    needs: tuple[str, ...]
    measure: Callable[[dict[str, Run]], Found]


CLAIMS: list[Claim] = []


def claim(section: str, *needs: str) -> Callable:
    """Register a function that measures what its docstring claims on the runs it needs (baseline always)."""

    def register(measure: Callable[[dict[str, Run]], Found]) -> Callable:
        title, rule = (" ".join(part.split()) for part in str(measure.__doc__).split("\n\n"))
        CLAIMS.append(Claim(section, title.rstrip("."), rule, ("baseline", *needs), measure))
        return measure

    return register


def claims() -> list[str]:
    """Titles of all claims, in the order of the page."""
    return [each.title for each in CLAIMS]


class Run:
    """One folder of results and what is asked of it more than once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.results = forecast.open_results(folder)

    @cached_property
    def shares(self) -> xr.DataArray:
        """World shares of yearly sales (realization, year, segment with all, chemistry)."""
        return world_shares(self.results)

    @cached_property
    def milestones(self) -> xr.Dataset:
        return milestone_years(self.results)

    @cached_property
    def world(self) -> Any:
        return forecast.load_scenario(self.folder / "scenario.yaml").world

    @cached_property
    def drawn(self) -> Any:
        """The parameters of every realization."""
        return draw(self.world, int(self.results.attrs["seed"]), self.results["realization"].values)

    def yearly(self, name: str, how: str = "mean") -> xr.DataArray:
        return by_year(self.results[name].load(), how)

    def passing(self, chemistry: str, segments: Sequence[str], level: float = FOOTHOLD) -> xr.DataArray:
        """First year in which the chemistry passes the level in any of the segments (realization,)."""
        year = self.milestones["share_year"].sel(region=WORLD, chemistry=chemistry, segment=list(segments), drop=True)
        return year.sel(threshold=level, method="nearest", drop=True).min("segment")

    @property
    def segments(self) -> list[str]:
        return self.results["segment"].values.tolist()

    @property
    def last(self) -> int:
        return int(self.milestones.attrs["last_year"])

    def when(self, year: xr.DataArray) -> str:
        """Median, 90 % interval and probability of a year per realization."""
        middle = censored_quantiles(year).values
        start = float((year == self.milestones.attrs["first_year"]).mean())
        return answer(middle, float(year.notnull().mean()), start, self.milestones.attrs)

    def name_of(self, mapping: str, key: str) -> int:
        return getattr(self.drawn, mapping).names.index(key)

    def drawn_of(self, chemistry: str, field: str) -> np.ndarray:
        """Draws of a quantity of a chemistry (realization,)."""
        return getattr(self.drawn.chemistries, field)[:, self.name_of("chemistries", chemistry)]


# How numbers are written.


def percent(value: float, digits: int = 0) -> str:
    return f"{100 * float(value):.{digits}f} %"


def spread(values: np.ndarray | xr.DataArray, form: str = "{:.0f}", scale: float = 1.0) -> str:
    """Median with the 5 and 95 % quantile."""
    low, middle, high = np.quantile(np.asarray(values, float) * scale, (0.05, 0.5, 0.95))
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def years_in(array: xr.DataArray, wanted: Sequence[int] = TABLE_YEARS) -> list[int]:
    have = set(array["year"].values.tolist())
    return [year for year in wanted if year in have]


def median(array: xr.DataArray) -> xr.DataArray:
    return array.median("realization")


# Differences between scenarios: realization k of both has the same luck.


def paired(a: Run, b: Run, of: Callable[[Run], xr.DataArray]) -> np.ndarray:
    """A - B in each realization (realization,)."""
    check_pairs(a.results, b.results)
    return np.asarray(of(a), float) - np.asarray(of(b), float)


def effect(difference: np.ndarray, unit: str, scale: float = 1.0, form: str = "{:+.1f}") -> str:
    """Median, interval, mean with two standard errors, and how often it is above zero."""
    mean, error = difference.mean() * scale, standard_error(difference) * scale
    return (
        f"{spread(difference, form, scale)} {unit}; mean {form.format(mean)} ± {form.format(2 * error).lstrip('+')}; "
        f"above zero in {percent((difference > 0).mean())} of realizations"
    )


def standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def sure(difference: np.ndarray, sign: int) -> bool:
    """Whether the mean difference has this sign by more than two standard errors."""
    return bool(sign * difference.mean() > 2 * standard_error(difference))


def window(run: Run, reference: Run) -> tuple[int, int]:
    """Years in which a scenario's effect is measured: its own events and five years more, or 2030-2040 if it has none."""
    events = own_events(run, reference)
    if not events:
        return EFFECT_YEARS
    last = int(np.ceil(max(event.end.value for event in events))) + AFTERMATH
    return int(min(event.start.value for event in events)), min(last, EFFECT_YEARS[1], run.last)


def own_events(run: Run, reference: Run) -> list[Any]:
    """Policies and shocks that only this scenario has."""
    return [event for name, event in run.world.policy.items() if name not in reference.world.policy]


def later(array: xr.DataArray, years: tuple[int, int] = EFFECT_YEARS) -> xr.DataArray:
    """Mean over the years in which an effect is measured."""
    return array.sel(year=slice(*years)).mean("year")


def share_later(chemistry: str, segment: str = ALL, years: tuple[int, int] = EFFECT_YEARS) -> Callable[[Run], xr.DataArray]:
    return lambda run: later(run.shares.sel(segment=segment, chemistry=chemistry), years)


def pictured(runs: dict[str, Run], names: Sequence[str], **which: Any) -> Any:
    """The scenarios beside each other."""
    return plots.scenario_comparison({name: runs[name].results for name in names}, **which)


# The past.

REPLAY = "The past replayed without a guide, 2015-2024"


@claim(REPLAY, "unguided")
def cell_price(runs: dict[str, Run]) -> Found:
    """The cell price is replayed within 25 % each year.

    Rule: median of the yearly world mean price over the observed price lies in 0.75-1.25 in every year.
    """
    run, seen = runs["unguided"], observed_past()
    price = median(run.yearly("mean_cell_price"))
    years = [year for year in PAST if year in seen["cell_price"]]
    ratio = {year: float(price.sel(year=year)) / seen["cell_price"][year] for year in years}
    rows = [(year, f"{seen['cell_price'][year]:.0f}", f"{float(price.sel(year=year)):.0f}", f"{ratio[year]:.2f}") for year in years]
    text = table(("year", "observed, USD/kWh", "median, USD/kWh", "ratio"), rows)
    return Found(all(0.75 <= r <= 1.25 for r in ratio.values()), text, plots.history_panel(run.results, seen))


def lfp_in_cars(run: Run) -> xr.DataArray:
    """LFP share of car batteries (realization, year, region with world)."""
    return shares(deliveries_of(run.results, CARS)).sel(chemistry="lfp")


@claim(REPLAY, "unguided")
def lfp_share(runs: dict[str, Run]) -> Found:
    """The LFP share of car batteries falls to a low around 2019-20 and recovers to 35-55 % by 2024.

    Rule: the median's lowest year lies in 2018-2021, and its value of 2024 in 35-55 %.
    """
    share = median(lfp_in_cars(runs["unguided"]).sel(region=WORLD, year=slice(PAST[0], PAST[-1])))
    seen = observed_past()["lfp_share"]["world"]
    rows = [(year, percent(seen[year]) if year in seen else "-", percent(share.sel(year=year))) for year in PAST]
    low = int(share["year"].values[int(share.argmin("year"))])
    end = float(share.sel(year=2024))
    text = f"Low in {low}; {percent(end)} in 2024. Observed is the share of MWh in battery-electric cars.\n\n" + table(
        ("year", "observed", "median"), rows
    )
    return Found(2018 <= low <= 2021 and 0.35 <= end <= 0.55, text)


@claim(REPLAY, "unguided")
def lfp_regions(runs: dict[str, Run]) -> Found:
    """China's LFP share is far above that of Europe and the United States.

    Rule: the median of 2024 in China is at least 25 points above both others.
    """
    run, seen = runs["unguided"], observed_past()["lfp_share"]
    share = median(lfp_in_cars(run))
    regions, years = ("china", "europe", "united_states"), (2016, 2018, 2020, 2022, 2024)
    both = [[f"{percent(share.sel(region=r, year=y))} ({percent(seen[r][y]) if y in seen[r] else '-'})" for r in regions] for y in years]
    text = "Median, observed in brackets.\n\n" + table(
        ("year", *map(label, regions)), [(y, *row) for y, row in zip(years, both, strict=True)]
    )
    end = share.sel(year=2024)
    holds = float(end.sel(region="china")) - max(float(end.sel(region=r)) for r in regions[1:]) >= 0.25
    picture = plots.region_shares(run.results.sel(time=run.results["time"].dt.year <= 2024), "lfp", seen)
    return Found(holds, text, picture)


@claim(REPLAY, "unguided")
def follows_history(runs: dict[str, Run]) -> Found:
    """Deliveries to vehicles and storage follow the driven history.

    Rule: median deliveries lie within 10 % of the demand that history drives, in every year and both groups.
    """
    run = runs["unguided"]
    rows, ratios = [], []
    wanted = by_year(run.results["demand"].sum("region").load(), "sum")
    seen = observed_past()
    for year in PAST:
        row: list[object] = [year]
        for group, series in ((VEHICLES, "ev_battery_demand"), (STORAGE, "storage_demand")):
            delivered = float(median(deliveries_of(run.results, group).sel(region=WORLD, year=year).sum("chemistry")))
            driven = float(median(wanted.sel(segment=list(group), year=year).sum("segment")))
            ratios.append(delivered / driven)
            row += [f"{seen[series][year]:.0f}" if year in seen[series] else "-", f"{driven:.0f}", f"{delivered:.0f}", f"{ratios[-1]:.2f}"]
        rows.append(row)
    names = [f"{group}: {what}" for group in ("vehicles", "storage") for what in ("observed", "driven", "delivered", "ratio")]
    text = (
        "GWh a year. What history drives holds more than the observed series of vehicles: lead-acid e-bikes and low-speed cars "
        "(series `ev_demand_outside_iea`).\n\n" + table(("year", *names), rows)
    )
    return Found(all(0.9 <= ratio <= 1.1 for ratio in ratios), text)


def boom(price: np.ndarray) -> tuple[bool, bool]:
    """Whether a monthly price passes three times its running low, and later falls below half of its high after that."""
    high = price / np.minimum.accumulate(price) > 3
    if not high.any():
        return False, False
    after = price[high.argmax() :]
    return True, bool((after < 0.5 * np.maximum.accumulate(after)).any())


@claim(REPLAY, "unguided")
def lithium_boom(runs: dict[str, Run]) -> Found:
    """Lithium has a boom and a bust within the ten years in most realizations.

    Rule: more than half of the realizations pass three times the running low and later fall below half of the high.
    """
    run = runs["unguided"]
    month = run.results["month"].dt.year
    price = run.results["lithium_price"].sel(month=(month >= PAST[0]) & (month <= PAST[-1])).values
    found = np.array([boom(row) for row in price])
    reached = price.max(axis=1) / price.min(axis=1)
    text = (
        f"A boom in {percent(found[:, 0].mean())} of realizations, boom and bust in {percent(found[:, 1].mean())}. "
        f"Highest over lowest monthly price: {spread(reached, '{:.1f}')}."
    )
    return Found(found[:, 1].mean() > 0.5, text, plots.lithium_price_fan(run.results, observed_past()["lithium_price"]))


@claim(REPLAY, "unguided")
def lithium_band(runs: dict[str, Run]) -> Found:
    """The observed lithium price lies inside the 90 % band in most years.

    Rule: yearly means; inside in at least six of the ten years.
    """
    run = runs["unguided"]
    price, seen = run.yearly("lithium_contract_price"), observed_past()["lithium_price"]
    rows, inside = [], 0
    for year in PAST:
        low, middle, high = price.sel(year=year).quantile([0.05, 0.5, 0.95], "realization").values
        fits = low <= seen[year] <= high
        inside += fits
        rows.append((year, f"{seen[year]:,.0f}", f"{low:,.0f}", f"{middle:,.0f}", f"{high:,.0f}", "yes" if fits else "no"))
    text = f"Inside in {inside} of {len(rows)} years. Yearly means of contracts, which published prices report, USD/t.\n\n"
    text += table(("year", "observed", "5 %", "median", "95 %", "inside"), rows)
    return Found(inside >= 6, text)


# The forecast.

AHEAD = "From 2026"


def first_places(run: Run, chemistry: str, members: Sequence[str]) -> tuple[float, str]:
    """Probability that one of the segments is first to 5 %, among realizations in which any is, and the likeliest ones."""
    chance = first_segments(run.milestones["share_year"]).sel(chemistry=chemistry)
    total = float(chance.sum())
    order = chance.sortby(chance, ascending=False)
    text = ", ".join(f"{label(s)} {percent(p)}" for s, p in zip(order["segment"].values, order.values, strict=True) if p > 0.005)
    return (float(chance.sel(segment=list(members)).sum()) / total if total else 0.0), text or "none"


@claim(AHEAD)
def passing_table(runs: dict[str, Run]) -> Found:
    """Years in which challengers pass 5 % of yearly sales, by segment.

    Rule: the median year of semi-solid, sodium-ion and solid-state is found for at least one segment each.
    """
    run = runs["baseline"]
    names = ("sodium_ion", "semi_solid", "solid_state", "solid_state_sodium")
    rows = [(label(s), *(run.when(run.passing(name, [s])) for name in names)) for s in [*run.segments, ALL]]
    any_ = {name: censored_quantiles(run.passing(name, run.segments)).sel(quantile=0.5) for name in names[:3]}
    text = "Median (5 to 95 %); probability by the last year.\n\n" + table(("segment", *map(label, names)), rows)
    return Found(all(bool(year.notnull()) for year in any_.values()), text, plots.adoption_fans(run.results))


@claim(AHEAD)
def sodium_first(runs: dict[str, Run]) -> Found:
    """Sodium-ion passes 5 % first in grid storage, two- and three-wheelers, micro cars or industry.

    Rule: one of these is first in more than half of the realizations in which any is.
    """
    run = runs["baseline"]
    chance, order = first_places(run, "sodium_ion", SMALL)
    text = f"One of the four is first with {percent(chance)}. First to 5 %: {order}. Year: {run.when(run.passing('sodium_ion', SMALL))}."
    return Found(chance > 0.5, text)


@claim(AHEAD)
def sodium_before_solid(runs: dict[str, Run]) -> Found:
    """Sodium-ion passes 5 % years before all-solid-state passes 5 % anywhere.

    Rule: the median of the gap, realization by realization, is at least two years.
    """
    run = runs["baseline"]
    sodium, solid = (run.passing(name, run.segments) for name in ("sodium_ion", "solid_state"))
    gap = (solid.fillna(run.last + 1) - sodium.fillna(run.last + 1)).values
    text = (
        f"Gap {spread(gap)} years ('not by {run.last}' counts as {run.last + 1}). "
        f"Sodium-ion: {run.when(sodium)}. Solid-state: {run.when(solid)}."
    )
    return Found(float(np.median(gap)) >= 2, text)


@claim(AHEAD)
def solid_first(runs: dict[str, Run]) -> Found:
    """All-solid-state passes 5 % first in premium cars, aviation or drones, its median year between 2030 and 2032.

    Rule: one of the three is first in more than half of the realizations in which any is; the median year lies in
    2030-2032.
    """
    run = runs["baseline"]
    chance, order = first_places(run, "solid_state", HIGH_END)
    year = run.passing("solid_state", HIGH_END)
    middle = float(censored_quantiles(year).sel(quantile=0.5))
    never = float(year.isnull().mean())
    text = (
        f"Premium cars, aviation or drones, whichever is first: {run.when(year)}; never by {run.last}: {percent(never)}. "
        f"One of the three is first with {percent(chance)}. First to 5 %: {order}. "
        f"First programme commercial: {run.when(run.milestones['commercial_year'].sel(chemistry='solid_state'))}."
    )
    return Found(chance > 0.5 and 2030 <= middle <= 2032, text, plots.programme_entries(run.results))


@claim(AHEAD)
def semi_solid_before(runs: dict[str, Run]) -> Found:
    """Semi-solid comes before all-solid-state, mass cars after premium cars.

    Rule: semi-solid passes 5 % anywhere before all-solid-state in more than half of the realizations; all-solid-state
    passes 5 % in mass cars later than in premium cars in more than half.
    """
    run = runs["baseline"]
    never = run.last + 1
    semi, solid = (run.passing(name, run.segments).fillna(never) for name in ("semi_solid", "solid_state"))
    mass, premium = (run.passing("solid_state", [name]) for name in ("mass_cars", "premium_cars"))
    before = float((semi < solid).mean())
    after = float((mass.fillna(never) > premium.fillna(never)).mean())
    text = (
        f"Semi-solid is earlier in {percent(before)} of realizations: {run.when(run.passing('semi_solid', run.segments))}. "
        f"All-solid-state is later in mass cars in {percent(after)}: {run.when(mass)} against {run.when(premium)} in premium cars."
    )
    return Found(before > 0.5 and after > 0.5, text, plots.adoption_fan(run.results, "premium_cars"))


@claim(AHEAD)
def solid_state_sodium(runs: dict[str, Run]) -> Found:
    """Solid-state sodium stays a minority outcome.

    Rule: it passes 5 % of all sales by 2050 in less than half of the realizations.
    """
    run = runs["baseline"]
    anywhere, everywhere = run.passing("solid_state_sodium", run.segments), run.passing("solid_state_sodium", [ALL])
    sold = run.milestones["commercial_year"].sel(chemistry="solid_state_sodium")
    end = run.shares.sel(year=run.last, segment=ALL, chemistry="solid_state_sodium")
    text = (
        f"5 % of any segment by {run.last}: {percent(anywhere.notnull().mean())}. 5 % of all sales: "
        f"{percent(everywhere.notnull().mean())}. A programme is commercial: {percent(sold.notnull().mean())}. "
        f"Share of all sales in {run.last}: {spread(end, '{:.1f}', 100)} %."
    )
    return Found(float(everywhere.notnull().mean()) < 0.5, text)


@claim(AHEAD)
def lead_acid(runs: dict[str, Run]) -> Found:
    """Lead-acid leaves low-speed vehicles and industry.

    Rule: the median share in each of the three segments is below 5 % in 2040.
    """
    run = runs["baseline"]
    share = median(run.shares.sel(chemistry="lead_acid", segment=list(LEAD_ACID_SEGMENTS)))
    rows = [(year, *(percent(share.sel(year=year, segment=s)) for s in LEAD_ACID_SEGMENTS)) for year in years_in(share)]
    text = "Median share of yearly sales.\n\n" + table(("year", *map(label, LEAD_ACID_SEGMENTS)), rows)
    return Found(float(share.sel(year=2040).max()) < 0.05, text, plots.adoption_fan(run.results, "two_three_wheelers"))


@claim(AHEAD)
def no_winner(runs: dict[str, Run]) -> Found:
    """No chemistry holds more than 85 % of all segments in 2040.

    Rule: the largest median share of all sales is at most 85 %.
    """
    run = runs["baseline"]
    share = median(run.shares.sel(segment=ALL))
    rows = [(year, *(percent(share.sel(year=year, chemistry=name)) for name in share["chemistry"].values)) for year in years_in(share)]
    top = share.sel(year=2040)
    winner = str(top["chemistry"].values[int(top.argmax("chemistry"))])
    text = f"Largest: {label(winner)} with {percent(top.max())}.\n\n" + table(("year", *map(label, share["chemistry"].values)), rows)
    return Found(float(top.max()) <= 0.85, text, plots.chemistry_stack(run.results, ALL))


# What changes when the scenario changes.

EFFECTS = "Effects of scenarios"


@claim(EFFECTS, "lithium_surge")
def surge(runs: dict[str, Run]) -> Found:
    """Dear lithium raises sodium-ion's share.

    Rule: the mean of the paired difference has this sign by more than two standard errors.
    """
    return sodium_share_effect(runs, "lithium_surge", 1)


@claim(EFFECTS, "lithium_glut")
def glut(runs: dict[str, Run]) -> Found:
    """Cheap lithium lowers sodium-ion's share.

    Rule: the mean of the paired difference has this sign by more than two standard errors.
    """
    return sodium_share_effect(runs, "lithium_glut", -1)


def sodium_share_effect(runs: dict[str, Run], name: str, sign: int) -> Found:
    a, b = runs[name], runs["baseline"]
    years = window(a, b)
    difference = paired(a, b, share_later("sodium_ion", ALL, years))
    price = paired(a, b, lambda run: np.log(later(run.yearly("lithium_price"), years)))
    rows = [(label(s), effect(paired(a, b, share_later("sodium_ion", s, years)), "points", 100)) for s in SMALL]
    text = (
        f"Mean of {years[0]}-{years[1]}, the years of the shock and {AFTERMATH} more. Share of all sales: "
        f"{effect(difference, 'points', 100)}. Lithium price: {effect(price, '%', 100)} (logarithms).\n\n"
    )
    picture = pictured(runs, [n for n in ("baseline", "lithium_surge", "lithium_glut") if n in runs], segment=ALL) if sign > 0 else None
    return Found(sure(difference, sign), text + table(("segment", "sodium-ion's share"), rows), picture)


@claim(EFFECTS, "sodium_fast", "lithium_glut")
def sodium_success(runs: dict[str, Run]) -> Found:
    """A large sodium success lowers the lithium price and so slows sodium.

    Rule: the mean of the paired difference has this sign by more than two standard errors, negative for the lithium
    price and for the LFP cell price (and cheap lithium lowers sodium's share, as above).
    """
    a, b = runs["sodium_fast"], runs["baseline"]
    share = paired(a, b, share_later("sodium_ion"))
    lithium = paired(a, b, lambda run: np.log(later(run.yearly("lithium_price"))))
    lfp = paired(a, b, lambda run: np.log(later(run.yearly("cell_price").sel(chemistry="lfp"))))
    text = (
        f"Mean of 2030-2040. Sodium-ion's share of all sales: {effect(share, 'points', 100)}. "
        f"Lithium price: {effect(lithium, '%', 100)}. LFP cell price: {effect(lfp, '%', 100)} (logarithms)."
    )
    glut_years = window(runs["lithium_glut"], b)
    back = sure(paired(runs["lithium_glut"], b, share_later("sodium_ion", ALL, glut_years)), -1)
    return Found(sure(lithium, -1) and sure(lfp, -1) and back, text, pictured(runs, ["baseline", "sodium_fast"], variable="lithium_price"))


@claim(EFFECTS, "single_track")
def no_dual_track(runs: dict[str, Run]) -> Found:
    """Without dual-track makers sodium-ion comes later.

    Rule: the mean shift of the year in which sodium-ion passes 5 % of all sales is later by more than two standard
    errors.
    """
    a, b = runs["single_track"], runs["baseline"]
    shift = paired(a, b, lambda run: run.passing("sodium_ion", [ALL]).fillna(run.last + 1))
    first = paired(a, b, lambda run: run.passing("sodium_ion", run.segments).fillna(run.last + 1))
    share = paired(a, b, share_later("sodium_ion"))
    text = (
        f"5 % of all sales: later by {effect(shift, 'years')}; {a.when(a.passing('sodium_ion', [ALL]))} against "
        f"{b.when(b.passing('sodium_ion', [ALL]))}. 5 % of any segment: later by {effect(first, 'years')}. "
        f"Share of all sales, 2030-2040: {effect(share, 'points', 100)}."
    )
    names = [name for name in ("baseline", "single_track", "dual_track") if name in runs]
    return Found(sure(shift, 1), text, pictured(runs, names, segment=ALL))


@claim(EFFECTS, "supply_shock")
def shock(runs: dict[str, Run]) -> Found:
    """The supply shock hits the chemistries that need what is short.

    Rule: in the years of the shock every chemistry on sale that needs the input under export control becomes dearer by
    more than two standard errors, and each by more than any that does not. Lithium, whose mines stand still for a part
    of these years, is named where it is needed, but its price is free to fall again within them, so it does not decide.
    """
    a, b = runs["supply_shock"], runs["baseline"]
    events = own_events(a, b)
    inputs = {name for event in events if event.kind == "export_control" for name in (*event.minerals, *event.components)}
    lithium_short = any(event.kind == "mine_outage" for event in events)
    first, last = int(min(e.start.value for e in events)), min(int(np.ceil(max(e.end.value for e in events))), b.last)
    sold = median(b.shares.sel(segment=ALL, year=slice(first, last)).mean("year"))
    rows, hit, spared = [], [], []
    for name, chemistry in a.world.chemistries.items():
        if float(sold.sel(chemistry=name)) <= 0:
            continue
        needs = sorted(inputs & {key for key, use in (chemistry.intensity | chemistry.components).items() if use.value > 0})
        needs += ["lithium"] if lithium_short and chemistry.lithium.value > 0 else []
        of = lambda run, name=name: np.log(run.yearly("cell_price").sel(chemistry=name, year=slice(first, last)).mean("year"))  # noqa: E731
        rise = paired(a, b, of)
        (hit if set(needs) & inputs else spared).append(rise)
        rows.append((label(name), ", ".join(needs) or "nothing that is short", effect(rise, "%", 100)))
    holds = bool(hit) and all(sure(rise, 1) for rise in hit)
    holds &= max((rise.mean() for rise in spared), default=-np.inf) < min((rise.mean() for rise in hit), default=-np.inf)
    short = sorted(inputs) + (["lithium from the mines that stand still"] if lithium_short else [])
    text = f"Short in {first}-{last}: {', '.join(short)}.\n\n"
    picture = pictured(runs, ["baseline", "supply_shock"], variable="cell_price", chemistry="lfp")
    return Found(holds, text + table(("chemistry", "needs", "cell price, difference (logarithms)"), rows), picture)


@claim(EFFECTS)
def doubling(runs: dict[str, Run]) -> Found:
    """Doubling lithium moves the LFP pack by 4-8 %.

    Rule: the median for mass-market cars lies in 4-8 %, all else equal, at the start of the forecast.
    """
    run = runs["baseline"]
    drawn, lfp = run.drawn, run.name_of("chemistries", "lfp")
    now = (drawn.observed_until + 1 - drawn.first_year) * 12
    price = run.results["lithium_price"].isel(month=now).values.astype(float)
    one, two = (lithium_cost(drawn.chemistries.lithium, factor * price, drawn.lithium.processing_loss)[:, lfp] for factor in (1, 2))
    pass_on = (1 + drawn.industry.overhead) * (1 + drawn.industry.normal_markup) / drawn.chemistries.mature_yield[:, lfp]
    cell = run.results["cell_price"].isel(month=now).sel(chemistry="lfp").values.astype(float)
    energy = run.yearly("specific_energy").sel(chemistry="lfp", year=drawn.observed_until + 1).values * drawn.chemistries.packing[lfp, now]
    mass = drawn.buyers.pack_mass_share
    heavier = (1 - mass + mass * drawn.buyers.pack_reference / energy) * drawn.chemistries.pack_cost_factor[:, lfp]
    rows, found = [], {}
    for segment in ("mass_cars", "commercial_vehicles", "stationary_grid"):
        pack = cell + drawn.segments.pack_cost[run.name_of("segments", segment), now] * heavier
        found[segment] = (two - one) * pass_on / pack
        rows.append((label(segment), spread(pack), spread(found[segment], "{:.1f}", 100)))
    text = (
        f"Lithium at {spread(price, '{:,.0f}')} USD/t is {spread(one * pass_on, '{:.1f}')} USD/kWh of an LFP cell at "
        f"{spread(cell)} USD/kWh, markup and scrap included.\n\n"
        + table(("segment", "LFP pack, USD/kWh", "rise when lithium doubles, %"), rows)
    )
    return Found(0.04 <= float(np.median(found["mass_cars"])) <= 0.08, text)


# The article beside the baseline.


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
        lambda r: f"one of them is first with {percent(first_places(r, 'solid_state', HIGH_END)[0])}",
        lambda r: first_places(r, "solid_state", HIGH_END)[0] > 0.5,
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


@claim(EFFECTS, "article")
def article(runs: dict[str, Run]) -> Found:
    """The article beside the baseline.

    Rule: the table can be made, and the article's world is kinder to sodium-ion and solid-state than the baseline in
    2035.
    """
    ours, theirs = runs["baseline"], runs["article"]
    rows = [(line.says, line.measured(ours), "yes" if line.carried(ours) else "no", line.measured(theirs)) for line in ARTICLE]
    carried = sum(row[2] == "yes" for row in rows)
    kinder = {
        name: paired(theirs, ours, lambda run, name=name: run.shares.sel(year=2035, segment=ALL, chemistry=name))
        for name in ("sodium_ion", "solid_state")
    }
    text = (
        f"The baseline carries {carried} of {len(rows)}. 'Assumed' means that the number is put in, not found out. Share of all sales in "
        "2035, article less baseline: "
        + "; ".join(f"{label(name).lower()} {effect(d, 'points', 100)}" for name, d in kinder.items())
        + ".\n\n"
    )
    head = ("the article says", "baseline", "carried in the median", "article, at face value")
    return Found(all(sure(d, 1) for d in kinder.values()), text + table(head, rows), pictured(runs, ["baseline", "article"]))


# The page.


def write(outputs: Path, page: Path = PAGE) -> str:
    """Measure all claims on the runs in a folder and write the page and its pictures; returns the text."""
    runs, missing = found_runs(outputs)
    if "baseline" not in runs:
        raise StoreError(f"{outputs.name}: no finished run of baseline in it; make one with: make scenarios")
    sections: dict[str, list[str]] = {}
    verdicts = []
    for each in CLAIMS:
        verdict, body = judged(each, runs, page)
        verdicts.append((each.title, verdict))
        sections.setdefault(each.section, []).append(f"### {each.title}\n\n{each.rule}\n\n**{verdict.capitalize()}.**\n\n{body}")
    overview = plots.overview(runs["baseline"].results, observed_past())
    save(overview, page.parent / "pictures" / "overview.png")
    parts = [front(runs, missing, verdicts)]
    for section, texts in sections.items():
        parts += [f"## {section}", *texts]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    page.write_text(text, encoding="utf-8")
    return text


def found_runs(outputs: Path) -> tuple[dict[str, Run], list[str]]:
    """Finished runs by scenario, and the names of those that are missing."""
    runs, missing = {}, []
    for name in SCENARIOS:
        try:
            runs[name] = Run(outputs / name)
        except StoreError:
            missing.append(name)
    return runs, missing


def judged(each: Claim, runs: dict[str, Run], page: Path) -> tuple[str, str]:
    """Verdict and measured text of a claim, its picture written."""
    absent = [name for name in each.needs if name not in runs]
    if absent:
        return "cannot be said", f"Missing runs: {', '.join(absent)}."
    found = each.measure(runs)
    body = found.text
    if found.picture is not None:
        name = re.sub(r"[^a-z0-9]+", "-", each.title.lower())[:48].strip("-")
        body += f"\n\n![{each.title}](pictures/{name}.png)"
        save(found.picture, page.parent / "pictures" / f"{name}.png")
    return ("holds" if found.holds else "does not hold"), body


def save(figure: Any, file: Path) -> None:
    """Write a small picture of few colours; the same figure gives the same bytes."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    figure.clear()
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, optimize=True)


def front(runs: dict[str, Run], missing: list[str], verdicts: list[tuple[str, str]]) -> str:
    """What the page is, on which runs it stands, and all verdicts."""
    results = runs["baseline"].results
    worlds, seed = results.sizes["realization"], results.attrs["seed"]
    lines = [
        "# What the model shows",
        "This page is made by `make behaviour` from runs of the shipped scenarios. Claims, rules and numbers are printed whether they "
        "hold or not. The past is judged in the scenario `unguided`, which is not held to the record as the others are. It was looked at "
        "while the model was designed and its parameters were learned from it: this is no test of skill; the "
        "[track record](track-record.md) is. Terms are explained in [concepts](concepts.md).",
        f"Runs: {', '.join(runs)}; the baseline has {worlds} realizations, seed {seed}. Missing: {', '.join(missing) or 'none'}.",
    ]
    if worlds < FEW:
        lines.append(f"**Only {worlds} realizations: too few to take these numbers as evidence. Run `make behaviour` again.**")
    held = sum(verdict == "holds" for _, verdict in verdicts)
    lines.append(f"{held} of {len(verdicts)} claims hold. Intervals in brackets are the 5 and 95 % quantiles over realizations.")
    lines.append(table(("claim", "verdict"), [(f"[{title}](#{anchor(title)})", verdict) for title, verdict in verdicts]))
    return "\n\n".join(lines)


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def main(outputs: str = "outputs") -> None:
    """Write the page and say how it went."""
    try:
        text = write(Path(outputs))
    except ForecastError as error:
        sys.exit(str(error))
    summary = text.split("## ")[0]
    for row in re.findall(r"^\| \[(.+?)\]\(.*\) \| (does not hold|cannot be said) \|$", summary, re.MULTILINE):
        click.echo(f"{row[1]}: {row[0]}")
    click.echo(f"docs/{PAGE.name}: {summary.count('| holds |')} of {len(CLAIMS)} claims hold")


if __name__ == "__main__":
    main(*sys.argv[1:2])
