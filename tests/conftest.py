"""What all tests share: pictures without a screen, examples that are the same every time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("NO_COLOR", "1")

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store-baseline",
        action="store_true",
        help="store the numbers that the regression tests compare with, instead of comparing (make baseline-numbers)",
    )
    parser.addoption("--thorough", action="store_true", help="break things as often as `make faults` does")


@pytest.fixture(scope="session")
def often(request: pytest.FixtureRequest) -> Callable[[Any, Any], Any]:
    """What a test should try: the first of two, or the second, which is more, if ``--thorough``."""
    thorough = request.config.getoption("--thorough")
    return lambda short, long: long if thorough else short
