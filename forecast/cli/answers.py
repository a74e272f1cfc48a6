"""Commands that ask questions of results: milestones, curves, compare, plot, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from forecast.cli.face import RESULTS, Command, as_json, write_json, write_table

SUBJECTS = ("all", "overview", "adoption", "stack", "lithium", "prices", "programmes", "history")
NOT_SO = 1


@click.command(cls=Command, short_help="When shares are passed and technologies enter.")
@click.argument("folder", type=RESULTS, metavar="DIR")
@click.option("--segment", help="Only this segment; `all` for all together.")
@click.option("--chemistry", help="Only this chemistry.")
@click.option("--region", default="world", show_default=True, help="This region.")
@as_json
def milestones(folder: Path, segment: str | None, chemistry: str | None, region: str, as_json: bool) -> None:
    """When shares pass 1, 5, 10 and 50 %, sodium undercuts LFP, solid-state enters; "not by the end" counts.

    \b
    forecast milestones outputs/baseline --segment stationary_grid
    forecast milestones outputs/baseline --chemistry solid_state --json
    """
    from forecast.assess.milestones import milestones as found_in
    from forecast.assess.milestones import rows
    from forecast.ensemble.store import open_results

    table = _only(rows(found_in(open_results(folder)), region), segment=segment, chemistry=chemistry)
    write_json(table) if as_json else write_table(table)


@click.command(cls=Command, short_help="Fitted adoption curves with intervals.")
@click.argument("folder", type=RESULTS, metavar="DIR")
@click.option("--segment", help="Only this segment; `all` for all together.")
@click.option("--chemistry", help="Only this chemistry.")
@as_json
def curves(folder: Path, segment: str | None, chemistry: str | None, as_json: bool) -> None:
    """Fitted adoption curves by segment and chemistry, with intervals.

    \b
    forecast curves outputs/baseline --chemistry sodium_ion
    """
    from forecast.assess.curves import fit_curves, rows
    from forecast.ensemble.store import open_results

    table = _only(rows(fit_curves(open_results(folder))), segment=segment, chemistry=chemistry)
    if as_json:
        write_json(table)
        return
    write_table(table)
    click.echo("\nfive numbers: quantiles 5, 25, 50, 75 and 95 % over realizations; ceilings are shares, durations years")


def _only(rows: list[dict[str, Any]], **wanted: str | None) -> list[dict[str, Any]]:
    """Rows that have the wanted values; a name that no row has is an error."""
    for key, value in wanted.items():
        if value is not None:
            known = sorted({str(row[key]) for row in rows if key in row})
            if value not in known:
                raise click.UsageError(f"{key} {value}: not in these results; there are {', '.join(known)}")
            rows = [row for row in rows if row.get(key) == value]
    return rows


@click.command(cls=Command, short_help="What differs between scenarios, world by world.")
@click.argument("folders", nargs=-1, required=True, type=RESULTS, metavar="A B...")
@click.option("--output", "--netcdf", "output", type=click.Path(path_type=Path), help="Also write the comparison as netCDF.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Also draw the scenarios in one picture (.png, .svg, .pdf).")
@click.option("--segment", help="Only this segment in the table; `all` for all together.")
@click.option("--chemistry", help="Only this chemistry in the table.")
@click.option("--all", "show_all", is_flag=True, help="Also rows that luck may explain.")
@click.option("--unpaired", is_flag=True, help="For runs whose realizations do not share their luck.")
@click.option("--fail-if-different", is_flag=True, help="Exit 1 if any interval of A - B leaves out zero.")
@click.option("--fail-unless-different", is_flag=True, help="Exit 1 if every interval of A - B holds zero.")
@click.option("--level", type=click.Choice(["0.5", "0.9"]), default="0.9", show_default=True, help="Interval that these two look at.")
@as_json
def compare(
    folders: tuple[Path, ...],
    output: Path | None,
    picture: Path | None,
    segment: str | None,
    chemistry: str | None,
    show_all: bool,
    unpaired: bool,
    fail_if_different: bool,
    fail_unless_different: bool,
    level: str,
    as_json: bool,
) -> int:
    """Set A against each of the others, realization by realization: A - B with intervals, and chances.

    The table shows every fifth year, and of it what lies three standard errors from zero: the mean of A - B, or how much more
    often one of the two reaches a milestone. The netCDF file has it all.

    \b
    forecast compare outputs/lithium_surge outputs/baseline
    forecast compare outputs/baseline outputs/sodium_fast outputs/sodium_stall --plot sodium.png
    forecast compare outputs/mine outputs/baseline --fail-if-different && echo no difference
    """
    from forecast.assess.compare import compare_all, differs, rows, sure
    from forecast.assess.pictures import check_file
    from forecast.ensemble.export import refuse_device, write_netcdf
    from forecast.ensemble.store import open_results

    if len(folders) < 2:
        raise click.UsageError("compare needs at least two folders of results")
    if fail_if_different and fail_unless_different:
        raise click.UsageError("--fail-if-different and --fail-unless-different: give one of them")
    names = _names(folders)
    files = _files_of(output, names[1:]) if output else {}
    for file in files.values():
        refuse_device(file)
    if picture is not None:
        check_file(picture)
    named = {name: open_results(folder) for name, folder in zip(names, folders, strict=True)}
    found = compare_all(named, unpaired)
    tables = {name: _only(rows(comparison), segment=segment, chemistry=chemistry) for name, comparison in found.items()}
    if as_json:
        counted = {name: {key: comparison.attrs[key] for key in ("realizations", "left_out")} for name, comparison in found.items()}
        write_json({"a": next(iter(named)), "b": tables, "compared": counted})
    else:
        for name, table in tables.items():
            click.echo(f"{next(iter(named))} minus {name}")
            if left_out := found[name].attrs["left_out"]:
                click.echo(f"left out: {left_out}")
            fewer = min(found[name].attrs[key] for key in ("realizations", "realizations_b"))
            told = [row for row in table if show_all or sure(row, fewer)]
            for kind in ("measure", "milestone"):
                click.echo()
                write_table([row for row in told if kind in row])
            if len(told) < len(table):
                click.echo(f"\n{len(table) - len(told)} of {len(table)} rows differ by no more than luck may explain; --all shows them")
    for name, comparison in found.items() if output else ():
        write_netcdf(comparison, files[name])
    if picture is not None:
        from forecast.assess.pictures import save
        from forecast.report.plots import scenario_comparison

        save(scenario_comparison(named), picture)
    different = any(differs(comparison, float(level)) for comparison in found.values())
    return NOT_SO if (different and fail_if_different) or (fail_unless_different and not different) else 0


def _files_of(output: Path, names: list[str]) -> dict[str, Path]:
    """The file of each comparison: the one that is named, or of several one beside it for each."""
    if len(names) == 1:
        return {names[0]: output}
    files = {name: output.with_name(f"{output.stem}-{'-'.join(Path(name).parts).strip('-/')}{output.suffix}") for name in names}
    if len(set(files.values())) < len(names):
        raise click.UsageError(f"--output {output}: two of these folders would share a file; compare them one by one")
    return files


def _names(folders: tuple[Path, ...]) -> list[str]:
    """Short names of folders; whole paths where two are called the same."""
    short = [folder.absolute().name.encode(errors="replace").decode() for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise click.UsageError("the same folder is named twice")
    return names


@click.command(cls=Command, short_help="Draw pictures.")
@click.argument("folder", type=RESULTS, metavar="DIR")
@click.option("--what", type=click.Choice(SUBJECTS), default="all", show_default=True, help="The subject.")
@click.option("--segment", help="One segment large, for adoption and stack.")
@click.option("--output", type=click.Path(path_type=Path), help="File (.png, .svg, .pdf), or for all a folder [DIR/pictures].")
def plot(folder: Path, what: str, segment: str | None, output: Path | None) -> None:
    """Draw results; the observed past is drawn in.

    \b
    forecast plot outputs/baseline
    forecast plot outputs/baseline --what adoption --segment stationary_grid --output grid.svg
    forecast plot outputs/baseline --what lithium --output lithium.png
    """
    from forecast.assess.pictures import FORMATS, draw_all, picture, save
    from forecast.assess.produce import redraw
    from forecast.ensemble.execute import cores
    from forecast.ensemble.store import open_results

    if what == "all" and segment:
        raise click.UsageError("--segment goes with --what adoption or --what stack")
    if what == "all" and output is not None and output.suffix.lower() in FORMATS:
        raise click.UsageError(f"--output {output}: all pictures go into a folder; one into a file, with --what")
    if what == "all":
        files = redraw(folder) if output is None else draw_all(open_results(folder), output, cores())
    else:
        name = "-".join(part for part in (folder.absolute().name, what, segment) if part)
        files = [save(picture(open_results(folder), what, segment), output or Path(f"{name}.png"))]
    for file in files:
        click.echo(file)


@click.command(cls=Command, short_help="Write CSV or netCDF.")
@click.argument("folder", type=RESULTS, metavar="DIR")
@click.option("--format", "kind", type=click.Choice(["csv", "netcdf"]), default="csv", show_default=True)
@click.option("--variable", "variables", multiple=True, metavar="NAME", help="Every realization of this variable; can be repeated.")
@click.option("--all", "everything", is_flag=True, help="Every realization of all variables.")
@click.option("--output", type=click.Path(path_type=Path), help="File; CSV goes to the screen and netCDF to NAME.nc by default.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def export(folder: Path, kind: str, variables: tuple[str, ...], everything: bool, output: Path | None, force: bool) -> None:
    """Write the summary, or every realization of some variables, for other programs.

    \b
    forecast export outputs/baseline > summary.csv
    forecast export outputs/baseline --variable lithium_price --variable share_of_sales --output shares.csv
    forecast export outputs/baseline --format netcdf --all --output baseline.nc
    """
    from forecast.ensemble.export import chosen, export_csv, export_netcdf, write_csv
    from forecast.ensemble.store import open_results, open_summary

    content = chosen(open_results(folder), variables) if variables or everything else open_summary(folder)
    if kind == "netcdf":
        click.echo(export_netcdf(content, output or Path(f"{folder.absolute().name}.nc"), force))
    elif output is not None:
        click.echo(export_csv(content, output, force))
    else:
        write_csv(content, sys.stdout)


COMMANDS = (milestones, curves, compare, plot, export)
