"""Pictures of who buys what: fans and stacks of chemistries by segment, shares by region."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from forecast.report.style import (
    TODAY,
    Series,
    bands,
    canvas,
    colour,
    fan,
    label,
    label_lines,
    observed_points,
    panels,
    percent,
    styled,
    swatches,
    today_line,
)
from forecast.report.views import ALL, CARS, deliveries_of, in_blocks, shares, world_deliveries, world_shares

VISIBLE = 0.02


def shown(share: xr.DataArray) -> list[str]:
    """Chemistries that ever have more than 2 % in more than 5 % of realizations; from the bands of their shares."""
    peak = share.isel(quantile=-1).max([dim for dim in share.dims if dim not in ("quantile", "chemistry")])
    return [name for name in share["chemistry"].values.tolist() if float(peak.sel(chemistry=name)) > VISIBLE]


def draw_shares(axes, share: xr.DataArray, today: float | None, names: bool = True) -> None:
    """Fans of all visible chemistries of a segment, whose bands (quantile, year, chemistry) are given."""
    when = share["year"].values
    axes.set_xlim(when[0], when[-1])
    ends = []
    for name in shown(share):
        last = fan(axes, when, share.sel(chemistry=name), colour(name))
        ends.append((last, label(name), colour(name)))
    percent(axes, 1)
    today_line(axes, today, text=names)
    if names:
        label_lines(axes, ends)


@styled
def adoption_fan(results: xr.Dataset, segment: str = ALL, observed: Mapping[str, Series] | None = None, today: float | None = TODAY):
    """Share of each chemistry in the world's deliveries to a segment, with 50 and 90 % bands.

    observed  {chemistry: {year: share}}
    """
    share = bands(world_shares(results, [segment]).sel(segment=segment))
    figure = canvas(8, 4.6, f"{label(segment)}: share of yearly sales", results)
    axes = figure.subplots()
    draw_shares(axes, share, today)
    for name, series in (observed or {}).items():
        observed_points(axes, series, ink=colour(name), text=f"{label(name)}, observed")
    return figure


@styled
def adoption_fans(results: xr.Dataset, today: float | None = TODAY):
    """Small multiples of ``adoption_fan`` for every segment."""
    share = bands(world_shares(results))
    segments = [name for name in share["segment"].values.tolist() if name != ALL]
    rows = -(-(len(segments) + 1) // 4)
    figure = canvas(12.5, 2.7 * rows + 0.6, "Which chemistry wins where: share of yearly sales, world", results)
    grid = panels(figure, rows, 4, map(label, segments), sharey=True)
    for axes, segment in zip(grid, segments, strict=False):
        draw_shares(axes, share.sel(segment=segment), today, names=False)
    swatches(grid[len(segments)], shown(share))
    return figure


def draw_stack(axes, amount: xr.DataArray, today: float | None) -> None:
    """Chemistries on top of each other, mean over realizations."""
    middle = amount.mean("realization").transpose("chemistry", "year")
    when, names = middle["year"].values, middle["chemistry"].values.tolist()
    axes.stackplot(when, middle.values, colors=[colour(name) for name in names], linewidth=0.4, edgecolor="white")
    axes.set_xlim(when[0], when[-1])
    axes.set_axisbelow(False)
    axes.grid(alpha=0.35)
    today_line(axes, today, text=False)


def label_stack(axes, share: xr.DataArray) -> None:
    """Names beside the right ends of a stack of shares; bands thinner than 1 % have none."""
    last = share.mean("realization").isel(year=-1)
    tops = np.cumsum(last.values)
    ends = [
        (top - part / 2, f"{label(name)} {part:.0%}".replace("%", " %"), colour(name))
        for name, part, top in zip(last["chemistry"].values.tolist(), last.values, tops, strict=True)
        if part >= 0.01
    ]
    label_lines(axes, ends)


@styled
def chemistry_stack(results: xr.Dataset, segment: str = ALL, today: float | None = TODAY):
    """Deliveries to a segment by chemistry, GWh/yr and as shares, mean over realizations."""
    amount = world_deliveries(results).sel(segment=segment)
    figure = canvas(10, 4.2, f"{label(segment)}: deliveries by chemistry", results, "Mean of realizations")
    left, right = panels(figure, 1, 2, ["GWh/yr", "Share of yearly sales"])
    draw_stack(left, amount, today)
    left.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2g}")
    draw_stack(right, shares(amount), today)
    percent(right, 1)
    label_stack(right, shares(amount))
    return figure


@styled
def chemistry_stacks(results: xr.Dataset, today: float | None = TODAY):
    """Small multiples of shares by chemistry, every segment, mean over realizations."""
    sold = world_deliveries(results)
    segments = [name for name in sold["segment"].values.tolist() if name != ALL]
    rows = -(-(len(segments) + 1) // 4)
    figure = canvas(12.5, 2.7 * rows + 0.6, "Chemistry mix of yearly sales by segment, world", results, "Mean of realizations")
    grid = panels(figure, rows, 4, map(label, segments), sharey=True)
    for axes, segment in zip(grid, segments, strict=False):
        draw_stack(axes, shares(sold.sel(segment=segment)), today)
        percent(axes, 1)
    swatches(grid[len(segments)], sold["chemistry"].values.tolist()[::-1])
    return figure


@styled
def region_shares(results: xr.Dataset, chemistry: str = "lfp", observed: Mapping[str, Series] | None = None, today: float | None = TODAY):
    """Share of a chemistry in car batteries, one panel per region and the world.

    observed  {region: {year: share}}, the world as ``world``
    """
    share = in_blocks(deliveries_of(results, CARS), shares).sel(chemistry=chemistry)
    regions = share["region"].values.tolist()
    rows = -(-len(regions) // 3)
    figure = canvas(10.5, 2.7 * rows + 0.6, f"{label(chemistry)} share of car batteries by region", results)
    grid = panels(figure, rows, 3, map(label, regions), sharey=True)
    when, found = share["year"].values, bands(share)
    for i, (axes, region) in enumerate(zip(grid, regions, strict=False)):
        axes.set_xlim(when[0], when[-1])
        fan(axes, when, found.sel(region=region), colour(chemistry))
        percent(axes, 1)
        observed_points(axes, (observed or {}).get(region), text="observed" if i == 0 else None)
        today_line(axes, today, text=i == 0)
    return figure
