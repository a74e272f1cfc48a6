"""The lithium market: stocks make the price, and nothing appears from nowhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.ensemble.design import draw
from forecast.model.lithium import LithiumMarket
from tests.play import blackboard, simulated
from tests.small_world import lively_world

CALM = {"noise": 0, "cover_elasticity": 1.2, "normal_cover": 10, "opening_cover": 10, "long_run_price": 12_000, "first_price": 12_000}
CALM |= {"floor": 1, "ceiling": 80_000, "adjustment_time": 3, "conversion_yield": 0.8, "foresight": 0, "stocking": 0, "use_memory": 1}


def stand(**lithium):
    """A lithium market at its normal cover, and a market whose mines and makers are in balance with it."""
    drawn = draw(lively_world(lithium=CALM | lithium), 1, np.arange(2))
    agent, market = LithiumMarket(drawn, 1, np.arange(2)), blackboard(drawn)
    market.marginal_cost[...] = 3000
    return agent, market


def settle(agent, market, months):
    """Months of use in which mines put out just what is used."""
    need = agent.need.copy()
    elsewhere = agent.own.other_demand[0] / 12
    market.lithium_wanted[...] = need - elsewhere
    market.lithium_content[...] = agent.content
    market.cells_made[:, 0] = (need - elsewhere) / agent.content[:, 0]
    market.mine_output[:, 0] = need / agent.own.conversion_yield
    for _ in range(months):
        agent.use(market, elsewhere)
        agent.ship(market)
        agent.move_price(market, np.zeros(2))


def test_the_market_opens_with_its_first_price_and_its_cover():
    agent, _ = stand(opening_cover=7, first_price=9000)
    np.testing.assert_allclose(np.exp(agent.price), 9000)
    np.testing.assert_allclose(agent.upstream / agent.need, 7)


def test_a_market_in_balance_stays_at_the_long_run_price():
    agent, market = stand(opening_growth=0)
    agent.downstream += agent.need  # a month's use is on its way
    before = agent.upstream + agent.downstream
    settle(agent, market, 36)
    np.testing.assert_allclose(np.exp(agent.price), 12_000, rtol=1e-6)
    np.testing.assert_allclose(agent.upstream + agent.downstream + agent.ore * 0.8, before, rtol=1e-9)


@pytest.mark.parametrize(("cover", "price"), [(5, 12_000 * 2**1.2), (20, 12_000 / 2**1.2), (0.1, 80_000), (500, 3000)])
def test_the_price_moves_to_what_the_stock_is_worth_within_its_bounds(cover, price):
    agent, market = stand(opening_growth=0)
    agent.arriving = agent.need.copy()
    for _ in range(60):
        agent.upstream = cover * agent.need
        agent.move_price(market, np.zeros(2))
    np.testing.assert_allclose(np.exp(agent.price), price, rtol=0.03)


def test_a_shock_moves_the_price_at_once_and_a_scare_over_the_adjustment_time():
    (calm, market), (shaken, _), (scared, _) = (stand(noise=np.log(1.1), adjustment_time=4) for _ in range(3))
    calm.move_price(market, np.zeros(2))
    shaken.move_price(market, np.ones(2))
    np.testing.assert_allclose(np.exp(shaken.price - calm.price), 1.1)
    market.price_push[...] = np.log(1.5)
    scared.move_price(market, np.zeros(2))
    np.testing.assert_allclose(np.exp(scared.price - calm.price), 1.5**0.25)


def test_rising_prices_make_makers_stock():
    agent, market = stand(stocking=1.0)
    agent.trend[...] = 0.0
    agent.ship(market)
    calm = agent.orders.copy()
    for trend, sign in ((0.5, 1), (-0.5, -1)):
        agent, market = stand(stocking=1.0)
        agent.trend[...] = trend
        agent.ship(market)
        assert (sign * (agent.orders - calm) > 0).all()


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=30))
def test_converters_lose_only_their_yield_and_keep_the_rest_as_ore(mined):
    agent, _ = stand()
    made = sum(agent.convert(np.full(2, month)) for month in mined)
    np.testing.assert_allclose(made / 0.8 + agent.ore, sum(mined), rtol=1e-10, atol=1e-9)
    assert (agent.ore >= 0).all()


def test_a_flood_of_ore_waits_for_converters():
    agent, _ = stand()
    plants = agent.plants.copy()
    made = agent.convert(plants * 5)
    assert (made <= plants * 0.8 * 1.1).all()
    assert (agent.ore >= plants * 3.8).all()


def test_nobody_uses_more_than_there_is():
    agent, market = stand()
    market.cells_made[...] = 1e6
    market.lithium_wanted[...] = 1e9
    there = agent.downstream.copy()
    agent.use(market, 1000.0)
    assert not agent.downstream.any()
    np.testing.assert_allclose(market.lithium_demand, there)


@pytest.mark.parametrize("price", [6000, 12_000, 40_000])
def test_the_forecast_starts_at_the_observed_price_with_the_stock_that_goes_with_it(price):
    agent, market = stand(forecast_price=price)
    before = agent.upstream.copy()
    agent.observe(market)
    np.testing.assert_allclose(np.exp(agent.price), price)
    np.testing.assert_allclose(market.lithium_revision, agent.upstream - before)
    agent.arriving = agent.need.copy()
    agent.growth = np.zeros(2)
    agent.move_price(market, np.zeros(2))
    np.testing.assert_allclose(np.exp(agent.price), price, rtol=0.02)
    assert market.lithium_reset.all()


def test_in_a_world_the_price_at_the_end_of_the_observed_years_is_the_observed_one():
    world = lively_world(lithium={"forecast_price": 11_000}, last_year=2018)
    price = simulated(world)["lithium_price"]
    np.testing.assert_allclose(price[:, 35], 11_000, rtol=1e-6)


def test_lithium_that_runs_out_stops_the_lines():
    outage = {"war": {"kind": "mine_outage", "start": 2015, "size": 1}}
    found = simulated(lively_world(policy=outage, last_year=2018, lithium={"opening_cover": 1, "downstream_cover": 1}), monthly=True)
    assert found["lithium_demand"][:, 20:30].max() < 0.1 * found["lithium_demand"][:, 0].min()
    assert found["deliveries"][:, 20:30, ..., :2].sum() < 0.05 * found["demand"][:, 20:30].sum()
    assert found["backlog"][:, 29].sum() > 0
