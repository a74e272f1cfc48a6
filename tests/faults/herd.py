"""Ensembles of the small world in process groups of their own, to be killed: forked from one process that has loaded everything.

As a program it forks a run for each line ``FOLDER WORDS...`` and answers with the number of its process group.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_world

PLAN = fake_world.plan(8, 2)


class Herd:
    """Starts runs and kills them; a context manager."""

    def __enter__(self):
        command = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.program = subprocess.Popen(command, **pipes, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        return self

    def __exit__(self, *error):
        self.program.stdin.close()
        self.program.wait()

    def start(self, folder, *words):
        """Process group of a new run; words: pool, resume, force."""
        print(json.dumps([str(folder), *words]), file=self.program.stdin, flush=True)
        return int(self.program.stdout.readline())

    def ran(self, folder, *words):
        """Seconds of a run that is left alone."""
        began, group = time.monotonic(), self.start(folder, *words)
        while alive(group):
            time.sleep(0.01)
        return time.monotonic() - began


def alive(group):
    """Whether any process of a group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def kill(group):
    """End every process of a group and wait until all are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    while alive(group):
        time.sleep(0.005)


def children(process):
    """Workers of a run: its processes but the one that clears up after them."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        return [int(child) for child in found if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return []


def _run(folder, *words):
    from forecast.ensemble.execute import run

    workers = 2 if "pool" in words else 1
    run(PLAN, folder, workers=workers, resume="resume" in words, force="force" in words, simulate=fake_world.simulate)


def _serve():
    import numcodecs.blosc  # noqa: F401
    import xarray  # noqa: F401
    import zarr  # noqa: F401

    from forecast import loading

    loading.lightly()  # as the command does: workers are copies
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.setpgid(0, 0)
            sys.stdin.close()
            os.dup2(2, 1)
            _run(*json.loads(line))
            os._exit(0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(child, child)
        print(child, flush=True)


if __name__ == "__main__":
    _serve()
