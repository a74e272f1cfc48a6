"""Each kind of event does what it says, from its first month to its last."""

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.policy import EFFECTS, KINDS
from tests.play import assert_same_bytes, history, simulated
from tests.small_world import lively_world

# kind: what the event names, its size, the column it moves, and the whole column while it is in force.
CASES = {
    "subsidy": ({"regions": ["europe"], "minimum_specific_energy": 150}, 12, "subsidy", [[[0, 0, 0], [0, 12, 0]]] * 2),
    "tariff": ({"regions": ["europe"], "chemistries": ["lfp"]}, 0.3, "tariff", [[0, 0, 0], [0.3, 0, 0]]),
    "local_content": ({"regions": ["europe"]}, 9, "local_content", [0, 9]),
    "licence": ({"chemistries": ["sodium_ion"]}, 0.1, "licence", [[0, 0, 0.1]] * 2),
    "mandate": ({"segments": ["storage"], "chemistries": ["lfp"]}, 0.4, "barred", [[[0, 0, 0]] * 2, [[0, 0.4, 0.4]] * 2]),
    "ban": ({"segments": ["cars"], "regions": ["china"], "chemistries": ["nmc"]}, 0.6, "barred", [[[0, 0.6, 0], [0] * 3], [[0] * 3] * 2]),
    "export_control": ({"minerals": ["graphite"]}, 3, "mineral_push", [np.log(3), 0]),
    "stockpile": ({}, -500, "stockpiling", -500),
    "mine_outage": ({"mines": ["salar"]}, 0.5, "mine_cut", [0, 0, 0.5]),
    "incident": ({"chemistries": ["nmc"]}, 0.7, "alarm", [0, 0.7, 0]),
    "bankruptcy": ({"manufacturers": ["rhine"]}, 1, "failing", [0, 1, 0]),
    "lithium_price": ({}, 2, "price_push", np.log(2)),
    "programme": ({"chemistries": ["sodium_ion"]}, 4, "programme_push", [0, 0, np.log(4)]),
    "demand": ({"segments": ["storage"]}, 1.5, "demand_push", [[0, 0], [np.log(1.5)] * 2]),
    "adoption": ({"regions": ["europe"]}, 1.5, "adoption_push", [[0, np.log(1.5)]] * 2),
}


def effects(kind, names, size, **event):
    """All columns of policy, month by month, under one event from April 2015 to December 2015."""
    event = {"kind": kind, "start": 2015.25, "end": 2016, "size": size} | names | event
    drawn = draw(lively_world(last_year=2017, policy={"event": event}), 1, np.arange(2))
    return history(drawn, **dict.fromkeys(EFFECTS))


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_does_what_it_says_from_its_first_month_to_its_last(kind):
    names, size, column, expected = CASES[kind]
    seen = effects(kind, names, size)
    np.testing.assert_allclose(seen[column][3:12], np.broadcast_to(expected, seen[column][3:12].shape), err_msg=column)
    assert not seen[column][:3].any()
    assert not seen[column][12:].any()
    assert not any(values.any() for name, values in seen.items() if name != column)


def test_a_control_of_components_withholds_their_supply():
    seen = effects("export_control", {"components": ["hard_carbon"]}, 0.4)
    assert seen["component_cut"][:, 0, 0].tolist() == [0] * 3 + [0.4] * 9 + [0] * 24
    assert not seen["mineral_push"].any()


def test_events_add_up():
    policy = {
        name: {"kind": "incident", "start": 2016, "size": size, "chemistries": ["nmc"]} for name, size in (("one", 0.2), ("two", 0.3))
    }
    alarm = history(draw(lively_world(last_year=2017, policy=policy), 1, np.arange(2)), alarm=None)["alarm"]
    np.testing.assert_allclose(alarm[12:, :, 1], 0.5)


def test_an_event_may_begin_in_each_world_on_its_own_day():
    event = {"kind": "incident", "start": {"uniform": [2015.2, 2016.8]}, "end": 2017, "size": 1}
    drawn = draw(lively_world(last_year=2017, policy={"event": event}), 1, np.arange(6))
    alarm = history(drawn, alarm=None)["alarm"][:, :, 0]
    first = 2015 + alarm.argmax(axis=0) / 12
    np.testing.assert_allclose(first, drawn.policy.start[:, 0], atol=1 / 12)
    assert len(set(first)) > 3
    assert not alarm[24:].any()


