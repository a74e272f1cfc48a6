"""Pictures of the track record: each is drawn, and shows the numbers it is given."""

import warnings

import numpy as np
import pytest
import xarray as xr

from forecast.report import track_record
from forecast.report.style import save

ORIGINS, HORIZONS, YEARS, DRAWS = np.arange(2018, 2024), np.arange(1, 6), np.arange(2010, 2025), 60
SERIES = {"cell_price": ("log", "USD/kWh", "Cell price"), "lfp_share": ("share", "1", "LFP share of EV batteries, world")}
PAST = np.array([200 * 0.85 ** (YEARS - 2010.0), np.linspace(0.05, 0.6, len(YEARS))])


@pytest.fixture(scope="module")
def hindcast():
    """Two series that go on as they did; the value of 2022 was not good enough to score."""
    luck = np.random.default_rng(0).standard_normal((2, 6, 5, 2, DRAWS))
    ahead = ORIGINS[:, None] + HORIZONS
    came = np.where(ahead <= 2024, PAST[:, np.minimum(ahead, 2024) - 2010], np.nan)
    middle = np.stack([200 * 0.85 ** (ahead - 2010.0), 0.05 + 0.55 * (ahead - 2010) / 14])[..., None, None]
    about = {
        name: ("series", np.array(texts, object))
        for name, texts in zip(("scale", "unit", "title"), zip(*SERIES.values(), strict=True), strict=True)
    }
    dims = ("series", "origin", "horizon", "forecaster", "draw")
    return xr.Dataset(
        {
            "prediction": (dims, (middle * np.exp(0.1 * luck)).astype("float32")),
            "observed": (dims[:3], np.where(ahead == 2022, np.nan, came)),
            "past": (("series", "year"), PAST),
            "as_known": (("series", "origin", "year"), np.where(ORIGINS[:, None] >= YEARS, PAST[:, None, :], np.nan)),
            **about,
        },
        {
            "series": np.array(list(SERIES), object),
            "origin": ORIGINS,
            "horizon": HORIZONS,
            "forecaster": np.array(["model", "drift"], object),
            "year": YEARS,
        },
    )


@pytest.fixture(scope="module")
def scored(hindcast):
    below = (hindcast["prediction"] < hindcast["observed"]).mean("draw").where(hindcast["observed"].notnull())
    return xr.Dataset({"pit": below, "title": hindcast["title"]}, attrs={"draws": DRAWS})


@pytest.fixture(scope="module")
def by_horizon(hindcast):
    coords = {"horizon": HORIZONS, "series": hindcast["series"]}
    values = np.array([[0.4, 0.2], [0.3, -0.1], [0.1, -0.3], [-0.2, -4.0], [np.nan, 0.0]])
    rivals = np.full((5, 2), "drift", object)
    made = {name: (("horizon", "series"), array) for name, array in (("skill", values), ("points", 6 + 0 * values), ("best_rival", rivals))}
    return xr.Dataset(made | {"title": hindcast["title"]}, coords, {"draws": DRAWS})


def words(axes):
    return [text.get_text() for text in axes.texts]


