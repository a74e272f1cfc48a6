"""What a block costs besides its own computation: serially, in processes, on a cluster: ``python tests/cluster_overhead.py``."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import fake_world  # noqa: E402
from small_cluster import small_cluster  # noqa: E402

from forecast.ensemble.carry import Carried  # noqa: E402
from forecast.ensemble.cluster import Cluster  # noqa: E402
from forecast.ensemble.engines import Engine, Processes, Serial  # noqa: E402
from forecast.ensemble.execute import Computed, Work  # noqa: E402

LOOK = 0.02
BLOCKS = 400
PARCEL = 15_000_000
"""Bytes of a block of some 40 realizations of the baseline."""


@dataclass(frozen=True)
class Nothing(Work):
    """Work without work."""

    def computed(self, block: int) -> Computed:
        return {}, []

    def write(self, block: int, computed: Computed) -> None:
        pass


@dataclass(frozen=True)
class Parcels(Carried):
    """Blocks that are only carried."""

    def __call__(self, block: int) -> bytes:
        return bytes(PARCEL)

    def receive(self, block: int, ticket: bytes) -> None:
        assert len(ticket) == PARCEL


def measure(folder: Path) -> None:
    """Time a block of no work, and of 15 MB that travel, on each engine."""
    plan = fake_world.plan(BLOCKS, 1)
    work = Nothing(folder, plan, fake_world.simulate)

    def clock(name: str, engine: Engine, blocks: int = BLOCKS, skip: int = 20) -> None:
        came = [time.perf_counter() for _ in engine.compute(work, range(blocks))]
        each = (came[-1] - came[skip]) / (len(came) - 1 - skip)
        print(f"{name:<10} {1000 * each:7.2f} ms a block", flush=True)

    clock("serial", Serial())
    clock("processes", Processes(2))
    with small_cluster(folder, 2) as processes, Cluster(processes.address) as cluster:
        while len(cluster.client.nthreads()) < 2:
            time.sleep(LOOK)
        clock("cluster", cluster)
        cluster._way = lambda work: nullcontext(Parcels(work, None))
        clock("15 MB", cluster, 60, 10)


if __name__ == "__main__":
    import cluster_overhead  # workers find what is pickled under this name

    with tempfile.TemporaryDirectory() as place:
        cluster_overhead.measure(Path(place))
