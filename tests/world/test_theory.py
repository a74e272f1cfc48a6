"""Where theory has a closed form or a sign, the world has it too."""

import numpy as np
import pytest

from forecast.declare import Block, Prior, Quantity
from forecast.ensemble.design import Drawn, draw
from tests.play import history, play, simulated
from tests.small_world import lively_world

LFP, NMC, SODIUM = range(3)
LITHIUM_OF_TODAY = 10_500.0  # USD/t
SPREADLESS = {"normal": lambda a: (a[0], 0.0), "lognormal": lambda a: (a[0], 0.0), "uniform": lambda a: (sum(a) / 2,) * 2}


def squeezed(block):
    """The same block with all priors at one point."""
    if isinstance(block, Quantity) and block.prior is not None:
        prior = block.prior
        if prior.family in SPREADLESS:
            return Quantity(block.value, Prior(prior.family, SPREADLESS[prior.family](prior.arguments)))
        return Quantity(block.value, Prior("uniform", (prior.centre, prior.centre)))
    if isinstance(block, Block):
        return block.model_copy(update={name: squeezed(getattr(block, name)) for name in type(block).model_fields})
    if isinstance(block, dict):
        return {name: squeezed(value) for name, value in block.items()}
    return block


def arrays(drawn, place=""):
    """All arrays of a draw by dotted path."""
    for name, value in vars(drawn).items():
        if isinstance(value, Drawn):
            yield from arrays(value, f"{place}{name}.")
        elif isinstance(value, np.ndarray):
            yield f"{place}{name}", value


def spread_of(world):
    """Spread between realizations of every array of a draw."""
    worlds = 13
    drawn = draw(world, 1, np.arange(worlds))
    return {name: np.nan_to_num(np.ptp(array, axis=0)).max(initial=0) for name, array in arrays(drawn) if len(array) == worlds}


def test_priors_without_spread_give_parameters_without_spread():
    spread, none = spread_of(lively_world()), spread_of(squeezed(lively_world()))
    assert sum(value > 0 for value in spread.values()) > 40
    assert none.keys() == spread.keys()
    assert {name for name, value in none.items() if value > 0} == set()


def twin_chemistries(**segment):
    """A world in which nmc is lfp by another name, and both start alike."""
    world = lively_world(
        chemistries={
            "lfp": {
                "cycle_life": 4000,
                "learning_rate": 0.18,
                "learns_from": {"nmc": 0, "sodium_ion": 0},
                "conversion_cost": {"nmc": 0, "sodium_ion": 0},
            }
        },
        segments={name: {"opening_shares": {"lfp": 0.5, "nmc": 0.5}} | segment for name in ("cars", "storage")},
        manufacturers={
            "maker": {"capacity": {"lfp": 30, "nmc": 30}, "programmes": None},
            "rhine": {"capacity": {"lfp": 9, "nmc": 9}},
            "salt": None,
        },
    )
    return world.model_copy(update={"chemistries": world.chemistries | {"nmc": world.chemistries["lfp"]}})


def test_identical_chemistries_split_evenly():
    found = simulated(twin_chemistries(habit=0))
    assert found["deliveries"].sum() > 0
    np.testing.assert_allclose(found["share_of_sales"][..., :2], 0.5, atol=1e-4)
    np.testing.assert_allclose(found["unit_cost"][..., 0], found["unit_cost"][..., 1], rtol=1e-4)


def test_identical_chemistries_split_nearly_evenly_where_luck_has_a_hand_in_habits():
    found = simulated(
        twin_chemistries(habit=1.0, imitation=0.5).model_copy(update={"buyers": lively_world(buyers={"number": 4000}).buyers})
    )
    np.testing.assert_allclose(found["share_of_sales"].mean(axis=(1, 2, 3))[:, :2], 0.5, atol=0.05)
    assert np.ptp(found["share_of_sales"][..., 0]) > 1e-4


