"""The seal on a folder of results: which files belong to it, how long they are and what they hash to.

A folder without a valid manifest is not a result. The manifest is written last, and seals itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from forecast.errors import StoreError, WriteError

FORMAT = "battery-forecast results"
VERSION = 1
NAME = "manifest.json"
LARGEST = 1 << 30
"""Bytes of a manifest; a million realizations need a sixth of it."""
SIDECAR = "run.json"
"""Clock times of a run; sealed, yet not part of the results."""
LONGEST_NAME, LONGEST_PATH = 255, 1024
"""Bytes; what file systems take of a name, and less than they take of a path, for the folder has one too."""

Files = dict[str, dict[str, Any]]
"""Path below the folder -> {size, sha256}."""


def fingerprint(file: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return {"size": stream.tell(), "sha256": digest.hexdigest()}


def write_bytes(file: Path, content: bytes | memoryview) -> None:
    """Write a file so that it is there whole or not at all, even if the power fails or another computer writes it too."""
    unfinished = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
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
    try:
        sync(file.parent)
    except OSError as error:
        raise cannot_write(file, error) from error


def sync(place: Path) -> None:
    """Make sure that a file or folder has reached the disk."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(file: Path, error: OSError) -> WriteError:
    """The error to raise when the system refuses a write."""
    refused = WriteError(f"{file}: cannot write: {error.strerror or error}")
    refused.errno = error.errno or 0
    return refused


def put_in_place(made: Path, folder: Path) -> None:
    """Rename a finished folder to its place; what was there before stays until then, and comes back if that fails."""
    aside = replaced(folder)
    try:
        _remove(aside, _going(folder))
        if folder.is_dir():
            os.rename(folder, aside)
        try:
            os.rename(made, folder)
        except OSError:
            bring_back(folder)
            raise
        sync(folder.parent)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with suppress(OSError):  # it is out of the way
        _remove(aside, _going(folder))


def discard(folder: Path) -> None:
    """Remove a folder; it is gone at once, whatever happens while its files are removed."""
    _remove(folder, _going(folder))


def _remove(folder: Path, going: Path) -> None:
    _delete(going)
    if os.path.lexists(folder):
        os.rename(folder, going)
        _delete(going)


def _delete(place: Path) -> None:
    if place.is_symlink():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)


def _going(folder: Path) -> Path:
    """Where a folder is while its files are removed: what a kill leaves there is nothing whole."""
    return folder.with_name(f".{folder.name}.removed")


def replaced(folder: Path) -> Path:
    """Where an older folder is, whole, while a new one takes its place."""
    return folder.with_name(f".{folder.name}.replaced")


def bring_back(folder: Path) -> None:
    """Undo a replacement that was cut off in that moment, and end a removal."""
    _delete(_going(folder))
    if replaced(folder).is_dir() and not folder.exists():
        os.rename(replaced(folder), folder)


def sealed(content: dict[str, Any]) -> bytes:
    """JSON text of a mapping that carries its own hash; the same mapping always gives the same bytes."""
    return _text(content | {"sha256": seal(content)})


def seal(content: dict[str, Any]) -> str:
    """Hash of a mapping."""
    return hashlib.sha256(_text(content)).hexdigest()


def _text(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def read_sealed(file: Path) -> dict[str, Any]:
    """Read what ``sealed`` wrote; StoreError if one bit of it has changed."""
    try:
        if file.stat().st_size > LARGEST:
            raise StoreError(f"{file}: larger than any that this program writes")
        raw = file.read_bytes()
        content = json.loads(raw)
        ours = isinstance(content, dict) and "sha256" in content
        again = sealed({key: value for key, value in content.items() if key != "sha256"}) if ours else b""
    except OSError as error:
        raise StoreError(f"{file}: cannot read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{file}: damaged: not JSON") from error
    if not ours:
        raise StoreError(f"{file}: not written by this program")
    if again != raw:
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
    run = content.get("run")
    if content.get("format") != FORMAT or not isinstance(content.get("files"), dict) or not isinstance(run, dict):
        raise StoreError(f"{folder / NAME}: not the manifest of a battery forecast")
    if content.get("version") != VERSION:
        raise StoreError(f"{folder / NAME}: version {content.get('version')!r}; this program reads version {VERSION}")
    if not isinstance(name := run.get("scenario"), str) or not _is_name(name):
        raise StoreError(f"{folder / NAME}: is of scenario {name!r}, which cannot be the name of one")
    for path, facts in content["files"].items():
        named = all(_is_name(part) for part in path.split("/")) and len(os.fsencode(path)) <= LONGEST_PATH
        if not named or not isinstance(facts, dict) or [type(facts.get(key)) for key in ("size", "sha256")] != [int, str]:
            raise StoreError(f"{folder / NAME}: lists {path!r}, which cannot be a file of these results")
    return content


def _is_name(part: str) -> bool:
    """Whether a text can be the name of a file, and leads nowhere else."""
    try:
        length = len(os.fsencode(part))
    except UnicodeEncodeError:
        return False
    return part not in ("", ".", "..") and "/" not in part and "\0" not in part and length <= LONGEST_NAME


def _nearby(folder: Path) -> str:
    if folder.exists():
        return "not a folder of results"
    if folder.with_name(f"{folder.name}.partial").is_dir():
        return "no such folder, but an unfinished run lies beside it; `forecast run ... --resume` continues it"
    return "no such folder"


def problems(folder: Path, files: Files, check: Callable[[Path, dict[str, Any]], str]) -> Iterable[str]:
    """What is wrong with files of a folder, by a check that says "" if a file is right."""
    straight = cache(lambda place: os.path.realpath(place) == os.path.join(os.path.realpath(place.parent), place.name))
    for path, facts in files.items():
        file = folder / path
        if file.is_symlink() or not all(straight(above) for above in file.parents[: path.count("/")]):
            yield f"{file}: a link; results hold none"
        elif not file.is_file():
            yield f"{file}: missing"
        elif found := check(file, facts):
            yield f"{file}: {found}"


def strangers(folder: Path, files: Files) -> Iterable[str]:
    """Files and links among the arrays that do not belong there."""
    for below, folders, here in os.walk(folder / "results.zarr"):
        for name in sorted([*here, *(each for each in folders if Path(below, each).is_symlink())]):
            file = Path(below, name)
            if file.relative_to(folder).as_posix() not in files:
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
