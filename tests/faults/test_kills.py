"""Processes killed at random instants: no realization is lost or there twice, and the bytes at the end are the same."""

import os
import random
import signal
import time
from contextlib import suppress

import fake_world
import numpy as np
import pytest
from herd import PLAN, Herd, alive, children, kill

from forecast.ensemble import store
from forecast.ensemble.execute import run
from forecast.errors import StoreError

LATE = 1.1
"""Kills fall between the start of a run and a little after its usual end."""
POOLS = 5
"""Every fifth run has worker processes, which take long to start."""


@pytest.fixture(scope="module")
def herd():
    with Herd() as found:
        yield found


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The manifest of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(PLAN, folder, workers=1, simulate=fake_world.simulate)
    return (folder / "manifest.json").read_bytes()


def killed(herd, luck, seconds, folder, *words):
    """Start a run and kill all its processes at some instant."""
    group = herd.start(folder, *words)
    time.sleep(luck.uniform(0, LATE * seconds))
    kill(group)


def test_runs_killed_at_random_instants_lose_nothing_when_resumed(tmp_path, herd, expected, often):
    luck, kills, runs = random.Random(1), 0, 0
    seconds = {how: herd.ran(tmp_path / f"usual-{how}", how) for how in ("serial", "pool")}
    while kills < often(25, 200):
        folder, words = tmp_path / str(runs), []
        how = "pool" if runs % POOLS == 0 else "serial"
        for _ in range(luck.randint(1, 4)):
            killed(herd, luck, seconds[how], folder, how, *words)
            kills, words = kills + 1, ["resume"]
            if folder.exists():
                break
            partial = folder.with_name(f"{folder.name}.partial")
            with suppress(StoreError):
                store.open_results(partial)  # a run killed between its seal and its place is whole
                assert (partial / "manifest.json").read_bytes() == expected
                assert store.verify(partial) == []
        outcome = run(PLAN, folder, workers=1, resume=True, simulate=fake_world.simulate)
        assert outcome.realizations == PLAN.realizations
        assert (folder / "manifest.json").read_bytes() == expected
        np.testing.assert_array_equal(store.open_results(folder)["realization"], PLAN.numbers)
        runs += 1
    left = (".partial", ".replaced", ".removed")
    assert sorted(path.name for path in tmp_path.iterdir() if any(part in path.name for part in left)) == []


def test_earlier_results_outlive_a_run_that_was_to_replace_them(tmp_path, herd, expected, often):
    luck, folder = random.Random(2), tmp_path / "run"
    run(fake_world.plan(8, 2, seed=2), folder, workers=1, simulate=fake_world.simulate)
    seconds = herd.ran(tmp_path / "usual", "serial")
    for _ in range(often(5, 40)):
        killed(herd, luck, seconds, folder, "serial", "force")
        if folder.exists():
            assert store.verify(folder) == []
        else:
            assert store.verify(folder.with_name(".run.replaced")) == []
    herd.ran(folder, "serial", "force", "resume")
    assert (folder / "manifest.json").read_bytes() == expected


def test_killed_workers_are_not_noticed(tmp_path, herd, expected, often):
    luck, hurt, tried, wanted = random.Random(3), 0, 0, often(2, 50)
    seconds = herd.ran(tmp_path / "usual", "pool")
    while hurt < wanted:
        folder, tried = tmp_path / str(tried), tried + 1
        group = herd.start(folder, "pool")
        while alive(group) and not children(group):
            time.sleep(0.005)
        time.sleep(luck.uniform(0, seconds / 2))
        if workers := children(group):
            with suppress(ProcessLookupError):
                os.kill(luck.choice(workers), signal.SIGKILL)
                hurt += 1
        while alive(group):
            time.sleep(0.01)
        assert (folder / "manifest.json").read_bytes() == expected
