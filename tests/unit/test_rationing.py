"""Who gets what is scarce."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecast.model import rationing

ORDERS = arrays(float, (2, 4, 3), elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e3)))
SUPPLY = arrays(float, (2, 3), elements=st.one_of(st.just(0.0), st.floats(1e-6, 5e3)))
PRIORITY = arrays(float, (2, 4), elements=st.floats(0.05, 20))


def served(orders, supply, priority):
    """Share of orders that is served, (world, segment, chemistry), market by market."""
    share = np.full_like(orders, np.nan)
    for world, chemistry in np.ndindex(supply.shape):
        first = np.argsort(-priority[world], kind="stable")
        rationing.served(orders[world, :, chemistry], supply[world, chemistry], priority[world], first, share[world, :, chemistry])
    return share


def all_at_once(orders, supply, priority):
    """The same in numpy: one level for each number of segments served in full, of which the first that holds is taken."""
    first = np.argsort(-priority, axis=1, kind="stable")
    wanted = np.take_along_axis(orders, first[:, :, None], axis=1)
    rank = np.take_along_axis(priority, first, axis=1)[:, :, None]
    full = np.cumsum(wanted, axis=1) - wanted
    rest = np.cumsum((wanted * rank)[:, ::-1], axis=1)[:, ::-1]
    level = np.divide(supply[:, None] - full, rest, out=np.zeros_like(rest), where=rest > 0)
    stop = level * rank <= 1.0
    stop[:, -1] = True
    chosen = np.take_along_axis(np.maximum(level, 0.0), stop.argmax(axis=1)[:, None], axis=1)
    share = np.minimum(chosen * priority[:, :, None], 1.0)
    return np.where(orders.sum(axis=1, keepdims=True) <= supply[:, None] * (1.0 + rationing.ROUNDING), 1.0, share)


@given(ORDERS, SUPPLY, PRIORITY)
def test_the_compiled_kernel_serves_as_plain_numpy_does(orders, supply, priority):
    np.testing.assert_allclose(served(orders, supply, priority), all_at_once(orders, supply, priority), rtol=1e-9, atol=1e-12)


@given(ORDERS, SUPPLY, PRIORITY)
def test_shares_lie_between_nothing_and_everything(orders, supply, priority):
    share = served(orders, supply, priority)
    assert (share >= 0).all()
    assert (share <= 1).all()


@given(ORDERS, SUPPLY, PRIORITY)
def test_all_that_is_scarce_is_used_and_no_more(orders, supply, priority):
    given_ = (served(orders, supply, priority) * orders).sum(axis=1)
    np.testing.assert_allclose(given_, np.minimum(orders.sum(axis=1), supply), rtol=1e-9, atol=1e-12)


@given(ORDERS, SUPPLY, PRIORITY)
def test_higher_priority_never_gets_a_smaller_share(orders, supply, priority):
    share = served(orders, supply, priority)
    for one in range(4):
        for other in range(4):
            above = priority[:, one] >= priority[:, other]
            assert (share[above, one] >= share[above, other] - 1e-12).all()


@given(ORDERS, SUPPLY, PRIORITY)
def test_more_supply_never_serves_anyone_less(orders, supply, priority):
    assert (served(orders, supply * 1.5, priority) >= served(orders, supply, priority) - 1e-9).all()


@given(ORDERS, SUPPLY)
def test_equal_priority_shares_equally(orders, supply):
    share = served(orders, supply, np.ones((2, 4)))
    np.testing.assert_allclose(share, share[:, :1].repeat(4, axis=1), atol=1e-12)


def test_shares_are_in_proportion_to_priority_until_someone_is_full():
    orders, supply = np.full((1, 2, 1), 10.0), np.array([[9.0]])
    np.testing.assert_allclose(served(orders, supply, np.array([[2.0, 1.0]])).ravel(), [0.6, 0.3])
    np.testing.assert_allclose(served(orders, supply * 1.6, np.array([[8.0, 1.0]])).ravel(), [1.0, 0.44])
