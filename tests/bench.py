"""How fast it is on this machine: ``make bench``, or ``python tests/bench.py --quick`` for a tenth of the work."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

QUICK = "--quick" in sys.argv
REALIZATIONS, BUYERS, REPEATS = (10, 10_000, 1) if QUICK else (100, 100_000, 3)
FORECAST = [sys.executable, "-m", "forecast"]


def seconds(act, repeats=REPEATS):
    """Median wall-clock time."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def command(*words):
    """A whole process."""
    return lambda: subprocess.run([*FORECAST, *words], cwd=ROOT, check=True, capture_output=True)


def whole_processes(folder):
    """Commands as a user meets them, compiled kernels in their cache."""
    size = ["--realizations", str(REALIZATIONS), "--set", f"buyers.number={BUYERS}", "--workers", "2", "--no-pictures", "--force"]
    command("run", "baseline", "--realizations", "1", "--no-pictures", "--output", f"{folder}/warm")()
    run = seconds(command("run", "baseline", *size, "--output", f"{folder}/run"))
    yield f"forecast run baseline, {REALIZATIONS} realizations, {BUYERS:,} buyers, 2 workers", f"{run:.2f} s"
    yield "the same, realizations a second", f"{REALIZATIONS / run:.1f}"
    yield "forecast --help", f"{seconds(command('--help')):.2f} s"
    yield "forecast validate baseline", f"{seconds(command('validate', 'baseline')):.2f} s"


class Timed:
    """A process of simpy whose own time is counted."""

    def __init__(self, generator, clock, name):
        self.generator, self.clock, self.name = generator, clock, name

    def __iter__(self):
        value = None
        while True:
            began = time.perf_counter()
            try:
                event = self.generator.send(value)
            except StopIteration:
                return
            finally:
                self.clock[self.name] += time.perf_counter() - began
            value = yield event


def simulations(world, realizations):
    """One block in this process, and the share of each agent in its time."""
    from forecast.ensemble.design import draw
    from forecast.model.world import simulate
    from tests.play import Stage, play

    one = draw(world, 1, np.arange(1))
    simulate(one, 1, np.arange(1))
    yield "one realization, simulated in this process", f"{seconds(lambda: simulate(one, 1, np.arange(1))):.2f} s"
    drawn, numbers = draw(world, 1, realizations), realizations
    whole = seconds(lambda: simulate(drawn, 1, numbers), 1)
    yield f"a block of {len(numbers)} realizations, one core", f"{whole:.2f} s, {1000 * whole / len(numbers):.0f} ms a realization"
    clock: Counter[str] = Counter()

    def timed(stage, generator):
        known = generator.gi_frame.f_locals
        stage.agents[type(known["self"]).__name__ if "self" in known else "record"] = known.get("self")
        stage.cast.append(iter(Timed(generator, clock, type(known["self"]).__name__ if "self" in known else "record")))

    usual, Stage.process = Stage.process, timed
    try:
        began = time.perf_counter()
        play(drawn, 1, numbers)
        total = time.perf_counter() - began
    finally:
        Stage.process = usual
    for name, own in [*clock.most_common(), ("birth of agents and clock", total - clock.total())]:
        yield f"  {name}", f"{100 * own / total:.0f} %"


def small_worlds():
    """The worlds of the tests."""
    from tests.play import simulated
    from tests.small_world import lively_world

    for last, label in ((2016, "two years"), (2020, "six years")):
        world = lively_world(last_year=last)
        simulated(world, realizations=[0])
        yield f"lively test world, one realization, {label}", f"{1000 * seconds(lambda w=world: simulated(w, realizations=[0]), 5):.0f} ms"


def choices():
    """The compiled kernel, and what it is measured against in the same run."""
    from tests import twins

    crowd = twins.crowd_of(buyers=BUYERS, cells=55, worlds=4, chemistries=7)
    all_due, some_due = crowd.due.copy(), crowd.due.copy()
    all_due[...], some_due[...] = 7, np.random.default_rng(1).integers(0, 144, crowd.due.shape)
    shop = twins.shopping(crowd, 7)
    crowd.due[...] = all_due
    shop()
    many = seconds(shop, 5)
    yield "choice kernel, everybody due", f"{1e9 * many / all_due.size:.0f} ns a choice"
    plain = seconds(lambda: twins.wishes(crowd, 7), 1)
    yield "plain numpy twin over compiled kernel", f"{plain / many:.0f} times the time"
    crowd.due[...] = some_due
    few = seconds(shop, 5)
    due = (some_due == 7).sum()
    yield f"choice kernel, one in {some_due.size / due:.0f} due", f"{1e9 * few / due:.0f} ns a choice"
    yield "everybody every month over those due only", f"{many / few:.0f} times the time"


def main():
    """Print the table."""
    from forecast.scenario import load

    table = Table("what", "measured", title="quick look: a tenth of the work" if QUICK else None)
    with tempfile.TemporaryDirectory() as folder:
        parts = (
            lambda: whole_processes(folder),
            lambda: simulations(load("baseline", [f"buyers.number={BUYERS}"]).world, np.arange(REALIZATIONS // 4)),
            small_worlds,
            choices,
        )
        for part in parts:
            for row in part():
                table.add_row(*row)
            table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
