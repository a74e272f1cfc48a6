"""The blackboard where agents meet, and the declaration of everything that is recorded.

Each agent writes its own columns and reads those of others. A column that is recorded becomes a variable of the
results: its dimensions, unit and meaning stand here and nowhere else. Realizations are the leading axis of every array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from forecast.layout import one_after_another

MONTHS = 12
PUSHES = 0.1, 10.0  # least and largest factor of an event on a market: beyond, nobody knows what years on record would have been
COST_PARTS = ("minerals", "components", "processing", "capital", "overhead")
STATUS = ("resource", "evaluation", "construction", "producing", "idle")


@dataclass(frozen=True)
class Column:
    """One quantity on the blackboard.

    dims    names of the axes after ``realization``
    unit    as UDUNITS reads it, save money (USD of 2024)
    every   "year", "month", or "" for a column that is not recorded
    how     what a year keeps of its months: "sum", "mean" or "last"
    """

    unit: str
    meaning: str
    dims: tuple[str, ...]
    every: str = "year"
    how: str = "mean"


def column(unit: str, meaning: str, *dims: str, every: str = "year", how: str = "mean") -> Column:
    """Declare a column."""
    return Column(unit, meaning, dims, every, how)


CELL = ("segment", "region", "chemistry")
LINES = ("manufacturer", "chemistry")

COLUMNS: dict[str, Column] = {
    "demand": column("GW h year-1", "Batteries wanted by buyers, before waiting orders", "segment", "region", how="sum"),
    "orders": column("GW h year-1", "Batteries ordered, waiting orders included", *CELL, how="sum"),
    "deliveries": column("GW h year-1", "Batteries delivered to buyers", *CELL, how="sum"),
    "backlog": column("GW h", "Batteries ordered and not delivered, at the end of the year", *CELL, how="last"),
    "withdrawn": column("GW h year-1", "Waiting orders that buyers gave up", "segment", "region", how="sum"),
    "stock": column("GW h", "Batteries in use at the end of the year", *CELL, how="last"),
    "retirements": column("GW h year-1", "Batteries that left use", *CELL, how="sum"),
    "application_alignment": column("1", "Share of buyers whose requirements the chemistry meets and whose products admit it", *CELL),
    "offer_price": column("USD kWh-1", "Cell price that buyers of a region meet, trade and policy included", "region", "chemistry"),
    "price": column("USD kWh-1", "Cell price posted by a maker", *LINES),
    "unit_cost": column("USD kWh-1", "Full cost of a good cell", *LINES),
    "margin": column("1", "Price over full cost, minus one", *LINES),
    "capacity": column("GW h year-1", "Cell lines in place at the end of the year", *LINES, how="last"),
    "output": column("GW h year-1", "Good cells delivered by a maker", *LINES, how="sum"),
    "utilisation": column("1", "Output over what the lines could deliver", *LINES),
    "programme_stage": column("1", "Stages passed: 0 laboratory ... 6 commercial; -1 no programme", *LINES, how="last"),
    "cash": column("1e6 USD", "Cash and credit left", "manufacturer", how="last"),
    "cost_of": column("USD kWh-1", "Parts of the full cost, mean over lines by capacity", "chemistry", "cost_part"),
    "experience": column("GW h", "Cumulative output that counts as experience", "chemistry", how="last"),
    "specific_energy": column("W h kg-1", "Specific energy of cells on sale", "chemistry"),
    "supply_chain_readiness": column("1", "Upstream and cell capacity over what orders need, at most 1", "chemistry"),
    "cost_sustainability": column("1", "Share of output sold above full cost without subsidy", "chemistry"),
    "mineral_price": column("USD kg-1", "Price of a mineral other than lithium", "mineral"),
    "component_price": column("USD kg-1", "Price of a component", "component"),
    "component_shortage": column("1", "Share of component orders that capacity cannot meet", "component"),
    "mine_output": column("t year-1", "Lithium carbonate equivalent produced", "mine", how="sum"),
    "mine_capacity": column("t year-1", "Lithium carbonate equivalent that could be produced at the end of the year", "mine", how="last"),
    "mine_status": column("1", "0 resource, 1 evaluation, 2 construction, 3 producing, 4 idle", "mine", how="last"),
    "cell_price": column("USD kWh-1", "World mean cell price by chemistry, by output (posted price where nothing is sold yet)", "chemistry", every="month"),
    "mean_cell_price": column("USD kWh-1", "World mean price of lithium-ion cells sold, by output", every="month"),
    "lithium_price": column("USD t-1", "Spot price of battery-grade lithium carbonate", every="month"),
    "lithium_contract_price": column("USD t-1", "Price of battery-grade lithium carbonate in running contracts, which yearly averages report", every="month"),
    "lithium_supply": column("t month-1", "Lithium carbonate equivalent mined", every="month", how="sum"),
    "lithium_demand": column("t month-1", "Lithium carbonate equivalent consumed", every="month", how="sum"),
    "lithium_orders": column("t month-1", "Lithium carbonate equivalent ordered, stocking included", every="month", how="sum"),
    "lithium_inventory": column("t", "Lithium carbonate equivalent in stock, upstream and downstream", every="month", how="last"),
    "lithium_revision": column("t", "Change of lithium stocks by which the replay was held to the observed price", every="month", how="sum"),
    "unexplained_lithium_price": column("1", "Logarithm of what lithium stocks are worth to traders beyond what their cover explains"),
    "unexplained_contract_price": column("1", "Logarithm of prices in lithium contracts that lagged spot prices do not explain"),
    "unexplained_cell_price": column("1", "Logarithm of cell prices that cost and margin do not explain"),
    "unexplained_mine_output": column("1", "Logarithm of mine output that the deposits do not explain"),
    "unexplained_taste": column("1", "Utility of a chemistry that its attributes do not explain, in the segments on record", "region", "chemistry"),
    "unexplained_growth": column("year-1", "Growth rate of demand beyond that of its curve, without what events do", "segment", "region"),
    "lithium_lost": column("t month-1", "Lithium carbonate equivalent, as carbonate, in raw ore of which nothing came and in ore that waited too long for converters", every="month", how="sum"),
    "lithium_recycled": column("t month-1", "Lithium carbonate equivalent from retired batteries", every="month", how="sum"),
}

BETWEEN_AGENTS: dict[str, Column] = {
    "cell_orders": column("GW h month-1", "Orders for each chemistry last month", "chemistry", every=""),
    "orders_by_region": column("GW h month-1", "Orders placed this month", "region", "chemistry", every=""),
    "cells_made": column("GW h month-1", "Cells made, scrap included", "chemistry", every=""),
    "fill": column("1", "Share of orders delivered", "segment", "chemistry", every=""),
    "lithium_wanted": column("t month-1", "Lithium carbonate equivalent that planned cells need", every=""),
    "offered": column("1", "Whether anyone sells the chemistry (0 or 1)", "chemistry", every=""),
    "makers_choice": column("1", "Logarithm of the effective number of makers", "region", "chemistry", every=""),
    "may_sell": column("1", "Whether the maker's programme has succeeded, where one is needed (0 or 1)", *LINES, every=""),
    "committed": column("GW h year-1", "Cell lines under construction", "chemistry", every=""),
    "may_build": column("1", "Whether the maker may commit its first lines (0 or 1)", *LINES, every=""),
    "programme_spending": column("1e6 USD month-1", "Spending on programmes", "manufacturer", every=""),
    "alive": column("1", "Whether the maker is in business (0 or 1)", "manufacturer", every=""),
    "component_met": column("1", "Share of component needs that can be met", "chemistry", every=""),
    "lithium_at_hand": column("t", "Lithium carbonate equivalent in downstream stock", every=""),
    "lithium_price_on_record": column("USD t-1", "Observed spot price of battery-grade carbonate; 0 where there is none", every=""),
    "lithium_price_missed": column("1", "Logarithm by which the worth of stocks misses the one that leads to the price on record", every=""),
    "mineral_price_on_record": column("USD kg-1", "Observed price of a mineral; 0 where there is none", "mineral", every=""),
    "lithium_content": column("t GWh-1", "Lithium carbonate equivalent bought per GWh of cells", "chemistry", every=""),
    "good": column("1", "Share of good cells", *LINES, every=""),
    "line_cost": column("USD year kWh-1", "Investment per yearly kWh of a new line", *LINES, every=""),
    "wanted": column("GW h month-1", "Orders that makers see, those discouraged by waiting included", *LINES, every=""),
    "discouraged": column("1", "Factor by which waiting reduced orders", "chemistry", every=""),
    "revenue": column("1e6 USD year-1", "Revenue of the last year", "manufacturer", every=""),
    "lithium_unsold": column("month", "Use that the lithium between mines and makers covers, ore included", every=""),
    "mine_coming": column("t year-1", "Output that mines will add within a year: lines that ramp and capacity that opens", every=""),
    "marginal_cost": column("USD t-1", "Cash cost below which nine tenths of running mine capacity lie", every=""),
    "subsidy": column("USD kWh-1", "Paid to buyers", *CELL, every=""),
    "tariff": column("1", "Extra price of imports", "region", "chemistry", every=""),
    "licence": column("1", "Extra price for patents", "region", "chemistry", every=""),
    "local_content": column("USD kWh-1", "Credit for cells made where they are sold", "region", every=""),
    "barred": column("1", "Share of buyers who may not buy", *CELL, every=""),
    "mineral_push": column("1", "Shock to the logarithm of price", "mineral", every=""),
    "component_cut": column("1", "Share of supply withheld", "component", every=""),
    "stockpiling": column("t year-1", "Public buying of lithium carbonate", every=""),
    "mine_cut": column("1", "Share of output lost", "mine", every=""),
    "alarm": column("1", "Added to the hazard that buyers see", "chemistry", every=""),
    "failing": column("1", "Makers that an event makes fail", "manufacturer", every=""),
    "price_push": column("1", "Logarithm of the factor on what lithium stocks are thought to be worth", every=""),
    "programme_push": column("1", "Logarithm of the factor on pass rates", "chemistry", every=""),
    "demand_push": column("1", "Logarithm of the factor on demand", "segment", "region", every=""),
    "adoption_push": column("1", "Logarithm of the factor on the odds of demand over what is left to saturation", "segment", "region", every=""),
}

DERIVED: dict[str, tuple[Column, str]] = {
    "share_of_sales": (column("1", "Share of the year's deliveries in the segment and region", *CELL), "deliveries"),
    "share_of_stock": (column("1", "Share of batteries in use in the segment and region", *CELL), "stock"),
}


class Board:
    """Columns that are kept in one way, in one piece of memory: a month of all of them is written down in one go.

    shapes        {column: lengths of its axes}
    every, how    as in ``Column``
    now           (number, realization), the columns one below the other
    kept          (time, number, realization) float32
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], realizations: int, every: str, how: str, steps: int):
        self.shapes, self.every, self.how = shapes, every, how
        ends = np.cumsum([0, *(math.prod(shape) for shape in shapes.values())])
        self.places = {name: slice(*ends[number : number + 2]) for number, name in enumerate(shapes)}
        self.now = np.zeros((ends[-1], realizations))
        self.kept = np.zeros((steps if every else 0, *self.now.shape), np.float32)
        from forecast.model import noting  # compiled code is slow to load and needed only to play

        self.add = noting.add

    def column(self, name: str) -> np.ndarray:
        """A column as it stands now, (realization, *dims); what is written into it stands on the board."""
        return self._worlds_first(name, self.now)

    def note(self, month: int) -> None:
        """Keep this month: as it is, or as its part of the year."""
        year, month_of_year = divmod(month, MONTHS)
        if self.every == "month":
            self.kept[month] = self.now
        elif self.how == "last":
            if month_of_year == MONTHS - 1:
                self.kept[year] = self.now
        else:
            self.add(self.now, self.kept[year])
            if month_of_year == MONTHS - 1 and self.how == "mean":
                self.kept[year] /= MONTHS

    def results(self) -> dict[str, np.ndarray]:
        """What was kept, name -> (realization, time, *dims)."""
        return {name: one_after_another(self._worlds_first(name, self.kept)) for name in self.shapes}

    def _worlds_first(self, name: str, numbers: np.ndarray) -> np.ndarray:
        *before, _, worlds = numbers.shape
        own = numbers[..., self.places[name], :]
        return np.moveaxis(own.reshape(*before, *self.shapes[name], worlds), -1, 0)


