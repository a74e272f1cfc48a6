"""Differences between scenarios: realization k of both has the same luck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from claims.run import Run
from forecast.assess.compare import partners
from forecast.errors import StoreError
from forecast.report.views import ALL
from writing import percent, spread

EFFECT_YEARS = (2030, 2040)
AFTERMATH = 5


def paired(a: Run, b: Run, of: Callable[[Run], xr.DataArray]) -> np.ndarray:
    """A - B in each realization (realization,)."""
    if any(kept is not whole for kept, whole in zip(partners(a.results, b.results), (a.results, b.results), strict=True)):
        raise StoreError("some realizations have no partner; run both scenarios with the same number")
    return np.asarray(of(a), float) - np.asarray(of(b), float)


def effect(difference: np.ndarray, unit: str, scale: float = 1.0, form: str = "{:+.1f}") -> str:
    """Median, interval, mean with two standard errors, and how often it is above zero."""
    mean, error = difference.mean() * scale, standard_error(difference) * scale
    return (
        f"{spread(difference, form, scale)} {unit}; mean {form.format(mean)} ± {form.format(2 * error).lstrip('+')}; "
        f"above zero in {percent((difference > 0).mean())} of realizations"
    )


def standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def sure(difference: np.ndarray, sign: int) -> bool:
    """Whether the mean difference has this sign by more than two standard errors."""
    return bool(sign * difference.mean() > 2 * standard_error(difference))


def window(run: Run, reference: Run) -> tuple[int, int]:
    """Years in which a scenario's effect is measured: its own events and five years more, or 2030-2040 if it has none."""
    events = own_events(run, reference)
    if not events:
        return EFFECT_YEARS
    last = int(np.ceil(max(event.end.value for event in events))) + AFTERMATH
    return int(min(event.start.value for event in events)), min(last, EFFECT_YEARS[1], run.last)


def own_events(run: Run, reference: Run) -> list[Any]:
    """Policies and shocks that only this scenario has."""
    return [event for name, event in run.world.policy.items() if name not in reference.world.policy]


def later(array: xr.DataArray, years: tuple[int, int] = EFFECT_YEARS) -> xr.DataArray:
    """Mean over the years in which an effect is measured."""
    return array.sel(year=slice(*years)).mean("year")


def logarithm_later(name: str, years: tuple[int, int] = EFFECT_YEARS, **which: str) -> Callable[[Run], xr.DataArray]:
    """Logarithm of a variable's mean over the years, so that differences are relative."""
    return lambda run: np.log(later(run.yearly(name).sel(which), years))


def share_later(chemistry: str, segment: str = ALL, years: tuple[int, int] = EFFECT_YEARS) -> Callable[[Run], xr.DataArray]:
    """Mean share of world sales over the years."""
    return lambda run: later(run.shares.sel(segment=segment, chemistry=chemistry), years)
