"""Development programmes: a chemistry leaves the laboratory stage by stage, each passed by luck, money and neighbours."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Quantity, Triangular, parameter, table
from forecast.layout import blank, side_by_side
from forecast.model.calendar import DEVELOP, MONTHS_PER_YEAR, month, on
from forecast.streams import Deck, uniform

STAGES = ("laboratory", "interface", "conductivity", "pilot", "qualification", "ramp", "commercial")
COMMERCIAL = len(STAGES) - 1
NONE = -1
WELCOMES = {  # which chemistries a strategy will start a programme on once others have shown the way
    "lithium_incumbent": ("semi_solid", "solid_state"),
    "dual_track": ("sodium_ion", "semi_solid", "solid_state", "solid_state_sodium"),
    "sodium_specialist": ("sodium_ion", "solid_state_sodium"),
    "solid_state_specialist": ("semi_solid", "solid_state", "solid_state_sodium"),
    "fast_follower": ("sodium_ion", "semi_solid", "solid_state"),
    "lead_acid_incumbent": ("sodium_ion",),
}


class Programme(Block):
    """What must be solved before a chemistry can be sold, and how long that takes a maker alone."""

    stage_time: dict[str, Quantity] = table("year", "Mean time a funded maker spends in a stage, without help from others", "programme block", "stages", fill=None, above=0)
    difficulty: Quantity = parameter("1", "Common factor on every stage time, the same for all makers of a realization", "assumption: roadmaps slip together", 1.0, Lognormal(1.0, 0.25), above=0)
    knowledge_from: dict[str, Quantity] = table("1", "How far another chemistry must be known to work on this one: share of its stages", "programme block", "chemistries", at_least=0, at_most=1)
    spending: Quantity = parameter("MUSD/year", "Spending of one programme at full effort", "programme block", at_least=0)


class Development(Block):
    """How programmes behave, whatever the chemistry."""

    neighbours: Quantity = parameter("1", "Rise of the pass rate when others are ahead (logarithm per stage that the leader is ahead)", "assumption: followers copy, patents and staff move", 0.35, Lognormal(0.35, 0.3), at_least=0)
    spending_elasticity: Quantity = parameter("1", "Response of the pass rate to effort", "assumption: diminishing returns to research", 0.5, Triangular(0.3, 0.5, 0.7), at_least=0, at_most=1)
    start_rate: Quantity = parameter("1/year", "Rate at which a maker with a fitting strategy starts a programme once the leader is two stages from market", "assumption: fast followers enter within 2-4 years", 0.3, Lognormal(0.3, 0.3), at_least=0)


class Programmes:
    """Development programmes; a row for each maker and chemistry, in every world of the block."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        self.own, self.development = parameters.programmes, parameters.development
        self.first_year = parameters.first_year
        self.makers, self.chemistries = parameters.manufacturers.names, parameters.chemistries.names
        self.columns = np.array([self.chemistries.index(name) for name in self.own.names], int)
        pipeline = parameters.manufacturers.programmes
        self.observed, self.since = pipeline.stage[:, self.columns].astype(np.int8), pipeline.since[:, :, self.columns]
        self.effort = side_by_side(np.where(self.observed == NONE, 1.0, pipeline.effort[:, :, self.columns]), self.since.shape)
        self.stage = blank(self.since.shape, NONE, np.int8)
        self.due, self.next_entry = blank(self.since.shape, False, bool), -np.inf
        self.would_start = np.array([[name in WELCOMES[strategy] for name in self.own.names] for strategy in parameters.manufacturers.strategy])
        names = [f"programme {maker} {programme}" for maker in self.makers for programme in self.own.names]
        self.deck = Deck(uniform, seed, names, realizations)
        from forecast.model import building, trade  # compiled code is slow to load and needed only to play

        self.kernels, self.worlds_last = building, trade.worlds_last
        self.fix()

    def luck_of(self, month: int) -> np.ndarray:
        """Luck of the month, (realization, maker, programme), also of programmes that can never be."""
        return self.deck.on(month).reshape(self.stage.shape)

    def fix(self) -> None:
        """Work out once what no month changes: how fast a maker is alone, and what money and the lead of others add."""
        development = self.development
        self.pace = side_by_side(1.0 / (self.own.stage_time * self.own.difficulty[:, :, None] * MONTHS_PER_YEAR))
        self.drive = self.effort ** development.spending_elasticity[:, None, None]
        self.help = side_by_side(np.exp(development.neighbours[:, None] * np.arange(COMMERCIAL + 2)))
        self.start_chance = development.start_rate / MONTHS_PER_YEAR
        self.builds_on = side_by_side(self.own.knowledge_from[:, :, self.columns])  # what needs no programme is known
        self.monthly_spending = side_by_side(self.effort * self.own.spending[:, None, :] / MONTHS_PER_YEAR)

    def run(self, env, market):
        """Begin what was observed, start what looks ripe, pass what luck and money allow."""
        while True:
            yield on(env, DEVELOP)
            year = self.first_year + (month(env) + 1) / MONTHS_PER_YEAR
            self.begin(market, year)
            self.advance(market, self.luck_of(month(env)))
            self.report(market)

    def begin(self, market, year: float) -> None:
        """A programme enters the model at the stage and date at which it was observed, or later with its maker, and ends with it."""
        if year >= self.next_entry:
            seen, late = self.observed != NONE, self.since > year
            self.due = side_by_side(seen & ~late)
            self.next_entry = np.min(self.since, initial=np.inf, where=seen & late)
        due, alive, stage = self.worlds_last(self.due, market.alive, self.stage)
        self.kernels.begin(self.observed, due, alive, stage)

    def advance(self, market, luck: np.ndarray) -> None:
        """Pass a stage, or start a programme, where luck (realization, maker, programme) falls below the probability of the month."""
        push = np.exp(market.programme_push[:, self.columns])
        stage, luck, asked, alive, *rates = self.worlds_last(
            *(self.stage, luck, self.builds_on, market.alive, self.pace, self.drive, self.help, push, self.start_chance)
        )
        self.kernels.advance(stage, luck, asked, alive, self.would_start, *rates)

    def report(self, market) -> None:
        """Write down the stages, who may sell, and what it costs."""
        told = market.programme_stage, market.may_sell, market.may_build, market.programme_spending
        self.kernels.report(COMMERCIAL, self.columns, *self.worlds_last(self.stage, self.monthly_spending, *told))
