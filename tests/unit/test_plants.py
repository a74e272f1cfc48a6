"""Plants: lines are built late, converted cheaply, never out of nothing."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.plants import Plants
from tests.play import blackboard, history
from tests.small_world import lively_world

LFP, NMC, SODIUM = range(3)
MAKER, RHINE, SALT = range(3)


def stand(**differences):
    """Plants with nothing being built, and a market of rich makers with 40 GWh of idle LFP lines."""
    drawn = draw(lively_world(**differences), 1, np.arange(2))
    plants, market = Plants(drawn), blackboard(drawn)
    plants.coming[...] = plants.underway[...] = 0
    market.capacity[:, MAKER, LFP] = 40
    market.line_cost[...] = 100
    market.cash[...] = 1e6
    return plants, market


def opening(plants, month):
    """Lines that open in a month, (realization, maker, chemistry)."""
    return plants.coming[:, month % plants.slots]


def wish(maker, chemistry, size):
    """What is wanted: one entry."""
    wanted = np.zeros((2, 3, 3))
    wanted[:, maker, chemistry] = size
    return wanted


def test_what_was_being_built_at_the_start_opens_over_the_build_time():
    drawn = draw(lively_world(), 1, np.arange(2))
    plants = Plants(drawn)
    np.testing.assert_allclose(plants.underway[:, MAKER, LFP], 40 * 0.2 / 12 * 18)
    for month in range(1, plants.slots):
        np.testing.assert_allclose(opening(plants, month)[:, MAKER, LFP], 40 * 0.2 / 12 * (month <= 18))


def test_a_new_line_opens_after_its_build_time():
    plants, market = stand()
    plants.build(market, wish(RHINE, NMC, 3.0), 5)
    assert np.argwhere(plants.coming[0]).tolist() == [[(5 + 18) % plants.slots, RHINE, NMC]]
    np.testing.assert_allclose(market.cash[:, RHINE], 1e6 - 300)
    for month in range(6, 24):
        assert not market.capacity[:, RHINE, NMC].any()
        plants.open(market, month)
    np.testing.assert_allclose(market.capacity[:, RHINE, NMC], 3)


@pytest.mark.parametrize("months", [17.6, 1000])
def test_what_lies_beyond_the_horizon_never_opens(months):
    plants, market = stand(chemistries={"nmc": {"build_time": months}})
    plants.build(market, wish(RHINE, NMC, 3.0), 71 - 18 + 1)
    for month in range(71 - 18 + 2, 72):
        plants.open(market, month)
    assert not market.capacity[:, RHINE].any()


def test_months_come_round_again_in_the_calendar_of_openings():
    plants, market = stand()
    for month in range(1, 4 * plants.slots):
        plants.build(market, wish(RHINE, NMC, float(month)), month)
        plants.open(market, month + 1)
        opened = np.arange(1, month + 2 - 18).sum()
        np.testing.assert_allclose(market.capacity[:, RHINE, NMC], opened)


def test_a_conversion_conserves_lines_and_is_faster_and_cheaper_than_building():
    plants, market = stand()
    left = plants.convert(market, wish(MAKER, SODIUM, 10.0), plants.idle(market), 5)
    assert not left.any()
    np.testing.assert_allclose(market.capacity.sum(axis=(1, 2)) + plants.coming.sum(axis=(1, 2, 3)), 40)
    np.testing.assert_allclose(opening(plants, 5 + 6)[:, MAKER, SODIUM], 10)
    np.testing.assert_allclose(market.cash[:, MAKER], 1e6 - 10 * 100 * 0.1)


def test_only_idle_lines_that_can_be_converted_are():
    plants, market = stand(investment={"idle_below": 0.6})
    market.utilisation[:, MAKER, LFP] = 0.3
    left = plants.convert(market, wish(MAKER, SODIUM, 30.0), plants.idle(market), 5)
    np.testing.assert_allclose(left[:, MAKER, SODIUM], 10)
    np.testing.assert_allclose(market.capacity[:, MAKER, LFP], 20)
    busy, market = stand()
    market.utilisation[...] = 1
    np.testing.assert_allclose(busy.convert(market, wish(MAKER, SODIUM, 30.0), busy.idle(market), 5)[:, MAKER, SODIUM], 30)
    other, market = stand()
    market.capacity[:, MAKER] = [0, 40, 0]
    np.testing.assert_allclose(other.convert(market, wish(MAKER, SODIUM, 30.0), other.idle(market), 5)[:, MAKER, SODIUM], 30)


def test_no_line_is_converted_beyond_what_there_is():
    plants, market = stand()
    market.capacity[:, MAKER] = [0.1, 0.7, 0.2]
    for _ in range(20):
        plants.convert(market, np.full((2, 3, 3), 100.0), plants.idle(market), 5)
        assert (market.capacity >= 0).all()
    np.testing.assert_allclose((market.capacity + plants.coming.sum(axis=1)).sum(axis=-1)[:, MAKER], 1.0)


@pytest.mark.parametrize(("cash", "revenue", "built"), [(1e6, 0, 10), (1000, 0, 3.5), (0, 1000, 3.5), (-500, 0, 0)])
def test_makers_build_what_they_can_pay(cash, revenue, built):
    plants, market = stand(investment={"spending_limit": 0.35, "borrowing": 1})
    market.cash[...], market.revenue[...] = cash, revenue
    plants.build(market, wish(RHINE, NMC, 10.0), 5)
    np.testing.assert_allclose(plants.coming[:, :, RHINE].sum(axis=(-1, -2)), built)
    np.testing.assert_allclose(market.cash[:, RHINE], cash - 100 * built)


def test_a_line_waits_until_its_chemistry_may_be_sold():
    plants, market = stand()
    opening(plants, 7)[:, :, SODIUM] = 2
    plants.open(market, 7)
    plants.open(market, 8)
    assert not market.capacity[..., SODIUM].any()
    market.may_sell[:, SALT, SODIUM] = 1
    plants.open(market, 9)
    assert market.capacity[0, :, SODIUM].tolist() == [0, 0, 2]


def test_what_a_failed_maker_was_building_is_never_opened_and_not_counted():
    plants, market = stand()
    plants.build(market, wish(RHINE, NMC, 3.0), 5)
    market.alive[:, RHINE] = 0
    for month in range(6, 24):
        plants.open(market, month)
    assert not market.capacity[:, RHINE].any()
    assert not plants.underway[:, RHINE].any()


def test_a_pioneer_commits_one_first_line():
    plants, market = stand()
    plants.watch(market)
    market.may_build[:, SALT, SODIUM] = 1
    first = plants.wanted(market)
    np.testing.assert_allclose(first[:, SALT, SODIUM], plants.own.first_plant)
    assert not first[:, [MAKER, RHINE], SODIUM].any()
    plants.build(market, first, 5)
    assert not plants.wanted(market)[:, SALT, SODIUM].any()


def test_makers_want_lines_for_the_growth_they_expect_and_fewer_at_a_loss():
    wanted = {}
    for extrapolation, margin in ((0, 0.1), (1, 0.1), (1, -0.3)):
        plants, market = stand(investment={"fastest_growth": 100, "extrapolation": extrapolation, "nerve": 0.15})
        market.margin[...] = margin
        for month in range(24):
            market.wanted[:, MAKER, LFP] = 5 * 1.03**month
            plants.watch(market)
        wanted[extrapolation, margin] = plants.wanted(market)[:, MAKER, LFP]
    assert (wanted[1, 0.1] > wanted[0, 0.1]).all()
    np.testing.assert_allclose(wanted[1, -0.3], wanted[1, 0.1] * np.exp(-2))


@pytest.mark.parametrize("growth", [-0.3, 0.05, 0.4, 0.8])
@pytest.mark.parametrize("memory", [6, 12])
def test_orders_that_grow_steadily_are_seen_to_grow_at_that_rate(growth, memory):
    plants, market = stand(last_year=2030, investment={"planning_time": memory, "highest_growth": 2})
    for month in range(480):
        market.wanted[...] = np.exp(growth * month / 12)
        plants.watch(market)
    np.testing.assert_allclose(plants.growth(), growth, rtol=1e-3)


@pytest.mark.parametrize("growth", [0.05, 0.3])
def test_makers_open_with_the_growth_that_they_had_seen_before(growth):
    chemistries = {name: {"opening_growth": growth} for name in ("lfp", "nmc")}
    plants, market = stand(investment={"planning_time": 9, "highest_growth": 2}, chemistries=chemistries)
    market.wanted[...] = 5
    plants.watch(market)
    np.testing.assert_allclose(plants.growth()[:, :2], growth)


def test_nobody_believes_in_more_than_the_highest_growth():
    for pace, seen in ((2.0, 0.7), (0.5, -0.7)):
        plants, market = stand(investment={"highest_growth": 0.7})
        for month in range(60):
            market.wanted[...] = pace**month
            plants.watch(market)
        np.testing.assert_allclose(plants.growth(), seen)


def test_idle_lines_are_scrapped_and_busy_ones_kept():
    plants, market = stand(investment={"scrap_rate": 0.1, "idle_below": 0.5})
    market.capacity[...] = 10
    market.utilisation[:, MAKER], market.utilisation[:, RHINE], market.utilisation[:, SALT] = 0, 0.25, 0.5
    plants.scrap(market, plants.idle(market))
    np.testing.assert_allclose(market.capacity[0, :, 0], [9.75, 9.875, 10])


def test_lines_of_the_living_are_in_place_or_under_way_and_nobody_else_has_any():
    def ahead(stage):
        return stage.agents["Plants"].coming.sum(axis=1) * stage.market.alive[..., None]

    look = {"ahead": ahead, "underway": lambda stage: stage.agents["Plants"].underway, "capacity": None, "alive": None}
    seen = history(draw(lively_world(), 1, np.arange(3)), **look)
    np.testing.assert_allclose(seen["underway"], seen["ahead"], atol=1e-9)
    assert (seen["capacity"] >= 0).all()
    assert ((seen["capacity"] > 0) <= (seen["alive"][..., None] > 0)).all()
