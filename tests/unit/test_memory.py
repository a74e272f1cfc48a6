"""Long work goes on where it was interrupted, is never mistaken for other work, and leaves nothing behind when it is done."""

import os
import signal
import subprocess
import sys

import fake_world
import numpy as np
import pytest
from filelock import FileLock

from forecast.assess import memory as memories
from forecast.assess.memory import FolderMemory, Memory, identity_of, remembered
from forecast.errors import DataError, ForecastError, Interrupted, LockedError
from forecast.scenario import Scenario
from tests.small_world import steered_world

WORK = {"seed": 1, "until": 2018}
STEP = {"scores": np.arange(6.0).reshape(2, 3), "kinds": np.array(["taste", "growth cars"])}


def work(target, resume=False, force=False, about=WORK, stop=None):
    """Two steps and a file; returns the steps that were computed. ``stop``: what is raised after the first."""
    computed = []
    with remembered(target, about, resume, force) as memory:
        for step in ("one", "two"):
            if memory.recall(step) is None:
                computed.append(step)
                memory.keep(step, STEP)
            if stop is not None:
                raise stop
        target.write_text("done")
    return computed


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new/posterior.nc"


@pytest.fixture
def unfinished(target):
    """A folder of work that was interrupted after the first of its two steps."""
    with pytest.raises(Interrupted):
        work(target, stop=KeyboardInterrupt())
    return target.with_name("posterior.nc.unfinished")


def left(target):
    """What lies beside the target."""
    return sorted(file.name for file in target.parent.iterdir() if not file.name.startswith("."))


def test_work_that_is_done_leaves_its_result_and_nothing_else(target):
    assert work(target) == ["one", "two"]
    assert left(target) == ["posterior.nc"]


def test_a_finished_step_is_recalled_as_it_was(tmp_path):
    memory = FolderMemory(tmp_path)
    memory.keep("step-1", STEP)
    recalled = memory.recall("step-1")
    assert recalled.keys() == STEP.keys()
    assert all(recalled[name].tobytes() == array.tobytes() for name, array in STEP.items())
    assert memory.recall("step-2") is None
    assert [file.name for file in tmp_path.iterdir()] == ["step-1.npz"]


def test_a_memory_without_a_place_forgets():
    memory = Memory()
    memory.keep("step-1", STEP)
    assert memory.recall("step-1") is None


def test_an_interruption_keeps_finished_steps_and_says_how_to_go_on(target):
    with pytest.raises(Interrupted, match=r"kept in .*posterior\.nc\.unfinished: the same command with --resume continues") as caught:
        work(target, stop=KeyboardInterrupt())
    assert caught.value.exit_code == 130
    assert left(target) == ["posterior.nc.unfinished"]
    assert work(target, resume=True) == ["two"]
    assert left(target) == ["posterior.nc"]


def test_a_polite_end_interrupts_as_ctrl_c_does(target):
    with pytest.raises(Interrupted), remembered(target, WORK, False, False):
        os.kill(os.getpid(), signal.SIGTERM)
    assert left(target) == ["posterior.nc.unfinished"]


def test_unfinished_work_is_not_begun_again_by_chance(unfinished, target):
    with pytest.raises(ForecastError, match="unfinished work; --resume continues it, --force starts again"):
        work(target)
    assert (unfinished / "one.npz").exists()


@pytest.mark.parametrize("resume", [True, False])
def test_force_begins_again(unfinished, target, resume):
    assert work(target, resume=resume, force=True) == ["one", "two"]


def test_resuming_what_was_never_begun_begins(target):
    assert work(target, resume=True) == ["one", "two"]


def test_other_work_does_not_go_on_with_these_steps(unfinished, target):
    for other in (WORK | {"seed": 2}, {"seed": 1}, WORK | {"steps": 4}):
        with pytest.raises(ForecastError, match="cannot be continued, it is other work or of another version; --force starts again"):
            work(target, resume=True, about=other)
    assert (unfinished / "one.npz").exists()
    assert work(target, resume=True) == ["two"]


def test_work_whose_plan_was_lost_does_not_go_on(unfinished, target):
    (unfinished / "plan.json").unlink()
    with pytest.raises(ForecastError, match="cannot be continued"):
        work(target, resume=True)


