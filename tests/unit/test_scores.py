"""Scores: exact on small cases, fair between forecasters, and blind to what nobody can know."""

import numpy as np
import pytest
import xarray as xr

from forecast.assess.scores import CAVEAT, MODEL, by_horizon, common, diebold_mariano, forecaster_rows, pooled, rows, score
from forecast.errors import DataError

ORIGINS, HORIZONS = range(2018, 2024), range(1, 4)


def hindcast(predictions, observed, scale="log"):
    """A hindcast of one series from {forecaster: (origin, horizon, draw)} and (origin, horizon)."""
    stacked = np.stack([np.asarray(values, "float32") for values in predictions.values()], axis=2)[None]
    observed = np.asarray(observed, float)[None]
    dims = ("series", "origin", "horizon", "forecaster", "draw")
    about = {name: ("series", np.array([text], object)) for name, text in {"scale": scale, "unit": "1", "title": "Price"}.items()}
    return xr.Dataset(
        {"prediction": (dims, stacked), "observed": (dims[:3], observed), **about},
        {
            "series": np.array(["price"], object),
            "origin": list(range(2018, 2018 + stacked.shape[1])),
            "horizon": list(range(1, 1 + stacked.shape[2])),
            "forecaster": np.array(list(predictions), object),
        },
    )


def about(centre, spread=0.3, draws=100, seed=0):
    """Draws around a centre (origin, horizon), on the logarithm."""
    return np.exp(np.log(centre)[..., None] + spread * np.random.default_rng(seed).standard_normal((*np.shape(centre), draws)))


@pytest.fixture
def truth():
    return np.exp(np.random.default_rng(5).normal(4, 0.5, (6, 3)))


def one(draws, value, scale="share"):
    """Scores of a single forecast."""
    return score(hindcast({MODEL: np.array(draws, float)[None, None]}, [[value]], scale)).isel(series=0, origin=0, horizon=0, forecaster=0)


def test_the_crps_of_two_draws_is_that_by_hand():
    assert one([0.2, 0.6], 0.3)["crps"].item() == pytest.approx((0.1 + 0.3) / 2 - 0.4 / 2)
    by_hand = (np.log(2) + np.log(3)) / 2 - np.log(6) / 2
    assert one([10, 60], 20, "log")["crps"].item() == pytest.approx(by_hand, abs=1e-6)


def test_the_unit_of_a_price_does_not_matter(truth):
    dollars, cents = (score(hindcast({MODEL: k * about(truth, seed=1)}, k * truth)) for k in (1, 100))
    for name in ("crps", "log10_error", "inside_50", "pit"):
        assert cents[name].values == pytest.approx(dollars[name].values, abs=1e-5)


def test_the_error_of_the_median_is_in_powers_of_ten_or_in_share():
    assert one([90, 100, 120], 1000, "log")["log10_error"].item() == pytest.approx(1)
    assert one([0.1, 0.2, 0.9], 0.25)["log10_error"].item() == pytest.approx(0.05)


def test_pit_is_the_middle_rank():
    draws = np.arange(1, 10) / 16
    for value, expected in ((3.5, 0.35), (0.5, 0.05), (9.5, 0.95), (5, 0.5)):
        assert one(draws, value / 16)["pit"].item() == pytest.approx(expected)
    assert one([0.25] * 3, 0.25)["pit"].item() == pytest.approx(0.5)


def test_intervals_hold_what_lies_between_their_quantiles():
    draws = np.arange(101) / 128
    for value, in_50, in_90 in ((24, 0, 1), (25, 1, 1), (75, 1, 1), (76, 0, 1), (95, 0, 1), (96, 0, 0), (4, 0, 0)):
        found = one(draws, value / 128)
        assert (found["inside_50"].item(), found["inside_90"].item()) == (in_50, in_90)


def test_who_knows_the_truth_has_a_skill_near_one(truth):
    made = pooled(score(hindcast({MODEL: about(truth, 0.001), "drift": about(truth, 0.5, seed=1)}, truth)))
    assert made["skill"].item() > 0.98
    assert made["best_rival"].item() == "drift"


def test_who_equals_a_rival_has_no_skill(truth):
    same = about(truth, 0.3)
    made = pooled(score(hindcast({MODEL: same, "drift": same}, truth * 1.2)))
    assert made["skill"].item() == 0
    assert made["skill_against"].sel(forecaster="drift").item() == 0
    assert np.isnan(made["skill_against"].sel(forecaster=MODEL).item())


def test_the_best_rival_is_that_of_the_lowest_crps(truth):
    predictions = {MODEL: about(truth, 0.2), "bad": about(truth * 2), "good": about(truth, 0.1), "worst": about(truth * 9)}
    made = pooled(score(hindcast(predictions, truth))).isel(series=0)
    crps = made["crps"].to_series()
    assert made["best_rival"].item() == "good"
    assert made["rival_crps"].item() == crps["good"] < crps["bad"] < crps["worst"]
    assert made["skill"].item() == pytest.approx(1 - crps[MODEL] / crps["good"])


