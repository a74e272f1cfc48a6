"""Libraries are loaded in part, and give the same numbers."""

import json
import os
import subprocess
import sys

LIGHTLY = "import json, sys; from forecast import loading; loading.lightly()\n"


def said_by(code, **environment):
    """What a process that is ours from the start says."""
    done = subprocess.run([sys.executable, "-c", LIGHTLY + code], capture_output=True, text=True, env=os.environ | environment)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


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
