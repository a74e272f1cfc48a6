"""Scenario files broken at random: a mutant depends on the seed and its number alone."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from forecast.declare import SMALLEST, Block, Declaration, Slot, slots
from forecast.model.policy import KINDS
from forecast.scenario import load
from forecast.scenario.reading import Node, read_text
from tests import small_world as worlds

SHARE_ON_BASELINE = 0.2
"""Of the mutants; the shipped world takes ten times as long to load as one of ours."""
SHIPPED = Path(__file__).parents[2] / "scenarios"
NASTY = [
    *".nan .inf -.inf -1 0 -0 1e400 -1e400 1e18 1e-300 999999999999999999999 0x10 1_000 1,5 1/2 50% 0.5.1 1e".split(),
    *"2015-01-01 12:30 -2_USD".split(),
    *('true false yes no ~ null [] {} [1] [[1]] "" \'\' "\\u202e" "\\0" text &a *a !x !!python/object:os.system'.split()),
    *("| > % @ ` ? - : # [ ] { } , ' \\ ---".split()),
    *("15 USD/kg", "3 usd", "1 GWh", "1 parsec", "-5 %", "1 USD^9", "{a: 1}", "{1: 2}", "{2015: .nan}", "{2300: 1}", "{gamma: [1, 2]}"),
    *("{normal: [1, -1]}", "{normal: [1, 1e18]}", "{normal: [1]}", "{normal: 1}", "{lognormal: [0, 1]}", "{lognormal: [9, 50]}"),
    *("{uniform: [2, 1]}", "{triangular: [1, 1, 1]}", "{value: {}}", "{source: 3}", "{value: 1, normal: [1, 0]}"),
]
"""What rarely belongs where it is put."""
MARKS = [b"\0", b"\xef\xbb\xbf", b"\r\n", b"\t", b"\xff\xfe", b"\xe2\x80\xa8", b"\xc2\x85", b"&a ", b"*a", b"!x ", b"---\n"]
"""Nothing, marks of byte order, ends of lines and what has a meaning in YAML."""
OVERLAY = """\
why: dear lithium, one salar less, and a plant that is switched off
base: steered
source: "assumption: invented for tests"
lithium: {first_price: 9 USD/kg, ceiling: {lognormal: [90000, 0.3]}, other_demand: {2015: 95000, 2030: 200 kt/year, source: a table}}
mines: {salar: null, quarry: {status: producing, sources: {capacity: a report}, capacity: 90 kt/year}}
manufacturers: {rhine: {programmes: {sodium_ion: {stage: pilot, since: 2016, effort: 0.4}}}}
policy: {help: {kind: subsidy, start: 2016, end: 2018, size: 12, regions: [europe], chemistries: [sodium_ion]}}
"""


class Mutant(NamedTuple):
    """A broken file: how it was broken, what it was, and its content."""

    kind: str
    subject: str
    content: bytes


def mutant(seed: int, number: int) -> Mutant:
    """The mutant of that number; depends on nothing else."""
    luck = random.Random(f"{seed} {number}")
    kind = luck.choice(list(MUTATIONS))
    on_baseline = luck.random() < SHARE_ON_BASELINE
    subject = luck.choice(list(shipped_texts() if on_baseline else own_texts()))
    text = shipped_texts()[subject] if on_baseline else own_texts()[subject]
    return Mutant(kind, subject, MUTATIONS[kind](luck, text))


@cache
def own_texts() -> dict[str, str]:
    """Small whole worlds, and a file that overlays one; file name -> text."""
    lively = worlds._overlay(worlds._read(worlds.SMALL_WORLD), worlds._read(worlds.LIVELY_DIFFERENCES))
    steered = worlds._overlay(worlds._overlay(lively, worlds._read(worlds.STEERED_DIFFERENCES)), {"policy": _events()})
    texts = {name: worlds.as_text(worlds._whole(tree)) for name, tree in {"lively.yaml": lively, "steered.yaml": steered}.items()}
    return texts | {"small.yaml": worlds.SMALL_WORLD, "overlay.yaml": OVERLAY}


def _events() -> dict[str, Any]:
    return {f"a_{kind}": {"kind": kind, "start": 2016, "end": 2018.5, "size": 1.1} for kind in KINDS if kind != "bankruptcy"}


@cache
def shipped_texts() -> dict[str, str]:
    """The shipped scenarios, and the parts of the world laid over the baseline that they make up."""
    files = {file.relative_to(SHIPPED).as_posix(): file.read_text(encoding="utf-8") for file in sorted(SHIPPED.rglob("*.yaml"))}
    return {name: f"why: a part\nbase: baseline\n{text}" if "/" in name else text for name, text in files.items()}


def spoil_bytes(luck: random.Random, text: str) -> bytes:
    """Bytes changed, added, left out, doubled, cut off."""
    data = bytearray(text.encode())
    for _ in range(luck.randint(1, 6)):
        at, size = luck.randrange(len(data) + 1), luck.choice([1, 1, 1, 4, 40])
        letters = range(256) if luck.random() < 0.2 else range(32, 127)
        match luck.randrange(6):
            case 0:
                data[at : at + 1] = bytes([luck.choice(letters)])
            case 1:
                data[at:at] = bytes(luck.choices(letters, k=size))
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size] * luck.choice([1, 2, 50])
            case 4:
                data[at:at] = luck.choice(MARKS)
            case 5 if luck.random() < 0.3:
                del data[at:]
    return bytes(data)


def spoil_words(luck: random.Random, text: str) -> bytes:
    """Words misspelt, swapped, left out, doubled, replaced by what does not belong."""
    words = re.findall(r"[\w.+-]+|\s+|.", text)
    for _ in range(luck.randint(1, 5)):
        at = luck.randrange(len(words))
        numeric = [place for place, word in enumerate(words) if re.fullmatch(r"-?\d+\.?\d*", word)]
        match luck.randrange(8):
            case 0:
                words[at] = misspelt(luck, words[at])
            case 1:
                other = luck.randrange(len(words))
                words[at], words[other] = words[other], words[at]
            case 2:
                words[at] = ""
            case 3:
                words[at] *= 2
            case 4:
                solid = [place for place, word in enumerate(words) if word[:1].isalnum()]
                words[luck.choice(solid)] = nasty(luck)
            case _ if numeric:
                place = luck.choice(numeric)
                words[place] = f"{float(words[place]) * luck.choice([-1, 0, 0.1, 0.5, 0.9, 1, 1.1, 2, 10, 1e3, 1e6]):.8g}"
    return "".join(words).encode()


def spoil_structure(luck: random.Random, text: str) -> bytes:
    """Parts moved, removed, renamed, doubled, or replaced by another kind of thing."""
    tree = plain(read_text(text, "shipped"))
    raw: list[str] = []

    def anything() -> str:
        raw.append(nasty(luck))
        return f"raw {len(raw) - 1} raw"

    for _ in range(luck.randint(1, 4)):
        holder, key = luck.choice(list(entries(tree)))
        match luck.randrange(6):
            case 0 | 1:
                holder[key] = anything()
            case 2:
                del holder[key]
            case 3:
                holder[misspelt(luck, str(key))] = holder.pop(key)
            case 4:
                other, place = luck.choice(list(entries(tree)))
                other[place] = deepcopy(holder[key])
            case 5:
                holder[luck.choice(["source", "sources", "value", "normal", "base", "kind", "2020", "colour"])] = anything()
        if not tree:
            break
    written = worlds.as_text(tree)
    for place, value in enumerate(raw):
        written = written.replace(f'"raw {place} raw"', value)
    return written.encode()


def plain(node: Node) -> Any:
    """What a file says, without its lines."""
    if isinstance(node.value, dict):
        return {key: plain(inner) for key, inner in node.value.items()}
    return [plain(inner) for inner in node.value] if isinstance(node.value, list) else node.value


def entries(tree: dict[Any, Any]) -> Iterator[tuple[dict[Any, Any], Any]]:
    """Every mapping of a tree with each of its keys."""
    for key, value in list(tree.items()):
        yield tree, key
        if isinstance(value, dict):
            yield from entries(value)


def go_to_extremes(luck: random.Random, text: str) -> bytes:
    """Legal numbers, up to the ends of what is allowed, over a world that runs."""
    tree: dict[str, Any] = {"why": "at the ends of what is allowed", "base": "steered"}
    for path, slot in luck.sample(numbers(), luck.choice([1, 1, 2, 5, 20])):
        here, parts = tree, path.split(".")
        for part in parts[:-1]:
            here = here.setdefault(part, {})
        over_years = slot.kind in ("path", "paths")
        here[parts[-1]] = {year: legal(luck, slot.declaration) for year in (2015, 2024)} if over_years else legal(luck, slot.declaration)
    return worlds.as_text(tree).encode()


def legal(luck: random.Random, declaration: Declaration) -> float:
    """A number that a declaration allows: an end, nothing, or any size between."""
    low, high = ends(declaration)
    size = math.copysign(10 ** luck.uniform(-9, math.log10(max(abs(low), abs(high)))), luck.choice([low, high]) or 1)
    return min(max(luck.choice([low, high, 0.0, size, size, size]), low), high)


def ends(declaration: Declaration) -> tuple[float, float]:
    """The least and the most that a declaration allows."""
    bounds, largest = declaration.bounds, declaration.largest
    low = bounds.get("at_least", bounds["above"] + max(SMALLEST, bounds["above"] * 1e-9) if "above" in bounds else -largest)
    return low, bounds.get("at_most", bounds["below"] - SMALLEST if "below" in bounds else largest)


@cache
def numbers() -> list[tuple[str, Slot]]:
    """Every number of the steered world by its dotted path, with what was declared of it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "steered.yaml"
        file.write_text(own_texts()["steered.yaml"], encoding="utf-8")
        return list(_numbers(load(file).world, ""))


