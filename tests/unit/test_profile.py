"""What is said of where the time of a block goes: every moment is counted once, of a block such as runs play."""

import itertools
from unittest import mock

import pytest

from tests.bench import profile

SIZE = 2


@pytest.fixture(scope="module")
def measured():
    """A block profiled by a clock that ticks whenever it is looked at; and how the block was played."""
    ticks, played = itertools.count(0.0), []

    def play(*arguments, **options):
        played.append(options)
        return profile_play(*arguments, **options)

    profile_play = profile.play
    with mock.patch.object(profile.time, "process_time", ticks.__next__), mock.patch.object(profile, "play", play):
        return profile.block(SIZE, 2000), played


def test_parts_have_the_names_of_files_and_of_what_is_around_them(measured):
    found, _ = measured
    names = {row["what"] for row in found["parts"]}
    assert {"choice", "buyers", "manufacturers", "mines", "lithium", profile.RECORD, profile.BORN, profile.SUMMED} <= names
    assert "world" not in names


def test_the_block_is_played_by_year_as_runs_do(measured):
    assert measured[1] == [{"monthly": False}]


def test_every_moment_is_counted_once():
    clock = profile.Counter({"buyers": 5.0, "choice": 3.0, "mines": 2.0, profile.RECORD: 1.0, profile.CLOCK: 9.0, "play": 12.0})
    clock |= {profile.DRAWN: 0.5, profile.WRITTEN: 1.5, profile.SUMMED: 2.0}
    rows = {row["what"]: row["milliseconds"] for row in profile.parts(clock, 1000)}
    assert rows == {
        **{"buyers": 2.0, "choice": 3.0, "mines": 2.0, profile.RECORD: 1.0, profile.CLOCK: 1.0, profile.BORN: 3.0},
        **{profile.DRAWN: 0.5, profile.WRITTEN: 1.5, profile.SUMMED: 2.0},
    }
    assert sum(rows.values()) == 12.0 + 0.5 + 1.5 + 2.0


def test_no_moment_is_counted_twice_in_a_block(measured):
    *rows, unwatched = measured[0]["parts"]
    assert unwatched["what"] == profile.UNWATCHED
    assert all(row["milliseconds"] >= 0 for row in [*rows, unwatched])
    assert [row["what"] for row in rows[-2:]] == [profile.WRITTEN, profile.SUMMED]
    assert sum(row["share"] for row in rows) == pytest.approx(1)
