"""Run an ensemble: blocks of realizations on an engine, each stored when done, the whole put in place at the end.

What is interrupted, killed or failing loses nothing that was finished: an unfinished folder is continued by ``resume``.
"""

from __future__ import annotations

import errno
import functools
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import forecast.special  # noqa: F401  what draws need of it is loaded fastest before there are threads
from forecast import loading
from forecast.ensemble import compiling, manifest, space, store
from forecast.ensemble.engines import Engine, Processes, Serial
from forecast.ensemble.plan import Plan
from forecast.errors import ForecastError, Interrupted, LockedError, RealizationError, RequestError, StoreError, WriteError
from forecast.stopping import stoppable

if TYPE_CHECKING:
    from forecast.ensemble.posterior import Posterior

TOLD = 20
Simulate = Callable[[Any, int, np.ndarray, bool], dict[str, np.ndarray]]
"""(world, seed, numbers of realizations, monthly) -> arrays, realization first."""
Computed = tuple[dict[str, np.ndarray], list[dict[str, Any]]]
"""What was recorded in the realizations of a block, and those that failed."""
Progress = Callable[[int, int], None]
"""Called with the realizations done and those wanted."""
Finish = Callable[[Path, Any], None]
"""Called with the folder and the results before it is sealed; may add files."""


def simulate_block(
    world: Any, seed: int, realizations: np.ndarray, monthly: bool, posterior: Posterior | None = None
) -> dict[str, np.ndarray]:
    """Draw the parameters of some realizations, from the posterior what it holds, and simulate them side by side."""
    shorter = world.model_copy(update={"observed_until": world.first_year, "last_year": world.first_year + 1})
    compiling.once(lambda: _play(shorter, seed, realizations[:1], monthly, posterior), copies=loading.copies(cores()))
    return _play(world, seed, realizations, monthly, posterior)


def _play(world: Any, seed: int, realizations: np.ndarray, monthly: bool, posterior: Posterior | None) -> dict[str, np.ndarray]:
    from forecast.ensemble.design import draw
    from forecast.model.world import simulate

    given = posterior.deal(world, seed, realizations) if posterior else None
    return simulate(draw(world, seed, realizations, given), seed, realizations, monthly=monthly)


@dataclass(frozen=True)
class Work:
    """What a worker does with a block: simulate it and store it; returns only how many realizations that were."""

    partial: Path
    plan: Plan
    simulate: Simulate

    def __call__(self, block: int) -> int:
        self.write(block, self.computed(block))
        return _size(self.plan, block)

    def write(self, block: int, computed: Computed) -> None:
        """Store a block."""
        store.write_block(self.partial, self.plan, block, *computed)

    def computed(self, block: int) -> Computed:
        """Simulate a block."""
        numbers = self.plan.numbers[self.plan.places(block)]
        try:
            return self.simulate(self.plan.world, self.plan.seed, numbers, self.plan.monthly), []
        except Exception:  # noqa: BLE001 - whatever a realization raises, the others are kept
            return self._one_by_one(numbers)

    def _one_by_one(self, numbers: np.ndarray) -> Computed:
        """The block again, each realization alone, to find the one that fails."""
        rows, failed = [], []
        for number in numbers:
            try:
                rows.append(self.simulate(self.plan.world, self.plan.seed, np.array([number]), self.plan.monthly))
            except Exception as error:  # noqa: BLE001 - as above
                failed.append({"realization": int(number), "seed": self.plan.seed, "error": f"{type(error).__name__}: {error}"})
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]} if rows else {}, failed


def failure_message(failed: list[dict[str, Any]], realizations: int, folder: Path | None = None) -> str:
    """Which realizations failed, why, and how to see one of them fail alone.

    folder  with the results of the others; None if there are none
    """
    shown = [f"  realization {f['realization']}, seed {f['seed']}: {f['error']}" for f in failed[:TOLD]]
    more = [f"  and {len(failed) - TOLD} more"] if len(failed) > TOLD else []
    one = f"--first {failed[0]['realization']} --realizations 1"
    again = f"the same command with {one}"
    if folder is not None:
        place = folder.with_name(f"{folder.name}-realization-{failed[0]['realization']}")
        scenario, output = (shlex.quote(str(path)) for path in (folder / store.SCENARIO, place))
        again = f"forecast run {scenario} --seed {failed[0]['seed']} {one} --output {output}"
    return "\n".join([f"{len(failed)} of {realizations} realizations failed:", *shown, *more, f"one of them alone: {again}"])


