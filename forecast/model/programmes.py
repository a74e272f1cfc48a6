"""Development programmes: a chemistry leaves the laboratory stage by stage, each passed by luck, money and neighbours."""

from __future__ import annotations

import numpy as np

from forecast.declare import Block, Lognormal, Quantity, parameter, table
from forecast.layout import blank
from forecast.model.calendar import DEVELOP, MONTHS_PER_YEAR, month, on
from forecast.streams import each, uniform

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
    spending_elasticity: Quantity = parameter("1", "Response of the pass rate to effort", "assumption: diminishing returns to research", 0.5, at_least=0, at_most=1)
    start_rate: Quantity = parameter("1/year", "Rate at which a maker with a fitting strategy starts a programme once the leader is two stages from market", "assumption: fast followers enter within 2-4 years", 0.3, Lognormal(0.3, 0.3), at_least=0)


class Programmes:
    """Development programmes; a row for each maker and chemistry, in every world of the block."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        self.own, self.development = parameters.programmes, parameters.development
        self.first_year = parameters.first_year
        self.makers, self.chemistries = parameters.manufacturers.names, parameters.chemistries.names
        self.columns = [self.chemistries.index(name) for name in self.own.names]
        pipeline = parameters.manufacturers.programmes
        self.observed, self.since = pipeline.stage[:, self.columns], pipeline.since[:, :, self.columns]
        self.effort = np.where(self.observed == NONE, 1.0, pipeline.effort[:, :, self.columns])
        self.stage = blank(self.since.shape, NONE, int)
        self.would_start = np.array([[name in WELCOMES[strategy] for name in self.own.names] for strategy in parameters.manufacturers.strategy])
        pairs = [f"programme {maker} {name}" for maker in self.makers for name in self.own.names]
        luck = each(uniform, seed, pairs, realizations, parameters.months)
        self.luck = luck.reshape(*luck.shape[:2], len(self.makers), len(self.own.names))

    def run(self, env, market):
        """Begin what was observed, start what looks ripe, pass what luck and money allow."""
        while True:
            yield on(env, DEVELOP)
            self.begin(self.first_year + (month(env) + 1) / MONTHS_PER_YEAR)
            self.stop_failed(market)
            self.advance(market, self.luck[:, month(env)])
            self.report(market)

    def begin(self, year: float) -> None:
        """A programme enters the model at the stage and date at which it was observed."""
        enters = (self.stage == NONE) & (self.observed != NONE) & (self.since <= year)
        self.stage = np.where(enters, self.observed, self.stage)

    def stop_failed(self, market) -> None:
        """The programmes of a maker that failed end with it."""
        self.stage = np.where(market.alive[:, :, None] > 0, self.stage, NONE)

    def known(self) -> np.ndarray:
        """Share of stages passed by the best maker, (realization, programme)."""
        return np.maximum(self.stage, 0).max(axis=1) / COMMERCIAL

    def open_to(self) -> np.ndarray:
        """Whether what it builds on is known well enough, (realization, programme); what needs no programme is known."""
        known = blank((self.stage.shape[0], len(self.chemistries)), 1.0)
        known[:, self.columns] = self.known()
        asked = self.own.knowledge_from
        return (known[:, None, :] >= asked - 1e-9).all(axis=-1)

    def rate(self, market) -> np.ndarray:
        """Hazard of passing the present stage, per month, (realization, maker, programme)."""
        stage = np.clip(self.stage, 0, COMMERCIAL - 1)
        index = np.arange(len(self.own.names))
        worlds = np.arange(len(stage))[:, None, None]
        alone = self.own.stage_time[worlds, index, stage] * self.own.difficulty[:, None, :] * MONTHS_PER_YEAR
        lead = np.maximum(self.stage.max(axis=1, keepdims=True) - self.stage, 0)
        help_ = np.exp(self.development.neighbours[:, None, None] * lead)
        effort = self.effort ** self.development.spending_elasticity[:, None, None]
        return effort * help_ * np.exp(market.programme_push[:, None, self.columns]) / alone

    def advance(self, market, luck: np.ndarray) -> None:
        """Pass a stage, or start a programme, where luck falls below the probability of the month."""
        active = (self.stage >= 0) & (self.stage < COMMERCIAL) & self.open_to()[:, None, :]
        passes = active & (luck < -np.expm1(-self.rate(market)))
        ripe = (self.stage.max(axis=1, keepdims=True) >= COMMERCIAL - 2) & self.would_start & (market.alive[:, :, None] > 0)
        starts = (self.stage == NONE) & ripe & (luck < self.development.start_rate[:, None, None] / MONTHS_PER_YEAR)
        self.stage = np.where(starts, 0, self.stage + passes)

    def report(self, market) -> None:
        """Write down the stages, who may sell, and what it costs."""
        market.programme_stage[:, :, self.columns] = self.stage
        market.may_sell[:, :, self.columns] = self.stage == COMMERCIAL
        market.may_build[:, :, self.columns] = self.stage >= COMMERCIAL - 1
        active = (self.stage >= 0) & (self.stage < COMMERCIAL)
        market.programme_spending[...] = (active * self.effort * self.own.spending[:, None, :]).sum(axis=-1) / MONTHS_PER_YEAR
