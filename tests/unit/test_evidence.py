"""What a replay leaves unexplained is told year by year, with the size that it should have."""

import io
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from forecast.assess.evidence import FROM_YEAR_TO_YEAR, GROWING, SPREADS, YEAR, Evidence, evidence, growth, news
from forecast.ensemble.design import draw
from forecast.ensemble.posterior import declared
from forecast.model.record import lumpiness
from forecast.model.segments import SegmentDemand
from forecast.model.world import simulate
from forecast.scenario import load
from forecast.scenario.vintage import as_known
from tests.small_world import lively_world, steered_world

WORLDS, YEARS = 4000, 8
CHINA, EUROPE = range(2)
LFP = 0


ALL = np.ones(YEARS, bool)
LEVELS = ("cell_price", "mine_output", "lithium_price")
UNEXPLAINED = {f"{name}_spread": 0.2 for name in (*LEVELS, "contract_price", "taste")}
IN_THE_MIDDLE = {2016: 8000, 2017: 30_000, 2018: 21_000}
MIDDLES = {"lithium_middles": {"kind": "lithium_price_mid_year", "values": IN_THE_MIDDLE, "from_year": 2016, "error": 0}}


def fading(memory, months=YEAR):
    """Weighted yearly means of something of spread one that fades with a memory in years, by steps of a month, (world, year)."""
    kept = np.exp(-1 / (12 * memory))
    luck = np.random.default_rng(1).standard_normal((12 * YEARS + 12, WORLDS))
    course = [luck[0]]
    for shock in luck[1:]:
        course.append(kept * course[-1] + np.sqrt(1 - kept**2) * shock)
    return np.array([months @ course[12 * year : 12 * year + len(months)] for year in range(YEARS)]).T


@pytest.mark.parametrize("months", [YEAR, FROM_YEAR_TO_YEAR])
@pytest.mark.parametrize("memory", [0.5, 1.5, 5.0])
def test_what_is_new_in_a_year_is_as_large_as_is_said(memory, months):
    fresh, unit = news(fading(memory, months), np.full(WORLDS, memory), ALL, months)
    np.testing.assert_allclose(fresh.std(axis=0), unit[0], rtol=0.04)
    np.testing.assert_allclose(fresh.mean(axis=0), 0, atol=0.06)
    assert (unit == unit[0]).all()
    assert (unit[:, 1:] < unit[:, :1]).all()


@pytest.mark.parametrize("months", [YEAR, FROM_YEAR_TO_YEAR])
@pytest.mark.parametrize("memory", [0.5, 1.5, 5.0])
def test_what_is_new_in_a_year_owes_nothing_to_any_year_before(memory, months):
    seen = fading(memory, months)
    fresh, _ = news(seen, np.full(WORLDS, memory), ALL, months)
    alike = np.corrcoef(np.concatenate([seen, fresh], axis=1).T)
    assert abs(alike[YEARS:, :YEARS][np.tril_indices(YEARS, -1)]).max() < 0.06
    assert abs(alike[YEARS:, YEARS:] - np.eye(YEARS)).max() < 0.06
    assert np.diag(alike, 1)[: YEARS - 1].min() > 0.2, "the means themselves do"


def test_what_is_new_after_a_year_that_was_not_seen_is_new_since_the_last_that_was():
    mean, memory = fading(2.0), np.full(WORLDS, 2.0)
    fresh, unit = news(mean, memory, ALL & (np.arange(YEARS) != 3))
    np.testing.assert_allclose(fresh.std(axis=0)[4:], unit[0, 4:], rtol=0.04)
    assert unit[0, 4] > 1.1 * unit[0, 5], "two years bring more than one"
    other = mean + 9 * (np.arange(YEARS) == 3)
    np.testing.assert_array_equal(news(other, memory, ALL & (np.arange(YEARS) != 3))[0], fresh)


def test_the_growth_from_year_to_year_is_that_of_the_months_in_both():
    """Yearly sums of what grows with a rate that moves by months."""
    rate = np.random.default_rng(2).normal(0, 1e-3, 24)
    level = np.exp(np.cumsum(np.concatenate([[0], rate])))
    growth = np.log(level[12:24].sum() / level[:12].sum())
    assert growth == pytest.approx(12 * FROM_YEAR_TO_YEAR @ rate[:23], rel=0.01)


def test_every_world_fades_by_its_own_memory_and_starts_with_its_mean():
    mean, memory = fading(2.0)[:3], np.array([0.3, 2.0, 9.0])
    fresh, unit = news(mean, memory, ALL)
    for world in range(3):
        alone = news(mean[world : world + 1], memory[world : world + 1], ALL)
        np.testing.assert_array_equal(fresh[world], alone[0][0])
        np.testing.assert_array_equal(unit[world], alone[1][0])
    np.testing.assert_allclose(fresh[:, 0], mean[:, 0])
    assert unit[0, 1] > unit[1, 1] > unit[2, 1], "what lasts changes little in a year"
    assert unit[0, 0] < unit[1, 0] < unit[2, 0] < 1, "what does not last averages out within a year"


