"""Naive rivals: textbook forecasts that know little but the past of the series itself, as samples.

Each rival works on the logarithm of a positive quantity or the log-odds of a share, where its errors are normal, and
answers on the scale of the series. Errors come from the past alone. A past of a few years says little about its own
spread, so that (a) a spread is never below ``SMALLEST_SPREAD`` and (b) each draw has a spread of its own, as if from
Student's t with as many degrees of freedom as there are errors left over, at least 3: below that its tails say more
about the formula than about the world.

A rival takes a ``Past``, the horizon in years, and luck (draw, horizon + EXTRA_LUCK): independent standard normals,
first the shocks of the years ahead, last those of the spread, the slope or shape, and the shock before the first. It
gives samples (draw, horizon) in the unit of the series, or None where it does not apply or there are fewer than three
points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from forecast.errors import DataError

EXTRA_LUCK = 3
SPREAD_LUCK, SLOPE_LUCK, FIRST_LUCK = -3, -2, -1
FEWEST_POINTS = 3
FEWEST_DEGREES = 3
SMALLEST_SPREAD = {"log": 0.05, "share": 0.1}
SHARE_ENDS = (0.002, 0.998)
FARTHEST = float(np.log(1e6))
AUTOCORRELATION = 0.19
DAMPINGS = (0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)
LONGEST_START = 10
HIGHEST_CEILING = 100.0
FINE, COARSE = 120, 30


@dataclass(frozen=True)
class Past:
    """What a rival sees of one series.

    years       (n,) rising, possibly with gaps; forecasts are for the years after the last
    values      (n,) in the unit of the series
    scale       ``log`` for what is above zero, ``share`` for what lies within 0 and 1
    experience  (n,) cumulative output in GWh at the end of each year, for a price that falls with it
    pace        (n,) logarithm of the growth from the last quarter of the year before to that of each year; NaN where it is not known
    latest      (n,) price at the end of each year, in the unit of the series; NaN where it is not known
    price       whether it is a price: adoption curves do not apply to it, nor to anything with experience

    Raises DataError for values that do not fit the scale, years that do not rise, or lengths that differ.
    """

    years: np.ndarray
    values: np.ndarray
    scale: str
    experience: np.ndarray | None = None
    pace: np.ndarray | None = None
    latest: np.ndarray | None = None
    price: bool = False

    def __post_init__(self):
        if self.scale not in SMALLEST_SPREAD:
            raise DataError(f"scale {self.scale}; must be one of {', '.join(SMALLEST_SPREAD)}")
        low, high = (0.0, 1.0) if self.scale == "share" else (np.nextafter(0, 1), np.finfo(float).max)
        wrong = [value for value in np.asarray(self.values, float).tolist() if not low <= value <= high]
        if wrong:
            raise DataError(f"values {wrong}; on the scale {self.scale} they must be within {low:g} and {high:g}")
        if len(self.years) != len(self.values) or (np.diff(self.years) <= 0).any():
            raise DataError(f"years {list(self.years)} with {len(self.values)} values; years must rise, with one value each")
        for name in ("pace", "latest"):
            told = getattr(self, name)
            if told is not None and len(told) != len(self.years):
                raise DataError(f"{name} {list(told)}; must be one for each of {len(self.years)} years")
        if self.experience is not None and (len(self.experience) != len(self.years) or not (np.asarray(self.experience) > 0).all()):
            raise DataError(f"experience {list(self.experience)}; must be above zero and one for each of {len(self.years)} years")


Rival = Callable[[Past, int, np.ndarray], "np.ndarray | None"]


def working(values: np.ndarray, scale: str) -> np.ndarray:
    """Logarithm, or log-odds of a share kept within 0.2 and 99.8 %; same shape."""
    if scale == "log":
        return np.log(values)
    share = np.clip(values, *SHARE_ENDS)
    return np.log(share / (1 - share))


def answered(path: np.ndarray, past: Past) -> np.ndarray:
    """Samples (draw, horizon) on the scale of the series, at most a factor (of value or odds) of a million from the last value."""
    last = working(past.values, past.scale)[-1]
    path = np.clip(path, last - FARTHEST, last + FARTHEST)
    return np.exp(path) if past.scale == "log" else 1 / (1 + np.exp(-path))


def spread(errors: np.ndarray, fitted: int, scale: str, luck: np.ndarray) -> np.ndarray:
    """Standard deviation of a year's error, one per draw (draw, 1): root mean square over chi-square, so that errors are Student's t.

    errors  (n,) errors of the past, each of one year
    fitted  how many numbers were fitted to the same past
    luck    (draw, horizon + EXTRA_LUCK) standard normal
    """
    from scipy.special import gammaincinv, ndtr

    left = max(len(errors) - fitted, 1)
    size = max(np.sqrt((errors**2).sum() / left), SMALLEST_SPREAD[scale])
    degrees = max(left, FEWEST_DEGREES)
    chi_square = 2 * gammaincinv(degrees / 2, ndtr(luck[:, SPREAD_LUCK]))
    return (size * np.sqrt(degrees / chi_square))[:, None]


def series(past: Past, horizon: int, luck: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The past on the working scale (n,), the years between its points (n - 1,), the years ahead (horizon,), their shocks (draw, horizon).

    Raises ValueError when luck has too few columns.
    """
    if luck.shape[1] < horizon + EXTRA_LUCK:
        raise ValueError(f"luck has {luck.shape[1]} columns; a horizon of {horizon} years needs {horizon + EXTRA_LUCK}")
    gaps = np.diff(np.asarray(past.years, float))
    return working(np.asarray(past.values, float), past.scale), gaps, np.arange(1.0, horizon + 1), luck[:, :horizon]


