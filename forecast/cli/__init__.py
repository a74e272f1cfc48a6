"""The command line: every command is a call or two, and errors become one message and an exit code here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import click

from forecast import loading
from forecast.cli import answers, past, running, scenarios
from forecast.cli.face import Group, debugging
from forecast.errors import ForecastError
from forecast.stopping import INTERRUPTED, stoppable

CLUSTER = "--scheduler"

EPILOG = """
Exit codes: 0 done, 1 failure or an asked condition that does not hold, 2 wrong usage, 3 invalid scenario, 4 damaged or
foreign results, 5 locked by another run, 6 some realizations failed, 130 interrupted.
"""


@click.group(cls=Group, epilog=EPILOG)
@click.version_option(package_name="battery-forecast", message="%(prog)s %(version)s")
def cli() -> None:
    """Who will buy which battery, where, when, at what price; how sure are we; and what would change it?

    \b
    forecast run baseline                            simulate; results go to outputs/baseline
    forecast milestones outputs/baseline             when shares are passed, with probabilities
    forecast run lithium_surge                       another scenario, same luck
    forecast compare outputs/lithium_surge outputs/baseline
    """


for command in (*running.COMMANDS, *scenarios.COMMANDS, *answers.COMMANDS, *past.COMMANDS):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the program ``forecast``."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before we began
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as this process lives
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="replace")
    given = sys.argv[1:] if arguments is None else arguments
    loading.lightly(cluster=any(argument.startswith(CLUSTER) for argument in given))
    with stoppable():
        code = status(arguments)
    loading.leave(code)


def status(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = None if arguments is None else list(arguments)
    return exit_code(lambda: cli.main(args=given, prog_name="forecast", standalone_mode=False))


def exit_code(call: Callable[[], object]) -> int:
    """Call something; what it returns if that is a code, else the code of its error, whose message is shown."""
    try:
        code = call()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if debugging():
            raise
        click.echo(f"{error.filename or 'output'}: {error.strerror or error}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ForecastError as error:
        if debugging():
            raise
        click.echo(str(error), err=True)
        return error.exit_code
