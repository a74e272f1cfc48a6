"""The only reader and writer of results: a folder with results.zarr, scenario.yaml, its posterior and a sealed manifest.

A run is built in ``NAME.partial`` beside its place and renamed when whole. Every block of realizations is one chunk of
every array, so that processes write without locks. What is read is checked against the manifest, file by file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.ensemble import arrays, manifest
from forecast.ensemble.manifest import Files
from forecast.ensemble.metadata import NO_CODE, Variable, coordinates, dataset_attributes, variables
from forecast.ensemble.plan import Plan
from forecast.errors import ForecastError, StoreError

if TYPE_CHECKING:
    from concurrent.futures import Future

    import xarray as xr

ARRAYS = "results.zarr"
SCENARIO = "scenario.yaml"
SUMMARY = "summary.nc"
PLAN = "plan.json"
RECEIPTS = "receipts"
PICTURES = "pictures"
SYNCED_AT_ONCE = 32
READ_AT_ONCE = 4


def create(partial: Path, plan: Plan) -> None:
    """Make the folder of an unfinished run: all arrays, their coordinates, the scenario, its posterior and the run's identity."""
    inputs = {SCENARIO: plan.text.encode()} | ({plan.posterior.name: plan.posterior.content()} if plan.posterior else {})
    if partial.exists() and not _unfinished(partial):
        raise ForecastError(f"{partial}: is in the way and no unfinished run of this program; choose another --output")
    try:
        manifest.discard(partial)
        (partial / RECEIPTS).mkdir(parents=True)
        arrays.create_group(partial / ARRAYS, dataset_attributes(plan))
        sizes = _sizes(plan)
        for variable in coordinates(plan):
            _create_array(partial / ARRAYS, variable, sizes, plan.realizations)
        for variable in variables(plan):
            _create_array(partial / ARRAYS, variable, sizes, plan.block)
        for name, content in inputs.items():
            manifest.write_bytes(partial / name, content)
        manifest.write_bytes(partial / PLAN, manifest.sealed(plan.identity()))
    except OSError as error:
        raise manifest.cannot_write(partial, error) from error


def _unfinished(partial: Path) -> bool:
    ours = (partial / RECEIPTS).is_dir() or (partial / manifest.NAME).is_file()
    return ours or (partial.is_dir() and not any(partial.iterdir()))


def _sizes(plan: Plan) -> dict[str, int]:
    """Length of every dimension."""
    return {v.name: len(v.values) for v in coordinates(plan) if v.values is not None} | {"bnds": 2}


def _create_array(folder: Path, variable: Variable, sizes: Mapping[str, int], block: int) -> None:
    shape = tuple(sizes[dim] for dim in variable.dims)
    chunks = tuple(min(block, size) if dim == "realization" else max(size, 1) for dim, size in zip(variable.dims, shape, strict=True))
    bytes_of_chunk = int(np.prod(chunks)) * (1 if variable.dtype == "string" else np.dtype(variable.dtype).itemsize)
    if bytes_of_chunk > arrays.LARGEST_CHUNK:
        raise ForecastError(f"block: {block}; makes a chunk of {bytes_of_chunk} bytes of {variable.name}, at most {arrays.LARGEST_CHUNK}")
    arrays.create_array(folder, variable, shape, chunks)


