"""Blocks on the workers of a dask.distributed cluster: the blocks, and the bytes, that processes here would write.

How a finished block gets into the unfinished folder is chosen before any work:

- Every worker sees the folder: it writes there itself, as a process here does. Nothing but a number travels.
- Some do not: the files of the block travel through dask. A block of 100 realizations of the baseline is 36 MB, so one
  scheduler carries those of some eighty workers, and nothing needs to be set up.
- A stage is named, a place that fsspec can reach (s3://, gs://, sftp://): the files travel through that. It is for clusters
  whose scheduler is reached through a narrow tunnel, and for more workers than one scheduler can carry blocks for.

What travels is one object a block, there whole or not at all. This process alone then writes to the folder, and the results
are sealed here in all three cases.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import pickle
import platform
import queue
import threading
import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from forecast.ensemble import engines, manifest
from forecast.ensemble.carry import Carried, Shared, Stage, may_write
from forecast.ensemble.execute import Work
from forecast.ensemble.plan import engine_sha256, versions
from forecast.errors import ForecastError

PATIENCE = 300.0
"""Seconds without any worker after which a run gives up."""
LOOK = 2.0
"""Seconds without a finished block after which to look for workers."""
TOLD = 3
ENGINE = "engine"
ALONE = threading.Lock()
"""Blocks of one process are computed one after the other, however many threads it has."""


def about() -> dict[str, str]:
    """What all computers of a run must agree on; dask's versions too, whose messages differ between them."""
    from distributed import __version__

    return versions() | {"distributed": __version__, ENGINE: engine_sha256()}


