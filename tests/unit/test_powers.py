"""Exponential and logarithm in plain arithmetic are those of mathematics, to the last digit or two."""

import numpy as np
from numba import njit

from forecast.model.powers import exponential, logarithm

FINE = np.finfo(np.longdouble).eps < 1e-18  # where there is nothing finer to compare with, both may be off
OFF = 2.3e-16 if FINE else 5e-16


@njit(error_model="numpy")
def of_each(numbers, powers, logarithms):
    for place in range(len(numbers)):
        powers[place], logarithms[place] = exponential(numbers[place]), logarithm(numbers[place])


def found(numbers):
    numbers = np.asarray(numbers, float)
    powers, logarithms = np.empty_like(numbers), np.empty_like(numbers)
    of_each(numbers, powers, logarithms)
    return powers, logarithms


def test_powers_of_e_are_right_to_the_last_digit():
    random = np.random.default_rng(0)
    numbers = np.concatenate([random.uniform(low, -low, 20_000) for low in (-700, -30, -1, -1e-3)])
    np.testing.assert_allclose(found(numbers)[0].astype(np.longdouble), np.exp(numbers.astype(np.longdouble)), rtol=OFF)


def test_logarithms_are_right_to_the_last_digit():
    random = np.random.default_rng(1)
    numbers = np.concatenate([np.exp(random.uniform(low, -low, 20_000)) for low in (-700, -30, -1, -1e-3)])
    np.testing.assert_allclose(found(numbers)[1].astype(np.longdouble), np.log(numbers.astype(np.longdouble)), rtol=OFF)


def test_round_numbers_have_round_answers():
    assert found([0.0])[0] == 1
    assert found([1.0])[1] == 0
    np.testing.assert_allclose(found([2.0, 0.5, 1024.0])[1] / np.log(2), [1, -1, 10], rtol=1e-16)


def test_beyond_what_a_number_can_hold_it_is_next_to_nothing_or_more_than_anything():
    powers, _ = found([-np.inf, -1e5, 1e5, np.inf])
    assert (powers[:2] < 1e-307).all()
    assert (powers[:2] > 0).all()
    assert (powers[2:] > 8e307).all()
    assert np.isfinite(powers).all()


def test_what_is_no_number_stays_none():
    assert np.isnan(found([np.nan])[0])
    assert np.isnan(found([-1.0, 0.0, np.nan])[1]).all()
