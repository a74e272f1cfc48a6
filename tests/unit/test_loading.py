"""A process of ours does without what it does not use."""

import subprocess
import sys

LIGHTLY = "import sys; from forecast import loading; loading.lightly(cluster={}); import xarray; print(sys.modules.get('dask', 0) is None)"


def said_by(cluster):
    done = subprocess.run([sys.executable, "-c", LIGHTLY.format(cluster)], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_a_process_that_needs_no_cluster_loads_none():
    assert said_by(cluster=False) == "True"


def test_a_process_that_uses_a_cluster_loads_it():
    assert said_by(cluster=True) == "False"
