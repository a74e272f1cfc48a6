"""From a scenario to a folder with results, summary and pictures, and from that folder to the same bytes again."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import fake_world
import pytest
from filelock import FileLock

import forecast
from forecast.assess import pictures, produce
from forecast.ensemble import execute, store
from forecast.errors import ForecastError, LockedError, StoreError
from forecast.scenario import load

SCRIPT = """
from functools import partial

import fake_world
from forecast.assess import produce
from forecast.ensemble import execute

print("begins")
produce.run = partial(execute.run, simulate=fake_world.simulate)
print(produce.run_ensemble("baseline", 4, folder="here", workers=2, block=1, pictures=False).realizations)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The baseline with made-up numbers, and what resulted."""
    folder = tmp_path_factory.mktemp("made") / "here"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(produce, "run", partial(execute.run, simulate=fake_world.simulate))
        yield produce.run_ensemble("baseline", 3, 1, folder=folder, workers=1, pictures=True)


def test_a_run_leaves_results_summary_scenario_and_pictures(made):
    assert sorted(file.name for file in made.folder.iterdir()) == [
        "manifest.json", "pictures", "posterior-2024.nc", "results.zarr", "run.json", "scenario.yaml", "summary.nc",
    ]  # fmt: skip
    assert sorted(file.stem for file in (made.folder / "pictures").iterdir()) == sorted(pictures.SUBJECTS)
    assert store.verify(made.folder) == []
    assert store.open_summary(made.folder)["share_of_sales"].sel(segment="drones", quantile=0.5).notnull().any()


def test_the_resolved_scenario_gives_the_same_bytes(made, tmp_path):
    again = load(made.folder / "scenario.yaml")
    assert produce.name_of(again) == "baseline"
    outcome = produce.run_ensemble(again, 3, 1, folder=tmp_path / "again", workers=2, pictures=True)
    assert (outcome.folder / "manifest.json").read_bytes() == (made.folder / "manifest.json").read_bytes()


def test_a_script_that_runs_an_ensemble_is_not_run_again_by_its_workers(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT, encoding="utf-8")
    path = os.pathsep.join([str(Path(fake_world.__file__).parent), str(Path(forecast.__file__).parent.parent)])
    here = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": path}}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60, **here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "begins\n4\n", "")


@pytest.mark.parametrize(("realizations", "asked", "drawn"), [(9, None, False), (10, None, True), (9, True, True), (10, False, False)])
def test_fewer_than_ten_realizations_are_drawn_only_when_asked(monkeypatch, tmp_path, realizations, asked, drawn):
    kept = []
    monkeypatch.setattr(produce, "run", lambda plan, folder, finish, **options: kept.append(finish.keywords["pictures"]))
    produce.run_ensemble("baseline", realizations, folder=tmp_path / "x", pictures=asked)
    assert kept == [drawn]


def test_pictures_have_the_observed_past_drawn_in():
    past = pictures.observed_past()
    assert past["lithium_price"][2022] > 3 * past["lithium_price"][2020]
    assert set(past["lfp_share"]) >= {"world", "china", "europe"}


def test_no_picture_is_added_while_a_run_writes_there(made):
    with FileLock(made.folder.with_name(f".{made.folder.name}.lock")), pytest.raises(LockedError, match="another run is writing there"):
        produce.redraw(made.folder)


@pytest.mark.parametrize(("place", "told"), [(".", "here"), ("..", "results.zarr"), ("../here", "here")])
def test_pictures_are_drawn_again_whatever_way_leads_to_the_results(made, monkeypatch, place, told):
    monkeypatch.setattr(pictures, "draw_all", lambda results, folder, workers: [])
    monkeypatch.chdir(made.folder if told == "here" else made.folder / told)
    assert produce.redraw(place) == []
    assert store.verify(made.folder) == []


def test_where_nothing_is_to_be_drawn_nothing_is_left(tmp_path):
    with pytest.raises(StoreError, match="no such folder"):
        produce.redraw(tmp_path / "nowhere/run")
    assert list(tmp_path.iterdir()) == []


def test_a_segment_that_is_not_there_is_named_beside_those_that_are(made):
    with pytest.raises(ForecastError, match=r"boats: not in these results; there are aviation"):
        pictures.picture(store.open_results(made.folder), "stack", "boats")
    with pytest.raises(ForecastError, match="has no segments"):
        pictures.picture(store.open_results(made.folder), "lithium", "drones")


def test_the_face_has_all_it_promises_and_imports_nothing_for_it():
    assert all(callable(getattr(forecast, name)) for name in forecast.__all__)
    assert set(forecast.__all__) <= set(dir(forecast))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = forecast.nothing
    code = "import sys, forecast; print(len([m for m in sys.modules if m.split('.')[0] in ('numpy', 'xarray', 'pydantic')]))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
