"""What an analyst knew at an origin: the first print of the last year, nothing later, and clear refusals."""

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.history import vintages
from forecast.history.observed import CONFIDENCE, observed, regions
from forecast.history.vintages import FIRST_PRINTS, as_known, restatements, to_2024_dollars, with_vintages

ORIGINS = range(2018, 2024)
HINDCAST_SERIES = ("cell_price", "ev_battery_demand", "lfp_share", "mine_output")
HINDCAST_SERIES += ("lithium_price", "lithium_price_year_end", "lithium_price_mid_year", "car_sales_last_quarter")


def value_of(found, year):
    return dict(zip(found.years.tolist(), found.values.tolist(), strict=True))[year]


@pytest.mark.parametrize(
    ("year", "first_print", "today"), [(2020, 8_000, 8_400), (2021, 17_000, 12_600), (2022, 37_000, 68_100)]
)
def test_the_last_lithium_price_is_as_first_printed_and_restated_a_year_later(year, first_print, today):
    assert value_of(as_known("lithium_price_nominal", origin=year), year) == first_print
    assert value_of(as_known("lithium_price_nominal", origin=year + 1), year) == today


def test_a_first_print_in_nominal_dollars_is_brought_to_2024():
    found = as_known("lithium_price", origin=2020)
    assert found.unit == "USD2024/t"
    assert value_of(found, 2020) == pytest.approx(8_000 * 125.22 / 105.4)
    assert "8000 USD/t" in found.note[-1]
    assert found.known_from[-1] == "2021-02-01"


def test_the_year_before_the_origin_is_todays():
    today = observed("lithium_price")
    assert value_of(as_known("lithium_price", origin=2021), 2020) == value_of(today, 2020) == 10_100


def test_restatements_are_those_of_the_years_before_the_origin():
    known = restatements("mine_output", origin=2019)
    np.testing.assert_allclose(known, np.log([31_500 / 32_500, 38_000 / 35_000, 69_000 / 43_000, 95_000 / 85_000]))
    assert restatements("mine_output", origin=2018) == known[:-1]


def test_restatements_of_prices_are_free_of_inflation():
    assert restatements("lithium_price", origin=2021)[-1] == pytest.approx(np.log(8_400 / 8_000), abs=0.02)


def test_what_has_no_first_prints_was_never_restated():
    assert restatements("lfp_share", "china", origin=2023) == []


def test_first_prints_of_another_scope_do_not_break_a_series():
    assert value_of(as_known("ev_battery_demand", origin=2020), 2020) == value_of(observed("ev_battery_demand"), 2020) == 172.2


def test_mine_output_stays_in_its_unit():
    found = as_known("mine_output", origin=2019)
    assert (found.unit, value_of(found, 2019), value_of(found, 2018)) == ("t/year", 77_000, 95_000)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("series", HINDCAST_SERIES)
def test_nothing_after_the_origin_shows_and_the_origin_does(series, origin):
    for region in regions(series):
        nothing_after_the_origin_shows(series, region, origin)


def nothing_after_the_origin_shows(series, region, origin):
    found = as_known(series, region, origin=origin)
    assert found.years[-1] == origin
    assert (np.diff(found.years) > 0).all()
    assert max(found.known_from) <= f"{origin + 1}-07-31"
    assert found.unit == observed(series, region, confidence=CONFIDENCE).unit


def redate(monkeypatch, changed, known_from):
    """Let all rows of one series have become public on one day."""
    read = vintages.rows_of

    def rows_of(series, *rest):
        return [row | {"known_from": known_from} if series == changed else row for row in read(series, *rest)]

    monkeypatch.setattr(vintages, "rows_of", rows_of)


def test_a_year_after_the_origin_is_not_seen_even_if_it_was_public(monkeypatch):
    redate(monkeypatch, "lfp_share", "2018-01-01")
    assert as_known("lfp_share", origin=2020).years[-1] == 2020


