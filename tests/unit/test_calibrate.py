"""Calibration finds what the past says of parameters: exactly where that is known, the same every time, and from nothing later."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from forecast import streams
from forecast.assess import calibrate as calibration
from forecast.assess.calibrate import (
    APART,
    CALIBRATED,
    GRID,
    TWINS,
    Replay,
    calibrate,
    chosen,
    expected,
    learn,
    move,
    numbers,
    replays,
    sizes,
    without_twins,
)
from forecast.assess.evidence import Evidence
from forecast.assess.memory import FolderMemory, Memory
from forecast.declare import Path
from forecast.ensemble.design import beliefs
from forecast.ensemble.engines import Processes, Serial
from forecast.errors import DataError, ForecastError
from forecast.scenario import load
from tests.small_world import lively_world, steered_world

MEMBERS = 20
SPREADS = {f"{name}_spread": {"lognormal": [size, 0.4]} for name, size in (("cell_price", 0.1), ("mine_output", 0.2), ("taste", 1))}
SPREAD = "unexplained.cell_price_spread"


@cache
def world():
    """The small world on record, which knows how surprising it should be."""
    return steered_world(unexplained=SPREADS)


def told(values, unit=1.0, kind="cell_price", spread=0.0, noise=0.0):
    """Evidence of one kind."""
    values = np.asarray(values, float)
    names = tuple(f"{kind} {2015 + i}" for i in range(values.shape[1]))
    unit, spread = (np.broadcast_to(np.asarray(each, float), values.shape) for each in (unit, spread))
    return Evidence((kind,) * values.shape[1], names, values, unit, spread, np.broadcast_to(float(noise), values.shape[1:]))


def dealt(name, members, *shape):
    return streams.normal(1, name, np.arange(members), *shape)


# One assimilation

MANY = 20_000
SLOPES = np.array([[1.0, 0.5, 0.0, -0.4, 0.2], [0.0, 0.3, 0.8, 0.3, 0.0], [0.2, 0.0, -0.3, 0.5, 0.6]])
OFFSET = np.array([0.8, -0.5, 0.3, 1.2, 0.0])
NOISE = np.array([0.3, 0.5, 1.0, 0.4, 2.0])


def exact(noise=NOISE):
    """Mean and covariance of three standard normal numbers given that SLOPES and OFFSET, with noise in variance, make naught."""
    gain = SLOPES @ np.linalg.inv(SLOPES.T @ SLOPES + np.diag(noise))
    return -gain @ OFFSET, np.eye(3) - gain @ SLOPES.T


@pytest.mark.parametrize("steps", [1, 4])
def test_in_a_linear_world_the_posterior_is_that_of_kalman(steps):
    scores = dealt("prior", MANY, 3)
    for step in range(steps):
        scores = move(scores, told(scores @ SLOPES + OFFSET), steps * NOISE, dealt(f"luck {step}", MANY, 5))
    mean, covariance = exact()
    np.testing.assert_allclose(scores.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(scores.T), covariance, atol=0.02)
    assert abs(mean).max() > 0.3
    assert np.diag(covariance).min() < 0.4


def test_what_is_unrelated_to_the_data_keeps_its_place_and_its_spread():
    scores = dealt("prior", 600, 53)
    before = scores
    for step in range(4):
        data = scores[:, :3] @ np.tile(SLOPES, 6) + np.tile(OFFSET, 6) + 0.5 * dealt(f"own {step}", 600, 30)
        scores = move(scores, told(data), 4 * np.tile(NOISE, 6), dealt(f"luck {step}", 600, 30))
    related, unrelated = (scores.std(axis=0) / before.std(axis=0))[:3], (scores.std(axis=0) / before.std(axis=0))[3:]
    assert related.max() < 0.6
    assert unrelated.mean() == pytest.approx(1, abs=0.03)
    assert abs(unrelated - 1).max() < 0.1
    assert abs((scores - before).mean(axis=0)[3:]).max() < 0.15


def test_a_member_moves_by_its_own_luck_wherever_it_stands():
    scores, luck = dealt("prior", 40, 3), dealt("luck", 40, 5)
    values, order = scores @ SLOPES + OFFSET, np.random.default_rng(0).permutation(40)
    moved = move(scores, told(values), NOISE, luck)
    np.testing.assert_allclose(move(scores[order], told(values[order]), NOISE, luck[order]), moved[order], atol=1e-12)
    np.testing.assert_array_equal(move(scores, told(values), NOISE, luck), moved)
    assert not np.isclose(move(scores, told(values), NOISE, luck[order]), moved).any(axis=1).all()


def test_data_that_are_noise_move_nobody():
    scores = dealt("prior", 40, 3)
    moved = move(scores, told(scores @ SLOPES + OFFSET), NOISE * 1e12, dealt("luck", 40, 5))
    np.testing.assert_allclose(moved, scores, atol=1e-4)


def test_a_datum_that_is_the_same_for_all_breaks_nothing():
    scores, luck = dealt("prior", 40, 3), dealt("luck", 40, 5)
    values = scores @ SLOPES + OFFSET
    values[:, 2] = 7.0
    moved = move(scores, told(values), NOISE, luck)
    without = np.delete(np.arange(5), 2)
    np.testing.assert_allclose(moved, move(scores, told(values[:, without]), NOISE[without], luck[:, without]), atol=1e-12)


@pytest.mark.parametrize("steps", [1, 4])
def test_luck_that_differs_in_every_step_counts_once(steps):
    """Members' own luck is in their surprises; ``expected`` adds what of it the steps would count too little."""
    nothing, own = np.zeros((MANY, 0)), np.array([0.5, 0.1, 1.0, 0.0, 2.0])
    scores = dealt("prior", MANY, 3)
    for step in range(steps):
        seen = told(scores @ SLOPES + OFFSET + np.sqrt(own) * dealt(f"own {step}", MANY, 5), np.sqrt(NOISE), spread=1.0)
        variance = expected(replace(seen, noise=np.sqrt(own)), {}, nothing, steps)
        scores = move(scores, seen, variance, dealt(f"luck {step}", MANY, 5))
    mean, covariance = exact(NOISE + own)
    np.testing.assert_allclose(scores.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(scores.T), covariance, atol=0.02)
    assert abs(covariance - exact()[1]).max() > 0.1


