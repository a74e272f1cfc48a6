"""Comparisons: paired luck cancels, and only results that share it are paired."""

import numpy as np
import pytest
import xarray as xr
from synthetic_results import results

from forecast.assess.compare import compare, compare_all, differs, rows, sure
from forecast.errors import StoreError


@pytest.fixture(scope="module")
def base():
    return results(30)


@pytest.fixture(scope="module")
def sodium(base):
    return results(30, sodium_gain=0.05)


def test_a_run_does_not_differ_from_itself(base):
    comparison = compare(base, base)
    for name in ("share_of_sales", "lithium_price", "cell_price"):
        assert (comparison[f"{name}_difference"] == 0).all()
        assert (comparison[f"{name}_above"] == 0).all()
        assert (comparison[f"{name}_standard_error"] == 0).all()
    assert not differs(comparison)


def test_more_sodium_is_seen_as_below_by_the_reference(base, sodium):
    comparison = compare(base, sodium)
    at = {"segment": "stationary_grid", "chemistry": "sodium_ion", "year": 2035}
    assert comparison["share_of_sales_difference"].sel(at).sel(quantile=0.95).item() < 0
    assert comparison["share_of_sales_above"].sel(at).item() == 0
    assert differs(comparison)
    assert (comparison["lithium_price_difference"] == 0).all()


def test_the_mean_difference_is_the_difference_of_means(base, sodium):
    comparison = compare(base, sodium)
    at = {"segment": "mass_cars", "chemistry": "lfp"}
    difference = sum(
        sign * made["deliveries"].sel(segment="mass_cars").sum("region").pipe(lambda d: d / d.sum("chemistry")).sel(chemistry="lfp").values
        for sign, made in ((1, base), (-1, sodium))
    )
    assert comparison["share_of_sales_mean"].sel(at).values == pytest.approx(difference.mean(0), abs=1e-6)
    error = difference.std(0, ddof=1) / np.sqrt(30)
    assert comparison["share_of_sales_standard_error"].sel(at).values == pytest.approx(error, abs=1e-6)


def test_other_seeds_and_realizations_are_refused_with_the_reason(base):
    with pytest.raises(StoreError, match="seeds 1 and 2"):
        compare(base, results(30, seed=2))
    with pytest.raises(StoreError, match=r"first and second cannot be paired: realizations 0 to 19 and 20 to 29; .*--unpaired"):
        compare_all({"first": base.isel(realization=slice(20)), "second": base.isel(realization=slice(20, 30))})


def test_realizations_that_both_have_are_paired_and_the_others_left_out(base, sodium):
    some, rest = base.drop_sel(realization=[3, 7]), base.isel(realization=slice(5, 30))
    for a, b in ((some, sodium), (sodium, some), (rest, some)):
        common = np.intersect1d(a["realization"], b["realization"])
        found = compare(a, b)
        straight = compare(a.sel(realization=common), b.sel(realization=common))
        xr.testing.assert_equal(found, straight)
        lacking = len(np.setxor1d(a["realization"], b["realization"]))
        assert found.attrs["left_out"] == f"{lacking} realizations that one lacks"
        assert (found.attrs["realizations"], found.attrs["realizations_b"]) == (len(common), len(common))


def test_unpaired_says_so_and_has_wider_intervals(base, sodium):
    paired, unpaired = compare(base, sodium), compare(base, sodium, unpaired=True)
    assert unpaired.attrs["pairing"].startswith("unpaired")
    at = {"segment": "stationary_grid", "chemistry": "sodium_ion", "year": 2035}
    spread = [
        c["share_of_sales_difference"].sel(at).sel(quantile=0.95).item() - c["share_of_sales_difference"].sel(at).sel(quantile=0.05).item()
        for c in (paired, unpaired)
    ]
    assert spread[1] > 5 * spread[0]
    assert compare(base, results(20, seed=2), unpaired=True).attrs["pairing"].startswith("unpaired")


