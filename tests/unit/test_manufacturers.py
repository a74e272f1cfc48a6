"""Makers price at cost and a markup, deliver what they can, learn, keep books, and fail without taking lines with them."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.cost import annuity
from forecast.model.manufacturers import Manufacturers
from forecast.model.market import COST_PARTS
from tests.play import blackboard, history
from tests.small_world import lively_world

LFP, NMC, SODIUM = range(3)
MAKER, RHINE, SALT = range(3)
CHINA, EUROPE = range(2)


def stand(**differences):
    """Makers that have founded themselves, and a market with prices of minerals, components and lithium."""
    drawn = draw(lively_world(**differences), 1, np.arange(2))
    makers, market = Manufacturers(drawn), blackboard(drawn)
    market.alive[...] = 0
    market.mineral_price[...] = drawn.minerals.opening_price
    market.lithium_price[...] = drawn.lithium.first_price
    market.component_price[...] = drawn.components.opening_price
    market.component_met[...] = 1
    market.lithium_at_hand[...] = 1e12
    makers.found(market, 2015)
    return makers, market


def offering(**differences):
    """As ``stand``, with prices posted and offers made."""
    makers, market = stand(**differences)
    makers.reckon(market, 2015.0)
    makers.post_prices(market, first=True)
    makers.offer(market)
    return makers, market


def shares(makers):
    """Shares of a region's orders, (realization, region, maker, chemistry)."""
    at_home = makers.home == np.arange(makers.total.shape[1])[:, None]
    pull = np.where(at_home[..., None], makers.at_home[:, None], makers.abroad[:, None] * makers.power[:, :, makers.home])
    return pull / makers.total[:, :, None]


def order(makers, market, amount, chemistry=LFP):
    """Orders of a chemistry in every segment and region, GWh a month, and what comes of them."""
    market.orders[..., chemistry] = amount
    market.orders_by_region[...] = market.orders.sum(axis=1)
    makers.deliver(market)
    makers.look_back(market)


def test_a_maker_enters_in_its_year_with_its_lines_and_its_money():
    makers, market = stand(manufacturers={"rhine": {"founded": 2017}})
    assert market.alive[0].tolist() == [1, 0, 1]
    assert not market.capacity[:, RHINE].any()
    makers.found(market, 2017)
    assert market.capacity[0, RHINE].tolist() == [5, 20, 0]
    market.capacity[:, RHINE] = 1
    makers.found(market, 2018)
    assert (market.capacity[:, RHINE] == 1).all()
    assert market.cash[0].tolist() == [5000, 3000, 500]


def test_the_parts_of_cost_add_up_to_the_cost():
    _, market = offering()
    weight = market.capacity[:, :, :2] / market.capacity[:, :, :2].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(market.cost_of[:, :2].sum(axis=-1), (market.unit_cost[..., :2] * weight).sum(axis=1), rtol=1e-6)
    assert len(COST_PARTS) == market.cost_of.shape[-1]
    assert (market.cost_of[:, :2, [0, 2, 3, 4]] > 0).all()


def test_full_cost_is_cash_cost_and_the_annuity_of_the_line():
    makers, market = offering()
    industry = makers.industry
    charge = 1 / (annuity(industry.capital_charge, industry.line_life) * industry.normal_utilisation)
    np.testing.assert_allclose(market.unit_cost - makers.cash_cost, market.line_cost * charge[:, None, None])
    np.testing.assert_allclose(market.line_cost[:, MAKER, LFP], 110, rtol=1e-6)
    np.testing.assert_allclose(market.line_cost[:, RHINE, LFP], 110 * 1.3, rtol=1e-6)


def test_doubling_experience_cuts_processing_by_the_learning_rate():
    makers, market = stand()
    opening = makers.chemistries.opening_experience
    processing = []
    for doubled in (0, 1):
        market.experience[...] = opening * 2**doubled
        processing.append(makers.learned(market)[0][:, LFP].copy())
    here, there = processing
    rate = makers.chemistries.learning_rate[:, LFP]
    np.testing.assert_allclose((there - 18) / (here - 18), 1 - rate)


def test_yield_ripens_with_a_makers_own_output():
    makers, market = stand()
    makers.reckon(market, 2015.0)
    np.testing.assert_allclose(market.good[:, :, LFP], 0.8)
    makers.made[:, MAKER, LFP] = 5
    makers.reckon(market, 2015.0)
    np.testing.assert_allclose(market.good[:, MAKER, LFP], 0.95 - 0.15 / np.e)
    np.testing.assert_allclose(market.good[:, RHINE, LFP], 0.8)


