"""Pictures of the track record: what was forecast from each year of the past, and what came.

A hindcast has ``prediction`` (series, origin, horizon, forecaster, draw), ``observed`` (series, origin, horizon),
``as_known`` (series, origin, year) and ``past`` (series, year), and by series ``unit``, ``scale`` (log or share) and
``title``. The first forecaster is the model.
"""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr

from forecast.report.style import COLOURS, CYCLE, FAINT, INK, canvas, fan, money, panels, percent, styled

COLUMNS = 3
BEFORE = 7
BINS = 5
WIDEST_TITLE = 40
DECADES = 2.2
LOWEST_SKILL, LEAST_ROOM = -1.0, -0.2
MODEL, RIVAL = CYCLE[1], CYCLE[2]
LOOKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "color": INK, "markersize": 4.2, "markeredgecolor": "white", "markeredgewidth": 0.5},
    {"marker": "X", "color": COLOURS["solid_state"], "markersize": 6.2, "markeredgecolor": "white", "markeredgewidth": 0.5},
    {"marker": "o", "color": "white", "markersize": 4.2, "markeredgecolor": FAINT, "markeredgewidth": 0.8},
)
TITLE = "Is the model better than the best naive rival?"
SKILL_NOTE = "Right of zero: better. At the side: the best rival at that horizon, chosen after the fact, and the points compared"
PIT_NOTE = "Dashed: even, as it should be. Grey: holds 90 % of bars if forecasts are right and points independent (they overlap)"
NOTE = "Bands: 50 and 90 % of the model's draws; line: their median"
NAIVE = {
    "last_quarter": "last quarters",
    "year_end": "price at year end",
    "wright": "Wright's law",
    "logistic": "logistic curve",
    "bass": "Bass curve",
}
SHADES = ("#08306b", "#2171b5", "#4d9bd0", "#85bcdb", "#b4d3e9")


def page(width: float, height: float, title: str, made: xr.Dataset, draws: int, note: str, key: int = 0):
    """A canvas whose source line counts draws."""
    about = xr.Dataset(coords={"realization": np.arange(draws)}, attrs=made.attrs)
    return canvas(width, height, title, about, note, key)


def legend_above(figure, handles: list, columns: int = 6) -> None:
    """One line of key between the title and the panels."""
    place = (0.05 / figure.get_figwidth(), 1 - 0.36 / figure.get_figheight())
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=place, ncols=columns, fontsize=8, borderaxespad=0, columnspacing=1.4)


def naive_name(forecaster: str) -> str:
    """A rival as people call it."""
    return NAIVE.get(forecaster, forecaster.replace("_", " "))


def ahead(one: xr.Dataset, forecaster: str) -> xr.DataArray:
    """Samples (realization, year) of a forecaster, from the last value known at the origin on.

    one  the hindcast of one series and origin
    """
    origin = int(one["origin"])
    known = one["as_known"].dropna("year").sel(year=slice(None, origin))[-1:]
    samples = one["prediction"].sel(forecaster=forecaster).dropna("horizon", how="all").dropna("draw").transpose("draw", "horizon")
    start = np.tile(known.values, (samples.sizes["draw"], 1))
    years = np.append(known["year"].values, origin + samples["horizon"].values)
    return xr.DataArray(np.hstack([start, samples.values]), {"year": years}, ("realization", "year"))


def came(one: xr.Dataset) -> xr.Dataset:
    """What came in the years ahead: value, whether it was scored, and whether it was within the model's 90 % (year)."""
    years = int(one["origin"]) + one["horizon"].values
    scored = xr.DataArray(one["observed"].values, {"year": years}, ["year"])
    value = scored.fillna(one["past"].reindex(year=years))
    low, high = ahead(one, str(one["forecaster"].values[0])).quantile([0.05, 0.95], "realization").reindex(year=years)
    made = xr.Dataset({"value": value, "scored": scored.notnull(), "inside": (low <= value) & (value <= high)}, {"year": years})
    return made.drop_vars("quantile", errors="ignore").dropna("year", subset=["value"])


