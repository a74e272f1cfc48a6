"""Forecasts from past years are made with what was known then, beside rivals that knew no more, and judged by what came."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from forecast.assess import hindcast as hindcasting
from forecast.assess.hindcast import MODEL, SINCE, hindcast, past_of
from forecast.assess.memory import FolderMemory
from forecast.assess.observables import OBSERVABLES
from forecast.assess.rivals import RIVALS
from forecast.assess.scores import pooled, rows, score
from forecast.declare import Path
from forecast.ensemble.engines import Serial
from forecast.errors import DataError, ForecastError
from forecast.history import observed as history
from forecast.history import vintages
from forecast.history.observed import CONFIDENCE, observed
from forecast.scenario import load
from tests.small_world import lively_world

SERIES = ("cell_price", "lithium_price", "lfp_share_china", "ev_battery_demand")
ORIGIN, HORIZON, MEMBERS = 2022, 2, 20
ASKED = {"names": SERIES, "members": MEMBERS, "steps": 1}


@cache
def world():
    return load("baseline", ["buyers.number=300"]).world


def made(of=None, origins=(ORIGIN,), horizon=HORIZON, **options):
    return hindcast(of or world(), origins, horizon, **{"engine": Serial()} | ASKED | options)


@pytest.fixture(scope="module")
def found():
    """Forecasts from 2021 and 2022."""
    return made(origins=(2021, ORIGIN))


def forecasts(dataset, *forecasters, origin=ORIGIN):
    """Samples of some forecasters, bit by bit."""
    return dataset["prediction"].sel(origin=origin, forecaster=list(forecasters or dataset["forecaster"].values)).values.tobytes()


# What a hindcast holds


def test_a_hindcast_has_samples_of_every_forecaster_and_what_came(found):
    assert found["prediction"].dims == ("series", "origin", "horizon", "forecaster", "draw")
    assert found["prediction"].shape == (4, 2, HORIZON, 1 + len(RIVALS), MEMBERS)
    assert found["series"].values.tolist() == list(SERIES)
    assert found["origin"].values.tolist() == [2021, 2022]
    assert found["forecaster"].values.tolist() == [MODEL, *RIVALS]
    assert found["year"].values.tolist() == list(range(SINCE, 2025))
    assert found["unit"].values.tolist() == ["USD2024/kWh", "USD2024/t", "1", "GWh/year"]
    assert found["scale"].values.tolist() == ["log", "log", "share", "log"]
    assert found["title"].values.tolist() == [OBSERVABLES[name].title for name in SERIES]


def test_the_model_forecasts_everything_and_rivals_what_they_apply_to(found):
    samples = found["prediction"]
    assert np.isfinite(samples.sel(forecaster=MODEL)).all()
    assert (samples.sel(forecaster=MODEL, series=["cell_price", "lithium_price", "ev_battery_demand"]) > 0).all()
    share = samples.sel(series="lfp_share_china")
    assert share.min() >= 0
    assert share.max() <= 1
    missing = samples.isnull().all(("origin", "horizon", "draw"))
    assert not missing.sel(series="cell_price", forecaster="wright")
    assert missing.sel(forecaster="wright").sum() == 3
    assert not missing.sel(series="ev_battery_demand", forecaster="last_quarter")
    assert missing.sel(forecaster="last_quarter").sum() == 3
    assert not missing.sel(series="lithium_price", forecaster="year_end")
    assert missing.sel(forecaster="year_end").sum() == 3
    assert missing.sel(series=["cell_price", "lithium_price"], forecaster=["logistic", "bass"]).all()
    assert not missing.sel(series=["lfp_share_china", "ev_battery_demand"], forecaster=["logistic", "bass"]).any()
    assert (missing == samples.isnull().any(("origin", "horizon", "draw"))).all()


def test_what_came_is_as_known_today(found):
    for name in SERIES:
        final = OBSERVABLES[name].final()
        for origin in (2021, 2022):
            expected = [final.get(origin + ahead, np.nan) for ahead in (1, 2)]
            np.testing.assert_array_equal(found["observed"].sel(series=name, origin=origin), expected)
        np.testing.assert_array_equal(found["past"].sel(series=name), [final.get(year, np.nan) for year in range(SINCE, 2025)])
    assert found["observed"].sel(series="cell_price").notnull().all()


def test_what_was_known_is_as_first_printed(found):
    known, past = (found[name].sel(series="lithium_price") for name in ("as_known", "past"))
    for origin in (2021, 2022):
        seen = OBSERVABLES["lithium_price"].past(origin)
        assert seen.values[-1] != observed("lithium_price", until=origin, confidence=CONFIDENCE).values[-1]
        assert known.sel(origin=origin, year=origin) == seen.values[-1]
        assert known.sel(origin=origin, year=slice(origin + 1, None)).isnull().all()
        np.testing.assert_array_equal(known.sel(origin=origin, year=seen.years), seen.values)
    assert known.sel(origin=2022, year=2022) < 0.7 * past.sel(year=2022), "71,100 today, of which 37,000 nominal dollars were printed first"
    assert known.sel(origin=2022, year=2021) == past.sel(year=2021)


def test_a_hindcast_can_be_scored(found):
    table = rows(pooled(score(found), [1, 2]))
    assert [row["series"] for row in table] == list(SERIES)
    assert all(row["points"] == 4 and row["crps"] > 0 and row["best_rival"] in RIVALS for row in table)


# No looking ahead


def later(path, factor):
    """A path in which every year after the origin is another."""
    return Path(path.years, tuple(v * (factor if y > ORIGIN else 1) for y, v in zip(path.years, path.values, strict=True)))


def bent(path, factor):
    """A path that goes on otherwise from the January after the origin."""
    now = ORIGIN + 1.0
    before = {y: v for y, v in zip(path.years, path.values, strict=True) if y < now}
    knots = before | {now: float(path.at(np.array(now))), now + 1: factor * float(path.at(np.array(now + 1)))}
    return Path(tuple(knots), tuple(knots.values()), path.source)


def with_another_future(shipped):
    """The world with other sales, prices, shares, output and use after the origin, and without the news that came then."""
    lithium = shipped.lithium.model_copy(update={"other_demand": bent(shipped.lithium.other_demand, 3.0)})
    policy = {name: event for name, event in shipped.policy.items() if (event.announced.value or event.start.value) <= ORIGIN + 1}
    makers = {name: maker for name, maker in shipped.manufacturers.items() if maker.founded.value <= ORIGIN + 1}
    record = {name: series.model_copy(update={"values": later(series.values, 0.5)}) for name, series in shipped.record.items()}
    segments = {
        name: segment.model_copy(update={"history": {region: later(path, 3.0) for region, path in segment.history.items()}})
        for name, segment in shipped.segments.items()
    }
    assert record != shipped.record
    assert segments != shipped.segments
    assert len(policy) < len(shipped.policy)
    changes = {"record": record, "segments": segments, "lithium": lithium, "policy": policy, "manufacturers": makers}
    return shipped.model_copy(update=changes)


def rewritten(monkeypatch, of, factor):
    """Every row of history for which ``of(row)``, times a factor; not the deflator, for it says what a unit is."""
    before = history._all_rows()
    after = {
        name: [row | {"value": repr(float(row["value"]) * factor)} if of(row) and name != "us_gdp_deflator" else row for row in each]
        for name, each in before.items()
    }
    assert before != after
    monkeypatch.setattr(history, "_all_rows", lambda: after)


def test_nothing_that_came_after_the_origin_changes_a_bit_of_any_forecast(found, monkeypatch):
    rewritten(monkeypatch, lambda row: int(row["year"]) > ORIGIN, 0.5)
    other = made(with_another_future(world()))
    assert forecasts(other) == forecasts(found)
    assert (other["observed"].values != found["observed"].sel(origin=[ORIGIN]).values).all(), "only what came is another"
    np.testing.assert_array_equal(other["as_known"].sel(origin=ORIGIN), found["as_known"].sel(origin=ORIGIN))


def test_what_was_restated_after_the_origin_changes_no_bit_of_any_forecast(found, monkeypatch):
    """Series with a first print of the last year are read as printed, whatever is said of that year today."""
    restated = [name for name, edition in vintages.FIRST_PRINTS.items() if ORIGIN in vintages_of(edition)]
    assert {"lithium_price", "mine_output"} <= set(restated)
    rewritten(monkeypatch, lambda row: row["series"] in restated and int(row["year"]) == ORIGIN, 0.5)
    shipped = world()
    record = {
        name: series.model_copy(update={"values": halved(series.values)}) if series.kind in restated else series
        for name, series in shipped.record.items()
    }
    assert record != shipped.record
    assert forecasts(made(shipped.model_copy(update={"record": record}))) == forecasts(found)


def vintages_of(edition):
    return {int(row["year"]) for row in history.rows_of(edition, "world")}


def halved(path, year=ORIGIN):
    """A path whose value of a year is half, which divides without a remainder."""
    return Path(path.years, tuple(v / 2 if y == year else v for y, v in zip(path.years, path.values, strict=True)))


def test_what_was_known_at_the_origin_does_change_forecasts(found, monkeypatch):
    rewritten(monkeypatch, lambda row: int(row["year"]) == ORIGIN - 1, 0.5)
    record = {name: series.model_copy(update={"values": halved(series.values, ORIGIN - 1)}) for name, series in world().record.items()}
    other = made(world().model_copy(update={"record": record}))
    for forecaster in (MODEL, "drift", "last_growth"):
        for name in SERIES:
            assert forecasts(other.sel(series=[name]), forecaster) != forecasts(found.sel(series=[name]), forecaster)


@pytest.mark.parametrize("name", OBSERVABLES)
@pytest.mark.parametrize("origin", [2018, 2021])
def test_rivals_see_nothing_after_the_origin_nor_what_was_published_too_late(name, origin, monkeypatch):
    seen = past_of(OBSERVABLES[name], origin)
    assert SINCE <= seen.years[0] < seen.years[-1] == origin
    rewritten(monkeypatch, lambda row: int(row["year"]) > origin or row["known_from"] > f"{origin + 1}-07-31", 7.0)
    other = past_of(OBSERVABLES[name], origin)
    np.testing.assert_array_equal(other.years, seen.years)
    np.testing.assert_array_equal(other.values, seen.values)
    if name == "cell_price":
        np.testing.assert_array_equal(other.experience, seen.experience)
        assert (np.diff(seen.experience) > 0).all()
    assert (seen.experience is None) == (name != "cell_price")
    assert (seen.pace is None) == (name != "ev_battery_demand")
    assert (seen.latest is None) == (name != "lithium_price")
    np.testing.assert_array_equal(other.pace, seen.pace)
    np.testing.assert_array_equal(other.latest, seen.latest)


def test_the_pace_of_quarters_is_that_of_all_cars_together():
    """In 2020 China's cars grew 1.857-fold from last quarter to last quarter, Europe's 3.3-fold, the rest of batteries by years."""
    china, europe, rest, before = 85.3, 53.62, 172.2 - 85.3 - 53.62, 133.2 - 77.9 - 24.946
    quarter_before = china / 1.857 + europe / 3.3 + before
    np.testing.assert_allclose(past_of(OBSERVABLES["ev_battery_demand"], 2020).pace[-1], np.log((china + europe + rest) / quarter_before))


def test_rivals_of_prices_know_that_they_are_prices():
    assert {name for name in OBSERVABLES if past_of(OBSERVABLES[name], 2020).price} == {"cell_price", "lithium_price"}
    assert past_of(OBSERVABLES["lfp_share_world"], 2020).scale == "share"


# Same question, same answer


def test_a_forecast_is_the_same_whatever_else_is_asked(found):
    names = SERIES[::-1][:2]
    xr.testing.assert_identical(made(names=names)["prediction"], found["prediction"].sel(series=list(names), origin=[ORIGIN]))


class Noted:
    """Forecasts that cost nothing; ``asked`` are the origins in order."""

    def __init__(self, stop=None):
        self.asked, self.stop = [], stop

    def __call__(self, world, origin, horizon, seed, names, members, steps, engine, progress):
        if origin == self.stop:
            raise KeyboardInterrupt
        self.asked.append(origin)
        progress(1, 4)
        luck = np.random.default_rng(origin).random((members, horizon)).astype(np.float32)
        return {f"{MODEL} {name}": luck + 0.1 for name in names}


@pytest.fixture
def noted(monkeypatch):
    def install(stop=None):
        monkeypatch.setattr(hindcasting, "forecasts", Noted(stop))
        return hindcasting.forecasts

    return install


def test_the_first_year_ahead_is_the_one_after_the_origin(monkeypatch):
    """Worlds that know one number for each year, and nothing else."""

    def project(work, engine):
        assert (work.world.observed_until, work.world.last_year) == (ORIGIN, ORIGIN + HORIZON)
        return {name: np.tile(10.0 ** np.arange(ORIGIN + HORIZON - 2014), (MEMBERS, 1)) for name in work.names}

    monkeypatch.setattr(hindcasting, "project", project)
    monkeypatch.setattr(hindcasting, "calibrate", lambda *asked, **options: SimpleNamespace(given={}))
    ahead = made()["prediction"].sel(series="cell_price", forecaster=MODEL).isel(origin=0)
    assert np.rint(np.log10(ahead)).median("draw").values.tolist() == [ORIGIN - 2014, ORIGIN - 2013]


def test_an_interrupted_hindcast_goes_on_with_the_next_origin(noted, tmp_path):
    whole, origins = noted(), (2019, 2020, 2021)
    straight = made(origins=origins)
    assert whole.asked == list(origins)
    first = noted(stop=2021)
    with pytest.raises(KeyboardInterrupt):
        made(origins=origins, memory=FolderMemory(tmp_path))
    assert first.asked == [2019, 2020]
    again = noted()
    resumed = made(origins=origins, memory=FolderMemory(tmp_path))
    assert again.asked == [2021]
    xr.testing.assert_identical(resumed, straight)


def test_no_year_is_judged_that_is_not_over(noted):
    noted()
    late = made(origins=(2023, 2024), horizon=4, names=("lithium_price",))["observed"].sel(series="lithium_price")
    assert late.notnull().values.tolist() == [[True, True, False, False], [True, False, False, False]]


def test_progress_rises_to_its_end(noted):
    noted()
    seen = []
    made(origins=(2019, 2020), progress=lambda done, wanted: seen.append((done, wanted)))
    assert seen == [(25, 200), (100, 200), (125, 200), (200, 200)]


# What is refused


@pytest.mark.parametrize("horizon", [0, -1, 11])
def test_a_horizon_that_makes_no_sense_is_refused(noted, horizon):
    nobody = noted()
    with pytest.raises(ForecastError, match=f"horizon {horizon}: must be from 1 to 10 years"):
        made(horizon=horizon)
    assert nobody.asked == []


@pytest.mark.parametrize("origins", [(2014,), (2016, 2020), (2020, 2030)])
def test_an_origin_outside_the_record_is_refused_with_those_inside(noted, origins):
    nobody = noted()
    with pytest.raises(DataError, match=r"must be a year from 2017 to 2024"):
        made(origins=origins)
    assert nobody.asked == []


def test_an_origin_after_which_nothing_came_cannot_be_judged(noted):
    noted()
    with pytest.raises(DataError, match="origin 2024: nothing is known of the years after it"):
        made(origins=(2024,), names=("lfp_share_china", "lfp_share_europe"))


def test_no_series_is_refused():
    with pytest.raises(DataError, match="no series"):
        made(names=())


def test_no_origin_is_refused():
    with pytest.raises(DataError, match="no origin"):
        made(origins=())


def test_an_unknown_series_is_refused_with_the_known(noted):
    nobody = noted()
    with pytest.raises(DataError, match=r"'lithum_price': cannot be judged; allowed: .*lithium_price"):
        made(names=("cell_price", "lithum_price"))
    assert nobody.asked == []


def test_a_scenario_without_a_record_has_no_track_record():
    with pytest.raises(DataError, match="no record"):
        hindcast(lively_world(observed_until=2019), (2018,), 1, names=("cell_price",), members=MEMBERS, engine=Serial())
