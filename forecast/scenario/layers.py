"""The files of a scenario: where they are, and in which order they overlay each other."""

from __future__ import annotations

import difflib
import importlib.resources
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from forecast.errors import ScenarioError
from forecast.scenario.reading import MOST_VALUES, Node, Place, read_file, read_text, short, shown

MOST_FILES = 64
LONGEST_NAME = 60
ALIKE = 0.65  # share of letters that a name has in common with the one that was perhaps meant: "lpf" and "lfp", not "china" and "india"
MOST_COMPARED = 200
LONGEST_FILE = 120
SUFFIXES = (".yaml", ".yml")
SET = "--set"


@dataclass(frozen=True)
class Layer:
    """What one file, or one ``--set``, says.

    name       as shown in messages
    statement  source of numbers for which the layer gives none; empty if it must give one
    folders    where files that it names may be, nearest first
    """

    name: str
    root: Node
    statement: str
    folders: tuple[Path, ...]


@dataclass
class Stack:
    """The layers of a scenario, lowest first, the files they came from, and what is wrong with overrides."""

    name: str
    layers: list[Layer] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def nearest(word: object, allowed: Iterable[str], few: int = 12) -> str:
    """'; did you mean X?' for the nearest of not too many allowed names, capital letters aside, else the first few names."""
    names = {str(name).lower(): str(name) for name in reversed(list(allowed))}
    compared = names if len(names) <= MOST_COMPARED else ()
    if close := difflib.get_close_matches(str(word).lower()[:LONGEST_NAME], compared, 1, ALIKE):
        return f"; did you mean {names[close[0]]}?"
    first = [*names.values()][::-1][:few]
    return f"; allowed are {', '.join(first)}{', ...' if len(names) > few else ''}" if first else ""


