"""Offers as buyers of each cell weigh them, their orders, and what becomes of these; compiled kernels.

Arrays come with realizations last, as they lie in memory (``trade.worlds_last``); only ``offer`` lies there as the choice of
single buyers reads it, all records of a cell (segment x region) and realization in one piece. Loops write one row each: a
compiler makes vectors of those that write and read few.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.choice import ADMISSION, BASE, FIELDS, NEED, TASTE
from forecast.model.lanes import note, number
from forecast.model.powers import exponential, logarithm

PRICE, WEIGHT, SPECIFIC_ENERGY = TASTE, TASTE + 1, NEED
MONTHLY = (BASE, PRICE, WEIGHT, SPECIFIC_ENERGY, ADMISSION)  # fields of an offer that change by the month
TINY = 1e-6  # least of what anybody needs
A_LITTLE = 1e-12  # GWh: keeps the ratio of no orders to no orders at 1
LEAST_PAID = 0.1  # share of the cell price that no subsidy takes off
LEAST_HOPE = 0.02  # nobody takes the chance of delivery for smaller than this


@njit(cache=True, nogil=True, error_model="numpy")
def admit(now, samples, stage, offered, design_in, acceptance_time, first_sample, opened):
    """A chemistry is designed in from its first serial samples; then product lines open to it one by one, as after a bar is lifted.

    now              month
    samples          stage of a programme that hands out serial samples
    stage            (maker, chemistry, realization)    stages passed
    offered          (chemistry, realization)           1 where anybody sells, 0 where not
    design_in        (segment, realization)             months from the first samples to the first products
    acceptance_time  (segment, realization)             months over which 63 % of product lines open
    first_sample     (chemistry, realization)           changed: month of the first samples; infinite if there were none
    opened           (segment, chemistry, realization)  written: share of products open to the chemistry; 0 no offer
    """
    segments, chemistries, worlds = opened.shape
    shut = np.empty(worlds)
    for k in range(chemistries):
        for m in range(len(stage)):
            for r in range(worlds):
                seen = now if stage[m, k, r] >= samples else np.inf
                first_sample[k, r] = min(first_sample[k, r], seen)
    for s in range(segments):
        for k in range(chemistries):
            for r in range(worlds):
                shut[r] = max(now - first_sample[k, r] - design_in[s, r], 0.0) / acceptance_time[s, r]
            for r in range(worlds):
                opened[s, k, r] = offered[k, r] * (1.0 - exponential(-shut[r]))


@njit(cache=True, nogil=True, error_model="numpy")
def examine(specific_energy, share, reference, factor, minimum, path, spread, energy, heavier, served):
    """What packs of the day hold and weigh, and whom they serve.

    specific_energy  (chemistry, realization)           of packs, Wh/kg
    share            (realization,)                     share of pack cost that grows as specific energy falls
    reference        (realization,)                     specific energy at which pack costs of segments hold, Wh/kg
    factor           (chemistry, realization)           pack cost over that of lithium-ion
    minimum          (segment, realization)             specific energy that the median buyer needs, Wh/kg
    path             (segment,)                         factor on it in this month
    spread           (segment, realization)             standard deviation of its logarithm over buyers
    energy           (chemistry, realization)           written: logarithm of specific energy
    heavier          (chemistry, realization)           written: pack cost over that of the segment
    served           (segment, chemistry, realization)  written: most demanding buyer who is served, standard normal
    """
    segments, chemistries, worlds = served.shape
    needed = np.empty(worlds)
    for k in range(chemistries):
        for r in range(worlds):
            energy[k, r] = logarithm(specific_energy[k, r])
        for r in range(worlds):
            heavier[k, r] = (1.0 - share[r] + share[r] * (reference[r] / specific_energy[k, r])) * factor[k, r]
    for s in range(segments):
        growth = path[s]
        for r in range(worlds):
            needed[r] = logarithm(max(minimum[s, r] * growth, TINY))
        for k in range(chemistries):
            for r in range(worlds):
                served[s, k, r] = (energy[k, r] - needed[r]) / spread[s, r]


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(
    offer_price, subsidy, packing, heavier, spans, lasting, peers, law, still_closed, barred, opened, served, patience, waiting,
    energy, makers, unexplained, range_taste, sensitivity, weight, spread, imitation, variety, on_record, offer,
):  # fmt: skip
    """Utility of each chemistry to the mean buyer of a cell, what bends it, and who is served; all that changes by the month.

    Only what is open to a segment in some world is weighed; what is told of the rest nobody looks at.

    offer_price  (region, chemistry, realization)           cell price that buyers meet, USD/kWh as all prices
    subsidy      (segment, region, chemistry, realization)  paid to buyers
    packing      (segment,)                                 cost of turning cells into packs
    heavier      (chemistry, realization)                   factor on it
    spans        (segment, chemistry, realization)          cost of a pack and its replacements over that of one
    lasting      (segment, region, chemistry, realization)  utility that no price changes: cold, charging, safety
    peers        (segment, region, chemistry, realization)  share of recent sales
    law          (segment, region, chemistry, realization)  share of buyers whose products are closed to it by law, or were when they were designed
    still_closed (segment, realization)                     share of a bar that is left a month after it was lifted
    barred       (segment, region, chemistry, realization)  changed: share of buyers whose products are closed to it
    opened       (segment, chemistry, realization)          share of products open to the chemistry; 0 no offer
    served       (segment, chemistry, realization)          most demanding buyer whom the specific energy serves, standard normal
    patience     (realization,)                             utility per logarithm of the share of orders that was delivered of late
    waiting      (segment, chemistry, realization)          that share
    energy       (chemistry, realization)                   logarithm of the specific energy of packs
    makers       (region, chemistry, realization)           logarithm of the effective number of makers
    unexplained  (region, chemistry, realization)           taste that nothing explains
    range_taste  (region, realization)                      factor on the taste for specific energy
    sensitivity, weight, spread, imitation, variety  (segment, realization)  as in ``Segment``
    on_record    (segment,)                                 1 where unexplained tastes are felt, else 0
    offer        (cell, realization, chemistry, field)      f32, as ``choice.shop`` reads it; the fields ``MONTHLY`` are written
    """
    segments, regions, chemistries, worlds = subsidy.shape
    price, light, company, hope = np.empty(worlds), np.empty(worlds), np.empty(worlds), np.empty((chemistries, worlds))
    open_somewhere = np.empty(chemistries, np.bool_)
    told = np.empty((len(MONTHLY), chemistries, worlds), np.float32)
    for s in range(segments):
        pack, felt = packing[s], on_record[s]
        for k in range(chemistries):
            most = 0.0
            for r in range(worlds):
                hope[k, r] = patience[r] * logarithm(waiting[s, k, r])
            for r in range(worlds):
                most = max(most, opened[s, k, r])
            open_somewhere[k] = most > 0.0
        for g in range(regions):
            for k in range(chemistries):
                for r in range(worlds):
                    bar = max(min(max(law[s, g, k, r], 0.0), 1.0), barred[s, g, k, r] * still_closed[s, r])
                    barred[s, g, k, r] = bar
                for r in range(worlds):
                    told[4, k, r] = opened[s, k, r] * (1.0 - barred[s, g, k, r])
                if not open_somewhere[k]:
                    continue
                for r in range(worlds):
                    paid = max(offer_price[g, k, r] + pack * heavier[k, r] - subsidy[s, g, k, r], LEAST_PAID * offer_price[g, k, r])
                    price[r] = -sensitivity[s, r] * logarithm(paid * spans[s, k, r])
                for r in range(worlds):
                    light[r] = weight[s, r] * range_taste[g, r] * energy[k, r]
                for r in range(worlds):
                    company[r] = imitation[s, r] * peers[s, g, k, r] + variety[s, r] * makers[g, k, r]
                for r in range(worlds):
                    rest = hope[k, r] + felt * unexplained[g, k, r]
                    told[0, k, r] = price[r] + lasting[s, g, k, r] + light[r] + company[r] + rest
                for r in range(worlds):
                    told[1, k, r] = price[r] * spread[s, r]
                for r in range(worlds):
                    told[2, k, r] = light[r] * spread[s, r]
                for r in range(worlds):
                    told[3, k, r] = served[s, k, r]
            _write_down(told, offer, s * regions + g)


@njit(inline="always")
def _write_down(told, offer, cell):
    """Enter what is told of a cell, (field of ``MONTHLY``, chemistry, realization), in its records."""
    fields, chemistries, worlds = told.shape
    for r in range(worlds):
        for k in range(chemistries):
            here = ((cell * worlds + r) * chemistries + k) * FIELDS
            for field in range(fields):
                note(offer, here + MONTHLY[field], number(told, (field * chemistries + k) * worlds + r))


@njit(cache=True, nogil=True, error_model="numpy")
def align(opened, barred, lasting, energetic, alignment):
    """Share of buyers whom a chemistry suits: whose products admit it, and whose needs it meets.

    opened, barred  as in ``weigh``
    lasting         (segment, region, chemistry, realization)  share of buyers whose other needs it meets
    energetic       (segment, chemistry, realization)          share of buyers whom its specific energy serves
    alignment       (segment, region, chemistry, realization)  written
    """
    segments, regions, chemistries, worlds = alignment.shape
    for s in range(segments):
        for g in range(regions):
            for k in range(chemistries):
                for r in range(worlds):
                    admitted = opened[s, k, r] * (1.0 - barred[s, g, k, r])
                    alignment[s, g, k, r] = admitted * lasting[s, g, k, r] * energetic[s, k, r]


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
    for g in range(regions):
        for k in range(chemistries):
            for r in range(worlds):
                by_region[g, k, r] = 0.0
    for s in range(segments):
        for g in range(regions):
            for r in range(worlds):
                total[r] = wanted[r] = 0.0
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
def receive(orders, fill, patience, waiting_memory, memory, waiting, deliveries, backlog, discouraged, peers):
    """What is delivered, what waits, whom waiting keeps from ordering, and what peers see.

    orders          (segment, region, chemistry, realization)  GWh
    fill            (segment, chemistry, realization)          share delivered
    patience        (realization,)                             utility per logarithm of the share of orders that was delivered of late
    waiting_memory  (realization,)                             months over which buyers remember that share
    memory          (realization,)                             months over which buyers remember what peers bought
    waiting         (segment, chemistry, realization)          changed: that share
    deliveries      (segment, region, chemistry, realization)  written: GWh
    backlog         (segment, region, chemistry, realization)  written: GWh
    discouraged     (chemistry, realization)                   written: orders over what they were if nobody had to wait
    peers           (segment, region, chemistry, realization)  changed: share of recent sales
    """
    segments, regions, chemistries, worlds = orders.shape
    sold, placed, wanted = np.empty(worlds), np.empty((chemistries, worlds)), np.empty((chemistries, worlds))
    eager = np.empty((chemistries, worlds))
    for k in range(chemistries):
        for r in range(worlds):
            placed[k, r] = wanted[k, r] = 0.0
    for s in range(segments):
        for k in range(chemistries):
            for r in range(worlds):
                waiting[s, k, r] += (min(max(fill[s, k, r], LEAST_HOPE), 1.0) - waiting[s, k, r]) / waiting_memory[r]
            for r in range(worlds):
                eager[k, r] = exponential(-patience[r] * logarithm(waiting[s, k, r]))
        for g in range(regions):
            for r in range(worlds):
                sold[r] = 0.0
            for k in range(chemistries):
                for r in range(worlds):
                    deliveries[s, g, k, r] = orders[s, g, k, r] * fill[s, k, r]
                for r in range(worlds):
                    backlog[s, g, k, r] = orders[s, g, k, r] - deliveries[s, g, k, r]
                for r in range(worlds):
                    sold[r] += deliveries[s, g, k, r]
                for r in range(worlds):
                    placed[k, r] += orders[s, g, k, r]
                for r in range(worlds):
                    wanted[k, r] += orders[s, g, k, r] * eager[k, r]
            for k in range(chemistries):
                for r in range(worlds):
                    if sold[r] > 0:
                        peers[s, g, k, r] += (deliveries[s, g, k, r] / sold[r] - peers[s, g, k, r]) / memory[r]
    for k in range(chemistries):
        for r in range(worlds):
            discouraged[k, r] = (placed[k, r] + A_LITTLE) / (wanted[k, r] + A_LITTLE)
