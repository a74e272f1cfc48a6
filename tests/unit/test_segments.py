"""Demand keeps its history and follows its curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecast.ensemble.design import draw
from forecast.model.segments import SegmentDemand, logistic, monthly_history
from tests.play import blackboard, history
from tests.small_world import lively_world

NO_NOISE = {"demand": {"noise": 0}, "segments": {name: {"price_elasticity": 0} for name in ("cars", "storage")}}


@given(arrays(float, (2, 6), elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e5))))
def test_months_keep_the_sum_of_each_year(yearly):
    months = monthly_history(yearly).reshape(2, 6, 12)
    np.testing.assert_allclose(months.sum(axis=-1), yearly, rtol=1e-12)
    assert (months >= 0).all()


def test_months_of_a_level_history_are_level_and_of_a_growing_one_grow():
    np.testing.assert_allclose(monthly_history(np.full(4, 24.0)), 2)
    assert (np.diff(monthly_history(2.0 ** np.arange(6))) >= 0).all()


@given(st.floats(0.01, 100), st.floats(1.05, 100), st.floats(0.01, 2))
def test_the_s_curve_starts_where_it_should_and_grows_as_the_formula_says(start, room, growth):
    ceiling = start * room
    at = lambda years: logistic(np.array(start), np.array(ceiling), np.array(growth), np.array(years))  # noqa: E731
    assert at(0.0) == pytest.approx(start)
    assert at(1e5) == pytest.approx(ceiling)
    half_way = np.log(room - 1) / growth
    assert at(half_way) == pytest.approx(ceiling / 2)
    step = 1e-4
    slope = (at(half_way + step) - at(half_way - step)) / (2 * step)
    assert slope == pytest.approx(growth * ceiling / 4, rel=1e-3)


def test_the_observed_years_are_wanted_as_they_were():
    world = lively_world()
    wanted = history(draw(world, 1, np.arange(2)), demand=None)["demand"]
    for number, segment in enumerate(sorted(world.segments)):
        for place, region in enumerate(("china", "europe")):
            observed = world.segments[segment].history[region].at(np.arange(2015, 2018))
            np.testing.assert_allclose(wanted[:36, :, number, place].reshape(3, 12, 2).sum(axis=1), observed[:, None].repeat(2, axis=1))


def test_without_noise_and_price_response_the_future_is_the_s_curve():
    drawn = draw(lively_world(**NO_NOISE), 1, np.arange(2))
    wanted = history(drawn, demand=None)["demand"]
    agent = SegmentDemand(drawn, 1, np.arange(2))
    expected = logistic(agent.start, agent.ceiling, drawn.segments.growth[:, :, None], 31 / 12)
    np.testing.assert_allclose(wanted[36 + 24], expected / 12)


def test_the_forecast_knows_nothing_of_what_was_sold_after_the_observed_years():
    known = {2015: 10, 2016: 20, 2017: 30}
    here, there = (
        history(
            draw(lively_world(segments={"cars": {"history": {"china": known | {2018: later, 2021: later}}}}), 1, np.arange(2)), demand=None
        )
        for later in (40, 400)
    )
    np.testing.assert_array_equal(here["demand"], there["demand"])


@pytest.mark.parametrize(("change", "wanted"), [(2.0, 0.25), (0.5, 4.0), (1.0, 1.0)])
def test_dearer_packs_are_wanted_less_as_elasticity_says(change, wanted):
    drawn = draw(
        lively_world(demand={"noise": 0}, segments={name: {"price_elasticity": -2} for name in ("cars", "storage")}), 1, np.arange(2)
    )
    agent = SegmentDemand(drawn, 1, np.arange(2))
    agent.price = agent.reference = np.full((2, 2), 100.0)
    before = agent.at(40)
    agent.price = agent.price * change
    np.testing.assert_allclose(agent.at(40) / before, wanted)


def test_the_price_that_the_curve_expects_falls_year_by_year():
    drawn = draw(lively_world(demand={"expected_decline": 0.1}), 1, np.arange(1))
    agent, market = SegmentDemand(drawn, 1, np.arange(1)), blackboard(drawn)
    market.offer_price[...] = 100
    market.offered[...] = 1
    agent.watch_prices(market, agent.last_observed)
    before = agent.reference.copy()
    for month in range(12):
        agent.watch_prices(market, agent.last_observed + 1 + month)
    np.testing.assert_allclose(agent.reference / before, 0.9)


def test_a_surprise_has_its_spread_and_fades():
    drawn = draw(
        lively_world(last_year=2040, demand={"noise": 0.2, "persistence": 0.5}, **{"segments": NO_NOISE["segments"]}), 1, np.arange(60)
    )
    agent = SegmentDemand(drawn, 1, np.arange(60))
    agent.price = agent.reference = np.ones((60, 2))
    surprises = []
    for month in range(36, 300):
        agent.at(month)
        surprises.append(agent.surprise)
    late = np.array(surprises)[60:, :, 0]
    assert late.std() == pytest.approx(0.2, rel=0.05)
    assert np.corrcoef(late[:-6].ravel(), late[6:].ravel())[0, 1] == pytest.approx(np.exp(-1), abs=0.05)
