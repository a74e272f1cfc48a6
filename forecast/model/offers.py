"""Offers as buyers of each cell weigh them, their orders, and what becomes of these; compiled kernels.

Arrays come with realizations last, as they lie in memory (``trade.worlds_last``); only ``offer`` lies there as the choice of
single buyers reads it, all records of a cell (segment x region) and realization in one piece.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.choice import ADMISSION, BASE, FIELDS, NEED, TASTE
from forecast.model.lanes import LANES, note, number

PRICE, WEIGHT, SPECIFIC_ENERGY = TASTE, TASTE + 1, NEED
A_LITTLE = 1e-12  # GWh: keeps the ratio of no orders to no orders at 1


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(
    dear, lasting, peers, barred, opened, served, waiting, energy, makers, unexplained,
    range_taste, sensitivity, weight, spread, imitation, variety, on_record, offer,
):  # fmt: skip
    """Utility of each chemistry to the mean buyer of a cell, what bends it, and who is served; all that changes by the month.

    dear         (segment, region, chemistry, realization)  logarithm of the cost of ownership
    lasting      (segment, region, chemistry, realization)  utility that no price changes: cold, charging, safety
    peers        (segment, region, chemistry, realization)  share of recent sales
    barred       (segment, region, chemistry, realization)  share of buyers whose products are closed to it
    opened       (segment, chemistry, realization)          share of products open to the chemistry; 0 no offer
    served       (segment, chemistry, realization)          most demanding buyer whom the specific energy serves, standard normal
    waiting      (segment, chemistry, realization)          utility of the share of orders that was delivered of late
    energy       (chemistry, realization)                   logarithm of the specific energy of packs
    makers       (region, chemistry, realization)           logarithm of the effective number of makers
    unexplained  (region, chemistry, realization)           taste that nothing explains
    range_taste  (region, realization)                      factor on the taste for specific energy
    sensitivity, weight, spread, imitation, variety  (segment, realization)  as in ``Segment``
    on_record    (segment,)                                 1 where unexplained tastes are felt, else 0
    offer        (cell, realization, block, field, lane)    f32, as ``choice.shop`` reads it; these five fields are written
    """
    segments, regions, chemistries, worlds = dear.shape
    price, light, company, rest = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty(worlds)
    base, dearer, lighter = np.empty(chemistries * worlds, np.float32), np.empty(chemistries * worlds, np.float32), np.empty(chemistries * worlds, np.float32)
    reach, admission = np.empty(chemistries * worlds, np.float32), np.empty(chemistries * worlds, np.float32)
    for s in range(segments):
        for g in range(regions):
            for k in range(chemistries):  # short loops over few arrays run as vectors
                for r in range(worlds):
                    price[r] = -sensitivity[s, r] * dear[s, g, k, r]
                for r in range(worlds):
                    light[r] = weight[s, r] * range_taste[g, r] * energy[k, r]
                for r in range(worlds):
                    company[r] = imitation[s, r] * peers[s, g, k, r] + variety[s, r] * makers[g, k, r]
                for r in range(worlds):
                    rest[r] = waiting[s, k, r] + on_record[s] * unexplained[g, k, r]
                for r in range(worlds):
                    base[k * worlds + r] = price[r] + lasting[s, g, k, r] + light[r] + company[r] + rest[r]
                for r in range(worlds):
                    dearer[k * worlds + r], lighter[k * worlds + r] = price[r] * spread[s, r], light[r] * spread[s, r]
                for r in range(worlds):
                    reach[k * worlds + r] = served[s, k, r]
                    admission[k * worlds + r] = opened[s, k, r] * (1.0 - barred[s, g, k, r])
            blocks = offer.shape[2]
            for r in range(worlds):
                for k in range(chemistries):
                    here = (((s * regions + g) * worlds + r) * blocks + k // LANES) * FIELDS * LANES + k % LANES
                    note(offer, here + BASE * LANES, number(base, k * worlds + r))
                    note(offer, here + PRICE * LANES, number(dearer, k * worlds + r))
                    note(offer, here + WEIGHT * LANES, number(lighter, k * worlds + r))
                    note(offer, here + SPECIFIC_ENERGY * LANES, number(reach, k * worlds + r))
                    note(offer, here + ADMISSION * LANES, number(admission, k * worlds + r))


@njit(cache=True, nogil=True, error_model="numpy")
def place(wish, demand, backlog, withdrawal, wishes, withdrawn, orders, by_region):
    """Divide demand and waiting orders as the shoppers of the month wished; without shoppers as those of the last.

    wish        (segment, region, chemistry, realization)  sum of choice probabilities
    demand      (segment, region, realization)             GWh
    backlog     (segment, region, chemistry, realization)  GWh ordered and not delivered
    withdrawal  (realization,)                             share of these that is given up
    wishes      (segment, region, chemistry, realization)  changed: share of each chemistry in wishes
    withdrawn   (segment, region, realization)             written: GWh given up
    orders      (segment, region, chemistry, realization)  written: GWh
    by_region   (region, chemistry, realization)           written: GWh
    """
    segments, regions, chemistries, worlds = orders.shape
    total, wanted = np.empty(worlds), np.empty(worlds)
    by_region[:] = 0.0
    for s in range(segments):
        for g in range(regions):
            total[:] = 0.0
            wanted[:] = 0.0
            for k in range(chemistries):
                for r in range(worlds):
                    total[r] += wish[s, g, k, r]
                    wanted[r] += backlog[s, g, k, r]
            for r in range(worlds):
                withdrawn[s, g, r] = wanted[r] * withdrawal[r]
                wanted[r] += demand[s, g, r] - withdrawn[s, g, r]
            for k in range(chemistries):
                for r in range(worlds):
                    wishes[s, g, k, r] = wish[s, g, k, r] / total[r] if total[r] > 0 else wishes[s, g, k, r]
                    orders[s, g, k, r] = wanted[r] * wishes[s, g, k, r]
                for r in range(worlds):
                    by_region[g, k, r] += orders[s, g, k, r]


@njit(cache=True, nogil=True, error_model="numpy")
def receive(orders, fill, reluctance, memory, deliveries, backlog, discouraged, peers):
    """What is delivered, what waits, whom waiting keeps from ordering, and what peers see.

    orders       (segment, region, chemistry, realization)  GWh
    fill         (segment, chemistry, realization)          share delivered
    reluctance   (segment, chemistry, realization)          orders if nobody had to wait over orders
    memory       (realization,)                             months over which buyers remember what peers bought
    deliveries   (segment, region, chemistry, realization)  written: GWh
    backlog      (segment, region, chemistry, realization)  written: GWh
    discouraged  (chemistry, realization)                   written: orders over what they were if nobody had to wait
    peers        (segment, region, chemistry, realization)  changed: share of recent sales
    """
    segments, regions, chemistries, worlds = orders.shape
    sold, placed, wanted = np.empty(worlds), np.zeros((chemistries, worlds)), np.zeros((chemistries, worlds))
    for s in range(segments):
        for g in range(regions):
            sold[:] = 0.0
            for k in range(chemistries):
                for r in range(worlds):
                    ordered = orders[s, g, k, r]
                    deliveries[s, g, k, r] = ordered * fill[s, k, r]
                    backlog[s, g, k, r] = ordered - deliveries[s, g, k, r]
                    sold[r] += deliveries[s, g, k, r]
                    placed[k, r] += ordered
                    wanted[k, r] += ordered * reluctance[s, k, r]
            for k in range(chemistries):
                for r in range(worlds):
                    if sold[r] > 0:
                        peers[s, g, k, r] += (deliveries[s, g, k, r] / sold[r] - peers[s, g, k, r]) / memory[r]
    for k in range(chemistries):
        for r in range(worlds):
            discouraged[k, r] = (placed[k, r] + A_LITTLE) / (wanted[k, r] + A_LITTLE)
