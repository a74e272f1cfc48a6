"""Mines idle below their cost, restart late, and are built when the price they believe in pays."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.mines import CONSTRUCTION, EVALUATION, IDLE, PRODUCING, RESOURCE, Mines
from tests.play import blackboard
from tests.small_world import lively_world

CLAYSTONE, QUARRY, SALAR = range(3)
MINING = {
    "cost_factor": 1,
    "outage": 0,
    "cost_decline": 0,
    "anchoring": 0,
    "full_above": 1.4,
    "idle_below": 0.9,
    "restart_above": 1.25,
    "restart_time": 6,
    "pace": 1,
    "fastest_growth": 1e4,
    "reinvestment": 1e3,
}


def stand(**differences):
    """Mines with a cash cost of 5,000 (salar 4,000) and a market with a price of 20,000."""
    mines = {"quarry": {"cash_cost": 5000}, "salar": {"cash_cost": 4000}, "claystone": {"cash_cost": 5000}}
    mining = MINING | differences.pop("mining", {})
    drawn = draw(lively_world(mines=mines, mining=mining, lithium={"first_price": 20_000}, **differences), 1, np.arange(3))
    market = blackboard(drawn)
    market.lithium_price[...] = 20_000
    return Mines(drawn, 1, np.arange(3)), market


def operate(mines, market, price, months, now=0):
    """Some months at a price."""
    market.lithium_price[...] = price
    for _ in range(months):
        mines.work(market, now)


def test_at_a_good_price_a_mine_runs_at_capacity():
    mines, market = stand()
    operate(mines, market, 20_000, 3)
    np.testing.assert_allclose(market.mine_output[:, [QUARRY, SALAR]], [[15_000, 5000]] * 3)
    assert not market.mine_output[:, CLAYSTONE].any()


def test_a_mine_idles_below_its_cost_and_the_cheaper_one_runs_on():
    mines, market = stand()
    operate(mines, market, 0.89 * 5000, 24)
    assert (mines.status[:, [QUARRY, SALAR]] == [IDLE, PRODUCING]).all()
    assert (market.mine_output[:, QUARRY] < 1).all()
    assert (market.mine_output[:, SALAR] > 1).all()


def test_an_idle_mine_waits_for_more_than_its_cost_and_for_its_people():
    mines, market = stand()
    operate(mines, market, 0.89 * 5000, 12)
    operate(mines, market, 1.24 * 5000, 24)
    assert (mines.status[:, QUARRY] == IDLE).all()
    operate(mines, market, 1.3 * 5000, 5)
    assert (mines.status[:, QUARRY] == IDLE).all()
    operate(mines, market, 1.3 * 5000, 1)
    assert (mines.status[:, QUARRY] == PRODUCING).all()


def test_a_price_that_stays_high_for_too_short_a_time_restarts_nothing():
    mines, market = stand()
    operate(mines, market, 1000, 3)
    for _ in range(5):
        operate(mines, market, 9000, 5)
        operate(mines, market, 5000, 1)
    assert (mines.status[:, QUARRY] == IDLE).all()


@pytest.mark.parametrize(("over_cost", "share"), [(0.9, 0.0), (1.15, 0.5), (1.4, 1.0), (9.0, 1.0)])
def test_output_is_throttled_between_idling_and_a_full_margin(over_cost, share):
    mines, market = stand()
    operate(mines, market, over_cost * 5000 + 1e-6, 60)
    np.testing.assert_allclose(market.mine_output[:, QUARRY], share * 15_000, atol=1)


def test_new_capacity_ramps():
    mines, market = stand(mining={"ramp_time": 5})
    mines.capacity[:, QUARRY] += 120_000
    operate(mines, market, 20_000, 5)
    np.testing.assert_allclose(market.mine_output[:, QUARRY] * 12, 180_000 + 120_000 * (1 - 0.8**5))


def test_an_outage_takes_its_share():
    mines, market = stand()
    market.mine_cut[:, QUARRY] = 0.3
    operate(mines, market, 20_000, 1)
    np.testing.assert_allclose(market.mine_output[:, [QUARRY, SALAR]], [[0.7 * 15_000, 5000]] * 3)


def test_nobody_builds_below_the_incentive_price():
    mines, _ = stand()
    mines.expected_price = np.log(mines.incentive.min(axis=-1)) - 0.01
    for month in range(2, 60, 3):
        mines.commit(month)
    assert not mines.opening.any()
    assert (mines.status[:, CLAYSTONE] == EVALUATION).all()


def test_at_a_price_that_pays_mines_expand_but_not_beyond_their_deposit():
    mines, market = stand(last_year=2040)
    for month in range(2, 300, 3):
        for passed in (month - 2, month - 1, month):
            mines.work(market, passed)
        mines.commit(month)
    assert (mines.capacity <= mines.potential * (1 + 1e-12)).all()
    assert (mines.capacity[:, [QUARRY, SALAR]] > 0.99 * mines.potential[:, [QUARRY, SALAR]]).all()


def test_a_new_mine_comes_after_its_lead_time_in_stages():
    mines, market = stand(mining={"expansion_rate": 1e4, "first_stage": 0.4})
    mines.commit(11)
    assert (mines.status[:, CLAYSTONE] == EVALUATION).all(), "it is known from 2016 on"
    mines.commit(14)
    assert (mines.status[:, CLAYSTONE] == CONSTRUCTION).all()
    for month in range(15, 14 + 24):
        mines.work(market, month)
    assert not mines.capacity[:, CLAYSTONE].any()
    mines.work(market, 14 + 24)
    np.testing.assert_allclose(mines.capacity[:, CLAYSTONE], 40_000)
    assert (mines.status[:, CLAYSTONE] == PRODUCING).all()


def test_rock_expands_sooner_than_it_is_opened_and_no_boom_hastens_brine():
    mines, _ = stand(mining={"pace": 0.5, "expansion_time": 0.5, "brine_pace": 1.5, "expansion_rate": 1}, last_year=2030)
    mines.commit(5)
    first = (mines.opening > 0).argmax(axis=1)
    np.testing.assert_array_equal(first[:, [QUARRY, SALAR]], [[5 + 12, 5 + 90]] * 3)
    np.testing.assert_allclose(mines.lead_time[:, [QUARRY, SALAR, CLAYSTONE]], [[24, 90, 12]] * 3)


def test_what_was_under_construction_opens_as_large_as_it_was_built_for():
    salar = {"cash_cost": 4000, "status": "construction", "capacity": "17500 t/year"}
    drawn = draw(lively_world(mines={"quarry": {"cash_cost": 5000}, "salar": salar}, mining=MINING | {"brine_pace": 1}), 1, np.arange(3))
    mines, market = Mines(drawn, 1, np.arange(3)), blackboard(drawn)
    operate(mines, market, 20_000, 1, now=29)
    assert not mines.capacity[:, SALAR].any()
    operate(mines, market, 20_000, 1, now=30)
    np.testing.assert_allclose(mines.capacity[:, SALAR], 17_500)


def test_a_resource_becomes_a_project_in_its_year():
    mines, _ = stand()
    mines.expected_price[...] = 0
    mines.status[:, CLAYSTONE] = RESOURCE
    mines.commit(11)
    assert (mines.status[:, CLAYSTONE] == RESOURCE).all()
    mines.commit(12)
    assert (mines.status[:, CLAYSTONE] == EVALUATION).all()


@pytest.mark.parametrize("fastest", [0.4, 40])
def test_owners_together_commit_no_more_in_a_quarter_than_contractors_can_build(fastest):
    (free, _), (mines, _) = stand(mining={"expansion_rate": 2}), stand(mining={"expansion_rate": 2, "fastest_growth": fastest})
    for each in (free, mines):
        each.commit(5)
    eager = free.underway.sum(axis=-1)
    built = np.minimum(eager, fastest / 4 * 240_000)
    assert (built < eager).all() == (fastest < 1)
    np.testing.assert_allclose(mines.underway, free.underway * (built / eager)[:, None])


def test_owners_together_invest_no_more_than_a_quarter_of_earnings_allows():
    mines, _ = stand(mining={"expansion_rate": 2, "reinvestment": 0.5})
    mines.expected_price[...] = np.log(15_000)
    mines.commit(5)
    earned = (180_000 * (15_000 - 5000) + 60_000 * (15_000 - 4000)) / 4
    np.testing.assert_allclose((mines.underway * mines.capital_cost).sum(axis=-1), earned / 2)


def test_expectations_follow_the_price_slowly():
    mines, market = stand(mining={"expectation_time": 4})
    market.lithium_price[...] = 40_000
    for month in range(1, 5):
        mines.form_expectation(market)
        np.testing.assert_allclose(mines.expected_price, np.log(40_000) - np.log(2) * 0.75**month)


def test_what_deposits_leave_unexplained_multiplies_what_is_put_out_and_nothing_else():
    (mines, market), (other, unexplained) = stand(), stand()
    unexplained.unexplained_mine_output[...] = [0.0, 0.3, -0.5]
    operate(mines, market, 20_000, 3)
    operate(other, unexplained, 20_000, 3)
    np.testing.assert_allclose(unexplained.mine_output / market.mine_output.clip(1e-9), np.exp([[0.0], [0.3], [-0.5]]) * [0, 1, 1])
    np.testing.assert_array_equal(other.running, mines.running)


def test_on_its_way_is_what_ramps_and_what_opens_within_a_year():
    mines, market = stand(mining={"ramp_time": 5})
    operate(mines, market, 20_000, 1)
    np.testing.assert_allclose(market.mine_coming, 0, atol=1e-6)
    mines._build(0, np.full((3, 3), 1000.0), np.full((3, 3), 12.0))
    mines._build(0, np.full((3, 3), 500.0), np.full((3, 3), 13.0))
    operate(mines, market, 20_000, 1)
    np.testing.assert_allclose(market.mine_coming, 3000)
    mines.capacity[:, QUARRY] += 10_000
    market.unexplained_mine_output[...] = [0.0, 0.3, -0.5]
    operate(mines, market, 20_000, 1)
    np.testing.assert_allclose(market.mine_coming, (3000 + 8000) * np.exp([0.0, 0.3, -0.5]))


def test_the_marginal_cost_is_that_of_the_last_tenth_of_running_capacity():
    mines, market = stand()
    for quarry, salar, marginal in ((180, 60, 5000), (9, 91, 4000), (11, 89, 5000), (0, 0, 4000)):
        mines.capacity[:, [QUARRY, SALAR]] = mines.running[:, [QUARRY, SALAR]] = [quarry, salar]
        operate(mines, market, 20_000, 1)
        np.testing.assert_allclose(market.marginal_cost, marginal)


def test_the_marginal_cost_falls_as_mining_grows_cheaper():
    mines, market = stand(mining={"cost_decline": 0.1})
    for _ in range(12):
        mines.cheapen()
    operate(mines, market, 20_000, 1)
    np.testing.assert_allclose(market.marginal_cost, 0.9 * 5000)


@pytest.mark.parametrize(("months", "seen"), [(1, 3000), (12, 3000), (13, 0), (500, 0)])
def test_the_end_of_the_horizon_hides_nothing_that_is_on_its_way_and_brings_nothing_nearer(months, seen):
    mines, market = stand(last_year=2017)
    operate(mines, market, 20_000, 1)
    mines._build(35, np.full((3, 3), 1000.0), np.full((3, 3), months))
    operate(mines, market, 20_000, 1, now=35)
    np.testing.assert_allclose(market.mine_coming, seen, atol=1e-6)


@pytest.mark.parametrize(("unsold", "share"), [(5, 1), (10, 1), (20, 0.5), (40, 0.25)])
def test_who_cannot_sell_puts_out_no_more_than_is_taken(unsold, share):
    mines, market = stand(mining={"unsold_limit": 10})
    market.lithium_unsold[...] = unsold
    operate(mines, market, 20_000, 60)
    np.testing.assert_allclose(market.mine_output[:, QUARRY], 15_000 * share, rtol=1e-3)


def test_while_too_much_is_unsold_nobody_builds_on_and_what_was_begun_opens_as_much_later():
    mines, market = stand(mining={"unsold_limit": 10})
    mines._build(0, np.full(mines.capacity.shape, 6000.0), np.full(mines.capacity.shape, 12.0))
    before = mines.capacity.copy()
    for now in range(20):
        market.lithium_unsold[...] = 11 if 4 <= now < 9 else 9
        operate(mines, market, 20_000, 1, now)
        np.testing.assert_allclose(mines.capacity - before, 6000 * (now >= 12 + 5))
