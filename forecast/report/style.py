"""How every picture looks: one colour per chemistry, fans, labels beside the lines, a source line, the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from forecast.report.views import quantiles

# Okabe and Ito (2008), told apart with any kind of colour vision; purple and dark red added between them in lightness.
COLOURS = {
    "lead_acid": "#808080",
    "lfp": "#0072B2",
    "nmc": "#E69F00",
    "sodium_ion": "#009E73",
    "semi_solid": "#7B52AB",
    "solid_state": "#C1272D",
    "solid_state_sodium": "#E78AC3",
}
CYCLE = ("#1b1b1b", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7B52AB", "#8C6D31")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)))
NAMES = {
    "lfp": "LFP",
    "nmc": "NMC",
    "solid_state_sodium": "Solid-state sodium",
    "all": "All segments",
    "stationary_grid": "Grid storage",
    "stationary_home": "Home storage",
    "two_three_wheelers": "Two- and three-wheelers",
    "rest_of_world": "Rest of world",
    "united_states": "United States",
}
JOINED = {"lead_acid", "sodium_ion", "semi_solid", "solid_state"}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
TODAY = 2026
FAN = "Bands: 50 and 90 % of realizations; line: median"
UNSEEN = 0.005
DOTS = 150
"""Of a picture in pixels, in an inch."""
INK, FAINT = "#1b1b1b", "#6b6b6b"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": "#9a9a9a",
    "axes.labelcolor": FAINT,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": DOTS,
}

Series = Mapping[int, float]


def styled(plot: Callable) -> Callable:
    """Draw with this style, whatever the user's own settings of matplotlib are."""

    @wraps(plot)
    def drawn(*given, **named):
        import matplotlib.style

        with matplotlib.style.context(["default", STYLE]):
            return plot(*given, **named)

    return drawn


def colour(name: str, names: Sequence[str] = ()) -> str:
    """Colour of a chemistry; of anything else by its place among ``names``."""
    if name in COLOURS:
        return COLOURS[name]
    return CYCLE[list(names).index(name) % len(CYCLE)] if name in names else CYCLE[0]


def label(name: str) -> str:
    """A key as people read it: ``mass_cars`` -> ``Mass cars``."""
    if name in NAMES:
        return NAMES[name]
    return name.replace("_", "-" if name in JOINED else " ").capitalize()


def canvas(width: float, height: float, title: str, results: xr.Dataset, note: str = FAN, key: int = 0):
    """A figure with a title and a source line, room between them for the axes and ``key`` lines of a legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    head, foot = (0.42 + 0.2 * key) / height, 0.26 / height
    figure.set_layout_engine("constrained", rect=(0, foot, 1, 1 - head - foot), w_pad=0.09, h_pad=0.08)
    figure.text(0.1 / width, 1 - 0.12 / height, title, size=13, weight="bold", va="top")
    figure.text(0.1 / width, 0.1 / height, source(results, note), size=7, color=FAINT)
    return figure


def source(results: xr.Dataset, note: str) -> str:
    """The line at the foot: who drew this, from which scenario and how many realizations."""
    scenario = results.attrs.get("scenario") or results.attrs.get("title")
    parts = ["battery-forecast", f"scenario {scenario}" if scenario else "", f"{results.sizes.get('realization', 0)} realizations", note]
    return " · ".join(part for part in parts if part)


def panels(figure, rows: int, columns: int, titles: Iterable[str], sharey: bool = False) -> list:
    """Axes of small multiples with their titles, row by row; those left over are empty."""
    grid = list(figure.subplots(rows, columns, sharex=True, sharey=sharey, squeeze=False).flat)
    named = list(titles)
    for axes, title in zip(grid, named, strict=False):
        axes.set_title(title)
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes in grid[len(named) :]:
        axes.set_axis_off()
    return grid


def bands(array: xr.DataArray) -> xr.DataArray:
    """The 5, 25, 50, 75 and 95 % quantiles over realizations."""
    return quantiles(array, LEVELS)


def fan(axes, when: np.ndarray, array: xr.DataArray, ink: str, wide: bool = True) -> float:
    """Median line, from when there is anything to see, with its 50 and, if ``wide``, its 90 % band; the last median.

    array  by realization and step, or its ``bands``
    """
    low, lower, middle, upper, high = (array if "quantile" in array.dims else bands(array)).values
    seen = np.where(high > UNSEEN * np.nanmax(high), middle, np.nan)
    if wide:
        axes.fill_between(when, low, high, color=ink, alpha=0.13, linewidth=0)
    axes.fill_between(when, lower, upper, color=ink, alpha=0.25, linewidth=0)
    axes.plot(when, seen, color=ink)
    return float(middle[-1])


def observed_points(axes, observed: Series | None, shift: float = 0.0, ink: str = "black", text: str | None = "observed") -> None:
    """Observed values by year as points; the label stands in a legend of its own."""
    if not observed:
        return
    low, high = axes.get_xlim()
    when = np.array([year for year in sorted(observed) if low <= year <= high])
    values = [observed[year] for year in when]
    edge = {"markersize": 3.6, "markeredgecolor": "white", "markeredgewidth": 0.5}
    axes.plot(when + shift, values, "o", color=ink, zorder=5, clip_on=False, label=text, **edge)
    if text:
        axes.legend(loc="best", fontsize=8, handletextpad=0.1, borderpad=0.1)


def today_line(axes, today: float | None, text: bool = True) -> None:
    """A dotted line where the past ends."""
    low, high = axes.get_xlim()
    if today is None or not low < today < high:
        return
    axes.axvline(today, color="#9a9a9a", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    if text:
        axes.annotate(
            f"{today:.0f}",
            (today, 1),
            (3, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            size=7,
            color=FAINT,
            va="top",
        )


def apart(places: Sequence[float], gap: float) -> np.ndarray:
    """Places moved as little as it takes (least squares) to be a gap apart, in their order and, if there is room, within 0 and 1."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(len(order))
    moved = np.empty(len(order))
    moved[order] = np.clip(isotonic_regression(np.array(places, float)[order] - steps).x, 0.0, max(0.0, 1.0 - steps[-1])) + steps
    return moved


