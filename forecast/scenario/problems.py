"""Everything found wrong in a scenario, with its place, shown at once."""

from __future__ import annotations

from collections.abc import Sequence

from forecast.errors import ScenarioError
from forecast.scenario.layers import SET
from forecast.scenario.reading import MOST_PROBLEMS, Place, short

LAST = Place("\uffff")
"""Sorts behind all files."""
LONGEST_KEY = 200


class Problems:
    """Everything found wrong so far, with its place."""

    def __init__(self, before: Sequence[str] = ()) -> None:
        self.found: list[tuple[Place, str]] = [(Place(SET), problem) for problem in before]

    def add(self, place: Place, where: str, problem: str) -> None:
        """Note a problem; raise ScenarioError at once when there are too many for anybody to read."""
        self.found.append((place, f"{place} {short(where, LONGEST_KEY)}: {problem}" if where else f"{place} {problem}"))
        if len(self.found) >= MOST_PROBLEMS:
            self.found.append((LAST, f"{place.file}: more than {MOST_PROBLEMS} problems; the first are shown"))
            self.raise_any()

    def raise_any(self) -> None:
        """Raise ScenarioError with all problems, in the order of the files."""
        if self.found:
            raise ScenarioError(list(dict.fromkeys(text for _, text in sorted(self.found, key=lambda item: (item[0].file, item[0].line)))))
