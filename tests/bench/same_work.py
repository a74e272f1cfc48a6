"""All yardsticks do the same work; run by ``make bench``, which has Mesa."""

import numpy as np
import pytest

from tests.bench.yardsticks import KERNEL, workload, yardsticks

BUYERS, MONTHS = 4000, 150


def played(name):
    return yardsticks()[name](workload(BUYERS, MONTHS))(MONTHS)


@pytest.fixture(scope="module")
def by_kernels():
    return played(KERNEL)


@pytest.mark.parametrize("name", [name for name in yardsticks() if name != KERNEL])
def test_it_sells_as_many_of_each_chemistry_as_the_kernels_do(name, by_kernels):
    found = played(name)
    assert found.shape == by_kernels.shape
    for years in (slice(0, 75), slice(75, 150)):
        here, there = found[years].sum(axis=0), by_kernels[years].sum(axis=0)
        assert abs(here.sum() - there.sum()) < 5 * np.sqrt(there.sum())
        share, n = there / there.sum(), there.sum()
        assert (abs(here / here.sum() - share) < 5 * np.sqrt(share * (1 - share) * 2 / n)).all()


def test_one_in_a_hundred_is_due_each_month(by_kernels):
    assert 0.009 * BUYERS < by_kernels.sum(axis=1).mean() < 0.012 * BUYERS
