"""A process of ours does without what it does not use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import njit

ROOT = Path(__file__).parents[2]
LIGHTLY = "import sys; from forecast import loading; loading.lightly(cluster={}); import xarray; print(sys.modules.get('dask', 0) is None)"
ALONE = """
import sys
from forecast.special import gammaincinv, ndtr, ndtri
assert "scipy.special" not in sys.modules and "scipy.linalg" not in sys.modules
import scipy.special
assert (ndtr(0.0), ndtri(0.975)) == (scipy.special.ndtr(0.0), scipy.special.ndtri(0.975))
assert gammaincinv(5, 0.3) == scipy.special.gammaincinv(5, 0.3) and scipy.special.comb(4, 2) == 6
"""

KEPT = """
import sys
import numpy as np
from forecast import loading
from tests.unit.test_loading import kernel
loading.lightly()
loading.kernels_as_kept()
assert kernel(np.arange(3.0)) == (6, 3)
told = "numba.np.arraymath" in sys.modules, kernel.stats.cache_hits
assert kernel(np.arange(3)) == (6, 3)  # of numbers for which it was never compiled
print(*told)
"""

BESIDE = """
import os
from forecast.loading import beside

told, ours = [], os.getpid()

def call():
    told.append(os.getpid())
    if {fails} and os.getpid() != ours:
        raise ValueError("in the copy")
    return os.getpid()

found = beside(call, meanwhile=lambda: told.append("meanwhile"))
print(found == ours, told == ["meanwhile"] + [ours] * {fails})
"""


FASTER = """
import numpy as np
from numba.core.types.functions import BaseFunction
from forecast import loading
from tests.unit.test_loading import kernel
find, asked = BaseFunction.get_call_type, []
BaseFunction.get_call_type = lambda *question: asked.append(question) or find(*question)
if {ours}:
    loading.lightly()
for _ in range(2):
    loading.compile_faster()
print(loading._faster, *kernel(np.arange(3)), *kernel(np.arange(3.0)), end=" ")
before = len(asked)
again = kernel.py_func.__globals__["njit"](kernel.py_func)
again(np.arange(3.0))
print(len(asked) > before, "optnone" in str(again.inspect_llvm()))
"""

GONE = """
from forecast.loading import beside

def interrupted():
    raise KeyboardInterrupt

try:
    beside(lambda: bytes(10_000_000), meanwhile=interrupted)
except KeyboardInterrupt:
    print("interrupted")
"""


@njit(cache=True)
def kernel(values):
    total = values[0]
    for value in values:
        total = max(total, value * value) + value
    return total, total / 2


def run(code, **variables):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | variables, timeout=60
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_a_process_that_needs_no_cluster_loads_none():
    assert run(LIGHTLY.format(False)) == "True"


def test_a_process_that_uses_a_cluster_loads_it():
    assert run(LIGHTLY.format(True)) == "False"


def test_special_functions_are_those_of_scipy_which_stays_whole():
    run(ALONE)


def test_what_is_kept_is_loaded_without_a_compiler_and_what_is_not_is_compiled(tmp_path):
    assert run(KEPT, NUMBA_CACHE_DIR=str(tmp_path)) == "True Counter()"
    ready, hits = run(KEPT, NUMBA_CACHE_DIR=str(tmp_path)).split(maxsplit=1)
    assert ready == "False"
    assert ": 1" in hits


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("left", [0, 30])
def test_what_a_power_failure_cut_off_is_thrown_away_and_compiled_again(tmp_path, ending, left):
    run(KEPT, NUMBA_CACHE_DIR=str(tmp_path))
    for file in tmp_path.rglob(f"*{ending}"):
        os.truncate(file, left)
    assert run(KEPT, NUMBA_CACHE_DIR=str(tmp_path)) == "True Counter()"
    assert run(KEPT, NUMBA_CACHE_DIR=str(tmp_path)).startswith("False")


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_what_was_cut_off_is_not_taken_for_kept_in_programs_of_others(tmp_path, ending):
    run("import numpy as np\nfrom tests.unit.test_loading import kernel\nkernel(np.arange(3.0))", NUMBA_CACHE_DIR=str(tmp_path))
    told = "from forecast.ensemble import compiling\nfrom tests.unit.test_loading import kernel\n"
    told += "print(len(compiling._kinds_kept(kernel)), len(compiling._kept_by(kernel)))"
    assert run(told, NUMBA_CACHE_DIR=str(tmp_path)) == "1 1"
    for file in tmp_path.rglob(f"*{ending}"):
        os.truncate(file, file.stat().st_size // 2)
    assert run(told, NUMBA_CACHE_DIR=str(tmp_path)) == "0 0"


def test_a_process_of_ours_compiles_faster_and_asks_for_nothing_twice_and_that_of_others_as_it_does(tmp_path):
    assert run(FASTER.format(ours=True), NUMBA_CACHE_DIR=str(tmp_path / "ours")) == "True 6 3.0 6.0 3.0 False True"
    assert run(FASTER.format(ours=False), NUMBA_CACHE_DIR=str(tmp_path / "theirs")) == "False 6 3.0 6.0 3.0 True False"


def test_processes_that_share_the_processors_make_as_many_copies_as_leave_none_idle():
    told = "from forecast import loading\nprint(loading.copies(8), end=' ')\n"
    told += "for workers in (1, 2, 3, 8, 9):\n    loading.lightly(workers=workers)\n    print(loading.copies(8), end=' ')"
    assert run(told) == "0 7 3 1 0 0"


def test_a_copy_makes_a_call_while_this_process_does_something_else():
    assert run(BESIDE.format(fails=False)) == "False True"


def test_a_call_that_fails_in_a_copy_is_made_here():
    assert run(BESIDE.format(fails=True)) == "True True"


def test_a_copy_whose_answer_nobody_waits_for_goes_away():
    assert run(GONE) == "interrupted"
