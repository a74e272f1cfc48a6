"""Every act has a day of its own, and waiting for a day always takes time."""

import simpy
from hypothesis import given
from hypothesis import strategies as st

from forecast.model import calendar

ACTS = {
    name: day for name, day in vars(calendar).items() if name.isupper() and name not in ("DAYS_PER_MONTH", "MONTHS_PER_YEAR", "QUARTER")
}
DAYS = calendar.DAYS_PER_MONTH


def test_no_two_acts_share_a_day():
    assert len(ACTS) >= 15
    assert len(set(ACTS.values())) == len(ACTS)
    assert all(0 < day < DAYS for day in ACTS.values())


def test_causes_come_before_effects():
    offers, goods, plans = (
        "PROCLAIM STEER EXTRACT SUPPLY POST_OFFERS WANT SHOP",
        "DELIVER TAKE_HOME SETTLE RETIRE RECYCLE",
        "MINE TRADE COMMIT PLAN DEVELOP RECORD",
    )
    order = f"{offers} {goods} {plans}".split()
    assert sorted(ACTS, key=lambda act: ACTS[act]) == order


@given(st.integers(0, 40 * DAYS), st.integers(0, DAYS - 1))
def test_the_next_day_of_an_act_is_later_within_a_month(now, act):
    env = simpy.Environment(now)
    env.run(calendar.on(env, act))
    assert 0 < env.now - now <= DAYS
    assert env.now % DAYS == act


@given(st.integers(0, 40 * DAYS))
def test_a_quarter_ends_in_every_third_month(now):
    env = simpy.Environment(now)
    assert calendar.month(env) == now // DAYS
    assert calendar.is_quarter_end(env) == (now // DAYS % 12 in (2, 5, 8, 11))
