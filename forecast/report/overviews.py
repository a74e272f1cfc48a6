"""Pictures that put several questions side by side: the past replayed, and the forecast in one look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from forecast.report.adoption import draw_shares, draw_stack, label_stack
from forecast.report.markets import draw_cell_prices, draw_lithium
from forecast.report.style import INK, TODAY, Series, bands, canvas, colour, fan, label, money, observed_points, panels, percent, styled
from forecast.report.views import ALL, CARS, STORAGE, VEHICLES, WORLD, by_year, deliveries_of, in_blocks, shares, world_shares, years

LAST_OBSERVED = 2024
REPLAYED_REGIONS = (WORLD, "china", "europe", "united_states")
OVERVIEW_SEGMENTS = ("stationary_grid", "mass_cars", "premium_cars")


def until(results: xr.Dataset, last: int) -> xr.Dataset:
    """Results of the years up to one."""
    return results.isel({dim: years(results, dim) <= last for dim in ("time", "month") if dim in results.dims})


def draw_past(axes, array: xr.DataArray, observed: Series | None, ink: str) -> None:
    """A fan over the past with observed points."""
    when = array["year"].values
    axes.set_xlim(when[0] - 0.3, when[-1] + 0.3)
    axes.set_xticks(when[::3])
    fan(axes, when, array, ink)
    observed_points(axes, observed)


def electric_vehicles(results: xr.Dataset, outside: Series | None) -> xr.DataArray:
    """Vehicle batteries of the world, GWh/yr, less what the observed series does not count."""
    total = deliveries_of(results, VEHICLES).sel(region=WORLD).sum("chemistry")
    less = [(outside or {}).get(int(year), 0.0) for year in total["year"].values]
    return total - xr.DataArray(less, dims="year", coords={"year": total["year"]})


@styled
def history_panel(results: xr.Dataset, observed: Mapping[str, Any], last: int = LAST_OBSERVED):
    """The replayed past beside what was observed.

    observed  any of ``cell_price`` (USD/kWh), ``lithium_price`` (USD/t), ``ev_battery_demand``, ``storage_demand``,
              ``ev_demand_outside_iea`` (GWh/yr, taken off the vehicles), each {year: value}, and ``lfp_share``
              {region: {year: share of car batteries}}
    """
    titles = ["Lithium-ion cell, USD/kWh", "Lithium contracts, thousand USD/t", "Vehicle batteries, GWh/yr", "Storage batteries, GWh/yr"]
    lfp = [f"LFP in cars, {'world' if region == WORLD else label(region)}" for region in REPLAYED_REGIONS]
    figure = canvas(13, 5.8, f"The past replayed, to {last}: model and observation", results)
    grid = panels(figure, 2, 4, titles + lfp)
    results = until(results, last)
    lithium = in_blocks(results["lithium_contract_price"], by_year) / 1000  # published for a year are contracts
    draw_past(grid[0], in_blocks(results["mean_cell_price"], by_year), observed.get("cell_price"), INK)
    draw_past(grid[1], lithium, {year: value / 1000 for year, value in observed.get("lithium_price", {}).items()}, INK)
    vehicles = electric_vehicles(results, observed.get("ev_demand_outside_iea"))
    draw_past(grid[2], vehicles, observed.get("ev_battery_demand"), INK)
    stored = deliveries_of(results, STORAGE).sel(region=WORLD).sum("chemistry")
    draw_past(grid[3], stored, observed.get("storage_demand"), INK)
    for axes in grid[:2]:
        money(axes)
    for axes in grid[2:4]:
        axes.set_ylim(bottom=0)
    share = in_blocks(deliveries_of(results, CARS), shares).sel(chemistry="lfp")
    for axes, region in zip(grid[4:], REPLAYED_REGIONS, strict=True):
        draw_past(axes, share.sel(region=region), observed.get("lfp_share", {}).get(region), colour("lfp"))
        percent(axes, 1)
    return figure


@styled
def overview(results: xr.Dataset, observed: Mapping[str, Any] | None = None, today: float | None = TODAY):
    """The forecast in one picture: chemistry mix, prices, and adoption in three segments; observed as in ``history_panel``."""
    observed = observed or {}
    segments = [name for name in OVERVIEW_SEGMENTS if name in results["segment"].values]
    share = world_shares(results, [ALL, *segments])
    titles = ["All segments: mix of yearly sales", "Cell price, USD/kWh", "Lithium carbonate, thousand USD/t"]
    figure = canvas(
        14,
        7.4,
        "Who will buy which battery, when, at what price",
        results,
        "Bands: 50 and 90 % of realizations; prices of cells: 50 %; mix: mean",
    )
    grid = panels(figure, 2, 3, titles + [f"{label(name)}: share of yearly sales" for name in segments])
    draw_stack(grid[0], share.sel(segment=ALL), today)
    percent(grid[0], 1)
    label_stack(grid[0], share.sel(segment=ALL))
    draw_cell_prices(grid[1], results, observed.get("cell_price"), today)
    draw_lithium(grid[2], results, observed.get("lithium_price"), today)
    found = bands(share.sel(segment=segments))
    for axes, segment in zip(grid[3:], segments, strict=False):
        draw_shares(axes, found.sel(segment=segment), today)
    return figure