@dataclass(frozen=True)
class Outcome:
    """Where the results are and how it went.

    failed  realizations that could not be computed: realization, seed, error
    """

    folder: Path
    realizations: int
    failed: list[dict[str, Any]]
    seconds: float
    computed: int


def run(
    plan: Plan,
    folder: str | Path,
    *,
    workers: int | None = None,
    engine: Engine | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    finish: Finish | None = None,
    meanwhile: Callable[[], object] | None = None,
    simulate: Simulate | None = None,
    more: int = 0,
) -> Outcome:
    """Compute an ensemble and put it into ``folder``; nothing is there before all of it is.

    workers   processes; all cores if None. One works in this process
    resume    continue an unfinished run of the same plan
    force     replace older results, once the new ones are whole, or an unfinished run
    meanwhile done while other processes compute: gets ready for ``finish``
    simulate  ``simulate_block`` with the posterior of the plan if None
    more      bytes that ``finish`` adds to the results and their summary

    Raises ForecastError before any work if the folder exists, cannot be written or surely does not fit, LockedError if another
    run writes to it, Interrupted on SIGINT or SIGTERM, RealizationError if nothing could be computed.
    """
    began = time.time()
    folder = Path(os.path.abspath(folder))
    if not folder.name or folder.suffix == ".partial":
        raise RequestError(f"{folder}: must be a folder within another, and no name of an unfinished run (.partial)")
    if workers is not None and workers < 1:
        raise RequestError(f"workers: {workers}; must be at least 1")
    if resume and not force and _sealed_as(folder, plan):  # nothing needs to be written, so it may be where nothing can be
        return _finished(folder, plan)
    partial = folder.with_name(f"{folder.name}.partial")
    kept = f"interrupted; what is finished is kept in {partial}: the same command with --resume continues"
    with locked(folder), stoppable(kept):
        try:
            manifest.bring_back(folder)
            if (earlier := _already_there(plan, folder, partial, resume, force)) is not None:
                return earlier
            done = _begin(plan, folder, partial, resume, force, more)
            computed = plan.realizations - sum(_size(plan, block) for block in done)
            chosen = engine or _engine(workers or cores(), len(plan.blocks) - len(done), meanwhile)
            work = Work(partial, plan, simulate or functools.partial(simulate_block, posterior=plan.posterior))
            _compute(chosen, work, plan, done, progress)
            return _complete(plan, folder, partial, finish, began, computed, force)
        except KeyboardInterrupt:
            raise Interrupted(kept) from None
        except WriteError as error:
            raise space.with_need(error, folder.parent, space.bytes_of(plan) + more) from error
        except OSError as error:
            raise space.with_need(manifest.cannot_write(partial, error), folder.parent, space.bytes_of(plan) + more) from error


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(plan: Plan, block: int) -> int:
    place = plan.places(block)
    return place.stop - place.start


def _engine(workers: int, blocks: int, meanwhile: Callable[[], object] | None) -> Engine:
    """Processes, also for one block if a copy of this one can compute it meanwhile."""
    wanted = min(workers, blocks)
    alone = wanted <= 1 and not (blocks and meanwhile and loading.copies(workers))
    return Serial() if alone else Processes(wanted, meanwhile)


def _already_there(plan: Plan, folder: Path, partial: Path, resume: bool, force: bool) -> Outcome | None:
    """The outcome of an earlier run if there is nothing left to do; an error if something is in the way."""
    waits = resume and _sealed_as(partial, plan)  # it was killed before its results were in place
    if resume and not force and _sealed_as(folder, plan):
        if waits:
            manifest.discard(partial)
        return _finished(folder, plan)
    if waits:
        store.publish(partial, folder, force)
        return _finished(folder, plan)
    store.refuse_existing(folder, force)
    return None


