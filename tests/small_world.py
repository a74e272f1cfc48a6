"""Worlds for tests: small (2 chemistries, 1 segment, 2 regions, 1 maker, 1 mine), livelier (3, 2, 2, 3, 3), and that one on record."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from forecast.model.world import World
from forecast.scenario import load
from forecast.scenario.writing import as_text

SMALL_WORLD = """\
why: a world small enough to think through
source: "assumption: invented for tests"
last_year: 2030
buyers: {number: 400}
regions:
  china: {title: China, winter: 0.3, cost_factor: 1, import_cost: {europe: 0.1}}
  europe: {title: Europe, winter: 0.4, cost_factor: 1.3, import_cost: {china: 0.08}}
minerals:
  graphite: {title: Graphite, opening_price: 8, mean_price: 7, volatility: 0.2, reversion: 0.5}
components:
  hard_carbon:
    title: Hard carbon
    opening_price: {lognormal: [14, 0.2]}
    floor_price: 4
    learning_rate: 0.15
    opening_experience: 1
    opening_capacity: 5
    build_time: 18
    fastest_growth: 1.5
chemistries:
  lfp:
    title: LFP
    specific_energy_start: 130
    specific_energy_ceiling: 220
    specific_energy_progress: 0.07
    packing: {2015: 0.65, 2022: 0.78}
    cycle_life: {normal: [4000, 400]}
    calendar_life: 15
    cold_capacity: 60 %
    charge_rate: 2
    hazard: 0.4
    lithium: 0.1
    intensity: {graphite: 1.1}
    processing_cost: 120
    processing_floor: 18
    learning_rate: {normal: [0.18, 0.02]}
    opening_experience: 20
    learns_from: {sodium_ion: 0.3}
    first_yield: 0.8
    mature_yield: 0.95
    yield_experience: 5
    capital_cost: 110
    capital_floor: 40
    conversion_cost: {sodium_ion: 0.1}
    build_time: 18
    conversion_time: 6
  sodium_ion:
    title: Sodium-ion
    programme: true
    specific_energy_start: 120
    specific_energy_ceiling: 190
    specific_energy_progress: 0.06
    packing: 0.75
    cycle_life: {normal: [4000, 500]}
    calendar_life: 15
    cold_capacity: 85 %
    charge_rate: 3
    hazard: 0.3
    components: {hard_carbon: 1.4}
    processing_cost: 110
    processing_floor: 17
    learning_rate: {normal: [0.18, 0.02]}
    opening_experience: 2
    learns_from: {lfp: 0.5}
    first_yield: 0.7
    mature_yield: 0.94
    yield_experience: 3
    capital_cost: 100
    capital_floor: 40
    conversion_cost: {lfp: 0.1}
    build_time: 18
    conversion_time: 6
programmes:
  sodium_ion:
    stage_time: {laboratory: 1, interface: 1, conductivity: 0.5, pilot: 1.5, qualification: 1, ramp: 1}
    knowledge_from: {lfp: 0.2}
    spending: 50
segments:
  cars:
    title: Cars
    history:
      china: {2015: 10, 2018: 40, 2021: 150, 2024: 500}
      europe: {2015: 3, 2018: 9, 2021: 90, 2024: 170}
    saturation: {china: 1500, europe: 800}
    growth: 0.3
    pack_cost: {2015: 90, 2024: 25}
    cycles_per_year: 60
    service_life: 14
    minimum_specific_energy: 70
    minimum_cycle_life: 800
    minimum_cold_capacity: 0.2
    highest_hazard: 1.5
    price_sensitivity: 4
    weight: 2
    cold: 1
    charging: 0.5
    safety: 0.5
    design_in: 24
    opening_shares: {lfp: 1}
manufacturers:
  maker:
    title: Maker
    region: china
    strategy: dual_track
    capacity: {lfp: 30}
    cash: 5000
    programmes:
      sodium_ion: {stage: pilot, since: 2019}
mines:
  quarry:
    title: Quarry
    country: Australia
    resource: hard_rock
    status: producing
    capacity: 180 kt/year
    potential: 900 kt/year
    cash_cost: {lognormal: [6000, 0.15]}
    capital_cost: 20000
    lead_time: 4
"""

LIVELY_DIFFERENCES = """\
last_year: 2020
observed_until: 2017
buyers: {number: 300}
minerals:
  nickel: {title: Nickel, opening_price: 15, mean_price: 16, volatility: 0.3, reversion: 0.5}
chemistries:
  lfp: {learns_from: {sodium_ion: 0.3, nmc: 0.4}, conversion_cost: {sodium_ion: 0.1, nmc: 0.4}, opening_growth: 0.2}
  nmc:
    title: NMC
    specific_energy_start: 200
    specific_energy_ceiling: 310
    specific_energy_progress: 0.06
    packing: {2015: 0.6, 2022: 0.7}
    cycle_life: {normal: [2000, 200]}
    calendar_life: 14
    cold_capacity: 70 %
    charge_rate: 2
    hazard: 1
    lithium: 0.11
    intensity: {graphite: 1.0, nickel: 0.6}
    processing_cost: 120
    processing_floor: 20
    learning_rate: {normal: [0.18, 0.02]}
    opening_experience: 30
    learns_from: {lfp: 0.4}
    first_yield: 0.8
    mature_yield: 0.95
    yield_experience: 5
    capital_cost: 120
    capital_floor: 45
    conversion_cost: {lfp: 0.4}
    opening_growth: 0.2
    build_time: 18
    conversion_time: 9
