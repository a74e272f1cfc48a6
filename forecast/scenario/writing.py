"""A World back to text: the resolved YAML, and the table of sources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from forecast.declare import Block, Path, Prior, Quantity, Slot, slots
from forecast.scenario.leaves import plain

_BARE = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = ("null", "true", "false")


class SourceRow(NamedTuple):
    """One number of a scenario and where it is from."""

    path: str
    value: str
    unit: str
    prior: str
    source: str


def resolve(block: Block) -> dict[str, Any]:
    """A block as plain mappings, fields as declared, names sorted."""
    return {slot.name: _plain(getattr(block, slot.name)) for slot in slots(type(block)).values()}


def _plain(value: Any) -> Any:
    if isinstance(value, Block):
        return resolve(value)
    if isinstance(value, Quantity):
        prior = {value.prior.family: [plain(argument) for argument in value.prior.arguments]} if value.prior else {}
        return {"value": plain(value.value), **prior, "source": value.source}
    if isinstance(value, Path):
        return {**{plain(year): plain(held) for year, held in zip(value.years, value.values, strict=True)}, "source": value.source}
    if isinstance(value, dict):
        return {name: _plain(value[name]) for name in sorted(value)}
    return list(value) if isinstance(value, list | tuple) else value


def as_text(resolved: dict[str, Any]) -> str:
    """YAML with one number on a line; same mapping, same bytes."""
    return "".join(f"{line}\n" for line in _lines(resolved, 0))


def _lines(mapping: dict[Any, Any], depth: int) -> Iterator[str]:
    for key, value in mapping.items():
        head = f"{'  ' * depth}{_scalar(key)}:"
        if isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            yield head
            yield from _lines(value, depth + 1)
        else:
            yield f"{head} {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """JSON, which is YAML; bare words without quotes."""
    if isinstance(value, str) and _BARE.fullmatch(value) and value not in _RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)


def source_rows_of(block: Block, place: str = "") -> list[SourceRow]:
    """Rows of all numbers in a block, dotted paths under ``place``."""
    return [row for slot in slots(type(block)).values() for row in _rows(slot, getattr(block, slot.name), f"{place}{slot.name}")]


def _rows(slot: Slot, value: Any, place: str) -> Iterator[SourceRow]:
    if isinstance(value, Block):
        yield from source_rows_of(value, f"{place}.")
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from _rows(slot, value[name], f"{place}.{name}")
    elif isinstance(value, Quantity):
        yield SourceRow(place, f"{value.value:.10g}", slot.declaration.unit, prior_text(value.prior), value.source)
    elif isinstance(value, Path):
        points = ", ".join(f"{year:.10g}: {held:.10g}" for year, held in zip(value.years, value.values, strict=True))
        yield SourceRow(place, points, slot.declaration.unit, "", value.source)


def prior_text(prior: Prior | None) -> str:
    """A prior for a table; empty if the number is certain."""
    return prior.text if prior else ""
