"""Adoption curves: logistic and Bass, fitted to the share of world sales by segment and chemistry, in each realization.

Logistic (Fisher and Pry 1971): s(t) = ceiling / (1 + exp(-(t - midpoint) / width)); the 10-90 % time is 2 ln(9) width.
Bass (1969): s(t) = m (1 - exp(-(p + q) x)) / (1 + (q / p) exp(-(p + q) x)), x = t - launch, where launch is the year
before the share first reaches 0.1 %; p is innovation, q imitation, m the ceiling. Bass counted adopters; here the
share of yearly sales stands for them.
Only what rises from nothing, stays and passes its midpoint is an S-curve; the rest is named for what it is, not fitted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr

from forecast.report.views import world_shares

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KINDS = ("s_curve", "never_adopted", "present_from_start", "rise_and_fall", "unfinished", "poor_fit")
ADOPTED = 0.01
LAUNCHED = 0.001
FALLEN = 0.7
GOOD_FIT = 0.9
BATCH = 512
TOGETHER = 1 << 16
"""Series that are looked at together: more take more memory and no less time."""
EXAMPLE = 1 / (1 + np.exp(np.linspace(8, -8, 16, dtype=np.float32)))[None]
"""An S-curve (1, years) such as are fitted."""
LOGISTIC_LOW, LOGISTIC_HIGH = np.array([0.005, 1990.0, np.log(0.1)]), np.array([1.0, 2150.0, np.log(30.0)])
BASS_LOW, BASS_HIGH = np.log([1e-7, 1e-3, 0.005]), np.log([1.0, 5.0, 1.0])
PARAMETERS = {
    "ceiling": ("1", "Ceiling of the logistic curve, share of sales"),
    "midpoint": ("1", "Calendar year at half the ceiling, logistic curve"),
    "duration": ("year", "Time from 10 to 90 % of the ceiling, logistic curve"),
    "logistic_r2": ("1", "Share of variance that the logistic curve explains"),
    "bass_p": ("year-1", "Bass coefficient of innovation"),
    "bass_q": ("year-1", "Bass coefficient of imitation"),
    "bass_m": ("1", "Bass ceiling, share of sales"),
    "bass_r2": ("1", "Share of variance that the Bass curve explains"),
}


def least_squares(
    is_bass: bool, start: np.ndarray, when: np.ndarray, share: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of least squares (n, 3) of a curve, Bass or logistic, and how much of the variance each explains (n,).

    start  (n, 3)      parameters to begin with
    when   (n, years)  calendar years, or years since the launch
    share  (n, years)
    """
    from forecast.assess.fitting import least_squares as settle

    best, fitted = start.copy(), np.empty(share.shape)
    settle(is_bass, best, when, share, *bounds, fitted)
    return best, explained(share, fitted)