def draw_forecast(axes, one: xr.Dataset, first_year: int, rival: str | None) -> None:
    """One origin: the past as known then, the model's fan, the median of a rival, and what came."""
    known = one["as_known"].dropna("year").sel(year=slice(first_year, int(one["origin"])))
    axes.plot(known["year"], known, color=INK, linewidth=1.2)
    model = ahead(one, str(one["forecaster"].values[0]))
    fan(axes, model["year"].values, model, MODEL)
    if rival is not None:
        naive = ahead(one, rival)
        axes.plot(naive["year"], naive.median("realization"), color=RIVAL, linewidth=1.1, linestyle=(0, (4, 1.5)))
    points = came(one)
    within, scored = points["inside"].values, points["scored"].values
    for chosen, look in zip((scored & within, scored & ~within, ~scored), LOOKS, strict=True):
        here = points.isel(year=chosen)
        if here.sizes["year"]:
            axes.plot(here["year"], here["value"], linestyle="", zorder=5, clip_on=False, **look)


@styled
def fans(hindcast: xr.Dataset, series: str, rival: str | None = None):
    """Forecasts of a series from every origin: 50 and 90 % bands and median of the model, and the values that came.

    rival  forecaster whose median is drawn too, such as the best rival
    """
    from matplotlib.ticker import MultipleLocator

    one = hindcast.sel(series=series)
    origins = one["origin"].values.tolist()
    rows = -(-len(origins) // COLUMNS)
    title = f"{one['title'].item()}: forecasts from each year, and what came"
    figure = page(10.5, 1.2 + 2.5 * rows, title, one, one.sizes["draw"], NOTE, 1)
    grid = panels(figure, rows, COLUMNS, (f"Known up to {origin}" for origin in origins), sharey=True)[: len(origins)]
    first_year = max(origins[0] - BEFORE, int(one["year"][0]))
    for axes, origin in zip(grid, origins, strict=True):
        draw_forecast(axes, one.sel(origin=origin), first_year, rival)
        axes.axvline(origin, color="#9a9a9a", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    grid[0].set_xlim(first_year, origins[-1] + int(one["horizon"][-1]) + 0.5)
    grid[0].xaxis.set_major_locator(MultipleLocator(5))
    for axes in grid[::COLUMNS]:
        axes.set_ylabel(one["unit"].item() if one["unit"].item() != "1" else "share")
    if one["scale"].item() == "log":
        prices(grid[0])
    else:
        percent(grid[0], min(1.0, grid[0].get_ylim()[1]))
    legend_above(figure, fan_key(rival))
    return figure


def prices(axes) -> None:
    """A logarithmic axis with as many numbers as there is room for."""
    from matplotlib.ticker import LogLocator

    money(axes)
    low, high = axes.get_ylim()
    if np.log10(high / low) > DECADES:
        axes.yaxis.set_major_locator(LogLocator())


def counted(points: int) -> str:
    """So many points, in words."""
    return f"{points} point{'s' * (points != 1)}"


def fan_key(rival: str | None) -> list:
    """What the lines, bands and points of a fan mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines = [Line2D([], [], color=INK, linewidth=1.2, label="past as known then"), Patch(color=MODEL, alpha=0.4, label="model")]
    if rival is not None:
        lines.append(Line2D([], [], color=RIVAL, linewidth=1.1, linestyle=(0, (4, 1.5)), label=f"{naive_name(rival)}, median"))
    words = ("came, within the 90 % band", "came, outside it", "came, not scored")
    return lines + [Line2D([], [], linestyle="", label=text, **look) for text, look in zip(words, LOOKS, strict=True)]


def draw_pit(axes, values: np.ndarray) -> None:
    """Bars of equal width, the even height, and a band that holds 90 % of bars if points are independent."""
    from matplotlib.ticker import MaxNLocator
    from scipy.stats import binom

    low, high = binom.ppf([0.05, 0.95], len(values), 1 / BINS)
    axes.hist(values, bins=BINS, range=(0, 1), color=MODEL, edgecolor="white", alpha=0.75)
    axes.axhspan(low, high, color=FAINT, alpha=0.16, linewidth=0, zorder=2)
    axes.axhline(len(values) / BINS, color=INK, linewidth=1, linestyle=(0, (4, 1.5)), zorder=3)
    axes.annotate(counted(len(values)), (0.99, 0.97), xycoords="axes fraction", size=8, ha="right", va="top", color=FAINT)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlim(0, 1)


@styled
def pit(scored: xr.Dataset):
    """Where values fell within the model's forecasts, by series: even bars mean that its uncertainty is right.

    scored  ``pit`` (series, origin, horizon, forecaster) and ``title`` (series); attribute ``draws``
    """
    chosen = scored["pit"].isel(forecaster=0).stack(point=("origin", "horizon"))
    values = [array[~np.isnan(array)] for array in chosen.transpose("series", "point").values]
    titles = [fill(title, WIDEST_TITLE) for title in scored["title"].values.tolist()]
    columns = min(COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    figure = page(10.5, 1 + 2.3 * rows, "Where the values fell within the model's forecasts", scored, int(scored.attrs["draws"]), PIT_NOTE)
    grid = panels(figure, rows, columns, titles, sharey=True)
    for i, (axes, array) in enumerate(zip(grid, values, strict=False)):
        draw_pit(axes, array)
        axes.yaxis.set_tick_params(labelleft=True)
        if i % columns == 0:
            axes.set_ylabel("points")
        if i + columns >= len(values):
            axes.set_xlabel("part of the draws below the value")
    grid[0].set_ylim(0, 1.15 * grid[0].get_ylim()[1])
    return figure


def draw_skill(axes, one: xr.Dataset, top: float) -> list[tuple[float, str]]:
    """Dots of one series, the nearest horizon on top; (height, words) for each.

    one  ``skill``, ``points`` and ``best_rival`` (horizon)
    """
    words = []
    for i, year in enumerate(one["horizon"].values.tolist()):
        here, height, ink = one.sel(horizon=year), top - i, SHADES[min(i, len(SHADES) - 1)]
        value = float(here["skill"])
        if np.isnan(value):
            words.append((height, "nothing to compare"))
            continue
        axes.plot([0, max(value, LOWEST_SKILL)], [height, height], color=ink, linewidth=1.4, solid_capstyle="butt")
        axes.plot(max(value, LOWEST_SKILL), height, "<" if value < LOWEST_SKILL else "o", color=ink, markersize=6, clip_on=False, zorder=5)
        beyond = f", skill {value:.1f}" if value < LOWEST_SKILL else ""
        words.append((height, f"{naive_name(here['best_rival'].item())}, {counted(int(here['points']))}{beyond}"))
    return words


@styled
def skill(by_horizon: xr.Dataset):
    """Skill of the model against the best rival, a dot per series and horizon; right of zero the model is better.

    by_horizon  ``skill``, ``points`` and ``best_rival`` (horizon, series), ``title`` (series); attribute ``draws``
    """
    names, years = by_horizon["series"].values.tolist(), by_horizon["horizon"].values.tolist()
    step = len(years) + 1.2
    figure = page(9.5, 1.4 + 0.17 * step * len(names), TITLE, by_horizon, int(by_horizon.attrs["draws"]), SKILL_NOTE, 1)
    axes = figure.subplots()
    lowest = float(by_horizon["skill"].min()) if by_horizon["skill"].notnull().any() else 0.0
    axes.set_xlim(float(np.clip(lowest, LOWEST_SKILL, LEAST_ROOM)) - 0.04, 1)
    axes.set_ylim(-step * len(names) + 0.6, 0.8)
    for i, name in enumerate(names):
        for height, text in draw_skill(axes, by_horizon.sel(series=name), -step * i):
            axes.annotate(
                text, (1, height), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points", size=7, va="center", color=FAINT
            )
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks([-step * i - (len(years) - 1) / 2 for i in range(len(names))], by_horizon["title"].values.tolist(), color=INK, size=9)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.set_xlabel("skill: 1 - error of the model / error of the best rival (CRPS)")
    legend_above(figure, [point(SHADES[min(i, len(SHADES) - 1)], f"{year} year{'s' * (year > 1)} ahead") for i, year in enumerate(years)])
    return figure


def point(ink: str, text: str):
    """A point for a key."""
    from matplotlib.lines import Line2D

    return Line2D([], [], marker="o", linestyle="", color=ink, markersize=6, label=text)
