"""A disk that refuses one of the calls that write to it, or that one and all after it."""

import builtins
import errno
import io
import os
from pathlib import Path
from unittest import mock


class FailingDisk:
    """Refuses the n-th call below a folder that opens for writing, writes, syncs, renames or makes a folder; a context manager.

    A full disk takes nothing after that either, and lets be renamed; an error of the disk happens once.
    """

    def __init__(self, folder, number=0, error=errno.EIO):
        self.folder, self.number, self.error, self.calls = Path(folder), number, error, 0
        self.patches = [
            mock.patch.object(io, "open", self._opening(io.open)),
            mock.patch.object(builtins, "open", self._opening(io.open)),
            mock.patch.object(os, "fsync", self._refusing(os.fsync)),
            mock.patch.object(os, "mkdir", self._refusing(os.mkdir, takes=True)),
            mock.patch.object(os, "rename", self._refusing(os.rename)),
            mock.patch.object(os, "replace", self._refusing(os.replace)),
        ]

    def __enter__(self):
        for patch in self.patches:
            patch.start()
        return self

    def __exit__(self, *error):
        for patch in reversed(self.patches):
            patch.stop()

    def _count(self, place, takes):
        if not isinstance(place, int) and not Path(os.fsdecode(place)).is_relative_to(self.folder):
            return
        self.calls += 1
        goes_on = takes and self.error == errno.ENOSPC and self.calls > self.number
        if self.number and (self.calls == self.number or goes_on):
            raise OSError(self.error, os.strerror(self.error), None if isinstance(place, int) else place)

    def _refusing(self, call, takes=False):
        def refusing(place, *others, **named):
            self._count(place, takes)
            return call(place, *others, **named)

        return refusing

    def _opening(self, call):
        def opening(place, mode="r", *others, **named):
            if isinstance(place, int) or not set(mode) & set("wax+") or not Path(place).is_relative_to(self.folder):
                return call(place, mode, *others, **named)
            self._count(place, True)
            return Written(call(place, mode, *others, **named), lambda: self._count(place, True))

        return opening


class Written:
    """A file whose writes are counted."""

    def __init__(self, stream, count):
        self.stream, self.count = stream, count

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __enter__(self):
        self.stream.__enter__()
        return self

    def __exit__(self, *error):
        return self.stream.__exit__(*error)

    def write(self, content):
        """Write, unless the disk refuses."""
        self.count()
        return self.stream.write(content)
