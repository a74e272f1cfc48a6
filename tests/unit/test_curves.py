"""Adoption curves: known ones are recovered, what is not an S-curve is not fitted."""

import numpy as np
import pytest
from synthetic_results import logistic, results

from forecast.assess.curves import KINDS, bass, fit, fit_curves, rows
from forecast.assess.curves import logistic as logistic_with_slope

YEAR = np.arange(2015, 2051)


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
    share, _ = bass(np.log([[0.01, 0.4, 0.7]]), (YEAR - 2024.0)[None])
    found = fit(share, YEAR)
    assert [found[f"bass_{name}"][0] for name in "pqm"] == pytest.approx([0.01, 0.4, 0.7], rel=0.01)


@pytest.mark.parametrize(("curve", "at"), [(logistic_with_slope, [0.5, 2030.0, 0.7]), (bass, np.log([0.01, 0.4, 0.7]))])
def test_slopes_agree_with_finite_differences(curve, at):
    when = YEAR[None].astype(float) if curve is logistic_with_slope else (YEAR - 2020.0)[None]
    at = np.array([at])
    _, slope = curve(at, when)
    for i in range(3):
        step = np.zeros((1, 3))
        step[0, i] = 1e-5
        assert slope[..., i] == pytest.approx((curve(at + step, when)[0] - curve(at - step, when)[0]) / 2e-5, abs=1e-6)


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
