"""Minerals drift home, are pushed about, and follow the record while it lasts."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.minerals import Minerals
from tests.play import history
from tests.small_world import lively_world

GRAPHITE, NICKEL = range(2)
CALM = {"volatility": 0, "reversion": 0.6, "opening_price": 20, "mean_price": 10}
NICKEL_ON_RECORD = {"kind": "mineral_price", "mineral": "nickel", "values": {2015: 30, 2016: 40, 2017: 50}, "error": 0}


def prices(worlds=2, **differences):
    """Prices by month, (month, realization, mineral)."""
    return history(draw(lively_world(**differences), 1, np.arange(worlds)), mineral_price=None)["mineral_price"]


def test_without_luck_the_gap_to_the_mean_closes_by_its_share_of_each_year():
    seen = prices(minerals={"nickel": CALM})[:, :, NICKEL]
    np.testing.assert_allclose(np.log(seen / 10), (np.log(2) * 0.95 ** (1 + np.arange(72)))[:, None].repeat(2, axis=1))


def test_luck_has_its_volatility_and_is_shared_as_declared():
    minerals = {name: {"volatility": 0.3, "reversion": 0, "common": common} for name, common in (("graphite", 0.25), ("nickel", 0.64))}
    shock = Minerals(draw(lively_world(minerals=minerals), 1, np.arange(200)), 1, np.arange(200)).shock
    np.testing.assert_allclose(shock.std(axis=(0, 1)) * np.sqrt(12), 0.3, rtol=0.03)
    assert np.corrcoef(shock[..., GRAPHITE].ravel(), shock[..., NICKEL].ravel())[0, 1] == pytest.approx(0.5 * 0.8, abs=0.03)


def test_a_mineral_on_record_has_its_price_and_drifts_on_from_there():
    differences = {"minerals": {"nickel": CALM | {"mean_price": 50}}}
    held = prices(record={"nickel": NICKEL_ON_RECORD}, **differences)
    np.testing.assert_allclose(held[:36, :, NICKEL].reshape(3, 12, 2).mean(axis=1)[1], 40, rtol=0.02)
    last = np.log(held[35, :, NICKEL] / 50)
    np.testing.assert_allclose(np.log(held[36:48, :, NICKEL] / 50), last * 0.95 ** (1 + np.arange(12))[:, None])
    np.testing.assert_array_equal(held[..., GRAPHITE], prices(**differences)[..., GRAPHITE])


def test_an_export_control_pushes_even_a_price_on_record():
    event = {"kind": "export_control", "minerals": ["nickel"], "start": 2016, "end": 2017, "size": 3}
    calm = prices(record={"nickel": NICKEL_ON_RECORD})
    pushed = prices(record={"nickel": NICKEL_ON_RECORD}, policy={"event": event})
    np.testing.assert_allclose(pushed[12:24, :, NICKEL] / calm[12:24, :, NICKEL], 3)
    np.testing.assert_allclose(np.delete(pushed, slice(12, 24), axis=0), np.delete(calm, slice(12, 24), axis=0))
