"""Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): are parameters found again in pasts that the model made up?

A member of the prior plays a past; its yearly figures, with errors of measurement, become the record; the calibration is
asked for the parameters. If it is right, the truth has any rank among the draws equally often.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import streams
from forecast.assess.calibrate import CALIBRATED, STEPS, Progress, chosen, learn, numbers, prepare
from forecast.assess.memory import Memory
from forecast.declare import Path
from forecast.ensemble.design import draw
from forecast.ensemble.engines import Engine, Serial
from forecast.model.world import World, simulate

if TYPE_CHECKING:
    import xarray as xr

MONTHS = 12
GIVEN = 2
"""Years of demand that a made-up past takes from the real one."""
TRUTHS = 1_000_000
"""Number of the first realization that serves as truth; its luck is nobody's else."""
LEAST_SHARE = 0.002
CHECK_MEMBERS = 150
IDENTIFIED = 0.8
"""Parameters whose spread the data cut below this part of the prior's are looked at apart: the others cannot go wrong."""
TENTHS = 10
INVENTED = "made up by the model"


def made_up(world: World, seed: int, trial: int) -> tuple[World, dict[str, float]]:
    """A world whose history and record a member of the prior has played, and that member's scores by parameter."""
    learned = chosen(world)
    place = np.array([TRUTHS + trial])
    scores = np.stack([streams.normal(seed, f"score of {name}", place) for name in learned], axis=-1)
    free = world.model_copy(update={"record": {}, "observed_until": world.first_year + GIVEN - 1})
    drawn = draw(free, seed, place, numbers(learned, scores))
    results = simulate(drawn, seed, place)
    years = np.arange(world.first_year, world.observed_until + 1)
    by_month = simulate(drawn, seed, place, monthly=True)["demand"][0].astype(float)
    record = {name: _observed(series, name, drawn, results, by_month, years, seed, place) for name, series in world.record.items()}
    segments = {name: _sold(segment, name, drawn, results, years) for name, segment in world.segments.items()}
    return world.model_copy(update={"record": record, "segments": segments}), dict(zip(learned, scores[0].tolist(), strict=True))


