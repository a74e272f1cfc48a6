"""``prior:`` of a scenario: the file with the posterior of a calibration, found where bases are found."""

from __future__ import annotations

from pathlib import Path

from forecast.ensemble.store import SUMMARY
from forecast.scenario.layers import Layer, Stack, first_there, leads_away, lies_in, nearest
from forecast.scenario.problems import Problems
from forecast.scenario.reading import shown

FIELD = "prior"
SUFFIX = ".nc"


def posterior_file(stack: Stack, problems: Problems) -> Path | None:
    """The file that the highest layer with a ``prior:`` names, or None; what is wrong with the name goes to the problems."""
    layer = next((layer for layer in reversed(stack.layers) if FIELD in layer.root.value), None)
    if layer is None:
        return None
    node = layer.root.value[FIELD]
    if not isinstance(node.value, str) or not node.value.strip():
        return None
    found = first_there(node.value, layer.folders)
    if problem := _problem(node.value, layer, found):
        problems.add(node.place, FIELD, f"{shown(node)}; {problem}")
    return found


def _problem(name: str, layer: Layer, found: Path | None) -> str:
    """What is wrong with the name of a posterior; empty if nothing is."""
    if leads_away(name):
        return "must be a name inside the scenario's folder, not absolute, without .."
    if Path(name).suffix != SUFFIX:
        return f"must be a netCDF file, its name ending in {SUFFIX}"
    if Path(name).name == SUMMARY:
        return "must have another name; that of the summary of every run is taken"
    if found is None:
        return f"no such file{nearest(name, sorted({file.name for folder in layer.folders for file in folder.glob(f'*{SUFFIX}')}))}"
    return "" if lies_in(found, layer.folders) else "leads out of the scenario's folder"
