"""Write scenario-reference.md from the declarations of the model: `python docs/reference.py [FILE]` (`make reference`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from forecast.declare import FAMILIES, LARGEST, LIMITS, SMALLEST, WIDEST, Block, slots
from forecast.model.policy import KINDS
from forecast.model.world import World
from forecast.scenario import Reference, layers, leaves, reading, reference_rows, references
from forecast.scenario.units import UNITS

PAGE = Path(__file__).parent / "scenario-reference.md"
COLUMNS = ("key", "unit", "meaning", "default", "prior", "bounds", "source")
LONGEST_WORDS = 8
FRONT = Path(__file__).parent / "scenario-format.md.in"


def page() -> str:
    """The whole page; the same declarations give the same text."""
    rows = reference_rows()
    groups: dict[str, list[Reference]] = {}
    for row in rows:
        groups.setdefault(group_of(row.path), []).append(row)
    parts = [front().rstrip(), "## Keys", contents(groups)]
    for name, members in groups.items():
        parts += [heading(name), about(name), table(members, "" if name == "" else f"{name}.")]
        if name == "policy.<event>":
            parts.append(kinds())
    return "\n\n".join(part for part in parts if part) + "\n"


def front() -> str:
    """How numbers are written; the units and priors come from the code."""
    text = FRONT.read_text(encoding="utf-8")
    units = ", ".join(f"`{name}`" for name in UNITS)
    priors = "\n".join(f"| `{name}` | `{{{name}: [{', '.join(family.arguments)}]}}` |" for name, family in FAMILIES.items())
    limits = ", ".join(f"{limit:,.10g} in `{unit}`" for unit, limit in LIMITS.items())
    written = {"UNITS": units, "PRIORS": priors, "LIMITS": limits, "LARGEST": f"{LARGEST:,.10g}", "SMALLEST": f"{SMALLEST:.10g}"}
    written |= {"WIDEST": f"{WIDEST:g}", "YEARS": f"{leaves.EARLIEST}-{leaves.LATEST}", "MOST": most()}
    for name, said in written.items():
        text = text.replace(f"@{name}@", said)
    return text


def most() -> str:
    """How large a scenario may be."""
    rows = {
        "a file": f"{reading.LARGEST_FILE // 1_000_000} MB",
        "files, bases and theirs included": layers.MOST_FILES,
        "keys and values in all files": reading.MOST_VALUES,
        "levels of nesting": reading.DEEPEST,
        "letters in a text": leaves.LONGEST_TEXT,
        "blocks of a kind": references.MOST_BLOCKS,
        "numbers that a world records, if kept by month": references.MOST_NUMBERS,
        "buyers": references.MOST_BUYERS,
        "last year": str(references.LATEST),
    }
    return "\n".join(f"| {what} | {many if isinstance(many, str) else f'{many:,}'} |" for what, many in rows.items())


def group_of(path: str) -> str:
    """The block that a key stands in: ``mines.<mine>.capacity`` -> ``mines.<mine>``."""
    parts = path.split(".")
    if len(parts) == 1:
        return ""
    return ".".join(parts[:2]) if parts[1].startswith("<") else parts[0]


def heading(name: str) -> str:
    return f"### `{name}`" if name else "### Top of the file"


def contents(groups: dict[str, list[Reference]]) -> str:
    """One line of links to the blocks."""
    links = []
    for name in groups:
        text = f"`{name}`" if name else "top of the file"
        anchor = "".join(letter for letter in name if letter.isalnum() or letter == "_") or "top-of-the-file"
        links.append(f"[{text}](#{anchor})")
    return ", ".join(links) + "."


def about(name: str) -> str:
    """What the block is: the first paragraph of its class."""
    block = classes().get(name.split(".")[0])
    if block is None:
        return "Settings of the whole scenario. `base` names the files below this one; see above."
    return " ".join((block.__doc__ or "").strip().split("\n\n")[0].split())


def classes() -> dict[str, type[Block]]:
    """The class of every block at the top of a scenario."""
    return {slot.name: slot.inner for slot in slots(World).values() if slot.inner is not None}


def table(rows: list[Reference], prefix: str) -> str:
    """Rows of one block."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in rows:
        cells = [f"`{row.path.removeprefix(prefix)}`", *row[1:]]
        cells[2], cells[5] = meaning(row), row.bounds or words(row.path)
        lines.append(f"| {' | '.join(escaped(cell) for cell in cells)} |")
    return "\n".join(lines)


def meaning(row: Reference) -> str:
    """The meaning; the kinds of events stand in a table of their own."""
    return "What happens, see below" if row.path == "policy.<event>.kind" else row.meaning


def words(path: str) -> str:
    """The words that a setting allows, if they are few."""
    allowed = get_args(annotation(path))
    few = get_origin(annotation(path)) is Literal and len(allowed) <= LONGEST_WORDS
    return f"one of {', '.join(allowed)}" if few else ""


def annotation(path: str) -> Any:
    """The type of a field by its key."""
    block: type[Block] | None = World
    for part in (part for part in path.split(".") if not part.startswith("<")):
        assert block is not None
        slot = slots(block)[part]
        block = slot.inner
    return slot.annotation


def escaped(text: str) -> str:
    text = " ".join(text.split())
    return text.replace("|", "\\|").replace("<", "&lt;") if not text.startswith("`") else text.replace("|", "\\|")


def kinds() -> str:
    """What each kind of event does."""
    lines: Iterator[str] = (f"| `{kind}` | {escaped(what)} |" for kind, what in KINDS.items())
    return "\n".join(["| kind | what it does |", "|---|---|", *lines])


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
