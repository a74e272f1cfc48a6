"""Ensembles are exact whatever computes them, and nothing finished is lost."""

import copy
import functools
import shlex
import shutil
import subprocess
import sys
import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import fake_world
import numpy as np
import pytest
from filelock import FileLock
from small_world import small_world_file

from forecast.cli import status
from forecast.ensemble import execute, manifest, store
from forecast.ensemble.execute import Work, run
from forecast.ensemble.plan import Plan, default_block
from forecast.errors import ForecastError, Interrupted, LockedError, RealizationError, RequestError, StoreError

TESTS = Path(fake_world.__file__).parent


def done(folder, plan=None, **options):
    """Run the small world into a folder, in this process unless told otherwise."""
    return run(plan or fake_world.plan(), folder, **{"workers": 1, "simulate": fake_world.simulate} | options)


def manifest_of(folder):
    return (folder / "manifest.json").read_bytes()


@pytest.fixture
def interrupted(tmp_path):
    """A folder whose run stopped after one of its three blocks."""

    def stop(finished, wanted):
        if finished == 3:
            raise KeyboardInterrupt

    with pytest.raises(ForecastError, match="--resume continues") as caught:
        done(tmp_path / "run", progress=stop)
    assert caught.value.exit_code == 130
    return tmp_path / "run"


def test_one_two_and_three_workers_write_the_same_bytes(tmp_path):
    for workers in (1, 2, 3):
        done(tmp_path / str(workers), workers=workers)
    assert manifest_of(tmp_path / "1") == manifest_of(tmp_path / "2") == manifest_of(tmp_path / "3")
    assert store.verify(tmp_path / "3") == []


def test_a_realization_alone_is_the_one_among_others(tmp_path):
    done(tmp_path / "all")
    done(tmp_path / "one", fake_world.plan(1, 1, first=4))
    alone, among = store.open_results(tmp_path / "one"), store.open_results(tmp_path / "all")
    assert alone["realization"].values.tolist() == [4]
    np.testing.assert_array_equal(alone["price"].values[0], among["price"].sel(realization=4).values)


def test_the_first_of_many_are_a_run_of_few(tmp_path):
    done(tmp_path / "many", fake_world.plan(9))
    done(tmp_path / "few", fake_world.plan(4))
    few, many = store.open_results(tmp_path / "few"), store.open_results(tmp_path / "many")
    np.testing.assert_array_equal(few["deliveries"], many["deliveries"].isel(realization=slice(4)))


@pytest.mark.parametrize(
    ("realizations", "buyers", "block"),
    [(1, 9, 1), (3, 9, 1), (100, 9, 25), (600, 9, 75), (1_000, 9, 125), (10_000, 100_000, 125), (90, 1_000_000, 12), (9, 2**40, 1)],
)
def test_blocks_depend_on_the_number_of_realizations_and_buyers_alone(realizations, buyers, block):
    assert default_block(realizations, buyers) == block


@pytest.mark.parametrize("wrong", [{"realizations": 0}, {"realizations": -3}, {"block": -1}, {"first": -1}, {"seed": -1}, {"seed": 2**63}])
def test_an_ensemble_of_nothing_or_by_no_seed_is_refused(wrong):
    with pytest.raises(ForecastError, match=r"must be (at least|from 0 to (2147483646|9223372036854775807))"):
        Plan(**{"name": "x", "world": None, "text": "", "seed": 1, "realizations": 1} | wrong)


def test_progress_counts_realizations_up_to_all(tmp_path):
    seen = []
    done(tmp_path / "run", progress=lambda finished, wanted: seen.append((finished, wanted)))
    assert seen == [(0, 7), (3, 7), (6, 7), (7, 7)]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("block", [1, 3])