def shipped_folder() -> Path:
    """Folder of the scenarios that come with the package, or of the repository it is run from."""
    packaged = Path(str(importlib.resources.files("forecast") / "scenarios"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "scenarios"


def names() -> list[str]:
    """Names of the shipped scenarios, sorted."""
    return sorted(file.stem for file in shipped_folder().glob("*.yaml"))


def leads_away(name: str) -> bool:
    """Whether a file name is spelled so that it could lead out of the folders where it is looked for."""
    return name.startswith(("/", "~")) or "\\" in name or ":" in name or ".." in Path(name).parts


def first_there(name: str, folders: Iterable[Path]) -> Path | None:
    """The file of a name in the first folder that has one."""
    return next((folder / name for folder in folders if os.path.isfile(folder / name)), None)


@cache
def real(file: Path) -> Path:
    """The file with all links followed, as far as they lead: links in a circle stay (``Path.resolve`` fails on them)."""
    return Path(os.path.realpath(file))


def lies_in(file: Path, folders: Iterable[Path]) -> bool:
    """Whether a file, all links followed, is in one of the folders."""
    return any(real(file).is_relative_to(real(folder)) for folder in folders)


def find(name: str | Path) -> Path:
    """The file of a shipped scenario, or the file itself. Raises ScenarioError if there is none of that name."""
    text = str(name)
    if "\0" in text:
        raise ScenarioError([f"{short(text)!r}: no such file"])
    if not Path(text).name.isprintable() and os.path.isfile(text):
        raise ScenarioError([f"{short(text)!r}: names of scenarios are UTF-8 that can be printed"])
    if text.endswith(SUFFIXES) or "/" in text or "\\" in text:
        return Path(name)
    if text not in names():
        raise ScenarioError([f"{short(text)!r}: no such scenario{nearest(text, names(), 0)}; a file of your own must end in .yaml"])
    return shipped_folder() / f"{text}.yaml"


def gather(path: str | Path, overrides: Sequence[str] = ()) -> Stack:
    """Read a scenario, all its bases below it and the overrides on top. Raises ScenarioError if a file is unreadable."""
    real.cache_clear()  # links may lead elsewhere by now
    file = find(path).absolute()
    stack = Stack(file.stem)
    visit = _Visit(stack, file)
    visit.file(file, ())
    if visit.problems:
        raise ScenarioError(visit.problems)
    for text in overrides:
        visit.override(text)
    stack.problems = visit.problems
    return stack


class _Visit:
    """One walk over the files of a scenario."""

    def __init__(self, stack: Stack, first: Path):
        self.stack, self.first, self.problems = stack, first, list[str]()
        self.shipped = real(shipped_folder())
        self.statement = ""
        self.values = 0

    def shown(self, file: Path) -> str:
        """Name in messages: relative to the shipped scenarios or to the folder of the scenario, never a path of the machine."""
        here = real(file)
        for folder in (self.shipped, real(self.first.parent)):
            if here.is_relative_to(folder):
                return short(here.relative_to(folder).as_posix(), LONGEST_FILE)
        return short(file.name, LONGEST_FILE)

    def file(self, file: Path, below: tuple[Path, ...]) -> None:
        """Add a file's bases, then the file."""
        name = self.shown(file)
        if len(self.stack.files) >= MOST_FILES:
            self.refuse(f"{self.shown(self.first)}: more than {MOST_FILES} files in one scenario")
            return
        self.stack.files.append(file)
        try:
            root = read_file(file, name)
        except ScenarioError as error:
            self.problems += error.problems
            return
        self.values += root.size
        if self.values > MOST_VALUES:
            self.refuse(f"{self.shown(self.first)}: more than {MOST_VALUES:,} keys and values in all its files together")
            return
        own = not real(file).is_relative_to(self.shipped)
        bases = self.bases(root)
        if not below and own and bases:
            self.statement = "scenario file {}"
        for entry in bases:
            self.base(entry, file, (*below, real(file)))
        self.stack.layers.append(Layer(name, root, self.statement.format(name) if own else "", self.folders(file)))

    def refuse(self, problem: str) -> None:
        """Note a problem of the whole scenario, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def folders(self, file: Path) -> tuple[Path, ...]:
        """Where files named by a file of the scenario may be."""
        return file.parent, self.first.parent, self.shipped

    def bases(self, root: Node) -> list[Node]:
        given = root.value.get("base")
        if given is None or given.value is None:
            return []
        entries = given.value if isinstance(given.value, list) else [given]
        for entry in entries:
            if not isinstance(entry.value, str) or not entry.value:
                self.problems.append(f"{entry.place} base: {shown(entry)}; must be a file name or a list of file names")
        return [entry for entry in entries if isinstance(entry.value, str) and entry.value]

    def base(self, entry: Node, file: Path, below: tuple[Path, ...]) -> None:
        """Find one base of a file, beside it or among the shipped scenarios, and add it."""
        text = entry.value
        told = f"{entry.place} base: {short(text)!r}"
        if leads_away(text):
            self.problems.append(f"{told}; must be a name inside the scenario's folder, not absolute, without ..")
            return
        spelled = text if text.endswith(SUFFIXES) else f"{text}.yaml"
        candidates = [folder / spelled for folder in self.folders(file)]
        found = next((candidate for candidate in candidates if os.path.isfile(candidate) and real(candidate) != real(file)), None)
        if found is None and real(candidates[0]) == real(file):
            found = file
        if found is None:
            self.problems.append(f"{told}; no such file{nearest(text, names(), 0)}; must lie beside this one, or be a shipped scenario")
        elif real(found) in below:
            chain = " -> ".join(self.shown(each) for each in (*below, found))
            self.problems.append(f"{told}; files must not be based on themselves ({chain})")
        elif not lies_in(found, self.folders(file)):
            self.problems.append(f"{told}; leads out of the scenario's folder")
        else:
            self.file(found, below)

    def override(self, text: str) -> None:
        """Add ``a.b.c=value`` as a layer of its own."""
        path, equals, value = text.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in keys):
            self.problems.append(f"{SET} {short(text)!r}; must be written KEY=VALUE, such as lithium.floor=0.5")
            return
        if not value.strip():
            self.problems.append(f"{SET} {short(text)!r}; has no value; null takes what holds where no file says anything")
            return
        if keys[0] == "base":
            self.problems.append(f"{SET} base: cannot be set; name the scenario itself")
            return
        try:
            node = read_text(value, SET, numbered=False)
        except ScenarioError as error:
            self.problems += [f"{problem} in {short(text)!r}" for problem in error.problems]
            return
        for key in reversed(keys):
            node = Node({int(key) if key.isdigit() and len(key) == 4 else key: node}, Place(SET))
        self.stack.layers.append(Layer(SET, node, SET, self.folders(self.first)))
