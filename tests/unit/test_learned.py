"""A calibration becomes a file that says what the data said, and that a scenario can name in place of its priors."""

import shutil
from functools import cache

import numpy as np
import pytest
import xarray as xr

from forecast.assess import learned
from forecast.assess.calibrate import Calibration, calibrate
from forecast.assess.evidence import SPREADS, Evidence
from forecast.assess.learned import diagnostics, fit_rows, kind_of, learn_file, parameter_rows, posterior_of
from forecast.assess.produce import run_ensemble
from forecast.ensemble.design import beliefs, draw
from forecast.ensemble.engines import Serial
from forecast.ensemble.posterior import Posterior, read
from forecast.ensemble.store import open_results
from forecast.errors import DataError, ForecastError, Interrupted
from forecast.model.world import simulate
from forecast.report.learned import NINETY, identified
from forecast.scenario import Scenario, dump, load
from tests.small_world import steered_world

TASTES = "unexplained.taste_spread"
ASKED = {"members": 20, "steps": 1, "workers": 1}


@cache
def scenario():
    """The small world on record, which may learn how large tastes are."""
    return Scenario("mine", steered_world(unexplained={"taste_spread": {"lognormal": [1, 0.4]}}), ())


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A posterior of that world; not to be changed."""
    place = tmp_path_factory.mktemp("learned") / "posterior.nc"
    learn_file(scenario(), 2018, place, **ASKED)
    return place


def made_up():
    """A calibration of three parameters on three surprises, by hand."""
    scores = np.array([[-1.0, 0.5, 0.1], [0.0, 0.5, 0.1], [1.0, 0.9, 0.1], [0.0, 0.9, 0.1]])
    names = ("mining.pace", "lithium.first_price", TASTES)
    believed = beliefs(scenario().world)
    told = ("cell_price", "taste", "taste"), ("cell_price 2018", "taste china lfp 2017", "taste china lfp 2018")
    before = np.array([[4.0, -3.0, 9.0]] * 4)
    unit, noise = np.array([[2.0, 0.5, 3.0]] * 4), np.array([1.0, 0.5, 3.0])
    prior, posterior = Evidence(*told, before, unit, unit, noise), Evidence(*told, before / 10, 2 * unit, unit, 2 * noise)
    return Calibration({name: believed[name] for name in names}, scores, prior, posterior)


def test_a_posterior_says_what_was_kept_of_each_prior_and_how_far_it_moved():
    found = diagnostics(made_up())
    assert found["parameter"].values.tolist() == ["mining.pace", "lithium.first_price", TASTES]
    np.testing.assert_allclose(found["kept"], [np.sqrt(0.5), 0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(found["shift"], [0.0, 0.7, 0.1])
    assert found["surprise"].dims == ("stage", "draw", "datum")
    np.testing.assert_allclose(found["surprise"].sel(stage="posterior", datum="taste china lfp 2018"), [0.9] * 4, rtol=1e-6)
    np.testing.assert_allclose(found["size"].sel(stage="prior"), [2.0, 0.5, 3.0])
    np.testing.assert_allclose(found["noise"].sel(stage="posterior"), [2.0, 1.0, 6.0])


def test_draws_are_numbers_in_their_units_with_the_priors_they_came_from():
    found = posterior_of(made_up(), {"title": "by hand"})
    price = beliefs(scenario().world)["lithium.first_price"]
    np.testing.assert_allclose(np.log(found.draws["lithium.first_price"] / 8600), 0.1 * np.array([0.5, 0.5, 0.9, 0.9]))
    assert found.priors["lithium.first_price"] == price.quantity.prior.text == "lognormal(8600, 0.1)"
    assert found.units["lithium.first_price"] == "USD/t"
    assert (found.size, found.attrs) == (4, {"title": "by hand"})


def test_what_the_data_say_most_about_comes_first():
    rows = parameter_rows(posterior_of(made_up(), {}))
    assert [row["parameter"] for row in rows] == [TASTES, "lithium.first_price", "mining.pace"]
    price = rows[1]
    assert list(price) == ["parameter", "unit", "prior", "q05", "q50", "q95", "spread_kept", "shift"]
    assert (price["unit"], price["prior"], price["spread_kept"]) == ("USD/t", "lognormal(8600, 0.1)", pytest.approx(0.2))
    assert price["q50"] == pytest.approx((8600 * np.exp(0.05) + 8600 * np.exp(0.09)) / 2)
    assert price["q05"] < price["q50"] < price["q95"]


def test_the_fit_is_told_by_kinds_of_evidence():
    rows = fit_rows(posterior_of(made_up(), {}))
    cells = {"evidence": "cell_price", "points": 1, "prior": 2.0, "posterior": pytest.approx(0.1), "luck": 0.5, "spread": None}
    tastes = {"evidence": "taste", "points": 2, "prior": 4.5, "posterior": pytest.approx(0.225), "luck": 1.0}
    assert rows == [cells, tastes | {"spread": pytest.approx(np.exp(0.04))}]


def test_surprises_that_go_both_ways_are_as_large_as_their_middle():
    found = made_up()
    found.after.values[:, 0] = [-8.0, -0.4, 0.4, 8.0]
    assert fit_rows(posterior_of(found, {}))[0]["posterior"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lithium_price 2019", "lithium_price"),
        ("taste united_states lfp 2020", "taste"),
        ("growth mass_cars 2016", "growth mass_cars"),
        ("weather 2018", ""),
    ],
)
def test_a_datum_is_of_the_kind_that_its_name_begins_with(name, kind):
    assert kind_of(name) == kind


def test_the_file_holds_draws_and_what_the_data_said(file):
    posterior = read(file)
    assert (posterior.size, posterior.attrs["until"], posterior.attrs["seed"], posterior.attrs["scenario"]) == (20, 2018, 1, "mine")
    assert "2018" in posterior.attrs["title"]
    assert posterior.attrs["history"] == "forecast calibrate mine --until 2018 --members 20 --seed 1"
    assert all(variable.attrs["long_name"] for variable in posterior.extra.data_vars.values())
    found = calibrate(scenario().world, 2018, members=20, steps=1, engine=Serial())
    assert set(posterior.draws) == set(found.given)
    for name, values in found.given.items():
        np.testing.assert_allclose(posterior.draws[name], values, rtol=1e-6, err_msg=name)
    xr.testing.assert_identical(posterior.extra, diagnostics(found))
    assert [row["evidence"] for row in fit_rows(posterior)] == ["taste"], "of other surprises the scenario says that there are none"
    kept = [row["spread_kept"] for row in parameter_rows(posterior)]
    assert kept == sorted(kept)
    assert len(kept) == len(posterior.draws)


def test_what_is_returned_is_what_the_file_keeps(file, tmp_path):
    made = learn_file(scenario(), 2018, tmp_path / "posterior.nc", **ASKED)
    kept = read(file)
    assert parameter_rows(made) == parameter_rows(kept)
    assert fit_rows(made) == fit_rows(kept)
    assert (tmp_path / "posterior.nc").read_bytes() == file.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["posterior.nc"]


class Stopped:
    """Replays in this process, interrupted in the second round."""

    calls = 0

    def compute(self, work, blocks):
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        yield from map(work, blocks)


def test_an_interrupted_calibration_is_resumed_to_the_same_file(file, tmp_path, monkeypatch):
    monkeypatch.setattr(learned, "processes", lambda workers: Stopped())
    with pytest.raises(Interrupted, match="--resume continues"):
        learn_file(scenario(), 2018, tmp_path / "posterior.nc", **ASKED)
    monkeypatch.undo()
    seen = []
    learn_file(scenario(), 2018, tmp_path / "posterior.nc", resume=True, progress=lambda done, wanted: seen.append(done), **ASKED)
    assert seen == [80], "the first round was kept"
    assert (tmp_path / "posterior.nc").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("change", [{"members": 21}, {"steps": 2}, {"patterns": ("mining.*",)}, {"seed": 2}])
def test_another_calibration_does_not_go_on_with_these_steps(tmp_path, monkeypatch, change):
    monkeypatch.setattr(learned, "processes", lambda workers: Stopped())
    with pytest.raises(Interrupted):
        learn_file(scenario(), 2018, tmp_path / "posterior.nc", **ASKED)
    with pytest.raises(ForecastError, match="it is other work"):
        learn_file(scenario(), 2018, tmp_path / "posterior.nc", resume=True, **ASKED | change)


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path, monkeypatch):
    (tmp_path / "posterior.nc").write_text("older")
    with pytest.raises(ForecastError, match="exists already; --force replaces it"):
        learn_file(scenario(), 2018, tmp_path / "posterior.nc", **ASKED)
    with pytest.raises(DataError, match="must be a year from 2017 to 2018"):
        learn_file(scenario(), 2030, tmp_path / "posterior.nc", force=True, **ASKED)
    assert (tmp_path / "posterior.nc").read_text() == "older"
    learn_file(scenario(), 2018, tmp_path / "posterior.nc", force=True, **ASKED)
    assert read(tmp_path / "posterior.nc").size == 20


def test_a_scenario_that_names_the_file_is_played_with_what_was_learned(file, tmp_path):
    (tmp_path / "mine.yaml").write_text(dump(scenario()))
    (tmp_path / "informed.yaml").write_text("why: it learned\nbase: mine.yaml\nprior: posterior.nc\n")
    shutil.copy(file, tmp_path)
    informed = load(tmp_path / "informed.yaml")
    assert set(informed.posterior.taken(informed.world)) == set(read(file).draws)
    some = np.arange(2)
    drawn = draw(informed.world, 1, some, informed.posterior.deal(informed.world, 1, some))
    assert set(drawn.unexplained.taste_spread) <= set(read(file).draws[TASTES])
    run_ensemble(informed, 2, folder=tmp_path / "run", workers=1, pictures=False)
    with open_results(tmp_path / "run") as results:
        np.testing.assert_allclose(results["lithium_price"], simulate(drawn, 1, some)["lithium_price"], rtol=1e-3)


def test_the_picture_shows_what_is_known_best_before_and_after(file):
    told = read(file).extra
    axes = identified(told, "What was learned", 3).axes[0]
    rows = parameter_rows(read(file))[:3]
    assert [text.get_text() for text in axes.get_yticklabels()] == [row["parameter"] for row in rows][::-1]
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(widths, [2 * NINETY] * 3 + [2 * NINETY * row["spread_kept"] for row in rows[::-1]])
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [row["shift"] for row in rows[::-1]])
    few = told.isel(parameter=slice(2))
    assert len(identified(few, "All", 1000).axes[0].get_yticklabels()) == 2


def test_every_kind_of_evidence_has_a_row_where_there_is_evidence():
    kinds = list(SPREADS)
    extra = xr.Dataset(
        {
            "surprise": (("stage", "draw", "datum"), np.ones((2, 3, len(kinds)))),
            "size": (("stage", "datum"), np.full((2, len(kinds)), 0.5)),
            "noise": (("stage", "datum"), np.zeros((2, len(kinds)))),
        },
        {"datum": np.array([f"{kind} 2018" for kind in kinds], object)},
    )
    rows = fit_rows(Posterior({TASTES: np.ones(3)}, {}, {}, extra=extra))
    assert [(row["evidence"], row["points"], row["prior"]) for row in rows] == [(kind, 1, 2.0) for kind in kinds]
