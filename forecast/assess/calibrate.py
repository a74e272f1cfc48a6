"""Calibration: which parameters make the past least surprising, learned from what was known by a year.

The replay is held to the record (model/record.py); what it leaves unexplained, year by year, is the evidence, and should
be noise of the size the model says. Members of an ensemble, drawn from the priors, are moved towards parameters under
which it is, by the ensemble smoother with multiple data assimilation (Emerick & Reynolds 2013,
doi:10.1016/j.cageo.2012.03.011), in the space where every prior is standard normal. The sizes of the unexplained are
learned beside, each member's from its own evidence.

Luck that nobody recorded, such as outages of mines, and errors of measurement move surprises too. Members that are played
twice show by how much; every step is played with other luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from forecast import streams
from forecast.assess.evidence import SPREADS, Evidence, evidence
from forecast.assess.memory import Memory
from forecast.ensemble.design import Belief, beliefs, draw
from forecast.ensemble.engines import Engine, Processes, Serial
from forecast.ensemble.execute import cores
from forecast.errors import DataError, RequestError
from forecast.model.world import World, simulate
from forecast.scenario.vintage import as_known

CALIBRATED = (
    *("lithium.*", "mining.*", "industry.*", "investment.*", "buyers.*", "demand.*", "unexplained.*", "policy.*"),
    *("chemistries.lfp.*", "chemistries.nmc.*"),
    *(f"segments.{name}.*" for name in ("mass_cars", "premium_cars", "micro_cars", "commercial_vehicles", "two_three_wheelers")),
    *("segments.stationary_grid.*", "segments.stationary_home.*"),
)
"""Numbers on which the years on record can say something."""
APART = (
    *("unexplained.*_memory", "unexplained.deciders", "demand.persistence", "demand.common", "demand.regional"),
    *SPREADS.values(),
)
"""Numbers that say how surprises behave; a smoother, which sees only their mean, cannot learn them."""
MEMBERS = 600
FEWEST_MEMBERS, MOST_MEMBERS = 20, 100_000
STEPS = 4
BLOCK = 50
TWINS = 60
"""Members that are played twice in each step."""
DOUBT = 4.0  # chance correlations, in standard errors squared, that are taken off before a parameter is moved
FARTHEST = 8.0  # scores beyond have probabilities that are not told from 0 and 1
GRID = np.linspace(-3.5, 3.5, 71)
LEAST_VARIANCE = 1e-20  # of a surprise whose spread may be none

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Replay:
    """Replays of members under given numbers; a block of members is a piece of work.

    first  number of the realization whose luck the first member has
    """

    world: World
    seed: int
    given: Mapping[str, np.ndarray]
    members: int
    first: int = 0

    @property
    def blocks(self) -> range:
        """Pieces of work."""
        return range(-(-self.members // BLOCK))

    def play(self, block: int) -> tuple[Any, Mapping[str, np.ndarray]]:
        """Drawn numbers and results of one block."""
        place = np.arange(block * BLOCK, min((block + 1) * BLOCK, self.members))
        drawn = draw(self.world, self.seed, self.first + place, {name: values[place] for name, values in self.given.items()})
        return drawn, simulate(drawn, self.seed, self.first + place)

    def __call__(self, block: int) -> tuple[int, Evidence]:
        drawn, results = self.play(block)
        return block, evidence(self.world, drawn, results)


@dataclass(frozen=True)
class Calibration:
    """What was learned.

    learned  parameters by dotted path, with their beliefs before
    scores   (member, parameter) standard normal before the evidence
    before   evidence under the priors
    after    evidence under the scores
    """

    learned: dict[str, Belief]
    scores: np.ndarray
    before: Evidence
    after: Evidence

    @property
    def given(self) -> dict[str, np.ndarray]:
        """Values (member,) of every parameter."""
        return numbers(self.learned, self.scores)


def calibrate(
    world: World,
    until: int,
    seed: int = 1,
    *,
    members: int = MEMBERS,
    steps: int = STEPS,
    patterns: Sequence[str] = CALIBRATED,
    engine: Engine | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Learn parameters of a world from what was known when the year ``until`` was over.

    members   of the ensemble; also the draws of the posterior
    steps     in which the evidence is taken in
    patterns  of dotted paths, as in a shell; those of them that have a prior are learned
    engine    where replays are computed; processes on all cores if None. Changes no number
    memory    keeps finished steps, so that an interrupted calibration goes on

    The same seed gives the same posterior. Raises DataError for a year without enough record, ForecastError for patterns
    that match nothing or too few members.
    """
    known = prepare(world, until, members, steps, patterns)
    return learn(known, seed, members, steps, patterns, engine or processes(), memory or Memory(), progress)


