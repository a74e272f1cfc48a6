"""Naive rivals: each continues what it is made for, says how unsure it is, and is never a straw man."""

import numpy as np
import pytest

from forecast.assess.rivals import EXTRA_LUCK, RIVALS, SMALLEST_SPREAD, SPREAD_LUCK, Past, bass_adopters
from forecast.errors import DataError

AHEAD = np.arange(1, 6)
GROWING = 100 * 1.3 ** np.arange(10.0)


def dealt(draws=4000, horizon=5, seed=0):
    """Luck in pairs of opposite shocks and the same spread, so that medians are exact but for rounding."""
    half = np.random.default_rng(seed).standard_normal((draws // 2, horizon + EXTRA_LUCK))
    other = -half
    other[:, SPREAD_LUCK] = half[:, SPREAD_LUCK]
    return np.concatenate([half, other])


def past(values, scale="log", first=2010, **more):
    return Past(np.arange(first, first + len(values)), np.asarray(values, float), scale, **more)


def needs(name, values):
    """What a rival has to see beside these values."""
    told = {"wright": {"experience": 5 * 1.25 ** np.arange(len(values))}, "last_quarter": {"pace": np.full(len(values), 0.2)}}
    return (told | {"year_end": {"latest": np.asarray(values)}}).get(name, {})


def medians(name, seen):
    return np.median(RIVALS[name](seen, 5, dealt()), axis=0)


def widths(name, seen):
    """Half the difference of the quartiles of the logarithm, by horizon."""
    low, high = np.quantile(np.log(RIVALS[name](seen, 5, dealt(40000))), [0.25, 0.75], axis=0)
    return (high - low) / 2


def noisy(points=12, step=0.2, seed=1, slope=0.0):
    return np.exp(4 + np.cumsum(slope + step * np.random.default_rng(seed).standard_normal(points)))


def test_the_last_value_stays_and_its_spread_grows_as_the_root_of_the_years():
    seen = past(noisy())
    assert medians("last_value", seen) == pytest.approx(seen.values[-1], rel=0.01)
    width = widths("last_value", seen)
    assert width / width[0] == pytest.approx(np.sqrt(AHEAD), rel=0.03)


def test_the_spread_of_the_last_value_is_that_of_the_changes():
    changes = 0.3 * np.resize([1, -1], 60)
    width = widths("last_value", past(np.exp(np.cumsum(changes))))
    assert width[0] == pytest.approx(0.6745 * 0.3, rel=0.05)


def test_drift_continues_exponential_growth():
    assert medians("drift", past(GROWING)) == pytest.approx(GROWING[-1] * 1.3**AHEAD, rel=0.01)


def test_the_variance_of_drift_is_that_of_the_textbook():
    width = widths("drift", past(noisy(9)))
    assert width / width[0] == pytest.approx(np.sqrt(AHEAD * (1 + AHEAD / 8)) / np.sqrt(1 + 1 / 8), rel=0.03)


def test_a_gap_in_the_past_changes_neither_growth_nor_its_spread():
    for years in ([2010, 2011, 2014, 2015], [2010, 2011, 2012, 2015]):
        steady = Past(np.array(years), 100 * 1.3 ** (np.array(years) - 2010.0), "log")
        for name in ("drift", "last_growth"):
            assert medians(name, steady) == pytest.approx(100 * 1.3 ** (5 + AHEAD), rel=0.01)
    changes = 0.2 * np.sqrt(3) * np.resize([1, -1], 60)
    seldom = Past(2010 + 3 * np.arange(60), np.exp(changes.cumsum()), "log")
    for name in ("last_value", "drift"):
        assert widths(name, seldom)[0] == pytest.approx(0.6745 * 0.2, rel=0.05)


def test_the_last_growth_goes_on_and_its_errors_add_up_twice():
    seen = past([100, 110, 100, 130, 195])
    assert medians("last_growth", seen) == pytest.approx(195 * 1.5**AHEAD, rel=0.02)
    width = widths("last_growth", seen)
    assert width / width[0] == pytest.approx(np.sqrt(np.cumsum(AHEAD**2)), rel=0.05)


def test_the_price_of_the_year_end_stays_and_errs_as_year_ends_did():
    ends = np.array([np.nan, 12.0, 20.0, 15.0, 30.0])
    seen = past([10, 11, 12 * 1.2, 20 / 1.2, 15 * 1.2], latest=ends)
    assert medians("year_end", seen) == pytest.approx(30, rel=0.01)
    width = widths("year_end", seen)
    assert width / width[0] == pytest.approx(np.sqrt(AHEAD), rel=0.03)
    told = past([10, 11, 12 * 1.05, 20 / 1.05, 15 * 1.05], latest=ends)
    assert width[0] == pytest.approx(widths("year_end", told)[0] * np.log(1.2) / 0.05, rel=0.02)


@pytest.mark.parametrize("latest", [None, [np.nan, np.nan, 0.3], [0.2, 0.2, np.nan]])
def test_without_a_year_end_that_was_proved_there_is_no_such_rival(latest):
    assert RIVALS["year_end"](past([1, 2, 3], latest=None if latest is None else np.array(latest)), 5, dealt()) is None


def test_the_growth_of_the_last_quarter_goes_on_and_errs_as_quarters_did():
    told = np.log([np.nan, 1.2, 1.4, 1.6, 1.5])
    seen = past([100, 110, 132 * np.exp(0.3), 184.8 * np.exp(0.3), 295.68 * np.exp(0.6)], pace=told)
    assert medians("last_quarter", seen) == pytest.approx(seen.values[-1] * 1.5**AHEAD, rel=0.02)
    width = widths("last_quarter", seen)
    assert width / width[0] == pytest.approx(np.sqrt(np.cumsum(AHEAD**2)), rel=0.05)
    truth = past(np.append(100, 100 * np.exp(np.nancumsum(np.append(0, told[1:-1])))), pace=told)
    assert width[0] > 2 * widths("last_quarter", truth)[0]


@pytest.mark.parametrize("pace", [None, [np.nan, np.nan, 0.3], [0.2, 0.2, np.nan], [np.nan, np.nan, np.nan]])
def test_without_quarters_that_told_and_were_proved_there_is_no_such_rival(pace):
    assert RIVALS["last_quarter"](past([1, 2, 3], pace=None if pace is None else np.array(pace)), 5, dealt()) is None


def test_a_damped_trend_goes_on_ever_more_slowly():
    steps = np.diff(np.log(np.append(GROWING[-1], medians("damped_trend", past(GROWING)))))
    assert steps == pytest.approx(np.log(1.3) * 0.98**AHEAD, rel=0.01)


def test_a_damped_trend_forgives_one_bad_year():
    bad = GROWING.copy()
    bad[4] *= 1.5
    assert medians("damped_trend", past(bad)) == pytest.approx(medians("damped_trend", past(GROWING)), rel=0.25)


def test_wrights_law_continues_a_power_law():
    made = 5 * 1.25 ** np.arange(10.0)
    seen = past(1000 * made**-0.4, experience=made)
    assert medians("wright", seen) == pytest.approx(seen.values[-1] * 1.25 ** (-0.4 * AHEAD), rel=0.01)


def test_unsure_experience_makes_an_unsure_price():
    def width(growth):
        made = np.exp(np.cumsum(np.resize(growth, 12)))
        return widths("wright", past(1000 * made**-0.4, experience=made))[0]

    assert width([0.1, 0.5]) > 1.5 * width([0.3, 0.3])


def test_the_errors_of_wrights_law_hang_together():
    made = 5 * 1.25 ** np.arange(60.0)
    width = widths("wright", past(noisy(60), experience=made))
    assert 2.2 < width[3] / width[0] < 2.6


def test_wrights_law_needs_experience_and_adoption_curves_no_price():
    made = np.arange(1.0, 11)
    assert RIVALS["wright"](past(GROWING), 5, dealt()) is None
    for name in ("logistic", "bass"):
        assert RIVALS[name](past(GROWING, price=True), 5, dealt()) is None
        assert RIVALS[name](past(GROWING, experience=made), 5, dealt()) is None


@pytest.mark.parametrize(("scale", "ceiling"), [("log", 500.0), ("share", 0.8)])
def test_a_logistic_curve_finds_its_ceiling(scale, ceiling):
    years = np.arange(2005, 2024)
    level = ceiling / (1 + np.exp(-0.6 * (years - 2014.0)))
    found = medians("logistic", past(level[:13], scale, 2005))
    assert found == pytest.approx(level[13:18], rel=0.05)


def test_a_share_may_also_be_lost_along_a_logistic_curve():
    years = np.arange(2005, 2024)
    level = 0.9 / (1 + np.exp(0.5 * (years - 2014.0)))
    assert medians("logistic", past(level[:13], "share", 2005)) == pytest.approx(level[13:18], rel=0.15)


def test_basss_curve_finds_the_peak_of_its_sales():
    sales = 1000 * np.diff(bass_adopters(np.arange(20.0), np.log(0.01), np.log(0.5)))
    found = medians("bass", past(sales[:10]))
    assert sales[9] > sales[10]
    assert found == pytest.approx(sales[10:15], rel=0.15)


def test_basss_curve_of_a_share_is_cumulative():
    share = 0.7 * bass_adopters(np.arange(1.0, 20), np.log(0.01), np.log(0.5))
    assert medians("bass", past(share[:10], "share")) == pytest.approx(share[10:15], rel=0.05)


def test_no_more_than_all_can_adopt():
    found = medians("bass", past(0.08 * 1.5 ** np.arange(7.0), "share"))
    assert found[0] > 0.92
    assert found[-1] < 0.985


def test_an_early_adoption_curve_admits_that_its_ceiling_is_open():
    width = widths("logistic", past(GROWING))
    assert width[4] > 1.5 * np.sqrt(5) * 0.6745 * SMALLEST_SPREAD["log"]


@pytest.mark.parametrize("name", list(RIVALS))
@pytest.mark.parametrize("points", [3, 4, 9])
def test_a_short_past_is_enough(name, points):
    samples = RIVALS[name](past(noisy(points), **needs(name, noisy(points))), 5, dealt(200))
    assert samples.shape == (200, 5)
    assert np.isfinite(samples.astype("float32")).all()
    assert (samples > 0).all()
    assert RIVALS[name](past(noisy(2), **needs(name, noisy(2))), 5, dealt(200)) is None


def test_no_growth_however_wild_is_beyond_numbers():
    samples = RIVALS["last_growth"](past([1, 1000, 1, 1000]), 5, dealt(40000))
    assert np.isfinite(samples.astype("float32")).all()
    assert samples.max() <= 1.001e9


@pytest.mark.parametrize("name", [name for name in RIVALS if name != "wright"])
@pytest.mark.parametrize("values", [[0, 0.1, 0.5, 0.9], [0.9, 1, 1, 1], [0.3, 0.2, 0.05, 0, 0], [0.5, 0.5, 0.5]])
def test_a_share_stays_a_share(name, values):
    samples = RIVALS[name](past(values, "share", **needs(name, values)), 5, dealt(200))
    assert ((samples >= 0) & (samples <= 1)).all()


@pytest.mark.parametrize("name", list(RIVALS))
def test_no_rival_is_surer_than_the_floor(name):
    width = widths(name, past(GROWING, **needs(name, GROWING)))
    assert width[0] > 0.6 * SMALLEST_SPREAD["log"]


def test_a_short_past_has_heavier_tails():
    def tails(points):
        level = np.exp(0.2 * np.resize([1, -1], points).cumsum())
        low, high = np.quantile(np.log(RIVALS["last_value"](past(level), 1, dealt(horizon=1))), [0.02, 0.98])
        return high - low

    assert tails(4) > 1.3 * tails(60)


@pytest.mark.parametrize("name", ["last_value", "drift"])
def test_a_random_walk_is_covered_as_often_as_promised(name):
    luck, inside = dealt(2000), []
    for seed in range(400):
        walk = noisy(13, 0.3, seed)
        low, high = np.quantile(RIVALS[name](past(walk[:8]), 5, luck), [0.05, 0.95], axis=0)
        inside.append((low <= walk[8:]) & (walk[8:] <= high))
    assert np.mean(inside) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("name", list(RIVALS))
def test_the_same_luck_gives_the_same_samples(name):
    seen = past(GROWING, **needs(name, GROWING))
    assert (RIVALS[name](seen, 5, dealt(100)) == RIVALS[name](seen, 5, dealt(100))).all()
    assert (RIVALS[name](seen, 5, dealt(100)) != RIVALS[name](seen, 5, dealt(100, seed=1))).any()
    with pytest.raises(ValueError, match="luck has 7 columns"):
        RIVALS[name](seen, 5, dealt(100)[:, :-1])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"values": [1, 2, 0]}, "values .0.0."),
        ({"values": [1, 2, np.nan]}, "values .nan."),
        ({"values": [0.1, 0.2, 1.2], "scale": "share"}, "within 0 and 1"),
        ({"years": [2010, 2012, 2011]}, "must rise"),
        ({"years": [2010, 2011]}, "3 values"),
        ({"scale": "linear"}, "scale linear"),
        ({"experience": np.array([1, 2])}, "experience"),
        ({"pace": np.array([0.1, 0.2])}, "pace"),
        ({"latest": np.array([0.1, 0.2])}, "latest"),
    ],
)
def test_a_past_that_makes_no_sense_is_refused(given, text):
    sound = {"years": [2010, 2011, 2012], "values": [1, 2, 3], "scale": "log"}
    with pytest.raises(DataError, match=text):
        Past(**{name: np.array(value) if isinstance(value, list) else value for name, value in (sound | given).items()})