# Sizes of surprises


def test_the_size_that_is_expected_is_that_of_the_number_learned_or_else_of_the_scenario():
    seen = told(np.zeros((2, 3)), np.array([1.0, 2.0, 3.0]), spread=[[0.1], [0.3]], noise=0.5)
    np.testing.assert_allclose(expected(seen, {}, np.zeros((2, 0)), 1), 0.05 * np.array([1, 4, 9]))
    np.testing.assert_allclose(expected(seen, {}, np.zeros((2, 0)), 4), 4 * 0.05 * np.array([1, 4, 9]) + 3 * 0.25)
    learned = {SPREAD: beliefs(world())[SPREAD]}
    spread = numbers(learned, np.array([[0.0], [1.0]]))[SPREAD]
    np.testing.assert_allclose(expected(seen, learned, np.array([[0.0], [1.0]]), 1), (spread**2).mean() * np.array([1, 4, 9]))
    other = replace(seen, kinds=("taste",) * 3)
    np.testing.assert_allclose(expected(other, learned, np.array([[0.0], [1.0]]), 1), 0.05 * np.array([1, 4, 9]))


def test_members_that_are_played_twice_say_how_much_luck_matters():
    values = dealt("apart", 2000, 3) * np.array([0.2, 1.0, 3.0]) + np.tile(dealt("member", 1000, 3), (2, 1))
    found = without_twins(told(values), 1000)
    np.testing.assert_allclose(found.noise, [0.2, 1.0, 3.0], rtol=0.06)
    np.testing.assert_array_equal(found.values, values[:1000])
    assert found.unit.shape == found.spread.shape == (1000, 3)
    np.testing.assert_array_equal(without_twins(told(np.tile(values[:3], (2, 1))), 3).noise, 0)


def spread_of(values, unit=1.0, seed=1, step=0, noise=0.0, belief=None):
    """Scores of the spread of cell prices, given surprises (member, datum)."""
    found = sizes(told(values, unit, noise=noise), {SPREAD: belief or beliefs(world())[SPREAD]}, seed, step)
    assert list(found) == [SPREAD]
    return found[SPREAD]


@pytest.mark.parametrize("true", [0.06, 0.1, 0.2])
def test_many_surprises_tell_how_large_they_are(true):
    unit = np.linspace(0.3, 1.2, 400)
    scores = spread_of(true * unit * dealt("surprise", 50, 400), unit)
    found = numbers({SPREAD: beliefs(world())[SPREAD]}, scores[:, None])[SPREAD]
    assert np.median(found) == pytest.approx(true, rel=0.03)
    np.testing.assert_allclose(found, true, rtol=0.2)


