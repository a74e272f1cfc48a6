"""Nothing recorded is negative, infinite or not a number, even where every number is far out in its prior or the record absurd."""

from unittest import mock

import numpy as np
import pytest

from forecast import streams
from forecast.ensemble import design
from forecast.model.market import COLUMNS, DERIVED
from forecast.model.world import simulate
from tests.play import simulated
from tests.small_world import lively_world, steered_world

MAY_BE_NEGATIVE = {"margin": -1, "programme_stage": -1, "cash": -np.inf, "lithium_revision": -np.inf}
MAY_BE_ANYTHING = {name for name in COLUMNS if name.startswith("unexplained_")}
UNIT = {name for name, column in (COLUMNS | {n: c for n, (c, _) in DERIVED.items()}).items() if column.unit == "1"}
AT_MOST_ONE = UNIT - {"programme_stage", "mine_status", "margin"} - MAY_BE_ANYTHING


def assert_sane(found):
    """All columns are finite and within what their meaning allows."""
    for name, values in found.items():
        assert np.isfinite(values).all(), name
        assert name in MAY_BE_ANYTHING or values.min() >= MAY_BE_NEGATIVE.get(name, 0), name
        if name in AT_MOST_ONE:
            assert values.max() <= 1 + 1e-6, name
    assert found["programme_stage"].max() <= 6
    assert found["mine_status"].max() <= 4


def far_out(draw, seed, names, realizations):
    """Luck that only knows the far ends of a prior."""
    luck = streams.each(draw, seed, names, realizations)
    return np.where(luck < 0.5, 1e-4, 1 - 1e-4)


@pytest.mark.parametrize("world", [lively_world, steered_world])
def test_every_recorded_column_is_finite_and_within_its_bounds(world):
    assert_sane(simulated(world(), 5, range(6), monthly=True))


@pytest.mark.parametrize("world", [lively_world, steered_world])
def test_so_it_is_where_all_numbers_are_far_out_in_their_priors(world):
    spreads = {f"{name}_spread": {"lognormal": [0.3, 0.5]} for name in ("cell_price", "mine_output", "lithium_price", "taste")}
    with mock.patch.object(design, "streams", mock.Mock(each=far_out, uniform=streams.uniform)):
        drawn = design.draw(world(unexplained=spreads), 5, np.arange(40))
    assert np.unique(drawn.lithium.noise).size == 2
    assert_sane(simulate(drawn, 5, np.arange(40), monthly=True))


@pytest.mark.parametrize(
    "world",
    [
        {"manufacturers": {"maker": None, "rhine": None}},
        {"mines": {"salar": None, "quarry": None}},
        {"buyers": {"number": 1}},
        {"segments": {"cars": {"history": {"china": {2015: 0}, "europe": {2015: 0}}, "saturation": {"china": 1e-6, "europe": 1e-6}}}},
        {"lithium": {"first_price": 400, "ceiling": 80000}},
        {"industry": {"patience": 0, "credit": 0}},
        {"policy": {"all": {"kind": "ban", "start": 2016, "size": 1}}},
        {"policy": {name: {"kind": "bankruptcy", "start": 2016, "manufacturers": [name]} for name in ("maker", "rhine", "salt")}},
        {"policy": {"gift": {"kind": "subsidy", "start": 2016, "size": 1000}, "dear": {"kind": "tariff", "start": 2016, "size": 9}}},
        {"policy": {"war": {"kind": "mine_outage", "start": 2016, "size": 1}, "panic": {"kind": "stockpile", "start": 2016, "size": 1e6}}},
        {"policy": {"embargo": {"kind": "export_control", "start": 2016, "size": 1, "components": ["hard_carbon"]}}},
        {
            "policy": {
                name: {"kind": "export_control", "start": 2016, "size": 0.7, "components": ["hard_carbon"]} for name in ("one", "two")
            }
        },
        {"policy": {name: {"kind": "mine_outage", "start": 2016, "size": 0.7} for name in ("one", "two")}},
    ],
    ids=str,
)
def test_so_it_is_in_a_world_at_the_edge(world):
    assert_sane(simulated(lively_world(last_year=2018, **world), 5, range(3), monthly=True))


def with_values(kind, values, **series):
    """A record of one kind."""
    return {"record": {"one": {"kind": kind, "values": values, "error": 0.3} | series}}


@pytest.mark.parametrize(
    "world",
    [
        with_values("cell_price", {2015: 1, 2016: 5000, 2017: 1}),
        with_values("cell_price", {2015: 0, 2017: 0}),
        with_values("mine_output", {2015: 0, 2017: 0}),
        with_values("mine_output", {2015: 1e9, 2016: 0, 2017: 1e9}),
        with_values("lithium_price", {2015: 1, 2016: 1e6, 2017: 1}),
        with_values("lithium_price_year_end", {2015: 1, 2016: 1e6, 2017: 1}),
        with_values("mineral_price", {2015: 0.001, 2017: 9000}, mineral="nickel"),
        with_values("share", {2015: 0, 2016: 1, 2017: 0}, region="china", chemistry="lfp"),
        with_values("share", {2015: 0, 2017: 1}, region="china", chemistry="sodium_ion"),
        {"record": {name: {"values": {2015: 0, 2017: 0}} for name in ("cells", "mined", "lfp_china", "lfp_europe")}},
        {"observed_until": 2018, "last_year": 2017},
        {"observed_until": 2015, "last_year": 2016},
    ],
    ids=str,
)
def test_so_it_is_with_an_absurd_record(world):
    bare = {"unexplained": {"segments": ["cars"], "reference": "nmc"}, "last_year": 2019} | world
    assert_sane(simulated(lively_world(**bare) if "one" in world.get("record", ()) else steered_world(**world), 5, range(3), monthly=True))


def test_the_world_is_the_sum_of_its_regions():
    found = simulated(lively_world(), 5)
    by_region = found["deliveries"].astype(float).sum(axis=(2, 4))
    np.testing.assert_allclose(by_region.sum(axis=-1), found["output"].astype(float).sum(axis=(2, 3)), rtol=1e-5)
    wanted = found["demand"].astype(float)
    assert (wanted.sum(axis=(2, 3)) > 0).all()
    waiting = np.diff(found["backlog"].astype(float).sum(axis=(2, 3, 4)), axis=1, prepend=0)
    waiting += found["withdrawn"].astype(float).sum(axis=(2, 3))
    np.testing.assert_allclose(wanted.sum(axis=(2, 3)), by_region.sum(axis=-1) + waiting, rtol=1e-5)