class Cluster:
    """The workers of one scheduler; connects when made, and is a context manager that disconnects.

    scheduler  its address, such as tcp://10.0.0.1:8786 or, with certificates in the configuration of dask, tls://...
    stage      URL of a place through which blocks travel; see above if empty
    patience   seconds to wait for a worker when there is none

    Raises ForecastError if a package is missing, nothing answers, or a worker would not compute the same numbers.
    """

    def __init__(self, scheduler: str, stage: str = "", patience: float = PATIENCE):
        self.scheduler, self.stage, self.patience = scheduler, stage, patience
        self.client = _connected(scheduler)
        try:
            self._check_workers()
            if stage:
                self._check_stage(Stage(f"{stage.rstrip('/')}/forecast-{uuid.uuid4().hex}"))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the cluster, which goes on without us."""
        self.client.close(timeout=LOOK)

    def compute(self, work: engines.Work, blocks: Iterable[int]) -> Generator[int, None, None]:
        """Yield how many realizations were stored, for every block, as it comes.

        Blocks of a worker that dies are computed again by others.
        """
        assert isinstance(work, Work)
        with self._way(work) as way:
            for block, ticket in self._finished(Vouched(way, about()), list(blocks)):
                way.receive(block, ticket)
                place = work.plan.places(block)
                yield place.stop - place.start

    def _check_workers(self) -> None:
        """Wait for a worker; all that are there must have what is here."""
        with suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=self.patience)
        if not (threads := self.client.nthreads()):
            raise ForecastError(
                f"{self.scheduler}: has no workers, and none came in {self.patience:.0f} s; "
                f"start some with `dask worker {self.scheduler} --nthreads 1`"
            )
        here, answers = about(), self._ask(about)
        wrong = [f"{worker} {told}" for worker, found in answers.items() if (told := _differences(here, found))]
        if wrong:
            raise ForecastError(
                f"{len(wrong)} of {len(answers)} workers would not compute the same numbers: {_some(wrong)}. Give them the Python, "
                "the packages (requirements/cluster.txt) and the battery-forecast of this computer, and start them again"
            )
        if shared := [f"{worker} has {count} threads" for worker, count in threads.items() if count > 1]:
            raise ForecastError(
                f"a worker computes one block at a time, and {_some(shared)}. Start one worker for each core instead: "
                f"`dask worker {self.scheduler} --nworkers -1 --nthreads 1`"
            )

    def _ask(self, question: Any, *given: Any) -> dict[str, Any]:
        """What every worker answers, or the exception it raised; those that are gone meanwhile are left out."""
        try:
            answers = self.client.run(question, *given, on_error="return")
        except (OSError, RuntimeError, ValueError) as error:
            raise self._lost() from error
        return {worker: answer for worker, answer in sorted(answers.items()) if not _is_gone(answer)}

    @contextmanager
    def _way(self, work: Work) -> Iterator[Shared | Carried]:
        """How blocks get into the unfinished folder."""
        if self.stage:
            place = hashlib.sha256(f"{platform.node()}\0{work.partial}".encode()).hexdigest()
            stage = Stage(f"{self.stage.rstrip('/')}/forecast-{place[:16]}")
            with stage.opened():
                yield Carried(work, stage)
            return
        token = f"{uuid.uuid4().hex}.partial"
        manifest.write_bytes(work.partial / token, token.encode())
        try:
            seen = [answer is True for answer in self._ask(may_write, work.partial, token).values()]
            yield Shared(work, token) if seen and all(seen) else Carried(work, None)
        finally:
            (work.partial / token).unlink(missing_ok=True)

    def _check_stage(self, stage: Stage) -> None:
        """Whether all workers and this computer write to the same place."""
        with stage.opened():
            try:
                stage.put("question", b"asked")
            except ForecastError as error:
                wrong = [str(error)]
            else:
                answers = self._ask(stage.answer)
                wrong = [f"{worker}: {name}" for worker, name in answers.items() if isinstance(name, Exception)]
                copies = {worker: name for worker, name in answers.items() if isinstance(name, str)}
                wrong += [f"{worker} has another place of that name" for worker, name in copies.items() if stage.find(name) != b"asked"]
        if wrong:
            raise ForecastError(
                f"{self.stage}: not a place where all workers and this computer can write and read: {_some(wrong)}. "
                "Give them the package that fsspec needs for it, and access"
            )

    def _finished(self, task: Vouched, blocks: list[int]) -> Generator[tuple[int, Any], None, None]:
        """Blocks with what the task returned for them, as they come."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        wanted, breaks, seen = Wanted(self.client, pickle.dumps(task)), 0, time.monotonic()
        try:
            wanted.add(blocks)
            while wanted.futures:
                try:
                    block, future = wanted.next()
                except queue.Empty:
                    seen = self._look_for_workers(seen)
                    continue
                try:
                    ticket = future.result(timeout=self.patience)
                except KilledWorker as error:
                    breaks += 1
                    if breaks == engines.BREAKS_WITHOUT_PROGRESS:
                        raise _deadly(block) from error
                    wanted.add([block])
                except TimeoutError:  # the worker that kept it died before it was fetched; it is computed again
                    if future.status == "error":  # no: it is what the block raised
                        raise
                    wanted.expect(block, future)
                    seen = self._look_for_workers(seen)
                except (CancelledError, CommClosedError) as error:
                    raise self._lost() from error
                except (ImportError, AttributeError) as error:
                    raise _late(f"cannot load battery-forecast ({error})") from error
                else:
                    breaks, seen = 0, time.monotonic()
                    yield block, ticket
        finally:
            wanted.cancel()

    def _look_for_workers(self, seen: float) -> float:
        """When a worker was last seen; ForecastError if that is too long ago."""
        try:
            if self.client.nthreads():
                return time.monotonic()
        except (OSError, RuntimeError, ValueError) as error:
            raise self._lost() from error
        if time.monotonic() - seen > self.patience:
            raise ForecastError(
                f"{self.scheduler}: all workers are gone, and none came in {self.patience:.0f} s; what is finished is kept: "
                f"start workers with `dask worker {self.scheduler} --nthreads 1`, and the same command with --resume continues"
            )
        return seen

    def _lost(self) -> ForecastError:
        return ForecastError(
            f"{self.scheduler}: the scheduler does not answer any more; what is finished is kept: "
            "when it runs again, the same command with --resume continues"
        )


