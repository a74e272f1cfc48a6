"""Commands that learn from the past and are judged by it: calibrate, hindcast."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from forecast.cli.face import SEED, Command, as_json, progress_bar, write_json, write_table
from forecast.errors import RequestError

YEARS = re.compile(r"(\d{1,4})(?:\.\.(\d{1,4}))?")
SHOWN = 15


class Range(click.ParamType):
    """Whole numbers: ``2018..2024``, ``2020``, or several with commas."""

    name = "A..B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers, rising."""
        if isinstance(value, tuple):
            return value
        found: set[int] = set()
        for part in str(value).split(","):
            match = YEARS.fullmatch(part.strip())
            if match is None or (match[2] and int(match[2]) < int(match[1])):
                self.fail(f"{value!r}: must be whole numbers, rising, such as 3..5, 4 or 3,5", param, ctx)
            found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
        return tuple(sorted(found))


def shared(command: Any) -> Any:
    """Options of long work on the past."""
    for option in (
        click.option("--members", type=click.IntRange(1), help="Size of the ensemble [600]."),
        click.option("--seed", type=SEED, default=1, show_default=True, help="Same seed, same result."),
        click.option("--workers", type=click.IntRange(1), help="Processes; all cores by default. Changes no number."),
        click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a number of the scenario; can be repeated."),
        click.option("--resume", is_flag=True, help="Continue work that was interrupted."),
        click.option("--force", is_flag=True, help="Replace an older result once the new one is whole, or unfinished work."),
    ):
        command = option(command)
    return command


@click.command(cls=Command, short_help="Learn parameters from the past.")
@click.argument("scenario")
@click.option("--until", type=int, required=True, metavar="YEAR", help="Last year whose numbers may be used, as they were known then.")
@click.option("--output", type=click.Path(path_type=Path), help="File of the posterior [posterior-YEAR.nc].")
@click.option("--parameters", multiple=True, metavar="PATTERN", help="Numbers to learn, such as 'lithium.*'; can be repeated.")
@click.option("--check", type=click.IntRange(1), metavar="N", help="Instead, calibrate N made-up pasts [150 members]: is the truth found?")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw what was learned into this file.")
@shared
@as_json
def calibrate(
    scenario: str,
    until: int,
    output: Path | None,
    parameters: tuple[str, ...],
    members: int | None,
    check: int | None,
    picture: Path | None,
    changes: tuple[str, ...],
    as_json: bool,
    **work: Any,
) -> None:
    """Learn the parameters of a scenario from what was known when a year was over, and write the posterior.

    A scenario names the file to use it: `prior: posterior-2024.nc`.

    \b
    forecast calibrate baseline --until 2024 --output posterior-2024.nc
    forecast calibrate baseline --until 2020 --parameters 'lithium.*' --parameters 'mining.*'
    """
    from forecast.assess.calibrate import CALIBRATED, MEMBERS
    from forecast.assess.learned import fit_rows, learn_file, parameter_rows
    from forecast.assess.pictures import check_file, save
    from forecast.scenario import load

    if check is not None:
        if parameters or picture or work["resume"]:
            raise click.UsageError("--check goes without --parameters, --picture and --resume")
        _check(load(scenario, changes), until, check, output or Path(f"calibration-check-{until}.nc"), members, as_json, **work)
        return
    if picture is not None:
        check_file(picture)
    file = output or Path(f"posterior-{until}.nc")
    with progress_bar(f"calibrate {until}") as progress:
        posterior = learn_file(
            load(scenario, changes), until, file,
            members=members or MEMBERS, patterns=parameters or CALIBRATED, progress=progress, **work,
        )  # fmt: skip
    if picture is not None:
        from forecast.report.learned import identified

        assert posterior.extra is not None
        save(identified(posterior.extra, f"What the years to {until} say of the parameters"), picture)
    learned, fit = parameter_rows(posterior), fit_rows(posterior)
    if as_json:
        write_json({"file": file, "until": until, "draws": posterior.size, "parameters": learned, "fit": fit})
        return
    write_table([{key: value for key, value in row.items() if key != "unit"} for row in learned[:SHOWN]])
    click.echo(f"and {max(len(learned) - SHOWN, 0)} more, about which the data say less\n")
    write_table(fit)
    click.echo(f"\n{file}: {posterior.size} draws of {len(learned)} parameters")


def _check(scenario: Any, until: int, trials: int, file: Path, members: int | None, as_json: bool, **work: Any) -> None:
    """Simulation-based calibration: the ranks of the truth should be even."""
    from forecast.assess.calibrate import prepare, processes
    from forecast.assess.synthetic import CHECK_MEMBERS, evenness, ranks
    from forecast.ensemble.export import refuse_existing, write_netcdf

    members, engine = members or CHECK_MEMBERS, processes(work["workers"])
    prepare(scenario.world, until, members)
    refuse_existing(file, work["force"])
    with progress_bar("made-up pasts") as progress:
        found = ranks(scenario.world, until, trials, work["seed"], members=members, engine=engine, progress=progress)
    write_netcdf(found, file)
    table = evenness(found)
    if as_json:
        write_json({"file": file, "trials": trials, "ranks": table})
        return
    write_table(table)
    click.echo(f"\n{file}: ranks of the truth among the draws, {trials} made-up pasts")


@click.command(cls=Command, short_help="The track record: forecasts from past years, scored.")
@click.argument("scenario", default="baseline")
@click.option("--origins", type=Range(), default="2018..2024", show_default=True, help="Years from whose end to forecast.")
@click.option("--horizon", type=Range(), default="1..5", show_default=True, help="Years ahead.")
@click.option("--series", multiple=True, metavar="NAME", help="Only this series; can be repeated.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("outputs/hindcast"), show_default=True, help="Folder.")
@click.option("--no-pictures", is_flag=True, help="Draw no pictures.")
@shared
@as_json
def hindcast(
    scenario: str,
    origins: tuple[int, ...],
    horizon: tuple[int, ...],
    series: tuple[str, ...],
    output: Path,
    members: int | None,
    no_pictures: bool,
    changes: tuple[str, ...],
    as_json: bool,
    **work: Any,
) -> None:
    """Replay past years with what was known then, forecast on, and score the years that followed beside naive rivals.

    \b
    forecast hindcast
    forecast hindcast baseline --origins 2020..2022 --horizon 1..3 --output outputs/short
    """
    from forecast.assess.calibrate import MEMBERS
    from forecast.assess.observables import OBSERVABLES
    from forecast.assess.scores import CAVEAT
    from forecast.assess.track import POOLED, record
    from forecast.scenario import load

    if len(horizon) > 1 and horizon != tuple(range(1, horizon[-1] + 1)):
        raise RequestError(f"--horizon: must begin with 1, such as 1..{horizon[-1]}; every year up to the last is forecast and scored")
    with progress_bar("hindcast") as progress:
        table = record(
            load(scenario, changes), output, origins, max(horizon), names=tuple(dict.fromkeys(series)) or tuple(OBSERVABLES),
            members=members or MEMBERS, pictures=not no_pictures, progress=progress, **work,
        )  # fmt: skip
    together = [year for year in POOLED if year <= max(horizon)]
    if as_json:
        write_json({"folder": output, "horizons": together, "scores": table})
        return
    write_table(table)
    click.echo(f"\nhorizons {together[0]} to {together[-1]} years together; skill: 1 - CRPS / CRPS of the best rival")
    click.echo(CAVEAT.format(n=len(origins)))
    click.echo(str(output))


COMMANDS = (calibrate, hindcast)
