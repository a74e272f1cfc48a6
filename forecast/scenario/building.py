"""Layers of a scenario to a World: the declarations say what each node must be; all problems are collected.

A number of a higher layer replaces the number and the prior below it. Without a source of its own it says where it was
written and keeps the source of what it replaced: "scenario file mine.yaml, over: USGS 2025".
A path over the years replaces the whole path below it. null removes a block with all that tables say of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from forecast.declare import REQUIRED, Block, Path, Quantity, Slot, slots
from forecast.model.programmes import STAGES
from forecast.model.world import World
from forecast.scenario.layers import SET, Layer, Stack, nearest
from forecast.scenario.leaves import LeafProblem, Spelled, allowed, placeholder, spelled, text, years
from forecast.scenario.problems import Problems
from forecast.scenario.reading import Node, Place, short, shown
from forecast.scenario.settings import expected, word

FIXED_AXES = {"stages": STAGES[:-1]}
NESTED_AXIS = "chemistries"
"""Axis of a mapping of blocks inside a block whose declaration names none."""
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,59}")
BROKEN: Any = object()
LONGEST_MEANING = 120


@dataclass(frozen=True)
class Given:
    """What one layer says at one place, and the nearest source around it in that layer."""

    node: Node
    layer: Layer
    source: str


class Builder:
    """Builds one World from the layers of a scenario."""

    def __init__(self, stack: Stack, problems: Problems):
        self.stack, self.problems = stack, problems
        self.places: dict[str, Place] = {}
        self.removed: dict[str, set[str]] = {}
        self.axes: dict[str, list[str]] = {axis: list(names) for axis, names in FIXED_AXES.items()}
        self.unsourced: dict[str, list[str]] = {}

    def world(self) -> World:
        """The World; if there are problems, what could be read of it."""
        givens = [Given(layer.root, layer, "") for layer in self.stack.layers]
        for slot in slots(World).values():
            if slot.kind == "blocks":
                self.axis(slot.name, givens)
        own = next(layer for layer in reversed(self.stack.layers) if layer.name != SET)
        values = self.fields(World, self.own_words(givens, own), "", self.top(own))
        if isinstance(values.get("title"), str) and not values["title"]:
            values["title"] = self.stack.name.replace("_", " ")
        for where, names in self.unsourced.items():
            some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            self.problems.add(self.place(where), where, f"without source: {some}; must have a source, here or in the block (source: ...)")
        return self.block(World, values)

    def block(self, cls: type[Block], values: dict[str, Any]) -> Any:
        """The block; unchecked and without the fields that are broken, if any are."""
        return cls(**values) if len(values) == len(slots(cls)) else cls.model_construct(None, **values)

    def own_words(self, givens: list[Given], own: Layer) -> list[Given]:
        """Title and why of a base are not those of the scenario."""
        kept = []
        for given in givens:
            if given.layer is not own and given.layer.name != SET:
                inherited = {key: node for key, node in given.node.value.items() if key not in ("title", "why")}
                given = replace(given, node=Node(inherited, given.node.place))
            kept.append(given)
        return kept

    def axis(self, name: str, givens: list[Given]) -> None:
        """Names of one mapping of the scenario, after removals."""
        present: dict[str, bool] = {}
        for given in givens:
            mapping = given.node.value.get(name)
            if mapping is not None and mapping.value is None:
                present = dict.fromkeys(present, False)
            elif mapping is not None and isinstance(mapping.value, dict):
                present |= {key: node.value is not None for key, node in mapping.value.items() if isinstance(key, str)}
        self.axes[name] = [key for key, kept in present.items() if kept]
        self.removed[name] = {key for key, kept in present.items() if not kept}

    def place(self, where: str) -> Place:
        """Where a dotted path, or the nearest block around it, was last written."""
        while where and where not in self.places:
            where = where.rpartition(".")[0]
        return self.places.get(where, self.top(self.stack.layers[-1]))

    def top(self, layer: Layer) -> Place:
        """The first line of a file, for what stands nowhere in it."""
        return Place(layer.name, 0 if layer.name == SET else 1)

    def fields(self, cls: type[Block], givens: list[Given], where: str, place: Place) -> dict[str, Any]:
        """Values of all fields of a block; problems are collected, broken values left out."""
        entries, block_source = self.entries(cls, givens, where)
        values: dict[str, Any] = {}
        for slot in sorted(slots(cls).values(), key=lambda slot: slot.kind != "setting"):
            here = f"{where}.{slot.name}" if where else slot.name
            stack = entries.get(slot.name, [])
            if stack:
                self.places[here] = stack[-1].node.place
            elif slot.default is REQUIRED:
                meaning = short(slot.declaration.meaning, LONGEST_MEANING)
                self.problems.add(place, here, f"missing; must be given{_wanted(slot)} ({meaning})")
                continue
            value = self.field(slot, stack, here, self.fallback(slot, values, block_source))
            if value is not BROKEN:
                values[slot.name] = value
        return values

    def entries(self, cls: type[Block], givens: list[Given], where: str) -> tuple[dict[str, list[Given]], str]:
        """What each layer says of each field, and the source of the whole block."""
        known, entries, block_source = slots(cls), dict[str, list[Given]](), ""
        for given in givens:
            if not isinstance(given.node.value, dict):
                self.problems.add(given.node.place, where, f"{shown(given.node)}; must be a mapping of {', '.join(list(known)[:4])}, ...")
                continue
            items = given.node.value
            own = self.text(items["source"], f"{where}.source") if "source" in items and items["source"].value != "" else ""
            block_source = block_source or own or given.source
            named = self.sources(items.get("sources"), known, where)
            for slot in known.values():
                told = items.get(slot.declaration.source.removeprefix("see "))
                if slot.declaration.source.startswith("see ") and told is not None and isinstance(told.value, str):
                    named.setdefault(slot.name, told.value)
            for field, source in named.items():
                if known[field].kind == "quantity" and field not in items and "sources" in items:
                    note = Node({"source": Node(source, items["sources"].place)}, items["sources"].place)
                    entries.setdefault(field, []).append(Given(note, given.layer, source))
            for key, node in items.items():
                if key in known and node.value is None and known[key].kind != "setting":
                    entries[key] = []
                elif key in known:
                    entries.setdefault(key, []).append(Given(node, given.layer, named.get(key) or own or given.source))
                elif key not in ("source", "sources") and not (key == "base" and not where):
                    suggestion = nearest(key, (*known, "source", "sources"))
                    self.problems.add(node.place, f"{where}.{key}" if where else str(key), f"unknown{suggestion}")
        return entries, block_source

    def sources(self, node: Node | None, known: dict[str, Slot], where: str) -> dict[str, str]:
        if node is None:
            return {}
        here = f"{where}.sources" if where else "sources"
        if not isinstance(node.value, dict):
            self.problems.add(node.place, here, f"{shown(node)}; must be a mapping of field to text")
            return {}
        for key in [key for key in node.value if key not in known]:
            self.problems.add(node.value[key].place, f"{here}.{key}", f"unknown{nearest(key, known)}")
        return {key: self.text(inner, f"{here}.{key}") for key, inner in node.value.items() if key in known}

    def text(self, node: Node, where: str) -> str:
        return self.attempt(where.lstrip("."), text, node) or ""

    def attempt(self, where: str, read: Callable[..., Any], *arguments: Any) -> Any:
        """What ``read`` returns, or None after noting its LeafProblem."""
        try:
            return read(*arguments)
        except LeafProblem as problem:
            self.problems.add(problem.node.place, where, str(problem))
            return None

    def fallback(self, slot: Slot, values: dict[str, Any], block_source: str) -> str:
        """Source of a field that has none of its own: as declared, or as its declaration says where to look."""
        declared = slot.declaration.source
        if declared.startswith("see "):
            declared = str(values.get(declared.removeprefix("see ")) or "")
        return block_source if placeholder(declared) else declared

    def field(self, slot: Slot, stack: list[Given], where: str, fallback: str) -> Any:
        """The value of one field from all layers that give it."""
        if slot.kind == "quantity":
            return self.quantity(slot, stack, where, fallback)
        if slot.kind == "path":
            return self.path(slot, stack, where, fallback)
        if slot.kind in ("table", "paths"):
            return self.keyed(slot, stack, where, fallback)
        if slot.kind == "blocks":
            return self.mapping(slot, stack, where)
        if slot.kind == "block":
            assert slot.inner is not None
            return self.block(slot.inner, self.fields(slot.inner, stack, where, self.place(where)))
        return self.setting(slot, stack, where)

    def quantity(self, slot: Slot, stack: list[Given], where: str, fallback: str) -> Any:
        default = slot.default if isinstance(slot.default, Quantity) and slot.kind == "quantity" else Quantity(0.0)
        value, prior = default.value, default.prior
        source = fallback if isinstance(slot.default, Quantity) else ""
        declared = "" if placeholder(slot.declaration.source) else source
        told = ""
        for given in stack:
            read: Spelled | None = self.attempt(where, spelled, given.node, slot.declaration)
            if read is None:
                return BROKEN
            if read.value is None:
                source = told = read.source or source
                continue
            value, prior = read.value, read.prior
            source = told = read.source or given.source or self.replaced(given.layer, told or declared)
        return Quantity(value, prior, self.sourced(source or fallback, where))

    def path(self, slot: Slot, stack: list[Given], where: str, fallback: str) -> Any:
        told = "" if placeholder(slot.declaration.source) else fallback
        default = slot.default if isinstance(slot.default, Path) else Path((), ())
        points, source = (default.years, default.values), told
        for given in stack:
            read = self.attempt(where, years, given.node, slot.declaration)
            if read is None:
                return BROKEN
            if read[0]:
                points, source = read[:2], read[2] or given.source or self.replaced(given.layer, source)
            else:
                source = read[2] or source
        if not points[0]:
            self.problems.add(self.place(where), where, f"no years; must be a number or a mapping of year to {slot.declaration.unit}")
            return BROKEN
        return Path(*points, self.sourced(source or fallback, where))

    def replaced(self, layer: Layer, before: str) -> str:
        """Source of a number for which its layer gives none."""
        statement = layer.statement or (layer.name if before else "")
        if not before:
            return statement
        return f"{statement}, over: {before.rpartition(', over: ')[2]}"

    def sourced(self, source: str, where: str) -> str:
        """The source; without any, note it under its block, or take the file that is allowed to be one."""
        if not source:
            statement = next((layer.statement for layer in reversed(self.stack.layers) if layer.statement and layer.name != SET), "")
            if statement:
                return statement
            block, _, name = where.rpartition(".")
            self.unsourced.setdefault(block, []).append(name)
        return source

    def keyed(self, slot: Slot, stack: list[Given], where: str, fallback: str) -> Any:
        """A table or paths: one leaf for each name of an axis."""
        names = self.axes[slot.declaration.axis]
        removed = self.removed.get(slot.declaration.axis, set())
        entries: dict[str, list[Given]] = {}
        for given, key, node in self.items(stack, where, with_source="source" not in names):
            if key in removed and key not in names:
                continue
            if key not in names:
                self.problems.add(node.place, f"{where}.{key}", f"unknown name of {slot.declaration.axis}{nearest(key, names)}")
            elif node.value is None:
                entries.pop(key, None)
            else:
                entries.setdefault(key, []).append(replace(given, node=node))
                self.places[f"{where}.{key}"] = node.place
        if "fill" not in slot.declaration.bounds:
            for name in [name for name in names if name not in entries]:
                self.problems.add(
                    self.place(where), f"{where}.{name}", f"missing; must be given{_wanted(slot)} for each of {slot.declaration.axis}"
                )
        leaf = replace(slot, kind="quantity" if slot.kind == "table" else "path", default=REQUIRED)
        values = {key: self.field(leaf, given, f"{where}.{key}", fallback) for key, given in entries.items()}
        return BROKEN if any(value is BROKEN for value in values.values()) else values

    def items(self, stack: list[Given], where: str, with_source: bool = False) -> list[tuple[Given, str, Node]]:
        """Keys and nodes of a mapping in all layers; a ``source`` among them holds for the others of its layer."""
        found = []
        for given in stack:
            if not isinstance(given.node.value, dict):
                self.problems.add(given.node.place, where, f"{shown(given.node)}; must be a mapping by name")
                continue
            items = given.node.value
            if with_source and "source" in items:
                given = replace(given, source=self.text(items["source"], f"{where}.source"))
            found += [(given, key, node) for key, node in items.items() if not (with_source and key == "source")]
        return found

    def mapping(self, slot: Slot, stack: list[Given], where: str) -> Any:
        """A mapping of names to blocks; null removes one."""
        assert slot.inner is not None
        entries: dict[str, list[Given]] = {}
        axis = slot.declaration.axis or (NESTED_AXIS if "." in where else "")
        names = self.axes[axis] if axis else None
        removed = self.removed.get(axis, set())
        for given, key, node in self.items(stack, where):
            here = f"{where}.{key}"
            if not isinstance(key, str) or not NAME.fullmatch(key):
                self.problems.add(node.place, here, "must be a name of lower case letters, digits and _, at most 60")
            elif names is not None and key not in names and key not in removed:
                self.problems.add(node.place, here, f"unknown name of {axis}{nearest(key, names)}")
            elif node.value is None and key not in entries:
                self.problems.add(node.place, here, f"null removes a block, but there is none of this name{nearest(key, entries)}")
            elif node.value is None:
                del entries[key]
            elif key not in removed or names is None or key in names:
                entries.setdefault(key, []).append(replace(given, node=node))
                self.places[here] = node.place
        places = {key: f"{where}.{key}" for key in entries}
        return {key: self.block(slot.inner, self.fields(slot.inner, entries[key], here, self.place(here))) for key, here in places.items()}

    def setting(self, slot: Slot, stack: list[Given], where: str) -> Any:
        """A word, text, flag, whole number or list of names; the highest layer that gives it wins."""
        if not stack or stack[-1].node.value is None:
            if slot.default is REQUIRED:
                self.problems.add(self.place(where), where, f"null; must be {expected(slot.annotation)}")
                return BROKEN
            return slot.default
        value = self.attempt(where, word, stack[-1].node, slot.annotation)
        return BROKEN if value is None else value


def _wanted(slot: Slot) -> str:
    unit, bound = slot.declaration.unit, allowed(slot.declaration.bounds)
    if slot.kind == "setting":
        return f", {expected(slot.annotation)}"
    return (f" in {unit}" if unit not in ("", "1") else "") + (f", {bound}" if bound else "")
