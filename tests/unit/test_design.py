"""The design of an ensemble: named luck, shapes, and bounds."""

import numpy as np
import pytest

from forecast.declare import Lognormal, Normal, Quantity
from forecast.ensemble.design import Drawn, draw
from forecast.scenario import load
from tests.small_world import small_world_file

WORLDS = np.arange(5)


def small(folder, name="small", **differences):
    return load(small_world_file(folder, name, **differences)).world


def everything(drawn, place=""):
    """All arrays of a draw by dotted path."""
    found = {}
    for name, value in vars(drawn).items():
        if isinstance(value, Drawn):
            found |= everything(value, f"{place}{name}.")
        elif isinstance(value, np.ndarray):
            found[f"{place}{name}"] = value
    return found


def test_each_kind_of_declaration_has_its_shape(tmp_path):
    drawn = draw(small(tmp_path), 1, WORLDS)
    assert (drawn.size, drawn.months, drawn.first_year, drawn.last_year) == (5, 192, 2015, 2030)
    assert drawn.lithium.first_price.shape == (5,)
    assert drawn.lithium.other_demand.shape == (192,)
    assert drawn.chemistries.names == ("lfp", "sodium_ion")
    assert drawn.chemistries.programme == (False, True)
    assert drawn.chemistries.cycle_life.shape == (5, 2)
    assert drawn.chemistries.packing.shape == (2, 192)
    assert drawn.chemistries.learns_from.shape == (5, 2, 2)
    assert drawn.programmes.stage_time.shape == (5, 1, 6)
    assert drawn.segments.history.shape == (1, 2, 192)
    assert drawn.buyers.number == 400


def test_tables_follow_sorted_names_and_stages_their_order(tmp_path):
    drawn = draw(small(tmp_path), 1, WORLDS)
    assert drawn.chemistries.learns_from[0].tolist() == [[0.0, 0.3], [0.5, 0.0]]
    assert drawn.programmes.stage_time[0, 0].tolist() == [1, 1, 0.5, 1.5, 1, 1]


def test_a_path_is_read_at_the_start_of_each_month(tmp_path):
    drawn = draw(small(tmp_path, lithium={"other_demand": {2015: 0, 2027: 144}}), 1, WORLDS)
    assert drawn.lithium.other_demand[:3] == pytest.approx([0, 1, 2])
    assert drawn.lithium.other_demand[-1] == 144


def test_programmes_of_makers_are_arrays_over_chemistries(tmp_path):
    programmes = draw(small(tmp_path), 1, WORLDS).manufacturers.programmes
    assert programmes.present.tolist() == [[False, True]]
    assert programmes.stage.tolist() == [[-1, 3]]
    assert programmes.since[:, 0, 1].tolist() == [2019] * 5
    assert np.isnan(programmes.effort[:, 0, 0]).all()


def test_numbers_without_prior_are_the_same_in_all_worlds_and_others_differ(tmp_path):
    drawn = draw(small(tmp_path), 1, WORLDS)
    assert np.ptp(drawn.chemistries.hazard, axis=0).tolist() == [0, 0]
    assert (np.ptp(drawn.chemistries.cycle_life, axis=0) > 0).all()


def test_a_world_alone_is_the_same_world_in_a_block(tmp_path):
    world = small(tmp_path)
    block, alone = everything(draw(world, 7, np.arange(20))), everything(draw(world, 7, np.array([13])))
    varying = [name for name in block if block[name].shape[0] == 20]
    assert len(varying) > 100
    for name in varying:
        np.testing.assert_array_equal(block[name][13], alone[name][0], err_msg=name)


def test_the_seed_changes_the_luck(tmp_path):
    world = small(tmp_path)
    assert (draw(world, 1, WORLDS).lithium.first_price != draw(world, 2, WORLDS).lithium.first_price).all()


def test_order_of_the_file_changes_nothing(tmp_path):
    world = small(tmp_path)
    turned = world.model_copy(update={"chemistries": dict(reversed(world.chemistries.items()))})
    here, there = everything(draw(world, 1, WORLDS)), everything(draw(turned, 1, WORLDS))
    for name in here:
        np.testing.assert_array_equal(here[name], there[name], err_msg=name)


def test_another_mine_moves_nobody_elses_luck(tmp_path):
    world = small(tmp_path)
    more = world.model_copy(update={"mines": {"another": world.mines["quarry"], **world.mines}})
    here, there = draw(world, 1, WORLDS), draw(more, 1, WORLDS)
    np.testing.assert_array_equal(here.mines.cash_cost[:, 0], there.mines.cash_cost[:, 1])
    assert (there.mines.cash_cost[:, 0] != there.mines.cash_cost[:, 1]).all()
    np.testing.assert_array_equal(here.chemistries.cycle_life, there.chemistries.cycle_life)


def test_draws_stay_within_the_bounds(tmp_path):
    world = small(tmp_path)
    wild = world.lithium.model_copy(update={"first_price": Quantity(8600.0, Normal(8600, 1e6)), "noise": Quantity(0.1, Normal(0.1, 9))})
    greedy = world.recycling.model_copy(update={"collection": Quantity(0.5, Normal(0.5, 5))})
    drawn = draw(world.model_copy(update={"lithium": wild, "recycling": greedy}), 1, np.arange(200))
    assert drawn.lithium.first_price.min() == pytest.approx(8.6)
    assert drawn.lithium.noise.min() == 0
    assert (drawn.recycling.collection.min(), drawn.recycling.collection.max()) == (0, 1)


def test_draws_are_no_larger_than_the_unit_allows(tmp_path):
    world = small(tmp_path)
    wild = world.lithium.model_copy(update={"ceiling": Quantity(9e8, Lognormal(9e8, 3)), "noise": Quantity(0.1, Normal(0.1, 900))})
    drawn = draw(world.model_copy(update={"lithium": wild}), 1, np.arange(200)).lithium
    assert (drawn.ceiling.max(), drawn.noise.max()) == (1e9, 1e3)


def test_draws_have_the_quantiles_of_their_prior(tmp_path):
    drawn = draw(small(tmp_path, lithium={"ceiling": {"lognormal": [80000, 0.5]}}), 3, np.arange(4000)).lithium.ceiling
    believed = Lognormal(80000, 0.5).quantile(np.array([0.05, 0.5, 0.95]))
    assert np.quantile(drawn, [0.05, 0.5, 0.95]) == pytest.approx(believed, rel=0.05)