def explained(share: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Share of variance over the years that a fit explains (n,); 0 for a series that does not move."""
    around = ((share - share.mean(-1, keepdims=True)) ** 2).sum(-1)
    left = ((share - fitted) ** 2).sum(-1)
    return np.where(around > 0, 1 - left / np.where(around > 0, around, 1), 0)


def first_above(share: np.ndarray, level: np.ndarray, year: np.ndarray) -> np.ndarray:
    """First year in which each series (n, years) is above its level (n, 1)."""
    return year[(share > level).argmax(-1)]


def fit_logistic(share: np.ndarray, year: np.ndarray) -> dict[str, np.ndarray]:
    """Logistic parameters of each series (n, years), started at the years when 10, 50 and 90 % of the top are passed."""
    top = share.max(-1, keepdims=True)
    early, middle, late = (first_above(share, level * top, year) for level in (0.1, 0.5, 0.9))
    width = np.maximum(late - early, 1) / (2 * np.log(9))
    start = np.stack([top[:, 0], middle, np.log(width)], -1)
    when = np.broadcast_to(year.astype(float), share.shape).copy()
    found, quality = least_squares(False, start, when, share, (LOGISTIC_LOW, LOGISTIC_HIGH))
    return {"ceiling": found[:, 0], "midpoint": found[:, 1], "duration": 2 * np.log(9) * np.exp(found[:, 2]), "logistic_r2": quality}


def fit_bass(share: np.ndarray, year: np.ndarray, shape: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bass parameters of each series, started from its logistic: p + q = 1 / width, q / p from the time to the midpoint."""
    launch = first_above(share, np.full((len(share), 1), LAUNCHED), year) - 1
    rate = 2 * np.log(9) / shape["duration"]
    odds = np.exp(np.clip(rate * (shape["midpoint"] - launch), 0, 12))
    start = np.log(np.stack([rate / (1 + odds), rate * odds / (1 + odds), shape["ceiling"]], -1))
    age = year[None].astype(float) - launch[:, None]
    found, quality = least_squares(True, start, age, share, (BASS_LOW, BASS_HIGH))
    return {f"bass_{name}": np.exp(found[:, i]) for i, name in enumerate("pqm")} | {"bass_r2": quality}


def outline(share: np.ndarray) -> np.ndarray:
    """Kind of each series (n, years) that can be told without a fit; three-year means stand for peak and end, two years for no curve."""
    enough = share.shape[1] > 2
    smooth = (share[:, 2:] + share[:, 1:-1] + share[:, :-2]) / 3 if enough else share
    kind = np.full(len(share), KINDS.index("s_curve" if enough else "unfinished"), np.int8)
    kind[smooth[:, -1] < FALLEN * smooth.max(-1)] = KINDS.index("rise_and_fall")
    kind[share[:, 0] >= ADOPTED] = KINDS.index("present_from_start")
    kind[share.max(-1) < ADOPTED] = KINDS.index("never_adopted")
    return kind


def fit(share: np.ndarray, year: np.ndarray) -> dict[str, np.ndarray]:
    """Kind and parameters of each series (n, years); parameters are NaN where the series is not an S-curve."""
    kind = np.concatenate([outline(share[first : first + TOGETHER]) for first in range(0, max(len(share), 1), TOGETHER)])
    found = {name: np.full(len(share), np.nan, np.float32) for name in PARAMETERS}
    rising = np.flatnonzero(kind == 0)

    def some(first: int) -> None:
        rows_here = rising[first : first + BATCH]
        series = share[rows_here].astype(float)
        shape = fit_logistic(series, year)
        poor = shape["logistic_r2"] < GOOD_FIT
        unfinished = shape["midpoint"] > year[-1]
        kind[rows_here] = np.select([unfinished, poor], [KINDS.index("unfinished"), KINDS.index("poor_fit")], 0)
        for name, values in (shape | fit_bass(series, year, shape)).items():
            found[name][rows_here] = np.where(unfinished | poor, np.nan, values)

    with ThreadPoolExecutor() as threads:
        list(threads.map(some, range(0, len(rising), BATCH)))
    return {"kind": kind, **found}


def quantiles_of_fitted(parameter: xr.Variable) -> xr.Variable:
    """Quantiles over the realizations that have the parameter; NaN where none has."""
    places = [dim for dim in parameter.dims if dim != "realization"]
    series = parameter.transpose(*places, "realization").values
    anywhere = ~np.isnan(series).all(axis=-1)
    found = np.full((len(QUANTILES), *anywhere.shape), np.nan, np.float32)
    if anywhere.any():
        found[:, anywhere] = np.nanquantile(series[anywhere], QUANTILES, axis=-1)
    return xr.Variable(("quantile", *places), found)


def fit_curves(results: xr.Dataset) -> xr.Dataset:
    """Adoption curves of an ensemble by segment, with ``all``, and chemistry of the world.

    ``kind`` and parameters by realization, ``NAME_quantile`` over the realizations that are S-curves, and
    ``kind_probability``.
    """
    share = world_shares(results).transpose("realization", "segment", "chemistry", "year")
    *dims, _ = share.dims
    coords, shape, year = {dim: share[dim] for dim in dims}, share.shape[:-1], share["year"].values
    series = share.values.reshape(-1, len(year))
    del share  # which is as large
    fitted = fit(series, year)
    variables = {name: xr.Variable(dims, values.reshape(shape)) for name, values in fitted.items()}
    variables["kind"].attrs = {
        "long_name": "Kind of adoption curve",
        "flag_values": np.arange(len(KINDS), dtype=np.int8),
        "flag_meanings": " ".join(KINDS),
    }
    for name, (unit, meaning) in PARAMETERS.items():
        variables[name].attrs = {"units": unit, "long_name": meaning, "comment": "missing: not an S-curve"}
        variables[f"{name}_quantile"] = quantiles_of_fitted(variables[name])
        variables[f"{name}_quantile"].attrs = {
            "units": unit, "long_name": f"{meaning}: quantile", "comment": "over the realizations that are S-curves"
        }  # fmt: skip
    chance = [(variables["kind"] == i).mean("realization") for i in range(len(KINDS))]
    variables["kind_probability"] = xr.Variable.concat(chance, "kind_of_curve").astype("float32")
    found = xr.Dataset(variables, coords | {"quantile": list(QUANTILES), "kind_of_curve": np.array(KINDS, object)})
    found["quantile"].attrs = {"units": "1", "long_name": "Quantile over realizations"}
    found["kind_of_curve"].attrs = {"long_name": "Kind of adoption curve"}
    found["kind_probability"].attrs = {"units": "1", "long_name": "Probability of each kind of adoption curve"}
    return found


def rows(found: xr.Dataset) -> list[dict]:
    """One row per segment and chemistry: the likeliest kind, and parameters where at least half are S-curves."""
    table = []
    for segment in found["segment"].values:
        for chemistry in found["chemistry"].values:
            table.append(curve_row(found.sel(segment=segment, chemistry=chemistry)))
    return table


def curve_row(found: xr.Dataset) -> dict:
    """Row of one segment and chemistry; a parameter is its 5, 25, 50, 75 and 95 % quantiles or None."""
    chance = found["kind_probability"].values
    row = {
        "segment": found["segment"].item(),
        "chemistry": found["chemistry"].item(),
        "kind": KINDS[int(chance.argmax())],
        "kind_probability": round(float(chance.max()), 4),
        "s_curve_probability": round(float(chance[0]), 4),
    }
    for name in PARAMETERS:
        quantiles = found[f"{name}_quantile"].values
        row[name] = [float(f"{value:.5g}") for value in quantiles] if chance[0] >= 0.5 else None
    return row
