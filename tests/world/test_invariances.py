"""What must not matter does not: the order of the file, the block, the horizon, the hash seed, and who else could have played."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.world import World, simulate
from tests.play import assert_same_bytes, simulated
from tests.small_world import LIVELY_DIFFERENCES, lively_world, steered_world

LATE = 2101
QUIET_MAKER = {"title": "Nobody", "region": "china", "strategy": "dual_track", "founded": LATE, "capacity": {"lfp": 50}, "cash": 9000}
QUIET_MINE = {
    "country": "Chile",
    "resource": "brine",
    "status": "resource",
    "capacity": 0,
    "potential": 1e6,
    "cash_cost": 1000,
    "capital_cost": 1000,
}
QUIET_MINE |= {"lead_time": 1, "known": LATE}


def turned(block):
    """The same world with all mappings in the opposite order."""
    if isinstance(block, dict):
        return {name: turned(value) for name, value in reversed(block.items())}
    if hasattr(type(block), "model_fields"):
        return block.model_copy(update={name: turned(getattr(block, name)) for name in type(block).model_fields})
    return block


def without(found, names, absent):
    """Results without one maker, mine or chemistry, axis by axis."""
    kept = {}
    for name, values in found.items():
        for axis, dim in enumerate(("realization", "time", *names["dims"](name))):
            if dim in names["order"] and absent in names["order"][dim]:
                values = np.delete(values, names["order"][dim].index(absent), axis=axis)
        kept[name] = np.ascontiguousarray(values)
    return kept


def axes(world: World):
    """Names along each dimension, as ``without`` wants them."""
    from forecast.model.market import COLUMNS, DERIVED

    columns = COLUMNS | {name: column for name, (column, _) in DERIVED.items()}
    kinds = {"manufacturer": "manufacturers", "mine": "mines", "chemistry": "chemistries"}
    return {"order": {dim: sorted(getattr(world, kind)) for dim, kind in kinds.items()}, "dims": lambda name: columns[name].dims}


SPREADS = {f"{name}_spread": 0.1 for name in ("cell_price", "mine_output", "lithium_price", "taste")}
ERRORS = {name: {"error": 0.1} for name in ("cells", "lithium", "lithium_ends", "mined", "nickel", "lfp_china", "lfp_europe")}


def unsure_world(**differences):
    """A world on a record that has errors, after which the unexplained drifts."""
    return steered_world(**{"unexplained": SPREADS, "record": ERRORS} | differences)


@pytest.fixture(scope="module", params=[lively_world, unsure_world])
def world(request):
    """What makes a world, with differences: one left to itself, and one held to a record."""
    return request.param


@pytest.fixture(scope="module")
def five(world):
    return simulated(world(), 1, range(5))


@pytest.mark.parametrize("number", [0, 3])
def test_a_world_alone_is_the_same_world_among_five(world, five, number):
    alone = simulated(world(), 1, [number])
    assert_same_bytes({name: values[number : number + 1] for name, values in five.items()}, alone)


@pytest.mark.parametrize("parts", [([0, 1, 2, 3], [4]), ([0, 1], [2, 3, 4])])
def test_blocks_may_be_cut_anywhere(world, five, parts):
    cut = [simulated(world(), 1, part) for part in parts]
    assert_same_bytes(five, {name: np.concatenate([part[name] for part in cut]) for name in five})


def test_worlds_of_a_block_differ_and_so_do_seeds(world, five):
    price = five["lithium_price"]
    assert len(np.unique(price[:, 0])) == 5
    assert not np.isclose(price, simulated(world(), 2, range(5))["lithium_price"]).all(axis=1).any()


def test_the_order_of_blocks_in_the_file_changes_no_byte(world, five):
    assert list(turned(world()).mines) == list(reversed(world().mines))
    assert_same_bytes(five, simulated(turned(world()), 1, range(5)))


def test_a_draw_can_be_played_again_and_again(world, five):
    drawn = draw(world(), 1, np.arange(5))
    for _ in range(2):
        assert_same_bytes(five, simulate(drawn, 1, np.arange(5)))


@pytest.mark.parametrize("last", [2022, 2040])
def test_a_longer_horizon_leaves_the_past_unchanged(world, five, last):
    longer = simulated(world(last_year=last), 1, range(5))
    past = {name: np.ascontiguousarray(values[:, : five[name].shape[1]]) for name, values in longer.items()}
    assert_same_bytes(five, past)


def test_a_longer_horizon_leaves_the_past_of_the_shipped_world_unchanged():
    from forecast.scenario import load

    short, long = (simulated(load("baseline", [f"last_year={last}", "buyers.number=2000"]).world, 1, [0]) for last in (2026, 2030))
    assert_same_bytes(short, {name: np.ascontiguousarray(values[:, : short[name].shape[1]]) for name, values in long.items()})


@pytest.mark.parametrize(
    ("kind", "name", "block"), [("manufacturers", "another", QUIET_MAKER), ("mines", "another", QUIET_MINE)], ids=["maker", "mine"]
)
def test_whoever_never_acts_moves_nobody_elses_luck(world, five, kind, name, block):
    larger = world(**{kind: {name: block}})
    assert_same_bytes(five, without(simulated(larger, 1, range(5)), axes(larger), name), told=kind)


def test_a_chemistry_that_nobody_makes_changes_nothing_for_the_others(world, five):
    larger = world()
    idle = larger.chemistries["sodium_ion"].model_copy(update={"title": "Never", "learns_from": {}, "conversion_cost": {}})
    programme = larger.programmes["sodium_ion"].model_copy(update={"knowledge_from": {}})
    larger = larger.model_copy(
        update={"chemistries": {**larger.chemistries, "never": idle}, "programmes": {**larger.programmes, "never": programme}}
    )
    found = without(simulated(larger, 1, range(5)), axes(larger), "never")
    for name, values in five.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-6 * np.abs(values).max(), err_msg=name)


def renamed(world):
    """The same world whose series have names in another order."""
    record = {f"z{9 - place}": series for place, series in enumerate(sorted(world.record))}
    return world.model_copy(update={"record": {new: world.record[old] for new, old in record.items()}})


def test_the_names_of_series_change_no_byte_where_they_have_no_error():
    world = steered_world(unexplained=SPREADS)
    assert renamed(world).record.keys().isdisjoint(world.record)
    assert_same_bytes(simulated(world, 1, range(3)), simulated(renamed(world), 1, range(3)))


def test_where_series_have_errors_their_names_are_their_luck():
    here, there = (simulated(world, 1, range(3))["lithium_price"][:, :48] for world in (unsure_world(), renamed(unsure_world())))
    assert not np.isclose(here, there, rtol=1e-3).all(axis=1).any()


SCRIPT = """
import hashlib, sys
from tests.play import simulated
from tests.small_world import lively_world
found = simulated(lively_world(last_year=2017), 1, [2])
print(hashlib.sha256(b"".join(name.encode() + found[name].tobytes() for name in found)).hexdigest())
"""


def test_the_hash_seed_of_python_does_not_matter():
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT], cwd=root, env=os.environ | {"PYTHONHASHSEED": number}, stdout=subprocess.PIPE, text=True
        )
        for number in ("0", "4711")
    ]
    digests = {process.communicate(timeout=120)[0].strip() for process in started}
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_the_lively_world_is_lively(five):
    """Else the tests above would compare nothing with nothing."""
    assert "sodium_ion" in LIVELY_DIFFERENCES
    assert five["deliveries"][..., 2].any()
    assert {1, 3} <= set(np.unique(five["mine_status"]).astype(int))
    assert five["backlog"].any()
    assert (np.diff(five["capacity"], axis=1) < 0).any()
    assert (np.diff(five["capacity"], axis=1) > 0).any()