def prepare(world: World, until: int, members: int, steps: int = STEPS, patterns: Sequence[str] = CALIBRATED) -> World:
    """The world as it was known when the year was over, to be calibrated; raises what ``calibrate`` raises."""
    if not FEWEST_MEMBERS <= members <= MOST_MEMBERS:
        raise RequestError(f"members {members}: must be from {FEWEST_MEMBERS} to {MOST_MEMBERS}")
    if steps < 1:
        raise RequestError(f"steps {steps}: must be at least 1")
    if not world.record:
        raise DataError("the scenario has no record to learn from")
    chosen(world, patterns)
    return as_known(world, until, until)


def learn(
    world: World, seed: int, members: int, steps: int, patterns: Sequence[str], engine: Engine, memory: Memory, progress: Progress | None
) -> Calibration:
    """Learn parameters of a world from all of its record."""
    learned = chosen(world, patterns)
    names = list(learned)
    moved = np.array([not any(fnmatchcase(name, pattern) for pattern in APART) for name in names])
    scores = np.stack([streams.normal(seed, f"score of {name}", np.arange(members)) for name in names], axis=-1)
    played = members + min(TWINS, members)
    told = before = None
    for step in range(steps + 1):
        if (kept := memory.recall(f"step-{step}")) is not None:
            scores, told = kept["scores"], Evidence.of_arrays(kept)
        else:
            tell = _counted(progress, step * played, (steps + 1) * played)
            given = numbers(learned, np.concatenate([scores, scores[: played - members]]))
            told = without_twins(replays(Replay(world, seed, given, played, step * played), engine, tell), members)
            for name, drawn in sizes(told, learned, seed, step).items():
                scores[:, names.index(name)] = drawn
            memory.keep(f"step-{step}", {"scores": scores} | told.arrays())
        before = told if before is None else before
        if step < steps:
            variance = expected(told, learned, scores, steps)
            luck = streams.normal(seed, f"assimilation {step}", np.arange(members), len(told.kinds))
            scores = np.where(moved, move(scores, told, variance, luck), scores)
    assert before is not None
    assert told is not None
    return Calibration(learned, scores, before, told)


def processes(workers: int | None = None) -> Engine:
    """The engine for so many workers; all cores if None."""
    wanted = workers or cores()
    return Serial() if wanted == 1 else Processes(wanted)


def _counted(progress: Progress | None, done: int, wanted: int) -> Callable[[int], None]:
    count = done

    def tell(more: int) -> None:
        nonlocal count
        count += more
        if progress is not None:
            progress(count, wanted)

    return tell


def replays(work: Replay, engine: Engine, done: Callable[[int], None]) -> Evidence:
    """Evidence of all members, in their order whatever the engine's."""
    found: dict[int, Evidence] = {}
    with closing(engine.compute(work, work.blocks)) as finished:
        for block, each in finished:
            found[block] = each
            done(len(each.values))
    parts = [found[block] for block in sorted(found)]
    values, unit, spread = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "unit", "spread"))
    return replace(parts[0], values=values, unit=unit, spread=spread)


