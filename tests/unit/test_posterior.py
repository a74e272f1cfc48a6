"""What a calibration learned is kept, read with care, and dealt jointly in place of the priors it was learned from."""

import shutil
from dataclasses import replace

import cf_check
import fake_world
import h5py
import numpy as np
import pytest
import xarray as xr

from forecast.assess.produce import run_ensemble
from forecast.ensemble import posterior as posteriors
from forecast.ensemble import store
from forecast.ensemble.design import beliefs, draw
from forecast.ensemble.execute import run, simulate_block
from forecast.ensemble.plan import Plan
from forecast.ensemble.posterior import Posterior, declared, read, write
from forecast.errors import ForecastError, Interrupted, StoreError
from forecast.model.world import simulate
from forecast.scenario import dump, load
from tests.posteriors import NUMBERS, SIZE, posterior_file, posterior_of
from tests.small_world import lively_world, small_world_file

WORLDS = np.arange(200)
PRICE = "lithium.first_price"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return load(small_world_file(tmp_path_factory.mktemp("world"))).world


@pytest.fixture(scope="module")
def sound(world, tmp_path_factory):
    """A file with a posterior; not to be changed."""
    return posterior_file(tmp_path_factory.mktemp("sound"), world)


@pytest.fixture
def file(sound, tmp_path):
    """A copy that may be damaged."""
    return shutil.copy(sound, tmp_path / "posterior.nc")


def with_lithium(world, **numbers):
    """The world with other numbers of lithium."""
    return world.model_copy(update={"lithium": world.lithium.model_copy(update=numbers)})


# Kept in a file


def test_a_posterior_comes_back_as_it_was_written(world, tmp_path):
    fit = xr.DataArray(np.array([[1.0, np.nan], [3.0, 4.0]]), dims=("step", "kind"), attrs={"units": "1", "long_name": "Misfit"})
    extra = xr.Dataset({"fit": fit, "weight": ("draw", np.arange(SIZE)), "kind": ("kind", ["price", "share"])})
    given = posterior_of(world, extra=extra)
    written = write(given, tmp_path / "new/posterior.nc")
    for back in (written, read(tmp_path / "new/posterior.nc")):
        assert (back.priors, back.units, back.attrs) == (given.priors, given.units, given.attrs)
        assert back.priors[PRICE] == world.lithium.first_price.prior.text
        for name in NUMBERS:
            assert back.draws[name].dtype == float
            np.testing.assert_allclose(back.draws[name], given.draws[name], rtol=posteriors.PRECISION)
            np.testing.assert_array_equal(back.draws[name], written.draws[name])
        xr.testing.assert_identical(back.extra, extra)
        assert (back.size, back.name, back.sha256) == (SIZE, "posterior.nc", written.sha256)
    assert read(tmp_path / "new/posterior.nc", extra=False).extra is None


def test_the_same_posterior_gives_the_same_bytes(world, sound, tmp_path):
    backwards = posterior_of(world, NUMBERS[::-1])
    write(backwards, tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == sound.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.nc"]
    assert write(read(sound), tmp_path / "copy.nc").sha256 == read(sound).sha256


def test_other_programs_read_it_too(world, sound, tmp_path):
    with pytest.importorskip("netCDF4").Dataset(sound) as opened:
        price = opened["lithium__first_price"]
        assert (price.dimensions, price.units, price.parameter) == (("draw",), "USD/t", PRICE)
        assert price.long_name.startswith("Price")
        assert opened.battery_forecast_posterior == 1
    told = posterior_of(world, attrs={"title": "What was learned", "history": "made up for a test"})
    write(told, tmp_path / "told.nc")
    assert [finding for finding in cf_check.findings(tmp_path / "told.nc") if not cf_check.reason(finding)] == []


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300, 1e-60])
def test_a_number_that_the_file_cannot_keep_is_not_written(world, tmp_path, wrong):
    given = posterior_of(world)
    given.draws[PRICE][3] = wrong
    with pytest.raises(ForecastError, match=rf"{PRICE}: must be 40 draws, .* finite"):
        write(given, tmp_path / "x.nc")
    assert list(tmp_path.iterdir()) == []


