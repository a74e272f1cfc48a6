"""Plain numpy twins of the compiled kernels: slow, in double precision, without chains."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from forecast import streams
from forecast.model import choice


def luck(crowd, occasion):
    """Uniform number of each buyer in each world on an occasion, (realization, buyer)."""
    with np.errstate(over="ignore"):
        buyer = crowd.cell_key[crowd.cell] + (np.arange(len(crowd.cell)) - crowd.start[crowd.cell]).astype(np.uint64) * choice.BUYER
        bits = streams.mix(streams.mix((crowd.key[:, None] ^ buyer) + np.uint64(occasion) * np.uint64(streams.GOLDEN)))
    return (bits >> np.uint64(40)) * 2.0**-24


def probabilities(crowd):
    """Probability that each buyer would choose each chemistry now, (realization, buyer, chemistry); rows of 0 where there is no offer."""
    cell, base = crowd.cell, crowd.base.astype(float)
    utility = base[:, cell] + np.einsum("ba,rbak->rbk", crowd.taste.astype(float), crowd.slope.astype(float)[:, cell])
    utility += crowd.habit[:, cell][..., None] * (crowd.owns[..., None] == np.arange(base.shape[-1]))
    offered = crowd.admission[:, cell]
    fits = (crowd.openness[:, None] < offered) & (crowd.need[:, :, None] <= crowd.limit[:, cell]).all(axis=2)
    fits = np.where(fits.any(axis=-1, keepdims=True), fits, offered > 0)
    utility = np.where(fits, utility, -np.inf)
    best = utility.max(axis=-1, keepdims=True)
    weight = np.exp(utility - np.where(np.isfinite(best), best, 0.0))
    total = weight.sum(axis=-1, keepdims=True)
    return np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)


def picks(chance, mark):
    """The chemistry at which the cumulated probability passes the mark, (realization, buyer); -1 where there is no offer."""
    passed = (chance.cumsum(axis=-1) - chance <= mark[..., None]) & (chance > 0)
    latest = chance.shape[-1] - 1 - passed[..., ::-1].argmax(axis=-1)
    return np.where(passed.any(axis=-1), latest, -1)


def wishes(crowd, month):
    """Sum of probabilities of those due, by a look at every buyer, (realization, cell, chemistry)."""
    chance = probabilities(crowd) * (crowd.due == month)[..., None]
    return np.stack([chance[:, crowd.cell == cell].sum(axis=1) for cell in range(crowd.base.shape[1])], axis=1)


def crowd_of(seed=0, worlds=2, cells=3, buyers=200, chemistries=4, months=30, opening_life=None):
    """Made-up buyers, offers and luck, and the chains on which they hang: all arguments of the kernels by name.

    opening_life  (months) mean life of what is in use at the start; 0: all are due in the first month
    """
    rng = np.random.default_rng(seed)
    f32 = lambda *shape: rng.standard_normal(shape, np.float32)  # noqa: E731
    table = (worlds, cells, chemistries)
    cell, memory = np.sort(rng.integers(0, cells, buyers)), np.full((worlds, buyers, 3), choice.NOBODY, np.int32)
    habit, left = rng.random(buyers), rng.random(buyers)
    life = (2.0 * months if opening_life is None else opening_life) * (0.5 + rng.random((worlds, cells)))
    shares = rng.dirichlet(np.ones(chemistries), (worlds, cells))
    crowd = SimpleNamespace(
        cell=cell, start=np.searchsorted(cell, np.arange(cells + 1)), memory=memory, owns=memory[..., choice.OWNS], pick=memory[..., choice.PICK],
        due=np.floor(left * life[:, cell]).astype(int), shares=shares, opening_luck=habit,
        taste=f32(buyers, len(choice.TASTES)), need=f32(buyers, len(choice.REQUIREMENTS)), openness=rng.random(buyers, np.float32),
        base=f32(*table), slope=f32(worlds, cells, len(choice.TASTES), chemistries) * np.float32(0.3), habit=np.abs(f32(worlds, cells)),
        limit=f32(worlds, cells, len(choice.REQUIREMENTS), chemistries) + 1,
        admission=np.where(rng.random(table) < 0.25, 0, rng.random(table)).astype(np.float32),
        key=streams.keys(seed, "crowd", np.arange(worlds)), cell_key=streams.keys(seed, "cell", np.arange(cells)),
        fill=rng.random(table, np.float32), life=10 + 5 * rng.random(table, np.float32), life_factor=np.linspace(0.5, 1.5, 64, dtype=np.float32),
        first=np.full((worlds, cells, months), choice.NOBODY, np.int32), wish=np.zeros(table),
    )  # fmt: skip
    choice.enrol(crowd.first, crowd.memory, crowd.start, habit, left, shares, life)
    return crowd


def shop(crowd, month):
    """The compiled kernel on a crowd."""
    crowd.wish[...] = 0
    c = crowd
    profile = np.concatenate([c.taste, c.need, c.openness[:, None]], axis=1)
    choice.shop(month, c.first, c.memory, profile, c.start, c.cell_key, c.base, c.slope, c.habit, c.limit, c.admission, c.key, c.wish)


def take_home(crowd, month):
    """The compiled kernel on a crowd."""
    c = crowd
    choice.take_home(month, c.first, c.memory, c.start, c.cell_key, c.fill, c.life, c.life_factor, c.key)


def calendar_of(crowd):
    """In which month each buyer hangs on a chain, (realization, buyer); -1 on none. Fails if one hangs twice or in another's cell."""
    due = np.full(crowd.due.shape, -1)
    for world, cell, month in np.ndindex(crowd.first.shape):
        buyer = crowd.first[world, cell, month]
        while buyer != choice.NOBODY:
            assert due[world, buyer] == -1, f"buyer {buyer} hangs twice"
            assert crowd.cell[buyer] == cell
            due[world, buyer] = month
            buyer = crowd.memory[world, buyer, choice.NEXT]
    return due
