"""Buyers in Mesa, as somebody who knows it well would write them: plain numbers in agents, no arrays of eight."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import exp
from types import SimpleNamespace

import mesa
import numpy as np
from mesa.agent import AgentSet
from mesa.experimental.devs import ABMSimulator


class Buyer(mesa.Agent):
    """Owns a battery that falls due in a month."""

    def __init__(self, model, cell, taste, owned, due):
        super().__init__(model)
        self.cell, self.taste, self.owned, self.due = cell, taste, owned, due

    def prefer(self):
        """The chemistry that would be taken now."""
        market = self.model
        t0, t1, t2, t3, t4 = self.taste
        utility = [b + t0 * s0 + t1 * s1 + t2 * s2 + t3 * s3 + t4 * s4 for b, s0, s1, s2, s3, s4 in market.offers[self.cell]]
        utility[self.owned] += market.habit[self.cell]
        best = max(utility)
        reached = list(accumulate([exp(u - best) for u in utility]))
        return min(bisect_right(reached, market.luck() * reached[-1]), len(reached) - 1)

    def take(self, chemistry):
        """Own it until it falls due."""
        market = self.model
        life = market.life[self.cell][chemistry] * market.life_factor[int(market.luck() * len(market.life_factor))]
        self.owned, self.due = chemistry, market.month + max(1, int(life))
        market.counts[market.month, chemistry] += 1

    def choose(self):
        """Prefer and take."""
        self.take(self.prefer())

    def choose_if_due(self):
        """What an agent without a calendar asks itself each month."""
        if self.due == self.model.month:
            self.choose()

    def prefer_anyway(self):
        """What an agent does that makes up its mind each month."""
        chemistry = self.prefer()
        if self.due == self.model.month:
            self.take(chemistry)


class Scheduled(Buyer):
    """Asks to be called when the battery falls due."""

    def choose(self):
        """Choose and schedule the next time."""
        super().choose()
        self.model.simulator.schedule_event_absolute(self.choose, self.due)


class Market(mesa.Model):
    """What all of these models share: offers that change every month."""

    kind = Buyer

    def __init__(self, crowd: SimpleNamespace):
        super().__init__(seed=1)
        self.months_of_offers = [
            [[(base[k], *(taste[k] for taste in slope)) for k in range(len(base))] for base, slope in zip(bases, slopes, strict=True)]
            for bases, slopes in zip(crowd.bases[:, 0].tolist(), crowd.slopes[:, 0].tolist(), strict=True)
        ]
        self.habit, self.life = crowd.habit[0].tolist(), crowd.life[0].tolist()
        self.life_factor, self.luck, self.month = crowd.life_factor.tolist(), self.random.random, -1
        self.counts = np.zeros((crowd.months, crowd.base.shape[-1]), np.int64)
        rows = zip(crowd.cell.tolist(), crowd.taste.tolist(), crowd.owned[0].tolist(), crowd.due[0].tolist(), strict=True)
        self.buyers = [self.kind(self, *row) for row in rows]

    def step(self):
        """A month."""
        self.month += 1
        self.offers = self.months_of_offers[self.month]
        self.act()

    def act(self):
        """What agents do in a month; nothing where events do it."""

    def play(self, months):
        """The first months; returns how often each chemistry was chosen (month, chemistry)."""
        for _ in range(months):
            self.step()
        return self.counts[:months]


class AllChoose(Market):
    """Everybody makes up its mind every month."""

    def act(self):
        """All step."""
        self.agents.do("prefer_anyway")


class AllStep(Market):
    """Everybody looks every month whether it is due."""

    def act(self):
        """All step."""
        self.agents.do("choose_if_due")


class ByMonth(Market):
    """A calendar: a list of those who are due for each month, as an agent set."""

    def __init__(self, crowd):
        super().__init__(crowd)
        self.calendar = {}
        self.note(self.buyers)

    def note(self, buyers):
        """Enter buyers into the calendar."""
        for buyer in buyers:
            self.calendar.setdefault(buyer.due, []).append(buyer)

    def act(self):
        """Those who are due choose."""
        due = self.calendar.pop(self.month, [])
        AgentSet(due, random=self.random).do("choose")
        self.note(due)


class ByEvents(Market):
    """A calendar: Mesa's own list of events."""

    kind = Scheduled

    def __init__(self, crowd):
        super().__init__(crowd)
        self.simulator = ABMSimulator()
        self.simulator.setup(self)
        for buyer in self.buyers:
            self.simulator.schedule_event_absolute(buyer.choose, buyer.due)

    def play(self, months):
        """The first months; the simulator takes all steps but the first."""
        self.step()
        self.simulator.run_until(months - 1)
        return self.counts[:months]
