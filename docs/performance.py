"""Write performance.md and its picture from what was measured (`make performance`).

    python docs/performance.py MEASURED.json

MEASURED.json is what `python tests/bench --json` writes; what is said besides stands in performance.md.in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import click
import numpy as np

from forecast.report.style import COLOURS, FAINT, INK, styled
from forecast.report.views import LARGEST
from writing import save, table

PAGE = Path(__file__).parent / "performance.md"
PICTURE = PAGE.parent / "pictures" / "performance.png"
GOALS = {"with a calendar": 300, "without a calendar": 3000}
TITLES = {"main_mb": "main process, MB", "worker_mb": "largest worker, MB", "core_seconds": "seconds of a core", "what": ""}
Rows = list[dict[str, Any]]


def number(value: Any) -> str:
    """A number for a table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent(share: float | None) -> str:
    """A share for a table."""
    return "" if share is None else f"{100 * share:.0f} %"


def rows_table(rows: Rows, columns: Sequence[str] = ()) -> str:
    """Rows as they were measured."""
    columns = list(columns) or list(rows[0])
    return table([TITLES.get(name, name.replace("_", " ")) for name in columns], [[number(row[name]) for name in columns] for row in rows])


def line(rows: Rows, by: str) -> tuple[float, float, float]:
    """Straight line through seconds of a core: its start, its slope, and the largest relative distance of a point from it."""
    n, seconds = (np.array([row[key] for row in rows], float) for key in (by, "core_seconds"))
    start, slope = np.linalg.lstsq(np.stack([1 / seconds, n / seconds], -1), np.ones(len(n)), rcond=None)[0]
    return float(start), float(slope), float(abs((start + slope * n) / seconds - 1).max())


def line_told(rows: Rows, by: str, step: int) -> str:
    """The line in words."""
    start, slope, off = line(rows, by)
    fit = f"{start:.2g} s + {slope * step:.2g} s for {step:,} {by}"
    return f"Of seconds of a core, the line {fit} passes within {100 * off:.0f} % of every point."


def verdict(rows: Rows) -> str:
    """Times the kernels, beside the goals."""
    with_calendar = {row["what"]: row["times"] for row in rows if row["what"].startswith("Mesa with a calendar")}
    without = {row["what"]: row["times"] for row in rows if row["what"].startswith("Mesa:")}
    told = []
    for (kind, goal), found in zip(GOALS.items(), (with_calendar, without), strict=True):
        values = " and ".join(f"{times:,.0f} ({what.partition(':')[2].strip()})" for what, times in found.items())
        above = sum(times > goal for times in found.values())
        goal_told = f"the goal, above {goal:,}, is met by {above} of {len(found)}"
        told.append(f"Mesa {kind} takes {values} times as long as the kernels; {goal_told}.")
    return " ".join(told)


@styled
def drawn(found: Mapping[str, Any]) -> Any:
    """Time above, memory below; buyers left, realizations right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.6), layout="constrained")
    grid = figure.subplots(2, 2, sharex="col")
    for column, (by, rows) in enumerate((("buyers", found["by_buyers"]), ("realizations", found["by_realizations"]))):
        n = [row[by] for row in rows]
        start, slope, _ = line(rows, by)
        dense = np.geomspace(n[0], n[-1], 100)
        above, below = grid[:, column]
        seconds = [row["core_seconds"] for row in rows]
        above.plot(dense, start + slope * dense, color=FAINT, linewidth=1, label="straight line")
        above.plot(n, seconds, "o", color=INK, label="measured")
        above.set(xscale="log", yscale="log", ylim=(min(seconds) / 2, max(seconds) * 2), title=f"Seconds of a core, by {by}")
        above.legend(loc="upper left")
        for key, ink in (("main_mb", COLOURS["lfp"]), ("worker_mb", COLOURS["nmc"])):
            if key in rows[0]:
                below.plot(n, [row[key] for row in rows], "o-", color=ink, label=TITLES[key])
        below.set(
            xscale="log", ylim=(0, 1.1 * max(row.get(key, 0) for row in rows for key in ("main_mb", "worker_mb"))), title="Peak memory, MB"
        )
        below.legend(loc="lower right")
    return figure


def megabytes_each(rows: Sequence[Mapping[str, Any]]) -> float:
    """What the main process holds of a realization, MB: by what the largest ensemble takes more than the one before."""
    fewer, most = rows[-2:]
    return (most["main_mb"] - fewer["main_mb"]) / (most["realizations"] - fewer["realizations"])


def page(found: Mapping[str, Any]) -> str:
    """The page."""
    about = dict(found["machine"][0])
    own = {name: about.pop(name) for name in ("processor", "cores", "memory", "system", "Python")}
    kept = megabytes_each(found["by_realizations"])
    profile = [{"what": row["what"], "share": percent(row["share"]), "milliseconds": row["milliseconds"]} for row in found["block"]]
    words = own | {
        "libraries": ", ".join(f"{name} {version}" for name, version in about.items()),
        "crowd": f"{found['crowd']:,}",
        "months": str(found["months"]),
        "chemistries": str(found["chemistries"]),
        "worlds": str(found["worlds"]),
        "yardsticks": rows_table(found["yardsticks"]),
        "verdict": verdict(found["yardsticks"]),
        "block": str(found["size_of_block"]),
        "people": f"{found['people']:,}",
        "profile": rows_table(profile),
        "buyers": rows_table(found["by_buyers"]),
        "buyers_line": line_told(found["by_buyers"], "buyers", 100_000),
        "realizations": rows_table(found["by_realizations"]),
        "realizations_line": line_told(found["by_realizations"], "realizations", 100),
        "held": f"{LARGEST / 1e6:.0f}",
        "each": f"{1000 * kept:.0f}",
        "million": f"{1000 * kept:.0f}",
        "asked": f"{found['by_realizations'][-1]['realizations']:,}",
        "questions": rows_table(found["questions"]),
        "starts": rows_table(found["starts"]),
    }
    return Template(PAGE.with_suffix(".md.in").read_text(encoding="utf-8")).substitute(words)


def main(arguments: Sequence[str]) -> None:
    """Write the page and its picture."""
    found = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    PAGE.write_text(page(found), encoding="utf-8")
    save(drawn(found), PICTURE)
    click.echo(f"docs/{PAGE.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
