"""A run of a scenario, as the claims ask it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import forecast
from forecast.assess.milestones import answer, censored_quantiles, first_segments, milestone_years
from forecast.ensemble.design import draw
from forecast.report.style import label
from forecast.report.views import WORLD, by_year, world_shares
from writing import percent

SMALL = ("stationary_grid", "two_three_wheelers", "micro_cars", "industrial")
HIGH_END = ("premium_cars", "aviation", "drones")
FOOTHOLD = 0.05


class Run:
    """One folder of results and what is asked of it more than once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.results = forecast.open_results(folder)

    @cached_property
    def shares(self) -> xr.DataArray:
        """World shares of yearly sales (realization, year, segment with all, chemistry)."""
        return world_shares(self.results)

    @cached_property
    def milestones(self) -> xr.Dataset:
        return milestone_years(self.results)

    @cached_property
    def world(self) -> Any:
        return forecast.load_scenario(self.folder / "scenario.yaml").world

    @cached_property
    def drawn(self) -> Any:
        """The parameters of every realization."""
        return draw(self.world, int(self.results.attrs["seed"]), self.results["realization"].values)

    def yearly(self, name: str, how: str = "mean") -> xr.DataArray:
        return by_year(self.results[name].load(), how)

    def passing(self, chemistry: str, segments: Sequence[str], level: float = FOOTHOLD) -> xr.DataArray:
        """First year in which the chemistry passes the level in any of the segments (realization,)."""
        year = self.milestones["share_year"].sel(region=WORLD, chemistry=chemistry, segment=list(segments), drop=True)
        return year.sel(threshold=level, method="nearest", drop=True).min("segment")

    def first_places(self, chemistry: str, members: Sequence[str]) -> tuple[float, str]:
        """Probability that one of the segments is first to 5 %, among realizations in which any is, and the likeliest ones."""
        chance = first_segments(self.milestones["share_year"]).sel(chemistry=chemistry)
        total = float(chance.sum())
        order = chance.sortby(chance, ascending=False)
        text = ", ".join(f"{label(s)} {percent(p)}" for s, p in zip(order["segment"].values, order.values, strict=True) if p > 0.005)
        return (float(chance.sel(segment=list(members)).sum()) / total if total else 0.0), text or "none"

    @property
    def countries(self) -> xr.DataArray:
        """Where each mine is (mine,)."""
        return xr.DataArray([self.world.mines[name].country for name in self.results["mine"].values], dims="mine", name="country")

    @property
    def segments(self) -> list[str]:
        return self.results["segment"].values.tolist()

    @property
    def last(self) -> int:
        return int(self.milestones.attrs["last_year"])

    @property
    def never(self) -> int:
        """The year that a thing counts with if it has not happened by the last."""
        return self.last + 1

    def when(self, year: xr.DataArray) -> str:
        """Median, 90 % interval and probability of a year per realization."""
        middle = censored_quantiles(year).values
        start = float((year == self.milestones.attrs["first_year"]).mean())
        return answer(middle, float(year.notnull().mean()), start, self.milestones.attrs)

    def name_of(self, mapping: str, key: str) -> int:
        return getattr(self.drawn, mapping).names.index(key)

    def drawn_of(self, chemistry: str, field: str) -> np.ndarray:
        """Draws of a quantity of a chemistry (realization,)."""
        return getattr(self.drawn.chemistries, field)[:, self.name_of("chemistries", chemistry)]


def median(array: xr.DataArray) -> xr.DataArray:
    return array.median("realization")