def test_a_failing_realization_is_named_and_the_others_kept(tmp_path, workers, block):
    outcome = done(tmp_path / "run", fake_world.plan(7, block), workers=workers, simulate=fake_world.fail_in_one)
    assert outcome.failed == [{"realization": fake_world.BAD, "seed": 1, "error": "ZeroDivisionError: no demand in month 3"}]
    found = store.open_results(tmp_path / "run")
    assert found["realization"].values.tolist() == [0, 1, 2, 3, 4, 6]
    expected = fake_world.simulate(fake_world.WORLD, 1, np.array([4, 6]), False)["price"]
    np.testing.assert_allclose(found["price"].sel(realization=[4, 6]), expected, rtol=1e-3)


def test_when_all_fail_there_are_no_results(tmp_path):
    with pytest.raises(RealizationError, match=r"7 of 7 realizations failed") as caught:
        done(tmp_path / "run", simulate=fake_world.fail_in_all)
    assert caught.value.exit_code == 6
    assert "--first 0 --realizations 1" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


def test_a_model_that_records_the_wrong_shape_is_an_error_of_the_program(tmp_path):
    def wrong(world, seed, numbers, monthly):
        return fake_world.simulate(world, seed, numbers, monthly) | {"price": np.zeros((len(numbers), 1))}

    with pytest.raises(ForecastError, match=r"price: the model recorded shape"):
        done(tmp_path / "run", simulate=wrong)


def test_the_work_of_a_killed_worker_is_done_again(tmp_path):
    world = copy.copy(fake_world.WORLD)
    world.mark = str(tmp_path / "killed")
    plan = Plan("small", world, "why: a small world\n", 1, 7, 1)
    done(tmp_path / "hurt", plan, workers=2, simulate=fake_world.die_once)
    assert (tmp_path / "killed").exists()
    done(tmp_path / "unhurt", fake_world.plan(7, 1))
    assert manifest_of(tmp_path / "hurt") == manifest_of(tmp_path / "unhurt")


def test_a_block_that_kills_every_worker_ends_the_run_and_keeps_the_rest(tmp_path):
    with pytest.raises(ForecastError, match="died 3 times in a row"):
        done(tmp_path / "run", fake_world.plan(7, 1), workers=2, simulate=fake_world.die_always)
    assert not (tmp_path / "run").exists()
    outcome = done(tmp_path / "run", fake_world.plan(7, 1), resume=True)
    assert outcome.computed < 7
    assert store.verify(tmp_path / "run") == []


def test_an_interrupted_run_does_not_open(interrupted):
    assert not interrupted.exists()
    with pytest.raises(StoreError, match="--resume"):
        store.open_results(interrupted)
    with pytest.raises(StoreError, match="unfinished"):
        store.open_results(interrupted.with_name("run.partial"))


def test_a_resumed_run_computes_what_is_missing_and_gives_the_same_bytes(interrupted, tmp_path):
    assert done(interrupted, resume=True).computed == 4
    done(tmp_path / "straight")
    assert manifest_of(interrupted) == manifest_of(tmp_path / "straight")


def test_an_unfinished_run_is_not_overwritten_by_a_plain_one(interrupted):
    with pytest.raises(ForecastError, match=r"1 of its blocks done; --resume continues it, --force starts again"):
        done(interrupted)
    assert done(interrupted, force=True).computed == 7


@pytest.mark.parametrize("change", [{"seed": 2}, {"realizations": 8}, {"block": 2}, {"monthly": True}, {"first": 1}])
def test_another_run_cannot_resume_this_one(interrupted, change):
    with pytest.raises(ForecastError, match=f"cannot be continued, it is another run: {next(iter(change))} was"):
        done(interrupted, fake_world.plan(**change), resume=True)


def test_a_block_that_a_worker_of_another_run_was_late_to_write_is_computed_again(interrupted, tmp_path):
    for block in (0, 2):
        Work(interrupted.with_name("run.partial"), fake_world.plan(seed=2), fake_world.simulate)(block)
    assert done(interrupted, resume=True).computed == 7
    done(tmp_path / "straight")
    assert manifest_of(interrupted) == manifest_of(tmp_path / "straight")