def last_value(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Random walk without drift: the last value, spread as the root of the years ahead (Hyndman and Athanasopoulos 2021, 5.5)."""
    if len(past.years) < FEWEST_POINTS:
        return None
    level, gaps, _, shocks = series(past, horizon, luck)
    errors = np.diff(level) / np.sqrt(gaps)
    return answered(level[-1] + spread(errors, 0, past.scale, luck) * shocks.cumsum(1), past)


def year_end(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Random walk from the price at the end of the last year, which a yearly mean follows; None where none is known or was proved.

    An error is a year's mean less the price at whose end the year before it stood.
    """
    if past.latest is None or len(past.years) < FEWEST_POINTS:
        return None
    level, gaps, _, shocks = series(past, horizon, luck)
    began = working(past.latest, past.scale)
    errors = (level[1:] - began[:-1]) / np.sqrt(gaps)
    known = errors[np.isfinite(errors)]
    if not len(known) or np.isnan(began[-1]):
        return None
    return answered(began[-1] + spread(known, 0, past.scale, luck) * shocks.cumsum(1), past)


def drift(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Random walk with the mean change of the past, variance h s² (1 + h / n) (Hyndman and Athanasopoulos 2021, 5.5).

    n is the years from the first to the last value; a change over a gap has the variance of its years.
    """
    if len(past.years) < FEWEST_POINTS:
        return None
    level, gaps, ahead, shocks = series(past, horizon, luck)
    slope = (level[-1] - level[0]) / gaps.sum()
    each = spread((np.diff(level) - slope * gaps) / np.sqrt(gaps), 1, past.scale, luck)
    unsure = luck[:, SLOPE_LUCK, None] / np.sqrt(gaps.sum())
    return answered(level[-1] + ahead * slope + each * (shocks.cumsum(1) + ahead * unsure), past)


def last_growth(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """The last yearly change goes on; growth itself walks as it did in the past, ARIMA(0,2,0) (Box and Jenkins 1970).

    Over a gap the growth is that of a mean year, and stands in its middle.
    """
    if len(past.years) < FEWEST_POINTS:
        return None
    level, gaps, ahead, shocks = series(past, horizon, luck)
    growth = np.diff(level) / gaps
    errors = np.diff(growth) / np.sqrt((gaps[1:] + gaps[:-1]) / 2)
    each = spread(errors, 0, past.scale, luck)
    return answered(level[-1] + ahead * growth[-1] + each * shocks.cumsum(1).cumsum(1), past)


def last_quarter(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """The growth from last quarter to last quarter goes on, as ``last_growth`` says of that of years; None where it is not known.

    An error is what a year grew by less what the last quarter before it had told; some have to be known.
    """
    if past.pace is None or len(past.years) < FEWEST_POINTS:
        return None
    level, gaps, ahead, shocks = series(past, horizon, luck)
    errors = (np.diff(level) - past.pace[:-1] * gaps) / np.sqrt(gaps)
    known = errors[np.isfinite(errors)]
    if not len(known) or np.isnan(past.pace[-1]):
        return None
    each = spread(known, 0, past.scale, luck)
    return answered(level[-1] + ahead * past.pace[-1] + each * shocks.cumsum(1).cumsum(1), past)


def smoothed(level: np.ndarray, years: np.ndarray, alpha: np.ndarray, beta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Holt's damped trend run over the past for each candidate: last level, last trend, then one-step errors (2 + n, candidate).

    It starts from a straight line through the first ten values at most (Hyndman et al. 2002); a year without a value
    brings no error.
    """
    first = min(len(years), LONGEST_START)
    slope, start = np.polyfit(years[:first] - years[0] + 1, level[:first], 1)
    known = dict(zip(years.tolist(), level.tolist(), strict=True))
    at, trend, errors = np.full(alpha.shape, start), np.full(alpha.shape, slope), []
    for year in range(int(years[0]), int(years[-1]) + 1):
        ahead = at + phi * trend
        error = known[year] - ahead if year in known else np.zeros(alpha.shape)
        at, trend = ahead + alpha * error, phi * trend + beta * error
        if year in known:
            errors.append(error)
    return np.stack([at, trend, *errors])


def damped_trend(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Holt's damped additive trend, weights by least squares of one-step errors, errors simulated (Gardner and McKenzie 1985).

    alpha in 0.05..1, beta in 0..alpha, damping in 0.8..0.98, as Hyndman et al. (2008) bound ETS(A,Ad,N). With the
    level and the trend it starts from, five numbers are fitted.
    """
    if len(past.years) < FEWEST_POINTS:
        return None
    level, _, _, shocks = series(past, horizon, luck)
    alpha, part, phi = (axis.ravel() for axis in np.meshgrid(np.linspace(0.05, 1, 20), np.linspace(0, 1, 11), DAMPINGS, indexing="ij"))
    runs = smoothed(level, np.asarray(past.years), alpha, alpha * part, phi)
    best = int((runs[2:] ** 2).sum(0).argmin())
    weight, damping = alpha[best], phi[best]
    noise = spread(runs[2:, best], 5, past.scale, luck) * shocks
    at, trend = (np.full(len(luck), number) for number in runs[:2, best])
    path = np.empty_like(noise)
    for step in range(horizon):
        path[:, step] = at + damping * trend + noise[:, step]
        at, trend = path[:, step] - (1 - weight) * noise[:, step], damping * trend + weight * part[best] * noise[:, step]
    return answered(path, past)


def experience_ahead(past: Past, horizon: int, luck: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Yearly growth of the logarithm of experience: past (n - 1,) per gap, and future (draw, horizon), never falling.

    The future walks with the mean growth and spread of the past; its shocks are those of the next draw, so that they
    owe nothing to the shocks of the price.
    """
    log_experience = np.log(np.asarray(past.experience, float))
    gaps = np.diff(np.asarray(past.years, float))
    growth = np.diff(log_experience)
    mean = growth.sum() / gaps.sum()
    size = np.sqrt(((growth - mean * gaps) ** 2 / gaps).sum() / max(len(gaps) - 1, 1))
    return growth, np.maximum(mean + size * np.roll(luck, 1, axis=0)[:, :horizon], 0)


def wright(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Wright's law in first differences with moving-average noise (Lafond et al. 2018); None without experience.

    change of log price = -exponent x change of log experience + noise, noise = u(t) + 0.19 u(t - 1): their average
    autocorrelation over 51 technologies. The exponent is that of a regression through the origin, and its standard
    error is part of the spread.
    """
    if past.experience is None or len(past.years) < FEWEST_POINTS:
        return None
    level, gaps, _, shocks = series(past, horizon, luck)
    learnt, ahead = experience_ahead(past, horizon, luck)
    x, y = learnt / np.sqrt(gaps), np.diff(level) / np.sqrt(gaps)
    strength = max((x**2).sum(), 1e-9)
    exponent = (x * y).sum() / strength
    each = spread((y - exponent * x) / np.sqrt(1 + AUTOCORRELATION**2), 1, past.scale, luck)
    before = np.concatenate([luck[:, FIRST_LUCK, None], shocks[:, :-1]], axis=1)
    noise = each * (shocks + AUTOCORRELATION * before)
    unsure = each * luck[:, SLOPE_LUCK, None] * np.sqrt(((1 + AUTOCORRELATION**2) + 2 * AUTOCORRELATION * neighbours(x)) / strength)
    return answered(level[-1] + ((exponent + unsure) * ahead + noise).cumsum(1), past)


def neighbours(x: np.ndarray) -> float:
    """Autocorrelation about zero between neighbours; 0 for nothing."""
    return float(sum(a * b for a, b in pairwise(x.tolist())) / max((x**2).sum(), 1e-9))


def curve_samples(curve: Callable, shapes: Sequence[np.ndarray], past: Past, horizon: int, luck: np.ndarray) -> np.ndarray:
    """Samples of a growth curve through the last value, whose errors add up from year to year.

    Errors that add up are told apart by the changes of each year, so the curve is fitted to these by least squares
    (generalized least squares of the level). A short past leaves its ceiling open: each draw takes a shape in
    proportion to its likelihood, with a flat prior on the grid (Meade and Islam 1995 show why the best fit alone is
    far too sure of itself).

    curve   (years, shapes) -> the working scale (..., n), up to a constant; NaN for a shape that is impossible
    shapes  the values of each parameter of its shape; all combinations are weighed
    """
    level, gaps, ahead, shocks = series(past, horizon, luck)
    years = np.asarray(past.years, float)
    grid = [axis.ravel()[:, None] for axis in np.meshgrid(*shapes, indexing="ij")]
    errors = (np.diff(level) - np.diff(curve(years, *grid), axis=-1)) / np.sqrt(gaps)
    misfit = np.nan_to_num((errors**2).sum(-1), nan=np.inf)
    best = int(misfit.argmin())
    chosen = likely(misfit, len(gaps) - len(shapes), past.scale, luck)
    paths = curve(np.append(years[-1], years[-1] + ahead), *[axis[chosen] for axis in grid])
    return answered(level[-1] + paths[:, 1:] - paths[:, :1] + spread(errors[best], len(shapes), past.scale, luck) * shocks.cumsum(1), past)


def likely(misfit: np.ndarray, left: int, scale: str, luck: np.ndarray) -> np.ndarray:
    """One place on the grid per draw (draw,), in proportion to the likelihood of normal errors.

    misfit  (grid,) sum of squared errors
    left    how many errors there are beyond the parameters fitted
    """
    from scipy.special import ndtr

    variance = max(misfit.min() / max(left, 1), SMALLEST_SPREAD[scale] ** 2)
    weight = np.exp((misfit.min() - misfit) / (2 * variance)).cumsum()
    return np.searchsorted(weight, ndtr(luck[:, SLOPE_LUCK]) * weight[-1]).clip(max=len(misfit) - 1)


def adopted(past: Past) -> bool:
    """Whether an adoption curve applies: enough of a past, and not a price."""
    return len(past.years) >= FEWEST_POINTS and not past.price and past.experience is None


def logistic(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Logistic curve (Fisher and Pry 1971): level, ceiling and rate; None for a price.

    The ceiling is up to a hundred times the last value, a share's at most all; the rate is within 2 a year, and below
    zero only for a share, for what one technology wins another loses.
    """
    if not adopted(past):
        return None
    share = past.scale == "share"
    last = float(np.clip(past.values[-1], *SHARE_ENDS)) if share else float(past.values[-1])
    highest = min(HIGHEST_CEILING, 1 / last) if share else HIGHEST_CEILING
    end = past.years[-1]

    def curve(years, log_ceiling, rate):
        odds = np.exp(rate * (years - end)) / np.expm1(log_ceiling)
        return working(last * np.exp(log_ceiling) * odds / (1 + odds), past.scale)

    ceilings = np.log(highest) * np.linspace(0, 1, FINE + 1)[1:]
    return curve_samples(curve, [ceilings, np.linspace(-2 if share else 0.02, 2, FINE)], past, horizon, luck)


def bass_adopters(age: np.ndarray, log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Part of all adopters that have adopted by an age in years (Bass 1969); 0 before the launch."""
    p, q = np.exp(log_p), np.exp(log_q)
    left = np.exp(-(p + q) * np.maximum(age, 0))
    return (1 - left) / (1 + q / p * left)


def bass(past: Past, horizon: int, luck: np.ndarray) -> np.ndarray | None:
    """Bass's curve: demand is a year's adopters (Srinivasan and Mason 1986), a share is all so far; None for a price.

    Innovation p in 1e-5..0.3 and imitation q in 0.05..1.5 a year (Sultan, Farley and Lehmann 1990 found means of 0.03
    and 0.38); launched 1 to 30 years before the first value, for the past may begin in the middle of the rise.
    """
    if not adopted(past):
        return None
    first, end = float(past.years[0]), float(past.years[-1])

    def demand(years, log_p, log_q, age):
        at = years - first + age
        return np.log(np.maximum(bass_adopters(at, log_p, log_q) - bass_adopters(at - 1, log_p, log_q), np.finfo(float).tiny))

    def share(years, log_p, log_q, age):
        last = float(np.clip(past.values[-1], *SHARE_ENDS))
        ceiling = last / bass_adopters(end - first + age, log_p, log_q)
        return working(np.where(ceiling <= 1, ceiling, np.nan) * bass_adopters(years - first + age, log_p, log_q), "share")

    shapes = [np.log(np.geomspace(1e-5, 0.3, COARSE)), np.log(np.geomspace(0.05, 1.5, COARSE)), np.linspace(1, 30, COARSE)]
    return curve_samples(demand if past.scale == "log" else share, shapes, past, horizon, luck)


RIVALS: dict[str, Rival] = {
    "last_value": last_value,
    "year_end": year_end,
    "drift": drift,
    "last_growth": last_growth,
    "last_quarter": last_quarter,
    "damped_trend": damped_trend,
    "wright": wright,
    "logistic": logistic,
    "bass": bass,
}
