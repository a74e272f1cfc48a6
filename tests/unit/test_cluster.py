"""A cluster gives the bytes that this process gives, whatever happens to its workers; what cannot work is said before any work."""

import copy
import operator
import os
import signal
import sys
import zipfile
from pathlib import Path

import dask
import fake_world
import pytest
from small_cluster import small_cluster

from forecast.cli import status
from forecast.ensemble import cluster as clusters
from forecast.ensemble import manifest, store
from forecast.ensemble.carry import Carried, Stage, packed, unpack
from forecast.ensemble.cluster import Cluster
from forecast.ensemble.execute import Work, run
from forecast.ensemble.plan import Plan
from forecast.errors import ForecastError, Interrupted

REFUSES = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """A scheduler and two workers."""
    with small_cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


@pytest.fixture
def cluster(processes):
    """Connected to them; a worker that was killed is replaced."""
    for _ in range(sum(worker.poll() is None for worker in processes.workers), 2):
        processes.worker()
    with Cluster(processes.address, patience=60) as connected:
        yield connected


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The manifest that this process writes."""
    folder = tmp_path_factory.mktemp("serial") / "run"
    run(fake_world.plan(), folder, workers=1, simulate=fake_world.simulate)
    return (folder / "manifest.json").read_bytes()


def done(folder, engine, plan=None, **options):
    """Run the small world on an engine; returns the manifest."""
    run(plan or fake_world.plan(), folder, engine=engine, **{"simulate": fake_world.simulate} | options)
    assert store.verify(folder) == []
    return (folder / "manifest.json").read_bytes()


def test_workers_that_see_the_folder_write_the_same_bytes_and_progress_is_told(cluster, tmp_path, expected):
    seen = []
    assert done(tmp_path / "run", cluster, progress=lambda finished, wanted: seen.append(finished)) == expected
    assert (seen[0], seen[-1], sorted(seen)) == (0, 7, seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock", "run"]


def test_blocks_of_workers_that_do_not_see_the_folder_are_carried(cluster, tmp_path, expected, monkeypatch):
    monkeypatch.setattr(clusters, "may_write", operator.is_)  # of a folder and a token: no
    received = []
    take = Carried.receive
    monkeypatch.setattr(Carried, "receive", lambda self, block, ticket: (received.append(block), take(self, block, ticket)))
    assert done(tmp_path / "run", cluster) == expected
    assert sorted(received) == [0, 1, 2]


def test_blocks_travel_through_a_stage_that_is_empty_afterwards(processes, tmp_path, expected):
    (tmp_path / "stage").mkdir()
    with Cluster(processes.address, (tmp_path / "stage").as_uri()) as staged:
        assert done(tmp_path / "run", staged) == expected
    assert list((tmp_path / "stage").iterdir()) == []


def test_a_stage_that_workers_see_elsewhere_is_refused(processes):
    with pytest.raises(ForecastError, match="has another place of that name"):
        Cluster(processes.address, "memory://stage")


@pytest.mark.parametrize(("stage", "why"), [("nowhere://stage", "Protocol not known"), ("{}/missing", "No such file")])
def test_a_stage_that_cannot_be_reached_is_refused(processes, tmp_path, stage, why):
    with pytest.raises(ForecastError, match=f"cannot be used as a stage.*: .*{why}"):
        Cluster(processes.address, stage.format(tmp_path.as_uri()))


def test_a_staged_block_that_has_changed_is_not_taken(tmp_path):
    stage = Stage(tmp_path.as_uri())
    stage.put("0.zip", b"other bytes")
    with pytest.raises(ForecastError, match="not what a worker wrote"):
        stage.take("0.zip", manifest.fingerprint(Path(__file__))["sha256"])


def test_the_blocks_of_a_killed_worker_are_done_again(cluster, tmp_path):
    world = copy.copy(fake_world.WORLD)
    world.mark = str(tmp_path / "killed")
    plan = Plan("small", world, "why: a small world\n", 1, 7, 1)
    hurt = done(tmp_path / "hurt", cluster, plan, simulate=fake_world.die_once)
    assert (tmp_path / "killed").exists()
    run(fake_world.plan(7, 1), tmp_path / "unhurt", workers=1, simulate=fake_world.simulate)
    assert hurt == (tmp_path / "unhurt/manifest.json").read_bytes()


def test_a_failing_realization_is_named_as_elsewhere(cluster, tmp_path):
    outcome = run(fake_world.plan(), tmp_path / "run", engine=cluster, simulate=fake_world.fail_in_one)
    assert [failure["realization"] for failure in outcome.failed] == [fake_world.BAD]


def test_an_error_of_a_block_is_not_taken_for_a_worker_that_is_slow(cluster):
    with pytest.raises(TimeoutError, match="in block 0"):
        list(cluster._finished(fake_world.wait_in_vain, [0]))


def test_a_stage_that_fails_on_the_way_is_named(tmp_path, monkeypatch):
    def slow(*asked):
        raise TimeoutError("too slow")

    stage = Stage(tmp_path.as_uri())
    monkeypatch.setattr(Stage, "_files", slow)
    for act in (lambda: stage.put("0.zip", b""), lambda: stage.find("0.zip"), lambda: stage.take("0.zip", "")):
        with pytest.raises(ForecastError, match=r"0\.zip: too slow$"):
            act()
    with pytest.raises(ForecastError, match=r"0\.zip: too slow; what is finished is kept"):
        Carried(Work(tmp_path, fake_world.plan(), fake_world.simulate), stage).receive(0, "")


def test_a_stage_that_this_computer_may_not_write_to_is_told_as_that(processes, tmp_path, monkeypatch):
    def denied(self, name, content):
        raise ForecastError(f"{name}: Access Denied")

    monkeypatch.setattr(Stage, "put", denied)
    with pytest.raises(ForecastError, match=r"not a place where all workers and this computer can write and read: question: Access Denied"):
        Cluster(processes.address, tmp_path.as_uri())


def test_a_worker_that_cannot_use_a_stage_is_named_once_with_its_reason(processes, tmp_path, monkeypatch):
    reason = OSError("no access; " * 100)
    monkeypatch.setattr(Cluster, "_check_workers", lambda self: None)
    monkeypatch.setattr(Cluster, "_ask", lambda self, question: {"tcp://there:1": reason})
    with pytest.raises(ForecastError) as refused:
        Cluster(processes.address, tmp_path.as_uri())
    assert str(refused.value).count("tcp://there:1") == 1
    assert str(reason) in str(refused.value)


def test_an_interrupted_run_goes_on_where_it_stopped(cluster, tmp_path):
    def stop(finished, wanted):
        if finished == 8:
            os.kill(os.getpid(), signal.SIGINT)

    plan = fake_world.plan(16, 2)
    with pytest.raises(Interrupted, match="--resume continues"):
        run(plan, tmp_path / "run", engine=cluster, simulate=fake_world.simulate_slowly, progress=stop)
    outcome = run(plan, tmp_path / "run", engine=cluster, simulate=fake_world.simulate, resume=True)
    assert 0 < outcome.computed <= 8
    assert store.verify(tmp_path / "run") == []


def test_without_workers_the_run_ends_and_what_is_finished_is_kept(tmp_path):
    with small_cluster(tmp_path, 1) as processes, Cluster(processes.address) as connected:
        connected.patience = 1
        with pytest.raises(ForecastError, match=r"all workers are gone, and none came in 1 s.*--resume continues"):
            done(tmp_path / "run", connected, fake_world.plan(7, 1), simulate=fake_world.die_always)
        processes.worker()
        done(tmp_path / "run", connected, fake_world.plan(7, 1), resume=True)
        with pytest.raises(ForecastError, match="scheduler does not answer any more"):
            done(tmp_path / "lost", connected, simulate=fake_world.simulate_slowly, progress=lambda *told: processes.scheduler.kill())


def test_a_block_that_kills_workers_ends_the_run(tmp_path, monkeypatch):
    for name, value in REFUSES.items():
        monkeypatch.setenv(name, value)
    with small_cluster(tmp_path, 3) as processes, Cluster(processes.address) as connected:
        connected.client.wait_for_workers(3)
        with pytest.raises(ForecastError, match=r"killed every worker that computed it.*--resume continues"):
            done(tmp_path / "run", connected, fake_world.plan(1, first=fake_world.BAD), simulate=fake_world.die_always)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tls://127.0.0.1:1", "nonsense", "carrier-pigeon://coop:1"])
def test_an_address_without_a_scheduler_is_refused_before_any_work(address, tmp_path, capsys):
    with dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}):
        code = status(["run", "baseline", "--scheduler", address, "--output", str(tmp_path / "run")])
    assert code == 1
    assert f"{address}: no dask scheduler answers" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_without_workers_is_not_waited_for_without_end(tmp_path):
    with small_cluster(tmp_path, 0) as processes, pytest.raises(ForecastError, match="has no workers, and none came in 0 s"):
        Cluster(processes.address, patience=0.1)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ForecastError, match=r"pip install -r requirements/cluster\.txt"):
        Cluster("tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        ({"numpy": "1.0"}, "has numpy 1.0 instead of "),
        ({"python": "3.99.0"}, "has python 3.99.0 instead of "),
        ({clusters.ENGINE: "0"}, "has other code of battery-forecast"),
    ],
)
def test_workers_that_would_compute_other_numbers_are_refused(processes, monkeypatch, difference, told):
    here = clusters.about()
    monkeypatch.setattr(Cluster, "_ask", lambda self, question: {"tcp://here:1": here, "tcp://there:1": here | difference})
    with pytest.raises(ForecastError, match=f"1 of 2 workers would not compute the same numbers: tcp://there:1 {told}"):
        Cluster(processes.address)


def test_a_worker_that_comes_late_with_other_code_computes_nothing(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "about", lambda: {"numpy": "1.0"})
    with pytest.raises(ForecastError, match=r"came later than the others.* has numpy .* instead of 1\.0"):
        done(tmp_path / "run", cluster)


def test_a_worker_without_our_code_is_refused(processes, monkeypatch):
    monkeypatch.setattr(Cluster, "_ask", lambda self, question: {"tcp://there:1": ModuleNotFoundError("No module named 'forecast'")})
    with pytest.raises(ForecastError, match="cannot load battery-forecast"):
        Cluster(processes.address)


def test_a_worker_with_many_threads_is_refused(tmp_path):
    with small_cluster(tmp_path, 0) as processes:
        processes.worker(threads=3)
        with pytest.raises(ForecastError, match=r"has 3 threads.*--nworkers -1 --nthreads 1"):
            Cluster(processes.address)


def test_what_is_packed_is_unpacked_whole(tmp_path):
    plan = fake_world.plan()
    for name in ("there", "here"):
        store.create(tmp_path / name, plan)
    Work(tmp_path / "there", plan, fake_world.simulate)(1)
    parcel = packed(tmp_path / "there", 1)
    unpack(parcel, tmp_path / "here")
    assert store.receipts(tmp_path / "here") == store.receipts(tmp_path / "there")
    with pytest.raises(zipfile.BadZipFile):
        unpack(parcel[: len(parcel) // 2], tmp_path / "here")


def test_two_computers_that_write_one_file_do_not_meet(tmp_path, monkeypatch):
    sync = os.fsync

    def meanwhile(handle):
        monkeypatch.setattr(os, "fsync", sync)
        manifest.write_bytes(tmp_path / "receipt", b"same")
        sync(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    manifest.write_bytes(tmp_path / "receipt", b"same")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("receipt", b"same")]


@pytest.mark.parametrize("words", [["--scheduler", "tcp://a:1", "--workers", "2"], ["--stage", "s3://bucket"]])
def test_options_that_contradict_each_other_are_wrong_usage(words):
    assert status(["run", "baseline", *words]) == 2
