"""Demand keeps its history and follows its curve, with surprises that carry on and fade."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecast.ensemble.design import draw
from forecast.model.segments import (
    LARGEST_SURPRISE,
    SegmentDemand,
    along,
    last_quarter,
    last_year,
    logistic,
    monthly_history,
    observed_surprise,
    opening,
    pushes,
)
from tests.play import blackboard, history
from tests.small_world import lively_world, steered_world

NO_SURPRISE = {name: {"surprise": 0, "price_elasticity": 0} for name in ("cars", "storage")}
SURPRISING = {name: {"surprise": 0.2, "price_elasticity": 0} for name in ("cars", "storage")}


@given(arrays(float, (2, 6), elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e5))))
def test_months_keep_the_sum_of_each_year(yearly):
    months = monthly_history(yearly).reshape(2, 6, 12)
    np.testing.assert_allclose(months.sum(axis=-1), yearly, rtol=1e-12)
    assert (months >= 0).all()


def test_months_of_a_level_history_are_level_and_of_a_growing_one_grow():
    np.testing.assert_allclose(monthly_history(np.full(4, 24.0)), 2)
    assert (np.diff(monthly_history(2.0 ** np.arange(6))) >= 0).all()


@given(st.floats(0.01, 1e4), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_the_last_year_keeps_its_sum_bends_in_the_middle_and_ends_where_the_forecast_begins(sales, came, ahead):
    months, end = last_year(np.array(sales), np.array(came), np.array(ahead))
    assert months.sum() == pytest.approx(sales)
    pace = np.diff(np.log(months))
    np.testing.assert_allclose(pace[:5], came / 6, atol=1e-12)
    np.testing.assert_allclose(pace[6:], ahead / 6, atol=1e-12)
    assert end / 12 == pytest.approx(months[-1] * np.exp(ahead / 12))


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


def test_without_surprise_and_price_response_the_future_is_the_s_curve():
    drawn = draw(lively_world(segments=NO_SURPRISE, demand={"persistence": 1e-3}), 1, np.arange(2))
    wanted = history(drawn, demand=None)["demand"]
    agent = SegmentDemand(drawn, 1, np.arange(2))
    expected = logistic(agent.level, agent.ceiling, drawn.segments.growth[:, :, None], 25 / 12)
    np.testing.assert_allclose(wanted[36 + 24], expected / 12)
    middle = logistic(agent.level, agent.ceiling, drawn.segments.growth[:, :, None], -0.5)
    np.testing.assert_allclose(middle, drawn.segments.history[:, :, 24][None].repeat(2, axis=0), rtol=0.05)


def odds(filled):
    return np.log(filled / (1 - filled))


def test_without_news_the_surprise_of_the_last_year_carries_on_and_fades():
    drawn = draw(lively_world(segments=NO_SURPRISE, demand={"persistence": 2}), 1, np.arange(2))
    agent = SegmentDemand(drawn, 1, np.arange(2))
    seen = history(drawn, demand=None, unexplained_growth=None)
    nothing, never = np.zeros(agent.observed[..., -1].shape), np.full(agent.observed[..., -1].shape, np.inf)
    _, at_end, _ = opening(np.full(2, 2.0), np.zeros((2, 2)), agent.observed[..., -1], nothing, never)
    assert (np.abs(at_end) > 0.01).all()
    months = np.arange(1, 1 + 36)
    surprise = at_end * np.exp(-months / 24)[:, None, None, None]
    np.testing.assert_allclose(seen["unexplained_growth"][36:], surprise, rtol=1e-9)
    filled = odds(12 * seen["demand"][36:] / agent.ceiling)
    np.testing.assert_allclose(np.diff(filled, axis=0), (drawn.segments.growth[:, :, None] + surprise[1:]) / 12, rtol=1e-9)


def test_the_surprise_of_the_observed_years_is_written_down():
    drawn = draw(lively_world(), 1, np.arange(2))
    seen = history(drawn, unexplained_growth=None)["unexplained_growth"][:36].reshape(3, 12, 2, 2, 2)
    observed = np.moveaxis(SegmentDemand(drawn, 1, np.arange(2)).observed, -1, 0)
    np.testing.assert_array_equal(seen, observed[:, None].repeat(12, axis=1))
    assert not observed[0].any()
    assert observed[1:].all()


@given(st.floats(0.01, 0.9), st.floats(0, 0.8), st.floats(-0.5, 0.5))
def test_growth_beyond_that_of_the_curve_is_the_surprise(share, growth, surprise):
    yearly = logistic(np.array(share), np.array(1.0), np.array(growth + surprise), np.arange(3))
    seen = observed_surprise(yearly.reshape(1, 1, 3), np.ones((2, 1, 1)), np.full((2, 1, 1), growth))
    kept = yearly < 1 / 1.05  # a market that is all but full says nothing of growth
    np.testing.assert_allclose(seen[:, 0, 0, 1:][:, kept[1:]], np.broadcast_to(surprise, (2, kept[1:].sum())), atol=1e-9)
    assert not seen[..., 0].any()


@given(arrays(float, (1, 2, 4), elements=st.one_of(st.just(0.0), st.floats(1e-9, 1e5))))
def test_whatever_was_sold_nobody_believes_in_more_than_the_largest_surprise(yearly):
    seen = observed_surprise(yearly, np.full((2, 1, 2), 10.0), np.full((2, 1, 1), 0.3))
    assert (np.abs(seen) <= LARGEST_SURPRISE).all()


@pytest.mark.parametrize("error", [0.1, np.inf])
@pytest.mark.parametrize("persistence", [0.2, 1.0, 5.0])
def test_the_last_years_and_quarters_tell_of_the_end_what_a_fading_process_says(persistence, error):
    kept, rng, spread = np.exp(-1 / (12 * persistence)), np.random.default_rng(1), 0.4
    state = [rng.standard_normal(200_000)]
    for _ in range(24):
        state.append(kept * state[-1] + np.sqrt(1 - kept**2) * rng.standard_normal(200_000))
    level = spread * np.cumsum(state, axis=0)[:24] / 12  # logarithm of what is sold in each month, as far as growth moves it
    by_year = level[12:].mean(axis=0) - level[:12].mean(axis=0)
    by_quarter = level[21:].mean(axis=0) - level[9:12].mean(axis=0) + min(error, 9) * rng.standard_normal(200_000)
    one, seen = np.ones((1, 1, 1)), np.stack([by_year, by_quarter])
    told = [opening(np.array([persistence]), np.array([[spread]]), *news, error * one) for news in ((one, 0 * one), (0 * one, one))]
    half, end = (np.array([told[0][i].item(), told[1][i].item()]) @ seen for i in (0, 1))
    for found, truth in ((half, spread * np.mean(state[19:25], axis=0)), (end, spread * state[24])):
        assert np.cov(found, truth)[0, 1] == pytest.approx(found.var(), rel=0.03), "the best guess errs apart from what it says"
        assert np.corrcoef(truth - found, by_year)[0, 1] == pytest.approx(0, abs=0.01)
        assert error == np.inf or np.corrcoef(truth - found, by_quarter)[0, 1] == pytest.approx(0, abs=0.01)
    assert told[0][2].item() * spread == pytest.approx((spread * state[24] - end).std(), rel=0.02)


def test_what_growth_tells_does_not_depend_on_how_many_worlds_ask():
    rng, persistence = np.random.default_rng(1), np.linspace(0.3, 4.0, 60)
    seen = [rng.uniform(0.1, 0.5, (60, 2)), *rng.uniform(0.1, 0.5, (3, 60, 2, 3))]
    alone = opening(persistence[20:27], *(each[20:27] for each in seen))
    for few, many in zip(alone, opening(persistence, *seen), strict=True):
        np.testing.assert_array_equal(few, many[20:27])


def test_without_luck_no_quarter_is_believed():
    one = np.ones((1, 1, 1))
    for error in (0.0, 0.1, np.inf):
        told = opening(np.ones(1), np.zeros((1, 1)), one, 5 * one, error * one)
        np.testing.assert_array_equal(told, opening(np.ones(1), np.zeros((1, 1)), one, 0 * one, np.inf * one))


@pytest.mark.parametrize("filled", [0.01, 0.5])
def test_of_a_market_that_fills_the_same_growth_tells_the_more_and_the_less_surely(filled):
    """Growth is of the odds of what is filled, whatever filled it; sales of quarters are measured as they are."""
    drawn = draw(steered_world(record={"quarters_china": {"values": {2018: 1.1}, "error": 0.05}}), 1, np.arange(2))
    yearly = np.full((2, 2, 4), filled)
    seen, error = last_quarter(drawn, np.ones((2, 2, 2)), yearly, *np.ones((2, 2, 2, 2, 48)), np.full((2, 2, 1), 0.02))
    np.testing.assert_allclose(seen[:, 0, 0], np.log(1.1) / (1 - filled) - 0.02)
    np.testing.assert_allclose(error[:, 0, 0], 0.05 / (1 - filled))
    seen[:, 0, 0], error[:, 0, 0] = 0, np.inf
    assert not seen.any()
    assert np.isinf(error).all()


@pytest.mark.parametrize("ratio", [0.7, 1.9])
def test_sales_that_rose_at_the_end_of_the_last_year_go_on_rising_where_and_for_whom_that_is_on_record(ratio):
    told = {"quarters_china": {"values": {2018: ratio}, "error": 0.05}}
    here, there = (draw(steered_world(record=record, segments=SURPRISING), 1, np.arange(3)) for record in (told, {"quarters_china": None}))
    (wanted, before), size = (history(drawn, demand=None)["demand"] for drawn in (here, there)), np.sign(ratio - 1.3)
    cars, storage, china, europe = 0, 1, 0, 1
    assert (size * (wanted - before)[45:60, :, cars, china] > 0).all()
    for segment, region in ((cars, europe), (storage, china), (storage, europe)):
        np.testing.assert_array_equal(wanted[:, :, segment, region], before[:, :, segment, region])
    np.testing.assert_array_equal(wanted[:36], before[:36])
    np.testing.assert_allclose(wanted[36:48].sum(axis=0), before[36:48].sum(axis=0))
    step = np.log(wanted[48] / wanted[47])
    assert (np.abs(step) < 0.15).all(), "the forecast takes up where the record ends"


@pytest.mark.parametrize(("start", "end"), [(2017, 2019), (2017.5, 2019), (2016, 2017)])
def test_what_an_event_does_to_demand_is_in_the_record_and_not_in_the_pace_of_the_market(start, end):
    step = {"kind": "demand", "start": start, "end": end, "size": 1.5, "segments": ["cars"], "regions": ["china"]}
    other = {"kind": "programme", "start": 2015, "size": 3}
    lifted = np.ones(72)
    lifted[round((start - 2015) * 12) : (end - 2015) * 12] = 1.5
    sold = {2015: 9.0, 2016: 10.0, 2017: 12.0}

    def wanted(sold, **policy):
        cars = SURPRISING["cars"] | {"history": {"china": sold}}
        drawn = draw(lively_world(last_year=2020, segments=SURPRISING | {"cars": cars}, policy=policy), 1, np.arange(3))
        return history(drawn, demand=None)["demand"]

    alone = wanted(sold)
    counted = {year: (alone[:, 0, 0, 0] * lifted)[12 * n : 12 * n + 12].sum() for n, year in enumerate(sold)}
    seen = wanted(counted, step=step, other=other)
    np.testing.assert_allclose(seen[24:36, :, 0, 0].sum(axis=0), counted[2017])
    close = 0.02 if start % 1 else 1e-9  # of half a year it matters which half sold more
    np.testing.assert_allclose((seen / alone)[24:, :, 0, 0], np.broadcast_to(lifted[24:, None], (48, 3)), rtol=close)
    np.testing.assert_array_equal(seen[:, :, 1], alone[:, :, 1])
    np.testing.assert_array_equal(seen[:, :, 0, 1], alone[:, :, 0, 1])


def test_what_an_event_took_away_comes_back_but_no_more_than_tenfold():
    lost = {"end": {"kind": "demand", "start": 2016, "end": 2018.5, "size": 0}}
    gone, never = (history(draw(lively_world(policy=policy), 1, np.arange(2)), demand=None)["demand"] for policy in (lost, {}))
    assert (gone[42:] < 11 * never[42:]).all()
    assert (gone[42:] > never[42:]).all()
    np.testing.assert_allclose(gone[41] / gone[42], 0.1, rtol=0.2)


@pytest.mark.parametrize("start", [2017, 2019.5])
def test_an_event_of_adoption_moves_a_market_along_its_curve_and_not_where_it_ends(start):
    """Odds of what is filled are half as high again, in the record and after it, whatever else happens."""
    end, step = 60.0, {"kind": "adoption", "start": start, "size": 1.5, "segments": ["cars"], "regions": ["china"]}
    wanted = []
    for policy in ({"step": step}, {}):
        last = along(np.array(12.0), np.array(end), np.array(1.5)).item() if policy and start == 2017 else 12.0
        cars = SURPRISING["cars"] | {"growth": 0.9, "saturation": {"china": end}, "saturation_scale": 1}
        segments = SURPRISING | {"cars": cars | {"history": {"china": {2015: 9.0, 2016: 10.0, 2017: last}}}}
        drawn = draw(lively_world(last_year=2035, segments=segments, demand={"scale": 1}, policy=policy), 1, np.arange(3))
        wanted.append(12 * history(drawn, demand=None)["demand"][24:, :, 0, 0])
    odds, alone = (each / (end - each) for each in wanted)
    before = round((start - 2017) * 12)
    close = 1e-3 if start == 2017 else 1e-6  # odds of a year's mean are not the mean of odds
    np.testing.assert_allclose(odds[before:] / alone[before:], 1.5, rtol=close)
    np.testing.assert_allclose(odds[:before], alone[:before])
    np.testing.assert_allclose(wanted[0][-1], end, rtol=1e-3)


@pytest.mark.parametrize("size", [0.4, 2.5])
def test_a_law_that_was_always_there_changes_nothing(size):
    always = {"law": {"kind": "adoption", "start": 2014, "size": size}}
    sold = {2015: 8, 2016: 10, 2017: 13, 2018: 17}
    cars = {"surprise": 0.4, "saturation": {"china": 60}, "saturation_scale": 1, "history": {"china": sold}}
    record = {"quarters_china": {"values": {2018: 1.5}, "error": 0.05}}
    worlds = [steered_world(record=record, segments={"cars": cars}, demand={"scale": 1}, policy=policy) for policy in (always, {})]
    here, there = (SegmentDemand(draw(world, 1, np.arange(3)), 1, np.arange(3)) for world in worlds)
    np.testing.assert_allclose(here.surprise, there.surprise, atol=0.01)
    np.testing.assert_allclose(along(here.level, here.ceiling, np.array(size)), there.level, rtol=0.02)


@pytest.mark.parametrize("kind", ["demand", "adoption"])
@pytest.mark.parametrize(("start", "end"), [(2015.42, 2017.417), (2016.4194, 2016.42), (2016.3, 2100)])
@pytest.mark.parametrize("size", [{"uniform": [0.5, 2]}, 40, 0])
def test_what_is_taken_out_of_the_record_is_what_policy_proclaimed(kind, start, end, size):
    event = {"kind": kind, "start": start, "end": end, "size": size, "segments": ["cars"]}
    drawn = draw(lively_world(policy={"event": event, "other": {"kind": "incident", "start": 2015, "size": 3}}), 1, np.arange(3))
    told = history(drawn, **{f"{kind}_push": None})[f"{kind}_push"][:36]
    np.testing.assert_allclose(np.moveaxis(np.log(pushes(drawn, kind, 36)), -1, 0), told, atol=1e-12)


def test_one_year_on_record_is_enough():
    record = {"quarters_china": {"values": {2015: 1.2}, "error": 0.05}}
    drawn = draw(steered_world(first_year=2015, observed_until=2015, record=record), 1, np.arange(2))
    demand = SegmentDemand(drawn, 1, np.arange(2))
    assert np.isfinite(demand.level).all()
    assert np.isfinite(demand.surprise).all()


def test_no_market_opens_beyond_its_end_however_steeply_it_rose():
    cars = {"surprise": 0.5, "saturation": {"china": 50}, "history": {"china": {2015: 1.0, 2016: 10.0, 2017: 100.0}}}
    drawn = draw(lively_world(last_year=2040, segments={"cars": cars}), 1, np.arange(20))
    demand = SegmentDemand(drawn, 1, np.arange(20))
    assert (demand.level < demand.ceiling).all()


@pytest.mark.parametrize(("row", "told"), [(0, np.log(1.1 / 1.2)), (1, np.log(1.1) - np.log(1.2))])
def test_what_an_event_does_to_quarters_is_not_in_the_pace_of_the_market(row, told):
    record = {"quarters_china": {"values": {2018: 1.1}, "error": 0.05}}
    moved = np.ones((2, 2, 2, 2, 48))
    moved[row, ..., 46:] = 1.3
    drawn = draw(steered_world(record=record), 1, np.arange(2))
    seen, _ = last_quarter(drawn, np.ones((2, 2, 2)), np.full((2, 2, 4), 1e-9), *moved, np.zeros((2, 2, 1)))
    np.testing.assert_allclose(seen[:, 0, 0], told)


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
    drawn = draw(lively_world(segments={name: {"surprise": 0, "price_elasticity": -2} for name in ("cars", "storage")}), 1, np.arange(2))
    found = []
    for price in (100.0, 100.0 * change):
        agent, market = SegmentDemand(drawn, 1, np.arange(2)), blackboard(drawn)
        agent.reference, agent.price = np.full((2, 2), 100.0), np.full((2, 2), price)
        agent.ask(market, 40)
        found.append(market.demand)
    np.testing.assert_allclose(found[1] / found[0], wanted)


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


def surprises(worlds, **demand):
    """Surprises of the forecast to 2040 beyond what the record left, (month, realization, segment, region)."""
    drawn = draw(lively_world(last_year=2040, segments=SURPRISING, demand=demand), 1, np.arange(worlds))
    agent = SegmentDemand(drawn, 1, np.arange(worlds))
    found = []
    for month in range(36, 300):
        agent.grow(*(deck.on(month) for deck in agent.luck))
        found.append(agent.surprise.copy())
    return np.array(found)[60:]


def test_a_surprise_has_its_spread_and_fades():
    late = surprises(30, persistence=0.5)
    assert late.std() == pytest.approx(0.2, rel=0.05)
    assert np.corrcoef(late[:-6].ravel(), late[6:].ravel())[0, 1] == pytest.approx(np.exp(-1), abs=0.05)


@pytest.mark.parametrize(
    ("common", "regional", "segments", "regions"), [(0, 1, 0, 0), (0, 0, 0, 1), (1, 0.4, 1, 1), (0.3, 0.4, 0.3, 0.3 + 0.7 * 0.6)]
)
def test_surprises_are_common_to_all_to_a_segment_or_a_regions_own(common, regional, segments, regions):
    late = surprises(30, persistence=0.1, common=common, regional=regional)

    def together(one, other):
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    assert together(late[..., 0, 0], late[..., 0, 1]) == pytest.approx(regions, abs=0.05)
    assert together(late[..., 0, 0], late[..., 1, 0]) == pytest.approx(segments, abs=0.05)
    assert together(late[..., 0, 0], late[..., 1, 1]) == pytest.approx(common, abs=0.05)
    assert late.std() == pytest.approx(0.2, rel=0.05)


def test_the_opening_surprise_is_as_uncertain_as_the_last_year_leaves_it():
    drawn = draw(lively_world(segments=SURPRISING, demand={"persistence": 1.5, "scale": 1}), 1, np.arange(400))
    agent = SegmentDemand(drawn, 1, np.arange(400))
    seen, spread = agent.observed[..., -1], drawn.segments.surprise
    _, at_end, unsure = opening(drawn.demand.persistence, spread, seen, np.zeros(seen.shape), np.full(seen.shape, np.inf))
    left = agent.surprise - at_end
    assert left.mean() == pytest.approx(0, abs=3 * 0.2 / 20)
    assert left.std() == pytest.approx(0.2 * unsure[0, 0, 0], rel=0.1)