def test_every_member_judges_by_its_own_surprises():
    values = np.repeat([[0.05], [0.1], [0.2]], 400, axis=1)
    assert (np.diff(spread_of(values)) > 1).all()
    np.testing.assert_array_equal(spread_of(values[:2]), spread_of(values)[:2])


def test_a_spread_that_was_drawn_from_the_prior_is_found_as_the_prior():
    """Whatever the data, for they are as they should be (Cook, Gelman and Rubin 2006)."""
    spread = numbers({SPREAD: beliefs(world())[SPREAD]}, dealt("truth", MANY, 1))[SPREAD]
    for count in (1, 8):
        scores = spread_of(spread[:, None] * dealt("surprise", MANY, count))
        assert scores.mean() == pytest.approx(0, abs=0.06)
        assert scores.std() == pytest.approx(1, abs=0.03)


def test_luck_of_member_and_past_is_not_taken_for_a_spread():
    noise, true = 0.15, 0.1
    values = true * dealt("surprise", 50, 400) + noise * (dealt("own", 50, 400) + dealt("of the past", 50, 400))
    found = numbers({SPREAD: beliefs(world())[SPREAD]}, spread_of(values, noise=noise)[:, None])[SPREAD]
    assert np.median(found) == pytest.approx(true, rel=0.06)


def test_a_spread_of_which_nothing_is_known_is_drawn_from_its_prior_without_leaning():
    """Half a step of the grid would be 0.05."""
    assert spread_of(np.zeros((MANY, 1)), noise=1e9).mean() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("surprise", [0.0, 0.2])
def test_a_spread_that_may_be_none_is_learned_too(surprise):
    maybe = beliefs(steered_world(unexplained={"cell_price_spread": {"uniform": [0, 0.4]}}))[SPREAD]
    scores = spread_of(np.full((50, 40), surprise), belief=maybe)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(numbers({SPREAD: maybe}, scores[:, None])[SPREAD], surprise, atol=0.1)


def test_scores_of_a_spread_stay_on_the_grid():
    scores = spread_of(np.array([[0.0] * 50, [1e6] * 50]))
    assert GRID[0] <= scores[0] < -2
    assert 3 < scores[1] <= GRID[-1]


def test_sizes_depend_on_seed_and_step():
    values = 0.1 * dealt("surprise", 5, 3)
    assert not np.isclose(spread_of(values), spread_of(values, seed=2)).any()
    assert not np.isclose(spread_of(values), spread_of(values, step=1)).any()


def test_without_surprises_of_a_kind_or_a_wish_to_learn_its_size_nothing_is_said():
    learned = {SPREAD: beliefs(world())[SPREAD]}
    assert sizes(told(np.ones((4, 3)), kind="taste"), learned, 1, 0) == {}
    assert sizes(told(np.ones((4, 3))), {}, 1, 0) == {}


# Numbers


def test_without_evidence_numbers_are_drawn_from_their_priors():
    learned, probability = beliefs(world()), np.linspace(0.01, 0.99, 99)
    from scipy.special import ndtri

    found = numbers(learned, np.repeat(ndtri(probability)[:, None], len(learned), axis=1))
    assert list(found) == list(learned)
    for name, belief in learned.items():
        np.testing.assert_allclose(found[name], belief.at(probability), rtol=1e-9, err_msg=name)
        assert (np.diff(found[name]) >= 0).all()


@pytest.mark.parametrize("score", [-1e9, -40.0, -8.0, 8.0, 9.0, 1e9])
def test_no_score_leads_beyond_bounds_or_to_infinity(score):
    learned = beliefs(load("baseline").world)
    found = numbers(learned, np.full((1, len(learned)), score))
    for name, belief in learned.items():
        bounds = belief.declaration.bounds
        assert np.isfinite(found[name]).all(), name
        assert found[name] >= bounds.get("at_least", bounds.get("above", -np.inf)), name
        assert found[name] <= bounds.get("at_most", bounds.get("below", np.inf)), name
        assert found[name] != bounds.get("above"), name
        assert found[name] != bounds.get("below"), name