def flipped(content):
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "empty": lambda content: b"",
    "text": lambda content: b"step one went well",
    "cut off": lambda content: content[:-20],
    "half": lambda content: content[: len(content) // 2],
    "a bit": flipped,
    "objects": lambda content: b"\x80\x04N.",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_step_is_computed_again(unfinished, target, damage):
    file = unfinished / "one.npz"
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert work(target, resume=True) == ["one", "two"]


def test_a_step_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    memory = FolderMemory(tmp_path)
    memory.keep("one", STEP)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ForecastError, match=r"one\.npz: cannot write: No space left on device"):
        memory.keep("one", {"scores": np.zeros(5)})
    monkeypatch.undo()
    assert memory.recall("one").keys() == STEP.keys()
    assert [file.name for file in tmp_path.iterdir()] == ["one.npz"]


def test_a_result_is_replaced_only_by_force_and_only_by_a_whole_one(target):
    work(target)
    target.write_text("older")
    for resume in (True, False):
        with pytest.raises(ForecastError, match=r"posterior\.nc: exists already; --force replaces it"):
            work(target, resume=resume)
    with pytest.raises(Interrupted):
        work(target, force=True, stop=KeyboardInterrupt())
    assert target.read_text() == "older"
    assert work(target, force=True) == ["one", "two"]
    assert target.read_text() == "done"
    assert left(target) == ["posterior.nc"]


def test_only_one_works_on_a_target(target):
    target.parent.mkdir()
    with FileLock(target.parent / ".posterior.nc.lock"), pytest.raises(LockedError, match="is writing there") as caught:
        work(target)
    assert caught.value.exit_code == 5
    assert left(target) == []
    assert work(target) == ["one", "two"]


def test_work_that_is_refused_leaves_nothing_to_resume(target):
    with pytest.raises(DataError, match="origin 2030"), remembered(target, WORK, False, False):
        raise DataError("origin 2030")
    assert left(target) == []


def test_work_that_fails_later_keeps_its_steps(target):
    with pytest.raises(ForecastError, match="worker processes died"):
        work(target, stop=ForecastError("worker processes died"))
    assert work(target, resume=True) == ["two"]


def test_an_error_of_the_system_is_one_message_and_loses_no_step(target):
    with pytest.raises(ForecastError, match=r"posterior\.nc\.unfinished: cannot write: No space left on device"):
        work(target, stop=OSError(28, "No space left on device"))
    assert work(target, resume=True) == ["two"]


def test_a_read_only_place_is_one_message(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    code = "import sys; from pathlib import Path; from forecast.assess.memory import remembered; from forecast.cli import exit_code\n"
    code += "sys.exit(exit_code(lambda: remembered(Path(sys.argv[1]), {}, False, False).__enter__() and 0))"
    command = [*fake_world.WITHOUT_PRIVILEGES, sys.executable, "-c", code, str(tmp_path / "locked/posterior.nc")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "posterior.nc: cannot write: Permission denied" in done.stderr


def test_work_on_the_same_scenario_seed_and_code_is_the_same():
    world = steered_world()
    same = identity_of(Scenario("steered", world, ()), 1, until=2018)
    assert same == identity_of(Scenario("steered", world, ()), 1, until=2018)
    others = (
        identity_of(Scenario("other", world, ()), 1, until=2018),
        identity_of(Scenario("steered", steered_world(buyers={"number": 301}), ()), 1, until=2018),
        identity_of(Scenario("steered", world, ()), 2, until=2018),
        identity_of(Scenario("steered", world, ()), 1, until=2017),
    )
    assert all(same != other for other in others)


def test_work_is_not_continued_by_another_version_of_the_code(monkeypatch):
    scenario = Scenario("steered", steered_world(), ())
    before = identity_of(scenario, 1)
    assert len(memories.code_sha256()) == 64
    monkeypatch.setattr(memories, "code_sha256", lambda: "0" * 64)
    assert identity_of(scenario, 1) != before
    monkeypatch.undo()
    monkeypatch.setattr(memories, "versions", lambda: {"numpy": "9"})
    assert identity_of(scenario, 1) != before
