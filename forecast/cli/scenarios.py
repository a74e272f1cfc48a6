"""Commands about scenario files: list, show, validate, schema."""

from __future__ import annotations

from typing import Any

import click

from forecast.cli.face import Command, as_json, write_json, write_table
from forecast.errors import ScenarioError, StoreError

changes = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a number of the scenario; can be repeated.")


@click.command("list", cls=Command, short_help="The shipped scenarios.")
@as_json
def list_scenarios(as_json: bool) -> None:
    """List the shipped scenarios and why each exists.

    \b
    forecast list
    """
    from forecast.scenario import load, names

    rows = [{"scenario": name, "why": load(name).world.why} for name in names()]
    write_json(rows) if as_json else write_table(rows)


@click.command(cls=Command, short_help="A scenario fully resolved, or its sources.")
@click.argument("scenario")
@changes
@click.option("--sources", is_flag=True, help="Every number with its unit, prior and source, as a table.")
@as_json
def show(scenario: str, changes: tuple[str, ...], sources: bool, as_json: bool) -> None:
    """Print a scenario fully resolved: every number of the world, ready to be run again.

    \b
    forecast show lithium_surge > resolved.yaml
    forecast show baseline --sources
    forecast show baseline --set lithium.first_price=20000 --json
    """
    from forecast.scenario import dump, load, source_rows

    loaded = load(scenario, changes)
    posterior = loaded.posterior
    if sources:
        rows = [row._asdict() for row in source_rows(loaded)]
        write_json(rows) if as_json else write_table(rows)
    elif as_json:
        write_json(loaded.resolved)
    else:
        if posterior is not None:
            click.echo(f"# {len(posterior.taken(loaded.world))} numbers are drawn from {posterior.name} instead of their priors")
        click.echo(dump(loaded), nl=False)


@click.command(cls=Command, short_help="Check scenario files.")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@changes
@as_json
def validate(scenarios: tuple[str, ...], changes: tuple[str, ...], as_json: bool) -> int:
    """Check scenario files, and the posteriors they name, and list every problem with its file, line and key.

    \b
    forecast validate my_scenario.yaml
    forecast validate baseline --set lithium.first_price=-5
    """
    from forecast.scenario import load

    found: list[dict[str, Any]] = []
    codes = [0]
    for name in scenarios:
        problems: list[str] = []
        try:
            _ = load(name, changes).posterior
        except (ScenarioError, StoreError) as error:
            problems = error.problems if isinstance(error, ScenarioError) else [str(error)]
            codes.append(error.exit_code)
        found.append({"scenario": name, "valid": not problems, "problems": problems})
        if not as_json:
            for problem in problems:
                click.echo(problem, err=True)
            click.echo(f"{name}: {f'{len(problems)} problems' if len(problems) > 1 else '1 problem' if problems else 'valid'}")
    if as_json:
        write_json(found)
    return max(codes)


@click.command(cls=Command, short_help="JSON schema of scenario files.")
def schema() -> None:
    """Print the JSON schema of scenario files, for editors that complete and check.

    \b
    forecast schema > scenario.schema.json
    """
    from forecast.scenario import schema as make

    write_json(make())


COMMANDS = (list_scenarios, show, validate, schema)
