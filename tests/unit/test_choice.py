"""The compiled kernels choose as their plain twins do, and lose nobody."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from forecast.model import choice
from forecast.model.calendar import QUARTER
from tests import twins

TIE = 1e-5


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), chemistries=st.integers(1, 18), month=st.integers(0, 4))
def test_wishes_and_picks_are_those_of_the_plain_twin(seed, chemistries, month):
    crowd = twins.crowd_of(seed, chemistries=chemistries, opening_life=10)
    twins.shop(crowd, month)
    chance, due = twins.probabilities(crowd), crowd.due == month
    mark = twins.luck(crowd, month)
    expected = np.where(due, twins.picks(chance, mark), -1)
    tie = (np.abs(chance.cumsum(axis=-1) - mark[..., None]) < TIE).any(axis=-1)
    assert tie.mean() < 0.01
    np.testing.assert_array_equal(crowd.pick[~tie], expected[~tie])
    np.testing.assert_allclose(crowd.wish, twins.wishes(crowd, month), rtol=1e-5, atol=1e-5)


def open_crowd(**options):
    """Buyers without tastes, habits or requirements, all due now; everything is on offer."""
    crowd = twins.crowd_of(**{"worlds": 1, "cells": 1, "opening_life": 0} | options)
    for free in ("taste", "habit", "base", "openness"):
        getattr(crowd, free)[...] = 0
    crowd.limit[...], crowd.admission[...] = 100, 1
    return crowd


def test_without_tastes_shares_are_the_logit_formula():
    crowd = open_crowd(chemistries=3, buyers=1000)
    crowd.base[...] = [0.0, 1.0, -2.0]
    twins.shop(crowd, 0)
    np.testing.assert_allclose(crowd.wish[0, 0] / 1000, np.exp([0, 1, -2]) / np.exp([0, 1, -2]).sum(), rtol=1e-6)


@pytest.mark.parametrize("chemistries", [1, 2, 5])
def test_identical_chemistries_are_chosen_equally(chemistries):
    crowd = open_crowd(chemistries=chemistries, buyers=20_000)
    crowd.base[...] = 3.3
    twins.shop(crowd, 0)
    np.testing.assert_allclose(crowd.wish[0, 0] / 20_000, 1 / chemistries, rtol=1e-6)
    np.testing.assert_allclose(np.bincount(crowd.pick[0], minlength=chemistries) / 20_000, 1 / chemistries, atol=0.015)


@pytest.mark.parametrize("constant", [-50.0, 50.0, 5000.0])
def test_only_differences_of_utility_matter(constant):
    crowd, moved = open_crowd(chemistries=3), open_crowd(chemistries=3)
    crowd.base[...] = [0.0, 1.0, -2.0]
    moved.base[...] = crowd.base + np.float32(constant)
    twins.shop(crowd, 0)
    twins.shop(moved, 0)
    np.testing.assert_allclose(moved.wish, crowd.wish, rtol=1e-3)


def test_a_hopeless_chemistry_is_never_chosen_and_never_not_a_number():
    crowd = open_crowd(chemistries=3)
    crowd.base[...] = [0.0, -1e4, -90.0]
    twins.shop(crowd, 0)
    assert crowd.wish[0, 0].tolist() == [200, 0, 0]
    assert set(crowd.pick[0]) == {0}


def test_habit_draws_to_what_was_bought_last():
    crowd = open_crowd(chemistries=2)
    crowd.habit[...] = 1.5
    crowd.owned[...] = 1
    twins.shop(crowd, 0)
    assert crowd.wish[0, 0, 1] / 200 == pytest.approx(1 / (1 + np.exp(-1.5)), rel=1e-5)


def test_whoever_needs_more_than_all_offer_takes_what_there_is():
    crowd = open_crowd(chemistries=3)
    crowd.limit[...] = -100
    crowd.admission[0, 0] = [0.5, 0, 0.1]
    twins.shop(crowd, 0)
    np.testing.assert_allclose(crowd.wish[0, 0], [100, 0, 100], rtol=1e-6)


def test_where_nothing_is_offered_nobody_chooses():
    crowd = open_crowd()
    crowd.admission[...] = 0
    twins.shop(crowd, 0)
    assert not crowd.wish.any()
    assert (crowd.pick == -1).all()


def test_product_lines_open_to_the_open_first():
    crowd = open_crowd(chemistries=2, buyers=10_000)
    crowd.openness[...] = np.linspace(0, 1, 10_000, endpoint=False)
    crowd.admission[0, 0] = [1, 0.3]
    twins.shop(crowd, 0)
    assert crowd.wish[0, 0, 1] == pytest.approx(1500, abs=2)
    assert (crowd.pick[0, 3001:] == 0).all()


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), shortest=st.sampled_from([0.0, 1.0, 8.0]), buyers=st.integers(1, 200))
def test_whoever_is_due_acts_and_falls_due_again_later_and_nobody_else_is_touched(seed, shortest, buyers):
    crowd = twins.crowd_of(seed, buyers=buyers, opening_life=12)
    crowd.life[...] = shortest + crowd.life / 4
    for month in range(20):
        due, owned = crowd.due.copy(), crowd.owned.copy()
        assert (due >= month).all()
        twins.shop(crowd, month)
        np.testing.assert_array_equal(crowd.due, due)
        twins.take_home(crowd, month)
        acted = due == month
        assert (crowd.due[acted] > month).all()
        np.testing.assert_array_equal(crowd.due[~acted], due[~acted])
        np.testing.assert_array_equal(crowd.owned[~acted], owned[~acted])


def after_delivery(fill, life):
    """Months in which batteries fall due and who was served, where everybody chose the first of two chemistries in month 0."""
    crowd = open_crowd(chemistries=2, buyers=5000)
    crowd.fill[0, 0], crowd.life[...] = [fill, 1.0], life
    crowd.base[0, 0] = [9, -99]
    crowd.owned[...] = 1
    twins.shop(crowd, 0)
    twins.take_home(crowd, 0)
    return crowd.due[0], crowd.owned[0] == 0


def test_what_was_delivered_falls_due_at_the_end_of_its_life():
    due, served = after_delivery(fill=1, life=20)
    assert served.all()
    assert (due.min(), due.max()) == (10, 30)
    assert kstest(due, "uniform", (10, 20)).statistic < 0.1


def test_an_order_that_cannot_be_filled_stands_for_a_quarter_and_then_its_buyer_chooses_again():
    due, served = after_delivery(fill=0.3, life=0)
    assert (due[~served] == QUARTER).all()
    months = np.bincount(due[served], minlength=4) / len(due)
    np.testing.assert_allclose(months, [0, 0.3, 0.7 * 0.3, 0.7**2 * 0.3], atol=0.03)


def test_where_nothing_is_offered_one_looks_again_next_month():
    crowd = open_crowd()
    crowd.admission[...] = 0
    twins.shop(crowd, 0)
    twins.take_home(crowd, 0)
    assert (crowd.due == 1).all()


def test_a_life_of_no_time_lasts_a_month():
    crowd = open_crowd()
    crowd.life[...], crowd.fill[...] = 0, 1
    twins.shop(crowd, 0)
    twins.take_home(crowd, 0)
    assert (crowd.due == 1).all()


def test_at_the_start_batteries_are_those_in_use_and_some_of_their_life_is_left():
    crowd = twins.crowd_of(cells=2, buyers=40_000, opening_life=100)
    for cell in range(2):
        mine = crowd.cell == cell
        owned = np.bincount(crowd.owned[0, mine], minlength=4) / mine.sum()
        np.testing.assert_allclose(owned, crowd.shares[0, cell], atol=0.02)
    np.testing.assert_array_equal(crowd.due, np.floor(crowd.left * crowd.opening_life[:, crowd.cell]))


def test_a_chemistry_that_is_not_in_use_is_owned_by_nobody():
    rng, due, owned = np.random.default_rng(0), np.zeros(1000, np.int16), np.full(1000, choice.NOTHING)
    shares = np.array([[[0.0, 0.4, 0.0, 0.5, 0.0]]])
    choice.enrol(due, owned, np.array([0, 1000]), rng.random(1000), rng.random(1000), shares, np.ones((1, 1)))
    assert set(owned) == {1, 3}


def test_a_very_long_life_is_longer_than_any_horizon():
    crowd = open_crowd()
    crowd.life[...], crowd.fill[...] = 1e7, 1
    twins.shop(crowd, 0)
    twins.take_home(crowd, 0)
    assert (crowd.due == choice.LATEST).all()


def test_the_luck_of_choices_is_uniform_and_that_of_two_months_worlds_cells_or_buyers_unrelated():
    crowd = twins.crowd_of(buyers=20_000, cells=2)
    first, second = twins.luck(crowd, 0), twins.luck(crowd, 1)
    assert kstest(first[0], "uniform").pvalue > 0.01
    others = (second[0], first[1], np.roll(first[0], 1), first[0, ::-1])
    assert max(abs(np.corrcoef(first[0], other)[0, 1]) for other in others) < 0.03


@pytest.mark.parametrize("listed", [2, 12])
def test_a_list_made_for_many_months_changes_nobody_s_fate(listed):
    monthly, rarely = (twins.crowd_of(seed=5, buyers=500, opening_life=20) for _ in range(2))
    for month in range(24):
        twins.shop(monthly, month)
        twins.take_home(monthly, month)
        twins.shop(rarely, month, listed)
        np.testing.assert_array_equal(rarely.wish, monthly.wish)
        twins.take_home(rarely, month, listed)
    assert (monthly.due > 23).all()
    np.testing.assert_array_equal(rarely.due, monthly.due)
    np.testing.assert_array_equal(rarely.owned, monthly.owned)
