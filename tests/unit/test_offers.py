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
    prices = [abs(part) for part in random(BY_REGION, WHOLE, SEGMENTS, by_chemistry, BY_SEGMENT)]
    minds = random(WHOLE, WHOLE, WHOLE, of_segment, WHOLE, BY_SEGMENT, BY_SEGMENT, WORLDS)
    places = random(by_chemistry, BY_REGION, BY_REGION, of_region, *(of_segment,) * 5)
    weighed, on_record = [*prices, *minds, abs(minds[5]), *places], np.array([1.0, 0.0, 1.0])
    untouched = np.full((WORLDS, SEGMENTS * REGIONS, len(OFFER), CHEMISTRIES), 7.0)
    offer = twins.by_cell(untouched)
    said, barred = twins.weighed(*weighed, on_record)
    offers.weigh(*weighed, on_record, offer)
    np.testing.assert_allclose(minds[4], barred)
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
    orders, fill, *habits, waiting, peers = (abs(part) for part in random(WHOLE, BY_SEGMENT, WORLDS, WORLDS, WORLDS, BY_SEGMENT, WHOLE))
    habits[1] += 1
    orders[1, 0, :, 2] = 0
    orders[:, :, 3, 4] = 0
    expected = twins.received(orders, fill, *habits, waiting, peers)
    found = waiting, np.full(WHOLE, np.nan), np.full(WHOLE, np.nan), np.full((CHEMISTRIES, WORLDS), np.nan), peers
    offers.receive(orders, fill, *habits, *found)
    for there, here in zip(expected, found, strict=True):
        np.testing.assert_allclose(here, there, atol=1e-12)
    assert found[3][3, 4] == 1


def test_packs_hold_weigh_and_serve_what_numpy_says():
    of_chemistry, of_segment = (CHEMISTRIES, WORLDS), (SEGMENTS, WORLDS)
    shapes = of_chemistry, WORLDS, WORLDS, of_chemistry, of_segment, SEGMENTS, of_segment
    held, share, reference, factor, minimum, path, spread = given = [0.1 + abs(part) for part in random(*shapes)]
    minimum[1, 2] = 0
    found = np.full(of_chemistry, np.nan), np.full(of_chemistry, np.nan), np.full(BY_SEGMENT, np.nan)
    offers.examine(*given, *found)
    needed = np.log(np.maximum(minimum * path[:, None], 1e-6))
    heavier = (1 - share + share * reference / held) * factor
    for there, here in zip((np.log(held), heavier, (np.log(held) - needed[:, None]) / spread[:, None]), found, strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-12, atol=1e-12)


def test_a_chemistry_suits_those_who_admit_it_and_whose_needs_it_meets():
    opened, barred, lasting, energetic = random(BY_SEGMENT, WHOLE, WHOLE, BY_SEGMENT)
    alignment = np.full(WHOLE, np.nan)
    offers.align(opened, barred, lasting, energetic, alignment)
    np.testing.assert_allclose(alignment, (opened * energetic)[:, None] * (1 - barred) * lasting)
