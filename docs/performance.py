"""Write performance.md: how long forecasts take and how much memory, measured now on this machine (`make performance`).

    python docs/performance.py
"""

from __future__ import annotations

import cProfile
import itertools
import json
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from string import Template
from typing import Any

import matplotlib.figure
import numpy as np
from behaviour import save, table
from rich.progress import track

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "pictures" / "performance.png"
WORKERS = 2
WHOLE = ((1000, 100_000, 20.0), (1000, 10_000, 5.0), (1, 1_000_000, None), (100, 100_000, None))
"""Realizations, buyers, and the seconds aimed at."""
BUYERS = ((16, 1_000), (16, 10_000), (16, 100_000), (16, 1_000_000))
REALIZATIONS = ((1, 10_000), (10, 10_000), (100, 10_000), (1000, 10_000), (10_000, 10_000))
PROFILED = 80
CHILD = """
import json, resource, sys
from forecast.cli import status
code = status(sys.argv[1:])
main, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({"code": code, "main": main.ru_maxrss / 1024, "worker": workers.ru_maxrss / 1024}))
"""


def measured(realizations: int, buyers: int, folder: str, **environment: str) -> dict[str, Any]:
    """Seconds and memory (MB) of one run as a process of its own."""
    words = ["run", "baseline", "-n", str(realizations), "--set", f"buyers.number={buyers}", "--workers", str(WORKERS)]
    words += ["--no-pictures", "--force", "--output", f"{folder}/run"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    )
    seconds = time.perf_counter() - began
    return {"realizations": realizations, "buyers": buyers, "seconds": seconds} | json.loads(done.stdout.splitlines()[-1])


def whole(rows: list[dict[str, Any]]) -> str:
    """The runs that people ask about."""
    head = ("realizations", "buyers", "seconds", "realizations a second", "MB, main", "MB, worker")
    body = [
        (
            f"{row['realizations']:,}", f"{row['buyers']:,}", f"{row['seconds']:.1f}", f"{row['realizations'] / row['seconds']:.1f}",
            f"{row['main']:.0f}", f"{row['worker']:.0f}" if row["realizations"] > 1 else "-",
        )
        for row in rows
    ]  # fmt: skip
    return table(head, body)


def missed(rows: list[dict[str, Any]]) -> str:
    """How far from what was aimed at."""
    told = [
        f"{row['realizations']:,} realizations of {row['buyers']:,} buyers take {row['seconds'] / goal:.1f} times that"
        for row, (*_, goal) in zip(rows, WHOLE, strict=True)
        if goal and row["seconds"] > goal
    ]
    return f"{'; '.join(told)}." if told else "both are reached."


def slope(rows: list[dict[str, Any]], name: str) -> list[tuple[str, str, str]]:
    """Seconds beyond those of the smallest run, and the exponent with which they grow from one to the next."""
    found, least = [], rows[0]["seconds"]
    for before, row in itertools.pairwise(rows):
        now, then = row["seconds"] - least, before["seconds"] - least
        power = f"{np.log(now / then) / np.log(row[name] / before[name]):.2f}" if min(now, then) > 0 else "-"
        found.append((f"{row['realizations']:,} x {row['buyers']:,}", f"{now:.1f}", power))
    return found


def picture(by_buyers: list[dict[str, Any]], by_realizations: list[dict[str, Any]]) -> None:
    """Time by buyers and by realizations, logarithmic."""
    figure = matplotlib.figure.Figure(figsize=(8, 3.2), layout="constrained")
    for axes, rows, name in zip(figure.subplots(1, 2), (by_buyers, by_realizations), ("buyers", "realizations"), strict=True):
        other = "realizations" if name == "buyers" else "buyers"
        axes.loglog([row[name] for row in rows], [row["seconds"] for row in rows], "o-")
        axes.set(xlabel=f"{name}, {rows[0][other]:,} {other}", ylabel="seconds" if name == "buyers" else "")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, PICTURE)