def test_a_calibrated_forecaster_covers_what_it_promises():
    luck = np.random.default_rng(3)
    centre = np.exp(luck.normal(4, 1, (300, 3)))
    came = centre * np.exp(0.3 * luck.standard_normal(centre.shape))
    scored = score(hindcast({MODEL: about(centre), "sure": about(centre, 0.1)}, came))
    made = pooled(scored).isel(series=0)
    assert made["coverage_50"].sel(forecaster=MODEL).item() == pytest.approx(0.5, abs=0.05)
    assert made["coverage_90"].sel(forecaster=MODEL).item() == pytest.approx(0.9, abs=0.03)
    assert made["coverage_90"].sel(forecaster="sure").item() < 0.6
    assert np.histogram(scored["pit"].sel(forecaster=MODEL), 5, (0, 1))[0] / 900 == pytest.approx(0.2, abs=0.04)


def test_points_that_somebody_lacks_do_not_count(truth):
    model, rival, lazy = about(truth, 0.1), about(truth, 0.3, seed=1), np.full((6, 3, 100), np.nan)
    wrong = rival.copy()
    wrong[0] *= 1000
    missing, unknown = wrong.copy(), truth.copy()
    missing[0] = np.nan
    unknown[5, 2] = np.nan
    scored = score(hindcast({MODEL: model, "drift": missing, "wright": lazy}, unknown))
    assert common(scored).sum() == 14
    made = pooled(scored).isel(series=0)
    assert made["points"].item() == 14
    expected = scored["crps"].isel(series=0, origin=slice(1, None)).sel(forecaster=MODEL).mean().item()
    assert made["crps"].sel(forecaster=MODEL).item() == pytest.approx(expected)
    assert np.isnan(made["crps"].sel(forecaster="wright").item())
    assert [row["forecaster"] for row in forecaster_rows(pooled(scored))] == [MODEL, "drift"]


def test_draws_that_are_missing_change_nothing(truth):
    few = about(truth, draws=50)
    padded = np.concatenate([few, np.full((6, 3, 50), np.nan)], axis=2)
    plain, filled = (score(hindcast({MODEL: values}, truth)) for values in (few, padded))
    for name in ("crps", "log10_error", "inside_50", "inside_90", "pit"):
        assert filled[name].values == pytest.approx(plain[name].values)


def test_without_anything_to_hold_it_against_there_is_no_score(truth):
    scored = score(hindcast({MODEL: about(truth), "drift": about(truth)}, np.full((6, 3), np.nan)))
    assert scored["crps"].isnull().all()
    (row,) = rows(pooled(scored))
    assert row == {"series": "price", "points": 0} | dict.fromkeys(list(row)[2:])


def test_each_horizon_has_scores_of_its_own(truth):
    predictions = {MODEL: about(truth, 0.2), "near": about(truth, 0.1), "far": about(truth, 0.1)}
    predictions["near"][:, 2] *= 5
    predictions["far"][:, 0] *= 5
    scored = score(hindcast(predictions, truth))
    made = by_horizon(scored)
    assert made["best_rival"].sel(series="price", horizon=[1, 3]).values.tolist() == ["near", "far"]
    assert made["points"].values.tolist() == [[6], [6], [6]]
    assert made["crps"].mean("horizon").values == pytest.approx(pooled(scored)["crps"].values)
    assert made["title"].dims == ("series",)


def test_the_test_of_one_year_ahead_is_that_of_student(truth):
    from scipy.stats import ttest_1samp

    scored = score(hindcast({MODEL: about(truth, 0.2), "drift": about(1.3 * truth, 0.4, seed=2)}, truth))
    found = diebold_mariano(scored, "price", "drift", 1)
    crps = scored["crps"].sel(series="price", horizon=1)
    expected = ttest_1samp(crps.sel(forecaster="drift") - crps.sel(forecaster=MODEL), 0)
    assert 0 < found["statistic"] == pytest.approx(expected.statistic)
    assert found["p"] == pytest.approx(expected.pvalue)
    assert found["n"] == 6
    assert pooled(scored)["dm_p"].item() == pytest.approx(expected.pvalue)
    assert str(found["n"]) in CAVEAT.format(n=found["n"])


def test_too_few_or_equal_forecasts_are_not_tested(truth):
    same = about(truth)
    scored = score(hindcast({MODEL: about(truth, seed=4), "drift": same, "last_value": same}, truth))
    assert diebold_mariano(scored, "price", "drift", 2) is not None
    assert diebold_mariano(scored, "price", "drift", 3) is None
    assert diebold_mariano(scored.isel(origin=slice(4)), "price", "drift", 1) is None
    assert diebold_mariano(scored, "price", "", 1) is None
    assert diebold_mariano(score(hindcast({MODEL: same, "drift": same}, truth)), "price", "drift", 1) is None


def test_rows_are_plain(truth):
    scored = score(hindcast({MODEL: about(truth, 0.2), "drift": about(1.3 * truth)}, truth))
    (row,) = rows(pooled(scored))
    assert list(row) == "series points crps best_rival rival_crps skill coverage_50 coverage_90 log10_error dm_p".split()
    assert row["points"] == 18
    table = rows(by_horizon(scored)) + forecaster_rows(pooled(scored)) + [row]
    assert {type(value) for row in table for value in row.values()} <= {str, int, float, type(None)}
    assert [row["horizon"] for row in table[:3]] == [1, 2, 3]


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
def test_what_has_no_logarithm_is_refused_with_its_place(truth, value):
    bad = about(truth)
    bad[2, 1, 7] = value
    with pytest.raises(DataError, match="prediction of series price, origin 2020, horizon 2, forecaster model"):
        score(hindcast({MODEL: bad}, truth))


def test_a_scale_that_is_not_known_is_refused(truth):
    with pytest.raises(DataError, match="scale linear"):
        score(hindcast({MODEL: about(truth)}, truth, "linear"))
