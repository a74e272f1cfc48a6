"""Commands in processes of their own: their time and their memory."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "numba", "simpy", "xarray", "zarr", "Mesa")
WATCHED = """
import json, resource, sys
from pathlib import Path
from forecast import loading
from forecast.cli import status

loading.lightly()  # as the program forecast does
code = status(sys.argv[1:])
own, unit = Path("/proc/self/status"), 1 if sys.platform == "darwin" else 1024
peak = [line.split()[1] for line in own.read_text().splitlines() if line.startswith("VmHWM")] if own.exists() else []
main, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
told = {
    "code": code,
    "cpu": sum(usage.ru_utime + usage.ru_stime for usage in (main, workers)),
    "main": int(peak[0]) * 1024 if peak else main.ru_maxrss * unit,
    "worker": workers.ru_maxrss * unit,
}
print(json.dumps(told), file=sys.stderr)
loading.leave(0)
"""


def surroundings(folder: Path) -> dict[str, str]:
    """Variables of a process that keeps compiled Python in a folder, as an installation does, whatever ours may say."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONPATH": str(ROOT)}


def command(folder: Path, *words: str, **variables: str) -> dict[str, Any]:
    """Run ``forecast`` with these words.

    returns  seconds on the clock, seconds of all cores, peak memory in MB of the main process and of the largest worker
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *words], cwd=folder, env=surroundings(folder) | variables, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"forecast {' '.join(words)}: {done.stderr[-2000:]}")
    told = json.loads(done.stderr.strip().splitlines()[-1])
    if told["code"]:
        raise RuntimeError(f"forecast {' '.join(words)}: exit {told['code']}: {done.stderr[-2000:]}")
    return {"seconds": seconds, "core_seconds": told["cpu"], "main_mb": told["main"] / 1e6, "worker_mb": told["worker"] / 1e6}


def alone(folder: Path, *words: str, **variables: str) -> dict[str, Any]:
    """``command`` that has no workers."""
    found = command(folder, *words, **variables)
    del found["worker_mb"]
    return found


def machine() -> dict[str, str]:
    """What was measured on what."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    found = {"processor": models[0] if models else platform.processor() or platform.machine(), "cores": str(os.cpu_count())}
    found |= {"memory": f"{memory:.0f} GB", "system": f"{platform.system()} {platform.release()}", "Python": platform.python_version()}
    return found | {name: metadata.version(name) for name in LIBRARIES if _installed(name)}


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
