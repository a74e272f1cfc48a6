"""A dask cluster of real processes on this computer: a scheduler and workers with one thread each, on free ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
STARTS = 60
FORGOTTEN = "10 minutes"
"""When a scheduler with nothing to do ends, and its workers with it, should this process be killed."""


class SmallCluster:
    """The processes of one cluster; all end with ``stop``.

    folder   for their logs and what they write down
    options  further options of scheduler and workers, such as those for TLS
    """

    def __init__(self, folder: Path, *options: str, protocol: str = "tcp"):
        self.folder, self.options, self.protocol = folder, options, protocol
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        started = ("--protocol", protocol, "--no-dashboard", "--no-show", "--idle-timeout", FORGOTTEN)
        self.scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", "0", *started, "--scheduler-file", str(self.file))
        self.address = self._address()

    def worker(self, *options: str, threads: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker; its log is in the folder."""
        place = ("--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(self.folder), "--death-timeout", "20")
        alone = ("--nworkers", "1", "--nthreads", str(threads), "--no-nanny", "--memory-limit", "0")
        self.workers.append(self._started("worker", self.address, *alone, *place, *options, **environment))
        return self.workers[-1]

    def stop(self) -> None:
        """End all processes now."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def _started(self, role: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (self.folder / f"{role}{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", role, *words, *self.options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": paths} | environment,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def _address(self) -> str:
        for _ in range(STARTS * 20):
            if self.scheduler.poll() is not None:
                break
            try:
                return str(json.loads(self.file.read_text())["address"])
            except (OSError, ValueError):
                time.sleep(0.05)
        self.stop()
        raise RuntimeError((self.folder / "scheduler0.log").read_text())


@contextmanager
def small_cluster(folder: Path, workers: int, *options: str, protocol: str = "tcp") -> Iterator[SmallCluster]:
    """A cluster that is gone afterwards, whatever happens."""
    cluster = SmallCluster(folder, *options, protocol=protocol)
    try:
        for _ in range(workers):
            cluster.worker()
        yield cluster
    finally:
        cluster.stop()
