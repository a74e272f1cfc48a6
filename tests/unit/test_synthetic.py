"""Pasts that the model made up have all that the real one has, differ by trial, and their truth has a rank among the draws."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from forecast import streams
from forecast.assess import synthetic
from forecast.assess.calibrate import calibrate, chosen, numbers
from forecast.assess.synthetic import GIVEN, INVENTED, TENTHS, TRUTHS, evenness, made_up, ranks
from forecast.ensemble.design import draw
from forecast.ensemble.engines import Serial
from forecast.errors import ForecastError
from forecast.model.world import simulate
from forecast.scenario.vintage import as_known
from tests.small_world import steered_world

UNTIL, MEMBERS, TRIALS = 2018, 20, 2
YEARS = np.arange(2015, UNTIL + 1)
SPREADS = {f"{name}_spread": {"lognormal": [size, 0.4]} for name, size in (("cell_price", 0.1), ("mine_output", 0.2), ("taste", 1))}


@cache
def world(**record):
    return as_known(steered_world(unexplained=SPREADS, record={name: {"error": error} for name, error in record.items()}), UNTIL, UNTIL)


@cache
def invented(trial=0, seed=1):
    return made_up(world(), seed, trial)


@cache
def truth_played(monthly=False):
    """What the truth of the first trial plays."""
    place = np.array([TRUTHS])
    given = numbers(chosen(world()), np.array([list(invented()[1].values())]))
    free = world().model_copy(update={"record": {}, "observed_until": 2015 + GIVEN - 1})
    return simulate(draw(free, 1, place, given), 1, place, monthly=monthly)


def values(past):
    """All numbers of a made-up past."""
    record = [series.values for series in past.record.values()]
    return record + [path for segment in past.segments.values() for path in segment.history.values()]


def test_a_made_up_past_has_every_series_and_year_of_the_real_one():
    past, _ = invented()
    assert past.record.keys() == world().record.keys()
    assert past.segments.keys() == world().segments.keys()
    for name, series in past.record.items():
        assert series.model_copy(update={"values": world().record[name].values}) == world().record[name]
    for segment in past.segments.values():
        assert set(segment.history) == set(world().regions)
    for path in values(past):
        assert path.years == tuple(map(float, YEARS))
        assert path.source == INVENTED
        assert min(path.values) > 0
    assert past.observed_until == UNTIL


def test_nothing_but_record_and_history_is_made_up():
    past, _ = invented()
    assert past.model_copy(update={"record": world().record, "segments": world().segments}) == world()
    for name, segment in past.segments.items():
        assert segment.model_copy(update={"history": world().segments[name].history}) == world().segments[name]


def test_shares_stay_between_nothing_and_all():
    shares = [
        value
        for trial in range(3)
        for series in invented(trial)[0].record.values()
        if series.kind == "share"
        for value in series.values.values
    ]
    assert len(shares) == 24
    assert 0 < min(shares) < max(shares) < 1


def test_the_record_is_what_the_truth_played():
    """Without errors of measurement, of which the world on record has none."""
    past, played = invented()[0], truth_played()

    def yearly(name):
        return played[name][0].astype(float).reshape(-1, 12).mean(axis=1)

    def recorded(name):
        return past.record[name].values.values

    sold = played["deliveries"][0, :, 0].astype(float)
    ion = sold[..., :2].sum(axis=-1)
    np.testing.assert_allclose(recorded("cells"), yearly("mean_cell_price"))
    np.testing.assert_allclose(recorded("lithium"), yearly("lithium_contract_price"))
    np.testing.assert_allclose(recorded("lithium_ends"), played["lithium_price"][0, 11::12])
    np.testing.assert_allclose(recorded("mined"), played["mine_output"][0].astype(float).sum(axis=-1))
    np.testing.assert_allclose(recorded("nickel"), played["mineral_price"][0, :, 1])
    np.testing.assert_allclose(recorded("lfp_china"), np.clip(sold[:, 0, 0] / ion[:, 0], 0.002, 0.998))
    np.testing.assert_allclose(recorded("lfp_europe"), np.clip(sold[:, 1, 0] / ion[:, 1], 0.002, 0.998))


def test_last_quarters_are_those_of_the_months_that_the_truth_played():
    recorded = np.array(made_up(world(quarters_china=0), 1, 0)[0].record["quarters_china"].values.values)
    quarters = truth_played(monthly=True)["demand"][0, :, 0, 0].astype(float).reshape(-1, 12)[:, -3:].sum(axis=1)
    np.testing.assert_allclose(recorded[1:], quarters[1:] / quarters[:-1])


def test_sales_begin_as_they_were_and_go_on_as_the_truth_played_them():
    past, played = invented()[0], truth_played()
    for row, name in enumerate(sorted(past.segments)):
        for place, region in enumerate(sorted(past.regions)):
            sold = past.segments[name].history[region].values
            np.testing.assert_allclose(sold, played["demand"][0, :, row, place])
            np.testing.assert_allclose(sold[:GIVEN], world().segments[name].history[region].at(YEARS[:GIVEN]), rtol=1e-5)
            assert sold[-1] != pytest.approx(world().segments[name].history[region].at(YEARS[-1]), rel=1e-3)


def test_records_are_measured_with_their_errors():
    errors = {"cells": 0.1, "lfp_china": 0.3}
    measured = made_up(world(**errors), 1, 0)[0].record
    for name, error in errors.items():
        exact, seen = (np.array(record[name].values.values) for record in (invented()[0].record, measured))
        strayed = np.log(seen / (1 - seen) / (exact / (1 - exact))) if name == "lfp_china" else np.log(seen / exact)
        luck = streams.normal(1, f"measured {name}", np.array([TRUTHS]), 4)[0]
        np.testing.assert_allclose(strayed, error * luck, atol=1e-6)
    assert measured["nickel"] == invented()[0].record["nickel"]


def test_a_trial_is_the_same_every_time_and_no_two_are_alike():
    again = made_up(world(), 1, 0)
    assert again == invented()
    for other in (invented(1), invented(0, seed=2)):
        for here, there in zip(values(invented()[0]), values(other[0]), strict=True):
            assert here.years == there.years
            assert not np.isclose(here.values[GIVEN:], there.values[GIVEN:], rtol=1e-6).all()
        assert list(other[1]) == list(invented()[1])
        assert not np.isclose(list(other[1].values()), list(invented()[1].values())).any()


def test_the_truth_is_no_member_of_the_ensemble():
    truth = invented()[1]
    assert list(truth) == list(chosen(world()))
    for name, score in truth.items():
        assert score not in streams.normal(1, f"score of {name}", np.arange(2000))


def test_a_past_that_was_made_up_can_be_learned_from():
    found = calibrate(invented()[0], UNTIL, members=MEMBERS, steps=1, engine=Serial())
    assert {int(name.split()[-1]) for name in found.after.names} == set(YEARS)


# Ranks


def test_too_few_members_cannot_be_ranked():
    with pytest.raises(ForecastError, match="members 19: must be from 20"):
        ranks(world(), UNTIL, 1, members=19, engine=Serial())


class Backwards:
    """Everything in this process, last trial first."""

    def compute(self, work, blocks):
        yield from map(work, reversed(list(blocks)))


def asked(engine=None, trials=TRIALS, **options):
    return ranks(world(), UNTIL, trials, members=MEMBERS, engine=engine or Serial(), **options)


@cache
def ranked():
    return asked()


def test_the_truth_has_a_rank_for_every_parameter_in_every_trial():
    found = ranked()
    assert found["rank"].dims == found["kept"].dims == ("trial", "parameter")
    assert found["parameter"].values.tolist() == list(chosen(world()))
    assert found["rank"].shape == (TRIALS, len(chosen(world())))
    assert found["rank"].dtype.kind == "i"
    assert found["rank"].min() >= 0
    assert found["rank"].max() <= MEMBERS
    assert len(np.unique(found["rank"])) > 5
    assert (found["kept"] > 0.1).all()
    assert (found["kept"] < 2).all()
    assert found.attrs == {"members": MEMBERS, "until": UNTIL, "seed": 1}


def test_ranks_do_not_depend_on_where_and_when_trials_are_done():
    seen = []
    other = asked(Backwards(), progress=lambda done, wanted: seen.append((done, wanted)))
    xr.testing.assert_identical(other, ranked())
    assert seen == [(1, 2), (2, 2)]


def test_a_rank_counts_the_draws_below_the_truth(monkeypatch):
    truth = invented()[1]

    def learn(past, seed, members, *others):
        steps = np.arange(members)[:, None] - np.arange(len(truth)) % (members + 1) + 0.5
        return SimpleNamespace(learned=dict.fromkeys(truth), scores=np.array(list(truth.values())) + steps)

    monkeypatch.setattr(synthetic, "learn", learn)
    found = asked(trials=1)
    assert found["rank"].values[0].tolist() == [i % (MEMBERS + 1) for i in range(len(truth))]
    np.testing.assert_allclose(found["kept"], np.arange(MEMBERS).std())


def table_of(rank, kept):
    dims = ("trial", "parameter")
    return evenness(xr.Dataset({"rank": (dims, np.asarray(rank)), "kept": (dims, np.asarray(kept))}, attrs={"members": 99}))


def test_even_ranks_are_told_as_even():
    every, identified = table_of(np.tile(np.arange(100)[:, None], 3), np.tile([1.0, 0.9, 0.5], (100, 1)))
    tenths = {f"t{i + 1}": pytest.approx(0.1) for i in range(TENTHS)}
    assert every == {"parameters": "all", "number": 3, "within_50": pytest.approx(0.5), "within_90": pytest.approx(0.9), **tenths}
    assert identified == every | {"parameters": "identified", "number": 1}


def test_a_truth_that_lies_outside_is_told():
    (every,) = table_of([[0, 99], [0, 99]], np.ones((2, 2)))
    assert (every["t1"], every["t10"], every["within_50"], every["within_90"]) == (0.5, 0.5, 0.0, 0.0)
    assert sum(every[f"t{i + 1}"] for i in range(TENTHS)) == 1


def test_what_the_data_do_not_tell_is_not_counted_as_identified():
    assert [row["parameters"] for row in table_of([[50, 50]], [[0.81, 0.99]])] == ["all"]
    found = table_of([[50, 0], [50, 0]], [[0.7, 0.9], [0.8, 0.9]])
    assert (found[1]["number"], found[1]["within_50"]) == (1, 1.0)
    assert found[0]["within_50"] == 0.5
