"""The seal on a folder of results: which files belong to it, how long they are and what they hash to.

A folder without a valid manifest is not a result. The manifest is written last, and seals itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from forecast.errors import ForecastError, StoreError

FORMAT = "battery-forecast results"
VERSION = 1
NAME = "manifest.json"
SIDECAR = "run.json"
"""Clock times of a run; sealed, yet not part of the results."""
PIECE = 1 << 20

Files = dict[str, dict[str, Any]]
"""Path below the folder -> {size, sha256}."""


def fingerprint(file: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return {"size": stream.tell(), "sha256": digest.hexdigest()}


def write_bytes(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even if the power fails."""
    unfinished = file.with_name(f"{file.name}.partial")
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, file)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise cannot_write(file, error) from error
    sync(file.parent)


def sync(place: Path) -> None:
    """Make sure that a file or folder has reached the disk."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(file: Path, error: OSError) -> ForecastError:
    """The error to raise when the system refuses a write."""
    return ForecastError(f"{file}: cannot write: {error.strerror or error}")


def sealed(content: dict[str, Any]) -> bytes:
    """JSON text of a mapping that carries its own hash; the same mapping always gives the same bytes."""
    seal = hashlib.sha256(_text(content)).hexdigest()
    return _text(content | {"sha256": seal})


def _text(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def read_sealed(file: Path) -> dict[str, Any]:
    """Read what ``sealed`` wrote; StoreError if one bit of it has changed."""
    try:
        raw = file.read_bytes()
        content = json.loads(raw)
    except OSError as error:
        raise StoreError(f"{file}: cannot read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{file}: damaged: not JSON") from error
    if not isinstance(content, dict) or "sha256" not in content:
        raise StoreError(f"{file}: not written by this program")
    if sealed({key: value for key, value in content.items() if key != "sha256"}) != raw:
        raise StoreError(f"{file}: damaged: its content does not match its own hash")
    return content


def write(folder: Path, run: dict[str, Any], failed: list[dict[str, Any]], files: Files) -> dict[str, Any]:
    """Seal a folder; returns the manifest."""
    content = {"format": FORMAT, "version": VERSION, "run": run, "failed": failed, "files": files}
    write_bytes(folder / NAME, sealed(content))
    return content


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of results; StoreError if there is none or it is not ours."""
    if not folder.is_dir():
        raise StoreError(f"{folder}: {_nearby(folder)}")
    if not (folder / NAME).is_file():
        raise StoreError(f"{folder}: not results: no {NAME} in it" + (", an unfinished run" if folder.suffix == ".partial" else ""))
    content = read_sealed(folder / NAME)
    if content.get("format") != FORMAT or not isinstance(content.get("files"), dict):
        raise StoreError(f"{folder / NAME}: not the manifest of a battery forecast")
    if content.get("version") != VERSION:
        raise StoreError(f"{folder / NAME}: version {content.get('version')!r}; this program reads version {VERSION}")
    for path, facts in content["files"].items():
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts or not isinstance(facts, dict) or not isinstance(facts.get("size"), int):
            raise StoreError(f"{folder / NAME}: lists {path!r}, which cannot be a file of these results")
    return content


def _nearby(folder: Path) -> str:
    if folder.exists():
        return "not a folder of results"
    if folder.with_name(f"{folder.name}.partial").is_dir():
        return "no such folder, but an unfinished run lies beside it; `forecast run ... --resume` continues it"
    return "no such folder"


def problems(folder: Path, content: dict[str, Any], check: Callable[[Path, dict[str, Any]], str]) -> Iterable[str]:
    """What is wrong with the files of a folder, by a check that says "" if a file is right."""
    for path, facts in content["files"].items():
        file = folder / path
        if not file.is_file():
            yield f"{file}: missing"
        elif found := check(file, facts):
            yield f"{file}: {found}"
    listed = content["files"].keys()
    for below, _, here in os.walk(folder / "results.zarr"):
        for name in sorted(here):
            file = Path(below, name)
            if file.relative_to(folder).as_posix() not in listed:
                yield f"{file}: not one of the files written by the run"


def size_differs(file: Path, facts: dict[str, Any]) -> str:
    """Quick check."""
    size = file.stat().st_size
    return "" if size == facts["size"] else f"{size} bytes instead of {facts['size']}"


def content_differs(file: Path, facts: dict[str, Any]) -> str:
    """Thorough check."""
    try:
        return size_differs(file, facts) or ("" if fingerprint(file) == facts else "its content has changed")
    except OSError as error:
        return f"cannot read: {error.strerror or error}"