def test_a_chunk_damaged_between_is_computed_again(interrupted, tmp_path):
    chunk = interrupted.with_name("run.partial") / "results.zarr/price/c.0.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    assert done(interrupted, resume=True).computed == 7
    assert store.verify(interrupted) == []


def test_resuming_a_complete_run_does_nothing(tmp_path):
    done(tmp_path / "run")
    before = manifest_of(tmp_path / "run")
    assert done(tmp_path / "run", resume=True, simulate=fake_world.fail_in_all).computed == 0
    assert manifest_of(tmp_path / "run") == before


def die_before_the_end(folder, monkeypatch):
    """Finish a run, and end before its results are in their place."""

    def die(*places):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(store, "publish", die)
        with pytest.raises(Interrupted):
            done(folder)


def test_a_run_that_died_just_before_its_end_is_only_put_in_place(tmp_path, monkeypatch):
    die_before_the_end(tmp_path / "run", monkeypatch)
    assert done(tmp_path / "run", resume=True, simulate=fake_world.fail_in_all).computed == 0
    assert store.verify(tmp_path / "run") == []


@pytest.mark.parametrize("path", ["results.zarr/price/c.1.0.0.0", "results.zarr/price/zarr.json"])
def test_damaged_results_are_not_called_complete(tmp_path, path):
    done(tmp_path / "run")
    (tmp_path / "run" / path).unlink()
    with pytest.raises(StoreError, match="missing; --force computes it again"):
        done(tmp_path / "run", resume=True)
    assert done(tmp_path / "run", resume=True, force=True).computed == 7
    assert store.verify(tmp_path / "run") == []


def test_a_finished_run_that_waits_beside_the_same_results_is_not_left_there(tmp_path, monkeypatch):
    die_before_the_end(tmp_path / "run", monkeypatch)
    shutil.copytree(tmp_path / "run.partial", tmp_path / "kept")
    done(tmp_path / "run", resume=True)
    (tmp_path / "kept").rename(tmp_path / "run.partial")
    (tmp_path / "run").rename(manifest.replaced(tmp_path / "run"))  # as a --force that was cut off in that moment leaves it
    assert done(tmp_path / "run", resume=True, simulate=fake_world.fail_in_all).computed == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock", "run"]


def test_results_behind_a_link_are_replaced_as_often_as_one_likes(tmp_path):
    done(tmp_path / "big")
    (tmp_path / "run").symlink_to(tmp_path / "big", target_is_directory=True)
    for seed in (2, 3, 4):
        done(tmp_path / "run", fake_world.plan(seed=seed), force=True)
        assert store.open_results(tmp_path / "run").attrs["seed"] == seed
    assert sorted(path.name for path in tmp_path.iterdir()) == [".big.lock", ".run.lock", "big", "run"]
    assert store.verify(tmp_path / "big") == []


def test_what_was_put_there_meanwhile_stays_and_the_finished_run_waits(tmp_path):
    def work_of_somebody_else(folder, results):
        (tmp_path / "run").mkdir()
        (tmp_path / "run/thesis.txt").write_text("ten years of work")

    for options in ({"finish": work_of_somebody_else}, {"resume": True}, {"resume": True, "force": True}):
        with pytest.raises(ForecastError, match="holds no results of this program"):
            done(tmp_path / "run", **options)
        assert (tmp_path / "run/thesis.txt").read_text() == "ten years of work"
    shutil.rmtree(tmp_path / "run")
    assert done(tmp_path / "run", resume=True, simulate=fake_world.fail_in_all).computed == 0
    assert store.verify(tmp_path / "run") == []


