"""One choice workload, done by the compiled kernels and by what one might write instead; Mesa's share is in ``mesa_buyers``.

Buyers of some cells own a battery that falls due about once in a hundred months. Who is due compares the chemistries on offer,
whose utility changes every month, takes one with logit probabilities by inverse CDF, and draws the life of the new battery.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.special import gammaincinv

from forecast.model import choice
from forecast.model.buyers import LISTED
from tests import twins

MEAN_LIFE = 100
CELLS = 10
CHEMISTRIES = 8
AGE_CLASSES = 16
ALWAYS = np.float32(1e9)
BLOCK = 10
"""Worlds that the kernels play side by side; the time is that of one."""
KERNEL = "compiled kernels: those due choose"


def workload(buyers: int = 100_000, months: int = 300, worlds: int = 1, seed: int = 1) -> SimpleNamespace:
    """A crowd as the kernels take it, and the offers of each month: bases and slopes, their first axis the month."""
    crowd = twins.crowd_of(seed, worlds=worlds, cells=CELLS, buyers=buyers, chemistries=CHEMISTRIES)
    rng = np.random.default_rng(seed)
    pace = np.linspace(0, 1, months, dtype=np.float32)[:, None, None, None]
    crowd.months = months
    crowd.bases = crowd.base + pace * rng.standard_normal(crowd.base.shape, np.float32)
    crowd.slopes = crowd.slope * (1 + 0.5 * pace[..., None])
    crowd.limit[...], crowd.admission[...], crowd.fill[...] = ALWAYS, 1, 1
    crowd.life = (MEAN_LIFE * rng.uniform(0.8, 1.2, crowd.life.shape)).astype(np.float32)
    crowd.life_factor = (gammaincinv(AGE_CLASSES, (np.arange(256) + 0.5) / 256) / AGE_CLASSES).astype(np.float32)
    crowd.due[...] = rng.integers(0, MEAN_LIFE, crowd.due.shape)
    crowd.owned[...] = rng.integers(0, CHEMISTRIES, crowd.owned.shape)
    return crowd


def compiled(c: SimpleNamespace) -> Callable[[int], np.ndarray]:
    """The kernels of the model; what they play returns how often each chemistry was chosen (month, chemistry), as all of these do."""
    profile, wish = np.concatenate([c.taste, c.need, c.openness[:, None]], axis=1), np.zeros(c.base.shape)
    offers = [twins.offer_of(c, base, slope) for base, slope in zip(c.bases, c.slopes, strict=True)]
    with twins.in_pieces(c) as standing:
        pass  # laid out once, as the model does

    def play(months: int) -> np.ndarray:
        counts = np.zeros((months, CHEMISTRIES), np.int64)
        for month in range(months):
            if month % LISTED == 0:
                choice.list_due(month + LISTED, *standing, c.start, *c.listed)
            choice.shop(month, *c.listed, *c.visits, profile, c.start, c.cell_key, c.key, offers[month], wish)
            choice.take_home(month, *c.listed[1:3], *c.visits, c.fill, c.life, c.life_factor)
            _, _, chosen, _, until = c.visits
            counts[month] += np.bincount(chosen[: until[-1]], minlength=CHEMISTRIES)
        return counts

    return play


def numpy_choice(c: SimpleNamespace, month: int, rows: np.ndarray, cell: int, luck: np.ndarray) -> np.ndarray:
    """What some buyers of one cell take."""
    utility = c.bases[month, 0, cell] + c.taste[rows] @ c.slopes[month, 0, cell]
    utility[np.arange(len(rows)), c.owned[0, rows]] += c.habit[0, cell]
    reached = np.exp(utility - utility.max(axis=1, keepdims=True)).cumsum(axis=1)
    return np.minimum((reached <= (luck * reached[:, -1])[:, None]).sum(axis=1), CHEMISTRIES - 1)


def in_numpy(c: SimpleNamespace, months: int, only_due: bool) -> np.ndarray:
    """Arrays over buyers: everybody works out a choice every month, or those who are due."""
    rng, counts = np.random.default_rng(1), np.zeros((months, CHEMISTRIES), np.int64)
    for month in range(months):
        for cell in range(CELLS):
            rows = np.arange(c.start[cell], c.start[cell + 1])
            due = c.due[0, rows] == month
            rows, due = (rows[due], due[due]) if only_due else (rows, due)
            taken = numpy_choice(c, month, rows, cell, rng.random(len(rows), np.float32))[due]
            rows = rows[due]
            life = c.life[0, cell, taken] * c.life_factor[rng.integers(0, len(c.life_factor), len(rows))]
            c.owned[0, rows], c.due[0, rows] = taken, month + np.maximum(1, life.astype(int))
            counts[month] += np.bincount(taken, minlength=CHEMISTRIES)
    return counts


def yardsticks() -> dict[str, Callable[[SimpleNamespace], Callable[[int], np.ndarray]]]:
    """What is measured, each a function of the workload that gets ready and returns a function of the number of months."""
    from tests.bench import mesa_buyers as mesa

    return {
        KERNEL: compiled,
        "numpy: those due choose": lambda crowd: lambda months: in_numpy(crowd, months, only_due=True),
        "numpy: everybody chooses each month": lambda crowd: lambda months: in_numpy(crowd, months, only_due=False),
        "Mesa with a calendar: an agent set for each month": lambda crowd: mesa.ByMonth(crowd).play,
        "Mesa with a calendar: scheduled events": lambda crowd: mesa.ByEvents(crowd).play,
        "Mesa: all agents step, those due choose": lambda crowd: mesa.AllStep(crowd).play,
        "Mesa: all agents choose each month": lambda crowd: mesa.AllChoose(crowd).play,
    }


def measured(buyers: int, months: int, repeats: int, patience: float) -> list[dict[str, Any]]:
    """Seconds of a core for one world, and how many times those of the kernels.

    patience  (seconds) what would take longer is measured over fewer months and scaled; ``twice`` says how the time of twice these
              months compares, 2 if it grows linearly

    Getting ready (birth of agents and events, compilation) is not counted.
    """
    rows = []
    for name, ready in yardsticks().items():
        worlds = BLOCK if name == KERNEL else 1
        ready(workload(1000, 12, worlds))(12)
        trial = timed(ready, buyers, months, 2, worlds) / 2
        some = months if trial * months <= patience else max(2, int(patience / trial / 3))
        taken = min(timed(ready, buyers, months, some, worlds) for _ in range(repeats))
        twice = timed(ready, buyers, months, 2 * some, worlds) / taken if some * 2 <= months else None
        rows.append({"what": name, "seconds": taken * months / some, "months": some, "twice": twice})
    kernel = rows[0]["seconds"]
    return [row | {"times": row["seconds"] / kernel} for row in rows]


def timed(ready: Callable, buyers: int, months: int, some: int, worlds: int = 1) -> float:
    """Seconds of a core for the first months of a workload, one world."""
    play = ready(workload(buyers, months, worlds))
    began = time.process_time()
    play(some)
    return (time.process_time() - began) / worlds