class Wanted:
    """Blocks that the workers were asked for and that have not come.

    futures  by dask's name for them: the block and its future
    """

    def __init__(self, client: Any, task: bytes):
        self.client = client
        self.futures: dict[Any, tuple[int, Any]] = {}
        self._ready = queue.SimpleQueue[Any]()
        # Workers get the task once, not with every block; as bytes, for dask would wait for ever for one that cannot load it.
        self._task = client.submit(bytes, task, key=f"forecast-task-{uuid.uuid4().hex}")

    def add(self, blocks: list[int]) -> None:
        """Ask for blocks."""

        def computed(task: bytes, block: int) -> Any:  # in here it travels whole, so that the scheduler needs none of our packages
            return pickle.loads(task)(block)

        futures = self.client.map(computed, [self._task] * len(blocks), blocks, key="forecast-block", pure=False)
        for block, future in zip(blocks, futures, strict=True):
            self.expect(block, future)

    def expect(self, block: int, future: Any) -> None:
        """Have ``next`` return it when it is done."""
        self.futures[future.key] = block, future
        future.add_done_callback(self._ready.put)

    def next(self) -> tuple[int, Any]:
        """A block that is done, or failed, with its future. Raises queue.Empty if none is for a while."""
        return self.futures.pop(self._ready.get(timeout=LOOK).key)

    def cancel(self) -> None:
        """Ask for no more."""
        if self.client.status == "running":
            self.client.cancel([future for _, future in self.futures.values()])


def _connected(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ForecastError(
            "a cluster needs packages that are not installed here: `pip install -r requirements/cluster.txt` "
            "in the source tree, or `pip install 'battery-forecast[cluster]'`; the workers need them too"
        ) from error
    for name in ("distributed.client", "asyncio"):  # they tell of every worker that dies, with tracebacks
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with ThreadPoolExecutor(1) as apart:  # this thread may have a loop of its own, as in a notebook
            apart.submit(asyncio.run, _reached(scheduler)).result()
        return Client(scheduler, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        raise ForecastError(
            f"{scheduler}: no dask scheduler answers: {str(error) or 'what is there is none'}. "
            "Start one with `dask scheduler`, and name the address that it prints"
        ) from error


async def _reached(scheduler: str) -> None:
    """Shake hands once: a client of dask would wait for ever for a server of another kind."""
    import dask
    from dask.utils import parse_timedelta
    from distributed import Security
    from distributed.comm import connect

    limit = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    access = Security().get_connection_args("client")
    # Dask's own limit has the better message, where it holds.
    comm = await asyncio.wait_for(connect(scheduler, timeout=limit, **access), limit + LOOK)
    await comm.close()


def _deadly(block: int) -> ForecastError:
    return ForecastError(
        f"block {block} killed every worker that computed it, perhaps for lack of memory; what is finished is kept: "
        "the same command with --resume continues, on workers with more memory"
    )


def _late(told: str) -> ForecastError:
    return ForecastError(
        f"a worker that came later than the others {told}. Stop it; what is finished is kept, and the same command with --resume continues"
    )


def _is_gone(answer: Any) -> bool:
    from distributed.comm import CommClosedError

    return isinstance(answer, CommClosedError)


def _some(told: list[str]) -> str:
    return "; ".join(told[:TOLD]) + (f"; and {len(told) - TOLD} more" if len(told) > TOLD else "")


def _differences(here: dict[str, str], there: Any) -> str:
    """What a worker has otherwise; empty if nothing."""
    if isinstance(there, Exception):
        return f"cannot load battery-forecast ({there})"
    differing = [name for name in here if there.get(name) != here[name]]
    told = ["other code of battery-forecast" if n == ENGINE else f"{n} {there.get(n)} instead of {here[n]}" for n in differing]
    return f"has {', '.join(told)}" if told else ""


@dataclass(frozen=True)
class Vouched:
    """Work that is refused where it would give other numbers: a worker may come late, when nobody asks it."""

    way: Shared | Carried
    wanted: dict[str, str]

    def __call__(self, block: int) -> Any:
        if told := _differences(self.wanted, about()):
            raise _late(f"on {platform.node()} {told}")
        with ALONE:
            return self.way(block)
