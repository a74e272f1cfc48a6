"""Worlds lie side by side while they are played, and each in one piece when they are kept."""

import numpy as np
import pytest

from forecast.layout import PART, blank, one_after_another, side_by_side

SHAPES = [(2,), (3, 5), (4, 0), (7, 3, PART), (5, 2, 3, PART // 2 + 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_worlds_that_are_played_touch_each_other(shape):
    made = blank(shape, 3.0)
    assert made.shape == shape
    assert (made == 3).all()
    assert made.size == 0 or made.strides[0] == made.itemsize


@pytest.mark.parametrize("shape", SHAPES)
def test_a_world_that_is_kept_lies_in_one_piece(shape):
    played = side_by_side(np.random.default_rng(1).random(shape))
    kept = one_after_another(played)
    assert kept.flags.c_contiguous
    np.testing.assert_array_equal(kept, played)


def test_what_is_the_same_in_all_worlds_is_repeated():
    made = side_by_side(np.arange(3.0)[None], (4, 3))
    np.testing.assert_array_equal(made, [[0, 1, 2]] * 4)
    assert made.strides[0] == made.itemsize
