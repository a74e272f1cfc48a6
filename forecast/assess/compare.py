"""What differs between scenarios, realization by realization.

Realization k of two runs with the same seed shares its luck and its draws, so A - B within a realization is due to
the scenarios alone (common random numbers; Law 2015, section 11.2). Sign: the first scenario minus the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from forecast.assess.milestones import milestone_years
from forecast.errors import StoreError
from forecast.report.views import WORLD, by_year, in_blocks, quantiles, world_shares

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PAIRS = 2000
MEASURES = {
    "share_of_sales": ("1", "share of the world's deliveries in the segment"),
    "lithium_price": ("USD t-1", "lithium price, mean of the year"),
    "cell_price": ("USD kWh-1", "cell price of the chemistry, mean of the year"),
}
SHIFTS = ("share_year", "entry_year", "commercial_year", "crossover_year")
OUTCOMES = ("both", "only_a", "only_b", "neither")
SURE = 3.0
"""Standard errors: of a thousand rows that differ by luck, three lie beyond."""
FEWEST = 10
"""Realizations from which a shift says something."""


def title(results: xr.Dataset, otherwise: str) -> str:
    """Name of the scenario that made the results."""
    return str(results.attrs.get("scenario") or results.attrs.get("title") or otherwise)


def partners(a: xr.Dataset, b: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """The realizations that both have, which share their luck: some failed, or one has more. Raises StoreError if there are none."""
    told = f"{title(a, 'the first')} and {title(b, 'the second')} cannot be paired:"
    advice = "run both with the same seed and realizations, or ask for an unpaired comparison (--unpaired)"
    if "seed" not in a.attrs or a.attrs["seed"] != b.attrs.get("seed"):
        raise StoreError(f"{told} seeds {a.attrs.get('seed')} and {b.attrs.get('seed')}; {advice}")
    of_a, of_b = a["realization"].values, b["realization"].values
    if np.array_equal(of_a, of_b):
        return a, b
    common, in_a, in_b = np.intersect1d(of_a, of_b, return_indices=True)
    if not common.size:
        raise StoreError(f"{told} realizations {of_a[0]} to {of_a[-1]} and {of_b[0]} to {of_b[-1]}; {advice}")
    return a.isel(realization=in_a), b.isel(realization=in_b)


def measures(results: xr.Dataset) -> xr.Dataset:
    """What is compared, by realization and year."""
    found = {"share_of_sales": world_shares(results)}
    for name in ("lithium_price", "cell_price"):
        found[name] = in_blocks(results[name], by_year)
    return xr.Dataset(found)


def pairing(a: xr.Dataset, b: xr.Dataset, unpaired: bool) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the realizations that are set against each other.

    Paired: each against itself. Unpaired: each of A against several of B, about 2000 pairs, a fixed stride apart.
    """
    first, second = a.sizes["realization"], b.sizes["realization"]
    if not unpaired:
        return np.arange(first), np.arange(second)
    turns = max(1, min(second - 1, PAIRS // first))
    shift = 1 + np.arange(turns) * max(1, (second - 1) // turns)
    return np.tile(np.arange(first), turns), (np.arange(first) + shift[:, None]).ravel() % second


def take(array: xr.DataArray, places: np.ndarray) -> xr.DataArray:
    """The realizations at these positions, numbered by pair."""
    chosen = array.isel(realization=places).astype("float64")
    return chosen.drop_vars("realization")


def standard_error(a: xr.DataArray, b: xr.DataArray, difference: xr.DataArray, unpaired: bool) -> xr.DataArray:
    """Standard error of the mean difference; unpaired as Welch (1947)."""
    if not unpaired:
        return difference.std("realization", ddof=1) / np.sqrt(difference.sizes["realization"])
    of_a, of_b = (array.astype("float64").var("realization", ddof=1) / array.sizes["realization"] for array in (a, b))
    return (of_a + of_b) ** 0.5


def measure_differences(a: xr.DataArray, b: xr.DataArray, places: tuple[np.ndarray, np.ndarray], unpaired: bool) -> xr.Dataset:
    """Median of each, quantiles, mean and standard error of A - B, and the probability that A is above B; year by year."""
    name, (unit, meaning) = str(a.name), MEASURES[str(a.name)]
    a, b = xr.align(a, b, join="inner", exclude="realization")
    about = {
        "a": (unit, f"A: median {meaning}"),
        "b": (unit, f"B: median {meaning}"),
        "difference": (unit, f"A - B: {meaning}"),
        "mean": (unit, f"Mean of A - B: {meaning}"),
        "standard_error": (unit, f"Standard error of the mean of A - B: {meaning}"),
        "above": ("1", f"Probability that A is above B: {meaning}"),
    }
    yearly = [differences(a.isel(year=[i]), b.isel(year=[i]), places, unpaired) for i in range(a.sizes["year"])]
    found = xr.concat(yearly, "year").transpose("quantile", *a.dims[1:])
    for key, (unit_here, long_name) in about.items():
        found[key].attrs = {"units": unit_here, "long_name": long_name}
    return found.rename({key: f"{name}_{key}" for key in about})


def differences(a: xr.DataArray, b: xr.DataArray, places: tuple[np.ndarray, np.ndarray], unpaired: bool) -> xr.Dataset:
    """The numbers of ``measure_differences``, of arrays small enough for several copies in double precision."""
    difference = take(a, places[0]) - take(b, places[1])
    found = {
        "a": a.median("realization"),
        "b": b.median("realization"),
        "difference": quantiles(difference, QUANTILES),
        "mean": difference.mean("realization"),
        "standard_error": standard_error(a, b, difference, unpaired),
        "above": (difference > 0).mean("realization"),
    }
    return xr.Dataset(found).astype("float32")


def milestone_shifts(a: xr.DataArray, b: xr.DataArray, places: tuple[np.ndarray, np.ndarray]) -> dict:
    """Years by which A is later than B where both get there, and how often both, one or neither does."""
    name = str(a.name)
    a, b = xr.align(a, b, join="inner", exclude="realization")
    a, b = take(a, places[0]), take(b, places[1])
    both = (a.notnull() & b.notnull()).any("realization")
    shift = (a - b).where(both, 0).quantile(list(QUANTILES), "realization", method="inverted_cdf").where(both)
    reach = [a.notnull() & b.notnull(), a.notnull() & b.isnull(), a.isnull() & b.notnull(), a.isnull() & b.isnull()]
    chance = xr.concat([case.mean("realization") for case in reach], "outcome")
    return {
        f"{name}_shift": shift.astype("float32").assign_attrs(
            units="year", long_name=f"A - B: {name.replace('_', ' ')}", comment="over the pairs in which both reach it"
        ),
        f"{name}_outcome": chance.astype("float32").assign_attrs(
            units="1", long_name=f"Probability that both, only A, only B or neither reaches it: {name.replace('_', ' ')}"
        ),
    }


def compare(a: xr.Dataset, b: xr.Dataset, unpaired: bool = False) -> xr.Dataset:
    """A - B: shares, prices and milestones, with intervals over realizations.

    unpaired  set the realizations of A against others of B; intervals are then much wider, for luck no longer cancels

    Raises StoreError when no realizations can be paired. What only one scenario has (a chemistry, a year, a realization) is
    left out; the attribute ``left_out`` names it.
    """
    left_out = odd_ones(a, b, () if unpaired else ("realization",))
    if not unpaired:
        a, b = partners(a, b)
    places = pairing(a, b, unpaired)
    found: dict[Hashable, xr.DataArray] = {}
    first, second = measures(a), measures(b)
    for name in MEASURES:
        found |= measure_differences(first[name], second[name], places, unpaired).data_vars
    first, second = (milestone_years(results).sel(region=WORLD, drop=True) for results in (a, b))
    for name in SHIFTS:
        if name in first and name in second:
            found |= milestone_shifts(first[name], second[name], places)
    made = xr.Dataset(found).assign_coords(outcome=np.array(OUTCOMES, object))
    made["quantile"].attrs = {"units": "1", "long_name": "Quantile over realizations"}
    return made.assign_attrs(described(a, b, unpaired) | {"left_out": left_out})


def odd_ones(a: xr.Dataset, b: xr.Dataset, counted: tuple[str, ...]) -> str:
    """What only one of the two has; of some dimensions how many."""
    odd = {dim: sorted({*a[dim].values.tolist()} ^ {*b[dim].values.tolist()}) for dim in ("chemistry", "segment", "region", *counted)}
    named = [f"{dim} {name}" for dim, names in odd.items() if dim not in counted for name in names]
    return ", ".join([*named, *(f"{len(odd[dim])} {dim}s that one lacks" for dim in counted if odd[dim])])


def described(a: xr.Dataset, b: xr.Dataset, unpaired: bool) -> dict:
    """Attributes of a comparison."""
    how = "unpaired: realizations do not share their luck" if unpaired else "paired: realization by realization"
    return {
        "title": f"{title(a, 'A')} minus {title(b, 'B')}",
        "scenario_a": title(a, "A"),
        "scenario_b": title(b, "B"),
        "pairing": how,
        "realizations": int(a.sizes["realization"]),
        "realizations_b": int(b.sizes["realization"]),
    }


def compare_all(named: Mapping[str, xr.Dataset], unpaired: bool = False) -> dict[str, xr.Dataset]:
    """The first scenario (A, the reference) against each of the others (B): {name of the other: comparison}."""
    (reference, a), *others = named.items()
    return {name: compare(a.assign_attrs(scenario=reference), b.assign_attrs(scenario=name), unpaired) for name, b in others}


def differs(comparison: xr.Dataset, level: float = 0.9) -> bool:
    """Whether the central interval of A - B leaves out zero for any share, price, segment, chemistry and year.

    level  0.9 or 0.5. The interval is that of the realizations, so it means little for fewer than 20 of them.
    """
    if level not in (0.5, 0.9):
        raise ValueError(f"level is {level}; a comparison keeps the intervals 0.5 and 0.9")
    tails = ((1 - level) / 2, (1 + level) / 2)
    for name in MEASURES:
        low, high = (comparison[f"{name}_difference"].sel(quantile=q, method="nearest", tolerance=1e-6) for q in tails)
        if bool(((low > 0) | (high < 0)).any()):
            return True
    return False


def rows(comparison: xr.Dataset, years: tuple[int, ...] | None = None) -> list[dict]:
    """One row per measure, segment, chemistry and year (every fifth by default), then one per milestone."""
    every = comparison["year"].values
    chosen = [int(year) for year in every if (year in years if years is not None else year % 5 == 0)]
    table = []
    for name in MEASURES:
        table += measure_rows(comparison.sel(year=chosen), name)
    for name in SHIFTS:
        if f"{name}_shift" in comparison:
            table += shift_rows(comparison, name)
    return table


def sure(row: dict, realizations: int) -> bool:
    """Whether a row of ``rows`` differs by more than luck is likely to make: ``SURE`` standard errors from zero.

    Of a measure the mean of A - B; of a milestone how often one of the two alone reaches it. A milestone also differs where both reach it
    in ``FEWEST`` realizations or more and 90 % of them shift the same way.

    realizations  of the one that has fewer; of a single one nothing is sure
    """
    if realizations < 2:
        return False
    if "measure" in row:
        return None not in (row["mean"], row["standard_error"]) and abs(row["mean"]) > SURE * row["standard_error"]
    apart, alone = (row["only_a"] or 0.0) - (row["only_b"] or 0.0), (row["only_a"] or 0.0) + (row["only_b"] or 0.0)
    same_way = (row["low"] or 0.0) > 0 or (row["high"] or 0.0) < 0
    return apart**2 > SURE**2 * (alone - apart**2) / realizations or (same_way and (row["both"] or 0.0) * realizations >= FEWEST)


def keys(array: xr.DataArray) -> list[tuple[tuple[int, ...], dict]]:
    """Every position of an array with its coordinates by name."""
    labels = {str(dim): array[dim].values.tolist() for dim in array.dims}
    return [(place, {dim: labels[dim][i] for dim, i in zip(labels, place, strict=True)}) for place in np.ndindex(*array.shape)]


def measure_rows(comparison: xr.Dataset, name: str) -> list[dict]:
    """Rows of one measure."""
    above = comparison[f"{name}_above"]
    get = {key: comparison[f"{name}_{key}"].transpose(*above.dims).values for key in ("a", "b", "mean", "standard_error", "above")}
    difference = comparison[f"{name}_difference"].transpose(*above.dims, "quantile").values
    ends = {"low": difference[..., 0], "median": difference[..., len(QUANTILES) // 2], "high": difference[..., -1]}
    return [
        {"measure": name, **key, **{column: number(values[place]) for column, values in (get | ends).items()}} for place, key in keys(above)
    ]


def shift_rows(comparison: xr.Dataset, name: str) -> list[dict]:
    """Rows of one milestone."""
    shift = comparison[f"{name}_shift"]
    dims = [dim for dim in shift.dims if dim != "quantile"]
    chance = comparison[f"{name}_outcome"].transpose(*dims, "outcome")
    shift = shift.transpose(*dims, "quantile")
    return [
        {"milestone": name, **key}
        | {"low": number(shift.values[place][0]), "median": number(shift.values[place][2]), "high": number(shift.values[place][-1])}
        | {outcome: number(p) for outcome, p in zip(OUTCOMES, chance.values[place], strict=True)}
        for place, key in keys(shift.isel(quantile=0, drop=True))
    ]


def number(value: float) -> float | None:
    """A float for JSON: six significant digits, None for NaN."""
    return None if np.isnan(value) else float(f"{value:.6g}")