def test_buyers_who_are_all_alike_choose_by_the_logit_formula():
    alike = {
        "taste_spread": 0,
        "habit": 0,
        "minimum_specific_energy": 0,
        "minimum_cycle_life": 0,
        "minimum_cold_capacity": 0,
        "highest_hazard": 99,
    }
    world = lively_world(last_year=2016, segments={name: alike for name in ("cars", "storage")}, buyers={"number": 2000})
    seen = []

    def spectator(stage):
        market, shoppers = stage.market, stage.agents["Shoppers"]
        if market.month == 1:
            shoppers.weigh(market, 0)
            seen.append((market.orders.copy(), shoppers.offered("base").astype(float)))

    play(draw(world, 1, np.arange(3)), spectator=spectator)
    orders, base = seen[0]
    weight = np.exp(base[..., :2] - base[..., :2].max(axis=-1, keepdims=True))
    expected = weight / weight.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(orders[..., :2] / orders.sum(axis=-1, keepdims=True), expected, atol=0.02)


def shares(worlds=8, seed=1, **differences):
    """Share of lithium chemistries and of sodium in all deliveries after 2017, and lithium price, by realization."""
    found = simulated(lively_world(**differences), seed, range(worlds))
    sold = found["deliveries"][:, 3:].astype(float).sum(axis=(1, 2, 3))
    sold /= sold.sum(axis=-1, keepdims=True)
    return sold[:, [LFP, NMC]].sum(axis=-1), sold[:, SODIUM], found["lithium_price"].mean(axis=1)


@pytest.mark.parametrize("seed", [1, 2])
def test_dearer_lithium_never_helps_lithium_chemistries(seed):
    def held_at(price):
        record = {"lithium": {"kind": "lithium_price", "values": {2015: price, 2020: price}, "error": 0}}
        return shares(seed=seed, observed_until=2020, record=record)

    (base, _, price), (dear, _, higher) = held_at(8000), held_at(40_000)
    np.testing.assert_allclose(higher / price, 5, rtol=1e-6)
    assert (dear - base).mean() < -0.02
    assert (dear < base).mean() >= 0.75, "in a world or two another maker fails"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("cost", [80, 95])
def test_cheaper_sodium_never_hurts_sodium(seed, cost):
    _, base, _ = shares(seed=seed)
    _, cheap, _ = shares(seed=seed, chemistries={"sodium_ion": {"processing_cost": cost}})
    assert (cheap - base).mean() > 0


def test_doubling_lithium_moves_the_pack_of_a_car_by_four_to_eight_per_cent():
    from forecast.scenario import load

    world = load("baseline", ["last_year=2024", "buyers.number=1000"]).world
    parameters = draw(world, 1, np.arange(4))
    lfp, cars = sorted(world.chemistries).index("lfp"), sorted(world.segments).index("mass_cars")
    seen = []

    def spectator(stage):
        if stage.market.month == parameters.months:
            makers, market = stage.agents["Manufacturers"], stage.market
            makers.lagged_lithium = np.full(4, LITHIUM_OF_TODAY)
            costs = []
            for _ in range(2):
                market.lithium_price[...] = makers.lagged_lithium
                makers.reckon(market, 2024.99)
                costs.append(np.average(market.unit_cost[..., lfp], axis=1, weights=market.capacity[..., lfp]))
                makers.lagged_lithium = np.full(4, 2 * LITHIUM_OF_TODAY)
            seen.append(costs)

    play(parameters, spectator=spectator)
    single, double = seen[0]
    pack = single + parameters.segments.pack_cost[cars, -1]
    assert 0.04 <= np.median((double - single) / pack) <= 0.08


def test_wrights_law_holds_along_the_way():
    still = {"material_saving": 0, "overhead": 0}
    seen = history(draw(lively_world(industry=still), 1, np.arange(2)), experience=None, cost_of=None)
    parameters = draw(lively_world(), 1, np.arange(2))
    doubled = np.log2(seen["experience"][..., LFP] / parameters.chemistries.opening_experience[:, LFP])
    expected = 18 + (120 - 18) * (1 - parameters.chemistries.learning_rate[:, LFP]) ** doubled
    processing = seen["cost_of"][..., LFP, 2]
    assert doubled[-1].min() > 1
    assert (processing >= expected * (1 - 1e-9)).all()
    assert (processing <= expected * 1.3 / 0.8).all()
