"""Results are read back as they were written, or not at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cf_check
import fake_world
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from forecast.ensemble import arrays, export, manifest, store
from forecast.ensemble.execute import run
from forecast.errors import ForecastError, StoreError
from forecast.model.market import COLUMNS, DERIVED

REALIZATIONS = 7


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A finished run of the small world; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "small run [ä]"
    run(fake_world.plan(REALIZATIONS), folder, workers=1, simulate=fake_world.simulate, finish=fake_world.summary)
    return folder


@pytest.fixture
def results(written, tmp_path):
    """A copy of the run that may be damaged."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


def reseal(folder, path, change):
    """Change a JSON file and the manifest with it, as somebody would who wants us to read it."""
    content = json.loads((folder / path).read_text())
    change(content)
    (folder / path).write_text(json.dumps(content))
    sealed = manifest.read(folder)
    manifest.write(folder, sealed["run"], sealed["failed"], sealed["files"] | {path: manifest.fingerprint(folder / path)})


def test_every_recorded_column_comes_back_with_its_dimensions_unit_and_meaning(written):
    found = store.open_results(written)
    for name, column in (COLUMNS | {name: column for name, (column, _) in DERIVED.items()}).items():
        clock = "time" if column.every == "year" else "month"
        assert found[name].dims == ("realization", clock, *column.dims)
        assert (found[name].attrs["units"], found[name].attrs["long_name"]) == (column.unit, column.meaning)


def test_values_are_those_of_the_model_to_four_digits(written):
    found = store.open_results(written)
    for name, given_values in fake_world.simulate(fake_world.WORLD, 1, np.arange(REALIZATIONS), False).items():
        np.testing.assert_allclose(found[name].values, given_values, rtol=2.0**-13)


def test_codes_are_exact_whole_numbers_with_their_meanings(written):
    stage = store.open_results(written)["programme_stage"]
    assert stage.dtype == np.int8
    assert (stage.values == fake_world.simulate(fake_world.WORLD, 1, np.arange(REALIZATIONS), False)["programme_stage"]).all()
    assert dict(zip(stage.attrs["flag_values"], stage.attrs["flag_meanings"].split(), strict=True))[6] == "commercial"


def test_time_is_a_calendar_of_years_of_360_days_with_bounds(written):
    found = store.open_results(written)
    assert found["time"].dt.year.values.tolist() == [2023, 2024, 2025]
    assert [(when.year, when.month, when.day) for when in found["time_bnds"].values[0]] == [(2023, 1, 1), (2024, 1, 1)]
    assert found["month"].sizes["month"] == 36
    assert found["month"].dt.month.values[:13].tolist() == [*range(1, 13), 1]


def test_names_are_sorted_labels(written):
    found = store.open_results(written)
    assert found["mineral"].values.tolist() == ["cobalt", "nickel"]
    assert found.sel(segment="drones", chemistry="lfp")["share_of_sales"].dims == ("realization", "time", "region")


def test_attributes_say_where_the_numbers_are_from_and_nothing_of_when(written):
    about = store.open_results(written).attrs
    assert about["Conventions"] == "CF-1.11, ACDD-1.3"
    assert (about["seed"], about["scenario"]) == (1, "small")
    assert len(about["scenario_sha256"]) == 64
    assert "numpy" in about["software_versions"]
    assert not any(word in json.dumps(about, default=str) for word in ("date_created", str(written)))


def test_nothing_is_loaded_when_results_are_opened(results):
    chunk = next(results.glob("results.zarr/price/c.0*"))
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = store.open_results(results)
    found["margin"].load()
    with pytest.raises(StoreError, match=r"price.c\.0.*changed"):
        found["price"].load()


def test_sums_by_month_are_per_month_when_everything_is_monthly(tmp_path):
    run(fake_world.plan(2, monthly=True), tmp_path / "m", workers=1, simulate=fake_world.simulate)
    found = store.open_results(tmp_path / "m")
    assert found["deliveries"].dims == ("realization", "month", "segment", "region", "chemistry")
    assert found["deliveries"].attrs["units"] == "GW h month-1"
    assert found["capacity"].attrs["units"] == "GW h year-1"
    assert "time" not in found.dims


