"""Offers are weighed, ordered and received as plain numpy would."""

import numpy as np

from forecast.model import offers
from forecast.model.buyers import OFFER
from tests import twins

SEGMENTS, REGIONS, CHEMISTRIES, WORLDS = SIZES = (3, 2, 9, 5)
WHOLE, BY_SEGMENT, BY_REGION = SIZES, (SEGMENTS, CHEMISTRIES, WORLDS), (REGIONS, CHEMISTRIES, WORLDS)


def random(*shapes):
    """Standard normal arrays."""
    rng = np.random.default_rng(3)
    return [rng.standard_normal(shape) for shape in shapes]


def test_what_an_offer_is_to_a_cell_is_what_the_plain_twin_says():
    by_chemistry, of_segment, of_region = (CHEMISTRIES, WORLDS), (SEGMENTS, WORLDS), (REGIONS, WORLDS)
    places = (WHOLE,) * 4 + (of_segment, WHOLE) + (BY_SEGMENT,) * 3 + (by_chemistry, BY_REGION, BY_REGION, of_region)
    weighed = random(*places, *(of_segment,) * 5)
    on_record = np.array([1.0, 0.0, 1.0])
    untouched = np.full((WORLDS, SEGMENTS * REGIONS, len(OFFER), CHEMISTRIES), 7.0)
    offer = twins.by_cell(untouched)
    said, barred = twins.weighed(*weighed, on_record)
    offers.weigh(*weighed, on_record, offer)
    np.testing.assert_allclose(weighed[5], barred)
    for name, expected in said.items():
        untouched[:, :, OFFER.index(name)] = np.moveaxis(expected, -1, 0).reshape(WORLDS, -1, CHEMISTRIES)
    np.testing.assert_allclose(offer, twins.by_cell(untouched), rtol=1e-5, atol=1e-6)
    assert (offer[..., OFFER.index("cold")] == 7).all()


def test_orders_are_what_the_plain_twin_says():
    wish, demand, backlog, withdrawal, wishes = (abs(part) for part in random(WHOLE, (SEGMENTS, REGIONS, WORLDS), WHOLE, WORLDS, WHOLE))
    wish[1, 0, :, 2] = 0
    expected = twins.placed(wish, demand, backlog, withdrawal, wishes)
    found = wishes, np.full(demand.shape, np.nan), np.full(WHOLE, np.nan), np.full(BY_REGION, np.nan)
    offers.place(wish, demand, backlog, withdrawal, *found)
    for there, here in zip(expected, found, strict=True):
        np.testing.assert_allclose(here, there)


def test_what_is_received_waits_and_is_seen_is_what_the_plain_twin_says():
    orders, fill, reluctance, memory, peers = (abs(part) for part in random(WHOLE, BY_SEGMENT, BY_SEGMENT, WORLDS, WHOLE))
    orders[1, 0, :, 2] = 0
    orders[:, :, 3, 4] = 0
    expected = twins.received(orders, fill, reluctance, memory, peers)
    found = np.full(WHOLE, np.nan), np.full(WHOLE, np.nan), np.full((CHEMISTRIES, WORLDS), np.nan), peers
    offers.receive(orders, fill, reluctance, memory, *found)
    for there, here in zip(expected, found, strict=True):
        np.testing.assert_allclose(here, there, atol=1e-12)
    assert found[2][3, 4] == 1
