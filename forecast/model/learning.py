"""What cells are made of and what experience does to its price: compiled kernels, as pure as the formulas in ``cost``.

Processing and components learn with experience down to an engineering floor (Wright 1936). Arrays come with realizations
last, as they lie in memory: neighbours in the innermost loops touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR
from forecast.model.powers import LOG2E, exponential, logarithm

LEAKAGE = 0.01  # share of supply that no export control stops


@njit(inline="always")
def doublings(experience, opening):
    """Doublings of experience since the opening, never negative."""
    return logarithm(max(experience / opening, 1.0)) * LOG2E


@njit(inline="always")
def learned(start, floor, pace, doubled):
    """Wright's law above a floor: what is above it falls with each doubling by a share, ``pace`` being the logarithm of the rest."""
    return floor + max(start - floor, 0.0) * exponential(pace * doubled)


@njit(inline="always")
def specific_energy(start, ceiling, progress, years):
    """Cell Wh/kg after ``years`` of development: the gap to the ceiling closes at a steady rate."""
    return ceiling - (ceiling - start) * exponential(-progress * max(years, 0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def buy(
    years, start, ceiling, progress, saving, lag, intensity, mineral_price, components, component_price, lagged, energy, minerals, bought,
):  # fmt: skip
    """What cells of the day hold, and what is bought for them at the prices that have reached contracts; lithium aside.

    years            (chemistry, realization)             of development
    start, ceiling   (chemistry, realization)             specific energy, Wh/kg
    progress         (chemistry, realization)             share of the gap closed each year
    saving           (realization,)                       fall of minerals per kWh with the logarithm of specific energy
    lag              (realization,)                       months over which mineral prices reach contracts
    intensity        (chemistry, mineral, realization)    kg/kWh at the start
    mineral_price    (mineral, realization)               USD/kg
    components       (chemistry, component, realization)  kg/kWh
    component_price  (component, realization)             USD/kg
    lagged           (mineral, realization)               changed: price in contracts, USD/kg
    energy           (chemistry, realization)             written: Wh/kg
    minerals, bought (chemistry, realization)             written: minerals, and components, USD/kWh
    """
    chemistries, kinds, worlds = intensity.shape
    for kind in range(kinds):
        for r in range(worlds):
            lagged[kind, r] += (mineral_price[kind, r] - lagged[kind, r]) / lag[r]
    for k in range(chemistries):
        for r in range(worlds):
            energy[k, r] = specific_energy(start[k, r], ceiling[k, r], progress[k, r], years[k, r])
            minerals[k, r] = bought[k, r] = 0.0
        for kind in range(kinds):
            for r in range(worlds):
                minerals[k, r] += intensity[k, kind, r] * lagged[kind, r]
        for r in range(worlds):
            minerals[k, r] *= exponential(saving[r] * logarithm(start[k, r] / energy[k, r]))
        for kind in range(components.shape[1]):
            for r in range(worlds):
                bought[k, r] += components[k, kind, r] * component_price[kind, r]


@njit(cache=True, nogil=True, error_model="numpy")
def learn(experience, opening, start, floor, pace, line, least, line_pace, processing, investment):
    """Processing, and investment per line, where cost is that of China.

    experience, opening      (chemistry, realization)  output that counts, now and at the start, GWh
    start, floor             (chemistry, realization)  of processing, USD/kWh
    pace                     (chemistry, realization)  logarithm of what a doubling leaves of it above its floor
    line, least              (chemistry, realization)  investment at the start and at the least, USD/kWh a year
    line_pace                (realization,)            as pace
    processing, investment   (chemistry, realization)  written
    """
    chemistries, worlds = processing.shape
    doubled = np.empty(worlds)
    for k in range(chemistries):
        for r in range(worlds):
            doubled[r] = doublings(experience[k, r], opening[k, r])
        for r in range(worlds):
            processing[k, r] = learned(start[k, r], floor[k, r], pace[k, r], doubled[r])
        for r in range(worlds):
            investment[k, r] = learned(line[k, r], least[k, r], line_pace[r], doubled[r])


@njit(cache=True, nogil=True, error_model="numpy")
def quote(orders, cut, capacity, opening, start, floor, pace, elasticity, use, produced, price, shortage, met):
    """Prices of components, how short they are, and how much of what each chemistry needs can be had.

    orders       (component, realization)             kt/year
    cut          (component, realization)             share of supply withheld
    capacity     (component, realization)             kt/year
    opening      (component, realization)             experience at the start, kt
    start, floor (component, realization)             price then and at the least, USD/kg
    pace         (component, realization)             logarithm of what a doubling leaves of it above its floor
    elasticity   (realization,)                       rise of the price per shortage (logarithms)
    use          (chemistry, component, realization)  above 0 where a chemistry needs the component
    produced     (component, realization)             changed: output so far, kt
    price        (component, realization)             written: USD/kg
    shortage     (component, realization)             written: share of orders that cannot be met
    met          (chemistry, realization)             written: share of needs that can be met
    """
    components, worlds = orders.shape
    pressure = np.empty((components, worlds))
    for c in range(components):
        for r in range(worlds):
            able = capacity[c, r] * max(1.0 - cut[c, r], LEAKAGE)
            pressure[c, r] = max(orders[c, r] / able, 1.0)
            produced[c, r] += min(orders[c, r], able) / MONTHS_PER_YEAR
        for r in range(worlds):
            usual = learned(start[c, r], floor[c, r], pace[c, r], doublings(opening[c, r] + produced[c, r], opening[c, r]))
            price[c, r] = usual * exponential(elasticity[r] * logarithm(pressure[c, r]))
            shortage[c, r] = 1.0 - 1.0 / pressure[c, r]
    for k in range(len(met)):
        for r in range(worlds):
            met[k, r] = 1.0
        for c in range(components):
            for r in range(worlds):
                met[k, r] = min(met[k, r], 1.0 / pressure[c, r] if use[k, c, r] > 0 else 1.0)
