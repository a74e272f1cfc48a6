"""Made-up results with the dimensions and coordinates of real ones: S-curves by segment, a cyclical lithium price."""

import numpy as np
import xarray as xr

SEGMENTS = (
    "stationary_grid stationary_home two_three_wheelers micro_cars industrial mass_cars premium_cars "
    "commercial_vehicles aviation drones electronics"
).split()
REGIONS = "china europe united_states india rest_of_world".split()
CHEMISTRIES = "lead_acid lfp nmc sodium_ion semi_solid solid_state solid_state_sodium".split()
MAKERS = ("alpha", "beta", "gamma")
SODIUM_MIDPOINT = dict(zip(SEGMENTS, (2032, 2035, 2031, 2030, 2033, 2041, 2060, 2043, 2090, 2070, 2062), strict=True))
SOLID_MIDPOINT = dict(zip(SEGMENTS, (2090, 2090, 2080, 2080, 2070, 2046, 2037, 2056, 2034, 2035, 2043), strict=True))
SIZE_2024 = dict(zip(SEGMENTS, (160, 45, 66, 25, 20, 585, 180, 100, 0.2, 1.5, 130), strict=True))


def steps(first, last, monthly=False):
    """CF-decoded steps of a 360-day calendar, labelled in the middle of the year or month."""
    import cftime

    if monthly:
        return [cftime.Datetime360Day(y, m, 15) for y in range(first, last + 1) for m in range(1, 13)]
    return [cftime.Datetime360Day(y, 7, 1) for y in range(first, last + 1)]


def logistic(year, midpoint, duration):
    """Logistic curve with a 10-90 % time."""
    return 1 / (1 + np.exp(-(year - midpoint) * 2 * np.log(9) / duration))


def share_of_sales(rng, n, year):
    """Shares (realization, time, segment, region, chemistry) that sum to one."""
    share = np.zeros((n, len(year), len(SEGMENTS), len(REGIONS), len(CHEMISTRIES)))
    slip = rng.normal(0, 2, (n, 1))
    for s, name in enumerate(SEGMENTS):
        for r in range(len(REGIONS)):
            jitter = rng.normal(0, 1, (n, 1))
            ceiling = rng.uniform(0.35, 0.7, (n, 1))
            sodium = ceiling * logistic(year, SODIUM_MIDPOINT[name] + jitter + r, 9)
            solid = 0.8 * ceiling * logistic(year, SOLID_MIDPOINT[name] + slip + jitter, 9)
            semi = 0.15 * np.exp(-(((year - SOLID_MIDPOINT[name] + 6 - slip) / 5) ** 2))
            lead = (0.9 if name in ("two_three_wheelers", "industrial") else 0.02) * (1 - logistic(year, 2022, 12))
            old = np.clip(1 - sodium - solid - semi - lead, 0.02, 1)
            dip = 0.35 * np.exp(-(((year - 2019) / 3) ** 2)) * (s > 1)
            lfp = np.clip([0.85, 0.35, 0.2, 0.6, 0.4][r] + 0.012 * (year - 2024) * (r > 0) - dip + rng.normal(0, 0.03, (n, 1)), 0.02, 0.95)
            parts = [lead * np.ones((n, 1)), old * lfp, old * (1 - lfp), sodium, semi, solid, 0.05 * logistic(year, 2047, 6) * ceiling]
            share[:, :, s, r] = np.stack(parts, -1)
    return share / share.sum(-1, keepdims=True)


def lithium_price(rng, n, months):
    """Booms and busts: a noisy oscillator around 14,000 USD/t in logarithms."""
    level, speed = np.zeros((n, months)), np.full(n, 0.06)
    level[:, 0] = -0.6
    for m in range(1, months):
        speed = 0.96 * speed - 0.006 * level[:, m - 1] + rng.normal(0, 0.035, n)
        level[:, m] = level[:, m - 1] + speed
    return 14000 * np.exp(level)


def results(realizations=20, seed=1, first=2015, last=2050, sodium_gain=0.0):
    """A results dataset; ``sodium_gain`` moves sodium's share up, at the cost of the others."""
    rng = np.random.default_rng(seed)
    year = np.arange(first, last + 1)
    n, months = realizations, 12 * len(year)
    share = share_of_sales(rng, n, year)
    share[:, 10:, :, :, 3] += sodium_gain
    share = share / share.sum(-1, keepdims=True)
    size = np.array([SIZE_2024[name] for name in SEGMENTS])
    region = np.array([0.6, 0.17, 0.12, 0.02, 0.09])
    growth = np.exp(0.28 * np.minimum(year - 2024, 0) + 0.08 * np.clip(year - 2024, 0, 15))
    growth = growth * np.exp(rng.normal(0, 0.01, (n, 1)) * np.maximum(year - 2024, 0))
    deliveries = share * (growth[:, :, None, None, None] * size[:, None, None] * region[:, None])
    lithium = lithium_price(rng, n, months)
    month = first + np.arange(months) / 12
    floor = np.array([45, 48, 62, 36, 70, 75, 60])
    start = np.array([20, 250, 270, 700, 600, 1500, 900])
    price = floor + start * np.exp(-0.16 * (month[:, None] - 2015)) * rng.lognormal(0, 0.1, (n, 1, 7))
    price += (lithium / 1000)[:, :, None] * np.array([0, 0.6, 0.7, 0, 0.8, 0.9, 0])
    stage = np.full((n, len(year), len(MAKERS), 7), -1.0)
    stage[..., 1:3] = 6
    for c, opening in ((3, 2023), (4, 2027), (5, 2031), (6, 2046)):
        opens = opening + rng.gamma(2, 1 + (c == 6) * 2, (n, 1, len(MAKERS))) - 1
        stage[..., c] = np.clip(6 - np.ceil((opens - year[:, None]) / 2), 0, 6)
    arrays = {
        "deliveries": (("segment", "region", "chemistry"), deliveries, "GW h year-1"),
        "share_of_sales": (("segment", "region", "chemistry"), share, "1"),
        "programme_stage": (("manufacturer", "chemistry"), stage, "1"),
        "capacity": (("manufacturer", "chemistry"), np.ones((n, len(year), len(MAKERS), 7)), "GW h year-1"),
        "supply_chain_readiness": (("chemistry",), np.full((n, len(year), 7), 0.9), "1"),
    }
    monthly = {
        "cell_price": (("chemistry",), price, "USD kWh-1"),
        "mean_cell_price": ((), price[..., 1:3].mean(-1), "USD kWh-1"),
        "lithium_price": ((), lithium, "USD t-1"),
        "lithium_contract_price": ((), 1.2 * lithium, "USD t-1"),
    }
    made = xr.Dataset(
        coords={
            "realization": np.arange(n),
            "time": steps(first, last),
            "month": steps(first, last, monthly=True),
            "segment": np.array(SEGMENTS, object),
            "region": np.array(REGIONS, object),
            "chemistry": np.array(CHEMISTRIES, object),
            "manufacturer": np.array(MAKERS, object),
        },
        attrs={"seed": seed, "scenario": "made up", "title": "Made up"},
    )
    for dim, group in (("time", arrays), ("month", monthly)):
        for name, (dims, values, unit) in group.items():
            made[name] = (("realization", dim, *dims), values.astype("float32"), {"units": unit, "long_name": name.replace("_", " ")})
    return made
