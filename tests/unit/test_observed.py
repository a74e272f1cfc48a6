"""The observed series: what they hold, and what they refuse."""

import datetime
import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from forecast.errors import DataError
from forecast.history import observed as module
from forecast.history.observed import names, observed, regions
from forecast.history.vintages import restatements

WORLD = Path(__file__).parents[2] / "scenarios" / "world"
EV_SEGMENTS = ("micro_cars", "mass_cars", "premium_cars", "commercial_vehicles", "two_three_wheelers")
REGIONS = ("china", "europe", "united_states", "india", "rest_of_world")
HINDCAST_SERIES = ("cell_price", "ev_battery_demand", "storage_demand", "lfp_share", "lithium_price", "mine_output")


def every_row():
    return [row for rows in module._all_rows().values() for row in rows]


@pytest.mark.parametrize("series", HINDCAST_SERIES)
def test_the_series_that_hindcasts_need_run_from_2015_to_2024(series):
    assert set(range(2015, 2025)) <= set(observed(series, confidence=("high", "medium", "low")).years.tolist())


def test_known_figures_are_read_as_published():
    assert observed("cell_price", until=2024).values[-1] == 78
    assert observed("cell_price").unit == "USD2024/kWh"
    assert dict(zip(*years_and_values("mine_output"), strict=True))[2015] == 31_500
    assert dict(zip(*years_and_values("ev_battery_demand"), strict=True))[2024] == 953


def years_and_values(series, region="world"):
    found = observed(series, region)
    return found.years.tolist(), found.values.tolist()


def test_no_year_stands_twice_in_one_series_and_region():
    keys = [(row["series"], row["region"], row["year"]) for row in every_row()]
    assert len(keys) == len(set(keys))


def test_every_row_names_its_source_unit_and_grade():
    assert [row for row in every_row() if not (row["source"] and row["unit"])] == []
    assert {row["confidence"] for row in every_row()} <= set(module.CONFIDENCE)


def test_a_series_has_one_unit():
    for series, rows in module._all_rows().items():
        assert len({row["unit"] for row in rows}) == 1, series


def test_known_from_is_a_date_after_the_year_began_or_empty():
    for row in every_row():
        if row["known_from"] and not row["series"].startswith("outlook_"):
            assert datetime.date.fromisoformat(row["known_from"]) >= datetime.date(int(row["year"]), 1, 1), row


def test_regions_add_up_to_the_world():
    # the IEA rounds each figure to two digits
    for series in ("ev_battery_demand", "storage_demand"):
        grades = ("high", "medium", "low")
        world = observed(series, confidence=grades)
        recent = (world.years >= 2015) & (world.years <= 2024)  # of 2025 the world alone is on file
        parts = sum(observed(series, region, confidence=grades).values[-10:] for region in REGIONS)
        np.testing.assert_allclose(parts, world.values[recent], rtol=0.04)


def test_shares_lie_between_zero_and_one():
    for row in every_row():
        if row["unit"] == "1":
            assert 0 <= float(row["value"]) <= 1, row


@pytest.mark.parametrize(("series", "first"), [("lithium_price_year_end", 2016), ("lithium_price_mid_year", 2018)])
def test_the_price_of_lithium_at_a_day_is_the_arithmetic_of_its_note(series, first):
    found = observed(series)
    assert found.years.tolist() == list(range(first, 2025))
    deflator = dict(zip(*years_and_values("us_gdp_deflator", "united_states"), strict=True))
    for year, value, note in zip(found.years, found.values, found.note, strict=True):
        yuan, tax, rate, base, level = re.match(r"(\d+) CNY/t / (\S+) VAT / (\S+) CNY/USD x (\S+) / (\S+) ", note).groups()
        assert (float(base), float(level)) == (deflator[2024], deflator[year])
        assert float(tax) == (1.17 if year < 2018 else 1.16 if year < 2019 else 1.13)
        assert value == pytest.approx(float(yuan) / float(tax) / float(rate) * float(base) / float(level), rel=1e-4), year


def test_the_deflator_is_the_one_that_the_lithium_price_was_made_with():
    deflator = dict(zip(*years_and_values("us_gdp_deflator", "united_states"), strict=True))
    found = observed("lithium_price", until=2019)
    for year, value, note in zip(found.years, found.values, found.note, strict=True):
        nominal, level, base = re.match(r"(\d+) nominal x \S+ \(deflator (\S+), 2024: ([\d.]+)", note).groups()
        assert (float(level), float(base)) == (deflator[year], deflator[2024])
        assert value == pytest.approx(float(nominal) * float(base) / float(level), rel=1e-3), year


def test_what_is_from_memory_in_a_source_is_graded_low():
    assert [row for row in every_row() if "from memory" in row["source"] and row["confidence"] != "low"] == []


def test_nothing_is_returned_that_was_not_public_yet():
    found = observed("lithium_price", known_by="2019-12-31")
    assert found.years[-1] == 2018
    assert max(found.known_from) <= "2019-12-31"
    assert observed("lithium_price", known_by=datetime.date(2020, 2, 1)).years[-1] == 2019


