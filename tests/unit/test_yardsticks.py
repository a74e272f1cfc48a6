"""What speed is measured against does the same work as the kernels; Mesa's part is in tests/bench/same_work.py."""

import numpy as np
import pytest

from tests.bench.yardsticks import compiled, in_numpy, workload

BUYERS, MONTHS = 4000, 120


@pytest.mark.parametrize("only_due", [True, False])
def test_numpy_sells_as_many_of_each_chemistry_as_the_kernels_do(only_due):
    there = compiled(workload(BUYERS, MONTHS))(MONTHS).sum(axis=0)
    here = in_numpy(workload(BUYERS, MONTHS), MONTHS, only_due).sum(axis=0)
    share, n = there / there.sum(), there.sum()
    assert abs(here.sum() - n) < 5 * np.sqrt(n)
    assert (abs(here / here.sum() - share) < 5 * np.sqrt(share * (1 - share) * 2 / n)).all()


def test_worlds_side_by_side_sell_that_many_each():
    one, three = (compiled(workload(BUYERS, MONTHS, worlds))(MONTHS).sum() for worlds in (1, 3))
    assert three == pytest.approx(3 * one, rel=0.03)