def _numbers(block: Block, place: str) -> Iterator[tuple[str, Slot]]:
    for slot in slots(type(block)).values():
        value, here = getattr(block, slot.name), f"{place}{slot.name}"
        if slot.kind == "block":
            yield from _numbers(value, f"{here}.")
        elif slot.kind == "blocks":
            for name, inner in value.items():
                yield from _numbers(inner, f"{here}.{name}.")
        elif slot.kind in ("table", "paths"):
            yield from ((f"{here}.{name}", slot) for name in value)
        elif slot.kind != "setting":
            yield here, slot


def plant_a_bomb(luck: random.Random, text: str) -> bytes:
    """A few lines, or many, that would take all memory or time if they were believed."""
    many = int(10 ** luck.uniform(2, 5.3))
    bombs = [
        lambda: "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefghijkl")),
        lambda: f"a: {luck.choice('[{') * many}",
        lambda: "".join(f"{' ' * level}a:\n" for level in range(min(many, 1500))),
        lambda: f"lithium: {{ceiling: {'9' * many}}}",
        lambda: f"lithium: {{ceiling: 1e{'9' * min(many, 1000)}}}",
        lambda: f"title: {'a' * many * 5}",
        lambda: f"{'a' * many}: 1",
        lambda: f"lithium: {{source: {'a ' * many}}}",
        lambda: "lithium:\n" + "".join(f"  k{n}: 1\n" for n in range(many)),
        lambda: "lithium:\n" + "  ceiling: 1\n" * many,
        lambda: "mines:\n" + "".join(f"  k{n}: {{}}\n" for n in range(many)),
        lambda: "mines:\n" + "".join(f"  k{n}: null\n" for n in range(many)),
        lambda: "policy:\n" + "".join(f"  k{n}: {{kind: ban, start: 2020, source: a}}\n" for n in range(many)),
        lambda: f"policy: {{p: {{kind: ban, start: 2020, regions: [{'china, ' * many}]}}}}",
        lambda: f"policy: {{p: {{kind: ban, start: 2020, regions: [{', '.join(f'k{n}' for n in range(many))}]}}}}",
        lambda: f"lithium: {{other_demand: {{{', '.join(f'{2000 + n * 1e-4:.4f}: 1' for n in range(many))}}}}}",
        lambda: "regions:\n" + "".join(f"  k{n}: {{title: K, winter: 0, cost_factor: 1}}\n" for n in range(min(many, 8000))),
        lambda: f"first_year: {luck.choice([1, -1, 10**9, 2016])}\nlast_year: {luck.choice([10**9, 10**18, 2100])}",
        lambda: f"observed_until: {luck.choice([10**9, -5, 2090, 2015])}",
        lambda: f"buyers: {{number: {luck.choice([10**15, 10**8, -1, 0, 10**400])}}}",
        lambda: f"base: [{'steered, ' * min(many, 5000)}]",
        lambda: "#" * many * 10,
        lambda: "\n" * many * 10,
        lambda: f"lithium: {{ceiling: {'1' * 40} {'USD' * many}}}",
        lambda: f"lithium: {{ceiling: 1 {'USD*' * min(many, 30)}USD}}",
        lambda: f'title: "{chr(92)}{"x41" * many}"',
        lambda: f"title: '{chr(39) * many}'",
        lambda: f"title: |\n  {'a' * 70}\n" + f"  {'b' * 70}\n" * min(many, 20000),
    ]
    bomb = luck.choice(bombs)()
    return f"why: a bomb\n{'' if bomb.startswith('base') else 'base: steered'}\n{bomb}\n".encode()


def nasty(luck: random.Random) -> str:
    """Something that rarely belongs where it is put."""
    return luck.choice(NASTY) if luck.random() < 0.8 else f"{luck.choice([-1, 1]) * 10 ** luck.uniform(-12, 20):.6g}"


def misspelt(luck: random.Random, word: str) -> str:
    """A word with two letters swapped, one doubled or one left out."""
    if len(word) < 3:
        return word + "x"
    at = luck.randrange(len(word) - 1)
    return luck.choice([word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at] + word[at:], word[:at] + word[at + 1 :]])


MUTATIONS = {
    "bytes": spoil_bytes,
    "words": spoil_words,
    "structure": spoil_structure,
    "extremes": go_to_extremes,
    "bomb": plant_a_bomb,
}
