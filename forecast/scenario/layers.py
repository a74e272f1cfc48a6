"""The files of a scenario: where they are, and in which order they overlay each other."""

from __future__ import annotations

import difflib
import importlib.resources
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forecast.errors import ScenarioError
from forecast.scenario.reading import Node, Place, read_file, read_text

MOST_FILES = 64
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
    """'; did you mean X?' for the nearest allowed name, else the names if they are few, else nothing."""
    names = [str(name) for name in allowed]
    close = difflib.get_close_matches(str(word), names, 1, 0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; allowed are {', '.join(names)}" if 0 < len(names) <= few else ""


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


def lies_in(file: Path, folders: Iterable[Path]) -> bool:
    """Whether a file, all links followed, is in one of the folders."""
    return any(file.resolve().is_relative_to(folder.resolve()) for folder in folders)


def find(name: str | Path) -> Path:
    """The file of a shipped scenario, or the file itself. Raises ScenarioError if there is none of that name."""
    text = str(name)
    if text.endswith(SUFFIXES) or "/" in text or "\\" in text:
        return Path(name)
    if text not in names():
        raise ScenarioError([f"{text!r}: no such scenario{nearest(text, names())}; a file of your own must end in .yaml"])
    return shipped_folder() / f"{text}.yaml"


def gather(path: str | Path, overrides: Sequence[str] = ()) -> Stack:
    """Read a scenario, all its bases below it and the overrides on top. Raises ScenarioError if a file is unreadable."""
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
        self.shipped = shipped_folder().resolve()
        self.statement = ""

    def shown(self, file: Path) -> str:
        """Name in messages: relative to the shipped scenarios or to the folder of the scenario, never a path of the machine."""
        for folder in (self.shipped, self.first.parent.resolve()):
            if file.resolve().is_relative_to(folder):
                return file.resolve().relative_to(folder).as_posix()
        return file.name

    def file(self, file: Path, below: tuple[Path, ...]) -> None:
        """Add a file's bases, then the file."""
        shown = self.shown(file)
        if len(self.stack.files) >= MOST_FILES:
            self.problems.append(f"{shown}: more than {MOST_FILES} files in one scenario")
            return
        self.stack.files.append(file)
        try:
            root = read_file(file, shown)
        except ScenarioError as error:
            self.problems += error.problems
            return
        own = not file.resolve().is_relative_to(self.shipped)
        bases = self.bases(root)
        if not below and own and bases:
            self.statement = "scenario file {}"
        for entry in bases:
            self.base(entry, file, (*below, file.resolve()))
        self.stack.layers.append(Layer(shown, root, self.statement.format(shown) if own else "", self.folders(file)))

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
                self.problems.append(f"{entry.place} base: must be a file name or a list of file names")
        return [entry for entry in entries if isinstance(entry.value, str) and entry.value]

    def base(self, entry: Node, file: Path, below: tuple[Path, ...]) -> None:
        """Find one base of a file, beside it or among the shipped scenarios, and add it."""
        text = entry.value
        if leads_away(text):
            self.problems.append(f"{entry.place} base: {text!r}; must be a name inside the scenario's folder, not absolute, without ..")
            return
        spelled = text if text.endswith(SUFFIXES) else f"{text}.yaml"
        candidates = [folder / spelled for folder in self.folders(file)]
        found = next((candidate for candidate in candidates if os.path.isfile(candidate) and candidate.resolve() != file.resolve()), None)
        if found is None and candidates[0].resolve() == file.resolve():
            found = file
        if found is None:
            self.problems.append(f"{entry.place} base: {text!r}; no such file{nearest(text, names())}")
        elif found.resolve() in below:
            chain = " -> ".join(self.shown(each) for each in (*below, found))
            self.problems.append(f"{entry.place} base: {text!r}; files must not be based on themselves ({chain})")
        elif not lies_in(found, self.folders(file)):
            self.problems.append(f"{entry.place} base: {text!r}; leads out of the scenario's folder")
        else:
            self.file(found, below)

    def override(self, text: str) -> None:
        """Add ``a.b.c=value`` as a layer of its own."""
        path, equals, value = text.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in keys):
            self.problems.append(f"{SET} {text[:80]!r}; must be written NAME.NAME=VALUE")
            return
        if keys[0] == "base":
            self.problems.append(f"{SET} base: cannot be set; name the scenario itself")
            return
        try:
            node = read_text(value, SET, numbered=False)
        except ScenarioError as error:
            self.problems += [f"{problem} in {text[:80]!r}" for problem in error.problems]
            return
        for key in reversed(keys):
            node = Node({int(key) if key.isdigit() and len(key) == 4 else key: node}, Place(SET))
        self.stack.layers.append(Layer(SET, node, SET, self.folders(self.first)))
