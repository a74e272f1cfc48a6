"""What flows in must be somewhere: batteries and lithium, to 1e-10, month by month, in full precision."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from tests.play import history, simulated
from tests.small_world import lively_world, steered_world

EXACT = 1e-10


def agent(name, field):
    """A look at one field of an agent."""
    return lambda stage: getattr(stage.agents[name], field)


WORLDS = {"free": lively_world, "on record": steered_world}


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    """A world left to itself, and one held to a record."""
    return WORLDS[request.param]()


@pytest.fixture(scope="module")
def parameters(world):
    return draw(world, 3, np.arange(3))


@pytest.fixture(scope="module")
def seen(parameters):
    """Every month of three worlds."""
    columns = ("demand", "orders", "deliveries", "backlog", "withdrawn", "stock", "retirements", "output", "cells_made", "good")
    columns += ("lithium_supply", "lithium_demand", "lithium_inventory", "lithium_revision", "lithium_content", "mine_output")
    columns += ("lithium_recycled", "lithium_lost", "lithium_price_on_record", "lithium_price_missed")
    stocks = ("ore", "upstream", "downstream", "ore_lost", "useless")
    lithium = {field: lambda stage, field=field: stage.agents["LithiumMarket"].state[field] for field in stocks}
    return history(parameters, **dict.fromkeys(columns), **lithium, pool=agent("Recyclers", "pool"))


def close(left, right, scale):
    """Both sides agree to 1e-10 of what is there."""
    np.testing.assert_allclose(left, right, rtol=0, atol=EXACT * scale.max())


def test_stock_is_what_was_there_and_came_and_did_not_leave(seen):
    stock = seen["stock"]
    assert seen["retirements"].sum() > 0
    close(np.diff(stock, axis=0), (seen["deliveries"] - seen["retirements"])[1:], stock)


def test_demand_is_delivered_or_waits_or_is_given_up(seen):
    waiting = seen["backlog"].sum(axis=-1)
    assert seen["withdrawn"].max() > 0
    went = seen["deliveries"].sum(axis=-1) + seen["withdrawn"]
    close(seen["demand"][1:], went[1:] + np.diff(waiting, axis=0), seen["demand"])


def test_orders_are_new_demand_and_what_still_waits(seen):
    waiting = seen["backlog"].sum(axis=-1)[:-1] - seen["withdrawn"][1:]
    assert waiting.min() >= 0
    close(seen["orders"].sum(axis=-1)[1:], seen["demand"][1:] + waiting, seen["orders"])


def test_orders_are_delivered_or_wait(seen):
    close(seen["orders"], seen["deliveries"] + seen["backlog"], seen["orders"])


def test_nobody_gives_up_more_than_the_declared_share_of_what_waits(seen, parameters):
    waiting = seen["backlog"].sum(axis=-1)[:-1]
    close(seen["withdrawn"][1:], waiting * parameters.buyers.withdrawal[:, None, None], waiting)
    assert not seen["withdrawn"][0].any()


def test_makers_deliver_what_buyers_get(seen):
    close(seen["output"].sum(axis=2), seen["deliveries"].sum(axis=(2, 3)), seen["output"].sum(axis=2))


def test_bad_cells_are_made_too(seen):
    close((seen["output"] / seen["good"]).sum(axis=2), seen["cells_made"], seen["cells_made"])
    assert (seen["cells_made"] > seen["output"].sum(axis=2)).any()


def carbonate(seen, parameters):
    """What becomes of all that mines put out if nothing is lost: what is not rock is counted as the salts made of it."""
    counts = np.where([kind == "hard_rock" for kind in parameters.mines.resource], parameters.lithium.conversion_yield[:, None], 1.0)
    return (seen["mine_output"] * counts).sum(axis=-1)


def test_every_tonne_of_lithium_is_mined_or_recycled_and_used_or_lost_or_in_stock(seen, parameters):
    came = carbonate(seen, parameters) + seen["lithium_recycled"]
    went = seen["lithium_demand"] + seen["lithium_lost"] - seen["lithium_revision"]
    assert min(seen["ore_lost"].max(), seen["useless"].max()) > 0
    close(seen["lithium_lost"], (seen["ore_lost"] + seen["useless"]) * parameters.lithium.conversion_yield, seen["lithium_supply"])
    close(np.diff(seen["lithium_inventory"], axis=0), (came - went)[1:], seen["lithium_inventory"])


def test_the_inventory_is_carbonate_upstream_and_downstream_and_in_ore(seen, parameters):
    ore = seen["ore"] * parameters.lithium.conversion_yield
    close(seen["lithium_inventory"], ore + seen["upstream"] + seen["downstream"], seen["lithium_inventory"])
    assert ore.max() > 0


def test_what_is_mined_is_what_mines_put_out(seen):
    close(seen["lithium_supply"], seen["mine_output"].sum(axis=-1), seen["lithium_supply"])


def test_cells_and_other_uses_take_the_lithium_that_is_there(seen, parameters):
    cells = (seen["cells_made"] * seen["lithium_content"]).sum(axis=-1)
    elsewhere = parameters.lithium.other_demand[:, None] / 12
    assert (seen["lithium_demand"] <= cells + elsewhere * (1 + EXACT)).all()
    assert (seen["lithium_demand"] >= cells * (1 - EXACT)).all()


def test_stocks_are_revised_while_the_price_is_on_record_and_no_longer(seen, world):
    observed = 12 * (world.observed_until - world.first_year + 1) if world.record else 0
    revised = seen["lithium_revision"] != 0
    assert revised[:observed].all()
    assert not revised[observed:].any()
    assert (seen["lithium_price_on_record"][:observed] > 0).all()
    assert not seen["lithium_price_on_record"][observed:].any()


def test_stocks_are_revised_against_what_the_price_missed(seen):
    assert (seen["lithium_revision"] * seen["lithium_price_missed"] <= 0).all()


def test_recycling_returns_no_more_than_was_retired(seen, parameters):
    retired = (seen["retirements"].sum(axis=(2, 3)) * parameters.chemistries.lithium).sum(axis=-1).cumsum(axis=0) * 5323
    back = seen["lithium_recycled"].cumsum(axis=0) + seen["pool"] * parameters.recycling.recovery
    assert back[-1].min() > 0
    assert (back <= retired * parameters.recycling.recovery * (1 + EXACT)).all()


def test_a_public_stock_takes_its_lithium_from_the_market():
    differences = {"reserve": {"kind": "stockpile", "start": 2016, "end": 2018, "size": 6000}}
    bought = draw(lively_world(policy=differences), 3, np.arange(2))
    seen = history(
        bought,
        stockpiling=None,
        mine_output=None,
        lithium_recycled=None,
        lithium_demand=None,
        lithium_revision=None,
        lithium_lost=None,
        lithium_inventory=None,
    )
    came = carbonate(seen, bought) + seen["lithium_recycled"]
    went = seen["lithium_demand"] + seen["lithium_lost"] - seen["lithium_revision"] + seen["stockpiling"] / 12
    assert seen["stockpiling"].sum(axis=0).tolist() == [144000, 144000]
    close(np.diff(seen["lithium_inventory"], axis=0), (came - went)[1:], seen["lithium_inventory"])


def test_a_year_is_the_sum_the_mean_or_the_end_of_its_months(world):
    from forecast.model.market import COLUMNS

    years, months = simulated(world, 3), simulated(world, 3, monthly=True)
    for name, column in COLUMNS.items():
        if column.every == "year":
            by_month = months[name].astype(float).reshape(2, -1, 12, *months[name].shape[2:])
            year = by_month[:, :, -1] if column.how == "last" else getattr(by_month, column.how)(axis=2)
            np.testing.assert_allclose(years[name], year, rtol=1e-5, atol=1e-6 * np.abs(year).max(), err_msg=name)


def test_the_shares_of_what_is_sold_sum_to_one(world):
    for monthly in (False, True):
        found = simulated(world, 3, monthly=monthly)
        for share, whole in (("share_of_sales", "deliveries"), ("share_of_stock", "stock")):
            there = found[whole].sum(axis=-1) > 0
            assert there.any()
            assert found[share].min() >= 0
            assert found[share].max() <= 1
            np.testing.assert_allclose(found[share].sum(axis=-1)[there], 1, atol=1e-6)
            assert not found[share].sum(axis=-1)[~there].any()
