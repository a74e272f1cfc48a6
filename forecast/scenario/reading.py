"""YAML 1.2 text to nodes that remember their file and line; refuses everything that a scenario does not need.

Aliases, anchors, tags and merge keys are refused (a few lines of them can expand to gigabytes), and so are duplicate keys,
several documents, control characters, deep nesting and large files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from forecast.errors import ScenarioError

LARGEST_FILE = 2_000_000
MOST_VALUES = 40_000
DEEPEST = 12
MOST_PROBLEMS = 200
MOST_KEPT = 64
LONGEST_SHOWN = 60
LONGEST_INTEGER = 30
NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
IN_PLAIN_WORDS = {
    "found character that cannot start any token": "a tab, or a text that begins with @, ` or %; must be spaces, or the text in quotes",
    "could not find expected ':'": "a line without colon; must be written KEY: VALUE",
    "did not find expected key": "no key where one must be; is it indented like its neighbours, is a quote or bracket left over?",
    "mapping values are not allowed in this context": "a colon where none can be; is it in a text without quotes, or badly indented?",
    "block sequence entries are not allowed in this context": "a list entry (-) where none can be; must be on a line of its own",
    "did not find expected ',' or '}'": "a { that is not closed, or a comma left out",
    "did not find expected ',' or ']'": "a [ that is not closed, or a comma left out",
    "did not find expected node content": "a comma, bracket or colon where a value must be",
    "did not find expected '-' indicator": "neither a list entry (-) nor the end of the list; is it indented like its neighbours?",
    "found unexpected end of stream": "a quote that is not closed",
    "found unexpected document indicator": "a quote that is not closed before ---",
    "found unknown escape character": "an unknown letter after \\; must be \\\\, or the text be in single quotes",
    "found invalid Unicode character escape code": "\\u or \\U with a number that is no character",
    "did not find expected hexdecimal number": "\\x, \\u or \\U without its digits",
    "did not find expected alphabetic or numeric character": "& or * without a name; a text that begins so must be in quotes",
    "did not find expected comment or line break": "something after | or > on the same line; the text must begin on the next",
    "did not find expected <document start>": "text after the end of the document, or a line that begins with %",
    "did not find expected whitespace or line break": "a tag (!) that does not end; a text that begins with ! must be in quotes",
}
"""What libyaml says, and what it means to somebody who writes a file."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {word: None for word in ("", "~", "null", "Null", "NULL")}
_WORDS |= {word: True for word in ("true", "True", "TRUE")} | {word: False for word in ("false", "False", "FALSE")}
_WORDS |= {sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}