def test_a_finished_run_that_waits_replaces_other_results_only_by_force(tmp_path, monkeypatch):
    die_before_the_end(tmp_path / "run", monkeypatch)
    shutil.copytree(tmp_path / "run.partial", tmp_path / "kept")
    done(tmp_path / "run", fake_world.plan(seed=2), force=True)
    (tmp_path / "kept").rename(tmp_path / "run.partial")
    with pytest.raises(ForecastError, match=r"--force replaces them.* waits in .*run\.partial: --resume, with --force"):
        done(tmp_path / "run", resume=True)
    assert store.open_results(tmp_path / "run").attrs["seed"] == 2
    assert done(tmp_path / "run", resume=True, force=True, simulate=fake_world.fail_in_all).computed == 0
    assert store.open_results(tmp_path / "run").attrs["seed"] == 1


def test_results_are_replaced_only_by_force_and_only_by_whole_ones(tmp_path):
    done(tmp_path / "run")
    before = manifest_of(tmp_path / "run")
    with pytest.raises(ForecastError, match="--force replaces"):
        done(tmp_path / "run", fake_world.plan(seed=2))
    with pytest.raises(RealizationError):
        done(tmp_path / "run", fake_world.plan(seed=2), force=True, simulate=fake_world.fail_in_all)
    assert manifest_of(tmp_path / "run") == before
    done(tmp_path / "run", fake_world.plan(seed=2), force=True)
    assert store.open_results(tmp_path / "run").attrs["seed"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock", "run"]


def test_force_never_replaces_what_is_not_ours(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("ten years of work")
    with pytest.raises(ForecastError, match="no results of this program"):
        done(tmp_path / "run", force=True)
    assert (tmp_path / "run/thesis.txt").read_text() == "ten years of work"


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "run").mkdir()
    done(tmp_path / "run")
    assert store.verify(tmp_path / "run") == []


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ForecastError, match="cannot write"):
        done(tmp_path / "file/run", simulate=None)


@pytest.mark.skipif(sys.platform != "linux", reason="a folder where nobody can make a file")
def test_a_place_where_no_file_can_be_made_is_not_taken_for_one_where_another_run_writes():
    with pytest.raises(ForecastError, match="/proc/run: cannot write: no file can be made there"):
        done(Path("/proc/run"), simulate=None)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ForecastError, match="not a folder"):
        done(tmp_path / "run", simulate=None)


def test_only_one_run_writes_to_a_folder(tmp_path):
    with FileLock(tmp_path / ".run.lock"), pytest.raises(LockedError, match="another run") as caught:
        done(tmp_path / "run")
    assert caught.value.exit_code == 5


def test_an_error_while_summing_up_loses_no_block(tmp_path):
    def fail(folder, results):
        raise OSError("no")

    with pytest.raises(ForecastError, match="cannot write: no"):
        done(tmp_path / "run", finish=fail)
    assert done(tmp_path / "run", resume=True).computed == 0


def test_the_command_shown_runs_a_failed_realization_alone(tmp_path, monkeypatch, capsys):
    def fail_in_one(simulate, world, seed, numbers, monthly, posterior=None):
        if 1 in numbers:
            raise ZeroDivisionError("no demand in month 3")
        return simulate(world, seed, numbers, monthly, posterior)

    monkeypatch.setattr(execute, "simulate_block", functools.partial(fail_in_one, execute.simulate_block))
    place = tmp_path / "odd & place"
    scenario = small_world_file(tmp_path, "mine")
    words = ["--set", "buyers.number=300", "-n", "3", "--workers", "1", "--no-pictures", "--output"]
    assert status(["run", str(scenario), *words, str(place)]) == 6
    told = capsys.readouterr().err
    assert "realization 1, seed 1: ZeroDivisionError: no demand in month 3" in told
    program, *again = shlex.split(told.rpartition("one of them alone: ")[2])
    assert program == "forecast"
    assert status(again) == 6
    assert "1 of 1 realizations failed" in capsys.readouterr().err
    monkeypatch.undo()
    assert status([*again, "--no-pictures"]) == 0
    assert store.open_results(again[-1])["realization"].values.tolist() == [1]
    assert "buyers:\n  number: 300" in (place / "scenario.yaml").read_text()