def points(axes, marker):
    """{year: value} of the points with this marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker[0] and (len(marker) < 2 or line.get_color() == marker[1])]
    return {int(year): value for line in lines for year, value in zip(line.get_xdata(), line.get_ydata(), strict=True)}


def test_every_picture_is_drawn_without_a_complaint(hindcast, scored, by_horizon, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = [track_record.fans(hindcast, name, "drift") for name in SERIES] + [track_record.pit(scored), track_record.skill(by_horizon)]
        for figure in drawn:
            assert save(figure, tmp_path / "picture.png").stat().st_size > 10_000
            assert f"{DRAWS} realizations" in figure.texts[1].get_text()


def test_every_origin_has_a_panel_of_its_own(hindcast):
    figure = track_record.fans(hindcast, "cell_price")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"Known up to {origin}" for origin in ORIGINS]
    assert [axes.get_ylabel() for axes in figure.axes] == ["USD/kWh", "", ""] * 2
    five = track_record.fans(hindcast.isel(origin=slice(5)), "cell_price")
    assert sum(axes.axison for axes in five.axes) == 5


def test_prices_have_a_logarithmic_axis_and_shares_percent(hindcast):
    assert {axes.get_yscale() for axes in track_record.fans(hindcast, "cell_price").axes} == {"log"}
    shares = track_record.fans(hindcast, "lfp_share").axes[0]
    assert shares.get_yscale() == "linear"
    assert 0 == shares.get_ylim()[0] < shares.get_ylim()[1] <= 1
    assert shares.yaxis.get_major_formatter()(0.25, 0) == "25 %"


def test_lines_start_where_the_past_ends_and_are_medians(hindcast):
    axes = track_record.fans(hindcast, "cell_price", "drift").axes[2]
    for forecaster in ("model", "drift"):
        expected = hindcast["prediction"].sel(series="cell_price", origin=2020, forecaster=forecaster).median("draw").values
        path = np.append(200 * 0.85**10, expected)
        assert any(len(line.get_ydata()) == 6 and np.allclose(line.get_ydata(), path) for line in axes.lines)
    without = track_record.fans(hindcast, "cell_price").axes[2]
    assert len(without.lines) == len(axes.lines) - 1


def test_what_came_is_marked_as_inside_outside_or_not_scored(hindcast):
    moved = hindcast.copy(deep=True)
    moved["observed"].loc[{"series": "cell_price", "origin": 2019, "horizon": 2}] = 400.0
    axes = track_record.fans(moved, "cell_price").axes[1]
    assert points(axes, ("X",)) == {2021: 400.0}
    assert set(points(axes, ("o", "white"))) == {2022}
    assert set(points(axes, ("o", track_record.INK))) == {2020, 2023, 2024}


def test_draws_that_are_missing_do_not_hide_the_fan(hindcast):
    fewer = hindcast.copy(deep=True)
    fewer["prediction"][..., 0, 40:] = np.nan
    axes = track_record.fans(fewer, "cell_price").axes[0]
    expected = hindcast["prediction"].isel(series=0, origin=0, forecaster=0, draw=slice(40)).median("draw").values
    assert any(len(line.get_ydata()) == 6 and np.allclose(line.get_ydata()[1:], expected) for line in axes.lines)


def test_pit_bars_count_every_point_once(scored):
    figure = track_record.pit(scored)
    for axes, name in zip(figure.axes, SERIES, strict=True):
        values = scored["pit"].sel(series=name, forecaster="model").values
        counts = np.histogram(values[~np.isnan(values)], 5, (0, 1))[0]
        bars = [patch.get_height() for patch in axes.patches if patch.get_width() == pytest.approx(0.2)]
        assert bars == counts.tolist()
        assert f"{counts.sum()} points" in words(axes)
        assert any(np.allclose(line.get_ydata(), counts.sum() / 5) for line in axes.lines)


def test_skill_has_a_dot_for_each_horizon_and_an_arrow_beyond_the_edge(by_horizon):
    (axes,) = track_record.skill(by_horizon).axes
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert sorted(dots) == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4]
    assert sum(line.get_marker() == "<" for line in axes.lines) == 1
    assert "drift, 6 points, skill -4.0" in words(axes)
    assert words(axes).count("nothing to compare") == 1
    assert [text.get_text() for text in axes.get_yticklabels()] == [title for _, _, title in SERIES.values()]


def test_no_words_of_the_skill_picture_overlap(by_horizon):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = track_record.skill(by_horizon)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [text.get_window_extent(renderer) for text in [*figure.axes[0].texts, *figure.axes[0].get_yticklabels()]]
    assert all(box.x1 <= figure.bbox.x1 and box.x0 >= 0 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
