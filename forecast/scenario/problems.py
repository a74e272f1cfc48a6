"""Everything found wrong in a scenario, with its place, shown at once."""

from __future__ import annotations

from collections.abc import Sequence

from forecast.errors import ScenarioError
from forecast.scenario.layers import SET
from forecast.scenario.reading import Place


class Problems:
    """Everything found wrong so far, with its place."""

    def __init__(self, before: Sequence[str] = ()) -> None:
        self.found: list[tuple[Place, str]] = [(Place(SET), problem) for problem in before]

    def add(self, place: Place, where: str, problem: str) -> None:
        self.found.append((place, f"{place} {where}: {problem}" if where else f"{place} {problem}"))

    def raise_any(self) -> None:
        """Raise ScenarioError with all problems, in the order of the files."""
        if self.found:
            raise ScenarioError(list(dict.fromkeys(text for _, text in sorted(self.found, key=lambda item: (item[0].file, item[0].line)))))
