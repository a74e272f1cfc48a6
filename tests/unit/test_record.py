"""The record holds the replay, within its error and no longer than observed; what is unexplained then fades and drifts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.ensemble.design import draw
from forecast.errors import ScenarioError
from forecast.model.record import LEAST_SHARE, MOST_BETWEEN, SPREAD_AT, Record, between, contracted, lumpiness
from tests.play import assert_same_bytes, blackboard, simulated
from tests.small_world import lively_world, steered_world

CHINA, EUROPE = range(2)
LFP, NMC, SODIUM = range(3)
CARS, STORAGE = range(2)
YEARS, OBSERVED = np.arange(2015, 2019), 48
CORRECTIONS = ("cell_price", "mine_output", "lithium_price", "taste")
SERIES = ("cells", "lithium", "lithium_ends", "mined", "nickel", "lfp_china", "lfp_europe", "quarters_china")
SPREADS = {f"{name}_spread": 0.3 for name in CORRECTIONS}


def published(series):
    """Values of one series of the record, 2015 to 2018."""
    return steered_world().record[series].values.at(YEARS)


def stand(worlds=2, **differences):
    """The agent alone."""
    return Record(draw(steered_world(**differences), 1, np.arange(worlds)), 1, np.arange(worlds))


def yearly(found, name):
    """Means over the years, (realization, year, ...)."""
    values = found[name].astype(float)
    return values.reshape(len(values), -1, 12, *values.shape[2:]).mean(axis=2)


@pytest.fixture(scope="module")
def replay():
    """Six worlds on record, by month."""
    return simulated(steered_world(buyers={"number": 2000}), 1, range(6), monthly=True)


def test_mean_cell_prices_follow_the_record(replay):
    np.testing.assert_allclose(yearly(replay, "mean_cell_price")[:, :4], [published("cells")] * 6, rtol=0.06)


def test_mines_put_out_what_the_record_says(replay):
    mined = 12 * yearly(replay, "lithium_supply")[:, :4]
    np.testing.assert_allclose(mined.mean(axis=0), published("mined"), rtol=0.08)
    np.testing.assert_allclose(mined[:, 1:], [published("mined")[1:]] * 6, rtol=0.25)


def test_shares_follow_the_record(replay):
    sold = replay["deliveries"][:, :OBSERVED, CARS].astype(float).reshape(6, 4, 12, 2, 3).sum(axis=2)
    share = sold[..., LFP] / sold[..., :SODIUM].sum(axis=-1)
    for region, series in ((CHINA, "lfp_china"), (EUROPE, "lfp_europe")):
        np.testing.assert_allclose(share[:, :, region], [published(series)] * 6, atol=0.12)
        np.testing.assert_allclose(share[:, :, region].mean(axis=0), published(series), atol=0.09)


def test_the_price_of_a_mineral_is_that_of_the_record(replay):
    np.testing.assert_allclose(yearly(replay, "mineral_price")[:, :4, 1], [published("nickel")] * 6, rtol=0.05)


def test_contracts_of_a_year_average_what_was_published_where_its_ends_are_known(replay):
    np.testing.assert_allclose(yearly(replay, "lithium_contract_price")[:, 1:4], [published("lithium")[1:]] * 6, rtol=2e-3)
    np.testing.assert_allclose(replay["lithium_price"][:, 23:OBSERVED:12], [published("lithium_ends")[1:]] * 6, rtol=1e-6)


def straight(values):
    """Logarithms straight from mid-year to mid-year, flat before and at half the last pace after, by month."""
    when, middles, logs = (np.arange(OBSERVED) + 0.5) / 12, np.arange(4) + 0.5, np.log(values)
    return np.interp(when, middles, logs) + 0.5 * (logs[-1] - logs[-2]) * np.maximum(when - 3.5, 0)


def test_without_the_ends_of_years_the_spot_price_runs_straight_through_what_was_published():
    path = stand(record={"lithium_ends": None}).lithium
    np.testing.assert_allclose(np.log(path), [straight(published("lithium"))] * 2)


def test_a_year_whose_start_is_not_known_runs_straight_and_the_next_ends_as_it_did():
    path = stand(record={"lithium_ends": {"from_year": 2016}}).lithium[0]
    plain = np.exp(straight(published("lithium")))
    np.testing.assert_allclose(path[:24], plain[:24])
    assert not np.isclose(path[24:], plain[24:]).all()
    np.testing.assert_allclose(path[35::12], published("lithium_ends")[2:])


IN_THE_MIDDLE = {2016: 8000, 2017: 30_000, 2018: 21_000}
MIDDLES = {"lithium_middles": {"kind": "lithium_price_mid_year", "values": IN_THE_MIDDLE, "from_year": 2016, "error": 0}}


def test_a_spot_price_known_in_the_middle_of_a_year_is_met_there_and_at_its_ends():
    path = stand(record=MIDDLES).lithium[0]
    np.testing.assert_allclose(path[17::12], [8000, 30_000, 21_000])
    np.testing.assert_allclose(path[23::12], published("lithium_ends")[1:])
    np.testing.assert_allclose(np.diff(np.log(path[23:30])), np.log(30_000 / 13_000) / 6)
    np.testing.assert_array_equal(path[:12], stand().lithium[0, :12])


def test_a_series_may_begin_before_the_first_year():
    middles = MIDDLES["lithium_middles"]
    early, late = (stand(first_year=2017, record={"lithium_middles": middles | {"from_year": year}}) for year in (2016, 2017))
    np.testing.assert_array_equal(early.lithium, late.lithium)
    np.testing.assert_array_equal(early.contracts, late.contracts)


def test_contracts_that_lagged_spot_prices_do_not_explain_follow_what_was_published():
    found = replay_of(record=MIDDLES)
    told = yearly(found, "unexplained_contract_price")
    assert (told[:, 0] == 0).all()
    assert (abs(told[:, 1:4]) > 0.05).all()
    np.testing.assert_allclose(yearly(found, "lithium_contract_price")[:, 1:4], [published("lithium")[1:]] * 2, rtol=0.1)


def test_targets_run_straight_between_mid_years_and_slow_down_at_the_end():
    agent = stand(record={"cells": {"values": {2015: 100, 2016: 200, 2017: 200, 2018: 50}}})
    at = np.array([agent.at(now)[:, agent.series.names.index("cells")] for now in range(OBSERVED)])
    np.testing.assert_allclose(at[:, 0], straight([100, 200, 200, 50]))


def test_the_record_moves_the_world(replay):
    free = simulated(lively_world(last_year=2021, observed_until=2018), 1, range(6), monthly=True)
    assert np.abs(yearly(free, "mean_cell_price")[:, 1:4] / published("cells")[1:] - 1).max() > 0.15
    assert np.abs(12 * yearly(free, "lithium_supply")[:, 1:4] / published("mined")[1:] - 1).max() > 0.3
    assert not any(free[f"unexplained_{name}"].any() for name in CORRECTIONS)
    assert all(replay[f"unexplained_{name}"].any() for name in CORRECTIONS)


def test_error_of_measurement_spreads_the_targets_as_declared():
    errors = {"cells": 0.03, "mined": 0.1, "nickel": 0, "lfp_china": 0.25}
    agent = stand(600, record={name: {"error": error} for name, error in errors.items()})
    for name, error in errors.items():
        target = agent.target[:, agent.series.names.index(name)]
        seen = published(name)
        middle = np.log(seen / (1 - seen)) if name.startswith("lfp") else np.log(seen)
        np.testing.assert_allclose(target.mean(axis=0), middle, atol=4 * error / np.sqrt(600) + 1e-12)
        np.testing.assert_allclose(target.std(axis=0), error, rtol=0.12, atol=1e-12)


def test_the_last_year_is_restated_and_no_other():
    before, after = stand(), stand(record={"mined": {"restatement": 0.2}})
    mined = before.series.names.index("mined")
    np.testing.assert_allclose((after.target - before.target)[:, mined], [[0, 0, 0, 0.2]] * 2, atol=1e-12)
    np.testing.assert_array_equal(np.delete(after.target, mined, axis=1), np.delete(before.target, mined, axis=1))


def test_a_horizon_that_ends_before_the_record_sees_no_restatement():
    before, after = stand(last_year=2017), stand(last_year=2017, record={"mined": {"restatement": 0.2}})
    np.testing.assert_array_equal(before.target, after.target)


def test_moods_of_lithium_traders_fade_while_the_record_lasts_too():
    agent = stand(unexplained={"lithium_price_memory": 0.5})
    agent.state["lithium_price"][...] = 1.0
    market = blackboard(draw(steered_world(), 1, np.arange(2)))
    agent.correct(market, agent.sales(market), 30)
    np.testing.assert_allclose(agent.state["lithium_price"], np.exp(-1 / 6))


def test_errors_of_years_and_series_are_their_own():
    target = stand(600, record={name: {"error": 0.1} for name in SERIES}).target.reshape(600, -1)
    assert target.shape[1] == 4 * len(SERIES)
    assert np.abs(np.corrcoef(target.T) - np.eye(target.shape[1])).max() < 0.2


def test_what_a_world_takes_for_the_truth_depends_on_its_number_alone():
    errors = {name: {"error": 0.2} for name in SERIES}
    alone = Record(draw(steered_world(record=errors), 1, np.array([3])), 1, np.array([3]))
    among = stand(5, record=errors)
    np.testing.assert_array_equal(alone.target[0], among.target[3])
    np.testing.assert_array_equal(alone.lithium[0], among.lithium[3])
    assert len(np.unique(among.target[:, 0, 0])) == 5


def test_shares_of_nothing_and_of_everything_have_odds():
    agent = stand(record={"lfp_china": {"values": {2015: 0, 2016: 1, 2017: 0.5, 2018: 0.2}}})
    share = 1 / (1 + np.exp(-agent.target[:, agent.series.names.index("lfp_china")]))
    np.testing.assert_allclose(share, [[LEAST_SHARE, 1 - LEAST_SHARE, 0.5, 0.2]] * 2)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_after_the_record_what_is_unexplained_fades_by_its_memory(name):
    world = steered_world(unexplained={f"{name}_memory": 1.5})
    found = simulated(world, 1, range(3), monthly=True)[f"unexplained_{name}"].astype(float)
    last = found[:, OBSERVED - 1 : OBSERVED]
    assert np.abs(last).max() > 0.01
    fading = np.exp(-np.arange(1, 37) / 18).reshape(36, *[1] * (found.ndim - 2))
    np.testing.assert_allclose(found[:, OBSERVED:], last * fading, rtol=1e-5)


def drifting(name, worlds=200, share=SPREAD_AT, **differences):
    """What is unexplained of a kind after the record, months apart, (realization, month, ...); sales on record have this share."""
    agent, months = stand(worlds, last_year=2040, **differences), []
    sold = np.stack([np.full(agent.sold.shape[1:], share), np.ones(agent.sold.shape[1:])])
    for now in range(agent.target.shape[-1] * 12 + 264):
        agent.drift(sold, now)
        months.append(agent.state[name].copy())
    return np.moveaxis(np.array(months[OBSERVED + 24 :]), 0, 1)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_in_the_forecast_the_unexplained_has_its_spread_and_its_memory(name):
    seen = drifting(name, unexplained={f"{name}_spread": 0.3, f"{name}_memory": 0.5, "reference": ""})
    assert seen.std() == pytest.approx(0.3, rel=0.05)
    assert seen.mean() == pytest.approx(0, abs=0.02)
    assert np.corrcoef(seen[:, :-6].ravel(), seen[:, 6:].ravel())[0, 1] == pytest.approx(np.exp(-1), abs=0.03)


def test_tastes_of_regions_and_chemistries_drift_apart_but_the_reference_never_does():
    seen = drifting("taste", unexplained={"taste_spread": 0.3, "taste_memory": 0.5})
    assert not seen[..., NMC].any()
    drifts = seen[..., [LFP, SODIUM]].reshape(-1, 4)
    assert (np.abs(np.corrcoef(drifts.T) - np.eye(4)) < 0.1).all()
    assert (drifts.std(axis=0) > 0.25).all()


@pytest.mark.parametrize(("share", "deciders"), [(0.3, 10), (0.05, 10), (0.05, 3), (0.9, 10)])
def test_tastes_of_what_few_buy_or_few_do_not_are_the_more_uncertain(share, deciders):
    told = {"taste_spread": 0.3, "taste_memory": 0.5, "deciders": deciders}
    seen = drifting("taste", share=share, unexplained=told)
    assert seen[..., LFP].std() == pytest.approx(0.3 * lumpiness(share, deciders), rel=0.07)
    assert seen[..., SODIUM].std() == pytest.approx(0.3, rel=0.07), "whose share is not on record"


def test_log_odds_of_a_share_spread_as_those_of_many_draws_of_a_few_deciders():
    """Where many decide, draws show it; the formula keeps it finite where few do."""
    rng, deciders = np.random.default_rng(1), 400
    spreads = [np.log(found / (deciders - found)).std() for found in (rng.binomial(deciders, share, 20_000) for share in (0.1, 0.3, 0.8))]
    np.testing.assert_allclose(np.divide(spreads, spreads[1]), lumpiness(np.array([0.1, 0.3, 0.8]), deciders), rtol=0.03)


@given(st.floats(0, 1), st.floats(2, 1000))
def test_no_share_makes_tastes_more_certain_than_a_half_or_more_uncertain_than_the_least(share, deciders):
    spread = lumpiness(share, deciders)
    assert lumpiness(0.5, deciders) * (1 - 1e-12) <= spread <= lumpiness(LEAST_SHARE, deciders)
    assert spread == pytest.approx(lumpiness(1 - share, deciders), rel=1e-6)


def test_the_share_that_counts_is_that_of_a_year():
    agent = stand(unexplained={"taste_spread": 0.3})
    before, after = (np.broadcast_to([[[sold]], [[4.0]]], agent.sold.shape) for sold in (1.0, 13.0))
    for now in range(13):
        agent.drift(before, now)
    agent.drift(after, 13)
    np.testing.assert_allclose(agent.sold[0] / agent.sold[1], 2 / 4)


def test_while_the_record_lasts_only_what_is_not_on_it_drifts():
    agent = stand(record={"mined": None, "lfp_europe": None}, unexplained=SPREADS)
    for now in range(12):
        agent.drift(agent.sold, now)
    assert not agent.state["cell_price"].any()
    assert not agent.state["lithium_price"].any()
    assert agent.state["mine_output"].all()
    assert not agent.state["taste"][:, CHINA, LFP].any()
    assert agent.state["taste"][:, EUROPE, LFP].all()


def replay_of(**differences):
    return simulated(steered_world(**differences), 1, range(2), monthly=True)


def test_contracts_drift_from_spot_prices_while_neither_is_on_record():
    differences = {"record": {"lithium": None, "lithium_ends": None}, "unexplained": {"contract_price_spread": 0.3}}
    seen = replay_of(**differences)["unexplained_contract_price"][:, 1:OBSERVED]
    assert (np.diff(seen, axis=1) != 0).all()


@pytest.mark.parametrize("series", SERIES)
def test_what_was_observed_after_the_last_observed_year_is_not_seen(series):
    later = {2019: 0.9, 2021: 0.01} if series.startswith("lfp") else {2019: 30, 2021: 90_000}
    assert_same_bytes(replay_of(), replay_of(record={series: {"values": later}}))


@pytest.mark.parametrize("series", SERIES)
def test_what_was_observed_in_the_last_observed_year_is_seen(series):
    before = float(published(series)[-1])
    found = replay_of(record={series: {"values": {2018: before * 0.9}}})
    assert any(found[name].tobytes() != values.tobytes() for name, values in replay_of().items())


def test_the_end_of_the_horizon_may_come_before_that_of_the_record():
    whole = replay_of(last_year=2017)
    assert whole["lithium_price"].shape[1] == 36
    np.testing.assert_allclose(whole["lithium_price"][:, 23::12], [published("lithium_ends")[1:3]] * 2, rtol=1e-6)


def own_record(found, world):
    """What an observer would write down of a world, as differences."""
    mean = {name: yearly(found, name)[world] for name in ("mean_cell_price", "lithium_contract_price", "lithium_supply", "mineral_price")}
    sold = found["deliveries"][world, :, CARS].astype(float).reshape(-1, 12, 2, 3).sum(axis=1)
    share = sold[..., LFP] / sold[..., :SODIUM].sum(axis=-1)
    seen = {
        "cells": mean["mean_cell_price"],
        "lithium": mean["lithium_contract_price"],
        "lithium_ends": found["lithium_price"][world, 11::12].astype(float),
        "mined": 12 * mean["lithium_supply"],
        "nickel": mean["mineral_price"][:, 1],
        "lfp_china": share[:, CHINA],
        "lfp_europe": share[:, EUROPE],
    }
    return {name: {"values": dict(zip(YEARS.tolist(), values[:4].tolist(), strict=True))} for name, values in seen.items()}


def corrections(record, **differences):
    """Typical size of the corrections of the first world, by kind: of their yearly means once the replay has settled."""
    found = simulated(steered_world(record=record, buyers={"number": 4000}, **differences), 1, [0], monthly=True)
    sizes = {}
    for name in CORRECTIONS:
        means = yearly(found, f"unexplained_{name}")[:, 1:4]
        sizes[name] = float(np.sqrt((means[means != 0] ** 2).mean()))
    return sizes


def test_a_world_on_its_own_record_needs_almost_no_correction():
    calm = {"lithium": {"noise": 0}, "mining": {"outage": 0}}
    free = simulated(lively_world(last_year=2021, observed_until=2018, buyers={"number": 4000}, **calm), 1, [0], monthly=True)
    own, others = corrections(own_record(free, 0), **calm), corrections({}, **calm)
    for name, most in {"cell_price": 0.03, "mine_output": 0.08, "lithium_price": 0.12, "taste": 0.2}.items():
        assert own[name] < most, name
        assert own[name] < 0.5 * others[name], name


def test_no_correction_grows_beyond_what_could_be_believed():
    absurd = {"cells": {2015: 9000}, "mined": {2015: 1}, "lithium": {2015: 9e5, 2017: 1}, "lfp_china": {2015: 1}, "lfp_europe": {2015: 0}}
    found = replay_of(record={name: {"values": values} for name, values in absurd.items()} | {"lithium_ends": None})
    for name, most in {"cell_price": 1, "mine_output": 1, "lithium_price": 2, "taste": 4}.items():
        assert np.abs(found[f"unexplained_{name}"]).max() == pytest.approx(most)


GOLD = {"gold": {"title": "Gold", "opening_price": 9, "mean_price": 9, "volatility": 0.2, "reversion": 0.5}}


def test_a_further_series_moves_nothing_but_what_it_is_of():
    gilded = {"gold": {"kind": "mineral_price", "mineral": "gold", "values": {2015: 50, 2018: 80}, "error": 0.2}}
    here, there = replay_of(minerals=GOLD), replay_of(minerals=GOLD, record=gilded)
    assert not np.isclose(here["mineral_price"][:, :OBSERVED, 0], there["mineral_price"][:, :OBSERVED, 0]).any()
    for found in (here, there):
        found["mineral_price"] = found["mineral_price"][..., 1:]
    assert_same_bytes(here, there)


@pytest.mark.parametrize("left_out", SERIES)
def test_targets_are_the_same_whatever_else_is_on_record(left_out):
    errors = {name: {"error": 0.2} for name in SERIES}
    whole, part = stand(record=errors), stand(record=errors | {left_out: None})
    kept = [whole.series.names.index(name) for name in part.series.names]
    assert len(kept) == len(SERIES) - 1
    np.testing.assert_array_equal(part.target, whole.target[:, kept])


def test_without_record_and_spreads_the_block_changes_no_byte():
    block = {"segments": ["cars"], "reference": "nmc"} | {f"{name}_memory": 7 for name in CORRECTIONS}
    here, there = simulated(lively_world()), simulated(lively_world(unexplained=block))
    assert_same_bytes(here, there)
    moved = simulated(lively_world(unexplained=block | {"cell_price_spread": 0.1}))
    assert not np.isclose(moved["mean_cell_price"], here["mean_cell_price"]).all(axis=1).any()


FELT = {"cell_price": "mean_cell_price", "mine_output": "lithium_supply", "lithium_price": "lithium_price", "taste": "orders"}


@pytest.mark.parametrize(("name", "felt"), FELT.items())
def test_what_is_unexplained_in_the_forecast_is_felt(name, felt):
    differences = {"segments": ["cars"], "reference": "nmc", f"{name}_spread": 0.3}
    here, there = simulated(lively_world()), simulated(lively_world(unexplained=differences))
    assert there[f"unexplained_{name}"].any()
    assert not np.isclose(here[felt], there[felt], rtol=1e-3).all()


def test_nothing_is_at_hand_before_the_first_month_is_over():
    agent = stand()
    market = blackboard(draw(steered_world(), 1, np.arange(2)))
    agent.tell(market, 0)
    assert not market.unexplained_cell_price.any()
    np.testing.assert_allclose(market.lithium_price_on_record, agent.lithium[:, 0])
    agent.tell(market, OBSERVED)
    assert not market.lithium_price_on_record.any()
    assert not market.mineral_price_on_record.any()


prices = st.floats(500, 100_000)
lags = st.floats(1, 24)


@given(st.lists(prices, min_size=1, max_size=24), prices, lags)
def test_contracts_lie_between_what_they_were_and_what_spot_prices_have_been(spot, contract, lag):
    found = contracted(np.array([spot]), np.array([contract]), np.array([lag]))[0]
    for month in range(len(spot)):
        seen = [contract, *spot[: month + 1]]
        assert min(seen) * (1 - 1e-12) <= found[month] <= max(seen) * (1 + 1e-12)


@given(st.lists(prices, min_size=1, max_size=24), prices)
def test_contracts_without_lag_are_the_spot_price(spot, contract):
    np.testing.assert_allclose(contracted(np.array([spot]), np.array([contract]), np.ones(1))[0], spot)


@given(prices, prices, lags)
def test_contracts_approach_a_steady_spot_price_over_their_lag(spot, contract, lag):
    found = contracted(np.full((1, 20), spot), np.array([contract]), np.array([lag]))[0]
    np.testing.assert_allclose(found, spot + (contract - spot) * (1 - 1 / lag) ** np.arange(1, 21), rtol=1e-9)


def year_between(start, end, level, contract, lag):
    """Spot prices of a year, and the mean of its contracts."""
    ends = [np.log([start]), np.log([end])]
    spot = between(ends, np.log([level]), np.array([contract]), np.array([lag]))
    return spot[0], contracted(spot, np.array([contract]), np.array([lag])).mean()


@given(prices, prices, prices, prices, lags)
def test_a_year_ends_at_its_end_and_keeps_within_the_factor_it_may_leave(start, end, level, contract, lag):
    spot, _ = year_between(start, end, level, contract, lag)
    assert spot[-1] == pytest.approx(end)
    middle = spot[5] / np.sqrt(start * end)
    assert 1 / MOST_BETWEEN * (1 - 1e-9) <= middle <= MOST_BETWEEN * (1 + 1e-9)
    knots = np.log([start, spot[5], end])
    np.testing.assert_allclose(np.log(spot), np.interp(np.arange(1, 13), [0, 6, 12], knots))


@given(prices, prices, prices, lags, st.floats(-1, 1))
def test_contracts_average_what_could_be_published_and_come_as_near_as_they_may_to_the_rest(start, end, contract, lag, bend):
    knots = np.log([start, np.sqrt(start * end) * MOST_BETWEEN**bend, end])
    spot = np.exp(np.interp(np.arange(1, 13), [0, 6, 12], knots))[None]
    level = contracted(spot, np.array([contract]), np.array([lag])).mean()
    assert year_between(start, end, level, contract, lag)[1] == pytest.approx(level, rel=2e-3)
    lowest, highest = (year_between(start, end, beyond, contract, lag)[1] for beyond in (1e-3, 1e9))
    assert lowest * (1 - 1e-9) <= level * (1 + 2e-3)
    assert level * (1 - 2e-3) <= highest * (1 + 1e-9)
    assert year_between(start, end, 1e9, contract, lag)[0][5] == pytest.approx(np.sqrt(start * end) * MOST_BETWEEN, rel=1e-3)


def test_prices_in_the_middle_of_years_are_refused_without_those_at_the_ends():
    with pytest.raises(ScenarioError, match="lithium_price_mid_year without lithium_price_year_end; must hold both"):
        steered_world(record=MIDDLES | {"lithium_ends": None})


@pytest.mark.parametrize(
    ("series", "problem"),
    [
        ({"from_year": 2016}, "record.cells.from_year: 2016; only prices at a day and last quarters may begin after 2015"),
        ({"values": {2015: None}}, "record.cells.values: 2016 to 2018; must reach from 2015 to 2018"),
    ],
)
def test_a_series_that_begins_late_is_refused_unless_it_is_of_prices_at_a_day(series, problem):
    with pytest.raises(ScenarioError) as refused:
        steered_world(record={"cells": series})
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("twin", "of"),
    [
        ({"kind": "share", "chemistry": "lfp"}, "share of china lfp"),
        ({"kind": "sales_last_quarter", "chemistry": "lfp"}, "sales_last_quarter of china"),
        ({"kind": "mineral_price", "mineral": "nickel"}, "mineral_price of nickel"),
    ],
)
def test_what_is_on_record_twice_is_refused(twin, of):
    with pytest.raises(ScenarioError, match=rf"record\.twin\.kind: {of}; there must be one series of this kind"):
        steered_world(record={"twin": twin | {"region": "china", "values": dict.fromkeys(YEARS.tolist(), 0.5), "error": 0.1}})
