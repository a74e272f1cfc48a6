"""Pictures of prices, development programmes and scenarios beside each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from forecast.report.style import (
    CYCLE,
    DASHES,
    FAINT,
    INK,
    TODAY,
    Series,
    bands,
    canvas,
    colour,
    fan,
    label,
    label_lines,
    money,
    observed_points,
    panels,
    percent,
    styled,
    today_line,
)
from forecast.report.views import ALL, by_year, dates, in_blocks, quantiles, world_deliveries, world_shares

SINGLE = 3
KEYS = 8
THOUSAND = 1000
COMMERCIAL = 6
UNITS = {
    "share_of_sales": "share of yearly sales",
    "lithium_price": "Lithium carbonate, thousand USD/t",
    "cell_price": "cell price, USD/kWh",
}


def draw_lithium(axes, results: xr.Dataset, observed: Series | None, today: float | None, single: int = SINGLE) -> None:
    """Monthly fan in thousand USD/t, some realizations alone, and what was published for years, which follows contracts."""
    price = results["lithium_price"].load() / THOUSAND
    when = dates(results)
    axes.set_xlim(np.floor(when[0]), np.ceil(when[-1]))
    for i in range(min(single, price.sizes["realization"])):
        axes.plot(when, price.isel(realization=i), color=FAINT, linewidth=0.6, alpha=0.75, label="single realizations" if i == 0 else None)
    fan(axes, when, price, INK if not single else CYCLE[1])
    money(axes)
    published = {year: value / THOUSAND for year, value in (observed or {}).items()}
    observed_points(axes, published, 0.5, text="published for the year (contracts)")
    today_line(axes, today)


@styled
def lithium_price_fan(results: xr.Dataset, observed: Series | None = None, today: float | None = TODAY):
    """Lithium price by month with 50 and 90 % bands, some single realizations, and the observed past.

    observed  {year: USD/t}
    """
    figure = canvas(8.5, 4.4, "Lithium carbonate price, thousand USD/t (2024 dollars)", results)
    axes = figure.subplots()
    draw_lithium(axes, results, observed, today)
    axes.legend(loc="upper right", fontsize=8, ncols=2)
    return figure


def on_sale(results: xr.Dataset) -> xr.DataArray:
    """Whether a chemistry is sold in at least half of the realizations (year, chemistry)."""
    return (world_deliveries(results).sel(segment=ALL, drop=True) > 0).mean("realization") >= 0.5


def draw_cell_prices(axes, results: xr.Dataset, observed: Series | None, today: float | None) -> None:
    """Median price and 50 % band of each chemistry from when it is on sale."""
    price, sold = bands(in_blocks(results["cell_price"], by_year)), on_sale(results)
    axes.set_xlim(price["year"].values[0], price["year"].values[-1])
    ends = []
    for name in price["chemistry"].values.tolist():
        part = price.sel(chemistry=name).isel(year=sold.sel(chemistry=name).values)
        if part.sizes["year"] > 1:
            ends.append((fan(axes, part["year"].values, part, colour(name), wide=False), label(name), colour(name)))
    money(axes)
    observed_points(axes, observed, text="observed, all lithium-ion")
    today_line(axes, today)
    label_lines(axes, ends)


@styled
def cell_price_paths(results: xr.Dataset, observed: Series | None = None, today: float | None = TODAY):
    """World cell price of each chemistry on sale, median and 50 % band.

    observed  {year: USD/kWh}, mean of lithium-ion cells
    """
    figure = canvas(
        8.5, 4.6, "Cell price by chemistry, USD/kWh (2024 dollars)", results, "Bands: 50 % of realizations; from when it is on sale"
    )
    draw_cell_prices(figure.subplots(), results, observed, today)
    return figure


@styled
def programme_entries(results: xr.Dataset, today: float | None = TODAY):
    """Probability that at least one maker's development programme is commercial, by year."""
    commercial = in_blocks(results["programme_stage"], lambda block: (by_year(block, "max") >= COMMERCIAL).any("manufacturer"))
    chance = commercial.mean("realization")
    when = chance["year"].values
    figure = canvas(8, 4.2, "Probability that a chemistry is in commercial production anywhere", results, "")
    axes = figure.subplots()
    axes.set_xlim(when[0], when[-1])
    ends = []
    for name in chance["chemistry"].values.tolist():
        path = chance.sel(chemistry=name).values
        if path[0] < 1 and path[-1] > 0:
            axes.step(when, np.where(np.append(path[1:], path[-1]) > 0, path, np.nan), where="mid", color=colour(name))
            half = f", median {when[(path >= 0.5).argmax()]}" if path[-1] >= 0.5 else ""
            ends.append((path[-1], f"{label(name)}{half}", colour(name)))
    percent(axes, 1.1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    today_line(axes, today)
    label_lines(axes, ends)
    return figure


def compared(results: xr.Dataset, variable: str, chemistry: str) -> xr.DataArray:
    """The variable of one scenario by realization and year, prices of lithium in thousand USD/t."""
    if variable == "share_of_sales":
        return world_shares(results).sel(chemistry=chemistry)
    yearly = in_blocks(results[variable], by_year)
    if "chemistry" in yearly.dims:
        yearly = yearly.sel(chemistry=chemistry)
    return yearly / THOUSAND if variable == "lithium_price" else yearly


def scenario_ink(i: int) -> dict:
    """Colour and dashes of the i-th scenario."""
    return {"color": CYCLE[i % len(CYCLE)], "linestyle": DASHES[i // len(CYCLE) % len(DASHES)]}


def draw_scenarios(axes, arrays: Mapping[str, xr.DataArray]) -> list[tuple[float, str, str]]:
    """Median of each scenario, with a 50 % band when there are at most three."""
    ends = []
    for i, (name, array) in enumerate(arrays.items()):
        when, ink = array["year"].values, scenario_ink(i)
        if len(arrays) <= SINGLE:
            low, high = quantiles(array, (0.25, 0.75)).values
            axes.fill_between(when, low, high, color=ink["color"], alpha=0.18, linewidth=0)
        middle = array.median("realization").values
        axes.plot(when, middle, label=name, **ink)
        ends.append((float(middle[-1]), name, ink["color"]))
        axes.set_xlim(when[0], when[-1])
    return ends


@styled
def scenario_comparison(
    named: Mapping[str, xr.Dataset],
    variable: str = "share_of_sales",
    chemistry: str = "sodium_ion",
    segment: str | None = None,
    today: float | None = TODAY,
):
    """Medians of scenarios in one picture; shares in every segment unless one is named.

    named     {name: results}, the reference first
    variable  share_of_sales, lithium_price or cell_price
    """
    arrays = {name: compared(results, variable, chemistry) for name, results in named.items()}
    first = next(iter(named.values())).drop_attrs()
    about = "" if variable == "lithium_price" else f"{label(chemistry)}: "
    note = "Median" + (" and 50 % band" if len(named) <= SINGLE else "")
    if variable == "share_of_sales" and segment is None:
        keys = -(-len(named) // KEYS)
        return scenario_grid(arrays, canvas(12.5, 9 + 0.2 * keys, f"{about}{UNITS[variable]}, world", first, note, keys), today)
    where = "" if variable != "share_of_sales" else f", {label(str(segment)).lower()}"
    figure = canvas(8.5, 4.4, f"{about}{UNITS[variable]}{where}", first, note)
    axes = figure.subplots()
    if variable == "share_of_sales":
        arrays = {name: array.sel(segment=segment) for name, array in arrays.items()}
    ends = draw_scenarios(axes, arrays)
    if variable == "share_of_sales":
        percent(axes)
    else:
        money(axes)
    today_line(axes, today)
    label_lines(axes, ends)
    return figure


def scenario_grid(arrays: Mapping[str, xr.DataArray], figure, today: float | None):
    """One panel per segment, and all segments together."""
    segments = next(iter(arrays.values()))["segment"].values.tolist()
    grid = panels(figure, -(-len(segments) // 4), 4, map(label, segments))
    for axes, segment in zip(grid, segments, strict=False):
        draw_scenarios(axes, {name: array.sel(segment=segment) for name, array in arrays.items()})
        percent(axes, max(0.05, axes.get_ylim()[1]))
        today_line(axes, today, text=False)
    handles, names = grid[0].get_legend_handles_labels()
    place = (0.05 / figure.get_figwidth(), 1 - 0.36 / figure.get_figheight())
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=place, ncols=KEYS, fontsize=8, borderaxespad=0)
    return figure
