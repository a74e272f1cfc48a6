"""Policy and shocks: dated events that the scenario names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from forecast.declare import Block, Quantity, parameter, setting
from forecast.layout import blank
from forecast.model.calendar import DAYS_PER_MONTH, MONTHS_PER_YEAR, PROCLAIM, on
from forecast.model.market import PUSHES

KINDS = {
    "subsidy": "lowers the price that buyers in `regions` pay, USD/kWh; `minimum_specific_energy` limits it to cells above it",
    "tariff": "raises the price of cells made outside `regions` and sold in them, share of price",
    "local_content": "lowers the price of cells made in `regions` and sold there, USD/kWh",
    "licence": "raises the cost of `chemistries` sold in `regions`, share of price (patents, royalties)",
    "mandate": "share of buyers in `segments` who may only buy `chemistries`",
    "ban": "share of buyers in `segments` who may not buy `chemistries`",
    "export_control": "multiplies the price of `minerals` by `size`, or takes the share `size` of the supply of `components`",
    "stockpile": "buys lithium into a public stock (negative: sells), t/year",
    "mine_outage": "takes the share of output from the mines named",
    "incident": "raises the hazard that buyers see in `chemistries`",
    "bankruptcy": "the maker named fails; its lines go to others",
    "lithium_price": "multiplies by `size` what traders think lithium stocks are worth (a scare or a rush outside the model)",
    "programme": "multiplies the pass rate of programmes on `chemistries`",
    "demand": "multiplies demand in `segments` and `regions` by `size`, from 0.1 to 10; yearly figures on record hold what it did",
    "adoption": "moves the markets of `segments` and `regions` along their curves: multiplies demand by `size`, from 0.1 to 10, while they "
    "are far from saturation, and does not move saturation; yearly figures on record hold what it did",
}

EFFECTS = (
    "subsidy", "tariff", "licence", "local_content", "barred", "mineral_push", "component_cut", "stockpiling",
    "mine_cut", "alarm", "failing", "price_push", "programme_push", "demand_push", "adoption_push",
)  # fmt: skip


class Event(Block):
    """One policy or shock; empty lists mean all."""

    kind: Literal[tuple(KINDS)] = setting("What happens: " + "; ".join(f"{kind} {what}" for kind, what in KINDS.items()))  # type: ignore[valid-type]
    start: Quantity = parameter("year", "First day, decimal year", "event block", at_least=1900, at_most=2200)
    end: Quantity = parameter("year", "Last day, decimal year", "event block", 2100, at_least=1900, at_most=2200)
    announced: Quantity = parameter("year", "Day from which it was known that it would come, decimal year; 0: its first day", "event block", 0, at_least=0)
    announced_end: Quantity = parameter("year", "Last day as first announced, where that changed later; 0: it did not", "event block", 0, at_least=0)
    size: Quantity = parameter("1", "How much, in the unit that the kind names", "event block", 1.0, at_least=-1e9, at_most=1e9)
    minimum_specific_energy: Quantity = parameter("Wh/kg", "For subsidies: cells below it get nothing", "event block", 0.0, at_least=0)
    regions: list[str] = setting("Regions touched", list())
    chemistries: list[str] = setting("Chemistries touched", list())
    segments: list[str] = setting("Segments touched", list())
    mines: list[str] = setting("Mines touched", list())
    manufacturers: list[str] = setting("Makers touched", list())
    minerals: list[str] = setting("Minerals touched", list())
    components: list[str] = setting("Components touched", list())
    source: str = setting("Where it is known from", "")


class Policy:
    """Dated policies and shocks; what is in force stands on the blackboard until something begins, ends or reaches other cells."""

    def __init__(self, parameters):
        self.events, self.first_year = parameters.policy, parameters.first_year
        names = {"regions": parameters.regions, "chemistries": parameters.chemistries, "segments": parameters.segments, "mines": parameters.mines}
        names |= {"manufacturers": parameters.manufacturers, "minerals": parameters.minerals, "components": parameters.components}
        self.chosen = {axis: self._chosen(getattr(self.events, axis), owner.names) for axis, owner in names.items()}
        self.in_force, self.next_change = blank(self.events.start.shape, False, bool), -np.inf
        self.choosy = [row for row, kind in enumerate(self.events.kind) if kind == "subsidy" and (self.events.minimum_specific_energy[:, row] > 0).any()]
        self.reached = self._reached(np.zeros((parameters.size, len(parameters.chemistries.names))))

    @staticmethod
    def _chosen(lists, names) -> np.ndarray:
        """Which names each event touches, (event, name) of 0 and 1; an empty list means all."""
        return np.array([[not chosen or name in chosen for name in names] for chosen in lists], float).reshape(len(lists), len(names))

    def run(self, env, market):
        """Each month, see what has begun, what has ended and which cells have become good enough for a subsidy."""
        while True:
            yield on(env, PROCLAIM)
            year = self.first_year + env.now / DAYS_PER_MONTH / MONTHS_PER_YEAR
            if year >= self.next_change and not np.array_equal(self.in_force, in_force := self.now_in_force(year)):
                self.in_force = in_force
                self.proclaim(market)
            elif self.in_force[:, self.choosy].any() and not np.array_equal(self.reached, self._reached(market.specific_energy)):
                self.proclaim(market, ["subsidy"])

    def now_in_force(self, year: float) -> np.ndarray:
        """Which events are in force, (realization, event); notes when that may change."""
        dates = np.stack([self.events.start, self.events.end])
        self.next_change = np.min(dates, initial=np.inf, where=dates > year)
        return (self.events.start <= year) & (year < self.events.end)

    def _reached(self, specific_energy: np.ndarray) -> np.ndarray:
        """Which chemistries are good enough for each subsidy that asks for a specific energy, (realization, event, chemistry)."""
        return specific_energy[:, None, :] >= self.events.minimum_specific_energy[:, self.choosy, None]

    def proclaim(self, market, effects: Sequence[str] = EFFECTS) -> None:
        """Wipe effects off the blackboard, and write down all of them that are in force."""
        self.reached = self._reached(market.specific_energy)
        market.proclaimed += 1
        for name in effects:
            getattr(market, name)[...] = 0.0
        for row, in_force in enumerate(self.in_force.T):
            if in_force.any() and (effects is EFFECTS or self.events.kind[row] in effects):
                self.apply(market, row, in_force * self.events.size[:, row], in_force)

    def apply(self, market, row: int, size: np.ndarray, in_force: np.ndarray) -> None:
        """Add one event's effect to the blackboard.

        size      (realization,)  zero where not in force
        in_force  (realization,)  bool
        """
        kind = self.events.kind[row]
        on_ = {axis: chosen[row] for axis, chosen in self.chosen.items()}
        factor = np.log(np.where(in_force, np.maximum(self.events.size[:, row], 1e-6), 1.0))
        cells = [np.flatnonzero(on_[axis]) for axis in ("segments", "regions", "chemistries")]  # most events touch few
        match kind:
            case "subsidy":
                good = market.specific_energy >= self.events.minimum_specific_energy[:, row, None]
                market.subsidy[:, *np.ix_(*cells)] += (size[:, None] * good[:, cells[-1]])[:, None, None, :]
            case "tariff":
                market.tariff += size[:, None, None] * np.outer(on_["regions"], on_["chemistries"])
            case "licence":
                market.licence += size[:, None, None] * np.outer(on_["regions"], on_["chemistries"])
            case "local_content":
                market.local_content += size[:, None] * on_["regions"]
            case "ban":
                market.barred[:, *np.ix_(*cells)] += size[:, None, None, None]
            case "mandate":
                cells[-1] = np.flatnonzero(on_["chemistries"] == 0)
                market.barred[:, *np.ix_(*cells)] += size[:, None, None, None]
            case "export_control":
                market.mineral_push += factor[:, None] * on_["minerals"] * bool(self.events.minerals[row])
                market.component_cut += size[:, None] * on_["components"] * bool(self.events.components[row])
            case "stockpile":
                market.stockpiling += size
            case "mine_outage":
                market.mine_cut += size[:, None] * on_["mines"]
            case "incident":
                market.alarm += size[:, None] * on_["chemistries"]
            case "bankruptcy":
                market.failing += in_force[:, None] * on_["manufacturers"]
            case "lithium_price":
                market.price_push += factor
            case "programme":
                market.programme_push += factor[:, None] * on_["chemistries"]
            case "demand" | "adoption":
                push = getattr(market, f"{kind}_push")
                push += np.clip(factor, *np.log(PUSHES))[:, None, None] * np.outer(on_["segments"], on_["regions"])