def test_patterns_choose_what_is_learned_among_what_has_a_prior():
    assert list(chosen(world(), ("mining.pa*", "lithium.first_price"))) == ["lithium.first_price", "mining.pace"]
    assert "mining.pace" in chosen(world())
    assert not any(name.startswith(("segments.cars", "mines.")) for name in chosen(world()))
    assert chosen(world(), ("*",)) == beliefs(world())


def test_patterns_that_match_nothing_are_refused():
    with pytest.raises(ForecastError, match=r"parameters lithium\.frist\*, x: none of them has a prior in this scenario"):
        chosen(world(), ("lithium.frist*", "x"))
    with pytest.raises(ForecastError, match="none of them has a prior"):
        calibrate(world(), 2018, members=MEMBERS, patterns=("title",), engine=Serial())


def test_every_pattern_by_default_means_something_in_the_shipped_world():
    for pattern in CALIBRATED:
        assert chosen(load("baseline").world, (pattern,)), pattern


# The whole


def bytes_of(found):
    """All of a calibration, bit by bit."""
    told = [getattr(each, name).tobytes() for each in (found.before, found.after) for name in ("values", "unit", "noise")]
    return [list(found.learned), found.scores.tobytes(), *told, *(values.tobytes() for values in found.given.values())]


class Watched:
    """Everything in this process, last block first; interrupted where told."""

    def __init__(self, stop=None):
        self.calls, self.stop = 0, stop

    def compute(self, work, blocks):
        self.calls += 1
        if self.calls - 1 == self.stop:
            raise KeyboardInterrupt
        yield from map(work, reversed(list(blocks)))


def learned(members=MEMBERS, until=2018, seed=1, engine=None, steps=2, of=None, **options):
    return calibrate(of or world(), until, seed, members=members, steps=steps, engine=engine or Serial(), **options)


@cache
def plain():
    return learned()


def test_the_same_seed_gives_the_same_posterior_and_another_seed_another():
    assert bytes_of(learned()) == bytes_of(plain())
    assert not np.isclose(learned(seed=2).scores, plain().scores).any()


@cache
def of_two_blocks():
    return bytes_of(learned(60, steps=1))


