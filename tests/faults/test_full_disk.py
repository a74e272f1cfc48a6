"""A disk that is full or fails, at any moment: no half result that opens, no loss of an earlier one, and a message that helps."""

import errno
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import fake_world
import pytest
from failing_disk import FailingDisk

from forecast.cli import status
from forecast.ensemble import space, store
from forecast.ensemble.execute import run
from forecast.errors import ForecastError

PLAN = fake_world.plan(4, 2)
OWN_DISK = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=4m own "$DISK" && exec "$@"', "sh"]
"""Before a command: it finds a small disk of its own at $DISK, gone when it ends."""
CERTAIN = 200
"""The first calls, each of which is tried when thorough."""
NEEDED = r"the whole result takes about [\d.]+ kB, [\d.]+ \w+ are free"


def done(folder, plan=PLAN, **options):
    return run(plan, folder, **{"workers": 1, "simulate": fake_world.simulate, "finish": fake_world.summary} | options)


def refusal(folder):
    """What is said when results are to be replaced; nothing if they are."""
    try:
        done(folder, force=True)
    except ForecastError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The manifest of a run on a disk that does not fail, and how often it writes."""
    folder = tmp_path_factory.mktemp("sound") / "run"
    with FailingDisk(folder.parent) as disk:
        done(folder)
    return (folder / "manifest.json").read_bytes(), disk.calls


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_no_failing_write_costs_a_result(tmp_path, expected, error, often):
    manifest, calls = expected
    numbers = often([*range(1, calls, calls // 5), calls - 1], [*range(1, CERTAIN), *range(CERTAIN, calls + 1, 7)])
    done(tmp_path / "earlier", fake_world.plan(4, 2, seed=2), finish=None)
    for number in numbers:
        folder = tmp_path / str(number) / "run"
        shutil.copytree(tmp_path / "earlier", folder)
        with FailingDisk(folder.parent, number, error):
            told = refusal(folder)
        if told:
            assert "cannot write" in told, number
            assert error != errno.ENOSPC or re.search(NEEDED, told), number
            assert store.open_results(folder).attrs["seed"] == 2, number
        assert store.verify(folder) == [], number
        done(folder, force=True, resume=folder.with_name("run.partial").exists())
        assert (folder / "manifest.json").read_bytes() == manifest, number
        shutil.rmtree(folder.parent)


def test_a_disk_that_is_really_full_keeps_what_was_there(tmp_path, often):
    mounted = not subprocess.run([*OWN_DISK, "true"], capture_output=True, check=False, env={"DISK": str(tmp_path)}).returncode
    command = [*(OWN_DISK if mounted else []), sys.executable, __file__, "full" if mounted else "limited", str(often(4, 25))]
    surroundings = os.environ | {"DISK": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    report = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=surroundings)
    assert report.returncode == 0, report.stderr


def test_a_run_that_surely_does_not_fit_is_refused_before_any_work(tmp_path, monkeypatch):
    needed = space.bytes_of(PLAN)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=needed // 2))
    with pytest.raises(ForecastError, match=rf"takes about {space.shown(needed)}, {space.shown(needed // 2)} are free"):
        done(tmp_path / "run", simulate=None)
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


def test_what_is_left_of_a_run_needs_less_room_and_what_is_removed_gives_some(tmp_path, monkeypatch):
    def stop(finished, wanted):
        if finished == 18:
            raise KeyboardInterrupt

    plan = fake_world.plan(20, 2)
    with pytest.raises(ForecastError, match="--resume"):
        done(tmp_path / "run", plan, progress=stop)
    usage = shutil.disk_usage(tmp_path)
    free = space.bytes_of(plan) // 2
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=free))
    with pytest.raises(ForecastError, match="too little room"):
        done(tmp_path / "another", plan)
    assert done(tmp_path / "run", plan, resume=True).computed == 2
    shutil.copytree(tmp_path / "run", tmp_path / "forced.partial")
    assert done(tmp_path / "forced", plan, force=True).computed == 20


def test_the_estimate_is_near_what_a_run_takes(tmp_path):
    world = fake_world.plan(100, 50)
    done(tmp_path / "run", world)
    taken = sum(file.stat().st_size for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert 0.5 < space.bytes_of(world) / taken < 2
    assert space.bytes_of(world, [1]) < space.bytes_of(world) < space.bytes_of(fake_world.plan(200, 50))
    assert space.bytes_of(fake_world.plan(100, 50, monthly=True)) > 2 * space.bytes_of(world)


@pytest.mark.parametrize(("size", "text"), [(999, "999 bytes"), (1200, "1.2 kB"), (34_560_000, "34.6 MB"), (7e12, "7.0 TB")])
def test_sizes_are_told_for_people(size, text):
    assert space.shown(size) == text


@pytest.mark.parametrize("kind", ["csv", "netcdf"])
def test_an_export_never_takes_the_place_of_a_device(tmp_path, kind, capsys):
    done(tmp_path / "run")
    os.mkfifo(tmp_path / "device")
    assert status(["export", str(tmp_path / "run"), "--format", kind, "--output", str(tmp_path / "device"), "--force"]) == 1
    assert "not a file" in capsys.readouterr().err
    assert (tmp_path / "device").is_fifo()


def test_a_screen_that_takes_nothing_is_one_message(tmp_path):
    done(tmp_path / "run")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "forecast", "export", str(tmp_path / "run")]
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (told.returncode, told.stderr.count("\n")) == (1, 1), told.stderr


def fill(place, times):
    """Run again and again on a disk with ever more room, over an earlier result."""
    folder, ballast = place / "run", place / "ballast"
    done(folder, fake_world.plan(4, 2, seed=2), finish=None)
    whole = sum(-(-file.stat().st_size // 4096) * 4096 for file in folder.rglob("*") if file.is_file())
    stopped = 0
    for step in range(times):
        room = 4096 + int(1.05 * whole * step / times)
        ballast.write_bytes(bytes(shutil.disk_usage(place).free - room))
        if told := refusal(folder):
            stopped += 1
            assert re.search("too little room|" + NEEDED, told), told
            assert store.open_results(folder).attrs["seed"] == 2
        assert store.verify(folder) == []
        ballast.unlink()
        shutil.rmtree(place / "run.partial", ignore_errors=True)
    assert stopped > times // 2
    done(folder, force=True)
    assert store.open_results(folder).attrs["seed"] == 1


def limit(place, times):
    """The same where no disk can be made: the system refuses files above a size."""
    folder = place / "run"
    done(folder, fake_world.plan(4, 2, seed=2), finish=None)
    largest = max(file.stat().st_size for file in folder.rglob("*"))
    for step in range(times):
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest * (step + 1) // (times + 1), resource.RLIM_INFINITY))
        with pytest.raises(ForecastError, match=NEEDED):
            done(folder, force=True)
        assert store.open_results(folder).attrs["seed"] == 2


if __name__ == "__main__":
    {"full": fill, "limited": limit}[sys.argv[1]](Path(os.environ["DISK"]), int(sys.argv[2]))
