"""Numbers with units: what is understood, and that nothing else gets through."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecast.declare import slots
from forecast.model.world import World
from forecast.scenario.units import UNITS, UnitProblem, convert, measure


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("15 USD/kg", "USD/kg", 15.0),
        ("15 USD/kg", "USD/t", 15_000.0),
        ("20000 USD/t", "USD/kg", 20.0),
        ("35 %", "1", 0.35),
        ("35%", "1", 0.35),
        ("2 kt/yr", "t/year", 2000.0),
        ("1.5 TWh/year", "GWh/year", 1500.0),
        ("2 year", "month", 24.0),
        ("45 days", "month", 1.5),
        ("-3e2 kUSD/MWh", "USD/kWh", -300.0),
        ("70 USD*year / kWh", "USD*year/kWh", 70.0),
        ("300 cycles/year", "1/year", 300.0),
        ("0.5 MUSD/GWh", "USD/kWh", 0.5),
        ("3 kg^2/kg", "kg", 3.0),
    ],
)
def test_a_text_with_a_unit_becomes_a_number_in_the_unit_of_the_declaration(text, unit, number):
    assert convert(text, unit) == pytest.approx(number, rel=1e-14)


def test_the_same_unit_changes_no_bit():
    assert convert("0.1 USD/kWh", "USD/kWh") == 0.1


@pytest.mark.parametrize("text", ["15 USD/kWh", "15 kg", "15 year", "15 %"])
def test_a_unit_of_another_dimension_is_refused_with_the_unit_expected(text):
    with pytest.raises(UnitProblem, match="must be in USD/kg"):
        convert(text, "USD/kg")


@pytest.mark.parametrize("text", ["15 EUR/kg", "15 knot", "15 kWw", "15 kg**2", "15 kg^9", "15 kg//t", "15 kg*", "15 kg^-"])
def test_an_unknown_unit_is_named(text):
    with pytest.raises(UnitProblem, match="unknown unit"):
        convert(text, "USD/kg")


@pytest.mark.parametrize(
    "text", ["nan kWh", "inf kWh", "1e400 kWh", "9**9**9", "9**9**9 kWh", "1_000 kWh", "1,000 kWh", "15", "", "kWh", "\u0661 kWh"]
)
def test_what_is_not_a_number_and_a_unit_is_refused(text):
    with pytest.raises(UnitProblem):
        convert(text, "kWh")


def test_a_year_is_twelve_months_of_thirty_days():
    assert convert("1 year", "day") == 360
    assert convert("1 day", "hour") == pytest.approx(24)


def test_every_declared_unit_is_understood():
    def units(cls):
        for slot in slots(cls).values():
            yield from units(slot.inner) if slot.inner else [slot.declaration.unit]

    declared = {unit for unit in units(World) if unit}
    assert {"USD/t", "GWh/year", "month"} <= declared
    for unit in declared:
        measure(unit)


def understood(text, unit):
    """The number, or None if the text is refused; any other exception is a failure."""
    try:
        return convert(text, unit)
    except UnitProblem:
        return None


@settings(max_examples=60)
@given(st.text(max_size=200) | st.text("0123456789.eE+-*/^% kgtUSDWhyear1", max_size=120))
@example("9" * 99 + " kg")
@example("1 " + "kg*" * 32 + "kg")
@example("1 " + "kg/" * 31 + "t")
def test_any_text_gives_a_finite_number_or_a_unit_problem(text):
    for unit in ("USD/kg", "1"):
        number = understood(text, unit)
        assert number is None or math.isfinite(number)


@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)))
def test_converting_there_and_back_gives_the_number(number, here, there):
    if measure(here)[1] == measure(there)[1]:
        assert convert(f"{convert(f'{number:.17g} {here}', there):.17g} {there}", here) == pytest.approx(number, rel=1e-12, abs=1e-300)