def label_lines(axes, ends: Sequence[tuple[float, str, str]], size: float = 8) -> None:
    """Names beside the right ends of lines, in their colours, none on top of another.

    ends  (last value, text, colour)
    """
    if not ends:
        return
    right = axes.get_xlim()[1]
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [float(np.clip(to_axes.transform((right, value))[1], 0, 1)) for value, _, _ in ends]
    gap = 1.35 * size / 72 * axes.figure.dpi / (axes.bbox.height * 0.9)
    for place, (_, text, ink) in zip(apart(places, gap), ends, strict=True):
        axes.annotate(text, (1, place), (4, 0), xycoords="axes fraction", textcoords="offset points", size=size, color=ink, va="center")


def percent(axes, top: float | None = None) -> None:
    """A share axis in percent, from zero."""
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    axes.set_ylim(0, top)


def money(axes) -> None:
    """A logarithmic price axis with plain numbers, for what is drawn already."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_yscale("log")
    low, high = np.log10(axes.get_ylim())
    steps = (1, 2, 5) if high - low > 1.2 else (1, 1.5, 2, 3, 5, 7)
    ticks = [step * 10.0**power for power in range(int(np.floor(low)), int(np.ceil(high)) + 1) for step in steps]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}"))


def swatches(axes, names: Sequence[str], where: str = "center left", columns: int = 1) -> None:
    """A key to colours in an empty panel."""
    from matplotlib.patches import Patch

    axes.set_axis_off()
    handles = [Patch(color=colour(name), label=label(name)) for name in names]
    axes.legend(handles=handles, loc=where, fontsize=9, handlelength=1.1, labelspacing=0.55, ncols=columns)


def save(figure, path: str | Path) -> Path:
    """Write a figure as PNG, SVG or PDF by its suffix; the same figure gives the same bytes, whole or not at all."""
    import matplotlib

    path = Path(path)
    unfinished = path.with_name(f"{path.name}.partial")
    kind = path.suffix.lower().lstrip(".")
    without = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    with matplotlib.rc_context({"svg.hashsalt": "battery-forecast", "svg.fonttype": "path"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name of yours in letters that are drawn as boxes
        if kind == "png":
            lay_out(figure)
        figure.savefig(unfinished, format=kind, metadata=without.get(kind), dpi=DOTS)
    return unfinished.replace(path)


def lay_out(figure) -> None:
    """Give everything its place at once; otherwise the whole figure is drawn once more, unseen, to find it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.dpi = DOTS
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
