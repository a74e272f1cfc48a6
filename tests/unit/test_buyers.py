"""Buyers weigh cost and virtues, wait for new things to be designed in, and wear batteries out."""

import numpy as np
import pytest
import simpy

from forecast.ensemble.design import draw
from forecast.layout import blank
from forecast.model.buyers import AGE_CLASSES, SAMPLES, Shoppers, born
from tests.play import blackboard
from tests.small_world import lively_world

CARS, STORAGE = range(2)
LFP, NMC, SODIUM = range(3)
CLOSE = 1e-5  # offers are in single precision


def stand(**differences):
    """Shoppers who have looked at a market where everything costs 100 and is on offer."""
    drawn = draw(lively_world(**differences), 1, np.arange(2))
    shoppers, market = Shoppers(drawn, 1, np.arange(2)), blackboard(drawn)
    market.offer_price[...] = 100
    market.specific_energy[...] = 150
    market.offered[...] = 1
    shoppers.opened[...] = 1
    utility(shoppers, market)
    return shoppers, market


def utility(shoppers, market):
    """Utility of each chemistry to the mean buyer now, (realization, segment, region, chemistry)."""
    shoppers.weigh(market, 0)
    return shoppers.offered("base").copy()


def change(shoppers, market, column, step, place=...):
    """What a step in one column of the market, if of policy a proclaimed one, does to utility."""
    before = utility(shoppers, market)
    getattr(market, column)[place] += step
    market.proclaimed += 1
    return utility(shoppers, market) - before


def test_a_dearer_offer_is_liked_less_and_a_subsidy_makes_up_for_it():
    shoppers, market = stand()
    assert (change(shoppers, market, "offer_price", 50) < 0).all()
    cheap, dear = stand(), stand()
    dear[1].offer_price[...] += 20
    dear[1].subsidy[...] += 20
    np.testing.assert_allclose(utility(*dear), utility(*cheap), rtol=1e-6)


def test_an_alarm_frightens_by_the_taste_for_safety():
    shoppers, market = stand(segments={"cars": {"safety": 0.5}, "storage": {"safety": 0.8}})
    felt = change(shoppers, market, "alarm", 1, (slice(None), NMC))
    np.testing.assert_allclose(felt[:, CARS, :, NMC], -0.5, atol=CLOSE)
    np.testing.assert_allclose(felt[:, STORAGE, :, NMC], -0.8, atol=CLOSE)
    assert not felt[..., LFP].any()


def test_those_who_are_like_their_peers_and_tired_of_waiting_say_so():
    shoppers, market = stand(buyers={"patience": 2}, segments={"cars": {"imitation": 1.5}})
    before = utility(shoppers, market)
    shoppers.peers[..., LFP] += 0.2
    shoppers.waiting[..., NMC] *= 0.5
    felt = utility(shoppers, market) - before
    np.testing.assert_allclose(felt[:, CARS, :, LFP], 0.3, atol=CLOSE)
    np.testing.assert_allclose(felt[:, CARS, :, NMC], 2 * np.log(0.5), atol=CLOSE)


@pytest.mark.parametrize(("cycles", "life"), [(400, 4), (4000, 10), (1e6, 10)])
def test_a_battery_lives_until_its_cycles_years_or_use_are_over(cycles, life):
    shoppers, _ = stand(
        chemistries={"lfp": {"cycle_life": cycles, "calendar_life": 12}}, segments={"cars": {"cycles_per_year": 100, "service_life": 10}}
    )
    np.testing.assert_allclose(shoppers.life[:, CARS, LFP], life)


def test_a_battery_that_must_be_replaced_costs_more_to_own():
    long, short = (utility(*stand(chemistries={"lfp": {"cycle_life": cycles}})) for cycles in (4000, 600))
    sensitivity = stand()[0].segments.price_sensitivity[..., None]
    assert (short[..., LFP] < long[..., LFP] - sensitivity * np.log(1.2)).all()
    np.testing.assert_array_equal(short[..., NMC], long[..., NMC])


def test_a_new_chemistry_is_designed_in_from_its_first_samples_and_spreads_over_products():
    shoppers, market = stand(segments={"cars": {"design_in": 6, "acceptance_time": 12}})
    opened = []
    for month in range(40):
        market.programme_stage[:, 0, SODIUM] = SAMPLES if month >= 10 else SAMPLES - 1
        shoppers.admit(market, month)
        shoppers.weigh(market, month)
        opened.append(shoppers.offered("admission")[0, CARS, 0].copy())
    opened = np.array(opened)
    np.testing.assert_allclose(opened[:, [LFP, NMC]], 1)
    assert not opened[:17, SODIUM].any()
    np.testing.assert_allclose(opened[10 + 6 + 12, SODIUM], 1 - 1 / np.e, rtol=1e-6)


def proclaim(market, barred):
    """Write down, as policy does, what share of buyers may not buy LFP."""
    market.barred[..., LFP] = barred
    market.proclaimed += 1


def test_products_open_one_by_one_to_a_chemistry_that_is_no_longer_barred_once_they_are_designed():
    shoppers, market = stand(segments={"cars": {"acceptance_time": 12, "design_in": 4}})
    open_to = []
    for month in range(22):
        proclaim(market, 0.8 if month < 6 else 0.1)
        shoppers.obey(market, month)
        shoppers.admit(market, month)
        shoppers.weigh(market, month)
        open_to.append(shoppers.offered("admission")[0, CARS, 0, LFP])
    np.testing.assert_allclose(open_to[:10], 0.2, rtol=1e-6)
    np.testing.assert_allclose(open_to[9 + 12], 1 - 0.8 / np.e, rtol=1e-6)
    assert (np.diff(open_to[9:]) > 0).all()


