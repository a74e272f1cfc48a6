"""Days order the acts, not the order in which agents were created; looking on changes nothing."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from tests.play import assert_same_bytes, play, simulated
from tests.small_world import steered_world

EVENTS = {"duty": {"kind": "tariff", "start": 2015.5, "size": 0.2}, "gift": {"kind": "subsidy", "start": 2016, "size": 5}}
YEARS = {"observed_until": 2017, "last_year": 2018, "unexplained": {"taste_spread": 0.5, "cell_price_spread": 0.1}}


@pytest.fixture(scope="module")
def parameters():
    return draw(steered_world(policy=EVENTS, **YEARS), 1, np.arange(2))


@pytest.fixture(scope="module")
def as_written():
    return simulated(steered_world(policy=EVENTS, **YEARS), monthly=True)


@pytest.mark.parametrize("shuffled", [1, 2, 3])
def test_the_order_in_which_agents_are_created_does_not_matter(parameters, as_written, shuffled):
    stage = play(parameters, shuffled=shuffled)
    assert len(stage.cast) >= 13
    assert_same_bytes(as_written, stage.results)


def test_a_spectator_changes_nothing(parameters, as_written):
    months = []
    stage = play(parameters, spectator=lambda stage: months.append(stage.now))
    assert_same_bytes(as_written, stage.results)
    assert len(months) == 48


def test_every_agent_of_the_world_is_on_stage(parameters):
    agents = "Policy Record Minerals Suppliers Manufacturers SegmentDemand Shoppers Recyclers Mines LithiumMarket Plants Programmes"
    assert set(agents.split()) <= set(play(parameters).agents)