def test_draws_that_do_not_belong_together_are_not_written(world, tmp_path):
    given = posterior_of(world)
    with pytest.raises(ForecastError, match="must be 40 draws"):
        write(replace(given, draws=given.draws | {PRICE: np.ones(SIZE - 1)}), tmp_path / "x.nc")
    with pytest.raises(ForecastError, match="at least one"):
        write(posterior_of(world, size=0), tmp_path / "x.nc")
    with pytest.raises(ForecastError, match="at least one number, and no two variables of the same name"):
        write(posterior_of(world, ()), tmp_path / "x.nc")
    with pytest.raises(ForecastError, match="no two variables of the same name"):
        write(replace(given, extra=xr.Dataset({"lithium__first_price": 1.0})), tmp_path / "x.nc")


# Dealt


def test_a_realization_is_dealt_the_same_alone_and_in_any_block(world, sound):
    posterior = read(sound)
    among = posterior.deal(world, 5, WORLDS)
    for some in ([17], [199, 3, 17], range(50, 100)):
        dealt = posterior.deal(world, 5, np.array(some))
        for name in NUMBERS:
            np.testing.assert_array_equal(dealt[name], among[name][list(some)])


def test_all_numbers_of_a_realization_are_from_one_draw(world, sound):
    posterior = read(sound)
    dealt = posterior.deal(world, 5, WORLDS)
    places = [np.searchsorted(posterior.draws[name], dealt[name]) for name in NUMBERS]
    assert (places[0] == places[1]).all()
    assert (places[0] == places[2]).all()
    assert set(places[0]) > set(range(0, SIZE, SIZE // 4))


def test_every_draw_is_dealt_about_equally_often(world, sound):
    posterior = read(sound)
    dealt = posterior.deal(world, 1, np.arange(8000))[PRICE]
    counts = np.bincount(np.searchsorted(posterior.draws[PRICE], dealt), minlength=SIZE)
    assert counts.sum() == 8000
    assert abs(counts - 200).max() < 5 * np.sqrt(200)


def test_another_seed_deals_otherwise(world, sound):
    here, there = (read(sound).deal(world, seed, WORLDS)[PRICE] for seed in (1, 2))
    assert (here != there).mean() > 0.9


def test_what_is_dealt_is_what_the_worlds_are_played_with(world, sound):
    posterior, some = read(sound), np.array([4, 9])
    dealt = posterior.deal(world, 3, some)
    drawn = draw(world, 3, some, dealt)
    np.testing.assert_array_equal(drawn.lithium.first_price, dealt[PRICE])
    np.testing.assert_array_equal(drawn.mines.cash_cost[:, 0], dealt["mines.quarry.cash_cost"])
    played = simulate_block(world, 3, some, False, posterior)
    for name, expected in simulate(drawn, 3, some).items():
        np.testing.assert_array_equal(played[name], expected, err_msg=name)
    assert (played["lithium_price"] != simulate_block(world, 3, some, False)["lithium_price"]).any()


def test_a_number_that_the_scenario_says_otherwise_is_its_own(world, sound):
    posterior = read(sound)
    first_price = world.lithium.first_price
    for other in (replace(first_price, prior=None), replace(first_price, prior=replace(first_price.prior, arguments=(9000.0, 0.5)))):
        changed = with_lithium(world, first_price=other)
        assert posterior.taken(changed) == [NUMBERS[0], NUMBERS[2]]
        posterior.check(changed, "it")
        own, dealt = draw(changed, 1, WORLDS), draw(changed, 1, WORLDS, posterior.deal(changed, 1, WORLDS))
        np.testing.assert_array_equal(dealt.lithium.first_price, own.lithium.first_price)
        assert (dealt.mines.cash_cost != own.mines.cash_cost).any()


def test_a_block_that_the_scenario_removed_is_no_problem(world, sound):
    without = world.model_copy(update={"mines": {"another": world.mines["quarry"]}})
    read(sound).check(without, "it")
    assert read(sound).taken(without) == [NUMBERS[0], NUMBERS[1]]


# Checked against the model


def test_every_number_with_a_prior_is_declared():
    for world in (lively_world(), load("baseline").world):
        for name, belief in beliefs(world).items():
            assert declared(name).declaration == belief.declaration, name


@pytest.mark.parametrize(
    "path",
    [
        *("", "lithium", "lithium.first_pric", "lithium.first_price.x", "mines.quarry", "mines.cash_cost", "title", "buyers.number.x"),
        *("chemistries.lfp.packing", "chemistries.lfp.intensity", "chemistries.lfp.intensity.graphite.x", "programmes.x.stage_time.dreams"),
        "segments.cars.history.china",
    ],
)
def test_what_is_no_number_is_not_declared(path):
    assert declared(path) is None


def test_numbers_of_another_version_of_the_model_are_told(world, tmp_path):
    given = posterior_of(world)
    odd = [f"lithium.old_{i}" for i in range(7)]
    many = Posterior(
        *(part | dict.fromkeys(odd, value) for part, value in ((given.draws, np.ones(SIZE)), (given.priors, "x"), (given.units, "1")))
    )
    with pytest.raises(StoreError) as refused:
        write(many, tmp_path / "x.nc").check(world, "x.nc")
    told = "x.nc: belongs to another version of the model: lithium.old_0 (no such number), lithium.old_1 (no such number), "
    assert str(refused.value).startswith(told)
    assert str(refused.value).endswith("lithium.old_4 (no such number) and 2 more")
    with pytest.raises(StoreError, match=r"lithium\.first_price \(in USD/kg, not USD/t\)$"):
        replace(given, units=given.units | {PRICE: "USD/kg"}).check(world, "x.nc")


def test_a_posterior_that_says_nothing_of_the_world_is_told(world):
    with pytest.raises(StoreError, match=r"x\.nc: none of its 3 numbers has the prior that it was learned from"):
        replace(posterior_of(world), priors=dict.fromkeys(NUMBERS, "normal(0, 1)")).check(world, "x.nc")


# Read with care


def rewritten(content, name="lithium__first_price", dimension="draw", **options):
    """A variable made anew in other storage, with its attributes."""
    about = {key: value for key, value in content[name].attrs.items() if key in ("parameter", "prior", "units")}
    del content[name]
    if isinstance(options.get("data"), h5py.VirtualLayout):
        made = content.create_virtual_dataset(name, options["data"])
    else:
        made = content.create_dataset(name, **options)
    made.attrs.update(about)
    if dimension:
        made.dims[0].attach_scale(content[dimension])
    return made


def virtual(content):
    layout = h5py.VirtualLayout(shape=(SIZE,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.nc", "x", shape=(SIZE,))
    rewritten(content, data=layout)


def set_values(content, value):
    content["lithium__first_price"][3] = value


DAMAGES = {
    "external storage": (lambda c: rewritten(c, shape=(SIZE,), dtype="f4", external=[("other", 0, 4 * SIZE)]), "leads outside"),
    "virtual storage": (virtual, "leads outside"),
    "external link": (lambda c: c.__setitem__("x", h5py.ExternalLink("other.nc", "/x")), "leads outside"),
    "not a number": (lambda c: set_values(c, np.nan), "lithium.first_price: holds numbers that are not finite"),
    "infinite": (lambda c: set_values(c, -np.inf), "lithium.first_price: holds numbers that are not finite"),
    "objects": (lambda c: rewritten(c, data=["x"] * SIZE), "lithium__first_price: holds object; must be numbers"),
    "whole numbers": (lambda c: rewritten(c, data=np.arange(SIZE)), "holds int64; must be numbers"),
    "two dimensions": (lambda c: rewritten(c, data=np.ones((SIZE, 2))), "must have the dimension draw alone"),
    "no dimension": (lambda c: rewritten(c, dimension="", data=np.ones(SIZE)), "must have the dimension draw alone"),
    "fewer draws": (lambda c: rewritten(c, data=np.ones(SIZE - 1)), "39 draws; must be 40"),
    "no prior": (lambda c: c["lithium__first_price"].attrs.pop("prior"), "must have texts as attributes parameter, prior and units"),
    "no units": (lambda c: c["lithium__first_price"].attrs.pop("units"), "must have texts as attributes"),
    "a number as unit": (lambda c: c["lithium__first_price"].attrs.__setitem__("units", 3), "must have texts as attributes"),
    "one number twice": (
        lambda c: c["mines__quarry__cash_cost"].attrs.__setitem__("parameter", PRICE),
        "lithium.first_price is there twice",
    ),
    "no format": (lambda c: c.attrs.pop("battery_forecast_posterior"), "not a posterior of this program, or of another version"),
    "another version": (lambda c: c.attrs.__setitem__("battery_forecast_posterior", 2), "or of another version"),
    "odd version": (lambda c: c.attrs.__setitem__("battery_forecast_posterior", [1, 1]), "cannot be read as netCDF"),
    "more than any memory": (lambda c: c.create_dataset("x", (10**6, 10**6), "f4", chunks=(1, 1000)), "1000000000160 values, at most"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_as_we_write_them_is_refused(file, damage):
    change, reason = DAMAGES[damage]
    with h5py.File(file, "r+") as content:
        change(content)
    with pytest.raises(StoreError) as refused:
        read(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("limit", "reason"), [("MOST_DRAWS", "40 draws; must be from 1 to 3"), ("MOST_VARIABLES", "4 variables, at most 3")]
)
def test_there_are_limits(sound, monkeypatch, limit, reason):
    monkeypatch.setattr(posteriors, limit, 3)
    with pytest.raises(StoreError, match=reason):
        read(sound)


def test_a_posterior_without_draws_or_without_numbers_is_refused(tmp_path):
    about = {"parameter": PRICE, "prior": "x", "units": "USD/t"}
    for variables, reason in (({"price": ("draw", np.zeros(0), about)}, "0 draws; must be from 1"), ({"x": 1.0}, "holds no numbers")):
        xr.Dataset(variables, attrs={"battery_forecast_posterior": 1}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
        with pytest.raises(StoreError, match=reason):
            read(tmp_path / "x.nc")


@pytest.mark.parametrize("what", ["missing", "a folder", "text", "truncated", "empty"])
def test_what_is_no_netcdf_is_refused(file, what):
    if what == "text":
        file.write_text("draws: many")
    elif what in ("truncated", "empty"):
        file.write_bytes(file.read_bytes()[: 0 if what == "empty" else -1000])
    else:
        file.unlink()
    if what == "a folder":
        file.mkdir()
    with pytest.raises(StoreError, match="no such file" if what in ("missing", "a folder") else "cannot be read as netCDF") as refused:
        read(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)


# Part of a run


def test_a_run_needs_a_posterior_that_lies_in_a_file(world):
    with pytest.raises(ForecastError, match="must be written to one first"):
        fake_world.plan(posterior=posterior_of(world))


def test_a_posterior_that_changed_since_it_was_read_starts_no_run(file, world, tmp_path):
    plan = fake_world.plan(posterior=read(file))
    write(posterior_of(world, shift=0.1), file)
    with pytest.raises(StoreError, match="has changed since it was read"):
        run(plan, tmp_path / "run", workers=1, simulate=fake_world.simulate)
    file.unlink()
    with pytest.raises(StoreError, match="cannot read: No such file"):
        run(plan, tmp_path / "run", workers=1, simulate=fake_world.simulate)


def test_a_plan_without_posterior_is_another_run_than_one_with(sound):
    with_one, without = fake_world.plan(posterior=read(sound)).identity(), fake_world.plan().identity()
    assert (with_one.pop("posterior_sha256"), without.pop("posterior_sha256")) == (read(sound).sha256, "")
    assert with_one == without


def test_the_results_say_which_posterior_they_are_from(sound):
    from forecast.ensemble.metadata import dataset_attributes

    about = dataset_attributes(fake_world.plan(posterior=read(sound)))
    assert (about["posterior"], about["posterior_sha256"]) == ("posterior.nc", read(sound).sha256)
    assert "the posterior of a calibration, posterior.nc, and the priors." in about["summary"]
    assert "posterior" not in dataset_attributes(Plan("x", fake_world.WORLD, "", 1, 1))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A scenario with a posterior, and its run with two workers."""
    place = tmp_path_factory.mktemp("learned")
    world = load(small_world_file(place, last_year=2018)).world
    (place / "inside").mkdir()
    posterior_file(place / "inside", world)
    (place / "mine.yaml").write_text("why: a test\nbase: small\nprior: inside/posterior.nc\n")
    scenario = load(place / "mine.yaml")
    return scenario, played(scenario, place / "run", workers=2)


def played(scenario, folder, **options):
    """Run a small scenario for good; returns the folder."""
    run_ensemble(scenario, 4, 1, folder=folder, pictures=False, **{"workers": 1, "block": 2} | options)
    return folder


def test_a_run_keeps_a_sealed_copy_of_its_posterior(learned, tmp_path):
    scenario, folder = learned
    assert (folder / "posterior.nc").read_bytes() == scenario.posterior_file.read_bytes()
    assert '\nprior: "posterior.nc"\n' in (folder / "scenario.yaml").read_text(encoding="utf-8")
    assert store.open_results(folder).attrs["posterior_sha256"] == scenario.posterior.sha256
    assert store.verify(folder) == []
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    write(posterior_of(scenario.world, shift=0.1), copy / "posterior.nc")
    assert [problem.split(": ")[0] for problem in store.verify(copy)] == [str(copy / "posterior.nc")]


def test_the_posterior_decides_what_is_played(learned, tmp_path):
    scenario, folder = learned
    without = played(load(scenario.files[0], ["prior=null"]), tmp_path / "without")
    assert (store.open_results(without)["lithium_price"] != store.open_results(folder)["lithium_price"]).any()
    assert not (without / "posterior.nc").exists()


def test_a_run_with_a_posterior_gives_the_same_bytes_from_its_folder(learned, tmp_path):
    folder = learned[1]
    again = played(load(folder / "scenario.yaml"), tmp_path / "again", resume=True)
    assert store.fingerprint(again) == store.fingerprint(folder)
    assert (again / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()


def test_another_posterior_of_the_same_name_is_another_run(learned, tmp_path):
    scenario, folder = learned
    here = tmp_path / "here"
    shutil.copytree(scenario.files[0].parent, here)
    write(posterior_of(scenario.world, shift=0.1), here / "inside/posterior.nc")
    other = load(here / "mine.yaml")
    assert dump(other) == dump(scenario)

    def stop(finished, wanted):
        if finished:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        played(scenario, tmp_path / "run", progress=stop)
    with pytest.raises(ForecastError, match="cannot be continued, it is another run: posterior_sha256 was"):
        played(other, tmp_path / "run", resume=True)
    with pytest.raises(ForecastError, match="already holds results"):
        played(other, here / "run", resume=True)
    finished = played(scenario, tmp_path / "run", resume=True)
    assert read(finished / "posterior.nc").sha256 == scenario.posterior.sha256
    assert store.fingerprint(finished) == store.fingerprint(folder)