def test_milestones_shift_where_both_reach_them_and_count_where_one_does(base, sodium):
    comparison = compare(base, sodium)
    at = {"threshold": 0.05, "chemistry": "sodium_ion"}
    shift = comparison["share_year_shift"].sel(at).sel(segment="stationary_grid", quantile=0.5).item()
    assert shift >= 1
    outcome = comparison["share_year_outcome"].sel(at).sel(segment="premium_cars")
    assert outcome.sel(outcome="only_b").item() > 0.3
    assert outcome.sel(outcome="both").item() == 0
    assert np.isnan(comparison["share_year_shift"].sel(at).sel(segment="premium_cars", quantile=0.5).item())
    assert comparison["share_year_outcome"].sum("outcome").values == pytest.approx(1)


def test_what_one_scenario_lacks_is_left_out_and_named(base):
    comparison = compare(base, base.drop_sel(chemistry="solid_state_sodium"))
    assert comparison.attrs["left_out"] == "chemistry solid_state_sodium"
    assert comparison.sizes["chemistry"] == 6


def test_the_first_of_many_is_the_reference(base, sodium):
    found = compare_all({"baseline": base, "more_sodium": sodium, "again": base})
    assert list(found) == ["more_sodium", "again"]
    assert found["more_sodium"].attrs["title"] == "baseline minus more_sodium"
    assert [differs(comparison) for comparison in found.values()] == [True, False]


def test_rows_are_plain_and_of_the_chosen_years(base, sodium):
    table = rows(compare(base, sodium), years=(2035,))
    shares = [row for row in table if row.get("measure") == "share_of_sales"]
    assert len(shares) == 12 * 7
    assert {row["year"] for row in shares} == {2035}
    assert {type(value) for row in table for value in row.values()} <= {str, int, float, type(None)}


def test_a_level_that_is_not_kept_is_refused(base):
    with pytest.raises(ValueError, match="level is 0"):
        differs(compare(base, base), level=0.8)


@pytest.mark.parametrize(
    ("mean", "error", "told"),
    [(0.031, 0.01, True), (-0.031, 0.01, True), (0.029, 0.01, False), (0.0, 0.0, False), (None, None, False), (1.0, None, False)],
)
def test_a_mean_is_sure_three_standard_errors_from_zero(mean, error, told):
    assert sure({"measure": "cell_price", "mean": mean, "standard_error": error, "low": -1.0, "high": 1.0}, 100) is told


@pytest.mark.parametrize(
    ("both", "only_a", "only_b", "low", "high", "told"),
    [
        (0.5, 0.1, 0.0, 0, 0, True),
        (0.5, 0.0, 0.1, 0, 0, True),
        (0.5, 0.1, 0.1, 0, 0, False),
        (0.5, 0.08, 0.0, 0, 0, False),
        (0.5, 0.0, 0.0, 1, 4, True),
        (0.5, 0.0, 0.0, -4, -1, True),
        (0.5, 0.0, 0.0, -1, 4, False),
        (0.05, 0.0, 0.0, 1, 4, False),
        (0.0, 0.0, 0.0, None, None, False),
    ],
)
def test_a_milestone_is_sure_if_one_reaches_it_more_often_or_both_shift_one_way(both, only_a, only_b, low, high, told):
    row = {"milestone": "share_year", "both": both, "only_a": only_a, "only_b": only_b, "low": low, "high": high}
    assert bool(sure(row, 100)) is told


def test_of_a_single_realization_nothing_is_sure():
    assert not sure({"measure": "cell_price", "mean": 1.0, "standard_error": 0.0}, 1)
    assert not sure({"milestone": "entry_year", "both": 0.0, "only_a": 1.0, "only_b": 0.0, "low": None, "high": None}, 1)


def test_the_same_world_with_other_luck_hardly_ever_differs_surely():
    comparison = compare(results(300), results(300, seed=2), unpaired=True)
    table = rows(comparison)
    assert comparison.attrs["realizations_b"] == 300
    assert sum(sure(row, 300) for row in table) < len(table) / 50
