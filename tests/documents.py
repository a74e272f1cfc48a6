"""Reads the pages for people and plays their examples, one page in one folder, a small ensemble in place of a large one."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^(`{3,}|~{3,})([\w{}-]*)[^\n]*\n(.*?)^\1`*\s*$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# ([\w./-]+\.(?:yaml|py))\s*\n")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
SHIPPED_RUN = re.compile(r"\boutputs/(\w+)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NOT_RUN = ("git", "cd", "pip", "source", ".", "export", "open", "xdg-open", "sudo")
BY_SHELL = ("python", "cat", "ls", "head")
ON_RESULTS = ("run", "milestones", "curves", "compare", "export", "plot", "verify")
REALIZATIONS, BUYERS, LAST_YEAR = 2, 300, 2040


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block of a page: its language, its text and the line where the text begins."""

    kind: str
    text: str
    line: int


def pages(root: Path = ROOT) -> list[Path]:
    """README and all pages in docs."""
    return [page for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))) if page.is_file()]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in FENCE.finditer(text):
        yield Block(found[2], found[3], text.count("\n", 0, found.start(3)) + 1)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block and the output shown below each."""
    entered, shown = "", list[str]()
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            if entered:
                yield entered, "\n".join(shown)
            entered, shown = line[2:].strip(), []
        else:
            shown.append(line)
    if entered:
        yield entered, "\n".join(shown)


def matches(shown: str, real: str, exact: bool) -> bool:
    """Whether real output is what a page shows: ``...`` stands for anything, spaces do not count.

    exact  numbers must be equal too; an ensemble of another size has other numbers
    """

    def plain(text: str) -> str:
        lines = (" ".join(line.split()) for line in text.strip().splitlines())
        return "\n".join(line if exact else NUMBER.sub("#", line) for line in lines)

    pattern = ".*".join(re.escape(part.strip()) for part in plain(shown).split("..."))
    return re.fullmatch(pattern, plain(real), re.DOTALL) is not None


def small(scenario):
    """A scenario with few buyers and years."""
    buyers = scenario.world.buyers.model_copy(update={"number": BUYERS})
    world = scenario.world.model_copy(update={"buyers": buyers, "last_year": min(scenario.world.last_year, LAST_YEAR)})
    return dataclasses.replace(scenario, world=world)


def run_small(run_ensemble: Callable) -> Callable:
    """``run_ensemble`` that makes every ensemble a small one, in one block in this process, without pictures."""

    def run(scenario, realizations=REALIZATIONS, *given, **named):
        from forecast.scenario import load

        loaded = small(load(scenario) if isinstance(scenario, str | Path) else scenario)
        small_run = {"workers": 1, "block": REALIZATIONS, "pictures": False}
        return run_ensemble(loaded, min(realizations, REALIZATIONS), *given, **named | small_run)

    return run


def make_targets() -> set[str]:
    """What the Makefile says can be made."""
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


class Player:
    """Plays the examples of one page; files and variables stay from block to block.

    folder      where the page is played
    shipped     gives the folder of a small run of a shipped scenario, for pages that say ``make forecast``
    """

    def __init__(self, page: Path, folder: Path, shipped: Callable[[str], Path]):
        self.page, self.folder, self.shipped = page, folder, shipped
        self.variables: dict[str, object] = {"__name__": "__main__"}
        self.printed = ""
        self.made = False
        self.problems: list[str] = []

    @property
    def project(self) -> Path:
        """A copy of the project for examples that change the code; made when it is first needed."""
        copy = self.folder / "project"
        if not copy.is_dir():
            leave = shutil.ignore_patterns("outputs", "docs", ".*", "*.egg-info", "build")
            shutil.copytree(ROOT, copy, ignore=leave)
        return copy

    def play(self) -> list[str]:
        """Play all blocks; returns what went wrong, with the line."""
        for block in blocks(self.page.read_text(encoding="utf-8")):
            self.bring(block.text)
            play = {"console": self.console, "python": self.python, "yaml": self.yaml, "diff": self.diff, "text": self.text}.get(block.kind)
            if play is not None:
                play(block)
            self.printed = self.printed if block.kind == "python" else ""
        return self.problems

    def bring(self, text: str) -> None:
        """Put runs of shipped scenarios in place once the page has said ``make``."""
        for name in SHIPPED_RUN.findall(text) if self.made else ():
            if (ROOT / "scenarios" / f"{name}.yaml").is_file() and not (self.folder / "outputs" / name).exists():
                shutil.copytree(self.shipped(name), self.folder / "outputs" / name)

    def wrong(self, block: Block, problem: str) -> None:
        self.problems.append(f"{self.page.name}:{block.line}: {problem}")

    def console(self, block: Block) -> None:
        """Commands with the output they show."""
        for entered, shown in commands(block.text):
            word = shlex.split(entered)[0]
            if word == "make":
                self.make(block, entered)
            elif word == "forecast" or word in BY_SHELL:
                code, real, exact = self.forecast(entered) if word == "forecast" else self.shell(entered)
                fits = matches(shown, real, exact) if shown.strip() else code == 0
                if not fits or (code != 0 and not shown.strip()):
                    self.wrong(block, f"{entered}: exit {code}; printed\n{real}\ninstead of\n{shown}")
            elif word not in NOT_RUN:
                self.wrong(block, f"{entered}: this runner does not know {word}")

    def make(self, block: Block, entered: str) -> None:
        """Targets must exist; they are not made here."""
        self.made = True
        for target in (word for word in shlex.split(entered)[1:] if "=" not in word and not word.startswith("-")):
            run = SHIPPED_RUN.fullmatch(target)
            known = (ROOT / "scenarios" / f"{run[1]}.yaml").is_file() if run else target in make_targets()
            if not known:
                self.wrong(block, f"{entered}: no target {target}")

    def forecast(self, entered: str) -> tuple[int, str, bool]:
        """A command of ours, in this process; ``> FILE`` and ``| COMMAND`` as a shell understands them."""
        from forecast.cli import status

        command, _, pipe = entered.partition(" | ")
        command, _, file = command.partition(" > ")
        words = shlex.split(command)[1:]
        output, everything = io.StringIO(), io.StringIO()

        class Both(io.StringIO):
            def write(self, text: str) -> int:
                everything.write(text)
                return output.write(text)

        with contextlib.redirect_stdout(Both()), contextlib.redirect_stderr(everything):
            try:
                code = status(words)
            except SystemExit as leaving:
                code = int(leaving.code or 0)
        said = output.getvalue() if code == 0 else everything.getvalue()
        if file:
            Path(file.strip()).write_text(output.getvalue(), encoding="utf-8")
            said = said.removeprefix(output.getvalue())
        if pipe:
            said = subprocess.run(pipe, shell=True, input=said, capture_output=True, text=True, check=False).stdout
        return code, said, words[0] not in ON_RESULTS

    def shell(self, entered: str) -> tuple[int, str, bool]:
        """Another command; Python in the copy of the project if there is one."""
        changed = (self.folder / "project").is_dir() and entered.startswith("python")
        place = self.project if changed else self.folder
        command = f"{shlex.quote(sys.executable)}{entered.removeprefix('python')}" if entered.startswith("python") else entered
        return *self.process(command, place), False

    def process(self, command: str, place: Path) -> tuple[int, str]:
        environment = os.environ | {"PYTHONPATH": str(place), "COLUMNS": "200"}
        done = subprocess.run(command, shell=True, cwd=place, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + (done.stderr if done.returncode else "")

    def python(self, block: Block) -> None:
        """Python, or a file of the project when its first line names one."""
        if named := NAMED.match(block.text):
            file = self.project / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text[named.end() :], encoding="utf-8")
            return
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * (block.line - 1) + block.text, self.page.name, "exec"), self.variables)
        except Exception as error:  # noqa: BLE001 - whatever an example raises is reported
            self.wrong(block, f"{type(error).__name__}: {error}")
        self.printed = printed.getvalue()

    def text(self, block: Block) -> None:
        """What the Python block above prints."""
        if self.printed and not matches(block.text, self.printed, exact=False):
            self.wrong(block, f"printed\n{self.printed}\ninstead of\n{block.text}")

    def yaml(self, block: Block) -> None:
        """A scenario: named by its first line, or a part that is laid over the baseline."""
        from forecast.errors import ScenarioError
        from forecast.scenario import load

        named = NAMED.match(block.text)
        if named and "/" in named[1]:
            (self.project / named[1]).write_text(block.text, encoding="utf-8")
            code, said = self.process(f"{shlex.quote(sys.executable)} -m forecast validate {named[1]}", self.project)
            if code:
                self.wrong(block, said)
            return
        file = self.folder / (named[1] if named else "part.yaml")
        file.write_text(block.text if named else f"why: a part\nbase: baseline\n{block.text}", encoding="utf-8")
        try:
            load(file)
        except ScenarioError as error:
            if file.stem != "faulty":
                self.wrong(block, str(error))

    def diff(self, block: Block) -> None:
        """A change to a file of the project: lines with - go, lines with + come, the others must stand there."""
        first, *lines = block.text.splitlines()
        file = self.project / first.removeprefix("--- ").strip()
        for part in "\n".join(lines).split("\n@@\n"):
            rows = [row for row in part.removeprefix("@@\n").splitlines() if row]
            before = "\n".join(row[1:] for row in rows if row[0] != "+")
            after = "\n".join(row[1:] for row in rows if row[0] != "-")
            text = file.read_text(encoding="utf-8")
            if text.count(before) != 1:
                self.wrong(block, f"{file.name} holds {text.count(before)} times:\n{before}")
            file.write_text(text.replace(before, after, 1), encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The names to which a link can point inside a page, as GitHub and MyST make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#{1,6} (.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Links of a page that lead nowhere in the project."""
    text = FENCE.sub(lambda found: found[0] if found[2] == "{toctree}" else "", page.read_text(encoding="utf-8"))
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    for entries in (found[3] for found in FENCE.finditer(text) if found[2] == "{toctree}"):
        names = [entry.strip() for entry in entries.splitlines() if entry.strip() and not entry.startswith(":")]
        broken += [name for name in names if not (page.parent / f"{name}.md").is_file()]
    return broken
