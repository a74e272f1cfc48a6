"""How good forecasts were: the hindcast's samples against what came.

A hindcast has ``prediction`` (series, origin, horizon, forecaster, draw) and ``observed`` (series, origin, horizon);
the model is the forecaster ``model``, all others are its rivals. Scores are on the natural logarithm where the scale
of a series is ``log``, and in plain share where it is ``share``: a CRPS of 0.1 is about 10 % of the value, or 10
points of share. Forecasters are compared only on points where each of that series has a score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from forecast.assess.compare import number
from forecast.errors import DataError

MODEL = "model"
HORIZONS = (1, 2, 3)
FEWEST_ORIGINS = 5
CAVEAT = "with n = {n} overlapping forecasts the test has little power"
MEANINGS = {
    "crps": "Continuous ranked probability score, on the natural logarithm or in share",
    "log10_error": "Error of the median, in powers of ten or in share",
    "inside_50": "Whether the value lies within the 50 % interval",
    "inside_90": "Whether the value lies within the 90 % interval",
    "pit": "Probability integral transform: rank of the value among the draws",
}
POOLED = {
    "points": "How many points all forecasters of the series have in common",
    "crps": "Mean continuous ranked probability score",
    "log10_error": "Median error of the median, in powers of ten or in share",
    "coverage_50": "Part of the values within the 50 % interval",
    "coverage_90": "Part of the values within the 90 % interval",
    "skill_against": "1 - CRPS of the model / CRPS of this rival",
    "best_rival": "Rival of the lowest CRPS",
    "rival_crps": "CRPS of the best rival",
    "skill": "1 - CRPS of the model / CRPS of the best rival",
    "dm_p": "P value of the test of Diebold and Mariano against the best rival, at the shortest horizon",
}
ABOUT = ("unit", "scale", "title")


def check(hindcast: xr.Dataset) -> None:
    """Raise DataError for a scale that is not known, and for numbers that have no logarithm."""
    unknown = sorted({str(scale) for scale in hindcast["scale"].values} - {"log", "share"})
    if unknown:
        raise DataError(f"scale {', '.join(unknown)}; must be log or share")
    for name in ("prediction", "observed"):
        values = hindcast[name]
        bad = (abs(values) == np.inf) | ((values <= 0) & (hindcast["scale"] == "log"))
        bad = bad.any("draw") if name == "prediction" else bad
        for place in np.argwhere(bad.values)[:1]:
            where = ", ".join(f"{dim} {bad[dim].values[i]}" for dim, i in zip(bad.dims, place, strict=True))
            raise DataError(f"{name} of {where}: not finite, or not above zero on the scale log")


def score(hindcast: xr.Dataset) -> xr.Dataset:
    """Scores of every forecast (series, origin, horizon, forecaster); NaN without a prediction or a value to hold it against.

    crps         continuous ranked probability score of an ensemble, without bias by its size (Ferro 2014)
    log10_error  |log10(median / value)|; for shares |median - value|
    inside_50    1 when the value lies within the 25 and 75 % quantiles, else 0
    inside_90    the same for 5 and 95 %
    pit          (draws below + half of those that tie + 1/2) / (draws + 1), so that a tie has the middle rank

    Raises DataError for draws at or below zero on the scale ``log``, and for infinite ones.
    """
    from scores.probability import crps_for_ensemble

    check(hindcast)
    logarithmic = hindcast["scale"] == "log"
    samples, value = (
        xr.where(logarithmic, np.log(array.where(logarithmic)), array)
        for array in (hindcast["prediction"].astype("float64"), hindcast["observed"])
    )
    count = samples.count("draw")
    held = (count > 1) & value.notnull()
    with np.errstate(invalid="ignore", divide="ignore"):
        crps = crps_for_ensemble(samples, value, "draw", method="fair", preserve_dims="all")
    low, lower, middle, upper, high = (
        samples.where(held, 0.0).quantile([0.05, 0.25, 0.5, 0.75, 0.95], "draw").transpose("quantile", ...).drop_vars("quantile")
    )
    found = {
        "crps": crps,
        "log10_error": abs(middle - value) / xr.where(logarithmic, np.log(10), 1.0),
        "inside_50": ((lower <= value) & (value <= upper)).astype(float),
        "inside_90": ((low <= value) & (value <= high)).astype(float),
        "pit": ((samples < value).sum("draw") + ((samples == value).sum("draw") + 1) / 2) / (count + 1),
    }
    dims = ("series", "origin", "horizon", "forecaster")
    scored = xr.Dataset(
        {name: array.where(held).transpose(*dims).assign_attrs(units="1", long_name=MEANINGS[name]) for name, array in found.items()}
    )
    return scored.assign({name: hindcast[name] for name in ABOUT}).assign_attrs(hindcast.attrs, draws=hindcast.sizes["draw"])


def common(scored: xr.Dataset) -> xr.DataArray:
    """Points (series, origin, horizon) where every forecaster that has any score of that series has one."""
    there = scored["crps"].notnull()
    compared = there.any(("origin", "horizon"))
    return (there | ~compared).all("forecaster") & there.any("forecaster")


def pooled(scored: xr.Dataset, horizons: Sequence[int] = HORIZONS) -> xr.Dataset:
    """Scores by series and forecaster, over all origins and these horizons together, on common points.

    By series and forecaster: crps, log10_error, coverage_50, coverage_90 and skill_against, the skill of the model
    against each rival: 1 is perfect, 0 no better than the rival, below 0 worse. By series: points, best_rival
    (chosen after the fact, which is hard on the model; "" without any), rival_crps, skill against it, and dm_p of
    the shortest of the horizons, where forecasts overlap least; NaN where ``diebold_mariano`` has no answer.
    """
    chosen = scored.sel(horizon=list(horizons))
    kept = common(chosen)
    chosen = chosen.assign({name: chosen[name].where(kept) for name in MEANINGS})
    every = ("origin", "horizon")
    crps = chosen["crps"].mean(every)
    against = (1 - crps.sel(forecaster=MODEL, drop=True) / crps).where(crps["forecaster"] != MODEL)
    made = xr.Dataset(
        {
            "points": kept.sum(every),
            "crps": crps,
            "log10_error": chosen["log10_error"].median(every),
            "coverage_50": chosen["inside_50"].mean(every),
            "coverage_90": chosen["inside_90"].mean(every),
            "skill_against": against,
        }
    )
    made = made.merge(best_rivals(made)).assign({name: scored[name] for name in ABOUT})
    pairs = zip(made["series"].values, made["best_rival"].values, strict=True)
    tests = [diebold_mariano(scored, name, rival, min(horizons)) for name, rival in pairs]
    made["dm_p"] = "series", [np.nan if test is None else test["p"] for test in tests]
    for name, meaning in POOLED.items():
        made[name].attrs = {"units": "1", "long_name": meaning}
    return made.assign_attrs(scored.attrs, horizons=[int(horizon) for horizon in horizons])


def best_rivals(made: xr.Dataset) -> xr.Dataset:
    """The rival of the lowest CRPS of each series, its CRPS and the model's skill against it."""
    rivals = made["crps"].drop_sel(forecaster=MODEL).fillna(np.inf)
    lowest = rivals.min("forecaster")
    lowest = lowest.where(np.isfinite(lowest))
    first = rivals["forecaster"].values[rivals.argmin("forecaster").values]
    names = xr.DataArray(np.where(lowest.notnull(), first, "").astype(object), lowest.coords, ["series"])
    skill = 1 - made["crps"].sel(forecaster=MODEL, drop=True) / lowest
    return xr.Dataset({"best_rival": names, "rival_crps": lowest, "skill": skill})


