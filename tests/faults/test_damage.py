"""Results that were damaged, or made by somebody who means harm: found, refused with exit 4, and nothing else happens."""

import functools
import itertools
import json
import os
import random
import shutil
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import fake_world
import h5py
import pytest
from small_world import small_world_file

from forecast.assess.produce import run_ensemble
from forecast.cli import status
from forecast.ensemble import export, manifest, store
from forecast.ensemble.execute import run
from forecast.ensemble.guarded import survives
from forecast.errors import StoreError

MUCH = 200_000_000
"""Bytes; far above what the small results need, far below what a hostile file may ask for."""
READING = {
    "milestones": ["milestones"],
    "curves": ["curves"],
    "compare": ["compare"],
    "plot": ["plot", "--what", "overview"],
    "plot all": ["plot"],
    "export": ["export"],
    "export csv": ["export", "--variable", "price"],
    "export netcdf": ["export", "--format", "netcdf", "--all", "--force"],
    "verify": ["verify"],
    "values": ["verify", "--values"],
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A finished run of the made-up world; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run(fake_world.plan(3, 2), folder, workers=1, simulate=fake_world.simulate, finish=fake_world.summary)
    return folder


@pytest.fixture
def results(written, tmp_path):
    """A copy of the run that may be damaged."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Results of the small world as the command writes them, with the same beside it; not to be changed."""
    place = tmp_path_factory.mktemp("real")
    run_ensemble(small_world_file(place), 2, folder=place / "a", workers=1, pictures=False)
    shutil.copytree(place / "a", place / "b")
    return place


def everything(folder):
    """All that can be read of results, as one hash and the summary."""
    return store.fingerprint(folder), store.open_summary(folder)


def flipped(content, luck):
    place = luck.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << luck.randrange(8)]) + content[place + 1 :]


DAMAGE = {
    "flipped": flipped,
    "cut off": lambda content, luck: content[: luck.randrange(len(content))],
    "longer": lambda content, luck: content + b"\0",
    "zeroed": lambda content, luck: bytes(len(content)),
    "deleted": lambda content, luck: None,
}


def test_every_mutant_is_found_and_none_is_read_as_something_else(results, often):
    luck, files = random.Random(1), sorted(file for file in results.rglob("*") if file.is_file())
    values, summary = everything(results)
    for number in range(often(100, 1000)):
        file, (kind, damage) = luck.choice(files), luck.choice(list(DAMAGE.items()))
        sound = file.read_bytes()
        mutant = damage(sound, luck)
        if mutant is None:
            file.unlink()
        else:
            file.write_bytes(mutant)
        assert len(store.verify(results)) == (file.name != manifest.SIDECAR or kind != "deleted"), (number, file, kind)
        if number % often(4, 1) == 0:
            with suppress(StoreError):
                now, told = everything(results)
                assert (now, told.identical(summary)) == (values, True), (number, file, kind)
        file.write_bytes(sound)
    assert store.verify(results) == []


@pytest.mark.parametrize("command", READING)
def test_every_command_checks_what_it_reads(real, tmp_path, monkeypatch, capsys, command):
    damaged = shutil.copytree(real / "a", tmp_path / "a")
    for file in [*damaged.glob("results.zarr/*/c.*"), damaged / store.SUMMARY]:
        file.write_bytes(flipped(file.read_bytes(), random.Random(1)))
    monkeypatch.chdir(tmp_path)
    name, *options = READING[command]
    folders = [str(damaged), str(real / "b")] if command == "compare" else [str(damaged)]
    assert status([name, *folders, *options]) == 4
    assert "its content has changed" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["scenario.yaml", "manifest.json"])
def test_a_run_from_results_checks_their_scenario(real, tmp_path, capsys, file):
    damaged = shutil.copytree(real / "a", tmp_path / "a")
    (damaged / file).write_bytes((damaged / file).read_bytes() + b"\n# mine\n")
    assert status(["run", str(damaged / "scenario.yaml"), "-n", "1", "--output", str(tmp_path / "again"), "--no-pictures"]) == 4
    assert not (tmp_path / "again").exists()


def reseal(folder, **others):
    """Seal a folder as it is now, as somebody would who wants us to read it."""
    sealed = manifest.read_sealed(folder / manifest.NAME)
    here = [Path(above, name).relative_to(folder).as_posix() for above, _, names in os.walk(folder, followlinks=True) for name in names]
    files = {path: manifest.fingerprint(folder / path) for path in here if path not in (manifest.NAME, manifest.SIDECAR)}
    parts = {"run": sealed["run"], "failed": sealed["failed"], "files": files} | others
    manifest.write(folder, **parts)


def described(folder, change, array="price"):
    file = folder / store.ARRAYS / array / "zarr.json"
    about = json.loads(file.read_text())
    change(about)
    file.write_text(json.dumps(about))


