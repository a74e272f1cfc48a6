"""A track record is a folder that other programs read: forecasts, scores, a table and pictures, whole or not at all."""

import json
import shutil
from functools import cache

import numpy as np
import pytest
import xarray as xr

from forecast.assess import scores, track
from forecast.assess.hindcast import MODEL, RIVALS, as_dataset
from forecast.assess.observables import OBSERVABLES
from forecast.errors import DataError, ForecastError, Interrupted, StoreError
from forecast.scenario import Scenario, load

SERIES, HORIZON, DRAWS = ("cell_price", "lfp_share_china"), 2, 40
ORIGINS = range(2018, 2024)


@cache
def hindcast(name="Hindcast of mine"):
    """Forecasts that are about right, of the model, and too high, of its rivals."""
    luck = np.random.default_rng(0).standard_normal((DRAWS, HORIZON))

    def samples(series, origin, forecaster):
        final = OBSERVABLES[series].final()
        middle = [final.get(origin + ahead, final[max(final)]) for ahead in (1, 2)]
        spread = np.exp(0.05 * luck + (0.0 if forecaster == MODEL else 0.2))
        return np.minimum(middle * spread, 1.0 if series.startswith("lfp") else np.inf).astype(np.float32)

    found = {
        origin: {f"{who} {series}": samples(series, origin, who) for series in SERIES for who in (MODEL, "drift", "last_value")}
        for origin in ORIGINS
    }
    return as_dataset(found, HORIZON, SERIES).assign_attrs(title=name, seed=1)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder and its table; not to be changed."""
    folder = tmp_path_factory.mktemp("track") / "new/hindcast"
    return folder, track.publish(hindcast(), folder, pictures=True)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def made(monkeypatch):
    """What `record` asks for, without a replay."""
    asked = []

    def forecast(world, origins, horizon, seed, **options):
        asked.append({"origins": origins, "horizon": horizon, "seed": seed} | options)
        return hindcast()

    monkeypatch.setattr(track, "hindcast", forecast)
    return asked


@cache
def scenario():
    return Scenario("mine", load("baseline").world, ())


def record(folder, **options):
    return track.record(scenario(), folder, tuple(ORIGINS), HORIZON, **{"names": SERIES, "pictures": False} | options)


def test_the_folder_holds_forecasts_scores_a_table_and_pictures(published):
    folder, _ = published
    drawn = [f"pictures/{name}.png" for name in (*SERIES, "pit", "skill")]
    assert files(folder) == sorted(["hindcast.nc", "scores.nc", "scores.json", *drawn])
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in drawn)
    assert [path.name for path in folder.parent.iterdir()] == ["hindcast"]


def test_forecasts_and_scores_come_back_as_they_were(published):
    forecasts, scored = track.read(published[0])
    xr.testing.assert_identical(forecasts.drop_attrs(deep=False), hindcast().drop_attrs(deep=False))
    expected = scores.score(hindcast())
    xr.testing.assert_allclose(scored, expected)
    assert (forecasts.attrs["title"], forecasts.attrs["seed"], scored.attrs["draws"]) == ("Hindcast of mine", 1, DRAWS)


def test_xarray_reads_them_without_this_program(published):
    with xr.open_dataset(published[0] / "hindcast.nc", engine="h5netcdf") as found:
        np.testing.assert_array_equal(found["prediction"], hindcast()["prediction"])
        assert found["horizon"].attrs["units"] == "year"


def test_the_table_is_that_of_the_scores_over_the_first_years_together(published):
    folder, table = published
    assert json.loads((folder / "scores.json").read_text()) == table
    assert [row["series"] for row in table] == list(SERIES)
    assert table == scores.rows(scores.pooled(scores.score(hindcast()), [1, 2]))
    for row in table:
        assert row["best_rival"] in RIVALS
        assert row["skill"] > 0.3
        assert row["points"] == 12 - (row["series"] == "lfp_share_china")  # of 2025 no share is on file


def test_the_same_forecasts_give_the_same_bytes(published, tmp_path):
    track.publish(hindcast(), tmp_path / "again", pictures=False)
    for name in files(tmp_path / "again"):
        assert (tmp_path / "again" / name).read_bytes() == (published[0] / name).read_bytes()


def test_forecasts_that_cannot_be_scored_leave_no_folder(tmp_path):
    wrong = hindcast().copy(deep=True)
    wrong["prediction"][0, 0, 0, 0, 0] = -1.0
    with pytest.raises(DataError, match="cell_price, origin 2018"):
        track.publish(wrong, tmp_path / "run", pictures=False)
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_run_left_is_swept_away(tmp_path):
    (tmp_path / "run.new/pictures").mkdir(parents=True)
    (tmp_path / "run.new/scores.nc").write_text("half")
    track.publish(hindcast(), tmp_path / "run", pictures=False)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert files(tmp_path / "run") == ["hindcast.nc", "scores.json", "scores.nc"]


def test_a_record_is_made_as_asked_and_says_of_what(made, tmp_path):
    seen = []
    table = record(tmp_path / "run", seed=3, members=25, steps=2, workers=1, progress=seen.append)
    assert table == json.loads((tmp_path / "run/scores.json").read_text())
    asked = made[0]
    assert (asked["origins"], asked["horizon"], asked["seed"]) == (tuple(ORIGINS), HORIZON, 3)
    assert (asked["names"], asked["members"], asked["steps"], asked["progress"]) == (SERIES, 25, 2, seen.append)
    attrs = track.read(tmp_path / "run")[0].attrs
    assert {"title": "Hindcast of mine", "scenario": "mine", "seed": 3, "members": 25}.items() <= attrs.items()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["run"]


def test_an_older_record_is_replaced_only_by_force_and_only_by_a_whole_one(made, tmp_path, monkeypatch):
    record(tmp_path / "run")
    (tmp_path / "run/older.png").write_text("")
    before = (tmp_path / "run/hindcast.nc").read_bytes()
    with pytest.raises(ForecastError, match="exists already; --force replaces it"):
        record(tmp_path / "run", seed=2)
    assert len(made) == 1

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(track, "hindcast", stop)
        with pytest.raises(Interrupted, match="--resume"):
            record(tmp_path / "run", seed=2, force=True)
    assert (tmp_path / "run/hindcast.nc").read_bytes() == before
    record(tmp_path / "run", seed=2, force=True)
    assert track.read(tmp_path / "run")[0].attrs["seed"] == 2
    assert files(tmp_path / "run") == ["hindcast.nc", "scores.json", "scores.nc"], "no older picture"


def test_what_cannot_be_judged_is_refused_before_the_folder_is_looked_at(made, tmp_path):
    record(tmp_path / "run")
    with pytest.raises(DataError, match="must be a year from 2017 to 2024"):
        track.record(scenario(), tmp_path / "run", (2014,), HORIZON)
    with pytest.raises(DataError, match="allowed: cell_price"):
        record(tmp_path / "run", names=("lithum_price",))
    assert len(made) == 1


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize("force", [True, False])
def test_not_even_force_replaces_what_is_not_ours(made, tmp_path, what, force):
    place = tmp_path / "thesis"
    if what == "folder":
        place.mkdir()
        place = place / "thesis.txt"
    place.write_text("ten years of work")
    with pytest.raises(ForecastError, match="exists and holds no hindcast; choose another --output"):
        record(tmp_path / "thesis", force=force)
    assert place.read_text() == "ten years of work"
    assert made == []


@pytest.fixture
def copy(published, tmp_path):
    """A folder that may be damaged."""
    return shutil.copytree(published[0], tmp_path / "copy")


def spoil(file, mark, count):
    """Change some bytes after one of the marks by which HDF5 finds its way."""
    content = bytearray(file.read_bytes())
    places = [place for place in range(len(content)) if content.startswith(mark, place)]
    start = places[count] + 6
    content[start : start + 6] = bytes(byte ^ 0xFF for byte in content[start : start + 6])
    file.write_bytes(content)


DAMAGES = {
    "missing": lambda file: file.unlink(),
    "text": lambda file: file.write_text("we were right"),
    "empty": lambda file: file.write_bytes(b""),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:-500]),
    "spoilt in its root": lambda file: spoil(file, b"OHDR", 0),
    "spoilt in a variable": lambda file: spoil(file, b"OHDR", 1),
    "of another program": lambda file: xr.Dataset({"x": 1.0}).to_netcdf(file, engine="h5netcdf"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_or_foreign_folder_is_told(copy, damage):
    DAMAGES[damage](copy / "hindcast.nc")
    with pytest.raises(StoreError, match=r"hindcast\.nc: ") as refused:
        track.read(copy)
    assert refused.value.exit_code == 4


def test_scores_that_are_missing_are_told(copy):
    (copy / "scores.nc").unlink()
    with pytest.raises(StoreError, match=r"scores\.nc"):
        track.read(copy)


def test_a_folder_without_a_record_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StoreError, match=r"hindcast\.nc"):
            track.read(folder)
