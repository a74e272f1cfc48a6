"""The lithium market: stocks make the price, a price on record corrects them, and nothing appears from nowhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.ensemble.design import draw
from forecast.model.clearing import LARGEST_REVISION
from forecast.model.lithium import LithiumMarket
from tests.play import blackboard, simulated
from tests.small_world import lively_world

CALM = {"stock_seen": 0}
CALM |= {"noise": 0, "cover_elasticity": 1.2, "normal_cover": 10, "opening_cover": 10, "long_run_price": 12_000, "first_price": 12_000}
CALM |= {"floor": 1, "ceiling": 80_000, "adjustment_time": 3, "foresight": 0, "stocking": 0, "use_memory": 1}
CALM |= {"conversion_yield": 0.8, "ore_loss": 0}
CLAY, ROCK, BRINE = range(3)  # the mines of the world


def stand(**lithium):
    """A lithium market at its normal cover, and a market whose mines and makers are in balance with it."""
    drawn = draw(lively_world(lithium=CALM | lithium), 1, np.arange(2))
    agent, market = LithiumMarket(drawn, 1, np.arange(2)), blackboard(drawn)
    agent.state["plants"] = agent.state["need"] / agent.own.conversion_yield * agent.own.conversion_spare
    market.marginal_cost[...] = 3000
    return agent, market


def settle(agent, market, months):
    """Months of use in which mines put out just what is used."""
    need = agent.state["need"].copy()
    elsewhere = agent.own.other_demand[0] / 12
    market.lithium_wanted[...] = need - elsewhere
    market.lithium_content[...] = agent.content
    market.cells_made[:, 0] = (need - elsewhere) / agent.content[:, 0]
    market.mine_output[:, ROCK] = need / agent.own.conversion_yield
    for _ in range(months):
        agent.use(market, elsewhere)
        agent.ship(market, raw=0.0)
        agent.move_price(market, np.zeros(2))


def convert(agent, market, mined, mine=ROCK, raw=0.0):
    """A month in which so much is mined, a share of it sold as dug; returns the carbonate that came of it."""
    before = agent.state["upstream"] + agent.state["downstream"]
    market.mine_output[:, mine] = mined
    agent.ship(market, raw)
    return agent.state["upstream"] + agent.state["downstream"] - before


def test_the_market_opens_with_its_first_price_and_its_cover():
    agent, _ = stand(opening_cover=7, first_price=9000)
    np.testing.assert_allclose(np.exp(agent.state["price"]), 9000)
    np.testing.assert_allclose(agent.state["upstream"] / agent.state["need"], 7)


def test_a_market_in_balance_stays_at_the_long_run_price():
    agent, market = stand(opening_growth=0)
    agent.state["downstream"] += agent.state["need"]  # a month's use is on its way
    before = agent.state["upstream"] + agent.state["downstream"]
    settle(agent, market, 36)
    np.testing.assert_allclose(np.exp(agent.state["price"]), 12_000, rtol=1e-6)
    np.testing.assert_allclose(agent.state["upstream"] + agent.state["downstream"] + agent.state["ore"] * 0.8, before, rtol=1e-9)


@pytest.mark.parametrize(("cover", "price"), [(5, 12_000 * 2**1.2), (20, 12_000 / 2**1.2), (0.1, 80_000), (500, 3000)])
def test_the_price_moves_to_what_the_stock_is_worth_within_its_bounds(cover, price):
    agent, market = stand(opening_growth=0)
    agent.state["arriving"] = agent.state["need"].copy()
    for _ in range(60):
        agent.state["upstream"] = cover * agent.state["need"]
        agent.move_price(market, np.zeros(2))
    np.testing.assert_allclose(np.exp(agent.state["price"]), price, rtol=0.03)


def test_a_shock_moves_the_price_at_once_and_a_scare_over_the_adjustment_time():
    (calm, market), (shaken, _), (scared, _) = (stand(noise=np.log(1.1), adjustment_time=4) for _ in range(3))
    calm.move_price(market, np.zeros(2))
    shaken.move_price(market, np.ones(2))
    np.testing.assert_allclose(np.exp(shaken.state["price"] - calm.state["price"]), 1.1)
    market.price_push[...] = np.log(1.5)
    scared.move_price(market, np.zeros(2))
    np.testing.assert_allclose(np.exp(scared.state["price"] - calm.state["price"]), 1.5**0.25)


def test_rising_prices_make_makers_stock():
    agent, market = stand(stocking=1.0)
    agent.state["trend"][...] = 0.0
    agent.ship(market, raw=0.0)
    calm = agent.state["orders"].copy()
    for trend, sign in ((0.5, 1), (-0.5, -1)):
        agent, market = stand(stocking=1.0)
        agent.state["trend"][...] = trend
        agent.ship(market, raw=0.0)
        assert (sign * (agent.state["orders"] - calm) > 0).all()


def test_what_is_on_its_way_through_plants_follows_use_whatever_makers_expect():
    def more(in_process):
        orders = []
        for trend in (0.0, 0.5):
            agent, market = stand(stocking=1.0, in_process=in_process)
            agent.state["trend"][...] = trend
            agent.ship(market, raw=0.0)
            orders.append(agent.state["orders"].copy())
        return orders[1] - orders[0]

    np.testing.assert_allclose(more(in_process=0.75), 0.25 * more(in_process=0))
    assert (more(in_process=1) == 0).all()


def test_what_is_on_its_way_covers_the_use_of_its_own_months_and_only_stores_look_as_far_ahead_as_traders():
    def wanted(in_process, foresight):
        agent, market = stand(in_process=in_process, foresight=foresight, downstream_cover=6, stocking_time=1)
        agent.state["growth"][...] = 0.4
        agent.state["upstream"][...] = 1e9
        stock = agent.state["downstream"] - agent.state["need"]
        agent.ship(market, raw=0.0)
        return (stock + agent.state["orders"]) / agent.state["need"]

    np.testing.assert_allclose(wanted(1, 2.0), 6 * np.exp(0.4 * 0.25))
    np.testing.assert_allclose(wanted(0, 2.0), 6 * np.exp(0.4 * 2.0))


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=30))
def test_converters_lose_only_their_yield_and_keep_the_rest_as_ore_save_what_waits_too_long(mined):
    agent, market = stand(ore_loss=0.5)
    made, lost = np.zeros(2), np.zeros(2)
    for month in mined:
        made += convert(agent, market, month)
        lost += agent.state["ore_lost"]
    np.testing.assert_allclose(made / 0.8 + agent.state["ore"] + lost, sum(mined), rtol=1e-10, atol=1e-6)
    assert (agent.state["ore"] >= 0).all()
    assert (lost >= 0).all()


@pytest.mark.parametrize("mine", [BRINE, CLAY])
def test_brine_and_clay_are_counted_as_salts_and_need_no_converters(mine):
    agent, market = stand()
    agent.state["plants"][...] = 0
    np.testing.assert_allclose(convert(agent, market, 1000, mine, raw=1.0), 1000)
    assert not agent.state["ore"].any()


def test_of_ore_sold_as_dug_a_part_never_reaches_converters():
    agent, market = stand(raw_ore_recovery=0.4)
    made = convert(agent, market, 100, raw=0.5)
    agent.report(market)
    np.testing.assert_allclose(made, 100 * (0.5 + 0.5 * 0.4) * 0.8)
    np.testing.assert_allclose(market.lithium_lost, 100 * 0.5 * 0.6 * 0.8)


def test_ore_is_sold_as_dug_in_the_years_that_the_scenario_names():
    found = simulated(lively_world(lithium={"raw_ore": {2018: 0, 2018.1: 0.5, 2019: 0.5, 2019.1: 0}, "ore_loss": 0}), monthly=True)
    assert not found["lithium_lost"][:, :36].any()
    assert found["lithium_lost"][:, 38:48].min() > 0
    assert not found["lithium_lost"][:, 50:].any()


def opened(**mines):
    """A lithium market, before anything happens, in a world with other mines."""
    return LithiumMarket(draw(lively_world(mines=mines, lithium=CALM), 1, np.arange(2)), 1, np.arange(2))


def test_converters_open_with_plants_for_the_ore_that_the_first_mines_put_out():
    agent = opened(quarry={"capacity": 30_000}, salar={"capacity": 60_000})
    made = 30_000 * 0.8 + 60_000
    np.testing.assert_allclose(agent.state["plants"], agent.state["need"] * (30_000 / made) * agent.own.conversion_spare)


def test_where_only_brine_was_mined_converters_come_with_the_first_ore():
    agent, market = opened(quarry={"status": "evaluation", "capacity": 0}), stand()[1]
    assert not agent.state["plants"].any()
    tenth = 0.1 * agent.state["need"]
    months = [convert(agent, market, tenth) for _ in range(60)]
    assert (months[0] < 0.1 * tenth).all()
    np.testing.assert_allclose(months[-1], 0.8 * tenth)


def test_traders_expect_carbonate_of_each_kind_as_it_comes():
    agent, market = stand(foresight=0.8, trust=0.5)
    market.mine_output[:, [ROCK, BRINE]] = agent.state["need"][:, None]
    agent.ship(market, raw=0.0)
    np.testing.assert_allclose(agent.state["making"], 1.8 * agent.state["need"])
    covers = {}
    for coming in (0, 5000):
        agent.state["arriving"] = agent.state["need"].copy()
        market.mine_coming[...] = coming
        agent.move_price(market, np.zeros(2))
        covers[coming] = agent.cover * agent.state["need"] * np.exp(0.8 * agent.state["growth"])
    np.testing.assert_allclose(covers[5000] - covers[0], 0.5 * 0.5 * 5000 * 0.9 * 0.8**2)


def test_of_ore_that_waits_a_share_is_lost_each_year():
    agent, market = stand(ore_loss=0.5)
    agent.behaviour["conversion_growth"] = 0
    agent.state["ore"][...], agent.state["plants"][...] = 1000, 0
    lost = np.zeros(2)
    for month in range(1, 13):
        convert(agent, market, 0)
        agent.report(market)
        np.testing.assert_allclose(agent.state["ore"], 1000 * np.exp(-0.5 * month / 12))
        lost += market.lithium_lost
    np.testing.assert_allclose(lost, 0.8 * (1000 - agent.state["ore"]))


def test_only_sales_are_taken_for_use_and_not_the_lists_of_those_who_wait():
    needs = []
    for waiting in (0, 9):
        agent, market = stand()
        market.demand[...] = 3
        market.orders_by_region[..., 0] = 2 * (3 + waiting)
        market.lithium_wanted[...] = 100 * (3 + waiting)
        agent.use(market, 50.0)
        needs.append(agent.state["need"])
    np.testing.assert_allclose(needs, 350)


def test_a_flood_of_ore_waits_for_converters():
    agent, market = stand()
    plants = agent.state["plants"].copy()
    made = convert(agent, market, plants * 5)
    assert (made <= plants * 0.8 * 1.1).all()
    assert (agent.state["ore"] >= plants * 3.8).all()


def test_nobody_uses_more_than_there_is():
    agent, market = stand()
    market.cells_made[...] = 1e6
    market.lithium_wanted[...] = 1e9
    there = agent.state["downstream"].copy()
    agent.use(market, 1000.0)
    assert not agent.state["downstream"].any()
    np.testing.assert_allclose(market.lithium_demand, there)


def told(price, unexplained=0.0, **lithium):
    """A market in balance at 12,000 that is told a price, after its next month; 0: nothing is on record."""
    agent, market = stand(**lithium)
    agent.state["arriving"] = agent.state["need"].copy()
    agent.state["growth"] = np.zeros(2)
    market.lithium_price_on_record[...] = price
    market.unexplained_lithium_price[...] = unexplained
    agent.move_price(market, np.zeros(2))
    agent.report(market)
    return agent, market


@pytest.mark.parametrize("price", [6000, 12_000, 40_000])
def test_a_price_on_record_is_the_price_whatever_stocks_and_shocks_say(price):
    agent, market = stand(noise=0.3)
    market.lithium_price_on_record[...] = price
    agent.state["upstream"] *= 5
    agent.move_price(market, np.array([2.0, -2.0]))
    agent.report(market)
    np.testing.assert_allclose(market.lithium_price, price)


def test_the_record_holds_the_price_only_where_there_is_one():
    agent, market = stand(cover_elasticity=1.0)
    market.lithium_price_on_record[...] = [20_000, 0]
    agent.state["upstream"] *= 0.5
    agent.move_price(market, np.zeros(2))
    assert market.lithium_price_missed[0] != 0 == market.lithium_price_missed[1]
    assert market.lithium_revision[0] != 0 == market.lithium_revision[1]
    assert 12_000 < np.exp(agent.state["price"][1]) < np.exp(agent.state["price"][0])


@pytest.mark.parametrize("price", [10_000, 15_000])
def test_what_the_price_misses_is_what_stocks_would_have_to_be_worth_beside_their_cover(price):
    _, missing = told(price)
    agent, explained = told(0, unexplained=missing.lithium_price_missed)
    np.testing.assert_allclose(np.exp(agent.state["price"]), price)
    _, both = told(price, unexplained=missing.lithium_price_missed)
    np.testing.assert_allclose(both.lithium_price_missed, 0, atol=1e-9)
    assert not explained.lithium_revision.any()


@pytest.mark.parametrize(("price", "sign"), [(15_000, -1), (12_000, 0), (10_000, 1)])
def test_a_dearer_price_than_stocks_explain_says_that_there_is_less_of_them(price, sign):
    before = stand()[0].state["upstream"]
    agent, market = told(price)
    np.testing.assert_allclose(market.lithium_revision, agent.state["upstream"] - before)
    assert (np.sign(np.rint(market.lithium_revision)) == sign).all()


@pytest.mark.parametrize("price", [11_500, 12_500])
def test_if_prices_tell_all_stocks_are_revised_to_be_worth_what_was_missed(price):
    agent, market = told(price, revision=1.0)
    worth = 1.2 * np.log(agent.own.normal_cover / (agent.state["upstream"] / agent.state["need"]))
    np.testing.assert_allclose(worth, market.lithium_price_missed)


def test_no_month_revises_stocks_beyond_belief():
    before = stand()[0].state["upstream"]
    for price, sign in ((70_000, -1), (3100, 1)):
        agent, _ = told(price, revision=1.0)
        np.testing.assert_allclose(np.log(agent.state["upstream"] / before), sign * LARGEST_REVISION)


def test_contracts_follow_the_spot_price_with_their_lag():
    agent, market = stand(contract_lag=4)
    agent.state["price"][...] = np.log(20_000)
    for month in range(1, 6):
        agent.report(market)
        np.testing.assert_allclose(market.lithium_contract_price, 20_000 - 8000 * 0.75**month)


def test_traders_count_on_their_share_of_what_mines_will_add_within_a_year():
    covers = {}
    for trust, coming in ((0, 5000), (0.5, 0), (0.5, 5000), (1, 5000)):
        agent, market = stand(foresight=0.8, trust=trust)
        market.mine_coming[...] = coming
        agent.rock = agent.state["need"] / agent.own.conversion_yield
        agent.state["making"] = agent.state["need"]
        agent.move_price(market, np.zeros(2))
        covers[trust, coming] = agent.cover * agent.state["need"] * np.exp(0.8 * agent.state["growth"])
    np.testing.assert_allclose(covers[0, 5000], covers[0.5, 0])
    gain = 0.5 * 5000 * agent.own.conversion_yield * 0.8**2  # half of it has come when it counts, and it comes for 0.8 years
    np.testing.assert_allclose(covers[1, 5000] - covers[0, 5000], gain)
    np.testing.assert_allclose(covers[0.5, 5000] - covers[0, 5000], gain / 2)


def test_lithium_that_runs_out_stops_the_lines():
    outage = {"war": {"kind": "mine_outage", "start": 2015, "size": 1}}
    found = simulated(lively_world(policy=outage, last_year=2018, lithium={"opening_cover": 1, "downstream_cover": 1}), monthly=True)
    assert found["lithium_demand"][:, 20:30].max() < 0.1 * found["lithium_demand"][:, 0].min()
    assert found["deliveries"][:, 20:30, ..., :2].sum() < 0.05 * found["demand"][:, 20:30].sum()
    assert found["backlog"][:, 29].sum() > 0
