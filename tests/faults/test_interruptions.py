"""Real processes, real signals: what was finished is never lost, and nothing half-written opens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_world
import pytest

from forecast.ensemble import store
from forecast.ensemble.execute import run
from forecast.errors import StoreError

SCRIPT = Path(fake_world.__file__)
PLAN = fake_world.plan(40, 2)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The manifest of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(PLAN, folder, workers=1, simulate=fake_world.simulate)
    return (folder / "manifest.json").read_bytes()


def started(folder, *words, before=()):
    """The ensemble in a process group of its own, having finished a block unless it is resumed."""
    command = [*before, sys.executable, str(SCRIPT), str(folder), *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) > 0 or "resume" in words:
            break
    return child


def ended(child):
    """Exit code and message."""
    _, message = child.communicate(timeout=60)
    return child.returncode, message


def workers_of(child):
    """Worker processes: children of the run that compute."""
    known = b"spawn_main", str(SCRIPT).encode()
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    return [int(pid) for pid in children if any(word in Path(f"/proc/{pid}/cmdline").read_bytes() for word in known)]


def group_is_gone(child, seconds=5):
    """Whether every process of the group ends soon."""
    for _ in range(int(seconds * 20)):
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def resume(folder):
    """Continue here, quickly."""
    return run(PLAN, folder, workers=1, resume=True, simulate=fake_world.simulate)


@pytest.mark.parametrize("how", [("serial",), ("pool",), ("stuck",), ("copies",), ("copies", "stuck")])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_and_says_how_to_resume(tmp_path, expected, how, number):
    child = started(tmp_path / "run", *how)
    child.send_signal(number)
    code, message = ended(child)
    assert code == 130
    assert "--resume continues" in message
    assert "Traceback" not in message
    assert group_is_gone(child)
    with pytest.raises(StoreError):
        store.open_results(tmp_path / "run")
    assert resume(tmp_path / "run").computed < PLAN.realizations
    assert (tmp_path / "run/manifest.json").read_bytes() == expected


@pytest.mark.parametrize("how", ["pool", "copies"])
def test_ctrl_c_reaches_the_whole_group_without_a_traceback(tmp_path, how):
    child = started(tmp_path / "run", how)
    os.killpg(child.pid, signal.SIGINT)
    code, message = ended(child)
    assert (code, message.count("\n")) == (130, 1), message


@pytest.mark.parametrize("how", ["pool", "copies"])
def test_workers_die_with_their_parent(tmp_path, how):
    child = started(tmp_path / "run", how)
    assert workers_of(child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert group_is_gone(child)


def test_of_two_runs_on_one_folder_one_wins(tmp_path, expected):
    first = started(tmp_path / "run", "pool")
    os.killpg(first.pid, signal.SIGSTOP)  # else it may be done before a busy machine has begun the second
    second = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "run")], capture_output=True, text=True, check=False, timeout=60)
    os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode == 5
    assert "another run is writing there" in second.stderr
    assert ended(first)[0] == 0
    assert (tmp_path / "run/manifest.json").read_bytes() == expected


def test_a_disk_that_takes_no_more_is_one_message_and_no_result(tmp_path, expected):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "run"), "limited"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "cannot write: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
    if (tmp_path / "run.partial").exists():
        run(PLAN, tmp_path / "run", workers=1, force=True, simulate=fake_world.simulate)
        assert (tmp_path / "run/manifest.json").read_bytes() == expected


def test_what_is_complete_is_so_where_nothing_can_be_written(tmp_path):
    run(PLAN, tmp_path / "locked/run", workers=1, simulate=fake_world.simulate)
    (tmp_path / "locked/.run.lock").unlink()
    (tmp_path / "locked").chmod(0o555)
    command = [*fake_world.WITHOUT_PRIVILEGES, sys.executable, str(SCRIPT), str(tmp_path / "locked/run"), "resume"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_read_only_place_is_one_message(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    command = [*fake_world.WITHOUT_PRIVILEGES, sys.executable, str(SCRIPT), str(tmp_path / "locked/run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "cannot write: Permission denied" in done.stderr