def replay(worlds=3, **differences):
    """Evidence of some replays of the world on record, with what was drawn and played."""
    world = steered_world(**{"unexplained": UNEXPLAINED} | differences)
    drawn = draw(world, 1, np.arange(worlds))
    played = simulate(drawn, 1, np.arange(worlds))
    return evidence(world, drawn, played), drawn, played


@cache
def plain():
    return replay()


def test_every_year_of_all_that_is_unexplained_is_told_once():
    told = plain()[0]
    of = [*LEVELS, "taste china lfp", "taste europe lfp"]
    assert sorted(told.names) == sorted(f"{name} {year}" for name in of for year in range(2015, 2019))
    assert all(name.startswith(kind) for kind, name in zip(told.kinds, told.names, strict=True))
    assert told.values.shape == told.unit.shape == (3, len(told.names))
    assert np.isfinite(told.values).all()
    assert (told.unit > 0).all()


@pytest.mark.parametrize("kind", LEVELS)
def test_surprises_are_the_news_of_the_corrections(kind):
    told, drawn, played = plain()
    fresh, unit = news(played[f"unexplained_{kind}"][:, :4].astype(float), getattr(drawn.unexplained, f"{kind}_memory"), ALL[:4])
    np.testing.assert_allclose(told.values[:, told.of(kind)], fresh)
    np.testing.assert_allclose(told.unit[:, told.of(kind)], unit)
    assert fresh.any()


def test_contracts_are_evidence_where_spot_prices_are_known_in_the_middle_of_two_years_on_end():
    told, drawn, played = replay(record=MIDDLES)
    assert [name for name in told.names if name.startswith("contract")] == ["contract_price 2017", "contract_price 2018"]
    seen = np.array([False, True, True, True])
    fresh, _ = news(played["unexplained_contract_price"][:, :4].astype(float), drawn.unexplained.contract_price_memory, seen)
    np.testing.assert_allclose(told.values[:, told.of("contract_price")], fresh[:, 2:])


def test_surprises_of_taste_are_those_of_their_region_and_chemistry():
    told, drawn, played = plain()
    for region, place in (("china", CHINA), ("europe", EUROPE)):
        seen, memory = played["unexplained_taste"][:, :4, place, LFP].astype(float), drawn.unexplained.taste_memory
        size = lumpiness(steered_world().record[f"lfp_{region}"].values.at(np.arange(2015, 2019)), drawn.unexplained.deciders[:, None])
        fresh = news(seen / size, memory, ALL[:4])[0] * size
        mine = [told.names.index(f"taste {region} lfp {year}") for year in range(2015, 2019)]
        np.testing.assert_allclose(told.values[:, mine], fresh)
    assert set(mine) < set(told.of("taste"))
    assert len(told.of("taste")) == 8


@pytest.mark.parametrize("other", [False, True])
def test_shares_of_next_to_nothing_or_all_say_nothing_of_tastes(other):
    shares = {2015: 0.3, 2016: 0.009, 2017: 0.011, 2018: 0.2}
    told, *_ = replay(record={"lfp_europe": {"values": {year: 1 - share if other else share for year, share in shares.items()}}})
    seen = [int(name.split()[-1]) for name in told.names if name.startswith("taste europe")]
    assert seen == [2015, 2018], "in 2017 the year before was not seen"
    assert sum(name.startswith("taste china") for name in told.names) == 4


@pytest.mark.parametrize(("series", "kind"), [("cells", "cell_price"), ("mined", "mine_output"), ("lfp_china", "taste china")])
def test_what_is_not_on_record_is_no_evidence(series, kind):
    told, *_ = replay(record={series: None})
    assert not any(name.startswith(kind) for name in told.names)
    assert len(told.names) == 16


@pytest.mark.parametrize("kind", [*LEVELS, "taste"])
def test_where_no_luck_of_a_kind_is_thought_of_surprises_of_that_kind_are_no_evidence(kind):
    told, *_ = replay(1, unexplained=UNEXPLAINED | {f"{kind}_spread": 0})
    assert set(told.kinds) == {*LEVELS, "taste"} - {kind}
    maybe, *_ = replay(1, unexplained=UNEXPLAINED | {f"{kind}_spread": {"uniform": [0, 1]}})
    assert set(maybe.kinds) == {*LEVELS, "taste"}


def test_every_world_says_how_large_its_surprises_should_be():
    told, drawn, _ = replay(unexplained=UNEXPLAINED | {"taste_spread": {"uniform": [0, 1]}})
    for kind in LEVELS:
        assert (told.spread[:, told.of(kind)] == 0.2).all()
    np.testing.assert_array_equal(told.spread[:, told.of("taste")], np.repeat(drawn.unexplained.taste_spread[:, None], 8, axis=1))
    grown, _, drawn, _ = shipped()
    row = drawn.segments.names.index("mass_cars")
    assert (grown.spread[:, grown.of("growth mass_cars")] == drawn.segments.surprise[:, row]).all()


def test_only_what_is_on_record_is_evidence():
    told, *_ = replay(observed_until=2017)
    assert {int(name.split()[-1]) for name in told.names} == {2015, 2016, 2017}


