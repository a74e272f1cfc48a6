"""What a world will call is known, and compiled by one process only, before it is played."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forecast.ensemble import compiling
from forecast.ensemble.design import draw
from forecast.ensemble.execute import simulate_block
from forecast.model.buyers import born
from forecast.model.world import simulate
from tests.small_world import lively_world

ROOT = Path(compiling.__file__).parents[1]
FEW = np.array([0, 1])

TOGETHER = """
import sys
from forecast import loading
from forecast.ensemble import compiling
from numba.core import event

class Count(event.Listener):
    def on_start(self, found):
        if found.data["dispatcher"].stats.cache_path:
            print(f"{found.data['dispatcher'].py_func.__name__}\\n", end="", flush=True)  # at once, for two processes print
    def on_end(self, found):
        pass

few = ("model.building.open_lines", "model.extraction.build")
asked = compiling.asked
compiling.asked = lambda rehearse: {name: kinds for name, kinds in asked(rehearse).items() if name in few}
from tests.unit.test_compiling import rehearse
event.register("numba:compile", Count())
compiling.once(rehearse, copies=1)
"""

KEPT = """
from forecast.ensemble import compiling
compiling.load_kept()
for name, kernel in compiling.kernels().items():
    if kernel.signatures and not kernel.stats.cache_misses:
        print(name)
"""


def rehearse():
    world = lively_world()
    shorter = world.model_copy(update={"observed_until": world.first_year, "last_year": world.first_year + 1})
    return simulate(draw(shorter, 1, FEW[:1]), 1, FEW[:1])


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    monkeypatch.setattr(compiling, "_done", True)


def test_a_rehearsal_asks_for_every_kernel_as_a_world_does():
    asked = compiling.asked(rehearse)
    simulate_block(lively_world(), 1, FEW, False)
    assert set(compiling.kernels()) - set(asked) <= set(compiling.OF_LARGE_WORLDS)
    for name, kinds in asked.items():
        assert kinds in compiling.kernels()[name].signatures, name


def test_a_rehearsal_leaves_the_kernels_and_the_numbers_as_they_were():
    before, kernels = simulate_block(lively_world(), 1, FEW, False), compiling.kernels()
    compiling.asked(rehearse)
    assert compiling.kernels() == kernels
    after = simulate_block(lively_world(), 1, FEW, False)
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name], err_msg=name)


def test_what_a_rehearsal_deals_is_forgotten():
    crowded = lively_world(buyers={"number": 20_000}, last_year=2016)
    before = simulate_block(crowded, 1, FEW, False)
    born.cache_clear()
    compiling.asked(lambda: simulate(draw(crowded, 1, FEW), 1, FEW))
    after = simulate_block(crowded, 1, FEW, False)
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name], err_msg=name)


def test_a_rehearsal_that_fails_still_tells_what_was_asked():
    def failing():
        compiling.kernels()
        sys.modules["forecast.model.building"].open_lines(np.zeros(3))
        raise ValueError("the numbers of a rehearsal mean nothing")

    assert list(compiling.asked(failing)) == ["model.building.open_lines"]


def test_all_files_with_kernels_are_known():
    keeping = {file for folder in (ROOT, ROOT / "model") for file in folder.glob("*.py") if "@njit(cache=True" in file.read_text()}
    assert keeping == {ROOT / f"{name.replace('.', '/')}.py" for name in compiling.MODULES}


def test_two_processes_compile_no_kernel_twice(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER], env=environment, capture_output=True, text=True, cwd=ROOT.parent, check=True, timeout=120
    )
    assert sorted(done.stdout.split()) == ["build", "open_lines"]
    assert not list(tmp_path.rglob("*.lock"))
    again = subprocess.run(
        [sys.executable, "-c", TOGETHER], env=environment, capture_output=True, text=True, cwd=ROOT.parent, check=True, timeout=120
    )
    assert again.stdout == ""


def test_what_is_kept_can_be_loaded_before_there_is_a_world(monkeypatch):
    monkeypatch.setattr(compiling, "_done", False)
    simulate_block(lively_world(), 1, FEW, False)
    loaded = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, cwd=ROOT.parent, check=True, timeout=120)
    assert set(loaded.stdout.split()) >= set(compiling.kernels()) - set(compiling.OF_LARGE_WORLDS)


def test_changed_code_is_not_kept(monkeypatch):
    kernel = compiling.kernels()["model.building.open_lines"]
    simulate_block(lively_world(), 1, FEW, False)
    assert compiling.kept(kernel)
    real = os.stat
    monkeypatch.setattr(compiling.os, "stat", lambda file: os.stat_result((*real(file)[:8], 2**40, 0)))
    assert not compiling.kept(kernel)


def test_code_that_was_only_saved_again_is_kept_after_one_more_look():
    kernel = compiling.kernels()["model.building.open_lines"]
    simulate_block(lively_world(), 1, FEW, False)
    file = Path(kernel.py_func.__code__.co_filename)
    before = file.stat()
    try:
        os.utime(file)
        assert not compiling.kept(kernel)
        compiling._compile({"model.building.open_lines": kernel.signatures[0]})
        assert compiling.kept(kernel)
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_where_work_cannot_be_shared_a_world_is_played_all_the_same(monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    shared = []
    monkeypatch.setattr(compiling, "_done", False)
    monkeypatch.setattr(compiling, "kept", lambda kernel: False)
    monkeypatch.setattr(compiling, "_together", lambda *arguments: (shared.append(arguments), full()))
    assert np.isfinite(simulate_block(lively_world(), 1, FEW, False)["lithium_price"]).all()
    assert len(shared) == 1


def test_who_waits_for_a_first_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiling.notice() == compiling.NOTICE
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "choice.shop-1.py311.nbi").touch()
    assert compiling.notice() == ""