def test_a_sound_folder_verifies(written):
    assert store.verify(written) == []


def test_a_flipped_bit_in_any_file_is_found(results):
    for file in sorted(f for f in results.rglob("*") if f.is_file()):
        sound = file.read_bytes()
        place = len(sound) * 2 // 3
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        assert len(store.verify(results)) == 1, file
        file.write_bytes(sound)
    assert store.verify(results) == []


@pytest.mark.parametrize(
    "path", ["results.zarr/price/c.1.0.0.0", "results.zarr/price/zarr.json", "results.zarr/segment/c.0", "scenario.yaml"]
)
@pytest.mark.parametrize("damage", ["deleted", "truncated"])
def test_a_truncated_or_deleted_file_keeps_results_from_opening(results, path, damage):
    file = results / path
    if damage == "deleted":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(StoreError, match=file.name):
        store.open_results(results)
    assert any(file.name in problem for problem in store.verify(results))


def test_a_file_that_nobody_wrote_keeps_results_from_opening(results):
    (results / "results.zarr/price/c.9.0.0.0").write_bytes(b"")
    with pytest.raises(StoreError, match="not one of the files"):
        store.open_results(results)


@pytest.mark.parametrize("what", ["missing", "empty", "no manifest", "foreign manifest", "a file", "unfinished"])
def test_what_is_not_results_is_refused_with_its_place(tmp_path, written, what):
    folder = tmp_path / "x"
    if what == "a file":
        folder.write_text("hello")
    elif what != "missing":
        folder.mkdir()
    if what == "no manifest":
        shutil.copytree(written / "results.zarr", folder / "results.zarr")
    if what == "foreign manifest":
        (folder / "manifest.json").write_text('{"files": {}}')
    if what == "unfinished":
        folder = tmp_path / "x.partial"
        store.create(folder, fake_world.plan())
    with pytest.raises(StoreError, match="x"):
        store.open_results(folder)
    assert len(store.verify(folder)) == 1


def test_a_manifest_that_points_outside_is_refused(results):
    sealed = manifest.read(results)
    manifest.write(results, sealed["run"], [], sealed["files"] | {"../secret": {"size": 1, "sha256": "0"}})
    with pytest.raises(StoreError, match="secret"):
        store.open_results(results)


