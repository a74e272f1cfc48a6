"""Pictures: every one is drawn, says what it shows, and comes out with the same bytes."""

import subprocess
import sys

import numpy as np
import pytest
from synthetic_results import CHEMISTRIES, SEGMENTS, results

from forecast.report import plots
from forecast.report.style import apart

OBSERVED = {
    "cell_price": {2015: 330.0, 2024: 80.0},
    "lithium_price": {2015: 8000.0, 2022: 70000.0},
    "lfp_share": {"china": {2015: 0.2, 2024: 0.6}, "world": {2024: 0.4}},
    "ev_battery_demand": {2024: 950.0},
    "storage_demand": {2024: 205.0},
}


@pytest.fixture(scope="module")
def made():
    return results(12)


def drawn(made):
    """Every picture once."""
    return {
        "fan": lambda: plots.adoption_fan(made, "mass_cars", {"lfp": {2020: 0.3}}),
        "fans": lambda: plots.adoption_fans(made),
        "stack": lambda: plots.chemistry_stack(made, "drones"),
        "stacks": lambda: plots.chemistry_stacks(made),
        "regions": lambda: plots.region_shares(made, observed=OBSERVED["lfp_share"]),
        "lithium": lambda: plots.lithium_price_fan(made, OBSERVED["lithium_price"]),
        "cells": lambda: plots.cell_price_paths(made, OBSERVED["cell_price"]),
        "programmes": lambda: plots.programme_entries(made),
        "comparison": lambda: plots.scenario_comparison({"a": made, "b": made}),
        "prices": lambda: plots.scenario_comparison({"a": made, "b": made}, "lithium_price"),
        "history": lambda: plots.history_panel(made, OBSERVED),
        "overview": lambda: plots.overview(made, OBSERVED),
    }


@pytest.mark.parametrize("name", list(drawn(None)))
def test_every_picture_is_drawn_and_names_its_source(made, name, tmp_path):
    figure = drawn(made)[name]()
    path = plots.save(figure, tmp_path / f"{name}.png")
    assert path.stat().st_size > 10_000
    assert any("battery-forecast" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_results_give_the_same_bytes(made, suffix, tmp_path):
    first = plots.save(plots.adoption_fan(made, "drones"), tmp_path / f"first.{suffix}").read_bytes()
    second = plots.save(plots.adoption_fan(made, "drones"), tmp_path / f"second.{suffix}").read_bytes()
    assert first == second


def test_every_segment_has_a_panel(made):
    titles = {axes.get_title(loc="left") for axes in plots.adoption_fans(made).axes}
    assert {plots.label(segment) for segment in SEGMENTS} <= titles


def test_the_median_line_is_the_median(made):
    axes = plots.lithium_price_fan(made).axes[0]
    expected = np.median(made["lithium_price"].values, axis=0) / 1000
    assert any(np.allclose(line.get_ydata(), expected, rtol=1e-5) for line in axes.lines if len(line.get_ydata()) == 432)


def test_observed_points_stand_where_they_were_observed(made):
    axes = plots.history_panel(made, OBSERVED).axes[0]
    points = next(line for line in axes.lines if line.get_marker() == "o")
    assert dict(zip(points.get_xdata(), points.get_ydata(), strict=True)) == OBSERVED["cell_price"]


def test_published_lithium_prices_stand_beside_contracts(made):
    axes = plots.history_panel(made, OBSERVED).axes[1]
    drawn = next(line for line in axes.lines if line.get_marker() != "o").get_ydata()
    contracts = made["lithium_contract_price"].values.reshape(made.sizes["realization"], -1, 12).mean(axis=2)
    np.testing.assert_allclose(drawn, np.median(contracts, axis=0)[: len(drawn)] / 1000, rtol=1e-5)


def test_each_chemistry_has_its_own_colour():
    assert len({plots.colour(name) for name in CHEMISTRIES}) == len(CHEMISTRIES)


def test_labels_keep_their_distance_and_order():
    moved = apart([0.5, 0.51, 0.1, 0.5], 0.05)
    assert np.diff(np.sort(moved)).min() >= 0.049
    assert moved[2] == pytest.approx(0.1)
    assert moved[1] == moved.max()


def test_importing_the_pictures_does_not_import_matplotlib():
    code = "import sys, forecast.report.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
