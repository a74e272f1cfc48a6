"""The compiled kernels of building and development do what a few lines of numpy say."""

import numpy as np
import pytest

from forecast.model import building
from tests.unit.test_trade import first, last

WORLDS, MAKERS, CHEMISTRIES, PROGRAMMES, STAGES, SLOTS = 3, 6, 4, 3, 6, 9
LINE = (WORLDS, MAKERS, CHEMISTRIES)


def some(random, shape, share=0.5):
    """Amounts of which a share is not zero."""
    return random.uniform(0.1, 20, shape) * (random.random(shape) < share)


@pytest.mark.parametrize("seed", range(4))
def test_lines_open_as_numpy_says(seed):
    random = np.random.default_rng(seed)
    ready, later, capacity = (some(random, LINE) for _ in range(3))
    underway, alive, may_sell = ready + some(random, LINE), random.random(LINE[:2]) < 0.7, some(random, LINE)
    free = random.random(CHEMISTRIES) < 0.5
    sells = free | (may_sell > 0)
    found = last(ready, later, alive.astype(float), free, may_sell, capacity, underway)
    building.open_lines(*found)
    opened = np.where(alive[..., None] & sells, ready, 0)
    waits = np.where(alive[..., None] & ~sells, ready, 0)
    expected = (0 * ready, later + waits, alive, free, may_sell, capacity + opened, np.where(alive[..., None], underway - opened, 0))
    for seen, told in zip(found, expected, strict=True):
        np.testing.assert_allclose(first(seen), told, rtol=1e-12)


def converted(wanted, share, line_cost, cash, means, limit, idle, capacity):
    """What is still wanted, cash, lines in place and lines to be converted, in numpy: chemistry after chemistry, all makers at once."""
    wanted, cash, capacity, orders = wanted.copy(), cash.copy(), capacity.copy(), np.zeros_like(wanted)
    for new in range(CHEMISTRIES):
        cost = share[:, None, new]
        lines = capacity * idle * ((cost > 0) & (cost < building.CHEAPER))
        total = lines.sum(axis=-1)
        size = np.minimum(wanted[..., new], total)
        part = np.divide(size, total, out=np.zeros_like(total), where=total > 0)
        bill = line_cost[..., new] * (lines * cost).sum(axis=-1) * part
        most = limit[:, None] * np.maximum(cash + means, 0)
        paid = np.where(bill > most, np.divide(most, bill, out=np.zeros_like(bill), where=bill > 0), 1)
        capacity -= lines * (part * paid)[..., None]
        cash -= bill * paid
        orders[..., new] = size * paid
        wanted[..., new] -= size * paid
    return wanted, cash, capacity, orders


@pytest.mark.parametrize("money", [0.0, 100.0, 1e6])
@pytest.mark.parametrize("seed", range(4))
def test_lines_are_converted_as_numpy_says(seed, money):
    random = np.random.default_rng(seed)
    wanted, capacity, idle = some(random, LINE), some(random, LINE), random.uniform(0, 1, LINE) * (random.random(LINE) < 0.7)
    share = random.uniform(0, 1.2, (WORLDS, CHEMISTRIES, CHEMISTRIES)) * (random.random((CHEMISTRIES, CHEMISTRIES)) < 0.5)
    line_cost, cash = random.uniform(30, 100, LINE), money * random.uniform(-0.5, 2, LINE[:2])
    means, limit = money * random.random(LINE[:2]), random.uniform(0.1, 1, WORLDS)
    expected = converted(wanted, share, line_cost, cash, means, limit, idle, capacity)
    order = np.zeros((MAKERS, CHEMISTRIES, WORLDS))
    left, share_, line_cost, cash, means, idle, capacity = last(wanted, share, line_cost, cash, means, idle, capacity)
    building.convert(left, share_, line_cost, cash, means, limit, idle, capacity, order)
    assert bool(expected[-1].any()) == (money > 0)
    for seen, told in zip((left, cash, capacity, order), expected, strict=True):
        np.testing.assert_allclose(first(seen), told, rtol=1e-9, atol=1e-9)


def test_lines_are_entered_in_the_month_in_which_they_open():
    random = np.random.default_rng(0)
    order, when, before = some(random, LINE), random.integers(0, SLOTS, (WORLDS, CHEMISTRIES)), some(random, (WORLDS, SLOTS, *LINE[1:]))
    _, _, coming, underway = found = last(order, when, before, before.sum(axis=1))
    building.enter(*found)
    added = order[:, None] * (np.arange(SLOTS)[:, None] == when[:, None])[:, :, None]
    np.testing.assert_allclose(first(coming), before + added)
    np.testing.assert_allclose(first(underway), (before + added).sum(axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_programmes_advance_as_numpy_says(seed):
    random = np.random.default_rng(seed)
    shape = (WORLDS, MAKERS, PROGRAMMES)
    stage = random.integers(-1, STAGES, shape).astype(np.int8)
    stage[0, 0, 1] = STAGES
    stage[0, :, 0], stage[1, :, 0] = [-1, -1, 0, 1, 2, 3], [-1, -1, -1, -1, -1, 4]
    luck, builds_on = random.random(shape) ** 4, random.integers(0, STAGES + 1, (WORLDS, PROGRAMMES, PROGRAMMES)) / STAGES
    builds_on *= random.random(builds_on.shape) < 0.5
    alive, welcome = (random.random((WORLDS, MAKERS)) < 0.8).astype(float), random.random((MAKERS, PROGRAMMES)) < 0.5
    pace, effort = random.uniform(0.02, 0.3, (WORLDS, PROGRAMMES, STAGES)), random.uniform(0.3, 1, shape)
    ahead, push = np.exp(random.uniform(0.1, 0.4, (WORLDS, 1)) * np.arange(STAGES + 2)), random.uniform(0.5, 2, (WORLDS, PROGRAMMES))
    start = random.uniform(0.1, 0.5, WORLDS)
    best = stage.max(axis=1, keepdims=True)
    known = (np.maximum(best, 0) / STAGES >= builds_on).all(axis=-1)
    world, programme = np.arange(WORLDS)[:, None, None], np.arange(PROGRAMMES)
    alone = pace[world, programme, np.clip(stage, 0, STAGES - 1)]
    rate = alone * effort * ahead[world, best - stage] * push[:, None]
    passes = (stage >= 0) & (stage < STAGES) & known[:, None] & (luck < 1 - np.exp(-rate))
    starts = (stage < 0) & (best >= STAGES - 2) & welcome & (alive[..., None] > 0) & (luck < start[:, None, None])
    assert passes.any()
    assert not known.all()
    assert starts[1:].any()
    assert not starts[0, :, 0].any()
    (found,) = last(stage)
    building.advance(found, *last(luck, builds_on, alive), welcome, *last(pace, effort, ahead, push), start)
    np.testing.assert_array_equal(first(found), np.where(starts, 0, stage + passes))


def test_a_line_that_is_converted_whole_leaves_no_crumb_that_could_sell():
    one = (1, 2, 1)
    wanted, capacity, idle = np.zeros(one), np.zeros(one), np.zeros(one)
    wanted[0, 1], capacity[0, 0], idle[0, 0] = 5, 0.7, 1 - 1e-14
    share = np.zeros((2, 2, 1))
    share[1, 0] = 0.1
    building.convert(wanted, share, np.ones(one), np.full((1, 1), 1e6), np.zeros((1, 1)), np.ones(1), idle, capacity, np.zeros(one))
    assert capacity[0, 0, 0] == 0