def test_dearer_lithium_reaches_the_cost_of_lithium_chemistries_alone_and_slowly():
    makers, market = stand(industry={"material_lag": 4})
    makers.reckon(market, 2015.0)
    before = market.unit_cost.copy()
    market.lithium_price *= 3
    makers.reckon(market, 2015.0)
    first = market.unit_cost - before
    for _ in range(60):
        makers.reckon(market, 2015.0)
    last = market.unit_cost - before
    np.testing.assert_allclose(first[..., :2] / last[..., :2], 0.25, rtol=1e-6)
    assert not last[..., SODIUM].any()
    assert (last[..., :2] > 5).all()


def test_what_is_sold_in_large_cells_counts_as_experience_and_so_do_relatives():
    makers, market = stand(segments={"storage": {"experience": 0.25}})
    market.deliveries[:, 0, :, LFP], market.deliveries[:, 1, :, LFP] = 3, 4
    before = makers.experience()
    makers.learn(market)
    np.testing.assert_allclose(makers.experience() - before, [[8, 0.4 * 8, 0.5 * 8]] * 2)


def test_markups_rise_with_utilisation_down_to_cash_cost():
    makers, market = stand()
    makers.reckon(market, 2015.0)
    prices = []
    for pressure in (0.0, 0.6, 1.0, 1.6):
        makers.pressure[...] = pressure
        makers.post_prices(market, first=True)
        prices.append(market.price[..., LFP].copy())
    assert (np.diff(prices, axis=0) >= 0).all()
    industry = makers.industry
    np.testing.assert_allclose(prices[1], (market.unit_cost * (1 + industry.normal_markup[:, None, None]))[..., LFP])
    makers.pressure[...] = -50
    makers.post_prices(market, first=True)
    np.testing.assert_allclose(market.price[..., LFP], (industry.lowest_price[:, None, None] * makers.cash_cost)[..., LFP])


def test_what_cost_and_margin_leave_unexplained_multiplies_prices_and_is_not_built_upon():
    makers, market = offering()
    for unexplained in (0.2, -0.4, 0.0):
        market.unexplained_cell_price[...] = unexplained
        makers.post_prices(market, first=False)
        np.testing.assert_allclose(market.price, makers.listed * np.exp(unexplained))
        np.testing.assert_allclose(market.margin, market.price / market.unit_cost - 1)
    plain, calm = offering()
    for _ in range(3):
        plain.post_prices(calm, first=False)
    np.testing.assert_allclose(market.price, calm.price)


def test_only_chemistries_that_came_from_programmes_are_sold_in_advance_of_their_cost():
    makers, market = offering()
    gift = makers.gift(market)
    for part in gift:
        assert not part[:, :2].any()
        assert (part[:, SODIUM] > 0).all()
    market.cells_made[:, SODIUM] = makers.industry.forward_scale / 12
    for part, before in zip(makers.gift(market), gift, strict=True):
        np.testing.assert_allclose(part[:, SODIUM], before[:, SODIUM] / 2)


def test_makers_give_away_their_share_of_what_they_expect_cost_to_fall_by():
    plain = {"markup_slope": 0, "normal_markup": 0, "lowest_price": 0.1}
    makers, market = offering(industry={"forward_pricing": 0.5, "forward_doublings": 3, **plain})
    before, price = market.unit_cost[..., SODIUM].copy(), market.price[..., SODIUM].copy()
    makers.world_made[:, SODIUM] = 7 * makers.chemistries.opening_experience[:, SODIUM]
    makers.reckon(market, 2015.0)
    np.testing.assert_allclose(before - price, 0.5 * (before - market.unit_cost[..., SODIUM]))


def test_orders_go_to_the_cheaper_and_the_larger():
    makers, market = offering()
    np.testing.assert_allclose(shares(makers).sum(axis=2)[..., :2], 1)
    assert not shares(makers)[..., SODIUM].any()
    assert (market.offered == [1, 1, 0]).all()
    before = shares(makers)[:, CHINA, MAKER, LFP].copy()
    market.price[:, MAKER, LFP] *= 1.05
    makers.offer(market)
    elasticity = makers.industry.maker_elasticity
    odds = (shares(makers) / (1 - shares(makers)))[:, CHINA, MAKER, LFP] / (before / (1 - before))
    np.testing.assert_allclose(odds, 1.05**-elasticity)


def test_the_offer_is_the_mean_landed_price_of_its_makers_by_their_shares():
    makers, market = offering()
    landed = market.price[:, :2, LFP] * [1.08, 1.0]
    expected = (shares(makers)[:, EUROPE, :2, LFP] * landed).sum(axis=1)
    np.testing.assert_allclose(market.offer_price[:, EUROPE, LFP], expected)


