"""Where the time of a block goes, by file of the model; and drawing, births, the clock, writing and summing up.

The block is one as runs play most: by year, and not the first of a process, which meets all of its memory for the first time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.play import Stage, play

KERNELS = "choice"
RECORD = "market, written down every month"
DRAWN, BORN, CLOCK, WRITTEN, SUMMED = "drawing parameters", "birth of agents", "simpy", "writing to the disk", "summing up"
UNWATCHED = "all but the last two, measured at once"


class Timed:
    """A process of simpy whose own time is counted."""

    def __init__(self, generator, clock, name):
        self.generator, self.clock, self.name = generator, clock, name

    def __iter__(self):
        value = None
        while True:
            began = time.process_time()
            try:
                event = self.generator.send(value)
            except StopIteration:
                return
            finally:
                self.clock[self.name] += time.process_time() - began
            value = yield event


@contextmanager
def counted(clock: Counter[str]) -> Iterator[None]:
    """Count the time of agents, of compiled functions that they call, and of the clock as a whole."""

    def process(stage, generator):
        known = generator.gi_frame.f_locals
        name = type(known["self"]).__module__.rpartition(".")[2] if "self" in known else RECORD
        stage.cast.append(iter(Timed(generator, clock, name)))

    run = Stage.run

    def whole(stage, until=None):
        began = time.process_time()
        run(stage, until)
        clock[CLOCK] += time.process_time() - began

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Stage, "process", process))
        stack.enter_context(mock.patch.object(Stage, "run", whole))
        for module, name, kernel in compiled():
            stack.enter_context(mock.patch.object(module, name, watched(kernel, clock)))
        yield


def compiled() -> list[tuple[Any, str, Callable]]:
    """The kernels of choice, wherever the model knows them."""
    from forecast.model import choice

    modules = [module for name, module in sys.modules.items() if name.startswith("forecast.model.")]
    known = [(module, name, found) for module in modules for name, found in vars(module).items() if hasattr(found, "py_func")]
    return [(module, name, found) for module, name, found in known if found.py_func.__module__ == choice.__name__]


def watched(kernel: Callable, clock: Counter[str]) -> Callable:
    """The kernel, its time counted; what it was compiled for it must know before."""

    def call(*arguments):
        began = time.process_time()
        found = kernel(*arguments)
        clock[KERNELS] += time.process_time() - began
        return found

    return call


def block(size: int, buyers: int) -> dict[str, Any]:
    """One block of the baseline on one core: milliseconds a realization of every part, and of all that is played, unwatched."""
    from forecast.assess.summary import summarise
    from forecast.ensemble import store
    from forecast.ensemble.design import draw
    from forecast.ensemble.execute import simulate_block
    from forecast.ensemble.plan import Plan
    from forecast.scenario import dump, load

    scenario, numbers = load("baseline", [f"buyers.number={buyers}"]), np.arange(size)
    clock: Counter[str] = Counter()
    plan = Plan("baseline", scenario.world, dump(scenario), 1, size, size)
    with tempfile.TemporaryDirectory() as folder:
        partial = Path(folder) / "block.partial"
        store.create(partial, plan)
        store.write_block(partial, plan, 0, simulate_block(scenario.world, 1, numbers, False), [])
        summarise(store.open_arrays(partial, store.files_of(partial, store.receipts(partial)), []))
        arrays = spent(UNWATCHED, clock, lambda: simulate_block(scenario.world, 1, numbers, False))
        spent(WRITTEN, clock, lambda: store.write_block(partial, plan, 0, arrays, []))
        results = store.open_arrays(partial, store.files_of(partial, store.receipts(partial)), [])
        spent(SUMMED, clock, lambda: summarise(results))
    drawn = spent(DRAWN, clock, lambda: draw(scenario.world, 1, numbers))
    with counted(clock):
        spent("play", clock, lambda: play(drawn, 1, numbers, monthly=False))
    unwatched = {"what": UNWATCHED, "share": None, "milliseconds": 1000 * clock.pop(UNWATCHED) / size}
    return {"size": size, "buyers": buyers, "parts": [*parts(clock, size), unwatched]}


def spent(name: str, clock: Counter[str], act: Callable[[], Any]) -> Any:
    """Do it and count its time."""
    began = time.process_time()
    found = act()
    clock[name] += time.process_time() - began
    return found


def parts(clock: Counter[str], size: int) -> list[dict[str, Any]]:
    """Parts that add up to the whole work of a block; share of it and milliseconds a realization.

    clock  seconds of each file of the model, those of buyers with choice, which is within; of the clock with all of these;
           of the play with the clock; of the rest
    """
    found = Counter(clock)
    acted = sum(seconds for name, seconds in clock.items() if name not in ("play", CLOCK, KERNELS, DRAWN, WRITTEN, SUMMED))
    found["buyers"] -= clock[KERNELS]
    found[BORN] = found.pop("play") - clock[CLOCK]
    found[CLOCK] -= acted
    whole = found.total()
    last = [(name, found.pop(name)) for name in (WRITTEN, SUMMED)]
    told = [*found.most_common(), *last]
    return [{"what": name, "share": seconds / whole, "milliseconds": 1000 * seconds / size} for name, seconds in told]
