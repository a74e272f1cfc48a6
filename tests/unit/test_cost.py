"""Closed forms of what a cell costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.model import cost, learning
from tests.unit.test_trade import first, last

MONEY = st.floats(0.1, 1000)
RATE = st.floats(0, 0.9)


@given(MONEY, RATE, st.floats(0, 20))
def test_wright_each_doubling_cuts_the_same_share(start, rate, doublings):
    here, next_ = (learning.learned(start, 0.0, np.log1p(-rate), d) for d in (doublings, doublings + 1))
    assert next_ == pytest.approx(here * (1 - rate))


@given(MONEY, MONEY, RATE, st.floats(0, 60))
def test_nothing_is_learned_below_the_floor(start, floor, rate, doublings):
    learned = learning.learned(start, floor, np.log1p(-rate), doublings)
    assert floor <= learned <= floor + max(start - floor, 0)
    assert learning.learned(start, floor, np.log1p(-rate), 0.0) == pytest.approx(max(start, floor))


def test_wrights_law_is_a_power_of_experience():
    experience = np.array([1.0, 10.0, 100.0, 1000.0])
    learned = [learning.learned(100.0, 0.0, np.log(0.8), learning.doublings(made, 1.0)) for made in experience]
    np.testing.assert_allclose(learned, 100 * experience ** np.log2(0.8))


@given(st.floats(0, 100), st.floats(0.1, 100))
def test_doublings_count_from_the_opening_and_never_back(experience, opening):
    doublings = learning.doublings(experience, opening)
    assert opening * 2**doublings == pytest.approx(max(experience, opening))


@given(st.floats(0, 0.5), st.integers(1, 40))
def test_an_annuity_is_the_sum_of_its_discounted_years(rate, years):
    assert cost.annuity(np.array(rate), np.array(float(years))) == pytest.approx(
        sum((1 + rate) ** -year for year in range(1, years + 1)), rel=1e-6
    )


@given(st.floats(0.1, 50))
def test_an_annuity_at_no_interest_is_its_years_and_a_perpetuity_one_over_the_rate(years):
    assert cost.annuity(np.array(0.0), np.array(years)) == pytest.approx(years, rel=1e-6)
    assert cost.annuity(np.array(0.05), np.array(1e5)) == pytest.approx(20)


@given(st.floats(10, 300), st.floats(1, 300), st.floats(0.001, 1))
def test_half_the_gap_in_specific_energy_is_closed_in_a_half_life(start, gap, progress):
    at = lambda years: learning.specific_energy(start, start + gap, progress, years)  # noqa: E731
    assert at(np.log(2) / progress) == pytest.approx(start + gap / 2)
    assert at(-3.0) == pytest.approx(start)
    assert at(1e6) == pytest.approx(start + gap)


def test_what_goes_into_cells_is_bought_by_weight_at_prices_in_contracts():
    random = np.random.default_rng(0)
    worlds, chemistries, minerals, components = 3, 4, 2, 5
    start, progress, years = (random.uniform(0.1, 2, (worlds, chemistries)) for _ in range(3))
    ceiling, saving, lag = start + random.random(start.shape), random.random(worlds), random.uniform(1, 5, worlds)
    intensity, needed = random.random((worlds, chemistries, minerals)), random.random((worlds, chemistries, components))
    price, lagged, paid = (random.random((worlds, kinds)) for kinds in (minerals, minerals, components))
    changed, *told = last(lagged, *[np.full(start.shape, np.nan)] * 3)
    here = last(years, start, ceiling, progress, saving, lag, intensity, price, needed, paid)
    learning.buy(*here, changed, *told)
    lagged = lagged + (price - lagged) / lag[:, None]
    energy = ceiling - (ceiling - start) * np.exp(-progress * years)
    weighed = (intensity * lagged[:, None]).sum(axis=-1) * (start / energy) ** saving[:, None]
    expected = lagged, energy, weighed, (needed * paid[:, None]).sum(axis=-1)
    for found, wanted in zip((changed, *told), expected, strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-12)


def test_a_kilogram_of_lithium_costs_its_carbonate_and_what_is_lost():
    assert cost.lithium_cost(np.array([[0.1]]), np.array([10_000.0]), np.array([1.15])) == pytest.approx(0.1 * 5.323 * 10 * 1.15)
    assert pytest.approx(73.89 / (2 * 6.94), rel=1e-3) == cost.LITHIUM_CARBONATE
