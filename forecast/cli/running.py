"""Commands that make results and vouch for them: run, verify."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecast.cli.face import MOST, RESULTS, SEED, Command, as_json, progress_bar, write_json
from forecast.errors import RealizationError, StoreError

if TYPE_CHECKING:
    from forecast.ensemble.engines import Engine
    from forecast.ensemble.execute import Outcome
    from forecast.scenario import Scenario


@click.command(cls=Command, short_help="Simulate scenarios.")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option("-n", "--realizations", type=click.IntRange(1, MOST), default=100, show_default=True, help="How many worlds to simulate.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--workers", type=click.IntRange(1), help="Processes; all cores by default. Changes no number.")
@click.option("--scheduler", metavar="URL", help="Run on the dask cluster of this scheduler, such as tcp://10.0.0.1:8786.")
@click.option("--stage", metavar="URL", help="Let blocks travel from the cluster through here, such as s3://bucket/stage.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the run [outputs/NAME]; of several, the folder above.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a number of the scenario; can be repeated.")
@click.option("--resume", is_flag=True, help="Continue a run that was interrupted; does nothing if it is complete.")
@click.option("--force", is_flag=True, help="Replace older results, once the new ones are whole.")
@click.option("--monthly", is_flag=True, help="Keep every variable by month instead of by year.")
@click.option("--block", type=click.IntRange(1), help="Realizations computed and stored together; fewer need less memory.")
@click.option("--first", type=click.IntRange(0), default=0, help="Number of the first realization, to run one again or others besides.")
@click.option("--pictures/--no-pictures", default=None, help="Draw pictures, or none; by default of 10 realizations or more.")
@as_json
def run(
    scenarios: tuple[str, ...],
    realizations: int,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    stage: str | None,
    output: Path | None,
    changes: tuple[str, ...],
    resume: bool,
    force: bool,
    monthly: bool,
    block: int | None,
    first: int,
    pictures: bool | None,
    as_json: bool,
) -> int:
    """Simulate scenarios: shipped names (`forecast list`) or YAML files.

    \b
    forecast run baseline
    forecast run baseline -n 1000 --seed 7 --output outputs/large
    forecast run baseline --set lithium.first_price=20000 --output outputs/dear_lithium
    forecast run my_scenario.yaml --resume
    forecast run baseline -n 100000 --scheduler tcp://10.0.0.1:8786
    """
    from forecast.assess.produce import OUTPUTS, name_of, run_ensemble
    from forecast.ensemble.compiling import load_kept, notice
    from forecast.ensemble.execute import cores
    from forecast.loading import beside, copies
    from forecast.scenario import load

    if scheduler and workers:
        raise click.UsageError("--workers are processes here, and --scheduler computes elsewhere; give one of them")
    if stage and not scheduler:
        raise click.UsageError("--stage is for a cluster; name its --scheduler too")
    read = partial(_read, load, scenarios, changes)
    loaded = beside(read, meanwhile=load_kept) if not scheduler and copies(workers or cores()) else read()
    names = [name_of(scenario) for scenario in loaded]
    if twice := {name for name in names if names.count(name) > 1}:
        raise click.UsageError(f"two scenarios are called {', '.join(sorted(twice))} and would share a folder")
    outcomes = []
    with _engine(scheduler, stage) as engine:
        for name, scenario in zip(names, loaded, strict=True):
            folder = (output or OUTPUTS) / name if output is None or len(loaded) > 1 else output
            with progress_bar(name, "" if engine else notice()) as progress:
                outcome = run_ensemble(
                    scenario,
                    realizations,
                    seed,
                    folder=folder,
                    workers=workers,
                    engine=engine,
                    monthly=monthly,
                    block=block or 0,
                    first=first,
                    resume=resume,
                    force=force,
                    pictures=pictures,
                    progress=progress,
                )
            outcomes.append(_shown(folder, outcome))
            if not as_json:
                _tell(folder, outcome)
            if outcome.failed:
                _tell_failures(outcome)
    if as_json:
        write_json(outcomes)
    return RealizationError.exit_code if any(outcome["failed"] for outcome in outcomes) else 0


def _read(load: Callable[..., Scenario], names: Sequence[str], changes: Sequence[str]) -> list[Scenario]:
    """Scenarios with their posteriors: what is wrong with one is told before any work."""
    loaded = [load(name, changes) for name in names]
    for scenario in loaded:
        _ = scenario.posterior
    return loaded


def _engine(scheduler: str | None, stage: str | None) -> AbstractContextManager[Engine | None]:
    """The cluster that was asked for, connected; None if none was."""
    if scheduler is None:
        return nullcontext()
    from forecast.ensemble.cluster import Cluster

    return Cluster(scheduler, stage or "")


def _shown(folder: Path, outcome: Outcome) -> dict[str, Any]:
    return {
        "folder": folder,
        "realizations": outcome.realizations,
        "computed": outcome.computed,
        "seconds": outcome.seconds,
        "failed": outcome.failed,
    }


def _tell(folder: Path, outcome: Outcome) -> None:
    done = outcome.realizations - len(outcome.failed)
    if not outcome.seconds:
        click.echo(f"{folder}: complete already, {done} realizations")
    else:
        click.echo(f"{folder}: {done} realizations in {outcome.seconds:.1f} s")


def _tell_failures(outcome: Outcome) -> None:
    from forecast.ensemble.execute import failure_message

    click.echo(failure_message(outcome.failed, outcome.realizations, outcome.folder), err=True)


@click.command(cls=Command, short_help="Check that results are as they were written.")
@click.argument("folders", nargs=-1, required=True, type=RESULTS, metavar="DIR...")
@click.option("--values", is_flag=True, help="Print the SHA-256 of all values, the same for any chunks and workers.")
@as_json
def verify(folders: tuple[Path, ...], values: bool, as_json: bool) -> int:
    """Read every byte of results and compare it with what the run wrote.

    \b
    forecast verify outputs/baseline
    forecast verify outputs/baseline --values
    """
    from forecast.ensemble import store

    found = []
    for folder in folders:
        problems = store.verify(folder)
        report: dict[str, Any] = {"folder": folder, "sound": not problems, "problems": problems}
        if values and not problems:
            report["values_sha256"] = store.fingerprint(folder)
        found.append(report)
        if not as_json:
            for problem in problems:
                click.echo(problem, err=True)
            if not problems:
                click.echo(f"{folder}: sound" + (f", values {report['values_sha256']}" if values else ""))
    if as_json:
        write_json(found)
    sys.stdout.flush()
    return StoreError.exit_code if any(report["problems"] for report in found) else 0


COMMANDS = (run, verify)
