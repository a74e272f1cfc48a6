"""A cluster writes the bytes that processes write, though a worker is killed on the way: ``make cluster-demo``."""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from distributed import Client

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from small_cluster import SmallCluster, small_cluster  # noqa: E402

from forecast.ensemble import manifest, store  # noqa: E402

LOOK = 0.02


def say(what: str, text: str) -> None:
    print(f"{what:<11} {text}", flush=True)


def command(options: argparse.Namespace, folder: Path, *where: str) -> list[str]:
    """A run, as a user would type it."""
    size = ["--realizations", str(options.realizations), *(["--set", f"buyers.number={options.buyers}"] if options.buyers else [])]
    return [sys.executable, "-m", "forecast", "run", "baseline", *size, "--no-pictures", "--output", str(folder), *where]


def kill_one(cluster: SmallCluster, run: subprocess.Popen[bytes], receipts: Path) -> str:
    """Kill a worker that is computing once a first block is stored; says which and when."""
    with Client(cluster.address, set_as_default=False) as client:
        while run.poll() is None:
            stored = len(list(receipts.glob("*.json")))
            busy = [worker for worker, keys in client.processing().items() if any("forecast-block" in str(key) for key in keys)]
            if stored and busy:
                pid = client.run(os.getpid, workers=busy[:1])[busy[0]]
                os.kill(pid, signal.SIGKILL)
                return f"worker {pid} killed while it computed, {stored} blocks stored"
            time.sleep(LOOK)
    raise SystemExit(f"the run ended with {run.returncode} before a worker could be killed; give it more --realizations")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, but for the clock times of the run."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != manifest.SIDECAR)
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def demonstrate(options: argparse.Namespace, folder: Path) -> bool:
    """Run both ways; whether they agree."""
    pool, dask = folder / "processes", folder / "cluster"
    began = time.monotonic()
    subprocess.run(command(options, pool, "--workers", "2"), cwd=ROOT, check=True, capture_output=True)
    say("processes", f"{options.realizations} realizations, 2 processes, {time.monotonic() - began:.0f} s")
    with small_cluster(folder, 2) as cluster:
        began = time.monotonic()
        with (folder / "run.log").open("w+") as log:
            run = subprocess.Popen(command(options, dask, "--scheduler", cluster.address), cwd=ROOT, stdout=log, stderr=log)
        try:
            say("kill", kill_one(cluster, run, dask.with_name("cluster.partial") / store.RECEIPTS))
            if run.wait() != 0:
                raise SystemExit(f"the run on the cluster ended with {run.returncode}\n{(folder / 'run.log').read_text()}")
        finally:
            run.kill()
            run.wait()
        say("cluster", f"{options.realizations} realizations, 2 workers, then 1, {time.monotonic() - began:.0f} s")
    one, other = hashes(pool), hashes(dask)
    differing = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    say("files", f"{len(one)} and {len(other)}, {len(differing)} differ {' '.join(differing[:5])}".rstrip())
    values = [store.fingerprint(pool), store.fingerprint(dask)]
    say("values", " and ".join(dict.fromkeys(value[:16] for value in values)))
    return not differing and values[0] == values[1]


def main() -> int:
    """0 if the bytes are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--realizations", type=int, default=500)
    parser.add_argument("--buyers", type=int, help="fewer are quicker")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that what was started is stopped
    with tempfile.TemporaryDirectory() as folder:
        same = demonstrate(options, Path(folder))
    say("result", "the same bytes" if same else "THE BYTES DIFFER")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