class Market:
    """All columns of a block of worlds.

    sizes         {dimension: length}
    realizations  how many worlds run side by side
    proclaimed    how often what policies and shocks do was written down anew
    """

    def __init__(self, sizes: dict[str, int], realizations: int, months: int, monthly: bool = False):
        self.month = self.proclaimed = 0
        kinds: dict[tuple[str, str], dict[str, tuple[int, ...]]] = {}
        for name, declared in (COLUMNS | BETWEEN_AGENTS).items():
            every = "month" if monthly and declared.every else declared.every
            alike = kinds.setdefault((every, declared.how if every == "year" else ""), {})
            alike[name] = tuple(sizes[dim] for dim in declared.dims)
        self._boards = []
        for (every, how), shapes in kinds.items():
            board = Board(shapes, realizations, every, how, months // MONTHS if every == "year" else months)
            for name in shapes:
                setattr(self, name, board.column(name))
            if every:
                self._boards.append(board)

    def record(self) -> None:
        """Write the month down."""
        for board in self._boards:
            board.note(self.month)
        self.month += 1

    def results(self) -> dict[str, np.ndarray]:
        """Everything recorded, name -> (realization, time, *dims) float32, shares included; to be asked for once, as memory is given back."""
        found: dict[str, np.ndarray] = {}
        while self._boards:
            found |= self._boards.pop().results()
        kept = {name: found[name] for name in COLUMNS}
        for name, (_, whole) in DERIVED.items():
            total = kept[whole].sum(axis=-1, keepdims=True)
            kept[name] = np.divide(kept[whole], total, out=np.zeros_like(kept[whole]), where=total > 0)
        return kept
