"""The summary: right quantiles, declared units, small."""

import numpy as np
import pytest
import xarray as xr
from synthetic_results import results

from forecast.assess.compare import compare
from forecast.assess.summary import rows, summarise
from forecast.ensemble import arrays
from forecast.report import views


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


def test_results_by_month_alone_are_summed_up_by_year(made, summary):
    monthly = made.drop_dims("time")
    for name in ("deliveries", "programme_stage"):
        spread = made[name].rename(time="month").isel(month=np.repeat(np.arange(36), 12))
        monthly[name] = (spread / 12 if name == "deliveries" else spread).assign_coords(month=made["month"])
    found = summarise(monthly)
    assert (views.years(found) == views.years(summary)).all()
    np.testing.assert_allclose(found["deliveries"].values, summary["deliveries"].values, rtol=1e-5, atol=1e-30)


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


KINDS = {
    "spread": lambda rng, shape: rng.lognormal(0, 5, shape),
    "of both signs": lambda rng, shape: rng.normal(size=shape),
    "rounded and many equal": lambda rng, shape: arrays.round_bits(np.maximum(rng.normal(100, 10, shape), 95) * rng.integers(0, 2, shape)),
    "all equal": lambda rng, shape: np.full(shape, -2.5),
    "near each other": lambda rng, shape: 1 + 1e-7 * rng.integers(0, 5, shape),
    "without bounds": lambda rng, shape: np.where(rng.random(shape) < 0.03, np.inf, rng.normal(size=shape)),
}


@pytest.mark.parametrize("worth", [1, views.WORTH_COMPILED], ids=["compiled", "sorted"])
@pytest.mark.parametrize("method", ["linear", "inverted_cdf"])
@pytest.mark.parametrize("count", [1, 2, 5, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_quantiles_are_those_of_numpy_to_the_last_bit(kind, count, method, worth, monkeypatch):
    monkeypatch.setattr(views, "WORTH_COMPILED", worth)
    values = KINDS[kind](np.random.default_rng(count), (count, 3, 47)).astype("float32")
    values[count // 2, 2, 3] = np.nan
    array = xr.DataArray(values, dims=("realization", "segment", "chemistry"))
    levels = [0.05, 0.25, 0.5, 0.9]
    with np.errstate(invalid="ignore"):
        expected = array.quantile(levels, "realization", method=method, skipna=False)
        found = views.quantiles(array, levels, method)
    np.testing.assert_array_equal(found.values, expected.values.astype(float))


def test_quantiles_of_codes_are_the_same_compiled(monkeypatch):
    codes = xr.DataArray(np.random.default_rng(1).integers(-1, 7, (1000, 200)).astype("int8"), dims=("realization", "mine"))
    in_order = views.quantiles(codes, [0.05, 0.5])
    monkeypatch.setattr(views, "WORTH_COMPILED", 1)
    xr.testing.assert_identical(views.quantiles(codes, [0.05, 0.5]), in_order)


def test_what_is_too_large_to_be_held_whole_gives_the_same_bytes(monkeypatch):
    made, other = results(5), results(5, sodium_gain=0.1)
    whole, compared = summarise(made), compare(made, other)
    monkeypatch.setattr(views, "LARGEST", 50_000)
    monkeypatch.setattr(views, "BLOCK", 2)
    monkeypatch.setattr(views, "BLOCK_BYTES", 1)
    for found, before in ((summarise(made), whole), (compare(made, other), compared)):
        assert {name: array.values.tobytes() for name, array in found.items()} == {n: a.values.tobytes() for n, a in before.items()}
        xr.testing.assert_identical(found, before)


def test_rows_of_a_year(summary):
    table = rows(summary, 2040)
    assert len(table) == 12 * 7
    row = next(row for row in table if (row["segment"], row["chemistry"]) == ("stationary_grid", "sodium_ion"))
    assert row["q05"] < row["q50"] < row["q95"]


def test_quantiles_of_stored_arrays_are_those_of_numpy_whatever_stood_in_their_memory_before(monkeypatch):
    monkeypatch.setattr(views, "WORTH_COMPILED", 1)
    monkeypatch.setattr(views, "BLOCK", 7)
    monkeypatch.setattr(views, "BLOCK_BYTES", 1)
    rng = np.random.default_rng(1)
    shapes = ((30, 4, 50), (30, 5, 300), (30, 2, 3))
    arrays = [xr.DataArray(rng.normal(size=shape).astype("float32"), dims=("realization", "segment", "mine")) for shape in shapes]
    arrays[1][3, 2, 1] = np.nan
    arrays.append(xr.DataArray(rng.integers(-1, 7, (30, 9)).astype("int8"), dims=("realization", "mine")))
    for array, found in zip(arrays, views.quantiles_of_each(arrays, [0.05, 0.5]), strict=True):
        expected = array.quantile([0.05, 0.5], "realization", skipna=False)
        np.testing.assert_array_equal(found.values, expected.values.astype(float))
