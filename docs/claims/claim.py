"""A claim, and the section of the page that it stands in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from claims.run import Run


class Found(NamedTuple):
    """What was measured for one claim."""

    holds: bool
    text: str
    picture: Any = None


@dataclass(frozen=True)
class Claim:
    """A sentence that must be true, how it is judged, and what measures it."""

    title: str
    rule: str
    needs: tuple[str, ...]
    measure: Callable[[dict[str, Run]], Found]


@dataclass(frozen=True)
class Section:
    """A part of the page and its claims, in their order."""

    title: str
    claims: list[Claim] = field(default_factory=list)

    def claim(self, *needs: str) -> Callable:
        """Register a function that measures what its docstring claims on the runs it needs (baseline always)."""

        def register(measure: Callable[[dict[str, Run]], Found]) -> Callable:
            title, rule = (" ".join(part.split()) for part in str(measure.__doc__).split("\n\n"))
            self.claims.append(Claim(title.rstrip("."), rule, ("baseline", *needs), measure))
            return measure

        return register
