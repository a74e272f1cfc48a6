"""How fast it is on this machine, and how much memory it takes: ``make bench``.

    python tests/bench [--quick | --full] [--json FILE]

``--quick`` does a tenth of the work or less, ``--full`` what the page on performance shows (a quarter of an hour).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

SIZES: dict[str, dict[str, Any]] = {
    "quick": {"crowd": 10_000, "patience": 1, "block": 10, "people": 10_000, "buyers": (1000, 10_000), "realizations": (1, 10)},
    "usual": {
        **{"crowd": 100_000, "patience": 10, "block": 25, "people": 100_000},
        "buyers": (1000, 10_000, 100_000),
        "realizations": (1, 10, 100),
    },
    "full": {
        **{"crowd": 100_000, "patience": 60, "block": 100, "people": 100_000},
        "buyers": (1000, 10_000, 100_000, 1_000_000),
        "realizations": (1, 10, 100, 1000, 10_000),
    },
}
MONTHS, REPEATS = 300, 3


def measures(size: dict[str, Any], folder: Path) -> dict[str, tuple[str, Callable[[], Any]]]:
    """What is measured, under which title."""
    from tests.bench import profile, scaling, yardsticks
    from tests.bench.processes import machine

    return {
        "machine": ("Machine", lambda: [machine()]),
        "yardsticks": (
            f"{size['crowd']:,} buyers, {MONTHS} months, {yardsticks.CHEMISTRIES} chemistries: seconds of a core, and times the kernels",
            lambda: yardsticks.measured(size["crowd"], MONTHS, REPEATS, size["patience"]),
        ),
        "block": (
            f"A block of {size['block']} realizations on one core: share of time, and milliseconds a realization",
            lambda: profile.block(size["block"], size["people"])["parts"],
        ),
        "starts": ("How a run begins", lambda: list(scaling.starts(folder))),
        "by_buyers": ("More buyers, one process", lambda: list(scaling.buyers(folder, size["buyers"]))),
        "by_realizations": ("More realizations, all cores", lambda: list(scaling.realizations(folder, size["realizations"]))),
        "questions": (f"Questions to {size['realizations'][-1]:,} realizations", lambda: list(scaling.questions(folder))),
    }


def shown(value: Any) -> str:
    """A cell of a table."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Rows below each other."""
    made = Table(*(name.replace("_", " ") for name in rows[0]), title=title, title_justify="left")
    for row in rows:
        made.add_row(*map(shown, row.values()))
    return made


def measured(how: str) -> dict[str, Any]:
    """Measure everything, and print it as it comes."""
    from tests.bench.yardsticks import BLOCK, CHEMISTRIES

    size = SIZES[how]
    known = {"size": how, "crowd": size["crowd"], "people": size["people"], "size_of_block": size["block"]}
    found: dict[str, Any] = known | {"months": MONTHS, "chemistries": CHEMISTRIES, "worlds": BLOCK}
    with tempfile.TemporaryDirectory() as folder:
        for name, (title, measure) in measures(size, Path(folder)).items():
            found[name] = measure()
            Console(width=None if sys.stdout.isatty() else 140).print(table(title, found[name]))
    return found


def main(words: list[str]) -> None:
    """Measure, and keep it in a file if asked."""
    found = measured(next((name for name in ("quick", "full") if f"--{name}" in words), "usual"))
    if "--json" in words:
        file = Path(words[words.index("--json") + 1])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
