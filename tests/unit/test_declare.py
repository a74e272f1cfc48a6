"""Priors are what their names say, and declarations carry unit, meaning and source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from forecast import declare
from forecast.declare import Block, Declaration, Lognormal, Normal, Path, Quantity, Triangular, Uniform, parameter, path, slots, table

PRIORS = {
    "normal": (Normal(3, 2), stats.norm(3, 2)),
    "lognormal": (Lognormal(3, 0.4), stats.lognorm(0.4, scale=3)),
    "uniform": (Uniform(-1, 5), stats.uniform(-1, 6)),
    "triangular": (Triangular(1, 2, 7), stats.triang(1 / 6, 1, 6)),
    "triangular, mode at an end": (Triangular(1, 1, 7), stats.triang(0, 1, 6)),
}


@pytest.mark.parametrize(("prior", "theory"), PRIORS.values(), ids=PRIORS)
@given(probability=st.floats(1e-6, 1 - 1e-6))
def test_the_quantile_of_a_prior_gives_back_its_probability(prior, theory, probability):
    assert theory.cdf(prior.quantile(np.array(probability))) == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize(("prior", "theory"), PRIORS.values(), ids=PRIORS)
def test_the_centre_of_a_prior_is_its_median(prior, theory):
    assert prior.centre == pytest.approx(theory.median())


def test_every_family_is_tested():
    assert {prior.family for prior, _ in PRIORS.values()} == set(declare.FAMILIES)


@pytest.mark.parametrize("prior", [Normal(3, 0), Lognormal(3, 0), Uniform(3, 3)], ids=str)
def test_a_prior_without_spread_is_a_number(prior):
    assert np.unique(prior.quantile(np.linspace(0.01, 0.99, 20))).tolist() == [3.0]
    assert declare.FAMILIES[prior.family].problem(*prior.arguments) is None


@pytest.mark.parametrize(
    "wrong", [Normal(0, -1), Lognormal(0, 1), Lognormal(1, -1), Uniform(2, 1), Triangular(1, 3, 2), Triangular(1, 1, 1)], ids=str
)
def test_impossible_priors_are_named(wrong):
    assert declare.FAMILIES[wrong.family].problem(*wrong.arguments)


def test_a_path_is_straight_between_its_years_and_level_beyond():
    assert Path((2020.0, 2030.0), (1.0, 3.0)).at(np.array([2000, 2020, 2025, 2030, 2060])).tolist() == [1, 1, 2, 3, 3]


class Kite(Block):
    """A block for these tests."""

    length: Quantity = parameter("m", "Length of the string", "kite block", above=0)
    wind: Path = path("m/s", "Wind", "assumption: steady", 5)
    tails: dict[str, Quantity] = table("m", "Tails", "kite block", "colours", at_least=0)


def test_a_block_tells_what_was_declared():
    length, wind, tails = slots(Kite).values()
    assert (length.kind, length.declaration.unit, length.declaration.bounds, length.default) == (
        "quantity",
        "m",
        {"above": 0},
        declare.REQUIRED,
    )
    assert (wind.kind, wind.default.values, wind.default.source) == ("path", (5.0,), "assumption: steady")
    assert (tails.kind, tails.declaration.axis, tails.declaration.bounds) == ("table", "colours", {"at_least": 0, "fill": 0.0})


def test_the_size_of_a_number_is_limited_by_its_unit_unless_its_bounds_allow_more():
    def largest(unit, **bounds):
        return Declaration("quantity", unit, "a number", bounds=bounds).largest

    assert [largest("USD/kWh"), largest("1"), largest("month", at_least=1)] == [1e9, 1e3, 1200]
    assert [largest("1", at_most=1e6), largest("1", at_most=1), largest("year", below=3000)] == [1e6, 1e3, 3000]


def test_a_block_is_frozen_and_knows_no_other_fields():
    kite = Kite(length=Quantity(3.0), tails={})
    with pytest.raises(ValueError, match="frozen"):
        kite.length = Quantity(4.0)
    with pytest.raises(ValueError, match="colour"):
        Kite(length=Quantity(3.0), tails={}, colour="red")