def test_many_equal_makers_count_for_more_than_one():
    makers, market = offering()
    market.price[...] = 50
    market.capacity[...] = 0
    market.capacity[:, MAKER] = 10
    makers.offer(market)
    np.testing.assert_allclose(market.makers_choice, 0, atol=1e-12)
    market.capacity[...] = 10
    makers.factor[...] = makers.power[...] = 1  # as if transport cost nothing
    makers.offer(market)
    np.testing.assert_allclose(market.makers_choice, np.log(3))


def test_small_orders_are_filled_and_large_ones_as_far_as_lines_allow():
    makers, market = offering()
    order(makers, market, 0.1)
    np.testing.assert_allclose(market.fill[..., LFP], 1)
    np.testing.assert_allclose(market.output.sum(axis=(1, 2)), 0.4)
    order(makers, market, 100.0)
    able = (market.capacity * market.good)[..., LFP].sum(axis=1) / 12
    np.testing.assert_allclose(market.output.sum(axis=(1, 2)), able)
    np.testing.assert_allclose((market.fill * market.orders.sum(axis=2)).sum(axis=(1, 2)), able)


def test_who_is_full_passes_orders_on():
    makers, market = offering()
    makers.total[...] = makers.power[...] = 1
    makers.abroad[:, :, LFP] = makers.at_home[:, :, LFP] = [0, 1, 0]
    order(makers, market, 0.5)
    np.testing.assert_allclose(market.output[:, RHINE, LFP], 5 * 0.8 / 12)
    np.testing.assert_allclose(market.output[..., LFP].sum(axis=1), 2)


def test_without_lithium_lithium_cells_are_cut_for_all_alike():
    makers, market = offering()
    market.lithium_content[...] = [600, 600, 0]
    order(makers, market, 0.2)
    full = market.output.copy()
    market.lithium_at_hand[...] = market.lithium_wanted / 4
    order(makers, market, 0.2)
    np.testing.assert_allclose(market.output, full / 4)
    np.testing.assert_allclose((market.fill * market.orders.sum(axis=2)).sum(axis=1)[:, LFP], 0.8 / 4)


def test_missing_components_cut_the_chemistry_that_needs_them():
    makers, market = offering()
    market.component_met[:, LFP] = 0.5
    order(makers, market, 100.0)
    np.testing.assert_allclose(market.output[..., LFP].sum(axis=1), (market.capacity * market.good)[..., LFP].sum(axis=1) / 24)


def test_cash_is_what_came_in_less_what_went_out():
    makers, market = offering()
    order(makers, market, 1.0)
    before = market.cash.copy()
    market.programme_spending[:, SALT] = 7
    makers.book(market)
    earned = (market.output * (market.price - makers.cash_cost)).sum(axis=-1)
    upkeep = (market.capacity * market.line_cost).sum(axis=-1) * makers.industry.upkeep[:, None] / 12
    np.testing.assert_allclose((market.cash - before)[:, SALT], -7 - upkeep[:, SALT])
    assert (market.cash - before <= earned - upkeep + 1e-9)[:, :2].all()


@pytest.mark.parametrize("why", ["debt", "event"])
def test_the_lines_of_a_failed_maker_are_sold_and_none_is_lost_on_that_day(why):
    makers, market = offering()
    market.revenue[...] = 1000
    before = market.capacity.copy()
    if why == "debt":
        market.cash[:, MAKER] = -1e9
    else:
        market.failing[:, MAKER] = 1
    makers.fail(market)
    assert (market.alive == [0, 1, 1]).all()
    assert not market.capacity[:, MAKER].any()
    np.testing.assert_allclose(market.capacity.sum(axis=1), before.sum(axis=1), rtol=1e-12)
    assert (market.capacity[:, RHINE] >= before[:, RHINE]).all()


def test_nobody_fails_while_lenders_are_patient():
    makers, market = offering(industry={"credit": 1.5, "patience": 500})
    market.revenue[...] = 1000
    market.cash[...] = -1999
    makers.fail(market)
    assert market.alive.all()
    market.cash[...] = -2001
    makers.fail(market)
    assert not market.alive.any()


def test_a_failed_maker_never_comes_back_nor_sells():
    event = {"kind": "bankruptcy", "start": 2015.5, "end": 2015.6, "manufacturers": ["rhine"]}
    seen = history(draw(lively_world(policy={"event": event}), 1, np.arange(2)), alive=None, capacity=None, output=None)
    assert seen["alive"][:6].all()
    assert not seen["alive"][6:, :, RHINE].any()
    assert not seen["capacity"][6:, :, RHINE].any()
    assert not seen["output"][7:, :, RHINE].any()