def test_an_event_of_the_past_or_beyond_the_horizon_changes_nothing():
    events = {"old": {"kind": "ban", "start": 2010, "end": 2014}, "far": {"kind": "ban", "start": 2060}}
    here, there = simulated(lively_world(last_year=2016)), simulated(lively_world(last_year=2016, policy=events))
    assert all(here[name].tobytes() == there[name].tobytes() for name in here)


def test_when_an_event_was_announced_is_for_those_who_look_back_and_changes_nothing():
    event = {"kind": "ban", "start": 2015.5, "end": 2016, "size": 0.8, "chemistries": ["nmc"]}
    here, there, never = (
        simulated(lively_world(last_year=2016, policy=policy))
        for policy in ({"event": event}, {"event": event | {"announced": 2015.1, "announced_end": 2018}}, {})
    )
    assert_same_bytes(here, there)
    assert here["share_of_sales"].tobytes() != never["share_of_sales"].tobytes()


EUROPE, CARS, STORAGE = 1, 0, 1


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"kind": "subsidy", "size": 30, "chemistries": ["nmc"]}, lambda r: r["deliveries"][:, -1, ..., 1].sum()),
        ({"kind": "tariff", "size": 0.5, "regions": ["europe"]}, lambda r: r["offer_price"][:, -1, EUROPE].mean()),
        ({"kind": "tariff", "size": 0.5, "start": 2016}, lambda r: r["offer_price"][:, -1].mean()),
        ({"kind": "licence", "size": 0.5, "chemistries": ["lfp"]}, lambda r: r["offer_price"][:, -1, :, 0].mean()),
        ({"kind": "local_content", "size": 30, "regions": ["europe"]}, lambda r: r["output"][:, -1, 1].sum()),
        ({"kind": "mandate", "size": 1, "chemistries": ["nmc"]}, lambda r: r["share_of_sales"][:, -1, ..., 1].mean()),
        ({"kind": "ban", "size": 1, "chemistries": ["lfp"]}, lambda r: r["share_of_sales"][:, -1, ..., 1].mean()),
        ({"kind": "export_control", "size": 3, "minerals": ["nickel"]}, lambda r: r["unit_cost"][:, -1, :, 1].mean()),
        ({"kind": "export_control", "size": 0.9, "components": ["hard_carbon"]}, lambda r: r["component_price"][:, -1].mean()),
        ({"kind": "stockpile", "size": 50_000}, lambda r: r["lithium_price"][:, :12].mean()),
        ({"kind": "mine_outage", "size": 0.8, "mines": ["quarry"]}, lambda r: r["lithium_price"][:, -1].mean()),
        ({"kind": "incident", "size": 3, "chemistries": ["nmc"]}, lambda r: r["share_of_sales"][:, -1, ..., 0].mean()),
        ({"kind": "lithium_price", "size": 20}, lambda r: r["lithium_price"][:, -1].mean()),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_the_world_feels_it(event, told):
    start = 2015 if event["kind"] != "mine_outage" else 2016
    here = simulated(lively_world(last_year=2016), realizations=range(3))
    there = simulated(lively_world(last_year=2016, policy={"event": {"start": start} | event}), realizations=range(3))
    assert told(there) > told(here) * 1.005


def test_more_money_brings_programmes_to_market_earlier():
    here, there = (
        simulated(lively_world(last_year=2016, policy=policy), realizations=range(10))["programme_stage"][:, 0, [0, 2], 2].mean()
        for policy in ({}, {"event": {"kind": "programme", "size": 5, "start": 2015}})
    )
    assert there > here


def test_a_bankrupt_maker_is_gone_and_its_lines_are_not():
    event = {"kind": "bankruptcy", "start": 2015.5, "end": 2015.6, "manufacturers": ["rhine"]}
    found = simulated(lively_world(last_year=2016, policy={"event": event}), monthly=True)
    assert found["capacity"][:, 5, 1].any()
    assert not found["capacity"][:, 6:, 1].any()
    assert not found["output"][:, 7:, 1].any()
