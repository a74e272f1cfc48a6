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
    """Shares, mean price and variety of makers by a logit on landed prices, in numpy; factor (realization, region, maker, chemistry)."""
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
    elasticity, alive = random.uniform(3, 12, WORLDS), (random.random((WORLDS, MAKERS)) < 0.8).astype(float)
    factor, cost = random.uniform(0.9, 1.6, (WORLDS, REGIONS, REGIONS, CHEMISTRIES)), random.uniform(40, 120, lines.shape)
    credit = credit * (random.random((WORLDS, REGIONS)) < 0.5)
    power = factor ** -elasticity[:, None, None, None]
    abroad, at_home = (np.zeros((MAKERS, CHEMISTRIES, WORLDS)) for _ in range(2))
    total, mean, variety = (np.full((REGIONS, CHEMISTRIES, WORLDS), np.nan) for _ in range(3))
    offered = np.full((CHEMISTRIES, WORLDS), np.nan)
    told = abroad, at_home, total, mean, variety, offered
    trade.divide(*last(price, cost, lines, alive), elasticity, HOME, *last(factor, power, credit), *told)
    told = np.where(AWAY[..., None, None], abroad * last(power[:, :, HOME])[0], at_home) / total[:, None], mean, variety, offered
    lines = lines * alive[..., None]
    shares, paid, squares = divided(price, lines, elasticity, factor[:, :, HOME], credit)
    anybody = lines.sum(axis=1) > 0
    among_living = (cost * alive[..., None]).sum(axis=1) / alive.sum(axis=1)[:, None]
    expected = shares, np.where(anybody, paid.swapaxes(0, 1), among_living).swapaxes(0, 1), -np.log(squares + ~anybody[:, None]), anybody
    for found, wanted in zip(told, expected, strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_lines_cost_what_numpy_says(seed):
    random, lines, _, _ = luck(seed)
    line, chemistry = lines.shape, (WORLDS, CHEMISTRIES)
    made, alive = lines * random.random(line), (random.random((WORLDS, MAKERS)) < 0.8).astype(float)
    local, charge = random.uniform(0.9, 1.5, (WORLDS, MAKERS)), random.uniform(0.1, 0.3, WORLDS)
    minerals, components, processing, investment = (random.uniform(10, 100, chemistry) for _ in range(4))
    overhead = random.uniform(1, 1.2, WORLDS)
    mature, gap, ripening = random.uniform(0.8, 1, chemistry), random.uniform(0, 0.4, chemistry), random.uniform(1, 20, chemistry)
    told = [np.full((MAKERS, CHEMISTRIES, WORLDS), np.nan) for _ in range(4)] + [np.full((CHEMISTRIES, 5, WORLDS), np.nan)]
    bought = last(minerals, components, processing, investment)
    trade.reckon(*last(made, lines, alive, local), *bought, overhead, charge, *last(mature, gap, ripening), *told)
    paid, worked = (minerals + components) * overhead[:, None], processing * overhead[:, None]
    good = mature[:, None] - gap[:, None] * np.exp(-made / ripening[:, None])
    cash = (paid[:, None] + worked[:, None] * local[..., None]) / good
    line_cost = investment[:, None] * local[..., None]
    weight = lines + trade.A_LITTLE * alive[..., None]
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), trade.A_LITTLE)
    means = [(weight * what).sum(axis=1) for what in (1 / good, local[..., None] / good, local[..., None])]
    parts = [minerals * means[0], components * means[0], processing * means[1]]
    parts += [investment * charge[:, None] * means[2], sum(parts) * (overhead[:, None] - 1)]
    expected = good, cash, line_cost, cash + line_cost * charge[:, None, None], np.stack(parts, axis=-1)
    for found, wanted in zip(told, expected, strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_prices_are_posted_as_numpy_says(seed):
    random, _, cash, _ = luck(seed)
    full, good, pressure = (random.uniform(low, high, cash.shape) for low, high in ((60, 180), (0.6, 1), (0, 1.5)))
    local, usual, slope, lowest = random.uniform(0.9, 1.5, cash.shape[:2]), *(random.uniform(low, 1, WORLDS) for low in (0.7, 0, 0.8))
    given, capital = random.uniform(0, 10, (WORLDS, CHEMISTRIES)), random.uniform(0, 5, (WORLDS, CHEMISTRIES))
    pace, unexplained, listed = random.uniform(0.2, 1, WORLDS), random.uniform(0.8, 1.2, WORLDS), random.uniform(40, 120, cash.shape)
    changed, price, margin = last(listed, 0 * cash, 0 * cash)
    lines, ways = last(cash, full, good, pressure, local), (usual, slope, lowest, *last(given, capital), pace, unexplained)
    trade.post(*lines, *ways, changed, price, margin)
    wide = [number[:, None, None] for number in (usual, slope, lowest, pace, unexplained)]
    target = np.maximum(full * (wide[0] + wide[1] * pressure), wide[2] * cash)
    target = target - (given[:, None] / good + capital[:, None]) * local[..., None]
    listed = listed + (target - listed) * wide[3]
    for found, wanted in zip((changed, price, margin), (listed, listed * wide[4], listed * wide[4] / full - 1), strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-12, atol=1e-12)


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
    abroad, at_home = (lines * random.random(lines.shape) for _ in range(2))
    power = random.random((WORLDS, REGIONS, REGIONS, CHEMISTRIES))
    weight = np.where(AWAY[..., None], abroad[:, None] * power[:, :, HOME], at_home[:, None])
    total = weight.sum(axis=2)
    total[total == 0] = 1
    share = weight / total[:, :, None]
    pulls = last(abroad, at_home, power, total)
    good, met = random.uniform(0.5, 1, lines.shape), random.uniform(0.3, 1, (WORLDS, CHEMISTRIES))
    content, at_hand = random.uniform(0, 600, (WORLDS, CHEMISTRIES)), lithium * random.uniform(0.5, 2, WORLDS)
    priority = random.uniform(0.1, 5, (WORLDS, SEGMENTS))
    line, chemistry = (MAKERS, CHEMISTRIES, WORLDS), (CHEMISTRIES, WORLDS)
    told = [np.full(shape, np.nan) for shape in (line, line, line, chemistry, (WORLDS,), (SEGMENTS, *chemistry))]
    rank = np.argsort(-priority, axis=1, kind="stable")
    trade.deliver(HOME, *pulls, *last(orders.sum(axis=1), orders, lines, good, met, content), at_hand, *last(priority, rank), *told)
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
    alive, offered = (random.random((WORLDS, MAKERS)) < 0.8).astype(float), (random.random((WORLDS, CHEMISTRIES)) < 0.5).astype(float)
    lithium, phantom = random.uniform(0, 1, (WORLDS, CHEMISTRIES)) * (random.random(CHEMISTRIES) < 0.7), random.uniform(0.7, 0.9, WORLDS)
    sums, ions = [np.full(chemistry, np.nan) for _ in range(4)], np.full(WORLDS, np.nan)
    (changed,) = last(pressure)
    lines = last(asked, able, output, price, cost, alive, offered, discouraged)
    trade.look_back(*lines, phantom, scarcity, memory, *last(lithium), wanted, changed, utilisation, *sums, ions)
    discouraged = np.maximum(discouraged, phantom[:, None])
    ordered, made = asked.sum(axis=1), output.sum(axis=1)
    short = 1 - np.divide(made, ordered, out=np.ones_like(made), where=ordered > 0)
    used = np.divide(output, able, out=np.zeros_like(able), where=able > 0)
    busy = used + np.minimum(short, scarcity[:, None])[:, None]
    expected = pressure + np.where(able > 0, (busy - pressure) / memory[:, None, None], 0)
    np.testing.assert_allclose(first(changed), expected, rtol=1e-12)
    np.testing.assert_allclose(first(utilisation), used, rtol=1e-12)
    np.testing.assert_allclose(first(wanted), asked / discouraged[:, None], rtol=1e-12)
    value, paid = (output * price).sum(axis=1), (output * (price >= cost)).sum(axis=1)
    posted = (price * alive[..., None]).sum(axis=1) / alive.sum(axis=1)[:, None]
    sold = np.where(made > 0, made, 1)
    ready = np.where(ordered > 0, able.sum(axis=1) * discouraged / np.where(ordered > 0, ordered, 1), offered)
    ion = lithium > 0
    np.testing.assert_allclose(ions, (value * ion).sum(axis=-1) / np.maximum((made * ion).sum(axis=-1), trade.NOTHING_SOLD), rtol=1e-12)
    told = ordered, paid / sold, np.minimum(1, ready), np.where(made > 0, value / sold, posted)
    for found, wanted in zip(sums, told, strict=True):
        np.testing.assert_allclose(first(found), wanted, rtol=1e-12)