programmes:
  sodium_ion: {stage_time: {pilot: 0.3, qualification: 0.3, ramp: 0.3}, knowledge_from: {lfp: 0}}
segments:
  cars: {opening_shares: {lfp: 0.6, nmc: 0.4}, design_in: 6, acceptance_time: 12}
  storage:
    title: Storage
    history:
      china: {2015: 1, 2018: 3, 2021: 20, 2024: 110}
      europe: {2015: 1, 2018: 3, 2021: 10, 2024: 40}
    saturation: {china: 800, europe: 300}
    growth: 0.3
    pack_cost: {2015: 120, 2024: 40}
    cycles_per_year: 250
    service_life: 18
    minimum_specific_energy: 20
    minimum_cycle_life: 1200
    minimum_cold_capacity: 0.1
    highest_hazard: 3
    price_sensitivity: 6
    weight: 0.2
    cold: 0.3
    charging: 0.1
    safety: 0.8
    design_in: 3
    acceptance_time: 12
    opening_shares: {lfp: 0.5, nmc: 0.5}
manufacturers:
  maker:
    capacity: {lfp: 40, nmc: 10}
    programmes: {sodium_ion: {stage: pilot, since: 2014}}
  rhine:
    title: Rhine
    region: europe
    strategy: lithium_incumbent
    capacity: {nmc: 20, lfp: 5}
    cash: 3000
  salt:
    title: Salt
    region: china
    strategy: sodium_specialist
    cash: 500
    programmes:
      sodium_ion: {stage: qualification, since: 2015, effort: 0.5}
mines:
  salar:
    title: Salar
    country: Chile
    resource: brine
    status: producing
    capacity: 60 kt/year
    potential: 300 kt/year
    cash_cost: {lognormal: [4000, 0.15]}
    capital_cost: 25000
    lead_time: 5
  claystone:
    title: Claystone
    country: United States
    resource: clay
    status: evaluation
    capacity: 0
    potential: 100 kt/year
    cash_cost: {lognormal: [6500, 0.2]}
    capital_cost: 20000
    lead_time: 2
    known: 2016
"""

STEERED_DIFFERENCES = """\
last_year: 2021
observed_until: 2018
unexplained: {segments: [cars], reference: nmc}
record:
  cells: {kind: cell_price, values: {2015: 210, 2016: 180, 2017: 150, 2018: 140}, error: 0}
  lithium: {kind: lithium_price, values: {2015: 9000, 2016: 11000, 2017: 16000, 2018: 17000}, error: 0}
  lithium_ends: {kind: lithium_price_year_end, values: {2015: 9500, 2016: 13000, 2017: 20000, 2018: 14000}, error: 0}
  mined: {kind: mine_output, values: {2015: 150000, 2016: 170000, 2017: 200000, 2018: 240000}, error: 0}
  nickel: {kind: mineral_price, mineral: nickel, values: {2015: 12, 2016: 10, 2017: 11, 2018: 14}, error: 0}
  lfp_china: {kind: share, region: china, chemistry: lfp, values: {2015: 0.5, 2016: 0.6, 2017: 0.7, 2018: 0.65}, error: 0}
  lfp_europe: {kind: share, region: europe, chemistry: lfp, values: {2015: 0.6, 2016: 0.5, 2017: 0.4, 2018: 0.3}, error: 0}
  quarters_china: {kind: sales_last_quarter, region: china, values: {2016: 1.4, 2017: 1.3, 2018: 1.5}, from_year: 2016, error: 0.1}
"""


def small_world_yaml(**differences: Any) -> str:
    """The small world as YAML text, with differences laid over it by name.

    ``small_world_yaml(lithium={"first_price": 9000}, policy={...})``; nested mappings overlay, everything else replaces.
    """
    if not differences:
        return SMALL_WORLD
    return as_text(_overlay(_read(SMALL_WORLD), differences))


def small_world_file(folder: Path, name: str = "small", **differences: Any) -> Path:
    """Write the small world to ``folder/NAME.yaml``."""
    file = folder / f"{name}.yaml"
    file.write_text(small_world_yaml(**differences), encoding="utf-8")
    return file


def lively_world(**differences: Any) -> World:
    """The livelier world, loaded, with differences laid over it; None removes a block.

    Sodium comes in 2015-17, the forecast begins in 2018.
    """
    return _load(as_text(_whole(_overlay(_overlay(_read(SMALL_WORLD), _read(LIVELY_DIFFERENCES)), differences))))


def steered_world(**differences: Any) -> World:
    """The livelier world held to a record of every kind from 2015 to 2018; the forecast begins in 2019."""
    return lively_world(**_overlay(_read(STEERED_DIFFERENCES), differences))


@cache
def _load(text: str) -> World:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lively.yaml"
        file.write_text(text, encoding="utf-8")
        return load(file).world


def _whole(mapping: dict[Any, Any]) -> dict[Any, Any]:
    return {key: _whole(value) if isinstance(value, dict) else value for key, value in mapping.items() if value is not None}


def _read(text: str) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(text)


def _overlay(below: dict[Any, Any], above: dict[Any, Any]) -> dict[Any, Any]:
    overlaid = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        overlaid[key] = _overlay(below[key], value) if both else value
    return overlaid