def without_twins(told: Evidence, members: int) -> Evidence:
    """Evidence of the members; rows after them replay the first ones with other luck, and say how much it matters."""
    apart = told.values[members:] - told.values[: len(told.values) - members]
    values, unit, spread = (each[:members] for each in (told.values, told.unit, told.spread))
    return Evidence(told.kinds, told.names, values, unit, spread, np.sqrt((apart**2).mean(axis=0) / 2.0))


def chosen(world: World, patterns: Sequence[str] = CALIBRATED) -> dict[str, Belief]:
    """The numbers to learn, by dotted path."""
    found = {name: belief for name, belief in beliefs(world).items() if any(fnmatchcase(name, pattern) for pattern in patterns)}
    if not found:
        raise RequestError(f"parameters {', '.join(patterns)}: none of them has a prior in this scenario")
    return found


def numbers(learned: Mapping[str, Belief], scores: np.ndarray) -> dict[str, np.ndarray]:
    """Values (member,) of each parameter from its standard normal scores (member, parameter)."""
    from scipy.special import ndtr

    return {name: belief.at(ndtr(scores[:, i].clip(-FARTHEST, FARTHEST))) for i, (name, belief) in enumerate(learned.items())}


def expected(told: Evidence, learned: Mapping[str, Belief], scores: np.ndarray, steps: int) -> np.ndarray:
    """Variance (datum,) by which one of so many steps takes surprises for luck, mean over members.

    The luck of the member, which differs from step to step, is in its surprise already and counts once in each step.
    """
    names = list(learned)
    values = numbers(learned, scores)
    spread = told.spread.copy()
    for kind, name in SPREADS.items():
        if name in names:
            spread[:, told.of(kind)] = values[name][:, None]
    return steps * (told.unit**2 * spread**2).mean(axis=0) + (steps - 1) * told.noise**2


def sizes(told: Evidence, learned: Mapping[str, Belief], seed: int, step: int) -> dict[str, np.ndarray]:
    """Scores (member,) of the spread of each kind, drawn from its distribution given the member's own surprises.

    These hold luck twice: the member's, and that of the past.
    """
    found = {}
    members = np.arange(len(told.values))
    for kind, name in SPREADS.items():
        mine = told.of(kind)
        if name not in learned or not len(mine):
            continue
        spread = numbers({name: learned[name]}, GRID[:, None])[name]
        log = np.repeat(-0.5 * GRID[None] ** 2, len(members), axis=0)
        for i in mine:
            variance = np.maximum((told.unit[:, i, None] * spread) ** 2 + 2.0 * told.noise[i] ** 2, LEAST_VARIANCE)
            log -= 0.5 * (np.log(variance) + told.values[:, i, None] ** 2 / variance)
        density = np.exp(log - log.max(axis=1, keepdims=True))
        below = (np.cumsum(density, axis=1) - 0.5 * density) / density.sum(axis=1, keepdims=True)
        luck = streams.uniform(seed, f"spread of {kind} {step}", members)
        found[name] = np.array([np.interp(u, row, GRID) for u, row in zip(luck, below, strict=True)])
    return found


def move(scores: np.ndarray, told: Evidence, variance: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """One assimilation: members follow the line that joins parameters with surprises, towards none.

    scores    (member, parameter)
    variance  (datum,) of the surprises, as large as one step may take it
    luck      (member, datum) standard normal
    returns   (member, parameter)
    """
    members = len(scores)
    parameters, data = scores - scores.mean(axis=0), told.values - told.values.mean(axis=0)
    joint = np.einsum("mp,md->pd", parameters, data) / (members - 1)
    among = np.einsum("md,me->de", data, data) / (members - 1)
    squared = joint**2 / np.maximum(parameters.var(axis=0)[:, None] * data.var(axis=0), 1e-30)
    joint = joint * squared / (squared + DOUBT / members)
    gain = np.linalg.solve(among + np.diag(variance), joint.T)
    return scores - np.einsum("md,dp->mp", told.values + np.sqrt(variance) * luck, gain)
