"""Milestones with censoring, on shares whose answers are known by hand."""

import numpy as np
import pytest
import xarray as xr
from synthetic_results import results

from forecast.assess.milestones import answer, censored_quantiles, first_year, lasting, milestones, rows
from forecast.errors import ForecastError
from forecast.report.views import by_year, shares, world_deliveries, years


def by_hand(share, others=0.0):
    """Results with two segments of 10 GWh/yr; sodium-ion has ``share`` (realization, year) of the first one."""
    share = np.asarray(share, float)
    made = results(len(share), last=2015 + share.shape[1] - 1).isel(segment=[0, 5], region=[0, 1]).load()
    made["deliveries"][:] = 0
    made["deliveries"].loc[{"region": "china", "chemistry": "sodium_ion", "segment": "stationary_grid"}] = 10 * share
    made["deliveries"].loc[{"region": "china", "chemistry": "lfp", "segment": "stationary_grid"}] = 10 * (1 - share)
    made["deliveries"].loc[{"region": "china", "chemistry": "sodium_ion", "segment": "mass_cars"}] = 10 * others
    made["deliveries"].loc[{"region": "china", "chemistry": "lfp", "segment": "mass_cars"}] = 10 * (1 - others)
    return made


WHERE = {"segment": "stationary_grid", "region": "world", "chemistry": "sodium_ion", "threshold": 0.05}


def test_first_year_is_nan_where_nothing_passes():
    passed = xr.DataArray([[False, True, False], [False, False, False]], dims=("realization", "year"), coords={"year": [2020, 2021, 2022]})
    assert first_year(passed).values[0] == 2021
    assert np.isnan(first_year(passed).values[1])


def test_share_passes_in_the_right_year_and_never_is_an_answer():
    found = milestones(by_hand([[0, 0.02, 0.04, 0.06], [0, 0.06, 0.2, 0.6], [0, 0, 0.01, 0.02], [0, 0, 0, 0]]))
    years_found = found["share_year"].sel(WHERE).values
    assert years_found[:2].tolist() == [2018, 2016]
    assert np.isnan(years_found[2:]).all()
    assert found["share_year_reached"].sel(WHERE).item() == 0.5
    assert found["share_year_quantile"].sel(WHERE).sel(quantile=0.5).item() == 2018


def test_a_median_in_the_censored_part_is_after_the_last_year():
    found = milestones(by_hand([[0, 0.2, 0.2, 0.2], [0, 0, 0, 0.01], [0, 0, 0, 0]]))
    quantiles = found["share_year_quantile"].sel(WHERE)
    assert np.isnan(quantiles.sel(quantile=0.5).item())
    assert quantiles.sel(quantile=0.25).item() == 2016
    row = next(row for row in rows(found) if all(row.get(key) == value for key, value in WHERE.items()))
    assert row["q50"] is None
    assert row["answer"] == "after 2018 (2016 to after 2018); 33 % by 2018"


def test_censored_quantiles_never_interpolate_towards_never():
    year = xr.DataArray([2030.0, 2031.0, np.nan, np.nan], dims="realization")
    assert censored_quantiles(year, (0.25, 0.5)).values.tolist() == [2030, 2031]
    assert np.isnan(censored_quantiles(year, (0.51,)).item())


def test_what_is_there_from_the_start_is_flagged():
    found = milestones(by_hand([[0, 0.2, 0.2, 0.2]] * 3))
    lfp = WHERE | {"chemistry": "lfp"}
    assert found["share_year_from_start"].sel(lfp).item() == 1
    assert found["share_year_from_start"].sel(WHERE).item() == 0
    assert answer(np.full(5, 2015.0), 1.0, 1.0, found.attrs) == "2015 or earlier"


def test_world_share_weighs_regions_by_deliveries():
    made = by_hand([[0.5, 0.5]])
    made["deliveries"].loc[{"region": "europe", "chemistry": "lfp", "segment": "stationary_grid"}] = 30
    share = shares(world_deliveries(made)).sel(segment="stationary_grid", chemistry="sodium_ion")
    assert share.values.ravel() == pytest.approx([0.125, 0.125])
    whole = shares(world_deliveries(made)).sel(segment="all", chemistry="sodium_ion")
    assert whole.values.ravel() == pytest.approx([0.1, 0.1])


def test_first_segment_shares_ties_and_leaves_room_for_none():
    found = milestones(by_hand([[0, 0.2], [0, 0.2], [0, 0]], others=np.array([[0, 0.2], [0, 0], [0, 0]])))
    chance = found["first_segment"].sel(chemistry="sodium_ion")
    assert chance.sel(segment="stationary_grid").item() == pytest.approx(0.5)
    assert chance.sel(segment="mass_cars").item() == pytest.approx(1 / 6)


def test_crossover_needs_sodium_on_sale_and_below_lfp():
    made = by_hand([[0, 0.2, 0.2, 0.2]])
    made["cell_price"].loc[{"chemistry": "lfp"}] = 100
    made["cell_price"].loc[{"chemistry": "sodium_ion"}] = np.repeat([90, 110, 90, 80], 12)
    found = milestones(made)
    assert found["crossover_year"].item() == 2017
    made["cell_price"].loc[{"chemistry": "sodium_ion"}] = np.repeat([90, 90, 120, 80], 12)
    found = milestones(made)
    assert (found["crossover_year"].item(), found["lasting_crossover_year"].item()) == (2016, 2018)


def test_lasting_is_true_only_from_where_it_stays_true():
    passed = xr.DataArray([True, False, True, True], dims="year", coords={"year": [1, 2, 3, 4]})
    assert lasting(passed).values.tolist() == [False, False, True, True]


def test_entry_of_a_programme_is_the_first_year_any_maker_is_commercial():
    made = results(5)
    made["programme_stage"].loc[{"chemistry": "solid_state"}] = 5
    made["programme_stage"].loc[{"chemistry": "solid_state", "manufacturer": "beta", "time": made["time"][20:]}] = 6
    assert (milestones(made)["commercial_year"].sel(chemistry="solid_state") == 2035).all()


def test_years_come_from_calendar_dates_and_from_numbers():
    made = results(2)
    assert years(made)[[0, -1]].tolist() == [2015, 2050]
    assert years(made, "month")[[0, 11, 12]].tolist() == [2015, 2015, 2016]
    assert years(made.assign_coords(time=np.arange(2015, 2051)))[-1] == 2050


def test_monthly_records_make_the_same_milestones_as_yearly_ones():
    yearly = results(3)
    monthly = yearly.copy()
    spread = yearly["deliveries"].rename(time="month").isel(month=np.repeat(np.arange(36), 12)) / 12
    monthly["deliveries"] = spread.assign_coords(month=yearly["month"])
    assert by_year(monthly["deliveries"], "sum").values == pytest.approx(by_year(yearly["deliveries"]).values, rel=1e-5)
    xr.testing.assert_equal(milestones(monthly)["share_year"], milestones(yearly)["share_year"])


def test_a_region_that_is_not_there_is_named_beside_those_that_are():
    with pytest.raises(ForecastError, match=r"region EU: not in these results; there are china, .*world"):
        rows(milestones(by_hand([[0, 0.2, 0.2, 0.2]])), "EU")
