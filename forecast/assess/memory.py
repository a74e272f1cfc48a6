"""What long work remembers of its finished steps, so that it goes on where it was interrupted."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from forecast.ensemble.execute import locked
from forecast.ensemble.manifest import cannot_write, write_bytes
from forecast.ensemble.plan import versions
from forecast.errors import ForecastError, Interrupted
from forecast.stopping import stoppable

PLAN = "plan.json"
UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile)
Arrays = Mapping[str, np.ndarray]


class Memory:
    """Finished steps by name; this one forgets."""

    def recall(self, step: str) -> Arrays | None:
        """Arrays of a finished step; None if there are none."""
        return None

    def keep(self, step: str, arrays: Arrays) -> None:
        """Remember a finished step."""


class FolderMemory(Memory):
    """Finished steps in a folder, one file each, whole or not at all."""

    def __init__(self, folder: Path):
        self.folder = folder

    def _file(self, step: str) -> Path:
        return self.folder / f"{step}.npz"

    def recall(self, step: str) -> Arrays | None:
        """Arrays of a finished step; None if they are not there whole."""
        try:
            with np.load(self._file(step), allow_pickle=False) as kept:
                return dict(kept)
        except UNREADABLE:
            return None

    def keep(self, step: str, arrays: Arrays) -> None:
        """Write a finished step."""
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        write_bytes(self._file(step), content.getvalue())


@contextmanager
def remembered(target: Path, identity: Mapping[str, Any], resume: bool, force: bool) -> Iterator[Memory]:
    """Keep steps of the work on ``target`` in ``NAME.unfinished`` beside it, until it is done.

    Raises ForecastError if the target is there, or an unfinished folder of other work, unless ``resume`` or ``force``;
    LockedError if other work writes there; Interrupted on Ctrl-C or SIGTERM. Work that fails before its first step leaves nothing.
    """
    partial = target.with_name(f"{target.name}.unfinished")
    told = json.dumps(identity, sort_keys=True, indent=1).encode()
    kept = f"interrupted; finished steps are kept in {partial}: the same command with --resume continues"
    with locked(target), stoppable(kept):
        if target.exists() and not force:
            raise ForecastError(f"{target}: exists already; --force replaces it, --output puts the new one elsewhere")
        if partial.exists() and not force:
            if not resume:
                raise ForecastError(f"{partial}: unfinished work; --resume continues it, --force starts again")
            if not _says(partial / PLAN, told):
                raise ForecastError(f"{partial}: cannot be continued, it is other work or of another version; --force starts again")
        elif partial.exists():
            shutil.rmtree(partial)
        try:
            partial.mkdir(parents=True, exist_ok=True)
            write_bytes(partial / PLAN, told)
            yield FolderMemory(partial)
        except KeyboardInterrupt:
            raise Interrupted(kept) from None
        except OSError as error:
            raise cannot_write(partial, error) from error
        except ForecastError:
            if not any(partial.glob("*.npz")):
                shutil.rmtree(partial, ignore_errors=True)
            raise
        shutil.rmtree(partial, ignore_errors=True)


def _says(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() == content
    except OSError:
        return False


@cache
def code_sha256() -> str:
    """Hash of all code and data of the package: unfinished work is not continued by another version."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for file in sorted(file for kind in ("*.py", "*.csv") for file in root.rglob(kind)):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def identity_of(scenario: Any, seed: int, **more: Any) -> dict[str, Any]:
    """What two pieces of work must share to be the same, ready for JSON."""
    from forecast.scenario import dump

    text = hashlib.sha256(dump(scenario).encode()).hexdigest()
    return {"scenario": scenario.name, "scenario_sha256": text, "seed": seed, "code_sha256": code_sha256(), "versions": versions()} | more
