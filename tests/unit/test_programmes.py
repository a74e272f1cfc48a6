"""Programmes pass stages by luck, money and neighbours, and build on each other."""

import numpy as np
import pytest

from forecast.declare import Quantity
from forecast.ensemble.design import draw
from forecast.model.programmes import COMMERCIAL, NONE, STAGES, Programmes
from tests.play import blackboard, history
from tests.small_world import lively_world

MAKER, RHINE, SALT = range(3)
TIMES = dict.fromkeys(STAGES[:-1], 1.0)
PLAIN = {"difficulty": 1, "spending": 60, "stage_time": TIMES}


def three_roads(**differences):
    """A world in which solid-state sodium builds on sodium and on solid-state."""
    sodium = lively_world().chemistries["sodium_ion"]
    world = lively_world(programmes={"sodium_ion": PLAIN}, **differences)
    own = world.programmes["sodium_ion"]
    more = {name: sodium for name in ("solid_state", "solid_state_sodium")}
    asks = {"sodium_ion": Quantity(0.6), "solid_state": Quantity(0.5)}
    programmes = {"solid_state": own, "solid_state_sodium": own.model_copy(update={"knowledge_from": asks})}
    return world.model_copy(update={"chemistries": world.chemistries | more, "programmes": world.programmes | programmes})


def stand(size=3, world=None, **differences):
    """Programmes (sodium_ion alone, or with solid_state and solid_state_sodium) and a market."""
    drawn = draw(world or lively_world(programmes={"sodium_ion": PLAIN}, **differences), 1, np.arange(size))
    return Programmes(drawn, 1, np.arange(size)), blackboard(drawn)


def assert_rate(programmes, market, maker, rate):
    """The first programme of a maker passes its stage with the probability that goes with a monthly rate, and not with more."""
    stood = programmes.stage.copy()
    for nearly, passes in ((0.999, 1), (1.001, 0)):
        programmes.advance(market, np.broadcast_to(-np.expm1(-rate * nearly), stood.shape))
        assert (programmes.stage[:, maker, 0] - stood[:, maker, 0] == passes).all(), (maker, nearly)
        programmes.stage[...] = stood


def test_a_programme_enters_where_and_when_it_was_observed():
    programmes, market = stand()
    assert (programmes.stage == NONE).all()
    programmes.begin(market, 2014.5)
    assert programmes.stage[0, :, 0].tolist() == [STAGES.index("pilot"), NONE, NONE]
    programmes.begin(market, 2015.5)
    assert programmes.stage[0, :, 0].tolist() == [STAGES.index("pilot"), NONE, STAGES.index("qualification")]


def test_stages_take_their_mean_time_alone():
    programmes, market = stand(size=400, development={"neighbours": 0})
    programmes.stage[...] = NONE
    programmes.stage[:, MAKER] = 0
    passed = np.zeros((400, COMMERCIAL))
    for month in range(72):
        before = programmes.stage[:, MAKER, 0].copy()
        programmes.advance(market, programmes.luck_of(month))
        passed[np.arange(400), np.minimum(before, COMMERCIAL - 1)] += before < COMMERCIAL
    assert passed[:, 0].mean() / 12 == pytest.approx(1, abs=0.12)


def test_effort_neighbours_and_policy_raise_the_rate_as_declared():
    programmes, market = stand(development={"neighbours": 0.3, "spending_elasticity": 0.5})
    programmes.begin(market, 2016)
    alone = 1 / 12
    assert_rate(programmes, market, MAKER, alone * np.exp(0.3))
    assert_rate(programmes, market, SALT, alone * np.sqrt(0.5))
    market.programme_push[...] = np.log(4)
    assert_rate(programmes, market, SALT, 4 * alone * np.sqrt(0.5))


def test_a_hard_world_is_slower_for_all():
    for difficulty in (1.0, 2.5):
        hard = {"sodium_ion": PLAIN | {"difficulty": difficulty}}
        programmes, market = stand(world=lively_world(programmes=hard, development={"spending_elasticity": 0.5}))
        programmes.begin(market, 2016)
        assert_rate(programmes, market, SALT, programmes.drive[0, SALT, 0] / 12 / difficulty)


def test_solid_state_sodium_opens_only_where_both_roads_are_known():
    programmes, market = stand(world=three_roads())
    sodium, solid, both = range(3)
    programmes.stage[...] = NONE
    programmes.stage[:, MAKER, both] = 0
    for first, second, opens in ((0, 0, False), (6, 2, False), (3, 6, False), (4, 3, True), (6, 6, True)):
        programmes.stage[:, SALT, sodium], programmes.stage[:, RHINE, solid] = first, second
        programmes.stage[:, MAKER, both] = 0
        programmes.advance(market, np.zeros((3, 3, 3)))
        assert (programmes.stage[:, MAKER, both] == opens).all(), (first, second)


def test_a_strategy_starts_only_what_it_welcomes_and_only_when_it_is_ripe():
    programmes, market = stand(world=three_roads())
    sodium = 0
    programmes.stage[...] = NONE
    programmes.stage[:, SALT, sodium] = COMMERCIAL - 3
    programmes.advance(market, np.full((3, 3, 3), 1e-9))
    programmes.stage[:, SALT, sodium] = COMMERCIAL - 3
    assert (programmes.stage[:, [MAKER, RHINE], sodium] == NONE).all()
    programmes.stage[:, SALT, sodium] = COMMERCIAL - 2
    programmes.advance(market, np.full((3, 3, 3), 1e-9))
    assert (programmes.stage[:, MAKER, sodium] == 0).all(), "dual track"
    assert (programmes.stage[:, RHINE, sodium] == NONE).all(), "lithium incumbent"


def test_the_programmes_of_a_failed_maker_end():
    programmes, market = stand()
    programmes.begin(market, 2016)
    market.alive[:, SALT] = 0
    programmes.begin(market, 2016)
    programmes.report(market)
    assert (programmes.stage[:, SALT] == NONE).all()
    assert not market.programme_spending[:, SALT].any()
    assert market.programme_spending[:, MAKER].all()


def test_money_is_spent_until_the_market_is_reached():
    programmes, market = stand()
    programmes.begin(market, 2016)
    programmes.report(market)
    np.testing.assert_allclose(market.programme_spending[0], [5, 0, 2.5])
    programmes.stage[:, MAKER] = COMMERCIAL
    programmes.report(market)
    assert not market.programme_spending[:, MAKER].any()
    assert market.may_sell[0, :, 2].tolist() == [1, 0, 0]


def test_lines_may_be_built_one_stage_before_cells_may_be_sold():
    programmes, market = stand()
    programmes.stage[:, :, 0] = [COMMERCIAL - 2, COMMERCIAL - 1, COMMERCIAL]
    programmes.report(market)
    assert market.may_build[0, :, 2].tolist() == [0, 1, 1]
    assert market.may_sell[0, :, 2].tolist() == [0, 0, 1]


def test_stages_are_passed_one_at_a_time_and_never_lost_by_the_living():
    seen = history(draw(lively_world(), 1, np.arange(4)), programme_stage=None, alive=None)
    stage, alive = seen["programme_stage"][..., 2], seen["alive"].astype(bool)
    steps = np.diff(stage, axis=0)[alive[1:] & (stage[:-1] >= 0)]
    assert set(np.unique(steps)) == {0, 1}
