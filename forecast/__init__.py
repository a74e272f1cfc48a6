"""Who will buy which battery, in which segment and region, when, at what price; and how sure we are.

results = forecast.open_results(forecast.run_ensemble("baseline", realizations=20).folder)
results["share_of_sales"].sel(segment="stationary_grid", chemistry="sodium_ion").median("realization")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.assess.compare import compare
    from forecast.assess.produce import run_ensemble
    from forecast.ensemble.store import open_results, open_summary
    from forecast.scenario import load as load_scenario

__all__ = ["compare", "load_scenario", "open_results", "open_summary", "run_ensemble"]

_PLACES = {
    "compare": ("forecast.assess.compare", "compare"),
    "load_scenario": ("forecast.scenario", "load"),
    "open_results": ("forecast.ensemble.store", "open_results"),
    "open_summary": ("forecast.ensemble.store", "open_summary"),
    "run_ensemble": ("forecast.assess.produce", "run_ensemble"),
}
"""Where the face is from; imported when it is first used, so that ``import forecast`` costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