HOSTILE = {
    "pickle codec": (lambda about: about["codecs"].append({"name": "numcodecs.pickle", "configuration": {}}), "codecs"),
    "pickle for bytes": (lambda about: about["codecs"].__setitem__(0, {"name": "numcodecs.pickle", "configuration": {}}), "codecs"),
    "foreign compressor": (lambda about: about["codecs"][1]["configuration"].update(cname="snappy"), "codecs"),
    "no codecs": (lambda about: about.pop("codecs"), "codecs"),
    "object array": (lambda about: about.update(data_type="object"), "data type"),
    "absurd shape": (lambda about: about.update(shape=[10**15, 3, 2, 3]), "larger than any"),
    "absurd chunk": (lambda about: about["chunk_grid"]["configuration"].update(chunk_shape=[10**12, 3, 2, 3]), "larger than any"),
    "negative shape": (lambda about: about.update(shape=[-1, 3, 2, 3]), "do not fit"),
    "shape unlike the others": (lambda about: about.update(shape=[6, 3, 2, 3]), "places here"),
    "fewer dimensions": (lambda about: about.update(dimension_names=["realization"]), "do not fit"),
    "more chunks than files": (lambda about: about["chunk_grid"]["configuration"].update(chunk_shape=[1, 3, 2, 3]), "not in the manifest"),
    "transformer": (lambda about: about.update(storage_transformers=[{"name": "x"}]), "stored in a way"),
    "a group": (lambda about: about.update(node_type="group"), "not an array"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_arrays_are_refused_even_under_a_fitting_manifest(results, attack):
    change, reason = HOSTILE[attack]
    reseal(results, "results.zarr/price/zarr.json", change)
    with pytest.raises(StoreError, match=reason):
        store.open_results(results)


def test_results_that_cannot_be_written_can_be_read(results):
    places = [results, *(path for path in results.rglob("*"))]
    for path in places:
        path.chmod(path.stat().st_mode & ~0o222)
    code = f"from forecast import open_results; print(float(open_results({str(results)!r})['price'].mean()) > 0)"
    done = subprocess.run([*fake_world.WITHOUT_PRIVILEGES, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
    for path in places:
        path.chmod(path.stat().st_mode | 0o200)


def test_the_same_run_gives_the_same_bytes(written, tmp_path):
    run(fake_world.plan(REALIZATIONS), tmp_path / "again", workers=1, simulate=fake_world.simulate, finish=fake_world.summary)
    assert (tmp_path / "again/manifest.json").read_bytes() == (written / "manifest.json").read_bytes()


@pytest.mark.parametrize("name", ["price", "programme_stage", "lithium_price"])
def test_chunks_are_the_bytes_that_zarr_itself_would_write(results, name):
    array = zarr.open_group(results / "results.zarr", mode="r+")[name]
    before = {file.name: file.read_bytes() for file in (results / "results.zarr" / name).glob("c.*")}
    array[...] = array[...]
    assert {file.name: file.read_bytes() for file in (results / "results.zarr" / name).glob("c.*")} == before
    assert len(before) == 3


@pytest.mark.parametrize("name", ["price", "programme_stage", "realization", "segment", "time_bnds"])
def test_an_array_is_described_as_zarr_itself_would_describe_it(written, tmp_path, name):
    ours = zarr.open_group(written / "results.zarr", mode="r")[name]
    theirs = zarr.create_group(tmp_path / "x").create_array(
        name,
        shape=ours.shape,
        chunks=ours.chunks,
        dtype="string" if ours.dtype.kind in "TO" else ours.dtype,
        fill_value=ours.fill_value,
        compressors=zarr.codecs.BloscCodec(**arrays.COMPRESSION),
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=ours.metadata.dimension_names,
        attributes=ours.attrs.asdict(),
    )
    theirs[...] = ours[...]
    for file in (tmp_path / "x" / name).iterdir():
        assert file.read_bytes() == (written / "results.zarr" / name / file.name).read_bytes()


@pytest.mark.parametrize("block", [1, 2, 7])
def test_the_hash_of_values_does_not_depend_on_blocks(written, tmp_path, block):
    run(fake_world.plan(REALIZATIONS, block), tmp_path / "other", workers=1, simulate=fake_world.simulate)
    assert store.fingerprint(tmp_path / "other") == store.fingerprint(written)


@given(st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=8))
def test_rounding_keeps_twelve_bits_and_every_kind_of_number(values):
    given_values = np.array(values, np.float32)
    with np.errstate(all="ignore"):
        rounded = arrays.round_bits(given_values)
        normal = np.isfinite(given_values) & (np.abs(given_values) > 1e-30) & (np.abs(given_values) < 1e38)
        np.testing.assert_allclose(rounded[normal], given_values[normal], rtol=2.0**-13)
        assert (np.isnan(rounded) == np.isnan(given_values)).all()
        assert (arrays.round_bits(rounded).tobytes()) == rounded.tobytes()


@pytest.mark.parametrize(
    ("bits", "stored"),
    [
        (0x80000000, 0x00000000),  # minus zero
        (0x80000001, 0x00000000),  # less than can be told from it
        (0x7F800001, 0x7FC00000),  # nan of other payloads and signs
        (0xFFC12345, 0x7FC00000),
        (0x3F800400, 0x3F800000),  # half-way: to the even one, below
        (0x3F800C00, 0x3F801000),  # and above
        (0xBF800C00, 0xBF801000),
        (0x3F800401, 0x3F800800),
        (0x7F7FFFFF, 0x7F800000),  # beyond the largest: infinite
    ],
)
def test_what_is_stored_has_one_zero_and_one_nan_and_halves_go_to_even(bits, stored):
    found = arrays.round_bits(np.array([bits], np.uint32).view(np.float32)).view(np.uint32)
    assert hex(found.item()) == hex(stored)


@given(st.integers(-4096, 4096))
def test_small_whole_numbers_are_exact(number):
    assert arrays.round_bits(np.array([number], np.float32))[0] == number


def test_the_summary_comes_back_with_its_labels(written):
    summary = store.open_summary(written)
    assert summary["share_of_sales"].sel(segment="drones", chemistry="sodium_ion").dims == ("time", "region")
    assert summary["time"].dt.year.values.tolist() == [2023, 2024, 2025]


def test_a_changed_summary_is_refused(results):
    (results / store.SUMMARY).write_bytes((results / store.SUMMARY).read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"summary\.nc"):
        store.open_summary(results)


def test_exported_netcdf_follows_cf_but_for_the_documented_exceptions(written, tmp_path):
    file = export.export_netcdf(store.open_results(written), tmp_path / "all.nc")
    assert [finding for finding in cf_check.findings(file) if not cf_check.reason(finding)] == []


def test_exported_netcdf_holds_what_was_chosen_and_the_same_bytes_each_time(written, tmp_path):
    chosen = export.chosen(store.open_results(written), ["lithium_price", "mine_status"])
    first, second = (export.export_netcdf(chosen, tmp_path / name) for name in ("a.nc", "b.nc"))
    assert first.read_bytes() == second.read_bytes()
    back = export.read_netcdf(first)
    assert sorted(back.data_vars) == ["lithium_price", "mine_status"]
    np.testing.assert_array_equal(back["lithium_price"], chosen["lithium_price"])
    assert back["mine_status"].sel(mine="mine_a").dtype == np.int8


def test_exported_csv_has_one_row_per_value(written, tmp_path):
    found = export.chosen(store.open_results(written), ["lithium_price", "cash"])
    lines = export.export_csv(found, tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split(",")[:3] == ["variable", "units", "realization"]
    assert len(lines) == 1 + REALIZATIONS * (36 + 3 * 2)
    row = dict(zip(lines[0].split(","), lines[14].split(","), strict=True))
    assert (row["variable"], row["units"], row["realization"], row["month"]) == ("lithium_price", "USD t-1", "0", "2024-02")
    assert float(row["value"]) == pytest.approx(float(found["lithium_price"][0, 13]), rel=1e-4)


def test_a_table_that_ends_at_a_damaged_chunk_is_not_left_behind(results, tmp_path):
    chunk = next(results.glob("results.zarr/price/c.1*"))
    chunk.write_bytes(bytes(len(chunk.read_bytes())))
    with pytest.raises(StoreError, match="has changed"):
        export.export_csv(export.chosen(store.open_results(results), ["price"]), tmp_path / "x.csv")
    assert list(tmp_path.glob("x.csv*")) == []


def test_an_export_replaces_nothing_unless_forced(written, tmp_path):
    (tmp_path / "x.csv").write_text("mine")
    found = export.chosen(store.open_results(written), ["lithium_price"])
    with pytest.raises(ForecastError, match="--force"):
        export.export_csv(found, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "mine"
    export.export_csv(found, tmp_path / "x.csv", force=True)
    assert (tmp_path / "x.csv").read_text() != "mine"


def test_an_unknown_variable_is_named_beside_those_there_are(written):
    with pytest.raises(ForecastError, match=r"lithium.*no such variable.*lithium_price"):
        export.chosen(store.open_results(written), ["lithium"])


@pytest.mark.parametrize("kind", ["external link", "external storage", "soft link"])
def test_netcdf_that_reads_other_files_is_refused(tmp_path, kind):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "secret").write_bytes(b"12345678")
    with h5py.File(tmp_path / "bad.nc", "w") as file:
        if kind == "external link":
            file["x"] = h5py.ExternalLink(str(tmp_path / "other.nc"), "/x")
        elif kind == "soft link":
            file["x"] = h5py.SoftLink("/y")
        else:
            file.create_dataset("x", (8,), "i1", external=[(str(tmp_path / "secret"), 0, 8)])
    with pytest.raises(StoreError, match="outside"):
        export.read_netcdf(tmp_path / "bad.nc")


def test_pictures_made_later_are_sealed_too(results):
    (results / "pictures").mkdir()
    (results / "pictures/x.png").write_bytes(b"picture")
    store.add_files(results, ["pictures/x.png"])
    assert store.verify(results) == []
    (results / "pictures/x.png").write_bytes(b"Picture")
    assert len(store.verify(results)) == 1
