"""The world as it was known at an origin: nothing later shows, what was known stays, and paths go on as they went."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.declare import Block, Path, Quantity, slots
from forecast.ensemble.design import draw
from forecast.errors import DataError
from forecast.history.observed import CONFIDENCE
from forecast.history.vintages import as_known as as_printed
from forecast.history.vintages import restatements
from forecast.model.lithium import PATHS
from forecast.model.world import simulate
from forecast.scenario import load
from forecast.scenario.vintage import FADING, TREND_YEARS, as_known, last_on_record
from tests.play import simulated
from tests.small_world import lively_world, steered_world

ORIGINS = range(2017, 2025)
LITHIUM = 5.323  # t LCE per t


@cache
def shipped():
    return load("baseline").world


def paths(block, place=""):
    """All paths of a world by dotted path, save those of history and record."""
    for slot in slots(type(block)).values():
        value, here = getattr(block, slot.name), f"{place}{slot.name}"
        if slot.kind == "path" and slot.name != "values":
            yield here, value
        elif slot.kind == "paths" and slot.name != "history":
            yield from ((f"{here}.{name}", path) for name, path in value.items())
        elif isinstance(value, Block):
            yield from paths(value, f"{here}.")
        elif isinstance(value, dict) and slot.inner is not None:
            for name, inner in value.items():
                yield from paths(inner, f"{here}.{name}.")


@pytest.mark.parametrize("year", ORIGINS)
def test_nothing_that_came_later_shows(year):
    known = as_known(shipped(), year)
    series = [known.record[name].values for name in known.record]
    sales = [path for segment in known.segments.values() for path in segment.history.values()]
    assert {path.years[-1] for path in series + sales} == {year}
    assert known.observed_until == year
    assert max(maker.founded.value for maker in known.manufacturers.values()) <= year + 1
    assert max((p.since.value for maker in known.manufacturers.values() for p in maker.programmes.values()), default=0) <= year + 1
    assert max(event.announced.value or event.start.value for event in known.policy.values()) <= year + 1


@pytest.mark.parametrize("year", ORIGINS)
def test_what_was_known_stays(year):
    world, known = shipped(), as_known(shipped(), year)
    for name, series in known.record.items():
        later = len(world.record[name].values.years) - len(series.values.years)
        assert later == world.observed_until - year
        assert series.values.values[:-1] == world.record[name].values.values[: len(series.values.values) - 1]
    for name, segment in known.segments.items():
        for region, path in segment.history.items():
            assert path.values == world.segments[name].history[region].values[: len(path.values)]
    for name in set(world.manufacturers) - set(known.manufacturers):
        assert world.manufacturers[name].founded.value > year + 1
    for name in set(world.policy) - set(known.policy):
        assert (world.policy[name].announced.value or world.policy[name].start.value) > year + 1
    for name, maker in known.manufacturers.items():
        seen = {key for key, pipeline in world.manufacturers[name].programmes.items() if pipeline.since.value <= year + 1}
        assert set(maker.programmes) == seen
        assert maker.capacity == world.manufacturers[name].capacity
    assert known.mines.keys() == world.mines.keys()
    assert known.lithium.model_dump(exclude=set(PATHS)) == world.lithium.model_dump(exclude=set(PATHS))


def test_what_is_announced_is_known_before_it_starts_and_not_before():
    event = {"kind": "ban", "start": 2019.5, "announced": 2017.4, "size": 1}
    policy = {"early": event, "late": event | {"announced": 2018.4}, "sudden": event | {"announced": 0}}
    world = lively_world(policy=policy, observed_until=2019)
    known = [set(as_known(world, year).policy) for year in (2017, 2018, 2019)]
    assert known == [{"early"}, {"early", "late"}, {"early", "late", "sudden"}]


def test_an_event_ends_as_announced_until_the_change_is_known():
    event = {"kind": "subsidy", "start": 2017, "announced": 2016, "end": 2019.5, "announced_end": 2021, "size": 1}
    world = lively_world(policy={"event": event}, observed_until=2020)
    assert [as_known(world, year).policy["event"].end.value for year in (2017, 2018, 2019, 2020)] == [2021, 2021, 2019.5, 2019.5]


def test_when_a_deposit_would_be_found_was_not_known():
    world, known = shipped(), as_known(shipped(), 2018)
    unknown = {name for name, mine in world.mines.items() if mine.known.value > 2019}
    assert 0 < len(unknown) < len(world.mines)
    for name, mine in known.mines.items():
        if name in unknown:
            assert mine.known.prior.arguments[0] == 2019
            assert mine.model_copy(update={"known": world.mines[name].known}) == world.mines[name]
        else:
            assert mine == world.mines[name]
    assert len({mine.known for name, mine in known.mines.items() if name in unknown}) == 1, "all might be found at any time"


@pytest.mark.parametrize("year", ORIGINS)
def test_paths_are_what_they_were_and_go_on_without_a_jump(year):
    known, world = dict(paths(as_known(shipped(), year))), dict(paths(shipped()))
    assert known.keys() == world.keys()
    assert len(known) > 20
    so_far = np.arange(2015, year + 1 + 1e-9, 1 / 12)
    for name, path in known.items():
        np.testing.assert_allclose(path.at(so_far), world[name].at(so_far), rtol=1e-9, err_msg=name)


@cache
def lively():
    return lively_world(observed_until=2021)


def carried_on(years, values):
    """What becomes of a path after 2021."""
    cars = lively().segments["cars"].model_copy(update={"pack_cost": Path(tuple(years), tuple(values))})
    world = lively().model_copy(update={"segments": lively().segments | {"cars": cars}})
    return as_known(world, 2021).segments["cars"].pack_cost


@given(st.lists(st.floats(1, 500), min_size=12, max_size=12))
def test_the_slope_of_late_goes_on_and_dies_away(values):
    path = carried_on(range(2015, 2027), values)
    steps = np.diff(np.log(path.at(2022.0 + np.arange(13))))
    slope = np.log(values[7] / values[4]) / TREND_YEARS
    assert steps[0] == pytest.approx(slope * FADING * -np.expm1(-1 / FADING))
    np.testing.assert_allclose(steps[1:], steps[:-1] * np.exp(-1 / FADING), atol=1e-9)
    assert path.at(np.array(2100.0)) == path.values[-1] == pytest.approx(path.at(np.array(2034.0)))


@pytest.mark.parametrize("knots", [{2015: 30}, {2015: 90, 2019: 60}, {2015: 5, 2022: 0, 2030: 50}])
def test_a_path_that_is_over_or_at_zero_stays(knots):
    path = carried_on(knots, knots.values())
    np.testing.assert_allclose(path.at(np.arange(2022, 2060)), knots[max(year for year in knots if year <= 2022)])


def tampered(world, year, factor):
    """A world in which everything that was not known at the end of a year is another."""

    def after(path, last):
        return Path(path.years, tuple(v * (factor if y > last else 1) for y, v in zip(path.years, path.values, strict=True)))

    def bent(path):
        """As it was to the next January, and otherwise from then on."""
        now, knots = year + 1.0, dict(zip(path.years, path.values, strict=True))
        knots |= {now: float(path.at(np.array(now)))} if now < max(knots) else {}
        return after(Path(*zip(*sorted(knots.items()), strict=True)), now)

    def changed(block):
        changes = {}
        for slot in slots(type(block)).values():
            value = getattr(block, slot.name)
            if slot.kind == "path":
                changes[slot.name] = after(value, year) if slot.name == "values" else bent(value)
            elif slot.kind == "paths":
                changes[slot.name] = {name: after(path, year) if slot.name == "history" else bent(path) for name, path in value.items()}
            elif isinstance(value, Block):
                changes[slot.name] = changed(value)
            elif isinstance(value, dict) and slot.inner is not None:
                changes[slot.name] = {name: changed(inner) for name, inner in value.items()}
        copy = block.model_copy(update=changes)
        for date, number in (("founded", "cash"), ("since", "effort"), ("known", "known"), ("announced", "size")):
            when = getattr(copy, date, None)
            if when is not None and (when.value or getattr(copy, "start", when).value) > year + 1:
                copy = copy.model_copy(update={number: Quantity(getattr(copy, number).value + factor)})
        if getattr(copy, "announced_end", Quantity(0)).value and copy.end.value > year + 1:
            copy = copy.model_copy(update={"end": Quantity(copy.end.value + factor)})
        return copy

    return changed(world)


@settings(max_examples=25)
@given(st.sampled_from(ORIGINS[:-1]), st.floats(0.1, 50), st.floats(0.1, 50))
def test_no_number_from_after_the_origin_matters(year, factor, other):
    one, two = (tampered(shipped(), year, f) for f in (factor, other))
    assert factor == other or one != two
    assert as_known(one, year) == as_known(two, year)


def test_the_last_year_is_as_first_printed():
    world, known = shipped(), as_known(shipped(), 2022)
    assert known.record["lithium_price"].values.values[-1] == pytest.approx(37_000 * 125.22 / 118, rel=5e-3)
    assert known.record["lithium_price_year_end"].values.values[-1] == world.record["lithium_price_year_end"].values.at(np.array(2022))
    assert known.record["mine_output"].values.values[-1] < 0.95 * world.record["mine_output"].values.at(np.array(2022))
    assert as_known(shipped(), 2023).record["lithium_price"].values.at(np.array(2022)) == 71_100


@pytest.mark.parametrize("year", ORIGINS)
def test_every_last_value_is_the_first_print_of_its_series(year):
    names = {"cell_price": ("cell_price", "world"), "lithium_price": ("lithium_price", "world"), "mine_output": ("mine_output", "world")}
    names |= {f"lfp_share_{region}": ("lfp_share", region) for region in ("china", "europe", "united_states", "rest_of_world")}
    known = as_known(shipped(), year)
    for name, (series, region) in names.items():
        value = as_printed(series, region, origin=year, confidence=CONFIDENCE).values[-1] * (LITHIUM if name == "mine_output" else 1)
        assert known.record[name].values.values[-1] == pytest.approx(value, rel=1e-3, abs=1e-9), name


@pytest.mark.parametrize(("year", "seen"), [(2017, 2), (2022, 7)])
def test_the_last_value_is_expected_to_be_restated_as_those_before_were(year, seen):
    expected = as_known(shipped(), year).record["mine_output"].restatement
    logs = [0.0, *restatements("mine_output", origin=year)]
    assert len(logs) == seen + 1
    assert expected.value == pytest.approx(np.mean(logs))
    assert expected.prior.arguments == pytest.approx((np.mean(logs), np.std(logs, ddof=1)))
    assert as_known(shipped(), year).record["lfp_share_china"].restatement.prior is None


def test_a_series_that_had_not_begun_is_not_on_record():
    assert "lithium_price_year_end" not in as_known(shipped(), 2017).record
    assert "lithium_price_year_end" in as_known(shipped(), 2018).record


@pytest.mark.parametrize("year", [2014, 2016, 2025, 2051])
def test_an_origin_outside_the_record_is_refused_with_what_is_allowed(year):
    with pytest.raises(DataError, match=rf"origin {year}: must be a year from 2017 to 2024") as refusal:
        as_known(shipped(), year)
    assert refusal.value.exit_code == DataError.exit_code


def test_the_record_is_as_long_as_its_shortest_series():
    assert last_on_record(lively_world()) == 2017
    steered = steered_world(record={"cells": {"values": {2019: 120}}})
    assert last_on_record(steered.model_copy(update={"observed_until": 2020})) == 2018


def test_the_horizon_is_that_of_the_world_or_another():
    assert as_known(shipped(), 2020).last_year == shipped().last_year
    assert as_known(shipped(), 2020, last_year=2027).last_year == 2027
    assert as_known(shipped(), 2020, 2027) == as_known(shipped(), 2020).model_copy(update={"last_year": 2027})


def test_a_world_without_record_plays_to_the_origin_as_it_did():
    world = lively_world(observed_until=2018)
    whole, known = simulated(world), simulated(as_known(world, 2018))
    for name, values in whole.items():
        past = slice(0, values.shape[1] * 4 // 6)
        np.testing.assert_allclose(known[name][:, past], values[:, past], rtol=1e-5, atol=1e-5 * np.abs(values).max(), err_msg=name)


def test_the_shipped_world_as_known_can_be_played():
    world = as_known(load("baseline", ["buyers.number=500"]).world, 2018, last_year=2019)
    found = simulate(draw(world, 1, np.arange(1)), 1, np.arange(1))
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["deliveries"][:, -1].sum() > 0
