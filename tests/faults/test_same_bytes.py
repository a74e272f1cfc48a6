"""The same numbers whatever computes them: workers, blocks, neighbours, hash seeds, places, languages and time zones."""

import itertools
import os
import shutil
import subprocess
import sys
from contextlib import suppress

import fake_world
import numpy as np
import pytest
from small_world import small_world_file

from forecast.assess.produce import run_ensemble
from forecast.ensemble import manifest, store
from forecast.ensemble.execute import run
from forecast.errors import Interrupted

FEW, MANY = 4, 12
WORKERS, BLOCKS = (1, 2, 3), (1, 7, 50)
FEW_WAYS = [(1, 50, False), (1, 7, True), (3, 1, True)]
"""Workers, block, and whether the run is interrupted: what each could change is tried once."""
ODD_NAME = "-dïr with\n line, spaces; $HOME & 'quotes' 电池"
SURROUNDINGS = {
    "C": {"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0", "COLUMNS": "20"},
    "other": {"LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "TZ": "America/St_Johns", "PYTHONHASHSEED": "4294967295"},
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Results of the small world as this process computes them, one realization after the other, and its scenario."""
    place = tmp_path_factory.mktemp("usual")
    run_ensemble(small_world_file(place), FEW, folder=place / "run", workers=1, block=1, pictures=False)
    return place


def program(*words, place, **surroundings):
    """The program as a user starts it, elsewhere."""
    path = os.pathsep.join(sys.path)
    environment = {"PYTHONPATH": path, "PATH": os.environ["PATH"], "HOME": str(place), "MPLBACKEND": "Agg"} | surroundings
    return subprocess.run(
        [sys.executable, "-m", "forecast", *map(str, words)], cwd=place, env=environment, capture_output=True, check=False, timeout=300
    )


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_language_time_zone_hash_seed_and_odd_names_change_no_byte(tmp_path, usual, name):
    place = tmp_path / ODD_NAME
    place.mkdir()
    shutil.copy(usual / "small.yaml", place)
    words = ["small.yaml", "-n", FEW, "--block", 1, "--workers", 2, "--no-pictures", "--output", "./-out ü"]
    done = program("run", *words, place=place, **SURROUNDINGS[name])
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert (place / "-out ü/manifest.json").read_bytes() == (usual / "run/manifest.json").read_bytes()
    told = program("verify", "./-out ü", place=place, **SURROUNDINGS[name])
    assert (told.returncode, told.stderr) == (0, b"")


@pytest.mark.parametrize("block", [3, 50])
def test_the_numbers_of_the_model_do_not_depend_on_blocks(tmp_path, usual, block):
    run_ensemble(usual / "small.yaml", FEW, folder=tmp_path / "run", workers=1, block=block, pictures=False)
    assert store.fingerprint(tmp_path / "run") == store.fingerprint(usual / "run")
    others = [manifest.read(folder)["files"][store.SUMMARY] for folder in (tmp_path / "run", usual / "run")]
    assert others[0] == others[1]


def test_a_realization_of_the_model_alone_is_the_one_among_many(tmp_path, usual):
    many = store.open_results(usual / "run").load()
    run_ensemble(usual / "small.yaml", 1, folder=tmp_path / "alone", workers=1, first=2, pictures=False)
    alone = store.open_results(tmp_path / "alone").load()
    assert alone.drop_attrs().identical(many.sel(realization=[2]).drop_attrs())


def test_workers_and_blocks_and_interruptions_share_one_hash_of_values(tmp_path, often):
    hashes = set()
    for workers, block, stopped in often(
        FEW_WAYS, [(*way, stopped) for way in itertools.product(WORKERS, BLOCKS) for stopped in (False, True)]
    ):
        folder, plan = tmp_path / f"{workers}-{block}-{stopped}", fake_world.plan(MANY, block)
        run_with(plan, folder, workers, stopped)
        hashes.add(store.fingerprint(folder))
    assert len(hashes) == 1


def run_with(plan, folder, workers, stopped):
    """Run; interrupted after the first block and resumed if so wanted."""

    def stop(finished, wanted):
        if stopped and 0 < finished < wanted:
            raise KeyboardInterrupt

    with suppress(Interrupted):
        run(plan, folder, workers=workers, simulate=fake_world.simulate, progress=stop)
    if stopped and plan.block < MANY:
        assert not folder.exists()
        run(plan, folder, workers=workers, simulate=fake_world.simulate, resume=True)


def test_the_first_of_many_are_a_run_of_few(tmp_path, often):
    few, many = often(10, 100), often(40, 1000)
    for count in (few, many):
        run(fake_world.plan(count, 50), tmp_path / str(count), workers=1, simulate=fake_world.simulate)
    short, long = (store.open_results(tmp_path / str(count)).load() for count in (few, many))
    assert short.drop_attrs().identical(long.isel(realization=slice(few)).drop_attrs())
    np.testing.assert_array_equal(long["realization"], np.arange(many))
