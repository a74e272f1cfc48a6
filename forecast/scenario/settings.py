"""How a setting is spelled in a scenario: a word, text, flag, whole number or list of names."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from forecast.scenario.layers import nearest
from forecast.scenario.leaves import LONGEST_TEXT, LeafProblem
from forecast.scenario.reading import Node, shown


def word(node: Node, annotation: Any) -> Any:
    """The value of a setting, of the annotated type. Raises LeafProblem."""
    value = [inner.value for inner in node.value] if isinstance(node.value, list) else node.value
    words = get_args(annotation) if get_origin(annotation) is Literal else ()
    if isinstance(value, str) and not words:
        value = " ".join(value.split())
        if len(value) > LONGEST_TEXT:
            raise LeafProblem(node, f"{len(value):,} letters; must be at most {LONGEST_TEXT:,}")
    if annotation is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return _adapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        close = nearest(value, words, few=0) if isinstance(value, str) else ""
        odd = next((inner for inner in node.value if not isinstance(inner.value, str)), None) if isinstance(node.value, list) else None
        given = f"{shown(odd)} in a list" if odd and get_origin(annotation) is list else shown(node)
        raise LeafProblem(node, f"{given}; must be {expected(annotation)}{close}") from None


def expected(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(annotation)))}"
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(annotation, "a list of names")


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)
