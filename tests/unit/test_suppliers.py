"""Component makers: shortage lifts the price, capacity follows late."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.suppliers import Suppliers
from tests.play import blackboard
from tests.small_world import lively_world

PER_GWH = 1.4  # kt of hard carbon
CAPACITY = 5.0  # kt a year


def stand(orders=0.0):
    """Suppliers and a market with monthly sodium orders, in GWh."""
    drawn = draw(
        lively_world(
            components={"hard_carbon": {"opening_price": 14, "learning_rate": 0}},
            supply={"shortage_elasticity": 0.5, "spare_capacity": 1.3},
        ),
        1,
        np.arange(2),
    )
    market = blackboard(drawn)
    market.cell_orders[:, 2] = orders
    return Suppliers(drawn), market


def quoted(orders, cut=0.0):
    suppliers, market = stand(orders)
    market.component_cut[...] = cut
    suppliers.quote(market, suppliers.orders(market))
    return market


def test_orders_of_cells_become_orders_of_components():
    suppliers, market = stand(0.5)
    np.testing.assert_allclose(suppliers.orders(market), 0.5 * PER_GWH * 12)


def test_while_capacity_suffices_there_is_no_shortage():
    market = quoted(CAPACITY / PER_GWH / 12)
    np.testing.assert_allclose(market.component_price, 14)
    np.testing.assert_allclose(market.component_shortage, 0, atol=1e-12)
    np.testing.assert_allclose(market.component_met, 1)


@pytest.mark.parametrize("cut", [0.0, 0.5, 0.9])
def test_shortage_lifts_the_price_and_is_felt_by_those_who_need_the_component(cut):
    over = 4.0 / (1 - cut)
    market = quoted(4 * CAPACITY / PER_GWH / 12, cut)
    np.testing.assert_allclose(market.component_price, 14 * np.sqrt(over))
    np.testing.assert_allclose(market.component_shortage, 1 - 1 / over)
    np.testing.assert_allclose(market.component_met, [[1, 1, 1 / over]] * 2)


@pytest.mark.parametrize("cut", [0.99, 1.0, 1.4])
def test_a_total_embargo_is_a_shortage_not_an_accident(cut):
    market = quoted(0.5, cut)
    assert (market.component_met[:, 2] < 0.1).all()
    assert (market.component_price > 14).all()
    assert np.isfinite(market.component_price).all()


def test_capacity_follows_orders_late_up_to_the_spare_it_wants_and_never_shrinks():
    suppliers, market = stand(2 * CAPACITY / PER_GWH / 12)
    seen = [suppliers.capacity.copy()]
    for month in range(240):
        if month == 200:
            market.cell_orders[...] = 0
        suppliers.follow(suppliers.orders(market))
        seen.append(suppliers.capacity.copy())
    seen = np.array(seen)
    assert (np.diff(seen, axis=0) >= 0).all()
    assert (seen[9] < 2 * CAPACITY).all()
    np.testing.assert_allclose(seen[200], 2 * CAPACITY * 1.3, rtol=0.01)


def test_capacity_grows_no_faster_than_it_can():
    suppliers, market = stand(1e6)
    growth = []
    for _ in range(24):
        before = suppliers.capacity.copy()
        suppliers.follow(suppliers.orders(market))
        growth.append(suppliers.capacity / before - 1)
    np.testing.assert_allclose(np.max(growth), 1.5 / 12)


def test_components_get_cheaper_by_wrights_law_down_to_their_floor():
    drawn = draw(lively_world(), 1, np.arange(1))
    suppliers, market = Suppliers(drawn), blackboard(drawn)
    opening = drawn.components.opening_price
    for produced, gap in ((0.0, 1.0), (1.0, 0.85), (3.0, 0.85**2), (1e30, 0.0)):
        suppliers.produced[...] = produced
        suppliers.quote(market, np.zeros((1, 1)))
        np.testing.assert_allclose(market.component_price, 4 + (opening - 4) * gap, atol=1e-6)
