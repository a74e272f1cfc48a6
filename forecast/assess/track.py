"""A hindcast in a folder: forecasts and scores as netCDF, the table as JSON, and the pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.assess.calibrate import MEMBERS, STEPS, Progress, processes
from forecast.assess.hindcast import HORIZON, ORIGINS, check, hindcast
from forecast.assess.memory import identity_of, remembered
from forecast.assess.observables import OBSERVABLES
from forecast.ensemble.manifest import put_in_place
from forecast.errors import ForecastError, StoreError

if TYPE_CHECKING:
    import xarray as xr

    from forecast.scenario import Scenario

FORECASTS, SCORES, TABLE = "hindcast.nc", "scores.nc", "scores.json"
POOLED = (1, 2, 3)
"""Horizons whose scores are taken together."""


def record(
    scenario: Scenario,
    folder: Path,
    origins: Sequence[int] = ORIGINS,
    horizon: int = HORIZON,
    seed: int = 1,
    *,
    names: Sequence[str] = tuple(OBSERVABLES),
    members: int = MEMBERS,
    steps: int = STEPS,
    workers: int | None = None,
    resume: bool = False,
    force: bool = False,
    pictures: bool = True,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Make the track record of a scenario and put it into a folder; returns the table.

    resume  go on with an interrupted hindcast
    force   replace an older one, or start again

    Raises ForecastError and its kin; see ``hindcast``.
    """
    check(scenario.world, origins, horizon, names, members, steps)
    _refuse_foreign(folder)
    asked = {"origins": list(origins), "horizon": horizon, "series": list(names), "members": members, "steps": steps}
    with remembered(folder, identity_of(scenario, seed, **asked), resume, force) as memory:
        made = hindcast(
            scenario.world, origins, horizon, seed, names=names, members=members, steps=steps,
            engine=processes(workers), memory=memory, progress=progress,
        )  # fmt: skip
        made = made.assign_attrs(title=f"Hindcast of {scenario.name}", scenario=scenario.name, seed=seed, members=members)
        return publish(made, folder, pictures)


def _refuse_foreign(folder: Path) -> None:
    """Not even force replaces what is not ours."""
    ours = not folder.exists() or (folder.is_dir() and ((folder / FORECASTS).is_file() or not any(folder.iterdir())))
    if not ours:
        raise ForecastError(f"{folder}: exists and holds no hindcast; choose another --output")


def publish(made: xr.Dataset, folder: Path, pictures: bool) -> list[dict[str, Any]]:
    """Score a hindcast and write all of it, whole or not at all."""
    from forecast.assess.scores import pooled, rows, score
    from forecast.ensemble.export import write_netcdf

    scored = score(made)
    table = rows(pooled(scored, [year for year in POOLED if year in made["horizon"]]))
    unfinished = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write_netcdf(made, unfinished / FORECASTS)
    write_netcdf(scored, unfinished / SCORES)
    (unfinished / TABLE).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if pictures:
        draw(made, scored, unfinished / "pictures")
    _refuse_foreign(folder)  # it may have been made meanwhile
    put_in_place(unfinished, folder)
    return table


def draw(made: xr.Dataset, scored: xr.Dataset, folder: Path) -> None:
    """Fans of every series, where values fell in them, and skill by horizon."""
    from forecast.assess.pictures import save
    from forecast.assess.scores import by_horizon, pooled
    from forecast.report import track_record

    best = pooled(scored, [year for year in POOLED if year in made["horizon"]])["best_rival"]
    for name in made["series"].values.tolist():
        rival = str(best.sel(series=name).item()) or None
        save(track_record.fans(made, name, rival), folder / f"{name}.png")
    save(track_record.pit(scored), folder / "pit.png")
    save(track_record.skill(by_horizon(scored)), folder / "skill.png")


def read(folder: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """Forecasts and scores of a folder; raises StoreError if it holds none."""
    from forecast.ensemble.export import read_netcdf

    found = [read_netcdf(folder / name) for name in (FORECASTS, SCORES)]
    if wrong := [name for name in ("prediction", "observed", "past", "as_known") if name not in found[0]]:
        raise StoreError(f"{folder / FORECASTS}: is no hindcast, without {', '.join(wrong)}")
    return found[0], found[1]