def test_until_keeps_that_year_and_drops_the_next():
    assert observed("cell_price", until=2020).years[-1] == 2020


def test_low_rows_come_only_when_asked_for():
    assert "low" not in observed("storage_demand").confidence
    assert "low" in observed("storage_demand", confidence=("high", "medium", "low")).confidence
    with pytest.raises(DataError, match="graded low"):
        observed("ev_demand_outside_iea")


def test_an_unknown_series_is_refused_with_the_list_of_those_allowed():
    with pytest.raises(DataError, match=r"'gold'.*cell_price.*lithium_price"):
        observed("gold")


def test_an_unknown_region_is_refused_with_the_list_of_those_allowed():
    with pytest.raises(DataError, match=r"'mars'.*china.*world"):
        observed("lfp_share", "mars")


def test_an_unknown_grade_or_a_bad_date_is_refused():
    with pytest.raises(DataError, match="allowed are high"):
        observed("cell_price", confidence=("certain",))
    with pytest.raises(DataError, match="ISO date"):
        observed("cell_price", known_by="next year")


def test_a_question_with_no_answer_says_which_years_exist():
    with pytest.raises(DataError, match="1991 to 2025"):
        observed("cell_price", until=1980)


def test_a_caller_cannot_change_history():
    with pytest.raises(ValueError, match="read-only"):
        observed("cell_price").values[0] = 0


def test_names_are_sorted_and_each_can_be_read():
    assert list(names()) == sorted(set(names()))
    for series in names():
        for region in regions(series):
            found = observed(series, region, confidence=module.CONFIDENCE)
            assert np.isfinite(found.values).all()
            assert (np.diff(found.years) > 0).all()


@pytest.mark.parametrize("region", REGIONS)
def test_the_demand_history_of_vehicles_is_the_observed_one_plus_the_stated_additions(region):
    segments = YAML(typ="safe").load(WORLD / "demand.yaml")["segments"]
    added = dict.fromkeys(range(2015, 2025), 0.0)
    if region in regions("ev_demand_outside_iea"):
        found = observed("ev_demand_outside_iea", region, confidence=["low"])
        added.update(zip(found.years.tolist(), found.values.tolist(), strict=True))
    seen = dict(zip(*years_and_values("ev_battery_demand", region), strict=True))
    for year, extra in added.items():
        total = sum(segments[name]["history"][region][year] for name in EV_SEGMENTS)
        assert total - extra == pytest.approx(seen[year], rel=0.01), year


def test_the_storage_line_is_the_demand_history_of_both_storage_segments():
    segments = YAML(typ="safe").load(WORLD / "demand.yaml")["segments"]
    for region in REGIONS:
        found = observed("storage_demand", region, confidence=module.CONFIDENCE)
        for year, value in zip(found.years.tolist(), found.values.tolist(), strict=True):
            parts = (segments[name]["history"][region][year] for name in ("stationary_grid", "stationary_home"))
            assert sum(parts) == pytest.approx(value, rel=0.01), (region, year)


def test_mines_of_january_2015_can_make_what_was_mined_that_year():
    mines = YAML(typ="safe").load(WORLD / "mines.yaml")["mines"]
    capacity = sum(float(mine["capacity"].split()[0]) for mine in mines.values() if mine["status"] == "producing")
    mined = dict(zip(*years_and_values("mine_output"), strict=True))[2015] * 5.323
    assert mined < capacity < 1.2 * mined
    there = ("producing", "construction")
    assert all((float(mine["capacity"].split()[0]) > 0) == (mine["status"] in there) for mine in mines.values())


KINDS = {"share": "lfp_share", "sales_last_quarter": "car_sales_last_quarter"}


def test_the_record_of_the_baseline_is_the_history_it_names():
    for name, series in YAML(typ="safe").load(WORLD / "record.yaml")["record"].items():
        place = series.get("region") or series.get("mineral") or "world"
        seen = observed(KINDS.get(series["kind"], series["kind"]), place, confidence=module.CONFIDENCE)
        factor, more = (5.323 if name == "mine_output" else 1), (1.5 if name == "nickel_price" else 0)
        known = dict(zip(seen.years.tolist(), seen.values.tolist(), strict=True))
        for year, value in series["values"].items():
            assert value == pytest.approx(known[year] * factor + more, rel=1e-3), (name, year)


def test_the_last_values_of_the_baseline_are_to_be_restated_as_earlier_first_prints_were():
    for name, series in YAML(typ="safe").load(WORLD / "record.yaml")["record"].items():
        place = series.get("region") or series.get("mineral") or "world"
        seen = restatements(KINDS.get(series["kind"], series["kind"]), place, origin=max(series["values"]))
        given = series.get("restatement", {"normal": [0.0, 0.0]})["normal"]
        spread = np.std([0.0, *seen], ddof=1) if seen else 0.0
        assert given == pytest.approx([np.mean([0.0, *seen]), spread], abs=1e-4), name