def _finished(folder: Path, plan: Plan) -> Outcome:
    content = manifest.read(folder)
    for problem in store.seen_at_once(folder, content["files"]):
        raise StoreError(f"{problem}; --force computes it again")
    return Outcome(folder, plan.realizations, content["failed"], 0.0, 0)


def _sealed_as(folder: Path, plan: Plan) -> bool:
    try:
        return manifest.read(folder)["run"] == plan.identity()
    except StoreError:
        return False


def _begin(plan: Plan, folder: Path, partial: Path, resume: bool, force: bool, more: int) -> dict[int, dict[str, Any]]:
    """Make or take up the unfinished folder; returns the receipts of blocks that need no more work."""
    if partial.exists() and not (resume and store.hardly_begun(partial)):
        if resume:
            _same_run(plan, partial)
            done = {block: receipt for block, receipt in store.receipts(partial).items() if not receipt["failed"]}
            space.refuse_if_short(folder.parent, space.bytes_of(plan, plan.blocks - done.keys()) + more)
            return done
        if not force:
            raise ForecastError(
                f"{partial}: an unfinished run with {len(store.receipts(partial))} of its blocks done; "
                "--resume continues it, --force starts again"
            )
    space.refuse_if_short(folder.parent, space.bytes_of(plan) + more, freed=partial)
    store.create(partial, plan)
    return {}


def _same_run(plan: Plan, partial: Path) -> None:
    before, now = store.plan_of(partial), plan.identity()
    if before is None:
        raise ForecastError(f"{partial}: cannot be continued, its plan is missing or damaged; --force starts again")
    if differing := [key for key in now if before.get(key) != now[key]]:
        told = ", ".join(f"{key} was {before.get(key)}, now {now[key]}" for key in differing)
        raise ForecastError(f"{partial}: cannot be continued, it is another run: {told}; --force starts again")


def _compute(engine: Engine, work: Work, plan: Plan, done: dict[int, Any], progress: Progress | None) -> None:
    count = sum(_size(plan, block) for block in done)
    report = progress or (lambda done, wanted: None)
    report(count, plan.realizations)
    with closing(engine.compute(work, [block for block in plan.blocks if block not in done])) as finished:
        for realizations in finished:
            count += realizations
            report(count, plan.realizations)


def _complete(plan: Plan, folder: Path, partial: Path, finish: Finish | None, began: float, computed: int, force: bool) -> Outcome:
    """Sum up, seal and put in place."""
    done = store.receipts(partial)
    if lost := [block for block in plan.blocks if block not in done]:
        raise StoreError(f"{partial}: blocks {lost[:5]} were written and have changed since; --resume computes them again")
    failed = store.failures(done)
    if len(failed) == plan.realizations:
        manifest.discard(partial)
        raise RealizationError(failure_message(failed, plan.realizations))
    if finish is not None:
        finish(partial, store.open_arrays(partial, store.files_of(partial, done), failed))
    seconds = round(time.time() - began, 3)
    clock = {"began": _clock(began), "ended": _clock(time.time()), "seconds": seconds, "computed": computed}
    manifest.write_bytes(partial / manifest.SIDECAR, manifest.sealed(clock))
    store.seal(partial, plan, done)
    store.publish(partial, folder, force)
    return Outcome(folder, plan.realizations, failed, seconds, computed)


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@contextmanager
def locked(folder: Path, needed: bool = True) -> Iterator[None]:
    """Keep the place of a folder to ourselves; creates the folder above it. Unless needed, go on where nobody can keep it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        if not os.path.exists(lock.lock_file) and needed:  # where no file can be made it waits as for one that is locked
            raise manifest.cannot_write(folder, OSError(errno.ENOENT, "no file can be made there")) from None
        if os.path.exists(lock.lock_file):
            raise LockedError(f"{folder}: another run is writing there") from None
    except OSError as error:
        if needed:
            raise manifest.cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()
