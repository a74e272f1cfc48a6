"""From a scenario to a folder of results with its summary and pictures."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.ensemble import manifest
from forecast.ensemble.execute import Outcome, Progress, cores, locked, run
from forecast.ensemble.plan import Plan
from forecast.ensemble.store import SCENARIO, SUMMARY, add_files, open_results, scenario_of
from forecast.loading import compile_faster, kernels_as_kept

if TYPE_CHECKING:
    from forecast.ensemble.engines import Engine
    from forecast.scenario import Scenario

OUTPUTS = Path("outputs")
FEWEST_DRAWN = 10
"""Realizations; the bands of fewer are not those of a distribution."""
PICTURES = 2_500_000
"""Bytes of the pictures of a run, measured in the baseline."""


def run_ensemble(
    scenario: Scenario | str | Path,
    realizations: int = 100,
    seed: int = 1,
    *,
    folder: str | Path | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    monthly: bool = False,
    block: int = 0,
    first: int = 0,
    resume: bool = False,
    force: bool = False,
    pictures: bool | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run a scenario and put results, summary and pictures into a folder.

    scenario      a shipped name, a file, or a loaded scenario
    folder        outputs/NAME if None; must not exist, unless ``resume`` or ``force``
    workers       processes; all cores if None
    monthly       keep every variable by month; twelve times as large
    block, first  realizations computed together (0: a fitting number); number of the first
    resume        continue an unfinished run of the same scenario, seed, realizations and block
    force         replace older results once the new ones are whole
    pictures      draw them; None for ensembles of 10 or more

    Raises ForecastError and its kin; what failed in single realizations is in the outcome.
    """
    from forecast.scenario import dump, load

    if isinstance(scenario, str | Path):
        scenario = load(scenario)
    name = name_of(scenario)
    drawn = realizations >= FEWEST_DRAWN if pictures is None else pictures
    plan = Plan(name, scenario.world, dump(scenario), seed, realizations, block, monthly, first, scenario.posterior)
    return run(
        plan,
        OUTPUTS / name if folder is None else folder,
        workers=workers,
        engine=engine,
        resume=resume,
        force=force,
        progress=progress,
        finish=partial(sum_up, pictures=drawn, workers=workers or cores()),
        meanwhile=get_ready,
        more=PICTURES if drawn else 0,
    )


def name_of(scenario: Scenario) -> str:
    """Name of a scenario; that of the run if it is the resolved file in a folder of results, which then gives the same bytes.

    Raises StoreError if that file has changed since the run.
    """
    file = scenario.files[0] if scenario.files else Path()
    if file.name == SCENARIO and (file.parent / manifest.NAME).is_file():
        return scenario_of(file.parent)
    return scenario.name


def get_ready() -> None:
    """Load what summing up uses, half a second's work; and compile it if that was never done, some seconds'."""
    import h5py  # type: ignore[import-untyped]  # noqa: F401

    from forecast.assess import curves, summary  # noqa: F401
    from forecast.ensemble import export  # noqa: F401

    kernels_as_kept()
    compile_faster()
    curves.fit(curves.EXAMPLE, 2000 + np.arange(curves.EXAMPLE.size))


def sum_up(folder: Path, results: Any, pictures: bool = True, workers: int = 1) -> None:
    """Add the summary, and pictures if wanted, to a folder that is about to be sealed."""
    from forecast.assess.summary import summarise
    from forecast.ensemble.export import write_netcdf
    from forecast.report.views import remembered

    with remembered():
        write_netcdf(summarise(results), folder / SUMMARY)
        if pictures:
            from forecast.assess.pictures import draw_all

            draw_all(results, folder / "pictures", workers)


def redraw(folder: str | Path) -> list[Path]:
    """Draw the pictures of a folder of results again and seal them; returns the files. Raises LockedError if a run writes there."""
    from forecast.assess.pictures import draw_all

    folder = Path(folder)
    manifest.read(folder)
    with locked(Path(os.path.realpath(folder)), needed=False):
        files = draw_all(open_results(folder), folder / "pictures", cores())
        add_files(folder, [file.relative_to(folder).as_posix() for file in files])
    return files
