"""What all commands share: how they look, tables and JSON, the progress bar, ``--debug``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

DEBUG = "forecast.debug"
LOOK = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def debugging() -> bool:
    """Whether ``--debug`` was given anywhere on the command line."""
    return _seen[DEBUG]


_seen = {DEBUG: False}


def _remember(context: click.Context, option: click.Parameter, given: bool) -> None:
    if context.parent is None:
        _seen[DEBUG] = given
    else:
        _seen[DEBUG] |= given


def _debug() -> click.Option:
    return click.Option(["--debug"], is_flag=True, expose_value=False, callback=_remember, help="Show where an error came from.")


class Command(click.Command):
    """A command that knows ``-h`` and ``--debug``."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **{"context_settings": LOOK} | options)
        self.params.append(_debug())


class Group(click.Group):
    """The group of all commands, listed in the order in which one uses them."""

    command_class = Command

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **{"context_settings": LOOK} | options)
        self.params.append(_debug())

    def list_commands(self, context: click.Context) -> list[str]:
        """Names of the commands."""
        return list(self.commands)


SEED = click.IntRange(0, 2**63 - 1)
MOST = 2**31 - 1
"""Realizations that can be numbered, as in ``ensemble.plan``, which is slow to load."""
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
RESULTS = click.Path(path_type=Path, file_okay=True, exists=False)


def write_json(content: Any) -> None:
    """Print as JSON; numbers that JSON does not know become null."""
    click.echo(json.dumps(plain(content), indent=1, ensure_ascii=True, allow_nan=False))


def plain(value: Any) -> Any:
    """Any nested value as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def write_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Print rows below each other, aligned, cut nowhere; ``-`` where a row has no value."""
    columns = list(columns) or list(dict.fromkeys(key for row in rows for key in row))
    texts = [[_cell(row.get(column)) for column in columns] for row in rows]
    numbers = [all(_is_number(row.get(column)) for row in rows) for column in columns]
    widths = [max([len(column), *(len(line[i]) for line in texts)]) for i, column in enumerate(columns)]
    for line in [[column.replace("_", " ") for column in columns], *texts]:
        cells = (text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, numbers, strict=True))
        click.echo("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}".removesuffix(".0")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


@contextmanager
def progress_bar(title: str, first: str = "") -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the rate and the time that is left; shown once called with realizations done and wanted.

    first  what is said beside the title until more realizations are done
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f}/s" if speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True))
    title = title.replace("[", "\\[")
    task = bar.add_task(f"{title}, {first}" if first else title, total=None)
    begun: list[int] = []

    def report(done: int, wanted: int) -> None:
        bar.start()
        begun.append(done)
        bar.update(task, completed=done, total=wanted, description=title if done > begun[0] else None)

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()