def link_chunk(folder):
    chunk = folder / "results.zarr/price/c.0.0.0.0"
    shutil.move(chunk, folder.parent / "secret")
    chunk.symlink_to(folder.parent / "secret")


def link_array(folder):
    shutil.move(folder / "results.zarr/price", folder.parent / "secret")
    (folder / "results.zarr/price").symlink_to(folder.parent / "secret")


def link_summary(folder):
    shutil.move(folder / store.SUMMARY, folder.parent / "secret")
    (folder / store.SUMMARY).symlink_to(folder.parent / "secret")


def bomb(folder):
    """A chunk of a few bytes that says it unpacks to two gigabytes."""
    chunk = folder / "results.zarr/price/c.0.0.0.0"
    content = bytearray(chunk.read_bytes())
    content[4:8] = struct.pack("<I", 2**31 - 2**20)
    chunk.write_bytes(content)


MEMCPYED = 2  # flag in the header of blosc


def broken_chunk(folder):
    """A chunk that is described well and cannot be decompressed."""
    chunk = folder / "results.zarr/price/c.0.0.0.0"
    head = bytearray(chunk.read_bytes())
    head[2] &= ~MEMCPYED  # a chunk as small as this is stored as it is
    chunk.write_bytes(bytes(head[:16]) + bytes([255]) * (len(head) - 16))


def text_bomb(folder):
    """Labels that say they are four thousand million."""
    import numcodecs

    chunk = folder / "results.zarr/segment/c.0"
    content = bytearray(numcodecs.blosc.decompress(chunk.read_bytes()))
    content[:4] = b"\xff" * 4
    chunk.write_bytes(numcodecs.blosc.compress(bytes(content), b"zstd", 1, 1))


def huge_file(folder):
    """A chunk of a terabyte, nearly all of it a hole."""
    os.truncate(folder / "results.zarr/price/c.0.0.0.0", 10**12)
    sealed = manifest.read_sealed(folder / manifest.NAME)
    sealed["files"]["results.zarr/price/c.0.0.0.0"]["size"] = 10**12
    manifest.write(folder, sealed["run"], sealed["failed"], sealed["files"])


def many_realizations(folder):
    for file in (folder / store.ARRAYS).glob("*/zarr.json"):
        about = json.loads(file.read_text())
        if "realization" in about["dimension_names"]:
            about["shape"][0] = about["chunk_grid"]["configuration"]["chunk_shape"][0] = 5 * 10**8
            file.write_text(json.dumps(about))


def large_summary(folder):
    with h5py.File(folder / store.SUMMARY, "a") as content:
        content.create_dataset("large", (10**11,), "f8", chunks=(10**6,), compression="gzip")


def pipe(folder):
    """A file that has no end, in the place of one that the manifest lists."""
    chunk = folder / "results.zarr/price/c.0.0.0.0"
    reseal(folder)
    chunk.unlink()
    os.mkfifo(chunk)


HOSTILE = {
    "chunk is a link": link_chunk,
    "array is a link": link_array,
    "summary is a link": link_summary,
    "bomb": bomb,
    "broken chunk": broken_chunk,
    "bomb of texts": text_bomb,
    "more realizations than memory": many_realizations,
    "summary larger than memory": large_summary,
    "nested without end": lambda folder: (folder / "results.zarr/price/zarr.json").write_text("[" * 100_000),
    "nothing described": lambda folder: (folder / "results.zarr/price/zarr.json").write_text("[]"),
    "no month": lambda folder: shutil.rmtree(folder / "results.zarr/month"),
    "files by other names": lambda folder: described(
        folder, lambda about: about["chunk_key_encoding"].update(configuration={"separator": "/"})
    ),
    "time without unit": lambda folder: described(folder, lambda about: about["attributes"].update(units="days since"), "month"),
    "pipe": pipe,
    "huge file": huge_file,
}
SEALED_BY_ITSELF = ("pipe", "huge file")


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_results_are_refused_with_exit_4_and_without_harm(results, attack, capsys):
    HOSTILE[attack](results)
    if attack not in SEALED_BY_ITSELF:
        reseal(results)
    tracemalloc.start()
    try:
        codes = [status(["export", str(results), *words]) for words in ([], ["--variable", "price"])]
        assert 4 in codes
        assert set(codes) <= {0, 4}
        assert tracemalloc.get_traced_memory()[1] < MUCH
    finally:
        tracemalloc.stop()
    assert "Traceback" not in capsys.readouterr().err


def without(content, key):
    return {name: value for name, value in content.items() if name != key}


