"""How a block gets from a worker of a cluster into the unfinished folder of a run: written there, or carried."""

from __future__ import annotations

import hashlib
import io
import platform
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from forecast.ensemble import manifest, store
from forecast.ensemble.execute import Work
from forecast.errors import ForecastError


def may_write(partial: Path, token: str) -> bool:
    """Whether the folder that holds a token is here too, and can be written."""
    own = partial / f"{uuid.uuid4().hex}.partial"
    try:
        if (partial / token).read_text() != token:
            return False
        own.touch()
        own.unlink()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Shared:
    """Blocks that workers write into the unfinished folder themselves."""

    work: Work
    token: str

    def __call__(self, block: int) -> None:
        self._look()
        computed = self.work.computed(block)
        self._look()  # the run may be over, and another write there
        self.work.write(block, computed)

    def _look(self) -> None:
        if not may_write(self.work.partial, self.token):
            raise ForecastError(
                f"a worker on {platform.node()} came later than the others and does not see {self.work.partial}. "
                "Stop it; what is finished is kept, and the same command with --resume continues"
            )

    def receive(self, block: int, ticket: None) -> None:
        """Nothing is left to do."""


@dataclass(frozen=True)
class Carried:
    """Blocks that workers write into a folder of their own, and that travel from there."""

    work: Work
    stage: Stage | None

    def __call__(self, block: int) -> Any:
        plan = replace(self.work.plan, posterior=None)  # its file may not be here; its numbers are
        with TemporaryDirectory(prefix="forecast-") as scratch:
            partial = Path(scratch, "block.partial")
            store.create(partial, plan)
            replace(self.work, partial=partial)(block)
            parcel = packed(partial, block)
        if self.stage is None:
            return parcel
        with _saying_what_is_kept():
            self.stage.put(f"{block}.zip", parcel)
        return hashlib.sha256(parcel).hexdigest()

    def receive(self, block: int, ticket: Any) -> None:
        """Put the files of a block into the unfinished folder."""
        with _saying_what_is_kept():
            parcel = ticket if self.stage is None else self.stage.take(f"{block}.zip", ticket)
        unpack(parcel, self.work.partial)


@contextmanager
def _saying_what_is_kept() -> Iterator[None]:
    try:
        yield
    except ForecastError as error:
        raise ForecastError(f"{error}; what is finished is kept: the same command with --resume continues") from error


def packed(partial: Path, block: int) -> bytes:
    """The files of one block as one, the receipt last."""
    receipt = f"{store.RECEIPTS}/{block}.json"
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w", zipfile.ZIP_STORED) as files:
        for path in (*manifest.read_sealed(partial / receipt)["files"], receipt):
            files.write(partial / path, path)
    return parcel.getvalue()


def unpack(parcel: bytes, partial: Path) -> None:
    """Write the files of a block as ``store.write_block`` does: the receipt when all others have reached the disk."""
    with zipfile.ZipFile(io.BytesIO(parcel)) as files:
        *chunks, receipt = files.namelist()
        try:
            for path in chunks:
                manifest.sync(Path(files.extract(path, partial)))
        except OSError as error:
            raise manifest.cannot_write(partial, error) from error
        manifest.write_bytes(partial / receipt, files.read(receipt))


@dataclass(frozen=True)
class Stage:
    """A place through which blocks travel, empty before and after.

    url  of one folder for one run; a run that is resumed has the same, so that what a killed one left is removed
    """

    url: str

    def put(self, name: str, content: bytes) -> None:
        """Write an object, whole or not at all. Raises ForecastError if the place does not let us, as the next two do."""
        with self._reached(name):
            files, root = self._files()
            files.pipe_file(f"{root}/{name}", content)

    def find(self, name: str) -> bytes:
        """Read an object; empty if there is none."""
        with self._reached(name):
            files, root = self._files()
            try:
                return bytes(files.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return b""

    def take(self, name: str, sha256: str) -> bytes:
        """Read an object and remove it. Raises ForecastError if it is not what was put there."""
        content = self.find(name)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ForecastError(f"{self.url}/{name}: missing or not what a worker wrote")
        with self._reached(name):
            files, root = self._files()
            files.rm_file(f"{root}/{name}")
        return content

    @contextmanager
    def _reached(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # one that is too slow raises TimeoutError, which is one
            raise ForecastError(f"{self.url}/{name}: {error.strerror or str(error) or type(error).__name__}") from error

    def answer(self) -> str:
        """Copy the question; returns the name of the copy."""
        name = uuid.uuid4().hex
        self.put(name, self.find("question"))
        return name

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Use the place; ForecastError if that is impossible."""
        try:
            self._clear()
            files, root = self._files()
            files.mkdir(root, create_parents=False)  # a bucket whose name has a slip is not made
        except (ImportError, ValueError, OSError) as error:
            raise ForecastError(f"{self.url}: cannot be used as a stage, which goes into a place that exists: {error}") from error
        try:
            yield
        finally:
            with suppress(OSError):
                self._clear()

    def _clear(self) -> None:
        files, root = self._files()
        files.invalidate_cache()
        if files.exists(root):
            files.rm(root, recursive=True)

    def _files(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(self.url)
        return files, str(root)