@pytest.mark.parametrize("engine", [Watched(), Processes(2)])
def test_where_replays_are_computed_changes_no_bit(engine):
    assert bytes_of(learned(60, steps=1, engine=engine)) == of_two_blocks()


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_an_interrupted_calibration_goes_on_to_the_same_bits(tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        learned(engine=Watched(stop), memory=FolderMemory(tmp_path))
    again = Watched()
    assert bytes_of(learned(engine=again, memory=FolderMemory(tmp_path))) == bytes_of(plain())
    assert again.calls == 3 - stop


def test_what_was_learned_is_what_was_asked_for_and_has_evidence_before_and_after():
    assert list(plain().learned) == list(chosen(world()))
    assert plain().scores.shape == (MEMBERS, len(plain().learned))
    assert plain().before.names == plain().after.names
    assert len(plain().before.values) == MEMBERS
    assert not np.isclose(plain().before.values, plain().after.values).any(axis=1).all()
    first = np.stack([streams.normal(1, f"score of {name}", np.arange(MEMBERS)) for name in plain().learned], axis=-1)
    assert (abs(plain().scores - first).max(axis=0) > 0.01).mean() > 0.8


def test_what_says_how_surprises_behave_is_not_moved_by_their_mean():
    memories = {f"{name}_memory": {"lognormal": [2, 0.4]} for name in ("cell_price", "taste")}
    found = learned(of=steered_world(unexplained=SPREADS | memories))
    for name in ("demand.persistence", "unexplained.cell_price_memory", "unexplained.taste_memory"):
        column = list(found.learned).index(name)
        np.testing.assert_array_equal(found.scores[:, column], streams.normal(1, f"score of {name}", np.arange(MEMBERS)))
    assert SPREAD in APART
    column = list(found.learned).index(SPREAD)
    last = sizes(found.after, {SPREAD: found.learned[SPREAD]}, 1, 2)[SPREAD]
    np.testing.assert_array_equal(found.scores[:, column], last)


def test_only_what_is_asked_for_is_learned():
    found = learned(patterns=("mining.*",))
    assert set(found.given) == set(chosen(world(), ("mining.*",)))
    first = np.stack([streams.normal(1, f"score of {name}", np.arange(MEMBERS)) for name in found.learned], axis=-1)
    assert abs(found.scores - first).max() > 0.8, "surprises are as large as the scenario says, not 1"
    assert all(values.shape == (MEMBERS,) for values in found.given.values())


def test_every_step_and_every_twin_is_played_with_other_luck(monkeypatch):
    seen = []

    def play(work, engine, done):
        seen.append((work.first, work.members))
        np.testing.assert_array_equal(*(work.given["mining.pace"][rows] for rows in (slice(TWINS), slice(100, None))))
        return replays(work, engine, done)

    monkeypatch.setattr(calibration, "replays", play)
    found = learned(100)
    assert seen == [(step * (100 + TWINS), 100 + TWINS) for step in range(3)]
    assert (found.after.noise > 0).all()
    assert (found.before.noise > 0).all()


def test_a_replay_has_the_luck_of_the_number_it_begins_with():
    given = {"mining.pace": np.ones(4)}
    whole, part = (Replay(world(), 1, {name: v[n:] for name, v in given.items()}, 4 - n, n)(0)[1] for n in (0, 2))
    np.testing.assert_array_equal(whole.values[2:], part.values)


def test_in_a_world_that_answers_linearly_what_is_learned_is_exact(monkeypatch):
    """From priors through steps, sizes that are known and numbers in their units."""
    names, members = ("chemistries.lfp.learning_rate", "demand.expected_decline", "mining.required_return"), 4000
    loud = steered_world(unexplained={"cell_price_spread": 1})
    luck = iter(range(5))
    own = np.array([0.5, 0.1, 1.0, 0.0, 2.0])

    def answer(work, engine, done):
        priors = [beliefs(loud)[name].quantity.prior.arguments for name in names]
        standard = np.stack([(work.given[name] - mean) / sd for name, (mean, sd) in zip(names, priors, strict=True)], axis=-1)
        return told(standard @ SLOPES + OFFSET + np.sqrt(own) * dealt(f"own {next(luck)}", len(standard), 5), np.sqrt(NOISE), spread=1.0)

    monkeypatch.setattr(calibration, "replays", answer)
    found = learn(loud, 1, members, 4, names, Serial(), Memory(), None)
    mean, covariance = exact(NOISE + own)
    np.testing.assert_allclose(found.scores.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(np.cov(found.scores.T), covariance, atol=0.06)


def later(values, year, factor):
    """A path in which every year after ``year`` is another."""
    return Path(values.years, tuple(v * (factor if y > year else 1) for y, v in zip(values.years, values.values, strict=True)))


def test_what_came_after_the_year_teaches_nothing():
    shipped = load("baseline", ["buyers.number=300"]).world
    record = {name: s.model_copy(update={"values": later(s.values, 2018, 0.5)}) for name, s in shipped.record.items()}
    segments = {
        name: s.model_copy(update={"history": {region: later(path, 2018, 3.0) for region, path in s.history.items()}})
        for name, s in shipped.segments.items()
    }
    other = shipped.model_copy(update={"record": record, "segments": segments})
    here, there = (learned(of=each, steps=1) for each in (shipped, other))
    assert bytes_of(here) == bytes_of(there)
    assert here.after.names[-1].endswith("2018")


@pytest.mark.parametrize("year", [2014, 2016, 2019])
def test_a_year_outside_the_record_is_refused_with_those_inside(year):
    with pytest.raises(DataError, match=f"{year}: must be a year from 2017 to 2018"):
        learned(until=year)


def test_a_scenario_without_a_record_has_nothing_to_learn_from():
    with pytest.raises(DataError, match="no record to learn from"):
        learned(of=lively_world(), until=2017)
    nickel = {"kind": "mineral_price", "mineral": "nickel", "values": {2015: 12, 2016: 10, 2017: 11}, "error": 0}
    with pytest.raises(DataError, match="nothing to learn from"):
        learned(of=lively_world(record={"nickel": nickel}), until=2017)


@pytest.mark.parametrize("wrong", [{"members": 19}, {"members": 0}, {"members": 10**11}, {"steps": 0}])
def test_too_few_members_or_steps_are_refused_before_any_replay(wrong):
    engine = Watched()
    with pytest.raises(ForecastError, match=r"members .*: must be from 20 to 100000|steps 0: must be at least 1"):
        learned(engine=engine, **wrong)
    assert engine.calls == 0


def test_progress_counts_replays_up_to_all():
    seen = []
    learned(60, steps=1, progress=lambda done, wanted: seen.append((done, wanted)))
    assert seen == [(50, 240), (100, 240), (120, 240), (170, 240), (220, 240), (240, 240)]