def _observed(series: Any, name: str, drawn: Any, results: Any, demand: np.ndarray, years: np.ndarray, seed: int, place: np.ndarray) -> Any:
    """One series of the record as the made-up past would have had it, measured with its error.

    demand  (month, segment, region) GWh
    """
    monthly = {key: results[key][0].astype(float).reshape(-1, MONTHS)[: len(years)] for key in MONTHLY}
    if series.kind == "share":
        region, chemistry = drawn.regions.names.index(series.region), drawn.chemistries.names.index(series.chemistry)
        seen = [segment in drawn.unexplained.segments for segment in drawn.segments.names]
        sold = results["deliveries"][0, : len(years), seen, region].astype(float).sum(axis=0)
        ion = drawn.chemistries.lithium[0] > 0
        share = np.clip(sold[:, chemistry] / np.maximum(sold[:, ion].sum(axis=-1), 1e-12), LEAST_SHARE, 1.0 - LEAST_SHARE)
        scaled = np.log(share / (1.0 - share))
    elif series.kind == "sales_last_quarter":
        seen = [segment in drawn.unexplained.segments for segment in drawn.segments.names]
        sold = demand[:, seen, drawn.regions.names.index(series.region)].sum(axis=1)
        quarters = np.log(sold.reshape(-1, MONTHS)[: len(years), -MONTHS // 4 :].sum(axis=1))
        scaled = np.diff(quarters, prepend=quarters[0])
    elif series.kind == "mineral_price":
        scaled = np.log(results["mineral_price"][0, : len(years), drawn.minerals.names.index(series.mineral)].astype(float))
    elif series.kind == "mine_output":
        scaled = np.log(results["mine_output"][0, : len(years)].astype(float).sum(axis=-1))
    else:
        scaled = np.log(SEEN_AS[series.kind](monthly))
    scaled = scaled + series.error.value * streams.normal(seed, f"measured {name}", place, len(years))[0]
    values = 1.0 / (1.0 + np.exp(-scaled)) if series.kind == "share" else np.exp(scaled)
    return series.model_copy(update={"values": Path(tuple(map(float, years)), tuple(values.tolist()), INVENTED)})


MONTHLY = ("mean_cell_price", "lithium_contract_price", "lithium_price")
SEEN_AS: dict[str, Callable[[dict[str, np.ndarray]], np.ndarray]] = {
    "cell_price": lambda monthly: monthly["mean_cell_price"].mean(axis=1),
    "lithium_price": lambda monthly: monthly["lithium_contract_price"].mean(axis=1),
    "lithium_price_year_end": lambda monthly: monthly["lithium_price"][:, -1],
    "lithium_price_mid_year": lambda monthly: monthly["lithium_price"][:, MONTHS // 2 - 1],
}
"""What a record that is kept by months says of each year."""


def _sold(segment: Any, name: str, drawn: Any, results: Any, years: np.ndarray) -> Any:
    """The sales history of a segment as the made-up past would have had it."""
    row = drawn.segments.names.index(name)
    wanted = results["demand"][0, : len(years), row].astype(float)
    history = {
        region: Path(tuple(map(float, years)), tuple(np.maximum(wanted[:, place], 1e-6).tolist()), INVENTED)
        for place, region in enumerate(drawn.regions.names)
    }
    return segment.model_copy(update={"history": history})


@dataclass(frozen=True)
class Trial:
    """Calibrates made-up pasts; a trial is a piece of work."""

    world: World
    seed: int
    members: int

    def __call__(self, trial: int) -> tuple[int, np.ndarray, np.ndarray]:
        past, truth = made_up(self.world, self.seed, trial)
        found = learn(past, self.seed + trial, self.members, STEPS, CALIBRATED, Serial(), Memory(), None)
        below = (found.scores < np.array([truth[name] for name in found.learned])).sum(axis=0)
        return trial, below, found.scores.std(axis=0)


def ranks(
    world: World, until: int, trials: int, seed: int = 1, *, members: int, engine: Engine, progress: Progress | None = None
) -> xr.Dataset:
    """Calibrate made-up pasts and say where the truth lies.

    returns  rank (trial, parameter) of the truth among the draws, from 0 to ``members``; kept (trial, parameter), the spread
             of the draws over the prior's

    Raises what ``calibrate`` raises.
    """
    import xarray as xr

    known = prepare(world, until, members)
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    with closing(engine.compute(Trial(known, seed, members), range(trials))) as finished:
        for trial, below, kept in finished:
            found[trial] = below, kept
            if progress is not None:
                progress(len(found), trials)
    rank, kept = (np.stack([found[trial][i] for trial in range(trials)]) for i in (0, 1))
    dims = ("trial", "parameter")
    made = xr.Dataset({"rank": (dims, rank), "kept": (dims, kept)}, {"parameter": np.array(list(chosen(known)), object)})
    return made.assign_attrs(members=members, until=until, seed=seed)


def evenness(found: xr.Dataset) -> list[dict[str, Any]]:
    """How often the truth lay in each tenth of the draws, and within their 50 and 90 %: of all parameters, and of those identified."""
    place = (found["rank"].values + 0.5) / (found.attrs["members"] + 1)
    identified = found["kept"].values.mean(axis=0) < IDENTIFIED
    table = []
    for name, meant in (("all", np.ones_like(identified)), ("identified", identified)):
        mine = place[:, meant]
        if mine.size:
            share = np.histogram(mine, TENTHS, (0.0, 1.0))[0] / mine.size
            inside = {f"within_{level}": float((abs(mine - 0.5) < level / 200).mean()) for level in (50, 90)}
            tenths = {f"t{i + 1}": float(part) for i, part in enumerate(share)}
            table.append({"parameters": name, "number": int(meant.sum()), **inside, **tenths})
    return table
