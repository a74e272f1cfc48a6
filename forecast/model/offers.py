"""Offers as buyers of each cell weigh them, their orders, and what becomes of these; compiled kernels.

Arrays come with realizations last, as they lie in memory (``trade.worlds_last``); only ``offer`` lies there as the choice of
single buyers reads it, all records of a cell (segment x region) and realization in one piece.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.choice import ADMISSION, BASE, FIELDS, NEED, TASTE
from forecast.model.lanes import note, number

PRICE, WEIGHT, SPECIFIC_ENERGY = TASTE, TASTE + 1, NEED
A_LITTLE = 1e-12  # GWh: keeps the ratio of no orders to no orders at 1


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(
    dear, lasting, peers, law, still_closed, barred, opened, served, waiting, energy, makers, unexplained,
    range_taste, sensitivity, weight, spread, imitation, variety, on_record, offer,
):  # fmt: skip
    """Utility of each chemistry to the mean buyer of a cell, what bends it, and who is served; all that changes by the month.

    dear         (segment, region, chemistry, realization)  logarithm of the cost of ownership
    lasting      (segment, region, chemistry, realization)  utility that no price changes: cold, charging, safety
    peers        (segment, region, chemistry, realization)  share of recent sales
    law          (segment, region, chemistry, realization)  share of buyers whose products are closed to it by law, or were when they were designed
    still_closed (segment, realization)                     share of a bar that is left a month after it was lifted
    barred       (segment, region, chemistry, realization)  changed: share of buyers whose products are closed to it
    opened       (segment, chemistry, realization)          share of products open to the chemistry; 0 no offer
    served       (segment, chemistry, realization)          most demanding buyer whom the specific energy serves, standard normal
    waiting      (segment, chemistry, realization)          utility of the share of orders that was delivered of late
    energy       (chemistry, realization)                   logarithm of the specific energy of packs
    makers       (region, chemistry, realization)           logarithm of the effective number of makers
    unexplained  (region, chemistry, realization)           taste that nothing explains
    range_taste  (region, realization)                      factor on the taste for specific energy
    sensitivity, weight, spread, imitation, variety  (segment, realization)  as in ``Segment``
    on_record    (segment,)                                 1 where unexplained tastes are felt, else 0
    offer        (cell, realization, chemistry, field)      f32, as ``choice.shop`` reads it; these five fields are written
    """
    segments, regions, chemistries, worlds = dear.shape
    for s in range(segments):
        for g in range(regions):
            here = (s * regions + g) * worlds * chemistries * FIELDS
            for r in range(worlds):
                for k in range(chemistries):
                    whole, by_segment, by_region = ((s * regions + g) * chemistries + k) * worlds, (s * chemistries + k) * worlds, (g * chemistries + k) * worlds
                    price = -number(sensitivity, s * worlds + r) * number(dear, whole + r)
                    light = number(weight, s * worlds + r) * number(range_taste, g * worlds + r) * number(energy, k * worlds + r)
                    company = number(imitation, s * worlds + r) * number(peers, whole + r) + number(variety, s * worlds + r) * number(makers, by_region + r)
                    rest = number(waiting, by_segment + r) + number(on_record, s) * number(unexplained, by_region + r)
                    bend = number(spread, s * worlds + r)
                    bar = max(min(max(number(law, whole + r), 0.0), 1.0), number(barred, whole + r) * number(still_closed, s * worlds + r))
                    note(barred, whole + r, bar)
                    note(offer, here + BASE, np.float32(price + number(lasting, whole + r) + light + company + rest))
                    note(offer, here + PRICE, np.float32(price * bend))
                    note(offer, here + WEIGHT, np.float32(light * bend))
                    note(offer, here + SPECIFIC_ENERGY, np.float32(number(served, by_segment + r)))
                    note(offer, here + ADMISSION, np.float32(number(opened, by_segment + r) * (1.0 - bar)))
                    here += FIELDS


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
