"""Plain numpy twins of the compiled kernels: slow, in double precision."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

from forecast import streams
from forecast.model import choice
from forecast.model.buyers import OFFER, REQUIREMENTS, TASTES


def luck(crowd, month):
    """Uniform number of each buyer in each world in a month, (realization, buyer)."""
    with np.errstate(over="ignore"):
        buyer = crowd.cell_key[crowd.cell] + (np.arange(len(crowd.cell)) - crowd.start[crowd.cell]).astype(np.uint64) * choice.BUYER
        bits = streams.mix(streams.mix((crowd.key[:, None] ^ buyer) + np.uint64(month) * np.uint64(streams.GOLDEN)))
    return (bits >> np.uint64(40)) * 2.0**-24


def probabilities(crowd):
    """Probability that each buyer would choose each chemistry now, (realization, buyer, chemistry); rows of 0 where there is no offer."""
    cell, base = crowd.cell, crowd.base.astype(float)
    utility = base[:, cell] + np.einsum("ba,rbak->rbk", crowd.taste.astype(float), crowd.slope.astype(float)[:, cell])
    utility += crowd.habit[:, cell][..., None] * (crowd.owned[..., None] == np.arange(base.shape[-1]))
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


def crowd_of(seed=0, worlds=2, cells=3, buyers=200, chemistries=4, opening_life=60):
    """Made-up buyers, offers and luck: all arguments of the kernels by name.

    opening_life  (months) mean life of what is in use at the start; 0: all are due in the first month
    """
    rng = np.random.default_rng(seed)
    f32 = lambda *shape: rng.standard_normal(shape, np.float32)  # noqa: E731
    table, tastes, needs = (worlds, cells, chemistries), len(TASTES), len(REQUIREMENTS)
    cell, shares = np.sort(rng.integers(0, cells, buyers)), rng.dirichlet(np.ones(chemistries), (worlds, cells))
    listed, visits = choice.room(worlds, cells, buyers)
    crowd = SimpleNamespace(
        cell=cell,
        start=np.searchsorted(cell, np.arange(cells + 1)),
        due=np.zeros((worlds, buyers), np.int16),
        owned=np.full((worlds, buyers), choice.NOTHING),
        pick=np.full((worlds, buyers), choice.NOTHING),
        listed=listed,
        visits=visits,
        shares=shares,
        opening_life=opening_life * (0.5 + rng.random((worlds, cells))),
        left=rng.random(buyers),
        taste=f32(buyers, tastes),
        need=f32(buyers, needs),
        openness=rng.random(buyers, np.float32),
        base=f32(*table),
        slope=f32(worlds, cells, tastes, chemistries) * np.float32(0.3),
        habit=np.abs(f32(worlds, cells)),
        limit=f32(worlds, cells, needs, chemistries) + 1,
        admission=np.where(rng.random(table) < 0.25, 0, rng.random(table)).astype(np.float32),
        key=streams.keys(seed, "crowd", np.arange(worlds)),
        cell_key=streams.keys(seed, "cell", np.arange(cells)),
        fill=rng.random(table, np.float32),
        life=10 + 5 * rng.random(table, np.float32),
        life_factor=np.linspace(0.5, 1.5, 64, dtype=np.float32),
        wish=np.zeros(table),
    )
    with in_pieces(crowd) as standing:
        choice.enrol(*standing, crowd.start, rng.random(buyers), crowd.left, shares, crowd.opening_life)
    return crowd


@contextmanager
def in_pieces(crowd):
    """Due and owned, (realization, buyer), laid out for the kernels, cell by cell and in these world by world; then as they left them."""
    columns = np.argsort(crowd.cell[None, :] * len(crowd.due) + np.arange(len(crowd.due))[:, None], axis=None, kind="stable")
    standing = [array.ravel()[columns] for array in (crowd.due, crowd.owned)]
    yield standing
    for array, moved in zip((crowd.due, crowd.owned), standing, strict=True):
        array.flat[columns] = moved


def list_due(crowd, before):
    """Take everybody off the list and list those who fall due before a month."""
    with in_pieces(crowd) as standing:
        choice.list_due(before, *standing, crowd.start, *crowd.listed)


def offer_of(crowd, base, slope):
    """What each chemistry is to the buyers of a cell, as ``choice.shop`` reads it."""
    worlds, cells, chemistries = crowd.base.shape
    offer = np.zeros((worlds, cells, len(OFFER), chemistries), np.float32)
    written = {"base": base, "habit": crowd.habit[..., None], "admission": crowd.admission}
    for names, numbers in ((TASTES, slope), (REQUIREMENTS, crowd.limit)):
        written |= {name: numbers[:, :, place] for place, name in enumerate(names)}
    for name, numbers in written.items():
        offer[:, :, OFFER.index(name)] = numbers
    return by_cell(offer)


def by_cell(offer):
    """Offers (realization, cell, field, chemistry) laid out for the kernels."""
    return offer.transpose(1, 0, 3, 2).copy()


def shopping(crowd, month, listed=1):
    """The compiled kernel on a crowd, listed for some months, ready to be called; it writes the wishes it returns."""
    c, wish = crowd, np.zeros(crowd.base.shape)
    profile = np.concatenate([c.taste, c.need, c.openness[:, None]], axis=1)
    offer = offer_of(crowd, c.base, c.slope)
    if month % listed == 0:
        list_due(c, month + listed)

    def act():
        choice.shop(month, *c.listed, *c.visits, profile, c.start, c.cell_key, c.key, offer, wish)
        return wish

    return act


def shop(crowd, month, listed=1):
    """Let those who are due choose; they are listed for some months."""
    crowd.pick[...] = choice.NOTHING
    crowd.wish[...] = shopping(crowd, month, listed)()
    visitor, _, chosen, _, until = crowd.visits
    world = np.repeat(np.arange(len(until) - 1) % len(crowd.due), np.diff(until))
    crowd.pick[world, crowd.listed[0][visitor[: until[-1]]]] = chosen[: until[-1]]


def take_home(crowd, month, listed=1):
    """Hand over what was delivered; when the months of the list are over, take everybody off it."""
    c = crowd
    _, when, mine, _ = c.listed
    choice.take_home(month, when, mine, *c.visits, c.fill, c.life, c.life_factor)
    if (month + 1) % listed == 0:
        list_due(c, 0)


def weighed(
    offer_price, subsidy, packing, heavier, spans, lasting, peers, law, still_closed, barred, opened, served, patience, waiting,
    energy, makers, unexplained, range_taste, sensitivity, weight, spread, imitation, variety, on_record,
):  # fmt: skip
    """What ``offers.weigh`` writes, by name, (segment, region, chemistry, realization) each, and who is barred then."""
    sensitivity, weight, spread, imitation, variety = (part[:, None, None] for part in (sensitivity, weight, spread, imitation, variety))
    paid = offer_price + packing[:, None, None, None] * heavier - subsidy
    dear = np.log(np.maximum(paid, 0.1 * offer_price) * spans[:, None])
    price, light, waiting = -sensitivity * dear, weight * range_taste[:, None] * energy, patience * np.log(waiting)
    base = price + light + lasting + imitation * peers + variety * makers + waiting[:, None] + on_record[:, None, None, None] * unexplained
    everywhere = np.broadcast_to(served[:, None], base.shape)
    barred = np.maximum(np.clip(law, 0, 1), barred * still_closed[:, None, None])
    admission = opened[:, None] * (1 - barred)
    fields = {"base": base, "price": price * spread, "weight": light * spread, "specific_energy": everywhere, "admission": admission}
    return fields, barred


def placed(wish, demand, backlog, withdrawal, wishes):
    """What ``offers.place`` writes: wishes, withdrawn, orders, orders by region."""
    total = wish.sum(axis=2, keepdims=True)
    wishes = np.where(total > 0, wish / np.where(total > 0, total, 1), wishes)
    withdrawn = backlog.sum(axis=2) * withdrawal
    orders = (demand + backlog.sum(axis=2) - withdrawn)[:, :, None] * wishes
    return wishes, withdrawn, orders, orders.sum(axis=0)


def received(orders, fill, patience, waiting_memory, memory, waiting, peers):
    """What ``offers.receive`` writes: waiting, deliveries, backlog, discouraged, peers."""
    waiting = waiting + (np.clip(fill, 0.02, 1.0) - waiting) / waiting_memory
    reluctance = waiting**-patience
    deliveries, ordered = orders * fill[:, None], orders.sum(axis=1)
    sold = deliveries.sum(axis=2, keepdims=True)
    seen = np.where(sold > 0, deliveries / np.where(sold > 0, sold, 1), peers)
    discouraged = (ordered.sum(axis=0) + 1e-12) / ((ordered * reluctance).sum(axis=0) + 1e-12)
    return waiting, deliveries, orders - deliveries, discouraged, peers + (seen - peers) / memory
