"""Retired lithium comes back late, in part, and never more than there was."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.cost import LITHIUM_CARBONATE
from forecast.model.recycling import Recyclers
from tests.play import blackboard
from tests.small_world import lively_world


def stand(**recycling):
    """Recyclers and a market on which 1 GWh of every chemistry retires in each cell."""
    drawn = draw(lively_world(recycling={"price_response": 0.2, "recovery": 0.8, "collection": 0.5} | recycling), 1, np.arange(2))
    market = blackboard(drawn)
    market.retirements[...] = 1
    market.lithium_price[...] = 14_000
    return Recyclers(drawn), market


def test_the_share_collected_is_that_of_the_reference_price():
    recyclers, market = stand()
    retired = 4 * (0.1 + 0.11) * LITHIUM_CARBONATE * 1000
    np.testing.assert_allclose(recyclers.collect(market), retired * 0.5)


@pytest.mark.parametrize(("price", "share"), [(14_000 * np.e, 0.7), (14_000 / np.e, 0.3), (1e9, 1.0), (1.0, 0.0)])
def test_more_is_collected_when_lithium_is_dear_but_never_more_than_all(price, share):
    recyclers, market = stand()
    middle = recyclers.collect(market)
    market.lithium_price[...] = price
    np.testing.assert_allclose(recyclers.collect(market), middle / 0.5 * share)


def test_sodium_holds_no_lithium():
    recyclers, market = stand()
    market.retirements[..., :2] = 0
    assert not recyclers.collect(market).any()
