"""What a scenario may say: JSON schema for editors, and rows for the reference page; both from the declarations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

from forecast.declare import FAMILIES, REQUIRED, Block, Path, Quantity, Slot, slots
from forecast.model.world import World
from forecast.scenario.building import NESTED_AXIS
from forecast.scenario.leaves import LONGEST_TEXT, allowed, placeholder
from forecast.scenario.writing import prior_text

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LIMITS = {"at_least": "minimum", "at_most": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}
NUMBER_WITH_UNIT = r"^[+-]?[0-9.]+([eE][+-]?[0-9]+)? ?[%1A-Za-z][A-Za-z0-9*/^ -]*$"
YEAR = r"^[0-9]{4}(\.[0-9]+)?$"
TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
SINGULAR = {"chemistries": "chemistry", "policy": "event"}


class Reference(NamedTuple):
    """One field that a scenario may give."""

    path: str
    unit: str
    meaning: str
    default: str
    prior: str
    bounds: str
    source: str


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of scenario files; keys are taken as texts, so years match as patterns."""
    definitions: dict[str, Any] = {}
    root = _block(World, definitions)
    bases = [TEXT, {"type": "array", "items": TEXT}]
    root["properties"]["prior"]["type"] = ["string", "null"]
    root["properties"]["base"] = {"description": "Files or shipped scenarios below this one", "anyOf": bases}
    head = {"$schema": DIALECT, "title": "Scenario of battery-forecast"}
    return head | root | {"$defs": dict(sorted(definitions.items()))}


def _block(cls: type[Block], definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {slot.name: _described(slot, definitions) for slot in slots(cls).values()}
    sources = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(properties, TEXT)}
    extra = {
        "source": TEXT | {"description": "Source of all numbers of this block"},
        "sources": sources | {"description": "Sources by field"},
    }
    described = (cls.__doc__ or cls.__name__).split("\n")[0]
    return {"type": "object", "description": described, "additionalProperties": False, "properties": extra | properties}


def _described(slot: Slot, definitions: dict[str, Any]) -> dict[str, Any]:
    declaration = slot.declaration
    notes = [declaration.meaning]
    if declaration.unit:
        notes.append(f"unit: {declaration.unit}")
    notes += [f"must be {bound}" for bound in [allowed(declaration.bounds)] if bound]
    notes += [f"source: {source}" for source in [declaration.source] if not placeholder(source)]
    described = {"description": "; ".join(notes)} | _shape(slot, definitions)
    if isinstance(slot.default, Quantity):
        described["default"] = slot.default.value
    elif slot.kind == "setting" and slot.default is not REQUIRED:
        described["default"] = slot.default
    return described


def _shape(slot: Slot, definitions: dict[str, Any]) -> dict[str, Any]:
    kind = slot.kind
    if kind in ("quantity", "path"):
        return _leaf(slot, kind, definitions)
    if kind in ("table", "paths"):
        leaf = _leaf(slot, "quantity" if kind == "table" else "path", definitions)
        return {"type": ["object", "null"], "properties": {"source": TEXT}, "additionalProperties": leaf}
    if slot.inner is not None:
        name = slot.inner.__name__
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _block(slot.inner, definitions)
        reference = {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}
        return reference if kind == "block" else {"type": ["object", "null"], "additionalProperties": reference}
    return _setting(slot.annotation)


def _leaf(slot: Slot, kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A number in all its spellings; the number alone carries the bounds."""
    bounds, largest = slot.declaration.bounds, slot.declaration.largest
    limits = {LIMITS[name]: bound for name, bound in bounds.items() if name in LIMITS}
    limits = ({} if {"at_least", "above"} & bounds.keys() else {"minimum": -largest}) | limits
    limits = ({} if {"at_most", "below"} & bounds.keys() else {"maximum": largest}) | limits
    plain: list[dict[str, Any]] = [{"type": "number", **limits}, {"$ref": "#/$defs/number_with_unit"}]
    definitions["number_with_unit"] = {"description": 'Such as "15 USD/kg"', "type": "string", "pattern": NUMBER_WITH_UNIT}
    if kind == "path":
        over_years = {
            "type": "object",
            "properties": {"source": TEXT},
            "patternProperties": {YEAR: {"anyOf": plain}},
            "additionalProperties": False,
        }
        return {"anyOf": [*plain, over_years, {"type": "null"}]}
    definitions["prior"] = _priors()
    with_prior = {"$ref": "#/$defs/prior", "properties": {"value": {"anyOf": plain}}}
    return {"anyOf": [*plain, with_prior, {"type": "null"}]}


def _priors() -> dict[str, Any]:
    argument = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/number_with_unit"}]}
    families = {}
    for name, family in FAMILIES.items():
        size = len(family.arguments)
        described = f"[{', '.join(family.arguments)}]"
        families[name] = {"description": described, "type": "array", "items": argument, "minItems": size, "maxItems": size}
    one_prior = {"not": {"anyOf": [{"required": [a, b]} for a in FAMILIES for b in FAMILIES if a < b]}}
    properties = {"value": argument, "source": TEXT, **families}
    return {"type": "object", "minProperties": 1, "properties": properties, "additionalProperties": False, **one_prior}


def _setting(annotation: Any) -> dict[str, Any]:
    if get_origin(annotation) is Literal:
        return {"enum": list(get_args(annotation))}
    if get_origin(annotation) is list:
        return {"type": "array", "items": TEXT}
    return {"type": {str: "string", int: "integer", float: "number", bool: "boolean"}[annotation]}


def reference_rows() -> list[Reference]:
    """Every field that a scenario may give, in order of declaration; names that users choose stand in <>."""
    return list(_references(World, ""))


def _references(cls: type[Block], place: str) -> Iterator[Reference]:
    for slot in slots(cls).values():
        here, declaration = f"{place}{slot.name}", slot.declaration
        if slot.inner is not None:
            key = "" if slot.kind == "block" else f".<{_singular(declaration.axis or (NESTED_AXIS if place else slot.name))}>"
            yield from _references(slot.inner, f"{here}{key}.")
            continue
        if slot.kind in ("table", "paths"):
            here += f".<{_singular(declaration.axis)}>"
        source = "" if placeholder(declaration.source) else declaration.source
        prior = prior_text(slot.default.prior) if isinstance(slot.default, Quantity) else ""
        yield Reference(here, declaration.unit, declaration.meaning, _default(slot), prior, allowed(declaration.bounds), source)


def _singular(axis: str) -> str:
    return SINGULAR.get(axis, axis.removesuffix("s"))


def _default(slot: Slot) -> str:
    if isinstance(slot.default, Quantity):
        return f"{slot.default.value:.10g}"
    if isinstance(slot.default, Path):
        return ", ".join(f"{year:.10g}: {value:.10g}" for year, value in zip(slot.default.years, slot.default.values, strict=True))
    if slot.kind in ("table", "paths"):
        fill = slot.declaration.bounds.get("fill")
        return "required for all names" if fill is None else f"{fill:g} for names left out"
    if slot.default is REQUIRED:
        return "required"
    return "none" if slot.default in ("", [], {}) else str(slot.default)
