"""What changes when the scenario changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from claims.article import ARTICLE
from claims.claim import Found, Section
from claims.differences import AFTERMATH, effect, logarithm_later, own_events, paired, share_later, sure, window
from claims.run import SMALL, Run, median
from forecast.model.cost import lithium_cost
from forecast.report import plots
from forecast.report.style import label
from forecast.report.views import ALL
from writing import spread, table

EFFECTS = Section("Effects of scenarios")


def pictured(runs: dict[str, Run], names: Sequence[str], **which: Any) -> Any:
    """The scenarios beside each other."""
    return plots.scenario_comparison({name: runs[name].results for name in names}, **which)


@EFFECTS.claim("lithium_surge")
def surge(runs: dict[str, Run]) -> Found:
    """Dear lithium raises sodium-ion's share.

    Rule: the mean of the paired difference has this sign by more than two standard errors.
    """
    return sodium_share_effect(runs, "lithium_surge", 1)


@EFFECTS.claim("lithium_glut")
def glut(runs: dict[str, Run]) -> Found:
    """Cheap lithium lowers sodium-ion's share.

    Rule: the mean of the paired difference has this sign by more than two standard errors.
    """
    return sodium_share_effect(runs, "lithium_glut", -1)


def sodium_share_effect(runs: dict[str, Run], name: str, sign: int) -> Found:
    a, b = runs[name], runs["baseline"]
    years = window(a, b)
    difference = paired(a, b, share_later("sodium_ion", ALL, years))
    price = paired(a, b, logarithm_later("lithium_price", years))
    rows = [(label(s), effect(paired(a, b, share_later("sodium_ion", s, years)), "points", 100)) for s in SMALL]
    text = (
        f"Mean of {years[0]}-{years[1]}, the years of the shock and {AFTERMATH} more. Share of all sales: "
        f"{effect(difference, 'points', 100)}. Lithium price: {effect(price, '%', 100)} (logarithms).\n\n"
    )
    picture = pictured(runs, [n for n in ("baseline", "lithium_surge", "lithium_glut") if n in runs], segment=ALL) if sign > 0 else None
    return Found(sure(difference, sign), text + table(("segment", "sodium-ion's share"), rows), picture)


@EFFECTS.claim("sodium_fast", "lithium_glut")
def sodium_success(runs: dict[str, Run]) -> Found:
    """A large sodium success lowers the lithium price and so slows sodium.

    Rule: the mean of the paired difference has this sign by more than two standard errors, negative for the lithium
    price and for the LFP cell price (and cheap lithium lowers sodium's share, as above).
    """
    a, b = runs["sodium_fast"], runs["baseline"]
    share = paired(a, b, share_later("sodium_ion"))
    lithium = paired(a, b, logarithm_later("lithium_price"))
    lfp = paired(a, b, logarithm_later("cell_price", chemistry="lfp"))
    text = (
        f"Mean of 2030-2040. Sodium-ion's share of all sales: {effect(share, 'points', 100)}. "
        f"Lithium price: {effect(lithium, '%', 100)}. LFP cell price: {effect(lfp, '%', 100)} (logarithms)."
    )
    glut_years = window(runs["lithium_glut"], b)
    back = sure(paired(runs["lithium_glut"], b, share_later("sodium_ion", ALL, glut_years)), -1)
    return Found(sure(lithium, -1) and sure(lfp, -1) and back, text, pictured(runs, ["baseline", "sodium_fast"], variable="lithium_price"))


@EFFECTS.claim("single_track")
def no_dual_track(runs: dict[str, Run]) -> Found:
    """Without dual-track makers sodium-ion comes later.

    Rule: the mean shift of the year in which sodium-ion passes 5 % of all sales is later by more than two standard
    errors.
    """
    a, b = runs["single_track"], runs["baseline"]
    shift = paired(a, b, lambda run: run.passing("sodium_ion", [ALL]).fillna(run.never))
    first = paired(a, b, lambda run: run.passing("sodium_ion", run.segments).fillna(run.never))
    share = paired(a, b, share_later("sodium_ion"))
    text = (
        f"5 % of all sales: later by {effect(shift, 'years')}; {a.when(a.passing('sodium_ion', [ALL]))} against "
        f"{b.when(b.passing('sodium_ion', [ALL]))}. 5 % of any segment: later by {effect(first, 'years')}. "
        f"Share of all sales, 2030-2040: {effect(share, 'points', 100)}."
    )
    names = [name for name in ("baseline", "single_track", "dual_track") if name in runs]
    return Found(sure(shift, 1), text, pictured(runs, names, segment=ALL))


@EFFECTS.claim("supply_shock")
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
        rise = paired(a, b, logarithm_later("cell_price", (first, last), chemistry=name))
        (hit if set(needs) & inputs else spared).append(rise)
        rows.append((label(name), ", ".join(needs) or "nothing that is short", effect(rise, "%", 100)))
    holds = bool(hit) and all(sure(rise, 1) for rise in hit)
    holds &= max((rise.mean() for rise in spared), default=-np.inf) < min((rise.mean() for rise in hit), default=-np.inf)
    short = sorted(inputs) + (["lithium from the mines that stand still"] if lithium_short else [])
    text = f"Short in {first}-{last}: {', '.join(short)}.\n\n"
    picture = pictured(runs, ["baseline", "supply_shock"], variable="cell_price", chemistry="lfp")
    return Found(holds, text + table(("chemistry", "needs", "cell price, difference (logarithms)"), rows), picture)


@EFFECTS.claim()
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


@EFFECTS.claim("article")
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