MANIFESTS = {
    "above": lambda sealed: {"files": sealed["files"] | {"../secret": {"size": 1, "sha256": "0"}}},
    "absolute": lambda sealed: {"files": sealed["files"] | {"/etc/passwd": {"size": 1, "sha256": "0"}}},
    "hidden above": lambda sealed: {"files": sealed["files"] | {"results.zarr/../../secret": {"size": 1, "sha256": "0"}}},
    "zero byte": lambda sealed: {"files": sealed["files"] | {"a\0b": {"size": 1, "sha256": "0"}}},
    "endless name": lambda sealed: {"files": sealed["files"] | {"a" * 5000: {"size": 1, "sha256": "0"}}},
    "endless path": lambda sealed: {"files": sealed["files"] | {"a/" * 600 + "b": {"size": 1, "sha256": "0"}}},
    "name of half a letter": lambda sealed: {"files": sealed["files"] | {"a\ud800/b": {"size": 1, "sha256": "0"}}},
    "no hashes": lambda sealed: {"files": {path: without(facts, "sha256") for path, facts in sealed["files"].items()}},
    "size of truth": lambda sealed: {"files": {path: facts | {"size": True} for path, facts in sealed["files"].items()}},
    "no facts": lambda sealed: {"files": dict.fromkeys(sealed["files"])},
    "size in words": lambda sealed: {"files": {path: facts | {"size": "small"} for path, facts in sealed["files"].items()}},
    "failures in words": lambda sealed: {"failed": "none"},
    "failure unknown": lambda sealed: {"failed": [{"realization": 99, "seed": 1, "error": ""}]},
    "scenario above": lambda sealed: {"run": sealed["run"] | {"scenario": "../../elsewhere"}},
    "no scenario": lambda sealed: {"run": without(sealed["run"], "scenario")},
    "no run": lambda sealed: {"run": None},
}


@pytest.mark.parametrize("lie", MANIFESTS)
def test_a_manifest_that_lies_is_refused_with_exit_4(results, lie, capsys):
    sealed = manifest.read(results)
    reseal(results, **MANIFESTS[lie](sealed))
    assert status(["export", str(results), "--variable", "price"]) == 4
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("depth", [900, 983, 990, 2000, 100_000])
def test_a_manifest_of_any_depth_is_refused_with_exit_4(results, depth, capsys):
    (results / manifest.NAME).write_text('{"sha256": "", "run": ' + "[" * depth + "]" * depth + "}")
    assert status(["verify", str(results)]) == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_a_link_to_a_folder_among_the_arrays_is_found(results, tmp_path, capsys):
    (results / store.ARRAYS / "more").symlink_to(tmp_path, target_is_directory=True)
    assert status(["verify", str(results)]) == 4
    assert "more: not one of the files written by the run" in capsys.readouterr().err


VALUES = [None, -1, 0, 1, 2.5, 10**30, "", "price", "nan", [], [[]], {}, {"a": 1}, True, [10**9] * 4, "\0", "days since 2023-01-01"]


def places(content, above=()):
    """Paths of all values in nested JSON."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from places(value, (*above, key))


def test_no_description_however_mangled_does_more_than_be_refused(results, often):
    luck, abouts = random.Random(4), sorted((results / store.ARRAYS).rglob("zarr.json"))
    refused = 0
    for number in range(often(60, 1000)):
        file = luck.choice([about for about in abouts if about.parent.name in ("price", "realization", "month", "segment", store.ARRAYS)])
        sound = file.read_text()
        content = json.loads(sound)
        *way, last = luck.choice(list(places(content)))
        holder = content
        for key in way:
            holder = holder[key]
        holder[last] = luck.choice(VALUES)
        file.write_text(json.dumps(content))
        reseal(results)
        try:
            store.open_results(results).load()
        except StoreError:
            refused += 1
        except Exception as error:
            raise AssertionError((number, file.parent.name, way, last, holder[last])) from error
        file.write_text(sound)
    assert refused > often(60, 1000) // 3


def test_what_never_ends_or_crashes_is_survived():
    assert survives(lambda: None)
    assert survives(lambda: 1 / 0)
    assert not survives(lambda: sum(itertools.repeat(0)), seconds=1)
    assert not survives(os.abort)


def test_a_netcdf_file_that_crashes_its_reader_is_refused_with_exit_4(results, monkeypatch, capsys):
    monkeypatch.setattr(h5py, "File", lambda *given: os.abort())
    assert status(["export", str(results)]) == 4
    assert "damaged so that it crashes or never ends" in capsys.readouterr().err


def test_damaged_netcdf_is_read_or_refused_and_nothing_else(results, monkeypatch, often):
    monkeypatch.setattr(export, "survives", functools.partial(survives, seconds=1))
    luck, file = random.Random(5), results / store.SUMMARY
    sound = file.read_bytes()
    for _ in range(often(25, 300)):
        mutant = bytearray(sound)
        for _ in range(luck.choice((1, 1, 2, 8))):
            mutant[luck.randrange(len(mutant))] = luck.randrange(256)
        file.write_bytes(mutant)
        reseal(results)
        with suppress(StoreError):
            store.open_summary(results).load()
