"""Attack the loader with broken scenario files: ``python -m tests.faults.scenario_attack 10000`` (``make attack``).

Each file has 2 seconds of processor time, whatever else the machine does, and a process a gigabyte of memory. Of the files
that are accepted some are simulated: what validates must run.
"""

from __future__ import annotations

import json
import random
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from forecast.errors import ScenarioError
from forecast.scenario import load
from tests.faults.scenario_mutants import mutant, own_texts
from tests.play import simulated

SECONDS, SECONDS_TO_SIMULATE = 2, 120
MEMORY = 2**30
CHUNK = 250
PROCESSES = 2
SHARE_SIMULATED = 0.3
PLACE = re.compile(r"[^ ]+\.ya?ml(:\d+|:) ")
JARGON = re.compile(r"Traceback|\wError\b|Input should|pydantic|NoneType|<unicode|<class|object at 0x|https?://|while (parsing|scanning)")
LONGEST_PROBLEM, MOST_PROBLEMS = 700, 201
ROOT = Path(__file__).parents[2]


class Verdict(NamedTuple):
    """What became of a mutant.

    outcome   accepted | refused | traceback | killed
    told      problems, or the traceback, or the signal
    seconds   processor time
    memory    MB, the most that the process has held so far
    results   of the simulation: "" if there was none, "finite", or what is wrong
    """

    number: int
    kind: str
    outcome: str
    told: list[str]
    seconds: float = 0.0
    memory: int = 0
    results: str = ""

    @property
    def problem(self) -> str:
        """What must not be; empty if all is well."""
        if self.outcome in ("traceback", "killed"):
            return f"{self.number} {self.kind}: {self.outcome}: {self.told}"
        if self.results not in ("", "finite"):
            return f"{self.number} {self.kind}: accepted, but {self.results}"
        if len(self.told) > MOST_PROBLEMS:
            return f"{self.number} {self.kind}: {len(self.told)} problems"
        bad = [told for told in self.told if not PLACE.match(told) or JARGON.search(told) or len(told) > LONGEST_PROBLEM]
        return f"{self.number} {self.kind}: {bad[0]}" if bad else ""


def attack(seed: int, first: int, count: int, share: float = SHARE_SIMULATED) -> Iterator[Verdict]:
    """Verdicts on mutants, one after the other, in a process that is replaced when one of them kills it.

    share  of those accepted that are simulated
    """
    while count > 0:
        words = [sys.executable, "-m", "tests.faults.scenario_attack", "judge", seed, first, count, share]
        with subprocess.Popen([str(word) for word in words], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                yield Verdict(*json.loads(line))
                first, count = first + 1, count - 1
        if count > 0:
            how = signal.Signals(-child.returncode).name if child.returncode < 0 else f"exit {child.returncode}"
            yield Verdict(first, mutant(seed, first).kind, "killed", [how])
            first, count = first + 1, count - 1


def judge(seed: int, first: int, count: int, share: float) -> None:
    """Load mutants one by one and say of each what became of it, a line of JSON each; a mutant that takes too long ends the process."""
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        for name, text in own_texts().items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        load("baseline")
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        for number in range(first, first + count):
            resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
            verdict, world = tried(seed, number, Path(folder) / "mutant.yaml")
            if world is not None and random.Random(number).random() < share:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                verdict = verdict._replace(results=results(world))
            print(json.dumps(verdict), flush=True)


def tried(seed: int, number: int, file: Path) -> tuple[Verdict, Any]:
    """The verdict on a mutant, and the world if it has one."""
    kind, _, content = mutant(seed, number)
    file.write_bytes(content)
    world, told, begun = None, list[str](), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        world, outcome = load(file).world, "accepted"
    except ScenarioError as error:
        outcome, told = "refused", error.problems
    except Exception:  # noqa: BLE001 - whatever else comes is what we look for
        outcome, told = "traceback", [traceback.format_exc()[-1500:]]
    signal.setitimer(signal.ITIMER_PROF, 0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Verdict(number, kind, outcome, told, time.process_time() - begun, memory), world


def results(world: Any) -> str:
    """Whether a small, short version of the world runs to the end with finite numbers; if not, why."""
    years = {"observed_until": min(world.observed_until, world.first_year + 1), "last_year": min(world.last_year, world.first_year + 3)}
    buyers = world.buyers.model_copy(update={"number": min(world.buyers.number, 60)})
    signal.setitimer(signal.ITIMER_PROF, SECONDS_TO_SIMULATE)
    try:
        with np.errstate(all="ignore"):
            found = simulated(world.model_copy(update=years | {"buyers": buyers}), realizations=[0])
    except Exception:  # noqa: BLE001 - as above
        return traceback.format_exc()[-1500:]
    signal.setitimer(signal.ITIMER_PROF, 0)
    bad = [name for name, values in found.items() if not np.isfinite(values).all()]
    return f"not finite: {', '.join(bad)}" if bad else "finite"


def report(verdicts: list[Verdict]) -> str:
    """Figures of an attack, and everything that must not be."""
    counts = Counter((verdict.kind, verdict.outcome) for verdict in verdicts)
    outcomes = ("accepted", "refused", "traceback", "killed")
    lines = [f"{'':10}{''.join(f'{outcome:>10}' for outcome in outcomes)}"]
    lines += [f"{kind:10}{''.join(f'{counts[kind, outcome]:10}' for outcome in outcomes)}" for kind in sorted({kind for kind, _ in counts})]
    slowest, largest = max(verdicts, key=lambda verdict: verdict.seconds), max(verdicts, key=lambda verdict: verdict.memory)
    lines.append(f"slowest: {slowest.seconds:.2f} s ({slowest.number} {slowest.kind}); most memory: {largest.memory} MB")
    played = [verdict.results == "finite" for verdict in verdicts if verdict.results]
    lines.append(f"simulated: {len(played)}, of which {sum(played)} ran with finite numbers")
    return "\n".join([*lines, *(verdict.problem for verdict in verdicts if verdict.problem)])


def main(count: int, seed: int = 1) -> int:
    """Attack in two processes; 1 if anything was found."""
    parts = [(first, min(CHUNK, count - first)) for first in range(0, count, CHUNK)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        verdicts = [verdict for part in pool.map(lambda part: list(attack(seed, *part)), parts) for verdict in part]
    print(report(verdicts))
    return int(any(verdict.problem for verdict in verdicts))


if __name__ == "__main__":
    if sys.argv[1] == "judge":
        judge(*map(int, sys.argv[2:5]), float(sys.argv[5]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
