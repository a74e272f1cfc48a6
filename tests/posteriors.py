"""Posteriors for tests: made up, every draw recognisable by its rank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from forecast.ensemble.design import beliefs
from forecast.ensemble.posterior import Posterior, write
from forecast.model.world import World

NUMBERS = ("chemistries.lfp.learning_rate", "lithium.first_price", "mines.quarry.cash_cost")
SIZE = 40


def posterior_of(world: World, numbers=NUMBERS, size: int = SIZE, shift: float = 0.0, **others: Any) -> Posterior:
    """A posterior of some numbers of a world: draw i of each is its value times 1 + shift + i/1000."""
    believed = beliefs(world)
    scale = 1 + shift + np.arange(size) / 1000
    return Posterior(
        draws={name: believed[name].quantity.value * scale for name in numbers},
        priors={name: believed[name].quantity.prior.text for name in numbers},
        units={name: believed[name].declaration.unit for name in numbers},
        **{"attrs": {"scenario": "small", "until": 2024, "seed": 7}} | others,
    )


def posterior_file(folder: Path, world: World, name: str = "posterior.nc", **options: Any) -> Path:
    """Write such a posterior to ``folder/NAME``."""
    write(posterior_of(world, **options), folder / name)
    return folder / name
