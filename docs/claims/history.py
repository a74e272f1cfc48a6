"""The past, replayed."""

from __future__ import annotations

import numpy as np
import xarray as xr

from claims.claim import Found, Section
from claims.run import Run, median
from forecast.assess.pictures import observed_past
from forecast.history.observed import observed
from forecast.history.observed import regions as on_record
from forecast.model.cost import LITHIUM_CARBONATE
from forecast.report import plots
from forecast.report.style import label
from forecast.report.views import CARS, STORAGE, VEHICLES, WORLD, by_year, deliveries_of, shares
from writing import percent, spread, table

REPLAY = Section("The past replayed without a guide, 2015-2024")
HELD = Section("The past held to the record, 2015-2024")
PAST = range(2015, 2025)


@REPLAY.claim("unguided")
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


@REPLAY.claim("unguided")
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


@REPLAY.claim("unguided")
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


@REPLAY.claim("unguided")
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


@REPLAY.claim("unguided")
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


@REPLAY.claim("unguided")
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


@REPLAY.claim("unguided")
def lithium_orders(runs: dict[str, Run]) -> Found:
    """Makers' orders of lithium follow what was used.

    Rule: the mean absolute logarithm of median orders over observed consumption, 2018-2024, is at most 0.2.
    """
    used = observed("lithium_consumption", until=PAST[-1])
    ratio, rows = {}, [used.years, [f"{value / 1000:,.0f}" for value in used.values]]
    for name in ("unguided", "baseline"):
        ordered = median(runs[name].yearly("lithium_orders", "sum").sel(year=used.years)).values
        ratio[name] = ordered / used.values
        rows += [[f"{value / 1000:,.0f}" for value in ordered], [f"{value:.2f}" for value in ratio[name]]]
    off = {name: float(np.abs(np.log(each)).mean()) for name, each in ratio.items()}
    text = (
        f"{off['unguided']:.2f}; in the baseline, which is held to the record, {off['baseline']:.2f}. Thousand tonnes of lithium carbonate "
        "equivalent a year, for batteries and all else. Nothing is scored on this series and no parameter is learned from it, but some "
        "assumptions about stocks, as `lithium.in_process`, were made in view of it: this is no independent test. It is USGS to 2020, the "
        "Australian government's in 2021-22 and the IEA's after, and its scope changes with them.\n\n"
    )
    head = ("year", "observed", "median", "ratio", "median of the baseline", "ratio")
    return Found(off["unguided"] <= 0.2, text + table(head, list(zip(*rows, strict=True))))


@HELD.claim()
def mined_by_country(runs: dict[str, Run]) -> Found:
    """Lithium is mined where it was mined.

    Rule: median output of 2018-2023 in each of the four countries that mined most of it is within a factor of 1.5 of the
    observed.
    """
    run = runs["baseline"]
    mined = median(run.yearly("mine_output", "sum").groupby(run.countries).sum())
    rows, ratio = [], {}
    for country in sorted(on_record("mine_output_by_country")):
        seen = observed("mine_output_by_country", country)
        made = mined.sel(country=label(country), year=seen.years).values
        counted = seen.values * LITHIUM_CARBONATE
        ratio[country] = float(made.sum() / counted.sum())
        years = (f"{ours / 1000:,.0f} ({theirs / 1000:,.0f})" for ours, theirs in zip(made, counted, strict=True))
        rows.append((label(country), *years, f"{ratio[country]:.2f}"))
    text = (
        "The baseline, held to the output of the world and to no country's. Thousand tonnes of lithium carbonate equivalent a year, "
        "median, observed in brackets (USGS, first and second prints; the four sum to 92 % of the world's output as known today). "
        "Nothing is scored on this series and no parameter is learned from it; that brine is slow, that the quota of "
        "Atacama was raised in 2018 and how fast owners commit was put in in view of it.\n\n"
    )
    fits = all(1 / 1.5 <= each <= 1.5 for each in ratio.values())
    return Found(fits, text + table(("country", *map(str, seen.years), "ratio of sums"), rows))
