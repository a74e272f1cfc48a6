"""The summary: right quantiles, declared units, small."""

import numpy as np
import pytest
import xarray as xr
from synthetic_results import results

from forecast.assess import summary as summary_module
from forecast.assess.summary import quantiles, rows, summarise


@pytest.fixture(scope="module")
def made():
    return results(25)


@pytest.fixture(scope="module")
def summary(made):
    return summarise(made)


def test_medians_are_those_of_the_realizations(made, summary):
    expected = np.median(made["lithium_price"].values, axis=0)
    assert summary["lithium_price"].sel(quantile=0.5).values == pytest.approx(expected, rel=1e-6)
    grid = made["deliveries"].sel(segment="stationary_grid", chemistry="lfp").sum("region").values
    found = summary["deliveries"].sel(segment="stationary_grid", chemistry="lfp", region="world", quantile=0.95)
    assert found.values == pytest.approx(np.quantile(grid, 0.95, axis=0), rel=1e-5)


def test_shares_of_a_region_are_those_recorded(made, summary):
    expected = np.median(made["share_of_sales"].sel(segment="drones", region="india", chemistry="nmc").values, axis=0)
    found = summary["share_of_sales"].sel(segment="drones", region="india", chemistry="nmc", quantile=0.5)
    assert found.values == pytest.approx(expected, abs=1e-6)


def test_every_quantity_has_a_unit_and_a_name(summary):
    for name, array in summary.data_vars.items():
        assert array.attrs["units"], name
        assert array.attrs["long_name"], name
    assert summary["deliveries"].attrs["units"] == "GW h year-1"
    assert "realization" not in summary.dims


def test_makers_are_summed(summary):
    assert (summary["capacity"] == 3).all()


def test_milestones_and_curves_are_in_it(summary):
    at = {"segment": "stationary_grid", "chemistry": "sodium_ion"}
    assert 2025 < summary["milestone_share_year_quantile"].sel(at).sel(region="world", threshold=0.05, quantile=0.5).item() < 2032
    assert 0.4 < summary["curve_ceiling_quantile"].sel(at).sel(quantile=0.5).item() < 0.6


def test_it_is_small_and_survives_a_file(summary, tmp_path):
    file = tmp_path / "summary.nc"
    summary.to_netcdf(file, engine="h5netcdf")
    assert file.stat().st_size < 3e6
    with xr.open_dataset(file, engine="h5netcdf", decode_times=xr.coders.CFDatetimeCoder(use_cftime=True)) as again:
        xr.testing.assert_allclose(again["share_of_sales"].drop_attrs(), summary["share_of_sales"].drop_attrs())


def test_an_array_too_large_to_sort_at_once_gives_the_same_quantiles(made, monkeypatch):
    whole = quantiles(made["cell_price"])
    monkeypatch.setattr(summary_module, "LARGEST", 1000)
    xr.testing.assert_equal(quantiles(made["cell_price"]), whole)


def test_rows_of_a_year(summary):
    table = rows(summary, 2040)
    assert len(table) == 12 * 7
    row = next(row for row in table if (row["segment"], row["chemistry"]) == ("stationary_grid", "sodium_ion"))
    assert row["q05"] < row["q50"] < row["q95"]
