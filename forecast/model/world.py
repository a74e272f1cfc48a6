"""The world: the list of agents, and one clock that drives a block of realizations of it."""

from __future__ import annotations

import copy

import numpy as np
import simpy

from forecast.declare import Block, blocks, setting, slots
from forecast.layout import side_by_side
from forecast.model import calendar
from forecast.model.buyers import Buyers, Shoppers
from forecast.model.chemistry import Chemistry
from forecast.model.geography import Region
from forecast.model.lithium import Lithium, LithiumMarket
from forecast.model.manufacturers import Industry, Manufacturer, Manufacturers
from forecast.model.market import COST_PARTS, Market
from forecast.model.minerals import Mineral, Minerals
from forecast.model.mines import Mine, Mines, Mining
from forecast.model.plants import Investment, Plants
from forecast.model.policy import Event, Policy
from forecast.model.programmes import Development, Programme, Programmes
from forecast.model.record import Record, Series, Unexplained
from forecast.model.recycling import Recyclers, Recycling
from forecast.model.segments import Demand, Segment, SegmentDemand
from forecast.model.suppliers import Component, SupplierBehaviour, Suppliers


class World(Block):
    """All parameters of a scenario, validated; one field per kind of agent."""

    title: str = setting("Name in pictures and tables", "")
    why: str = setting("One line: why this scenario exists")
    first_year: int = setting("First simulated year", 2015)
    last_year: int = setting("Last simulated year", 2050)
    observed_until: int = setting("Last year whose demand is taken from history; S-curves from then on", 2024)
    prior: str = setting(
        "File with the posterior of a calibration, beside the scenario file or shipped; it replaces the priors of the numbers it holds", ""
    )
    regions: dict[str, Region] = blocks("Markets of the world")
    chemistries: dict[str, Chemistry] = blocks("Battery chemistries")
    components: dict[str, Component] = blocks("Components with young supply chains")
    minerals: dict[str, Mineral] = blocks("Minerals other than lithium; `lithium` itself has a market of its own")
    segments: dict[str, Segment] = blocks("Applications")
    manufacturers: dict[str, Manufacturer] = blocks("Makers of cells")
    mines: dict[str, Mine] = blocks("Lithium deposits")
    programmes: dict[str, Programme] = blocks("Development programmes, by chemistry")
    policy: dict[str, Event] = blocks("Policies and shocks")
    record: dict[str, Series] = blocks("What was observed; the replay is held to it")
    unexplained: Unexplained = setting("What the model leaves unexplained", Unexplained())
    buyers: Buyers = setting("Buyers", Buyers())
    demand: Demand = setting("What moves the demand of all segments", Demand())
    industry: Industry = setting("Behaviour of makers", Industry())
    investment: Investment = setting("Behaviour of makers when they build", Investment())
    development: Development = setting("Behaviour of development programmes", Development())
    supply: SupplierBehaviour = setting("Behaviour of component makers", SupplierBehaviour())
    mining: Mining = setting("Behaviour of mine owners", Mining())
    lithium: Lithium = setting("The lithium market", Lithium())
    recycling: Recycling = setting("Recyclers", Recycling())


def simulate(parameters, seed: int, realizations, monthly: bool = False) -> dict[str, np.ndarray]:
    """Play a block of worlds from the first to the last month.

    parameters    drawn numbers, one row per realization (``ensemble.design.draw``)
    seed          of all luck
    realizations  (realization,) whole numbers: which worlds these are
    monthly       keep every recorded column by month instead of by year
    returns       {column: (realization, time, *dims) float32}; a world is the same alone and in any block
    """
    realizations = np.asarray(realizations)
    if len(realizations) == 1:
        both = simulate(twins(World, parameters), seed, np.repeat(realizations, 2), monthly)
        return {name: values[:1] for name, values in both.items()}
    return played(parameters, seed, realizations, monthly).results()


def played(parameters, seed: int, realizations: np.ndarray, monthly: bool) -> Market:
    """The blackboard after the last month; the agents, who take much memory, are gone before it is copied into results."""
    market = Market(sizes(parameters), len(realizations), parameters.months, monthly)
    env = simpy.Environment()
    agents = (
        Policy(parameters),
        Record(parameters, seed, realizations),
        Minerals(parameters, seed, realizations),
        Suppliers(parameters),
        Manufacturers(parameters),
        SegmentDemand(parameters, seed, realizations),
        Shoppers(parameters, seed, realizations),
        Recyclers(parameters),
        Mines(parameters, seed, realizations),
        LithiumMarket(parameters, seed, realizations),
        Plants(parameters),
        Programmes(parameters, seed, realizations),
    )
    days = [agent.run(env, market) for agent in agents] + [keep_record(env, market)]
    for day in days:
        env.process(day)
    env.run(until=parameters.months * calendar.DAYS_PER_MONTH)
    for day in days:  # who waits for a day that never comes keeps this world in memory
        day.close()
    return market


def twins(block: type[Block], alone):
    """Drawn numbers of one world, twice: a sum over a single row would run in another order and round otherwise."""
    both = copy.copy(alone)
    if hasattr(both, "size"):
        both.size = 2
    for slot in slots(block).values():
        value = getattr(alone, slot.name)
        if slot.kind in ("quantity", "table"):
            setattr(both, slot.name, side_by_side(value, (2, *value.shape[1:])))
        elif slot.inner is not None:
            setattr(both, slot.name, twins(slot.inner, value))
    return both


def keep_record(env, market):
    """Write every month down on its last day."""
    while True:
        yield calendar.on(env, calendar.RECORD)
        market.record()


def sizes(parameters) -> dict[str, int]:
    """Length of every dimension of the market."""
    kinds = {"segment": "segments", "region": "regions", "chemistry": "chemistries", "manufacturer": "manufacturers", "mine": "mines"}
    kinds |= {"mineral": "minerals", "component": "components"}
    return {dim: len(getattr(parameters, kind).names) for dim, kind in kinds.items()} | {"cost_part": len(COST_PARTS)}