@pytest.mark.parametrize("name", ["run.old", "run.partial"])
def test_folders_of_yours_with_names_like_ours_are_left_alone(tmp_path, name):
    done(tmp_path / "run", fake_world.plan(seed=2))
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("ten years of work")
    with pytest.raises(ForecastError, match="is in the way") if name == "run.partial" else nullcontext():
        done(tmp_path / "run", force=True)
    assert (tmp_path / name / "thesis.txt").read_text() == "ten years of work"
    assert store.verify(tmp_path / "run") == []


def test_results_that_were_about_to_be_replaced_come_back(tmp_path):
    done(tmp_path / "run")
    before = manifest_of(tmp_path / "run")
    (tmp_path / "run").rename(manifest.replaced(tmp_path / "run"))
    with pytest.raises(ForecastError, match="already holds results"):
        done(tmp_path / "run", fake_world.plan(seed=2))
    assert manifest_of(tmp_path / "run") == before


def test_results_that_were_being_removed_do_not_come_back(tmp_path, monkeypatch):
    with monkeypatch.context() as slow:
        slow.setattr(shutil, "rmtree", lambda *place, **options: None)
        done(tmp_path / "run")
        done(tmp_path / "run", fake_world.plan(seed=2), force=True)
    assert not manifest.replaced(tmp_path / "run").exists()
    shutil.rmtree(tmp_path / "run")
    manifest.bring_back(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock"]


@pytest.mark.parametrize("place", ["/", "run.partial"])
def test_the_root_of_all_folders_and_that_of_an_unfinished_run_are_no_places_for_results(tmp_path, place):
    with pytest.raises(RequestError, match="must be a folder within another, and no name of an unfinished run"):
        done(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


def test_less_than_one_worker_is_refused(tmp_path):
    with pytest.raises(RequestError, match="workers: 0; must be at least 1"):
        done(tmp_path / "run", workers=0)


def test_a_plan_larger_than_any_disk_is_refused_before_anything_of_its_length_is_made(tmp_path):
    tracemalloc.start()
    try:
        with pytest.raises(ForecastError, match="too little room"):
            done(tmp_path / "run", fake_world.plan(2**31 - 2, 2**20))
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_a_run_killed_while_its_folder_was_made_is_resumed(tmp_path):
    (tmp_path / "run.partial/receipts").mkdir(parents=True)
    (tmp_path / "run.partial/results.zarr").mkdir()
    assert done(tmp_path / "run", resume=True).computed == 7
    assert store.verify(tmp_path / "run") == []


def test_results_without_their_pictures_are_read_and_do_not_verify(tmp_path):
    def picture(folder, results):
        (folder / "pictures").mkdir()
        (folder / "pictures/overview.png").write_bytes(b"picture")

    done(tmp_path / "run", finish=picture)
    (tmp_path / "run/pictures/overview.png").write_bytes(b"half")
    assert store.open_results(tmp_path / "run").sizes["realization"] == 7
    assert len(store.verify(tmp_path / "run")) == 1


BESIDE = """
import os, sys
import fake_world
from forecast import loading
from forecast.ensemble.execute import run
loading.lightly()
told = []
run(fake_world.plan(1, 1), sys.argv[1], workers=2, simulate=fake_world.simulate, meanwhile=lambda: told.append(os.getpid()))
print(told == [os.getpid()])
"""


def test_while_a_copy_computes_the_only_block_the_program_gets_ready(tmp_path):
    done(tmp_path / "one", fake_world.plan(1, 1))
    found = subprocess.run([sys.executable, "-c", BESIDE, str(tmp_path / "two")], capture_output=True, text=True, check=True, cwd=TESTS)
    assert found.stdout == "True\n"
    assert manifest_of(tmp_path / "one") == manifest_of(tmp_path / "two")
