"""The forecast: which chemistry passes which others, where and when."""

from __future__ import annotations

import numpy as np
import xarray as xr

from claims.claim import Found, Section
from claims.run import HIGH_END, SMALL, Run, median
from forecast.assess.milestones import censored_quantiles
from forecast.report import plots
from forecast.report.style import label
from forecast.report.views import ALL
from writing import percent, spread, table

AHEAD = Section("From 2026")
TABLE_YEARS = (2015, 2020, 2024, 2030, 2035, 2040, 2045, 2050)
LEAD_ACID_SEGMENTS = ("two_three_wheelers", "micro_cars", "industrial")


def years_in(array: xr.DataArray) -> list[int]:
    return [year for year in TABLE_YEARS if year in array["year"]]


@AHEAD.claim()
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


@AHEAD.claim()
def sodium_first(runs: dict[str, Run]) -> Found:
    """Sodium-ion passes 5 % first in grid storage, two- and three-wheelers, micro cars or industry.

    Rule: one of these is first in more than half of the realizations in which any is.
    """
    run = runs["baseline"]
    chance, order = run.first_places("sodium_ion", SMALL)
    text = f"One of the four is first with {percent(chance)}. First to 5 %: {order}. Year: {run.when(run.passing('sodium_ion', SMALL))}."
    return Found(chance > 0.5, text)


@AHEAD.claim()
def sodium_before_solid(runs: dict[str, Run]) -> Found:
    """Sodium-ion passes 5 % years before all-solid-state passes 5 % anywhere.

    Rule: the median of the gap, realization by realization, is at least two years.
    """
    run = runs["baseline"]
    sodium, solid = (run.passing(name, run.segments) for name in ("sodium_ion", "solid_state"))
    gap = (solid.fillna(run.never) - sodium.fillna(run.never)).values
    text = (
        f"Gap {spread(gap)} years ('not by {run.last}' counts as {run.never}). "
        f"Sodium-ion: {run.when(sodium)}. Solid-state: {run.when(solid)}."
    )
    return Found(float(np.median(gap)) >= 2, text)


@AHEAD.claim()
def solid_first(runs: dict[str, Run]) -> Found:
    """All-solid-state passes 5 % first in premium cars, aviation or drones, its median year between 2030 and 2032.

    Rule: one of the three is first in more than half of the realizations in which any is; the median year lies in
    2030-2032.
    """
    run = runs["baseline"]
    chance, order = run.first_places("solid_state", HIGH_END)
    year = run.passing("solid_state", HIGH_END)
    middle = float(censored_quantiles(year).sel(quantile=0.5))
    never = float(year.isnull().mean())
    text = (
        f"Premium cars, aviation or drones, whichever is first: {run.when(year)}; never by {run.last}: {percent(never)}. "
        f"One of the three is first with {percent(chance)}. First to 5 %: {order}. "
        f"First programme commercial: {run.when(run.milestones['commercial_year'].sel(chemistry='solid_state'))}."
    )
    return Found(chance > 0.5 and 2030 <= middle <= 2032, text, plots.programme_entries(run.results))


@AHEAD.claim()
def semi_solid_before(runs: dict[str, Run]) -> Found:
    """Semi-solid comes before all-solid-state, mass cars after premium cars.

    Rule: semi-solid passes 5 % anywhere before all-solid-state in more than half of the realizations; all-solid-state
    passes 5 % in mass cars later than in premium cars in more than half.
    """
    run = runs["baseline"]
    semi, solid = (run.passing(name, run.segments).fillna(run.never) for name in ("semi_solid", "solid_state"))
    mass, premium = (run.passing("solid_state", [name]) for name in ("mass_cars", "premium_cars"))
    before = float((semi < solid).mean())
    after = float((mass.fillna(run.never) > premium.fillna(run.never)).mean())
    text = (
        f"Semi-solid is earlier in {percent(before)} of realizations: {run.when(run.passing('semi_solid', run.segments))}. "
        f"All-solid-state is later in mass cars in {percent(after)}: {run.when(mass)} against {run.when(premium)} in premium cars."
    )
    return Found(before > 0.5 and after > 0.5, text, plots.adoption_fan(run.results, "premium_cars"))


@AHEAD.claim()
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


@AHEAD.claim()
def lead_acid(runs: dict[str, Run]) -> Found:
    """Lead-acid leaves low-speed vehicles and industry.

    Rule: the median share in each of the three segments is below 5 % in 2040.
    """
    run = runs["baseline"]
    share = median(run.shares.sel(chemistry="lead_acid", segment=list(LEAD_ACID_SEGMENTS)))
    rows = [(year, *(percent(share.sel(year=year, segment=s)) for s in LEAD_ACID_SEGMENTS)) for year in years_in(share)]
    text = "Median share of yearly sales.\n\n" + table(("year", *map(label, LEAD_ACID_SEGMENTS)), rows)
    return Found(float(share.sel(year=2040).max()) < 0.05, text, plots.adoption_fan(run.results, "two_three_wheelers"))


@AHEAD.claim()
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
