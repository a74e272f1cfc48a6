"""Ctrl-C and SIGTERM end a process of ours, also where Python forgets exceptions or a lock is never given back."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from forecast.stopping import stoppable

BEGIN = """
import os, signal, threading, time, weakref
from forecast import loading
from forecast.cli import exit_code
from forecast.stopping import stoppable

def interrupt(*_):
    os.kill(os.getpid(), signal.{number})
    time.sleep(0)

class Thing:
    pass

def work():
    with stoppable("farewell"):
{work}

{ours}
raise SystemExit(exit_code(work))
"""
OURS, OF_A_CLUSTER, NOT_OURS = "loading.lightly()", "loading.lightly(cluster=True)", ""
IN_A_CALLBACK = """
        thing = Thing()
        seen = weakref.ref(thing, interrupt)
        del thing
        print("goes on")
"""
AT_A_LOCK = """
        lock = threading.Lock()
        lock.acquire()
        try:
            interrupt()
        finally:
            lock.acquire()
"""
HALF_MADE = """
        class Thing:
            def __init__(self):
                interrupt()
                self.open = True
            def __del__(self):
                assert self.open

        Thing()
"""
IN_A_COPY = """
        if not (copy := os.fork()):
            interrupt()
            print("goes on")
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
"""
WITH_OTHERS = """
        import multiprocessing
        other = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        other.start()
        print(other.pid, flush=True)
        interrupt()
"""


def ended(work, number="SIGINT", ours=OURS):
    """Exit code, output and messages of a process that is interrupted while it does something."""
    code = BEGIN.format(work=work, number=number, ours=ours)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def gone(pid):
    """Whether a process ends soon."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("work", [IN_A_CALLBACK, AT_A_LOCK, HALF_MADE])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_whatever_a_process_of_ours_was_about_it_ends_and_says_so(work, number):
    assert ended(work, number) == (130, "", "farewell")


@pytest.mark.parametrize("ours", [OF_A_CLUSTER, NOT_OURS])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_process_that_has_something_to_call_off_gets_an_exception(number, ours):
    assert ended("        interrupt()", number, ours) == (130, "", "interrupted")


def test_a_copy_goes_away_without_a_word():
    assert ended(IN_A_COPY) == (0, "130", "")


def test_other_processes_of_it_end_too():
    code, other, message = ended(WITH_OTHERS)
    assert (code, message) == (130, "farewell")
    assert gone(int(other))


def test_signals_mean_afterwards_what_they_meant_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_beside_the_main_thread_signals_are_left_alone():
    told = []

    def work():
        with stoppable():
            told.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [signal.getsignal(signal.SIGTERM)]
