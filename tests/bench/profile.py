"""Where the time of a block goes: agents, compiled kernels, the clock, drawing, recording, writing, summing up."""

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

KERNELS = "choice, in compiled kernels"
PARTS = {
    "Shoppers": "other work of buyers",
    **dict.fromkeys(("Manufacturers", "Plants", "Programmes", "Suppliers"), "makers, plants, programmes and suppliers"),
    **dict.fromkeys(("Mines", "LithiumMarket", "Minerals", "Recyclers"), "mines, lithium, minerals and recyclers"),
    **dict.fromkeys(("SegmentDemand", "Policy", "Record"), "demand, policy and the record of the past"),
    "keep_record": "writing down every month",
}


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
        name = type(known["self"]).__name__ if "self" in known else generator.__name__
        stage.agents[name] = known.get("self")
        stage.cast.append(iter(Timed(generator, clock, name)))

    run = Stage.run

    def whole(stage, until=None):
        began = time.process_time()
        run(stage, until)
        clock["clock"] += time.process_time() - began

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
    """One block of the baseline on one core: milliseconds a realization of every part, and of its choices in nanoseconds."""
    from forecast.assess.summary import summarise
    from forecast.ensemble import store
    from forecast.ensemble.design import draw
    from forecast.ensemble.execute import simulate_block
    from forecast.ensemble.plan import Plan
    from forecast.scenario import dump, load

    scenario, numbers = load("baseline", [f"buyers.number={buyers}"]), np.arange(size)
    simulate_block(scenario.world, 1, np.arange(2), False)
    clock: Counter[str] = Counter()
    drawn = spent("draw", clock, lambda: draw(scenario.world, 1, numbers))
    with counted(clock):
        spent("play", clock, lambda: play(drawn, 1, numbers))
    arrays = simulate_block(scenario.world, 1, numbers, False)
    plan = Plan("baseline", scenario.world, dump(scenario), 1, size, size)
    with tempfile.TemporaryDirectory() as folder:
        partial = Path(folder) / "block.partial"
        store.create(partial, plan)
        spent("write", clock, lambda: store.write_block(partial, plan, 0, arrays, []))
        results = store.open_arrays(partial, store.files_of(partial, store.receipts(partial)), [])
        spent("sum up", clock, lambda: summarise(results))
    return {"size": size, "buyers": buyers, "parts": parts(clock, size)}


def spent(name: str, clock: Counter[str], act: Callable[[], Any]) -> Any:
    """Do it and count its time."""
    began = time.process_time()
    found = act()
    clock[name] += time.process_time() - began
    return found


def parts(clock: Counter[str], size: int) -> list[dict[str, Any]]:
    """Parts that add up to the whole work of a block; share of it and milliseconds a realization."""
    agents = {name: seconds for name, seconds in clock.items() if name not in ("draw", "play", "write", "sum up", "clock", KERNELS)}
    found: Counter[str] = Counter({KERNELS: clock[KERNELS], "drawing parameters": clock["draw"], "writing to the disk": clock["write"]})
    for name, seconds in agents.items():
        found[PARTS.get(name, "other agents")] += seconds
    found[PARTS["Shoppers"]] -= clock[KERNELS]
    found["simpy"] = clock["clock"] - sum(agents.values())
    found["birth of agents"] = clock["play"] - clock["clock"]
    found["summing up"] = clock["sum up"]
    whole = found.total()
    return [{"what": name, "share": seconds / whole, "milliseconds": 1000 * seconds / size} for name, seconds in found.most_common()]
