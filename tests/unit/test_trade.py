"""The compiled kernels of trade do what a few lines of numpy say, in worlds with and without makers, laws and shortages."""

import numpy as np
import pytest

from forecast.model import trade
from tests.unit.test_rationing import all_at_once

WORLDS, SEGMENTS, REGIONS, MAKERS, CHEMISTRIES = 3, 4, 3, 6, 5
HOME = np.array([0, 0, 1, 1, 2, 0])
AWAY = HOME[None, :] != np.arange(REGIONS)[:, None]


def luck(seed):
    """Lines, of which half do not exist, prices, and orders for few or too many cells; nobody makes the last chemistry."""
    random = np.random.default_rng(seed)
    line = (WORLDS, MAKERS, CHEMISTRIES)
    lines = random.uniform(1, 50, line) * (random.random(line) < 0.5)
    lines[..., -1] = 0.0
    orders = random.uniform(0, 3, (WORLDS, SEGMENTS, REGIONS, CHEMISTRIES))
    orders *= np.maximum(random.uniform(-0.2, 0.8, (WORLDS, 1, 1, CHEMISTRIES)), 0)
    return random, lines, random.uniform(40, 120, line), orders


def last(*arrays):
    """As the kernels want them."""
    return [np.ascontiguousarray(np.moveaxis(array, 0, -1)) for array in arrays]


def first(array):
    """Back again."""
    return np.moveaxis(array, -1, 0)


def divided(price, lines, elasticity, factor, credit):
    """Shares, mean price and crowd by a logit on landed prices, in numpy; factor (realization, region, maker, chemistry)."""
    landed = price[:, None] * factor - np.where(AWAY, 0.0, credit[:, :, None])[..., None]
    landed = np.maximum(landed, trade.LEAST_PAID * price[:, None])
    weight = lines[:, None] * landed ** -elasticity[:, None, None, None]
    total = weight.sum(axis=2, keepdims=True)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return share, (share * landed).sum(axis=2), (share**2).sum(axis=2)


@pytest.mark.parametrize("credit", [0.0, 20.0, 1e6])
@pytest.mark.parametrize("seed", range(4))
def test_orders_divide_as_a_logit_in_numpy_says(seed, credit):
    random, lines, price, _ = luck(seed)
    elasticity = random.uniform(3, 12, WORLDS)
    factor = random.uniform(0.9, 1.6, (WORLDS, REGIONS, REGIONS, CHEMISTRIES))
    credit = credit * (random.random((WORLDS, REGIONS)) < 0.5)
    power = factor ** -elasticity[:, None, None, None]
    share = np.full((REGIONS, MAKERS, CHEMISTRIES, WORLDS), np.nan)
    mean, crowd = (np.full((REGIONS, CHEMISTRIES, WORLDS), np.nan) for _ in range(2))
    trade.divide(*last(price, lines), elasticity, HOME, *last(factor, power, credit), share, mean, crowd)
    expected = divided(price, lines, elasticity, factor[:, :, HOME], credit)
    for found, wanted in zip((share, mean, crowd), expected, strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-10, atol=1e-14)


def delivered(share, orders, lines, good, met, content, at_hand, priority):
    """Orders and capability of every line, output, cells made, lithium needed and share of orders filled, in numpy."""
    asked = np.where(lines > 0, (share * orders.sum(axis=1)[:, :, None, :]).sum(axis=1), 0.0)
    able = lines * good * met[:, None, :] / 12
    planned = np.minimum(asked, able)
    left, room = (asked - planned).sum(axis=1), (able - planned).sum(axis=1)
    taken = np.divide(np.minimum(left, room), room, out=np.zeros_like(room), where=room > 0)
    output = planned + (able - planned) * taken[:, None, :]
    needed = ((output / good).sum(axis=1) * content).sum(axis=-1)
    output = output * np.minimum(1.0, at_hand / np.maximum(needed, trade.LEAST_NEED))[:, None, None]
    fill = all_at_once(orders.sum(axis=2), output.sum(axis=1), priority)
    return asked, able, output, (output / good).sum(axis=1), needed, fill


@pytest.mark.parametrize("lithium", [1e9, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_delivered_is_what_numpy_says(seed, lithium):
    random, lines, _, orders = luck(seed)
    weight = random.random((WORLDS, REGIONS, MAKERS, CHEMISTRIES)) * lines[:, None]
    total = weight.sum(axis=2, keepdims=True)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    good, met = random.uniform(0.5, 1, lines.shape), random.uniform(0.3, 1, (WORLDS, CHEMISTRIES))
    content, at_hand = random.uniform(0, 600, (WORLDS, CHEMISTRIES)), lithium * random.uniform(0.5, 2, WORLDS)
    priority = random.uniform(0.1, 5, (WORLDS, SEGMENTS))
    line, chemistry = (MAKERS, CHEMISTRIES, WORLDS), (CHEMISTRIES, WORLDS)
    told = [np.full(shape, np.nan) for shape in (line, line, line, chemistry, (WORLDS,), (SEGMENTS, *chemistry))]
    rank = np.argsort(-priority, axis=1, kind="stable")
    trade.deliver(*last(share, orders.sum(axis=1), orders, lines, good, met, content), at_hand, *last(priority, rank), *told)
    expected = delivered(share, orders, lines, good, met, content, at_hand, priority)
    asked, able, output, *_, fill = expected
    assert lithium < 1e9 or (output > asked).any(), "who has spare lines takes over"
    assert (asked > able).any()
    assert (fill < 1).any()
    for found, wanted in zip(told, expected, strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_makers_remember_how_busy_they_were_as_numpy_says(seed):
    random, lines, price, _ = luck(seed)
    able = lines / 12
    asked = random.uniform(0, 2, lines.shape) * able
    output, cost = np.minimum(asked, able) * random.uniform(0.5, 1, (WORLDS, 1, 1)), random.uniform(40, 120, lines.shape)
    discouraged, scarcity = random.uniform(0.7, 1, (WORLDS, CHEMISTRIES)), random.uniform(0.1, 0.6, WORLDS)
    memory, pressure = random.uniform(1, 6, WORLDS), random.uniform(0.5, 1, lines.shape)
    line, chemistry = (MAKERS, CHEMISTRIES, WORLDS), (CHEMISTRIES, WORLDS)
    wanted, utilisation = np.full(line, np.nan), np.full(line, np.nan)
    sums = [np.full(chemistry, np.nan) for _ in range(5)]
    (changed,) = last(pressure)
    trade.look_back(*last(asked, able, output, price, cost, discouraged), scarcity, memory, wanted, changed, utilisation, *sums)
    ordered, made = asked.sum(axis=1), output.sum(axis=1)
    short = 1 - np.divide(made, ordered, out=np.ones_like(made), where=ordered > 0)
    used = np.divide(output, able, out=np.zeros_like(able), where=able > 0)
    busy = used + np.minimum(short, scarcity[:, None])[:, None]
    expected = pressure + np.where(able > 0, (busy - pressure) / memory[:, None, None], 0)
    np.testing.assert_allclose(first(changed), expected, rtol=1e-12)
    np.testing.assert_allclose(first(utilisation), used, rtol=1e-12)
    np.testing.assert_allclose(first(wanted), asked / discouraged[:, None], rtol=1e-12)
    value, paid = (output * price).sum(axis=1), (output * (price >= cost)).sum(axis=1)
    for found, told in zip(sums, (ordered, made, value, paid, able.sum(axis=1)), strict=True):
        np.testing.assert_allclose(first(found), told, rtol=1e-12)
