"""Who acts on which day of the month: the whole order of play.

A month has 30 days and every act its own day, so nothing depends on the order in which processes were created.
"""

from __future__ import annotations

DAYS_PER_MONTH = 30
MONTHS_PER_YEAR = 12

PROCLAIM = 1  # policies and shocks take force
STEER = 2  # the replay is held to what was observed
EXTRACT = 3  # mineral prices move
SUPPLY = 4  # component makers quote
POST_OFFERS = 5  # cell makers post prices
WANT = 6  # the month's demand is known
SHOP = 8  # buyers whose battery falls due choose
DELIVER = 12  # cell makers deliver what they can
TAKE_HOME = 14  # buyers get it, or wait
SETTLE = 16  # makers book, learn and, where they must, fail
RETIRE = 18  # old batteries leave use
RECYCLE = 19  # some of their lithium comes back
MINE = 20  # mines produce
TRADE = 22  # the lithium market clears and its price moves
COMMIT = 24  # mine owners decide
PLAN = 26  # cell makers decide, each quarter
DEVELOP = 27  # programmes pass stages
RECORD = 29  # the month is written down

QUARTER = 3


def on(env, act: int):
    """Wait for the next day on which ``act`` takes place."""
    day = env.now % DAYS_PER_MONTH
    return env.timeout((act - day - 1) % DAYS_PER_MONTH + 1)


def month(env) -> int:
    """Months since the start of the simulation."""
    return int(env.now // DAYS_PER_MONTH)


def is_quarter_end(env) -> bool:
    """Whether the current month closes a quarter."""
    return month(env) % QUARTER == QUARTER - 1
