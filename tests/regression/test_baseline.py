"""The shipped baseline, small, against stored numbers: results change only on purpose.

``make baseline-numbers`` stores new ones; say why in CHANGELOG.md under "Results changed".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from forecast.ensemble.design import draw
from forecast.model.market import COLUMNS
from forecast.model.world import simulate
from forecast.scenario import load

STORED = Path(__file__).with_name("baseline.npz")
REALIZATIONS = 8
SETTINGS = ["last_year=2030", "buyers.number=4000"]
CLOSE = 1e-3
"""Machines may differ in the last digits of exp and log, and a digit may tip a choice; a change of the model shows far above this."""

VARIABLES = (
    "deliveries", "backlog", "stock", "offer_price", "cost_of", "capacity", "programme_stage", "cash", "experience", "component_price",
    "mine_capacity", "mine_status", "mean_cell_price", "lithium_price", "lithium_demand", "lithium_inventory", "lithium_recycled",
)  # fmt: skip


def numbers() -> dict[str, np.ndarray]:
    """Medians over realizations by year, regions and makers summed or averaged, and the names along their axes."""
    world = load("baseline", SETTINGS).world
    found = simulate(draw(world, 1, np.arange(REALIZATIONS)), 1, np.arange(REALIZATIONS))
    medians = {}
    for name in VARIABLES:
        column, values = COLUMNS[name], found[name].astype(float)
        if column.every == "month":
            values = values.reshape(REALIZATIONS, -1, 12).mean(axis=-1)
        for dim in ("region", "manufacturer"):
            if dim in column.dims:
                axis = [*column.dims].index(dim) + 2
                values = values.max(axis=axis) if name == "programme_stage" else values.sum(axis=axis)
        medians[name] = np.median(values, axis=0).astype(np.float32)
    return medians | {kind: np.array(sorted(getattr(world, kind))) for kind in ("segments", "chemistries", "mines")}


@pytest.fixture(scope="module")
def now() -> dict[str, np.ndarray]:
    return numbers()


@pytest.fixture(scope="module")
def stored(now, request) -> dict[str, np.ndarray]:
    if request.config.getoption("--store-baseline"):
        np.savez_compressed(STORED, **now)
    with np.load(STORED, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("kind", ["segments", "chemistries", "mines"])
def test_the_baseline_has_the_names_that_were_stored(now, stored, kind):
    assert now[kind].tolist() == stored[kind].tolist()


@pytest.mark.parametrize("name", VARIABLES)
def test_the_median_of_the_baseline_is_the_one_that_was_stored(now, stored, name):
    np.testing.assert_allclose(now[name], stored[name], rtol=CLOSE, atol=CLOSE * np.abs(stored[name]).max())