def by_horizon(scored: xr.Dataset) -> xr.Dataset:
    """As ``pooled``, for each horizon by itself (horizon, ...); the best rival may be another at each."""
    years = scored["horizon"].values.tolist()
    each = [pooled(scored, (year,)).drop_vars(ABOUT) for year in years]
    joined = xr.concat(each, xr.DataArray(years, dims="horizon", name="horizon"), combine_attrs="drop")
    return joined.assign({name: scored[name] for name in ABOUT}).assign_attrs(scored.attrs)


def diebold_mariano(scored: xr.Dataset, series: str, rival: str, horizon: int) -> dict[str, float] | None:
    """Diebold and Mariano's (1995) test whether model and rival have the same CRPS at a horizon, for small samples.

    Returns the statistic (above zero: the model is better), the two-sided p value by Student's t (Harvey, Leybourne
    and Newbold 1997) and n, the number of origins. None for fewer than 5 origins or fewer than 2 horizon + 1: forecasts
    that many years ahead overlap, and their variance is then little more than a guess. None also where that variance
    is not positive.
    """
    from scores.stats.statistical_tests import diebold_mariano as test

    chosen = scored.sel(series=[series], horizon=[horizon])
    crps = chosen["crps"].where(common(chosen)).sel(series=series, horizon=horizon, drop=True)
    if rival not in crps["forecaster"]:
        return None
    better = (crps.sel(forecaster=rival, drop=True) - crps.sel(forecaster=MODEL, drop=True)).dropna("origin")
    if better.sizes["origin"] < max(FEWEST_ORIGINS, 2 * horizon + 1):
        return None
    line = better.expand_dims(line=[0]).assign_coords(overlap=("line", [horizon]))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = test(line, "line", "overlap", method="HLN", statistic_distribution="t").isel(line=0)
    below = float(found["confidence_gt_0"])
    if np.isnan(below):
        return None
    return {"statistic": float(found["dm_test_stat"]), "p": 2 * min(below, 1 - below), "n": better.sizes["origin"]}


def rows(made: xr.Dataset) -> list[dict]:
    """One plain row per series, of the model and its best rival; per horizon too when there are several tables in one."""
    if "horizon" in made.dims:
        return [{"horizon": year, **row} for year in made["horizon"].values.tolist() for row in rows(made.sel(horizon=year))]
    table = []
    for name in made["series"].values.tolist():
        one, model = made.sel(series=name), made.sel(series=name, forecaster=MODEL)
        table.append(
            {
                "series": name,
                "points": int(one["points"]),
                "crps": number(float(model["crps"])),
                "best_rival": str(one["best_rival"].item()) or None,
                **{column: number(float(one[column])) for column in ("rival_crps", "skill")},
                **{column: number(float(model[column])) for column in ("coverage_50", "coverage_90", "log10_error")},
                "dm_p": number(float(one["dm_p"])),
            }
        )
    return table


def forecaster_rows(made: xr.Dataset) -> list[dict]:
    """One plain row per series and forecaster that has a score there, the lowest CRPS first."""
    columns = ("crps", "skill_against", "coverage_50", "coverage_90", "log10_error")
    table = []
    for name in made["series"].values.tolist():
        one = made.sel(series=name).dropna("forecaster", subset=["crps"]).sortby("crps")
        for forecaster in one["forecaster"].values.tolist():
            here = one.sel(forecaster=forecaster)
            row = {"series": name, "forecaster": forecaster, "points": int(here["points"])}
            table.append(row | {column: number(float(here[column])) for column in columns})
    return table
