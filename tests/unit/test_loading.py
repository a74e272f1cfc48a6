"""Libraries are loaded in part, and give the same numbers."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import special

from forecast import mixing

LIGHTLY = "import json, sys; from forecast import loading; loading.lightly()\n"


def said_by(code, **environment):
    """What a process that is ours from the start says."""
    done = subprocess.run([sys.executable, "-c", LIGHTLY + code], capture_output=True, text=True, env=os.environ | environment)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def test_functions_that_we_need_come_without_the_package_around_them_and_are_the_same():
    code = "from scipy.special import gammaincinv, ndtr, ndtri\n"
    code += "print(json.dumps([[ndtri(0.3), ndtr(0.7), gammaincinv(2, 0.4)], 'scipy.special._basic' in sys.modules]))"
    assert said_by(code) == [[special.ndtri(0.3), special.ndtr(0.7), special.gammaincinv(2, 0.4)], False]


@pytest.mark.parametrize("first", ["", "from scipy.special import ndtri\n"])
def test_who_asks_for_more_of_the_package_gets_it(first):
    code = "import scipy.special as sc\nfrom scipy.special import logsumexp\nfrom scipy.stats import binom\n"
    code += "print(json.dumps([logsumexp([1.0, 2.0]), sc.factorial(5), sc.ndtri(0.3), binom.cdf(2, 5, 0.4)]))"
    assert said_by(first + code) == pytest.approx([np.logaddexp(1, 2), 120, special.ndtri(0.3), 0.68256])


DEAL = "import numpy as np; from forecast import mixing; loading.kernels()\ndealt = np.empty((2, 1, 2))\n"
DEAL += "mixing.deal(np.arange(2, dtype=np.uint64)[None], 3, dealt)\n"
DEAL += "print(json.dumps([dealt.ravel().tolist(), 'numba.cpython.printimpl' in sys.modules, 'scipy.linalg' in sys.modules]))"


def test_compiled_code_comes_from_its_cache_without_the_compiler_and_is_the_same(tmp_path):
    dealt = np.empty((2, 1, 2))
    mixing.deal(np.arange(2, dtype=np.uint64)[None], 3, dealt)
    assert said_by(DEAL, NUMBA_CACHE_DIR=str(tmp_path)) == [dealt.ravel().tolist(), True, False]
    assert said_by(DEAL, NUMBA_CACHE_DIR=str(tmp_path)) == [dealt.ravel().tolist(), False, False]


WORLDS = """
class Ring:
    def __init__(self): self.itself = self
    def __del__(self): gone.append(1)
gone = []
for _ in range(3):
    with loading.worlds():
        Ring()
    gone.append(0)
print(json.dumps(gone))
"""


def test_memory_of_worlds_is_given_back_before_the_next_ones_begin():
    assert said_by(WORLDS) == [1, 0] * 3
