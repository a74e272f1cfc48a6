"""How the lithium market clears: compiled kernels, a loop over worlds that each hold a handful of numbers.

``own[r]`` are the parameters of a world and ``state[r]`` its stocks and prices, as records; what is in a record of state
stands in ``lithium``. All other arrays are (realization,), lithium in t LCE a month where nothing else is said.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.model.calendar import MONTHS_PER_YEAR

STEEPEST = 1.0  # no trader carries a growth (logarithm a year) beyond this forward
LARGEST_REVISION = 0.2  # logarithm a month by which the record may correct stocks
FIRST_PLANTS = 0.1  # of use: growth of converters is reckoned from plants of at least this, so that there can be first ones
HALFWAY = 0.5  # what is on its way is used between now and the end of its cover
RESERVE = 0.1  # share of stocks that traders never count as gone


@njit(inline="always")
def _within(number, lowest, highest):
    return min(max(number, lowest), highest)


@njit(inline="always")
def _need_in(years, state):
    """Use a month after some years, if it goes on growing as of late."""
    return state.need * np.exp(_within(state.growth, -STEEPEST, STEEPEST) * years)


@njit(inline="always")
def _total(numbers, world):
    """Sum of the numbers (a, b, realization) of one world."""
    total = 0.0
    for a in range(numbers.shape[0]):
        for b in range(numbers.shape[1]):
            total += numbers[a, b, world]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def use(own, state, made, content, planned, demand, orders, elsewhere, taken):
    """Cells and everything else take lithium from the downstream stock; traders see how much is wanted and how it grows.

    They judge use by sales, not by waiting lists: of what planned cells need they count the share of orders that is new.

    made, content  (chemistry, realization)        GWh of cells, t LCE/GWh
    planned        that the cells ordered need
    demand         (segment, region, realization)    new orders, GWh
    orders         (region, chemistry, realization)  waiting orders included, GWh
    elsewhere      used outside batteries, a number
    taken          written
    """
    for r in range(len(state)):
        o, s = own[r], state[r]
        cells = 0.0
        for k in range(len(made)):
            cells += made[k, r] * content[k, r]
        taken[r] = min(cells + elsewhere, s.downstream)
        s.downstream -= taken[r]
        ordered = _total(orders, r)
        wanted = planned[r] * (_total(demand, r) / ordered if ordered > 0 else 1.0) + elsewhere
        s.need += (wanted - s.need) / o.use_memory
        s.slow_need += (wanted - s.slow_need) / (o.use_memory + o.growth_memory)
        s.growth = np.log(s.need / s.slow_need) * MONTHS_PER_YEAR / o.growth_memory


@njit(inline="always")
def _convert(own, state, rock, raw, salts):
    """Turn concentrate into carbonate, as far as converters' plants allow; they follow the mines with a delay.

    rock     contained in what is dug from rock
    raw      share of it that is sold as dug
    salts    made of brine and clay where they are mined
    returns  carbonate made, salts included
    """
    state.useless = rock * raw * (1.0 - own.raw_ore_recovery)
    fed = rock - state.useless
    state.ore += fed
    offered = fed + state.ore / own.ore_patience
    missing = (offered * own.conversion_spare - state.plants) / own.conversion_time
    state.plants += _within(missing, 0.0, max(state.plants, FIRST_PLANTS * state.need) * own.conversion_growth / MONTHS_PER_YEAR)
    state.making = min(fed, state.plants) * own.conversion_yield + salts
    used = min(state.ore, state.plants)
    state.ore -= used
    state.ore_lost = state.ore * -np.expm1(-own.ore_loss / MONTHS_PER_YEAR)
    state.ore -= state.ore_lost
    return used * own.conversion_yield + salts


@njit(cache=True, nogil=True, error_model="numpy")
def ship(own, state, rock, raw, salts, recycled, stockpiling):
    """Converters turn ore into carbonate; makers order what they use and adjust their stock; upstream stocks fill the orders.

    rock, salts  contained in what mines put out, by kind of deposit: as in ``_convert``
    raw          share of rock that is sold as dug, a number
    recycled     carbonate from old batteries
    stockpiling  public buying, t/year
    """
    for r in range(len(state)):
        o, s = own[r], state[r]
        s.upstream += _convert(o, s, rock[r], raw, salts[r]) + recycled[r]
        s.upstream -= min(stockpiling[r] / MONTHS_PER_YEAR, s.upstream)
        mood = _within(o.stocking * s.trend, -o.stocking_limit, o.stocking_limit)
        passing = o.in_process * _need_in(HALFWAY * o.downstream_cover / MONTHS_PER_YEAR, s)
        stored = (1.0 - o.in_process) * np.exp(mood) * _need_in(o.foresight, s)
        wanted = o.downstream_cover * (passing + stored)
        s.orders = max(s.need + (wanted - s.downstream) / o.stocking_time, o.least_orders * s.need)
        shipped = min(s.orders, s.upstream)
        s.upstream -= shipped
        s.downstream += shipped


@njit(inline="always")
def _expected_cover(own, state, rock, salts, recycled, mines_add):
    """Months of use that traders expect upstream stocks to cover, looking ahead.

    They carry the growth of use forward and know the mines that are about to open, so a price turns before the stocks do. Of
    these they expect as much carbonate as of what is mined now, if converters follow and none is sold as dug.
    """
    state.arriving += (state.making + recycled - state.arriving) / own.use_memory
    ahead = _need_in(own.foresight, state)
    mined = rock + salts
    carbonate = (rock * own.conversion_yield + salts) / mined if mined > 0 else own.conversion_yield
    added = own.trust * mines_add / MONTHS_PER_YEAR * carbonate * own.foresight
    surplus = (state.arriving + 0.5 * added - 0.5 * (state.need + ahead)) * own.foresight * MONTHS_PER_YEAR
    stock = state.upstream + own.stock_seen * state.downstream
    return max(stock + surplus, RESERVE * stock + 1.0) / ahead


@njit(cache=True, nogil=True, error_model="numpy")
def move_price(own, state, rock, salts, recycled, mines_add, marginal_cost, push, shock, on_record, cover, missed, revision):
    """The price follows what the upstream stock is worth, between marginal cost and the price nobody pays.

    A price on record is the price; where stocks do not explain it, they are other than thought and are revised.

    rock, salts, recycled  as in ``ship``
    mines_add        output that mines will add within a year, t/year
    marginal_cost    USD/t
    push             logarithm of what stocks are worth beyond what their cover explains
    shock            standard normal
    on_record        observed price, USD/t; 0 where there is none
    cover            written: expected cover, months
    missed           written: logarithm by which the worth of stocks misses the one that leads to the price on record
    revision         written: change of stocks by which they are held to it, t
    """
    for r in range(len(state)):
        o, s = own[r], state[r]
        cover[r] = _expected_cover(o, s, rock[r], salts[r], recycled[r], mines_add[r])
        normal = o.normal_cover + o.stock_seen * o.downstream_cover
        worth = np.log(o.long_run_price) + o.cover_elasticity * np.log(normal / cover[r]) + push[r]
        lowest, highest = np.log(o.floor * marginal_cost[r]), np.log(o.ceiling)
        before = s.price
        expected = before + (_within(worth, lowest, highest) - before) / o.adjustment_time
        missed[r] = revision[r] = 0.0
        if on_record[r] > 0:
            s.price = np.log(max(on_record[r], 1.0))
            missed[r] = (s.price - expected) * o.adjustment_time
            told = _within(o.revision * missed[r] / o.cover_elasticity, -LARGEST_REVISION, LARGEST_REVISION)
            revision[r] = s.upstream * np.exp(-told) - s.upstream
            s.upstream += revision[r]
        else:
            s.price = _within(expected + o.noise * shock[r], np.log(o.lowest_price), highest)
        s.trend += ((s.price - before) * MONTHS_PER_YEAR - s.trend) / o.trend_memory