@dataclass(frozen=True)
class Place:
    """Where something was written; line 0 if it was not in a file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Node:
    """A value of the file: a dict of nodes, a list of nodes, text, number, flag or None."""

    value: Any
    place: Place
    size: int = 1
    """Of a whole document: keys and values in it."""


class _Refused(Exception):
    def __init__(self, line: int, problem: str):
        self.line, self.problem = line, problem


def read_file(path: Path, shown: str) -> Node:
    """The mapping in a file; ``shown`` is the file name in messages. Raises ScenarioError."""
    try:
        if not path.is_file():
            raise ScenarioError([f"{shown}: {_not_a_file(path)}"])
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ScenarioError([f"{shown}: cannot be read: {error.strerror}"]) from error
    if len(data) > LARGEST_FILE:
        raise ScenarioError([f"{shown}: larger than {LARGEST_FILE // 1_000_000} MB"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScenarioError([f"{shown}:{line} not UTF-8 text; must be saved as UTF-8"]) from error
    node = read_text(text, shown)
    if node.value is None:
        raise ScenarioError([f"{shown}: empty; must say at least why: and base:"])
    if not isinstance(node.value, dict):
        raise ScenarioError([f"{node.place} must be a mapping of names to values"])
    return node


def _not_a_file(path: Path) -> str:
    """Why a path cannot be read; nothing is opened that could wait or never end."""
    if path.is_dir():
        return "a folder; must be a YAML file"
    if path.exists():
        return "a device or a pipe; must be a YAML file"
    return "a link that leads nowhere" if path.is_symlink() else "no such file"


def short(text: object, most: int = LONGEST_SHOWN) -> str:
    """Text of a file as messages show it: on one line, no longer than ``most``."""
    said = "".join(letter if letter.isprintable() else "?" for letter in str(text)[: most + 1])
    return said if len(said) <= most else f"{said[: most - 3]}..."


def shown(node: Node) -> str:
    """A node for a message, short."""
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    if node.value is None or isinstance(node.value, bool):
        return {None: "null", True: "true", False: "false"}[node.value]
    return repr(short(node.value)) if isinstance(node.value, str) else short(node.value)


@lru_cache(maxsize=MOST_KEPT)
def read_text(text: str, shown: str, numbered: bool = True) -> Node:
    """The one document in a text. Raises ScenarioError with file and line (without line unless ``numbered``).

    The last texts are kept in memory, because many scenarios share the files of the world; so nodes must not be changed.
    """
    from yaml import MarkedYAMLError, YAMLError, parse

    problems: list[str] = []

    def place(line: int) -> Place:
        return Place(shown, line if numbered else 0)

    if found := NOT_TEXT.search(text):
        line, character = text.count("\n", 0, found.start()) + 1, ord(found.group())
        raise ScenarioError([f"{place(line)} not YAML: a character that is no text (U+{character:04X}); must be saved as plain UTF-8 text"])
    try:
        return _document(parse(text, Loader=_loader()), place, problems)
    except _Refused as refused:
        raise ScenarioError([*problems, f"{place(refused.line)} {refused.problem}"]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScenarioError([*problems, f"{place(mark.line + 1 if mark else 0)} not YAML: {_plainly(error)}"]) from error
    except YAMLError as error:
        raise ScenarioError([*problems, f"{shown}: not YAML: {' '.join(str(error).split())[:200]}"]) from error
    except (ValueError, OverflowError) as error:
        raise ScenarioError([*problems, f"{shown}: not YAML: {error}"]) from error


def _plainly(error: Any) -> str:
    """What a parser found wrong."""
    said = str(error.problem or error.context)
    return IN_PLAIN_WORDS.get(said, said)


def _loader() -> Any:
    """libyaml's parser, ten times quicker than one in Python, which serves where a platform lacks it.

    Only its events are used: what a scalar means is decided here, as YAML 1.2 has it.
    """
    import yaml

    return yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def _document(events: Iterator[Any], place: Any, problems: list[str]) -> Node:
    """Build nodes from parser events with a stack of our own, so depth is ours to limit."""
    import yaml as kinds

    root: list[Node] = []
    open_: list[_Opened] = []
    documents = values = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, kinds.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Refused(line, "a second document begins here; a scenario is one document")
        if isinstance(event, kinds.NodeEvent):
            _refuse_indirection(event, line)
            values += 1
            if values > MOST_VALUES:
                raise _Refused(line, f"more than {MOST_VALUES:,} keys and values; a scenario has a few thousand")
        if isinstance(event, kinds.CollectionStartEvent):
            if len(open_) >= DEEPEST:
                raise _Refused(line, f"nested deeper than {DEEPEST} levels")
            open_.append(_Opened({} if isinstance(event, kinds.MappingStartEvent) else [], place(line)))
            continue
        if isinstance(event, kinds.ScalarEvent):
            node = Node(_scalar(event, line), place(line))
        elif isinstance(event, kinds.CollectionEndEvent):
            closed = open_.pop()
            node = Node(closed.held, closed.place)
        else:
            continue
        if open_:
            open_[-1].take(node, line, problems, open_)
            if len(problems) >= MOST_PROBLEMS:
                raise _Refused(line, f"more than {MOST_PROBLEMS} problems; the first are shown")
        else:
            root.append(node)
    if problems:
        raise ScenarioError(problems)
    return Node(root[0].value, root[0].place, values) if root else Node(None, place(1))


class _Opened:
    """A mapping or list that is being read."""

    def __init__(self, held: Any, place: Place):
        self.held, self.place = held, place
        self.key: Node | None = None

    def take(self, node: Node, line: int, problems: list[str], around: list[_Opened]) -> None:
        if isinstance(self.held, list):
            self.held.append(node)
        elif self.key is None:
            if isinstance(node.value, dict | list | bool) or node.value is None or node.value != node.value:
                raise _Refused(line, "a key must be a text or a number")
            self.key = node
        else:
            key = self.key.value
            if key in self.held:
                where = ".".join(short(opened.key.value) for opened in around if opened.key)
                first = f" (first on line {self.held[key].place.line})" if self.held[key].place.line else ""
                problems.append(f"{self.key.place} {where}: given twice{first}; must be given once")
            self.held.setdefault(key, Node(node.value, self.key.place))
            self.key = None


def _refuse_indirection(event: Any, line: int) -> None:
    import yaml as kinds

    if isinstance(event, kinds.AliasEvent) or event.anchor is not None:
        raise _Refused(line, "anchors (&) and aliases (*) are not allowed; write the value out, or use base:")
    if getattr(event, "tag", None) is not None:
        raise _Refused(line, f"tags are not allowed: {str(event.tag)[:40]}")


def _scalar(event: Any, line: int) -> Any:
    text = event.value
    if not text.isprintable() and any(not character.isprintable() and character not in "\n\t" for character in text):
        raise _Refused(line, f"{short(text)!r}; control characters and invisible ones are not allowed")
    if not event.implicit[0]:
        return text
    if text == "<<":
        raise _Refused(line, "merge keys (<<) are not allowed; use base:")
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) <= LONGEST_INTEGER:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