def test_a_stricter_bar_closes_at_once_even_while_another_is_forgotten():
    shoppers, market = stand(segments={"cars": {"acceptance_time": 12, "design_in": 4}})
    for month, law, closed in ((0, 0.5, 0.5), (1, 0.2, 0.5), (3, 0.2, 0.5), (4, 0.9, 0.9), (5, 0.2, 0.9), (8, 0.2, 0.9)):
        proclaim(market, law)
        shoppers.obey(market, month)
        np.testing.assert_allclose(shoppers.law[:, CARS, :, LFP], closed, err_msg=str(month))
    shoppers.obey(market, 9)
    np.testing.assert_allclose(shoppers.law[:, CARS, :, LFP], 0.2)


def test_what_nobody_offers_or_the_law_forbids_is_not_admitted():
    shoppers, market = stand()
    market.offered[:, NMC] = 0
    proclaim(market, 0.3)
    shoppers.obey(market, 0)
    shoppers.admit(market, 0)
    shoppers.weigh(market, 0)
    np.testing.assert_allclose(shoppers.offered("admission")[..., LFP], 0.7, rtol=1e-6)
    assert not shoppers.offered("admission")[..., NMC].any()


def test_half_of_the_buyers_need_more_than_the_median_requirement():
    shoppers, market = stand(segments={"cars": {"minimum_specific_energy": 150, "requirement_spread": 0.2}})
    for energy, expected in ((150.0, 0.0), (150.0 * np.exp(0.2), 1.0)):
        market.specific_energy[...] = energy / shoppers.chemistries.packing[:, 0]
        shoppers.weigh(market, 0)
        np.testing.assert_allclose(shoppers.offered("specific_energy")[:, CARS], expected, atol=1e-6)


def test_what_is_in_use_at_the_start_grows_old_though_nobody_buys_more():
    shoppers, market = stand()
    next(shoppers.run(simpy.Environment(), market))
    before = shoppers.ages.sum(axis=-1)
    np.testing.assert_array_equal(market.stock, before)
    market.deliveries[...] = 0
    shoppers.retire(market)
    assert (market.retirements > 0).sum() == (before > 0).sum() > 0
    np.testing.assert_allclose(market.stock + market.retirements, before)


def test_batteries_retire_after_their_life_on_average_spread_by_a_quarter():
    shoppers, market = stand(segments={"storage": {"service_life": 10}}, chemistries={"lfp": {"calendar_life": 30, "cycle_life": 1e5}})
    shoppers.ages[...] = 0
    market.deliveries[:, STORAGE, 0, LFP] = 1
    gone = []
    for _ in range(480):
        shoppers.retire(market)
        gone.append(market.retirements[0, STORAGE, 0, LFP])
        market.deliveries[...] = 0
    gone, years = np.array(gone), np.arange(480) / 12
    mean = (gone * years).sum()
    assert gone.sum() == pytest.approx(1)
    assert mean == pytest.approx(10, rel=0.02)
    assert np.sqrt((gone * (years - mean) ** 2).sum()) == pytest.approx(10 / np.sqrt(AGE_CLASSES), rel=0.1)


def test_an_unexplained_taste_is_felt_as_such_in_the_segments_on_record_alone():
    shoppers, market = stand(unexplained={"segments": ["cars"], "reference": "nmc"})
    felt = change(shoppers, market, "unexplained_taste", np.array([0.7, -1.5]), (slice(None), slice(None), LFP))
    np.testing.assert_allclose(felt[:, CARS, :, LFP], [[0.7, -1.5]] * 2, atol=CLOSE)
    assert not felt[:, CARS, :, [NMC, SODIUM]].any()
    assert not felt[:, STORAGE].any()


def test_orders_are_demand_and_what_still_waits_divided_by_wishes_and_a_month_without_shoppers_repeats_the_last():
    shoppers, market = stand(buyers={"withdrawal": 0.75})
    market.demand[...] = 3
    market.backlog[..., LFP] = 4
    wish = blank(shoppers.shape)
    wish[..., LFP], wish[..., NMC] = 3, 1
    for wishes in (wish, wish * 0):
        shoppers.place_orders(market, wishes)
        np.testing.assert_allclose(market.orders[..., :2] / [3, 1], 1)
        np.testing.assert_allclose(market.withdrawn, 3)


@pytest.mark.parametrize("withdrawal", [0, 0.25, 1])
def test_of_what_never_comes_a_share_is_given_up_each_month(withdrawal):
    shoppers, market = stand(buyers={"withdrawal": withdrawal})
    wish = blank(shoppers.shape, 1.0)
    market.demand[...] = 6
    for month in range(4):
        shoppers.place_orders(market, wish)
        shoppers.take_home(market, month)
        market.demand[...] = 0
        np.testing.assert_allclose(market.backlog.sum(axis=-1), 6 * (1 - withdrawal) ** month, atol=1e-12)


def test_buyers_who_are_kept_for_the_next_block_are_those_of_their_seed_and_number():
    first, kept, other, more = (born(seed, ("cars/north",), (count,)) for seed, count in ((1, 30), (1, 30), (2, 30), (1, 40)))
    assert kept[0] is first[0]
    assert not np.isin(first[1], other[1]).any()
    for few, many in zip(first, more, strict=True):
        np.testing.assert_array_equal(few, many[:30])