def profile() -> tuple[str, int]:
    """Shares of one block by who takes the time, and visits a realization."""
    from forecast.ensemble.design import draw
    from forecast.model import choice
    from forecast.model.world import simulate
    from forecast.scenario import load

    scenario, numbers, visits = load("baseline"), np.arange(PROFILED), 0
    assert scenario.posterior is not None
    drawn = draw(scenario.world, 1, numbers, scenario.posterior.deal(scenario.world, 1, numbers))
    simulate(drawn, 1, numbers)
    usual = choice.shop

    def counted(month: int, *given: Any) -> None:
        nonlocal visits
        usual(month, *given)
        visits += int(given[4][:, -1].sum())

    choice.shop = counted
    profiler = cProfile.Profile(time.process_time)
    try:
        profiler.runcall(simulate, drawn, 1, numbers)
    finally:
        choice.shop = usual
    seconds: Counter[str] = Counter()
    stats: Any = pstats.Stats(profiler)
    for (file, _, function), (_, _, own, cumulative, _) in stats.stats.items():
        place = Path(file)
        if place.name == "choice.py" and function in ("shop", "take_home", "grow_old"):
            seconds[f"kernel {function}"] = cumulative
        elif place.parent.name == "simpy":
            seconds["simpy"] += own
        elif place.parent.name == "model" and function in ("run", "keep_record"):
            seconds["recording" if function == "keep_record" else place.stem] = cumulative
        elif place.parent.name == "model" and function == "simulate":
            total = cumulative
    seconds["buyers, the rest"] = seconds.pop("buyers") - sum(seconds[name] for name in seconds if name.startswith("kernel"))
    seconds["birth of agents, and the rest"] = total - seconds.total()
    body = [(name, f"{1000 * own / PROFILED:.1f}", f"{100 * own / total:.0f} %") for name, own in seconds.most_common()]
    return table(("who", "ms a realization", "share"), [*body, ("all", f"{1000 * total / PROFILED:.0f}", "100 %")]), visits // PROFILED


def start(folder: str) -> str:
    """A cold and a warm run of one realization."""
    cold = measured(1, 100_000, folder, NUMBA_CACHE_DIR=f"{folder}/compiled")
    warm = min((measured(1, 100_000, folder) for _ in range(3)), key=lambda row: row["seconds"])
    return table(("one realization, 100,000 buyers", "seconds"), [("cold", f"{cold['seconds']:.1f}"), ("warm", f"{warm['seconds']:.1f}")])


def machine() -> str:
    """What this was measured on."""
    from forecast.ensemble.plan import versions

    known = dict(map(str.strip, line.split(":", 1)) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    used = ", ".join(f"{name} {version}" for name, version in versions().items() if name in ("python", "numpy", "numba"))
    return f"{known.get('model name', platform.machine())}, {len(os.sched_getaffinity(0))} cores, {used}"


def rivals() -> str:
    """Seconds of the yardsticks of ``make bench`` and how many times those of the kernels."""
    from tests.bench.yardsticks import measured as yardsticks_measured

    made = yardsticks_measured(100_000, 300, 1, 5.0)
    body = [
        (row["what"], f"{row['seconds']:.3g}", f"{row['times']:,.0f}", row["months"], f"{row['twice']:.2f}" if row["twice"] else "-")
        for row in made
    ]
    return table(("100,000 buyers, 300 months, 8 chemistries", "seconds", "times the kernels", "months played", "twice the months"), body)


def main() -> None:
    """Measure and write."""
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        measured(2, 1000, folder)  # compiles
        runs = {size: measured(*size, folder) for size in track([*{w[:2] for w in WHOLE} | {*BUYERS} | {*REALIZATIONS}], "performance")}
        asked, by_buyers, by_realizations = ([runs[size[:2]] for size in sizes] for sizes in (WHOLE, BUYERS, REALIZATIONS))
        shares, visits = profile()
        picture(by_buyers, by_realizations)
        grown = slope(by_buyers, "buyers") + slope(by_realizations, "realizations")
        scaling = table(("realizations x buyers", "seconds more", "grows with power"), grown)
        page = Template(PAGE.with_suffix(".md.in").read_text(encoding="utf-8")).substitute(
            machine=machine(), whole=whole(asked), missed=missed(asked), scaling=scaling, profiled=PROFILED, profile=shares,
            visits=f"{visits:,}", start=start(folder), rivals=rivals(),
        )  # fmt: skip
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
