"""A world of a few numbers in place of the real one, to run ensembles in a blink; also ``python fake_world.py FOLDER``."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from forecast import streams
from forecast.ensemble.execute import run
from forecast.ensemble.metadata import coordinates, variables
from forecast.ensemble.plan import Plan

NAMES = {
    "segments": ("aviation", "drones"),
    "regions": ("china", "europe"),
    "chemistries": ("lfp", "nmc", "sodium_ion"),
    "manufacturers": ("maker_a", "maker_b"),
    "mines": ("mine_a",),
    "minerals": ("nickel", "cobalt"),
    "components": ("hard_carbon",),
}
WORLD = SimpleNamespace(
    title="Small",
    first_year=2023,
    last_year=2025,
    buyers=SimpleNamespace(number=100),
    **{kind: dict.fromkeys(names) for kind, names in NAMES.items()},
)
CODES = {"programme_stage": (-1, 6), "mine_status": (0, 4)}
BAD = 5
WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 and shutil.which("setpriv") else []
"""Before a command: root obeys the permissions of files, as everybody else does."""


def plan(realizations=7, block=3, seed=1, **others):
    """An ensemble of the small world."""
    return Plan("small", WORLD, "why: a small world\n", seed, realizations, block, **others)


def simulate(world, seed, numbers, monthly):
    """Made-up arrays that depend on the seed and the number of the realization alone."""
    whole = Plan("small", world, "", seed, 1, monthly=monthly)
    sizes = {variable.name: len(variable.values) for variable in coordinates(whole)}
    made = {}
    for variable in variables(whole):
        luck = streams.uniform(seed, variable.name, numbers, *[sizes[dim] for dim in variable.dims[1:]])
        low, high = CODES.get(variable.name, (0, 1000))
        values = np.floor(low + (high + 1 - low) * luck) if variable.name in CODES else high * luck
        made[variable.name] = values.astype(np.float32, order="C")
    return made


def summary(folder, results):
    """Medians as summary.nc, as what a run adds at its end."""
    import xarray as xr

    from forecast.ensemble import export, store

    with xr.set_options(keep_attrs=True):
        found = results[["cell_price", "share_of_sales"]].median("realization")
    export.write_netcdf(found.assign_attrs(results.attrs), folder / store.SUMMARY)


def simulate_slowly(world, seed, numbers, monthly):
    """As ``simulate``, after a moment."""
    time.sleep(0.15)
    return simulate(world, seed, numbers, monthly)


def wait_in_vain(block):
    """What a block does whose stage does not answer."""
    raise TimeoutError(f"in block {block}")


def get_stuck(world, seed, numbers, monthly):
    """As ``simulate_slowly``, but all realizations after the first block take minutes."""
    time.sleep(300 if numbers[0] > 1 else 0)
    return simulate_slowly(world, seed, numbers, monthly)


def fail_in_one(world, seed, numbers, monthly):
    """As ``simulate``, but realization BAD cannot be computed."""
    if BAD in numbers:
        raise ZeroDivisionError("no demand in month 3")
    return simulate(world, seed, numbers, monthly)


def fail_in_all(world, seed, numbers, monthly):
    """Nothing can be computed."""
    raise ZeroDivisionError("no demand in month 3")


def die_once(world, seed, numbers, monthly):
    """As ``simulate``, but the first process to get here is killed."""
    mark = Path(world.mark)
    if BAD in numbers and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return simulate(world, seed, numbers, monthly)


def die_always(world, seed, numbers, monthly):
    """Every process that computes realization BAD is killed."""
    if BAD in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return simulate(world, seed, numbers, monthly)


def main(folder, *words):
    """Run twenty blocks slowly with two workers; words: resume, serial, copies, stuck, limited (no large file)."""
    from forecast import loading
    from forecast.cli import exit_code

    if "copies" in words:
        loading.lightly()  # as the program does, whose workers are copies of it

    if "limited" in words:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1300, 1300))
    workers = 1 if "serial" in words else 2
    chosen = get_stuck if "stuck" in words else simulate_slowly

    def told(done, wanted):
        print(done, flush=True)

    return exit_code(lambda: run(plan(40, 2), folder, workers=workers, resume="resume" in words, progress=told, simulate=chosen) and 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
