"""Luck is uniform, and depends on nothing but its name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import kstest

from forecast import mixing, streams

WORLDS = np.arange(50)
STAYED = [0.2643410316594517, 0.9333315746553148, 0.08059573789228774, 0.9711735556782293]
"""Of seed 1, worlds 0 and 7, first two occasions."""


def test_numbers_are_uniform_over_occasions_and_over_worlds():
    luck = streams.uniform(1, "x", WORLDS, 1000)
    assert kstest(luck.ravel(), "uniform").pvalue > 0.01
    assert kstest(streams.uniform(1, "x", np.arange(20_000)), "uniform").pvalue > 0.01
    assert luck.min() > 0
    assert luck.max() < 1


def test_standard_normal_numbers_are_standard_normal():
    assert kstest(streams.normal(1, "x", WORLDS, 1000).ravel(), "norm").pvalue > 0.01


def test_normal_numbers_are_quantiles_of_the_uniform_ones_in_the_middle_and_far_out():
    np.testing.assert_allclose(streams.normal(1, "x", WORLDS, 1000), ndtri(streams.uniform(1, "x", WORLDS, 1000)), rtol=1e-14)
    extreme = np.array([0.5**54, 1e-20, 1e-11, 1e-10, 0.0749, 0.0751, 0.5, 0.9249, 0.9251, 1.0 - 0.5**53]).reshape(1, 1, -1)
    bent = extreme.copy()
    mixing.bend(bent)
    np.testing.assert_allclose(bent, ndtri(extreme), rtol=1e-14)


@pytest.mark.parametrize("other", [("y", 1), ("x ", 1), ("x", 2), ("x/", 1)])
def test_another_name_or_seed_is_unrelated_luck(other):
    here, there = streams.uniform(1, "x", WORLDS, 400), streams.uniform(other[1], other[0], WORLDS, 400)
    assert abs(np.corrcoef(here.ravel(), there.ravel())[0, 1]) < 0.02


def test_neighbouring_worlds_and_occasions_are_unrelated():
    luck = streams.uniform(3, "x", WORLDS, 400)
    assert abs(np.corrcoef(luck[1:].ravel(), luck[:-1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(luck[:, 1:].ravel(), luck[:, :-1].ravel())[0, 1]) < 0.02


def test_no_two_keys_are_equal():
    keys = np.concatenate([streams.keys(seed, name, np.arange(10_000)) for seed in (1, 2) for name in ("a", "b")])
    assert len(np.unique(keys)) == len(keys)


@given(st.integers(0, 2**40), st.text(max_size=8), st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 40))
def test_a_world_alone_has_the_luck_it_has_among_others_and_a_longer_life_begins_the_same(seed, name, world, block, months):
    among = streams.uniform(seed, name, np.arange(world, world + block), months + 7)
    np.testing.assert_array_equal(streams.uniform(seed, name, np.array([world + block - 1]), months)[0], among[-1, :months])


def test_luck_has_the_shape_that_was_asked_for():
    assert streams.uniform(1, "x", WORLDS).shape == (50,)
    assert streams.uniform(1, "x", WORLDS, 2, 3).shape == (50, 2, 3)
    assert streams.uniform(1, "x", WORLDS[:0], 2).shape == (0, 2)
    np.testing.assert_array_equal(streams.uniform(1, "x", WORLDS, 2, 3).reshape(50, 6), streams.uniform(1, "x", WORLDS, 6))


def test_these_very_numbers_stay():
    np.testing.assert_allclose(streams.uniform(1, "lithium price", np.array([0, 7]), 2).ravel(), STAYED, rtol=1e-15)


@pytest.mark.parametrize("draw", [streams.uniform, streams.normal])
def test_luck_in_bulk_is_bit_for_bit_that_of_small_amounts(draw, monkeypatch):
    names, months = [f"maker {number}" for number in range(11)], 37
    there = streams.each(draw, 1, names, WORLDS, months)
    assert there.size > streams.MANY
    monkeypatch.setattr(streams, "MANY", there.size + 1)
    np.testing.assert_array_equal(streams.each(draw, 1, names, WORLDS, months), there)
    np.testing.assert_array_equal(draw(1, names[4], WORLDS, months), there[..., 4])


@pytest.mark.parametrize("months", [8, 900])
def test_the_luck_of_months_that_nobody_looks_at_can_be_left_out(months):
    whole = streams.each(streams.normal, 1, ["x", "y"], WORLDS, months)
    np.testing.assert_array_equal(streams.each(streams.normal, 1, ["x", "y"], WORLDS, months, skipped=5), whole[:, 5:])


def test_there_may_be_no_name_and_no_occasion():
    assert streams.each(streams.normal, 1, [], WORLDS, 7).shape == (50, 7, 0)
    assert streams.each(streams.uniform, 1, ["x"], WORLDS, 7, skipped=7).shape == (50, 0, 1)


@pytest.mark.parametrize("draw", [streams.uniform, streams.normal])
def test_a_deck_deals_the_numbers_that_are_dealt_in_bulk_whatever_is_asked_first(draw):
    names, months = ["x", "y", "z"], 3 * streams.HAND
    whole, deck = streams.each(draw, 1, names, WORLDS, months), streams.Deck(draw, 1, names, WORLDS)
    for month in (0, 1, streams.HAND - 1, streams.HAND, 2 * streams.HAND + 5, 3, months - 1):
        np.testing.assert_array_equal(deck.on(month), whole[:, month])
