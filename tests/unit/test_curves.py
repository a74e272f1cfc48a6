"""Adoption curves: known ones are recovered, what is not an S-curve is not fitted."""

import numpy as np
import pytest
from synthetic_results import logistic, results

from forecast.assess import fitting
from forecast.assess.curves import KINDS, PARAMETERS, fit, fit_curves, rows

YEAR = np.arange(2015, 2051)


def drawn(curve, parameters, when):
    """Shares of one series and their slopes by parameter."""
    share, slope = np.empty(len(when)), np.empty((len(when), 3))
    curve(np.array(parameters), when, share, slope)
    return share, slope


def test_a_known_logistic_is_recovered_within_one_percent():
    found = fit(0.6 * logistic(YEAR, 2033.4, 8.0)[None], YEAR)
    assert KINDS[found["kind"][0]] == "s_curve"
    assert found["ceiling"][0] == pytest.approx(0.6, rel=0.01)
    assert found["midpoint"][0] == pytest.approx(2033.4, abs=0.05)
    assert found["duration"][0] == pytest.approx(8.0, rel=0.01)
    assert found["logistic_r2"][0] > 0.9999


def test_a_noisy_logistic_is_recovered_within_its_noise():
    noise = np.random.default_rng(1).normal(0, 0.01, (200, len(YEAR)))
    found = fit(np.clip(0.6 * logistic(YEAR, 2033.4, 8.0) + noise, 0, 1), YEAR)
    assert np.nanmedian(found["midpoint"]) == pytest.approx(2033.4, abs=0.1)
    assert np.nanmedian(found["ceiling"]) == pytest.approx(0.6, rel=0.02)


def test_a_known_bass_curve_is_recovered_within_one_percent():
    share, _ = drawn(fitting.bass, np.log([0.01, 0.4, 0.7]), YEAR - 2024.0)
    found = fit(share[None], YEAR)
    assert [found[f"bass_{name}"][0] for name in "pqm"] == pytest.approx([0.01, 0.4, 0.7], rel=0.01)


@pytest.mark.parametrize(("curve", "at", "launch"), [("logistic", [0.5, 2030.0, 0.7], 0), ("bass", np.log([0.01, 0.4, 0.7]), 2020)])
def test_slopes_agree_with_finite_differences(curve, at, launch):
    curve, when = getattr(fitting, curve), (YEAR - launch).astype(float)
    _, slope = drawn(curve, at, when)
    for i in range(3):
        step = 1e-5 * (np.arange(3) == i)
        assert slope[:, i] == pytest.approx((drawn(curve, at + step, when)[0] - drawn(curve, at - step, when)[0]) / 2e-5, abs=1e-6)


def test_a_series_is_fitted_the_same_whatever_stands_beside_it():
    noise = np.random.default_rng(1).normal(0, 0.02, (1200, len(YEAR)))
    share = np.clip(0.6 * logistic(YEAR, 2033.4, 8.0) + noise, 0, 1)
    together = fit(share, YEAR)
    last = np.flatnonzero(together["kind"] == 0)[-1]
    alone = fit(share[last : last + 1], YEAR)
    assert all(together[name][last] == alone[name][0] for name in PARAMETERS)


def test_no_parameters_near_those_found_fit_better():
    noise = np.random.default_rng(2).normal(0, 0.02, len(YEAR))
    share = np.clip(0.6 * logistic(YEAR, 2033.4, 8.0) + noise, 0, 1)
    found = fit(share[None], YEAR)
    for name in ("logistic", "bass"):
        r2 = found[f"{name}_r2"][0]
        best = [found["ceiling"][0], found["midpoint"][0], np.log(found["duration"][0] / 2 / np.log(9))]
        launch = 0 if name == "logistic" else YEAR[(share > 0.001).argmax()] - 1
        best = best if name == "logistic" else np.log([found[f"bass_{part}"][0] for part in "pqm"])
        for step in 0.01 * np.vstack([np.eye(3), -np.eye(3)]):
            curve, _ = drawn(getattr(fitting, name), best + step, (YEAR - launch).astype(float))
            assert 1 - ((share - curve) ** 2).sum() / ((share - share.mean()) ** 2).sum() < r2


@pytest.mark.parametrize(
    ("share", "kind"),
    [
        (np.zeros(36), "never_adopted"),
        (0.5 * logistic(YEAR, 2025, 6) - 0.4 * logistic(YEAR, 2038, 6), "rise_and_fall"),
        (np.linspace(0.4, 0.8, 36), "present_from_start"),
        (0.6 * logistic(YEAR, 2062, 14), "unfinished"),
    ],
)
def test_what_is_not_an_s_curve_is_named_and_has_no_parameters(share, kind):
    found = fit(share[None], YEAR)
    assert KINDS[found["kind"][0]] == kind
    assert np.isnan(found["ceiling"][0])
    assert np.isnan(found["bass_p"][0])


def test_intervals_cover_the_spread_of_the_ensemble_and_never_adopted_has_none():
    found = fit_curves(results(40))
    grid = found.sel(segment="stationary_grid", chemistry="sodium_ion")
    low, *_, high = grid["ceiling_quantile"].values
    assert 0.35 < low < high < 0.7
    row = {(row["segment"], row["chemistry"]): row for row in rows(found)}
    assert row["stationary_grid", "solid_state"]["kind"] == "never_adopted"
    assert row["stationary_grid", "solid_state"]["ceiling"] is None
    assert len(row["stationary_grid", "sodium_ion"]["midpoint"]) == 5
    assert found["kind_probability"].sum("kind_of_curve").values == pytest.approx(1)


def test_two_years_are_no_s_curve():
    found = fit(np.array([[0.0, 0.0], [0.5, 0.6], [0.0, 0.5]], np.float32), np.array([2015, 2016]))
    assert [KINDS[kind] for kind in found["kind"]] == ["never_adopted", "present_from_start", "unfinished"]
    assert all(np.isnan(found[name]).all() for name in PARAMETERS)
