"""A calibration as a file: the posterior that scenarios name, with what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.assess.calibrate import CALIBRATED, MEMBERS, STEPS, Calibration, Progress, calibrate, prepare, processes
from forecast.assess.evidence import SPREADS
from forecast.assess.memory import identity_of, remembered
from forecast.ensemble.export import refuse_device
from forecast.ensemble.posterior import Posterior, write

if TYPE_CHECKING:
    import xarray as xr

    from forecast.scenario import Scenario


def posterior_of(found: Calibration, attrs: dict[str, Any]) -> Posterior:
    """The draws of a calibration with its diagnostics."""
    beliefs = found.learned
    priors = {name: belief.quantity.prior.text for name, belief in beliefs.items() if belief.quantity.prior}
    units = {name: belief.declaration.unit for name, belief in beliefs.items()}
    return Posterior(found.given, priors, units, attrs, diagnostics(found))


def diagnostics(found: Calibration) -> xr.Dataset:
    """What the data said.

    kept      (parameter) standard deviation over the prior's, both where the prior is standard normal
    shift     (parameter) mean in standard deviations of the prior
    surprise  (stage, draw, datum) what the replays left unexplained, under the prior and the posterior
    size      (stage, datum) how large it should be where the spread of its kind is one and luck plays no part
    noise     (stage, datum) what luck and errors of measurement add: standard deviation
    """
    import xarray as xr

    names = np.array(list(found.learned), object)
    told = (found.before, found.after)
    return xr.Dataset(
        {
            "kept": ("parameter", found.scores.std(axis=0), {"long_name": "Spread over that of the prior, where that is standard normal"}),
            "shift": ("parameter", found.scores.mean(axis=0), {"long_name": "Mean in standard deviations of the prior"}),
            "surprise": (
                ("stage", "draw", "datum"),
                np.stack([each.values for each in told]).astype(np.float32),
                {"long_name": "What the replays left unexplained"},
            ),
            "size": (
                ("stage", "datum"),
                np.stack([each.unit.mean(axis=0) for each in told]),
                {"long_name": "Standard deviation of surprises where the spread of their kind is one"},
            ),
            "noise": (
                ("stage", "datum"),
                np.stack([each.noise for each in told]),
                {"long_name": "Standard deviation of surprises by luck and errors of measurement alone"},
            ),
        },
        {"parameter": names, "stage": np.array(["prior", "posterior"], object), "datum": np.array(found.after.names, object)},
    )


def learn_file(
    scenario: Scenario,
    until: int,
    file: Path,
    seed: int = 1,
    *,
    members: int = MEMBERS,
    steps: int = STEPS,
    patterns: Sequence[str] = CALIBRATED,
    workers: int | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Posterior:
    """Calibrate a scenario on what was known when ``until`` was over, and write the posterior.

    resume  go on with an interrupted calibration
    force   replace an older file, or start again

    Raises ForecastError and its kin; see ``calibrate``.
    """
    prepare(scenario.world, until, members, steps, patterns)
    refuse_device(file)
    known = {"until": until, "members": members, "steps": steps, "parameters": list(patterns)}
    with remembered(file, identity_of(scenario, seed, **known), resume, force) as memory:
        found = calibrate(
            scenario.world, until, seed, members=members, steps=steps, patterns=patterns,
            engine=processes(workers), memory=memory, progress=progress,
        )  # fmt: skip
        title = f"Posterior of {scenario.name} on data to {until}"
        history = f"forecast calibrate {scenario.name} --until {until} --members {members} --seed {seed}"
        attrs = {"title": title, "history": history, "scenario": scenario.name, "until": until, "seed": seed, "steps": steps}
        return write(posterior_of(found, attrs), file)


def parameter_rows(posterior: Posterior) -> list[dict[str, Any]]:
    """A row for each parameter, those about which the data say most first."""
    assert posterior.extra is not None
    found = []
    for name, kept, shift in zip(*(posterior.extra[key].values.tolist() for key in ("parameter", "kept", "shift")), strict=True):
        low, middle, high = np.quantile(posterior.draws[name], (0.05, 0.5, 0.95)).tolist()
        row = {"parameter": name, "unit": posterior.units[name], "prior": posterior.priors[name], "q05": low, "q50": middle, "q95": high}
        found.append(row | {"spread_kept": kept, "shift": shift})
    return sorted(found, key=lambda row: row["spread_kept"])


def fit_rows(posterior: Posterior) -> list[dict[str, Any]]:
    """A row for each kind of evidence, in units of its size: surprises under prior and posterior, what luck makes of them, and
    the spread that was learned."""
    assert posterior.extra is not None
    told = posterior.extra
    kinds = np.array([kind_of(name) for name in told["datum"].values])
    found = []
    for kind, name in SPREADS.items():
        mine = kinds == kind
        if mine.any():
            surprise = told["surprise"].values[:, :, mine] / told["size"].values[:, None, mine]
            before, after = np.sqrt(np.median(surprise, axis=1) ** 2).mean(axis=-1).tolist()
            luck = float(np.sqrt(np.mean((told["noise"].values[1, mine] / told["size"].values[1, mine]) ** 2)))
            spread = float(np.median(posterior.draws[name])) if name in posterior.draws else None
            row = {"evidence": kind, "points": int(mine.sum()), "prior": before, "posterior": after}
            found.append(row | {"luck": luck, "spread": spread})
    return found


def kind_of(name: str) -> str:
    """Kind of evidence of a datum such as "growth mass_cars 2019"."""
    return max((kind for kind in SPREADS if name.startswith(kind)), key=len, default="")
