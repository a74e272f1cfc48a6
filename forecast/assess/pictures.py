"""Which pictures there are of a forecast, and the observed past that is drawn into them."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.ensemble.export import refuse_device
from forecast.errors import DataError, ForecastError, RequestError

if TYPE_CHECKING:
    import xarray as xr

SUBJECTS = ("overview", "adoption", "stack", "lithium", "prices", "programmes", "history")
FORMATS = (".png", ".svg", ".pdf")
WORLD_SERIES = ("cell_price", "lithium_price", "ev_battery_demand", "storage_demand", "ev_demand_outside_iea")
FIRST_YEAR = 2015


def observed_past(first_year: int = FIRST_YEAR) -> dict[str, Any]:
    """Observed series as {name: {year: value}}, and ``lfp_share`` as {region: {year: value}}."""
    from forecast.history.observed import regions

    past: dict[str, Any] = {name: _series(name, "world", first_year) for name in WORLD_SERIES}
    past["lfp_share"] = {region: _series("lfp_share", region, first_year) for region in regions("lfp_share")}
    return {name: values for name, values in past.items() if values}


def _series(name: str, region: str, first_year: int) -> dict[int, float]:
    from forecast.history.observed import observed

    try:
        found = observed(name, region, confidence=("high", "medium", "low"))
    except DataError:
        return {}
    return {int(year): float(value) for year, value in zip(found.years, found.values, strict=True) if year >= first_year}


def picture(results: xr.Dataset, subject: str, segment: str | None = None) -> Any:
    """One figure of a subject; all segments together unless one is named."""
    from forecast.report import plots

    past = observed_past(int(results["month"].values[0].year))
    if segment is not None and segment not in results["segment"].values:
        raise RequestError(f"segment {segment}: not in these results; there are {', '.join(map(str, results['segment'].values))}")
    if segment is not None and subject not in ("adoption", "stack"):
        raise RequestError(f"{subject}: has no segments; --segment goes with adoption and stack")
    drawn = {
        "overview": lambda: plots.overview(results, past),
        "adoption": lambda: plots.adoption_fan(results, segment) if segment else plots.adoption_fans(results),
        "stack": lambda: plots.chemistry_stack(results, segment) if segment else plots.chemistry_stacks(results),
        "lithium": lambda: plots.lithium_price_fan(results, past.get("lithium_price")),
        "prices": lambda: plots.cell_price_paths(results, past.get("cell_price")),
        "programmes": lambda: plots.programme_entries(results),
        "history": lambda: plots.history_panel(results, past),
    }
    return drawn[subject]()


def draw_all(results: xr.Dataset, folder: Path, workers: int = 1) -> list[Path]:
    """Draw every subject into a folder, in as many processes as are given; returns the files."""
    from forecast.report.views import remembered, world_deliveries

    with remembered():
        if workers == 1:
            return [_draw(results, folder, subject) for subject in SUBJECTS]
        world_deliveries(results)
        return _draw_beside(results, folder, workers)


def _draw(results: xr.Dataset, folder: Path, subject: str) -> Path:
    return save(picture(results, subject), folder / f"{subject}.png")


def _draw_beside(results: xr.Dataset, folder: Path, workers: int) -> list[Path]:
    """The same in copies of this process, which hold already what is drawn."""
    import multiprocessing
    import warnings
    from concurrent.futures import ProcessPoolExecutor

    import matplotlib.figure  # noqa: F401  once for all

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the copies use none of theirs
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _take, (results, folder)) as pool:
            return list(pool.map(_draw_taken, SUBJECTS))


_taken: list[Any] = []


def _take(results: xr.Dataset, folder: Path) -> None:
    _taken[:] = results, folder


def _draw_taken(subject: str) -> Path:
    results, folder = _taken
    try:
        return _draw(results, folder, subject)
    finally:
        gc.collect()  # figures are rings of objects, and large


def check_file(file: Path) -> None:
    """Raise ForecastError for a file that cannot be a picture."""
    if file.suffix.lower() not in FORMATS:
        raise RequestError(f"{file}: pictures end in {', '.join(FORMATS)}")
    refuse_device(file)


def save(figure: Any, file: Path) -> Path:
    """Write a figure as its suffix says."""
    from forecast.report import plots

    check_file(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return plots.save(figure, file)
    except OSError as error:
        raise ForecastError(f"{file}: cannot write: {error.strerror or error}") from error
