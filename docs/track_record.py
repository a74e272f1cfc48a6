"""Write track-record.md: the hindcast as it is, good or bad (`make track-record`).

    python docs/track_record.py OUTPUTS

OUTPUTS holds hindcast/, calibration-check.nc and the runs of the scenarios; what is said besides stands in track-record.md.in.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import click
import numpy as np
import xarray as xr

from forecast.assess.evidence import SPREADS
from forecast.assess.learned import fit_rows, kind_of, parameter_rows
from forecast.assess.scores import CAVEAT, by_horizon, diebold_mariano, forecaster_rows, pooled, rows
from forecast.assess.synthetic import evenness
from forecast.assess.track import POOLED, read
from forecast.ensemble.export import read_netcdf
from forecast.ensemble.posterior import read as read_posterior
from forecast.errors import ForecastError
from forecast.report import track_record
from forecast.report.learned import identified
from forecast.scenario import shipped_folder
from writing import save, table

PAGE = Path(__file__).parent / "track-record.md"
PICTURES = PAGE.parent / "pictures"
DESIGN = (2018, 2019, 2020)
"""Origins that were looked at again and again while the model was changed."""
GOAL = {"cell_price": 0.2, "lithium_price": 0.2, "lfp_share_world": 0.2, "lfp_share_china": 0.2, "lfp_share_europe": 0.2}
GOAL |= {"lfp_share_united_states": 0.2, "ev_battery_demand": 0.0, "storage_demand": 0.0}
INTERVALS = {"coverage_50": (0.25, 0.75, 0.4, 0.6), "coverage_90": (0.05, 0.95, 0.8, 0.97)}
"""Quantiles between which an interval lies, and what share of values it should hold."""
TRIALS = 20_000
UNSEEN = 2025
"""The first year of which nothing was on file while the model was made."""
SHOWN = 20


def figure(value: float | None, form: str = "{:.2f}") -> str:
    """A number for a table."""
    return "-" if value is None else form.format(value)


def score_table(scored: xr.Dataset, origins: Iterable[int]) -> str:
    """Scores of the model beside its best rival, horizons together."""
    made = pooled(scored.sel(origin=list(origins)), POOLED)
    head = ("series", "points", "CRPS", "best rival", "its CRPS", "skill", "goal", "within 50 %", "within 90 %")
    body = [
        (
            row["series"], row["points"], figure(row["crps"], "{:.3f}"), row["best_rival"], figure(row["rival_crps"], "{:.3f}"),
            figure(row["skill"], "{:+.2f}"), f"above {GOAL[row['series']]:.1f}", figure(row["coverage_50"]), figure(row["coverage_90"]),
        )
        for row in rows(made)
    ]  # fmt: skip
    return table(head, body)


def verdict(scored: xr.Dataset, origins: Iterable[int]) -> str:
    """Which goals are met, in a sentence."""
    made = rows(pooled(scored.sel(origin=list(origins)), POOLED))
    met = [row["series"] for row in made if row["skill"] is not None and row["skill"] > GOAL[row["series"]]]
    missed = [f"{row['series']} ({figure(row['skill'], '{:+.2f}')})" for row in made if row["series"] not in met]
    half, wide = ([row["series"] for row in made if not holds(name, row[name])] for name in INTERVALS)
    told = f"Skill is above its goal for {len(met)} of {len(made)} series" + (
        f"; it falls short for {', '.join(missed)}. " if missed else ". "
    )
    told += f"The 90 % interval holds 80-97 % of the values for {len(made) - len(wide)} of {len(made)} series"
    told += f" (not for {', '.join(wide)})" if wide else ""
    told += f", the 50 % interval 40-60 % for {len(made) - len(half)}" + (f" (not for {', '.join(half)})." if half else ".")
    return told


def holds(interval: str, share: Any) -> Any:
    """Whether an interval holds as many values as it should."""
    _, _, least, most = INTERVALS[interval]
    return (least <= share) & (share <= most)


def were_it_right(made: xr.Dataset, scored: xr.Dataset) -> str:
    """How many goals of intervals are met if what comes is a member of the forecasts themselves, at random for each origin."""
    one = made.sel(forecaster="model", horizon=list(POOLED))
    forecast = one["prediction"].transpose("series", "origin", "horizon", "draw").values
    judged = scored["inside_90"].sel(forecaster="model", horizon=list(POOLED))
    known = judged.notnull().transpose("series", "origin", "horizon").values
    members = np.random.default_rng(1).integers(forecast.shape[-1], size=(forecast.shape[1], TRIALS))
    met = np.zeros(TRIALS, int)
    for name, (lower, upper, *_) in INTERVALS.items():
        low, high = np.nanquantile(forecast, (lower, upper), axis=-1)[..., None]
        inside = (low <= forecast) & (forecast <= high) & known[..., None]
        held = sum(inside[:, origin, :, members[origin]].sum(axis=-1) for origin in range(forecast.shape[1]))  # (trial, series)
        met += holds(name, held / known.sum(axis=(1, 2))).sum(axis=-1)
    here = sum(int(holds(name, row[name])) for row in rows(pooled(scored, POOLED)) for name in INTERVALS)
    goals, (few, many) = len(INTERVALS) * len(forecast), np.quantile(met, (0.05, 0.95))
    return (
        f"Points are few. Were every forecast right, that is, were what came one of its own {forecast.shape[-1]} members, drawn anew for "
        f"each origin (though origins share years, so that luck weighs more than this), {met.mean():.1f} of these {goals} goals for "
        f"intervals would be met on average, {few:.0f} to {many:.0f} in nine cases of ten, "
        f"and all of them in {100 * (met == goals).mean():.1g} % of cases. Here {here} are."
    )


def pooled_coverage(scored: xr.Dataset) -> str:
    """Coverage of all series together."""
    model = scored.sel(forecaster="model", horizon=list(POOLED))
    return f"{float(model['inside_50'].mean()):.2f} within 50 %, {float(model['inside_90'].mean()):.2f} within 90 %"


def all_forecasters(scored: xr.Dataset) -> str:
    """CRPS of everybody."""
    made = pooled(scored, POOLED)
    found: dict[str, dict[str, float]] = {}
    for row in forecaster_rows(made):
        found.setdefault(row["series"], {})[row["forecaster"]] = row["crps"]
    names = scored["forecaster"].values.tolist()
    body = [[series, *(figure(each.get(name), "{:.3f}") for name in names)] for series, each in found.items()]
    return table(("series", *names), body)


def horizons(scored: xr.Dataset) -> str:
    """Skill against the best rival by horizon."""
    made = by_horizon(scored)
    years = made["horizon"].values.tolist()
    found = {
        name: [figure(float(made["skill"].sel(series=name, horizon=year)), "{:+.2f}") for year in years]
        for name in made["series"].values.tolist()
    }
    return table(("series", *(f"{year} year{'s' * (year > 1)}" for year in years)), [(name, *each) for name, each in found.items()])


def tests(scored: xr.Dataset) -> str:
    """Diebold-Mariano at the shortest horizon."""
    best = pooled(scored, POOLED)["best_rival"]
    body = []
    for name in scored["series"].values.tolist():
        found = diebold_mariano(scored, name, str(best.sel(series=name).item()), 1)
        if found is not None:
            body.append((name, best.sel(series=name).item(), figure(found["statistic"], "{:+.2f}"), figure(found["p"]), found["n"]))
    return (
        table(("series", "best rival", "statistic", "p", "n"), body) + "\n\n" + CAVEAT.format(n=scored.sizes["origin"]).capitalize() + "."
    )


def lithium_fans(made: xr.Dataset) -> str:
    """Whether the fans of 2020 and 2021 hold the peak of 2022 and the trough of 2024."""
    body = []
    for origin in (2020, 2021):
        for year in (2022, 2024):
            one = made.sel(series="lithium_price", origin=origin, horizon=year - origin)
            draws = one["prediction"].sel(forecaster="model")
            low, middle, high = draws.quantile((0.05, 0.5, 0.95), "draw").values.tolist()
            value = float(one["observed"])
            inside = "inside" if low <= value <= high else "outside"
            above = f"{100 * float((draws > value).mean()):.1f} %"
            body.append((origin, year, f"{value:,.0f}", f"{middle:,.0f}", f"{low:,.0f} to {high:,.0f}", inside, above))
    return table(("from the end of", "year", "observed USD/t", "median", "90 %", "", "members above it"), body)


def unseen(made: xr.Dataset, scored: xr.Dataset) -> str:
    """What was forecast of the first year that nobody had seen, from each year in whose scores it counts."""
    best = pooled(scored, POOLED)["best_rival"]
    body, held, better, best_of_all = [], [], [], []
    for name in made["series"].values.tolist():
        for ahead in POOLED:
            place = {"series": name, "origin": UNSEEN - ahead, "horizon": ahead}
            one, rival = made.sel(place), str(best.sel(series=name).item())
            came, points = float(one["observed"]), scored["crps"].sel(place)
            if np.isnan(came):
                continue
            draws = one["prediction"].sel(forecaster="model")
            low, lower, middle, upper, high = draws.quantile((0.05, 0.25, 0.5, 0.75, 0.95), "draw").values
            inside = "within 50 %" if lower <= came <= upper else "within 90 %" if low <= came <= high else "outside"
            own, other = (float(points.sel(forecaster=who)) for who in ("model", rival))
            told = (f"{value:,.0f}" for value in (came, middle, low, high))
            body.append((name, UNSEEN - ahead, *told, inside, figure(own, "{:.3f}"), rival, figure(other, "{:.3f}")))
            if ahead == 1:
                held.append(inside == "within 50 %")
                better.append(own < other)
                best_of_all.append(own <= float(points.min()))
    head = ("series", "from the end of", f"came in {UNSEEN}", "median", "5 %", "95 %", "", "CRPS", "best rival", "its CRPS")
    return (
        f"From the end of {UNSEEN - 1}, the 50 % interval holds {sum(held)} of {len(held)} values; the CRPS is smaller than that of the "
        f"rival that is best over all origins for {sum(better)}, and than that of every rival for {sum(best_of_all)}. "
        f"So few figures of one year say little; more will follow.\n\n{table(head, body)}"
    )


def brief(value: float) -> str:
    """Three digits, or enough to tell years apart."""
    return f"{value:.3g}" if value < 1000 else f"{value:.5g}"


def learned() -> tuple[str, str]:
    """What the shipped posterior knows: parameters, and the size of surprises."""
    posterior = read_posterior(shipped_folder() / "posterior-2024.nc")
    head = ("parameter", "prior", "5 %", "median", "95 %", "spread kept", "shift")
    body = [
        (
            f"`{row['parameter']}`",
            row["prior"],
            *(brief(row[key]) for key in ("q05", "q50", "q95")),
            figure(row["spread_kept"]),
            figure(row["shift"], "{:+.2f}"),
        )
        for row in parameter_rows(posterior)[:SHOWN]
    ]
    fit = [
        (row["evidence"], row["points"], *(figure(row[key]) for key in ("prior", "posterior", "luck", "spread")))
        for row in fit_rows(posterior)
    ]
    assert posterior.extra is not None
    save(identified(posterior.extra, "What the years to 2024 say of the parameters"), PICTURES / "calibration.png")
    return table(head, body), table(("evidence", "points", "under the prior", "under the posterior", "luck alone", "spread learned"), fit)


def rejection() -> str:
    """How far the members of the prior are from the data, and those that a smoother has moved."""
    posterior = read_posterior(shipped_folder() / "posterior-2024.nc")
    assert posterior.extra is not None
    told = posterior.extra
    spread = np.array([np.median(posterior.draws[SPREADS[kind_of(name)]]) for name in told["datum"].values])
    variance = (told["size"].values * spread) ** 2 + 2.0 * told["noise"].values ** 2
    misfit = (told["surprise"].values ** 2 / variance[:, None]).sum(axis=-1)
    weight = np.exp(-0.5 * (misfit[0] - misfit[0].min()))
    best = np.sort(misfit[0])[: max(len(weight) // 20, 1)]
    size = weight.sum() ** 2 / (weight**2).sum()
    body = [
        ("prior", misfit.shape[1], f"{np.median(misfit[0]):.0f}"),
        ("best 5 % of the prior (rejection)", len(best), f"{np.median(best):.0f}"),
        ("prior, weighted by likelihood", f"worth {size:.1f} draws", f"{(weight * misfit[0]).sum() / weight.sum():.0f}"),
        ("smoother", misfit.shape[1], f"{np.median(misfit[1]):.0f}"),
    ]
    data = told.sizes["datum"]
    return f"Misfit is the sum of {data} squared surprises, each over its learned size ({data} expected):\n\n" + table(
        ("members", "number", "misfit"), body
    )


def checked(file: Path) -> str:
    """Ranks of the truth in made-up pasts."""
    found = read_netcdf(file)
    made, trials = evenness(found), found.sizes["trial"]
    columns = [f"t{i}" for i in range(1, 11)]
    body = [
        (
            row["parameters"],
            row["number"],
            figure(row["within_50"]),
            figure(row["within_90"]),
            *(f"{100 * row[key]:.0f}" for key in columns),
        )
        for row in made
    ]
    head = ("parameters", "number", "within 50 %", "within 90 %", *(f"tenth {i}" for i in range(1, 11)))
    return f"{trials} made-up pasts; percent of truths in each tenth of the draws (10 if even):\n\n" + table(head, body)


REASONS = {
    "cell_price": "from the end of 2022 the model expected dear lithium to last, and from no year the price war of 2024.",
    "lithium_price": "from the end of 2022 the model expected the shortage to last for years; it ended within months, as more mines and "
    "stocks came than the deposits and the first prints said.",
    "lfp_share_world": "it moves by decisions of few carmakers.",
    "lfp_share_china": "it moves by decisions of few carmakers.",
    "lfp_share_europe": "Tesla brought LFP cars to Europe in 2021, which nothing on record had announced, and the share fell in 2022. One "
    "maker is a market here, and the model has no carmakers.",
    "lfp_share_united_states": "it moves by decisions of few carmakers.",
    "ev_battery_demand": "surprises in growth are as large as those of wind and solar were, and what last quarters tell makes "
    "forecasts better than that.",
    "storage_demand": "cells shipped tripled in 2022, ahead of installations; the series is scored on few years, and growth before 2021 "
    "rests on estimates.",
}
"""Why a series falls short, where it does; written after looking at the forecasts."""


def shortfalls(scored: xr.Dataset) -> str:
    """The series that miss their goal or whose intervals are off, each with its reason."""
    lines = []
    for row in rows(pooled(scored, POOLED)):
        missed = row["skill"] is None or row["skill"] <= GOAL[row["series"]]
        if missed or not all(holds(name, row[name]) for name in INTERVALS):
            skill = f"skill {figure(row['skill'], '{:+.2f}')} (goal above {GOAL[row['series']]:.1f})"
            told = f"{skill}, 50 % holds {figure(row['coverage_50'])}, 90 % {figure(row['coverage_90'])}"
            lines.append(f"- **{row['series']}**: {told}; {REASONS[row['series']]}")
    return "\n".join(lines) or "Nothing, by the goals of this page."


def pictures(made: xr.Dataset, scored: xr.Dataset) -> str:
    """All pictures, and the lines that show them."""
    best = pooled(scored, POOLED)["best_rival"]
    drawn: Mapping[str, Any] = {
        "skill": lambda: track_record.skill(by_horizon(scored)),
        "pit": lambda: track_record.pit(scored),
        **{
            name: lambda name=name: track_record.fans(made, name, str(best.sel(series=name).item()))
            for name in made["series"].values.tolist()
        },
    }
    lines = []
    for name, draw in drawn.items():
        file = f"hindcast-{name.replace('_', '-')}.png"
        save(draw(), PICTURES / file)
        title = str(made["title"].sel(series=name).item()) if name in made["series"] else {"skill": "Skill by horizon", "pit": "PIT"}[name]
        lines.append(f"![{title}](pictures/{file})")
    return "\n\n".join(lines)


def write(outputs: Path) -> str:
    """Write the page; returns it."""
    made, scored = read(outputs / "hindcast")
    origins = made["origin"].values.tolist()
    later = [origin for origin in origins if origin not in DESIGN]
    parameters, surprises = learned()
    words = {
        "members": str(made.attrs["members"]),
        "design": ", ".join(map(str, DESIGN)),
        "verdict": verdict(scored, origins),
        "all_origins": score_table(scored, origins),
        "design_origins": score_table(scored, DESIGN),
        "later_origins": score_table(scored, later),
        "coverage": pooled_coverage(scored),
        "luck": were_it_right(made, scored),
        "forecasters": all_forecasters(scored),
        "horizons": horizons(scored),
        "tests": tests(scored),
        "lithium": lithium_fans(made),
        "unseen": unseen(made, scored),
        "parameters": parameters,
        "surprises": surprises,
        "rejection": rejection(),
        "check": checked(outputs / "calibration-check.nc"),
        "shortfalls": shortfalls(scored),
        "pictures": pictures(made, scored),
    }
    text = Template(PAGE.with_suffix(".md.in").read_text(encoding="utf-8")).substitute(words)
    PAGE.write_text(text, encoding="utf-8")
    return text


def main(arguments: Sequence[str]) -> None:
    """Write the page and say how it went."""
    try:
        write(Path(arguments[0] if arguments else "outputs"))
    except ForecastError as error:
        sys.exit(str(error))
    click.echo(f"docs/{PAGE.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