def test_a_first_print_that_came_too_late_is_not_used(monkeypatch):
    redate(monkeypatch, "mine_output_first_print", "2022-08-01")
    assert value_of(as_known("mine_output", origin=2021), 2021) == value_of(observed("mine_output"), 2021)


def test_a_first_print_from_memory_is_used_only_when_asked_for():
    assert value_of(as_known("cell_price", origin=2022), 2022) == value_of(observed("cell_price"), 2022)
    assert value_of(as_known("cell_price", origin=2022, confidence=("high", "medium", "low")), 2022) == pytest.approx(120 * 125.22 / 118)


def test_a_region_without_first_prints_shows_todays_edition():
    assert value_of(as_known("ev_battery_demand", "india", origin=2020), 2020) == value_of(observed("ev_battery_demand", "india"), 2020)


def test_a_price_at_the_end_of_a_year_is_known_the_next_january():
    assert value_of(as_known("lithium_price_year_end", origin=2022), 2022) == pytest.approx(71_450, rel=1e-3)


def test_every_first_print_can_be_brought_to_the_unit_of_its_series():
    for series, edition in FIRST_PRINTS.items():
        for region in regions(edition):
            for year in observed(edition, region, confidence=("high", "medium", "low")).years.tolist():
                if year in observed(series, region).years:
                    assert as_known(series, region, origin=year, confidence=("high", "medium", "low")).unit == observed(series).unit


def test_each_series_with_vintages_gives_some_of_them():
    assert set(HINDCAST_SERIES) <= set(with_vintages())
    assert "ev_demand_outside_iea" not in with_vintages()
    for series in with_vintages():
        region = regions(series)[0]
        found = observed(series, region, confidence=("high", "medium", "low"))
        late = found.known_from[-1] > f"{found.years[-1] + 1}-07-31"
        assert late or as_known(series, region, origin=int(found.years[-1]), confidence=("high", "medium", "low")).years.size, series


def test_an_origin_before_the_first_or_after_the_last_year_is_refused():
    with pytest.raises(DataError, match=r"as_known lithium_price, world, origin 2013: .* 2014 to 2025"):
        as_known("lithium_price", origin=2013)
    with pytest.raises(DataError, match=r"origin 2026: .* 2014 to 2025"):
        as_known("lithium_price", origin=2026)


def test_a_series_that_never_says_when_it_was_public_is_refused():
    with pytest.raises(DataError, match=r"ev_demand_outside_iea, china, origin 2020: .* has no vintages; allowed: .*cell_price"):
        as_known("ev_demand_outside_iea", "china", origin=2020, confidence="low")


def test_an_outlook_has_no_vintages():
    with pytest.raises(DataError, match="no vintages"):
        as_known("outlook_irena_sodium_ion_high", origin=2030)


def test_a_question_before_anything_was_public_is_refused_with_the_first_date():
    with pytest.raises(DataError, match=r"sodium_ion, china, origin 2024: nothing was public by 2025-07-31; .* 2026-01-31"):
        as_known("sodium_ion", "china", origin=2024)


def test_grades_that_no_row_has_are_refused():
    with pytest.raises(DataError, match="sodium_ion_shipments, world, origin 2024: no row is graded high, medium"):
        as_known("sodium_ion_shipments", origin=2024)


def test_an_unknown_series_or_region_is_refused_with_the_list():
    with pytest.raises(DataError, match=r"'gold'.*lithium_price"):
        as_known("gold", origin=2020)
    with pytest.raises(DataError, match=r"'mars'.*world"):
        as_known("lithium_price", "mars", origin=2020)


def test_dollars_of_2024_are_their_own_and_older_ones_grow():
    assert to_2024_dollars(100, 2024) == 100
    assert to_2024_dollars(100, 2017) == pytest.approx(125.22)
    with pytest.raises(DataError, match="no value for 1999; allowed: 2014 to 2024"):
        to_2024_dollars(100, 1999)


def test_a_caller_cannot_change_what_was_known():
    with pytest.raises(ValueError, match="read-only"):
        as_known("lithium_price", origin=2020).values[0] = 0
