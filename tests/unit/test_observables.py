"""Each judged series is worked out from a simulated world as it is observed in the real one."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from forecast.assess.observables import CONTRACTS, OBSERVABLES, observable
from forecast.ensemble.design import draw
from forecast.errors import DataError
from forecast.history.observed import CONFIDENCE, observed
from forecast.report.views import CARS, STORAGE, VEHICLES
from forecast.scenario import load

ORIGINS = range(2018, 2024)
SEGMENTS = ("aviation", *CARS, "commercial_vehicles", *STORAGE, "two_three_wheelers")
REGIONS = ("china", "europe", "united_states")
CHEMISTRIES = ("lead_acid", "lfp", "nmc", "sodium_ion")
LITHIUM = np.array([[0.0, 0.1, 0.12, 0.0]])


def drawn(observed_until=2024):
    """Names and years, as a draw has them."""
    names = {"segments": SEGMENTS, "regions": REGIONS, "chemistries": CHEMISTRIES}
    kinds = {kind: SimpleNamespace(names=each) for kind, each in names.items()}
    kinds["chemistries"].lithium = LITHIUM
    return SimpleNamespace(first_year=2015, observed_until=observed_until, **kinds)


def told(name, deliveries, **others):
    """The series of some deliveries, {(segment, region, chemistry): GWh} in each of two worlds and 12 years."""
    arrays = np.zeros((2, 12, len(SEGMENTS), len(REGIONS), len(CHEMISTRIES)), np.float32)
    for (segment, region, chemistry), amount in deliveries.items():
        arrays[:, :, SEGMENTS.index(segment), REGIONS.index(region), CHEMISTRIES.index(chemistry)] = amount
    return observable(name).simulated(drawn(**others), {"deliveries": arrays})


SALES = {
    ("mass_cars", "china", "lfp"): 30,
    ("mass_cars", "china", "nmc"): 10,
    ("micro_cars", "china", "lfp"): 20,
    ("premium_cars", "europe", "nmc"): 20,
    ("premium_cars", "europe", "lfp"): 5,
    ("mass_cars", "china", "sodium_ion"): 500,
    ("micro_cars", "europe", "lead_acid"): 500,
    ("commercial_vehicles", "china", "lfp"): 70,
    ("aviation", "china", "nmc"): 900,
    ("stationary_grid", "europe", "lfp"): 800,
    ("stationary_home", "china", "sodium_ion"): 50,
}


@pytest.mark.parametrize(("region", "share"), [("china", 50 / 60), ("europe", 5 / 25), ("world", 55 / 85), ("united_states", 0)])
def test_the_share_of_lfp_is_that_of_lithium_batteries_in_cars(region, share):
    found = told(f"lfp_share_{region}", SALES)
    assert found.shape == (2, 12)
    np.testing.assert_allclose(found, share)


def test_storage_is_of_the_grid_and_of_homes():
    np.testing.assert_allclose(told("storage_demand", SALES), 850)


def test_from_vehicles_is_taken_what_the_iea_leaves_out():
    outside = observed("ev_demand_outside_iea", confidence=CONFIDENCE)
    found = told("ev_battery_demand", SALES)[:, :10]
    np.testing.assert_allclose(found, 1155 - np.broadcast_to(outside.values[-10:], (2, 10)))
    assert outside.years[-10:].tolist() == list(range(2015, 2025))


@pytest.mark.parametrize("last", [2018, 2022])
def test_what_the_iea_leaves_out_stays_as_it_was_when_last_known(last):
    outside = observed("ev_demand_outside_iea", confidence=CONFIDENCE, until=last)
    found = told("ev_battery_demand", SALES, observed_until=last)
    np.testing.assert_allclose(found[:, last - 2015 :], 1155 - outside.values[-1])


def test_vehicles_are_never_less_than_nothing():
    found = told("ev_battery_demand", {("mass_cars", "china", "nmc"): 1})
    assert (found > 0).all()
    assert (found < 0.01).all()


@pytest.mark.parametrize(("name", "column"), [("cell_price", "mean_cell_price"), ("lithium_price", CONTRACTS)])
def test_a_price_of_a_year_is_the_mean_of_its_months(name, column):
    months = np.arange(48.0, dtype=np.float32).reshape(2, 24)
    np.testing.assert_allclose(observable(name).simulated(drawn(), {column: months}), [[5.5, 17.5], [29.5, 41.5]])


@cache
def shipped():
    """The shipped world's names and history, drawn."""
    return draw(load("baseline").world, 1, np.arange(1))


@pytest.mark.parametrize("name", ["ev_battery_demand", "storage_demand"])
def test_the_demand_on_which_the_shipped_world_is_run_is_the_demand_by_which_it_is_judged(name):
    history = shipped().segments.history[None, :, :, :120:12]
    found = observable(name).simulated(shipped(), {"deliveries": np.moveaxis(history, -1, 1)[..., None]})[0]
    seen = observed(observable(name).series, confidence=CONFIDENCE)
    kept = (seen.years >= 2015) & (seen.years <= 2024)
    assert kept.sum() == 10
    np.testing.assert_allclose(found, seen.values[kept], rtol=0.03)


def test_all_segments_that_count_are_in_the_shipped_world():
    assert set(VEHICLES + STORAGE) <= set(shipped().segments.names)
    assert set(CARS) == set(load("baseline").world.unexplained.segments), "the record holds the shares by which it is judged"


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("name", OBSERVABLES)
def test_every_series_was_known_at_every_origin(name, origin):
    past = observable(name).past(origin)
    assert past.years[-1] == origin
    assert past.years[0] <= 2015
    assert (np.diff(past.years) == 1).all()
    assert past.unit == observable(name).unit


@pytest.mark.parametrize("name", OBSERVABLES)
def test_every_series_has_values_to_judge_by(name):
    final = observable(name).final()
    assert len([year for year in final if year > 2018]) >= 3
    graded = observed(observable(name).series, observable(name).region, confidence=observable(name).judged)
    assert final == dict(zip(graded.years.tolist(), graded.values.tolist(), strict=True))


@pytest.mark.parametrize("name", OBSERVABLES)
def test_what_is_published_strays_by_the_error_of_measurement(name):
    own = observable(name)
    truth = np.full(4000, 0.5 if own.scale == "share" else 80.0)
    luck = np.random.default_rng(1).standard_normal(4000)
    seen = own.measured(truth, luck)
    strayed = seen - truth if own.scale == "share" else np.log(seen / truth)
    np.testing.assert_allclose(strayed, own.error * luck)
    assert 0 < own.error < 0.5
    np.testing.assert_array_equal(own.measured(truth, np.zeros(4000)), truth)


def test_no_published_share_is_below_nothing_or_above_all():
    seen = observable("lfp_share_europe").measured(np.array([0.0, 1.0]), np.array([-3.0, 3.0]))
    np.testing.assert_array_equal(seen, [0.0, 1.0])


def test_only_prices_are_prices():
    assert {name for name, each in OBSERVABLES.items() if each.price} == {"cell_price", "lithium_price"}


def test_names_are_their_own_and_titles_differ():
    assert all(name == each.name for name, each in OBSERVABLES.items())
    assert len({each.title for each in OBSERVABLES.values()}) == len(OBSERVABLES)


def test_an_unknown_series_is_refused_with_the_list():
    with pytest.raises(DataError, match=r"'lfp_share_mars': cannot be judged; allowed: .*cell_price.*storage_demand"):
        observable("lfp_share_mars")