@cache
def shipped(until=2018):
    """Evidence of one replay of the shipped world, and all it is made of."""
    world = as_known(load("baseline", ["buyers.number=300"]).world, until, until)
    drawn = draw(world, 1, np.arange(1))
    played = simulate(drawn, 1, np.arange(1))
    return evidence(world, drawn, played), world, drawn, played


def test_the_shipped_world_has_evidence_of_every_kind_and_says_how_large_each_should_be():
    told = shipped(until=2022)[0]
    assert set(told.kinds) == set(SPREADS)
    assert all(len(told.of(kind)) >= 3 for kind in SPREADS)
    world = load("baseline").world
    for kind, path in SPREADS.items():
        slot = declared(path)
        assert slot is not None, kind
        assert slot.declaration.bounds["at_least"] == 0
    assert set(GROWING) <= set(world.segments)
    assert all(getattr(world.unexplained, SPREADS[kind].partition(".")[2]).prior for kind in (*LEVELS, "contract_price", "taste"))


def test_nothing_is_known_of_the_growth_of_the_first_year():
    grown = [name for name in shipped()[0].names if name.startswith("growth mass_cars")]
    assert grown == [f"growth mass_cars {year}" for year in (2016, 2017, 2018)]


@pytest.mark.parametrize("segment", GROWING)
def test_surprises_in_growth_are_as_large_as_those_of_regions_together(segment):
    told, *played = shipped()
    gap = growth(*played, segment)
    fresh, unit = news(gap.means / gap.size, gap.memory, gap.seen, FROM_YEAR_TO_YEAR)
    np.testing.assert_allclose(told.values[:, told.of(gap.kind)], fresh * gap.size)
    np.testing.assert_allclose(told.unit[:, told.of(gap.kind)], unit * gap.size)
    assert (gap.size < 1).all()


def surprised(values, sold, **correlation):
    """The gap of a segment from surprises (member, year, region) and sales (region, year) of 2015 to 2017."""
    values, sold = np.asarray(values, float), np.repeat(np.asarray(sold, float), 12, axis=1)
    members = len(values)
    demand = {"persistence": 1.0, "common": 0.3, "regional": 0.4} | correlation
    drawn = SimpleNamespace(
        segments=SimpleNamespace(names=("boats", "cars"), history=np.stack([np.ones_like(sold), sold]), surprise=np.ones((members, 2))),
        demand=SimpleNamespace(**{name: np.full(members, number) for name, number in demand.items()}),
    )
    world = SimpleNamespace(first_year=2015, observed_until=2017)
    return growth(world, drawn, {"unexplained_growth": np.stack([np.full_like(values, 99), values], axis=2)}, "cars")


def test_surprises_in_growth_are_a_mean_over_regions_by_their_sales():
    told = surprised([[[9, 9], [0.4, 0.2], [0.1, 0.5]]], [[1, 3, 1], [1, 1, 4]])
    np.testing.assert_allclose(told.means, [[0.35, 0.42]])
    assert (told.kind, told.first, told.seen.all()) == ("growth cars", 2016, True)
    np.testing.assert_array_equal(told.memory, [1.0])


def test_a_region_without_sales_has_no_say():
    told = surprised([[[9, 9], [0.4, 99], [0.1, 99]]], [[1, 3, 1], [1, 0, 0]])
    np.testing.assert_allclose(told.means, [[0.4, 0.1]])
    np.testing.assert_allclose(told.size, 1)


@pytest.mark.parametrize(("common", "regional"), [(0.3, 0.4), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)])
def test_regions_that_are_surprised_apart_surprise_less_together(common, regional):
    """As large as the luck that the model deals to its segments."""
    world = lively_world(demand={"common": common, "regional": regional})
    drawn = draw(world, 1, np.arange(600))
    agent = SegmentDemand(drawn, 1, np.arange(600))
    agent.own["kept"], agent.noise[...] = 0.0, 1.0  # nothing is left of what was
    luck = []
    for month in range(12):
        agent.grow(*(deck.on(month) for deck in agent.luck))
        luck.append(agent.surprise[:, 0].copy())
    sold = [[1, 3, 1], [1, 1, 1]]
    told = surprised(np.zeros((1, 3, 2)), sold, common=common, regional=regional)
    np.testing.assert_allclose(told.size, [[(np.array(luck) @ [0.75, 0.25]).std(), (np.array(luck) @ [0.5, 0.5]).std()]], rtol=0.04)


def test_evidence_that_was_kept_is_what_it_was():
    told, kept = plain()[0], io.BytesIO()
    np.savez(kept, **told.arrays())
    kept.seek(0)
    with np.load(kept, allow_pickle=False) as arrays:
        back = Evidence.of_arrays(arrays)
    assert (back.kinds, back.names) == (told.kinds, told.names)
    for name in ("values", "unit", "spread", "noise"):
        assert getattr(back, name).tobytes() == getattr(told, name).tobytes()
    assert all(type(name) is str for name in back.names + back.kinds)
