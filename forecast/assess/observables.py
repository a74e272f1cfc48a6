"""The series by which the model is judged: how each is observed, and what it is in a simulated world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.errors import DataError
from forecast.history.observed import CONFIDENCE, Observation, observed
from forecast.history.vintages import as_known
from forecast.report.views import CARS, STORAGE, VEHICLES

MONTHS = 12
CONTRACTS = "lithium_contract_price"  # what yearly averages report
SHARE_ERROR = 0.01
"""Points of share: which chemistry is in which model and year is counted by two sources differently, by about so much."""
Arrays = Mapping[str, np.ndarray]
Simulated = Callable[[Any, Arrays], np.ndarray]
"""(drawn numbers, arrays of the simulation) -> (realization, year)."""


@dataclass(frozen=True)
class Observable:
    """One series that is both observed and simulated.

    name       of the judged series
    title      in tables and pictures
    series     name in ``forecast/history``
    region     there
    unit       of both
    scale      "log" for what is above zero, "share" for shares
    simulated  what a simulated world says
    error      of measurement: standard deviation of the logarithm, or of the share
    price      whether it is a price
    judged     grades of confidence on which a forecast is judged; all grades may be learned from
    """

    name: str
    title: str
    series: str
    region: str
    unit: str
    scale: str
    simulated: Simulated
    error: float
    price: bool = False
    judged: tuple[str, ...] = ("high", "medium")

    def measured(self, values: np.ndarray, luck: np.ndarray) -> np.ndarray:
        """What would be published of simulated values; luck (same shape) standard normal."""
        if self.scale == "share":
            return np.clip(values + self.error * luck, 0.0, 1.0)
        return values * np.exp(self.error * luck)

    def past(self, origin: int) -> Observation:
        """The series as it was known when the year ``origin`` was over."""
        return as_known(self.series, self.region, origin=origin, confidence=CONFIDENCE)

    def final(self) -> dict[int, float]:
        """Value of each year on which forecasts are judged, as known today."""
        found = observed(self.series, self.region, confidence=self.judged)
        return dict(zip(found.years.tolist(), found.values.tolist(), strict=True))


def yearly(name: str) -> Simulated:
    """Mean over the months of each year of a monthly column."""
    return lambda drawn, arrays: arrays[name].astype(float).reshape(len(arrays[name]), -1, MONTHS).mean(axis=-1)


def sold(drawn: Any, arrays: Arrays, segments: tuple[str, ...]) -> np.ndarray:
    """Deliveries to some segments, (realization, year, region, chemistry) GWh."""
    rows = [drawn.segments.names.index(name) for name in segments if name in drawn.segments.names]
    return arrays["deliveries"][:, :, rows].astype(float).sum(axis=2)


def lfp_share(region: str) -> Simulated:
    """LFP's share of the lithium batteries delivered to cars of a region or the world."""

    def simulated(drawn: Any, arrays: Arrays) -> np.ndarray:
        cars = sold(drawn, arrays, CARS)
        chosen = cars.sum(axis=2) if region == "world" else cars[:, :, drawn.regions.names.index(region)]
        ion = drawn.chemistries.lithium[0] > 0
        return chosen[..., drawn.chemistries.names.index("lfp")] / np.maximum(chosen[..., ion].sum(axis=-1), 1e-12)

    return simulated


def vehicles(drawn: Any, arrays: Arrays) -> np.ndarray:
    """Batteries of electric vehicles as the IEA counts them; what it leaves out stays as it was when last known."""
    total = sold(drawn, arrays, VEHICLES).sum(axis=(2, 3))
    outside = observed("ev_demand_outside_iea", confidence=CONFIDENCE, until=drawn.observed_until)
    years = drawn.first_year + np.arange(total.shape[1])
    return np.maximum(total - np.interp(years, outside.years, outside.values), 1e-3)


def storage(drawn: Any, arrays: Arrays) -> np.ndarray:
    """Batteries delivered to storage, grid and home."""
    return sold(drawn, arrays, STORAGE).sum(axis=(2, 3))


EVS, STORES = "Batteries of electric vehicles", "Batteries for storage"
REGIONS = {"world": "the world", "china": "China", "europe": "Europe", "united_states": "the United States"}
OBSERVABLES = {
    each.name: each
    for each in (
        Observable("cell_price", "Cell price", "cell_price", "world", "USD2024/kWh", "log", yearly("mean_cell_price"), 0.03, True),
        Observable("lithium_price", "Lithium price", "lithium_price", "world", "USD2024/t", "log", yearly(CONTRACTS), 0.08, True),
        *(
            Observable(f"lfp_share_{name}", f"LFP share of cars in {title}", "lfp_share", name, "1", "share", lfp_share(name), SHARE_ERROR)
            for name, title in REGIONS.items()
        ),
        Observable("ev_battery_demand", EVS, "ev_battery_demand", "world", "GWh/year", "log", vehicles, 0.03),
        Observable("storage_demand", STORES, "storage_demand", "world", "GWh/year", "log", storage, 0.1),
    )
}


def observable(name: str) -> Observable:
    """The series of that name; raises DataError if there is none."""
    if name not in OBSERVABLES:
        raise DataError(f"series {name!r}: cannot be judged; allowed: {', '.join(OBSERVABLES)}")
    return OBSERVABLES[name]
