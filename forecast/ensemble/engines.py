"""Where blocks are computed: in this process or in several. An engine takes work and yields what comes back, in any order."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from forecast import loading
from forecast.errors import ForecastError

if TYPE_CHECKING:
    from concurrent.futures import Future
    from queue import SimpleQueue

BREAKS_WITHOUT_PROGRESS = 3
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "BLIS_NUM_THREADS")}

Work = Callable[[int], Any]


class Engine(Protocol):
    """Anything that can compute blocks: a process pool here, a cluster elsewhere.

    ``work`` can be pickled and stores its result itself; what it returns is small.
    """

    def compute(self, work: Work, blocks: Iterable[int]) -> Generator[Any, None, None]:
        """Yield what ``work`` returns for every block, as it comes."""
        ...


class Serial:
    """All blocks in this process, one after the other."""

    def compute(self, work: Work, blocks: Iterable[int]) -> Generator[Any, None, None]:
        """Yield what ``work`` returns for every block, in order."""
        yield from map(work, blocks)


class Processes:
    """Blocks in worker processes; the blocks of a worker that dies are computed again by new workers.

    Workers are copies of this process where it may make some: what it has loaded they need not load.
    meanwhile  done here once they are at work
    """

    def __init__(self, workers: int, meanwhile: Callable[[], object] | None = None):
        self.workers, self.meanwhile = workers, meanwhile

    def compute(self, work: Work, blocks: Iterable[int]) -> Generator[Any, None, None]:
        """Yield what ``work`` returns for every block, as it comes."""
        from concurrent.futures.process import BrokenProcessPool

        missing, breaks = set(blocks), 0
        while missing:
            try:
                with closing(self._pool(work, sorted(missing))) as finished:
                    for block, result in finished:
                        missing.discard(block)
                        breaks = 0
                        yield result
            except BrokenProcessPool as error:
                breaks += 1
                if breaks == BREAKS_WITHOUT_PROGRESS:
                    raise ForecastError(
                        f"worker processes died {breaks} times in a row without finishing a block, perhaps for lack of memory; "
                        "try fewer --workers or a smaller --block"
                    ) from error

    def _pool(self, work: Work, blocks: list[int]) -> Generator[tuple[int, Any], None, None]:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from queue import SimpleQueue

        context = multiprocessing.get_context("fork" if loading.may_copy() else "spawn")
        workers = min(self.workers, len(blocks))
        pool = ProcessPoolExecutor(workers, context, _begin, (work, workers))
        ended: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        try:
            with _quiet_start(), nullcontext() if loading.may_copy() else _without_script(work):
                for block in blocks:
                    pool.submit(_work, block).add_done_callback(partial(_tell, ended, block))
            if self.meanwhile is not None:
                self.meanwhile()
            for _ in blocks:
                # A signal that interrupts us here leaves no lock taken: what a future is locked by, the pool's own thread needs.
                block, result, error = ended.get()
                if error is not None:
                    raise error
                yield block, result
        except BaseException:
            _stop(pool)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start processes that use one thread each and leave Ctrl-C to the parent; a signal that comes meanwhile waits."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of copies made beside threads: they use none of theirs
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def _without_script(work: Work) -> Iterator[None]:
    """Start processes that do not run again the script that is running, unless the work is defined in it.

    A new process would run all of it to know what is defined there, come to where processes are started, and wait for ever.
    """
    script = sys.modules["__main__"]
    if b"__main__" in pickle.dumps(work):
        yield
        return
    hidden: dict[str, Any] = {name: vars(script)[name] for name in ("__file__", "__spec__") if name in vars(script)}
    try:
        vars(script).pop("__file__", None)
        script.__spec__ = None
        yield
    finally:
        vars(script).update(hidden)


def _tell(ended: SimpleQueue[tuple[int, Any, BaseException | None]], block: int, future: Future[Any]) -> None:
    """Say how a block ended; called by the thread of the pool."""
    if not future.cancelled():
        error = future.exception()
        ended.put((block, None if error else future.result(), error))


def _stop(pool: Any) -> None:
    """End the workers of a pool now, whatever they are doing."""
    for process in list((pool._processes or {}).values()):
        with suppress(OSError, ValueError):
            process.kill()


_task: Work | None = None


def _begin(work: Work, workers: int) -> None:
    """Prepare one of some workers: remember the work, and die with the parent."""
    import multiprocessing

    global _task
    _task = work
    loading.lightly(workers=workers)
    if "fork" in multiprocessing.get_all_start_methods():
        # Locks that libraries make for themselves then have no name that outlives a killed worker.
        multiprocessing.set_start_method("fork", force=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    import multiprocessing
    from multiprocessing.connection import wait

    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(block: int) -> Any:
    assert _task is not None
    return _task(block)
