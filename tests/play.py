"""Play a world and look over its shoulder: the market and the agents, in full precision, month by month."""

from __future__ import annotations

import random
from types import SimpleNamespace
from unittest import mock

import numpy as np
import simpy

from forecast.ensemble.design import draw
from forecast.model import calendar, world
from forecast.model.market import Market


class Stage(simpy.Environment):
    """The clock of a world, which notes who acts and calls a spectator at the end of each month.

    agents  {class name: agent}
    market  the blackboard
    """

    def __init__(self, spectator=None, shuffled=None):
        super().__init__()
        self.spectator, self.shuffled = spectator, shuffled
        self.cast, self.agents, self.market = [], {}, None

    def process(self, generator):
        """Take a process into the cast; it starts when the clock does."""
        known = generator.gi_frame.f_locals
        self.market = known["market"]
        if "self" in known:
            self.agents[type(known["self"]).__name__] = known["self"]
        self.cast.append(generator)

    def run(self, until=None):
        """Start all processes, in shuffled order if asked, and play."""
        if self.shuffled is not None:
            random.Random(self.shuffled).shuffle(self.cast)
        for generator in [*self.cast, *([self._watch()] if self.spectator else [])]:
            super().process(generator)
        super().run(until)

    def _watch(self):
        while True:
            yield calendar.on(self, calendar.RECORD)
            self.spectator(self)


def play(parameters, seed=1, realizations=None, monthly=True, **staging):
    """``simulate`` on a stage; returns the stage, with ``results``."""
    realizations = np.arange(parameters.size) if realizations is None else realizations
    stage = Stage(**staging)
    with mock.patch.object(world, "simpy", SimpleNamespace(Environment=lambda: stage)):
        stage.results = world.simulate(parameters, seed, realizations, monthly=monthly)
    return stage


def history(parameters, **columns):
    """Play, and keep float64 copies by month: ``history(p, ore=lambda s: s.agents["LithiumMarket"].state["ore"])``.

    returns  {name: (month, realization, ...)}; without a function the market's column of that name
    """
    kept = {name: [] for name in columns}

    def spectator(stage):
        for name, look in columns.items():
            kept[name].append(np.array(look(stage) if look else getattr(stage.market, name)))

    play(parameters, spectator=spectator)
    return {name: np.array(rows) for name, rows in kept.items()}


def blackboard(parameters):
    """An empty market for the given parameters, on which an agent can be tried alone."""
    market = Market(world.sizes(parameters), parameters.size, parameters.months)
    market.alive[...] = 1.0
    return market


def simulated(some_world, seed=1, realizations=(0, 1), monthly=False):
    """Draw and simulate."""
    realizations = np.asarray(realizations)
    return world.simulate(draw(some_world, seed, realizations), seed, realizations, monthly=monthly)


def assert_same_bytes(here, there, told=""):
    """Two results agree in every bit."""
    assert here.keys() == there.keys()
    different = [name for name in here if here[name].tobytes() != there[name].tobytes()]
    assert not different, f"{told} {different}"