def write_block(partial: Path, plan: Plan, block: int, recorded: Mapping[str, np.ndarray], failed: list[dict[str, Any]]) -> None:
    """Write one block of realizations as one chunk of every array, then its receipt, which says of which run it is.

    recorded  name -> (realization of the block that did not fail, time or month, ...)
    failed    realizations that could not be computed: realization, seed, error; their rows are never read
    """
    place, sizes = plan.places(block), _sizes(plan)
    good = ~np.isin(plan.numbers[place], [failure["realization"] for failure in failed])
    written: Files = {}
    try:
        with _syncing(partial) as sync:
            for variable in variables(plan):
                shape = (plan.block, *[sizes[dim] for dim in variable.dims[1:]])
                path = f"{ARRAYS}/{variable.name}/{arrays.chunk_name(variable.dims, block)}"
                packed = arrays.packed(_chunk(variable, recorded, shape, good))
                (partial / path).write_bytes(packed)
                sync(path)
                written[path] = {"size": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
        receipt = {"run": manifest.seal(plan.identity()), "block": block, "failed": failed, "files": written}
        manifest.write_bytes(partial / RECEIPTS / f"{block}.json", manifest.sealed(receipt))
    except OSError as error:
        raise manifest.cannot_write(Path(error.filename or partial), error) from error


@contextmanager
def _syncing(folder: Path) -> Iterator[Callable[[str], object]]:
    """Make sure that files have reached the disk, each from when its path is told on: the disk works while the next is packed."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
        synced: list[Future[None]] = []
        yield lambda path: synced.append(pool.submit(manifest.sync, folder / path))
        for each in synced:
            each.result()


def _chunk(variable: Variable, recorded: Mapping[str, np.ndarray], shape: tuple[int, ...], good: np.ndarray) -> np.ndarray:
    """One chunk of an array, full size; failed realizations and those beyond the last are left empty."""
    values = _fitting(variable, recorded, (int(good.sum()), *shape[1:])) if good.any() else None
    if values is not None and len(values) == shape[0]:
        return values
    chunk = np.full(shape, arrays.FILL[variable.dtype], variable.dtype)
    if values is not None:
        chunk[: len(good)][good] = values
    return chunk


def _fitting(variable: Variable, recorded: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if variable.name not in recorded:
        raise ForecastError(f"{variable.name}: the model recorded no such variable")
    values = np.asarray(recorded[variable.name])
    if values.shape != shape:
        raise ForecastError(f"{variable.name}: the model recorded shape {values.shape} instead of {shape}")
    return arrays.round_bits(values) if variable.dtype == "float32" else np.where(np.isnan(values), NO_CODE, values).astype(variable.dtype)


def receipts(partial: Path) -> dict[int, dict[str, Any]]:
    """Receipts of the blocks of this run that are on disk whole, by block; all others are as if never written.

    A worker elsewhere may be late to hear that its run is over, and another has begun in its place.
    """
    from concurrent.futures import ThreadPoolExecutor

    plan = plan_of(partial)
    run = manifest.seal(plan) if plan else ""

    def receipt(file: Path) -> dict[str, Any] | None:
        with suppress(StoreError):
            read = manifest.read_sealed(file)
            if read.get("run") == run and not any(_missing_or_changed(partial / path, facts) for path, facts in read["files"].items()):
                return read
        return None

    with ThreadPoolExecutor(READ_AT_ONCE) as threads:
        found = threads.map(receipt, (partial / RECEIPTS).glob("*.json"))
        return {read["block"]: read for read in found if read}


def _missing_or_changed(file: Path, facts: dict[str, Any]) -> bool:
    return not file.is_file() or bool(manifest.content_differs(file, facts))


def plan_of(partial: Path) -> dict[str, Any] | None:
    """Identity of the run that an unfinished folder belongs to; None if that cannot be said."""
    try:
        identity = manifest.read_sealed(partial / PLAN)
    except StoreError:
        return None
    del identity["sha256"]
    return identity


def hardly_begun(partial: Path) -> bool:
    """Whether a run ended while its folder was made: nothing was computed."""
    made = (PLAN, manifest.NAME)
    return not any((partial / name).exists() for name in made) and not any((partial / RECEIPTS).glob("*"))


def files_of(partial: Path, done: Mapping[int, dict[str, Any]]) -> Files:
    """Every file of an unfinished folder that belongs to the results; chunks as their receipts say."""
    chunks: Files = {path: facts for receipt in done.values() for path, facts in receipt["files"].items()}
    for unfinished in partial.rglob("*.partial"):
        unfinished.unlink()
    here = (file.relative_to(partial) for file in partial.rglob("*") if file.is_file())
    others = {path.as_posix() for path in here if path.parts[0] not in (RECEIPTS, PLAN, manifest.SIDECAR, manifest.NAME)}
    return dict(sorted((chunks | {path: manifest.fingerprint(partial / path) for path in others - chunks.keys()}).items()))


def failures(done: Mapping[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Failed realizations of all blocks, in order."""
    return sorted((f for receipt in done.values() for f in receipt["failed"]), key=lambda f: f["realization"])


def seal(partial: Path, plan: Plan, done: Mapping[int, dict[str, Any]]) -> None:
    """Write the manifest over everything in the folder, once all is on the disk: from here on it is a result."""
    files = files_of(partial, done)
    with _syncing(partial) as sync:
        for path in files.keys() - {path for receipt in done.values() for path in receipt["files"]}:  # those are already
            sync(path)
    manifest.write(partial, plan.identity(), failures(done), files)


def publish(partial: Path, folder: Path, force: bool = False) -> None:
    """Put a sealed folder in its place; what was there before stays until then.

    Raises ForecastError if something is there that may not be replaced.
    """
    try:
        refuse_existing(folder, force)
    except ForecastError as error:
        waits = f"the finished run waits in {partial}: --resume, with --force to replace what is there, puts it in place"
        raise ForecastError(f"{error}; {waits}") from error
    shutil.rmtree(partial / RECEIPTS, ignore_errors=True)
    (partial / PLAN).unlink(missing_ok=True)
    manifest.put_in_place(partial, folder)


def refuse_existing(folder: Path, force: bool) -> None:
    """Raise ForecastError if something is there that may not be replaced: not even by force what is not ours."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise ForecastError(f"{folder}: exists and is not a folder")
    if not (folder / manifest.NAME).is_file():
        raise ForecastError(f"{folder}: exists and holds no results of this program; choose another --output")
    if not force:
        raise ForecastError(f"{folder}: already holds results; --force replaces them, --output puts the new ones elsewhere")


def open_results(folder: str | Path) -> xr.Dataset:
    """Open a folder of results without loading it: realization, time or month, and names as dimensions.

    Realizations that failed are left out; the coordinate keeps the numbers of the others.
    Raises StoreError if the folder is unfinished, changed or not ours; values are checked when they are read.
    """
    folder = Path(folder)
    content = manifest.read(folder)
    for problem in seen_at_once(folder, content["files"]):
        raise StoreError(problem)
    try:
        return open_arrays(folder, content["files"], content["failed"])
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise StoreError(f"{folder / ARRAYS}: not results of this program: {error}") from error


def seen_at_once(folder: Path, files: Files) -> Iterator[str]:
    """What is missing, strange or of another size in a folder of results, pictures aside; of what is large nothing is read."""
    read = {path: facts for path, facts in files.items() if not path.startswith(f"{PICTURES}/")}
    yield from manifest.problems(folder, read, _quick)
    yield from manifest.strangers(folder, read)


def _quick(file: Path, facts: dict[str, Any]) -> str:
    return (manifest.content_differs if file.name == "zarr.json" else manifest.size_differs)(file, facts)


def open_arrays(folder: Path, files: Files, failed: list[dict[str, Any]]) -> xr.Dataset:
    """Open the arrays of a folder, sealed or about to be."""
    from forecast.ensemble.sealed import SealedArrays

    results = SealedArrays(folder, ARRAYS, files).dataset()
    if failed:
        results = results.drop_sel(realization=[failure["realization"] for failure in failed])
    return results


def verify(folder: str | Path) -> list[str]:
    """Read every file of a folder of results and say which differ from what was written; empty if none."""
    folder = Path(folder)
    try:
        content = manifest.read(folder)
        if (folder / manifest.SIDECAR).is_file():
            manifest.read_sealed(folder / manifest.SIDECAR)
    except StoreError as error:
        return [str(error)]
    files = content["files"]
    return [*manifest.problems(folder, files, manifest.content_differs), *manifest.strangers(folder, files)]


def fingerprint(folder: str | Path) -> str:
    """SHA-256 of all values and attributes; the same for any chunks, workers or engine."""
    results = open_results(folder)
    digest = hashlib.sha256(json.dumps(results.attrs, sort_keys=True).encode())
    for name in sorted(map(str, results.variables)):
        variable = results[name].variable
        about = [name, variable.dims, variable.shape, str(variable.dtype), variable.attrs]
        digest.update(json.dumps(about, sort_keys=True, default=str).encode())
        step = variable.encoding.get("chunks", [1])[0] if variable.dims[:1] == ("realization",) else max(variable.shape[0], 1)
        for start in range(0, variable.shape[0], step):
            part = np.asarray(variable[start : start + step].values)
            digest.update("\0".join(map(str, part.ravel())).encode() if part.dtype == object else part.tobytes())
    return digest.hexdigest()


def open_summary(folder: str | Path) -> xr.Dataset:
    """The summary of a folder of results, checked against the manifest and loaded."""
    from forecast.ensemble.export import read_netcdf

    folder = Path(folder)
    facts = manifest.read(folder)["files"].get(SUMMARY)
    if facts is None:
        raise StoreError(f"{folder}: holds no {SUMMARY}")
    for problem in manifest.problems(folder, {SUMMARY: facts}, manifest.content_differs):
        raise StoreError(problem)
    return read_netcdf(folder / SUMMARY)


def scenario_of(folder: Path) -> str:
    """Name of the scenario of results, whose file and posterior beside it are checked."""
    content = manifest.read(folder)
    beside = {path: facts for path, facts in content["files"].items() if "/" not in path and path != SUMMARY}
    for problem in manifest.problems(folder, beside, manifest.content_differs):
        raise StoreError(f"{problem}; a scenario to be changed must be copied to another folder")
    return str(content["run"]["scenario"])


def add_files(folder: str | Path, paths: list[str]) -> None:
    """Seal files that were added to, or made again in, a folder of results, such as its pictures."""
    folder = Path(folder)
    content = manifest.read(folder)
    files = content["files"] | {path: manifest.fingerprint(folder / path) for path in paths}
    if files != content["files"]:
        manifest.write(folder, content["run"], content["failed"], dict(sorted(files.items())))
