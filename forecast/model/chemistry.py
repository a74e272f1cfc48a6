"""Technology: what each battery chemistry is, as data; one block per chemistry, no code."""

from __future__ import annotations

from forecast.declare import Block, Path, Quantity, parameter, path, setting, table


class Chemistry(Block):
    """One battery chemistry: how good it can get, what it takes to make, who learns from whom."""

    title: str = setting("Name in pictures and tables")
    programme: bool = setting("Whether a development programme must succeed before a maker can sell it", False)
    specific_energy_start: Quantity = parameter("Wh/kg", "Cell specific energy in `reference_year`", "chemistry block", above=0)
    specific_energy_ceiling: Quantity = parameter("Wh/kg", "Cell specific energy that development approaches", "chemistry block", above=0)
    specific_energy_progress: Quantity = parameter("1/year", "Share of the gap to the ceiling closed each year", "chemistry block", at_least=0)
    reference_year: Quantity = parameter("year", "Year of the opening values of this block", "chemistry block", 2015, at_least=1900, at_most=2200)
    packing: Path = path("1", "Pack specific energy over cell specific energy; cell-to-pack designs raise it", "chemistry block", above=0, at_most=1)
    cycle_life: Quantity = parameter("cycle", "Full cycles to 80 % of capacity", "chemistry block", above=0)
    calendar_life: Quantity = parameter("year", "Years to 80 % of capacity without cycling", "chemistry block", above=0)
    cold_capacity: Quantity = parameter("1", "Capacity kept at -20 degC", "chemistry block", at_least=0, at_most=1)
    charge_rate: Quantity = parameter("1/hour", "Highest regular charge rate, in capacities per hour", "chemistry block", above=0)
    hazard: Quantity = parameter("1", "Safety hazard relative to the nickel family (nmc = 1)", "chemistry block", at_least=0)
    lithium: Quantity = parameter("kg/kWh", "Lithium metal in a cell at `specific_energy_start`", "chemistry block", 0.0, at_least=0)
    intensity: dict[str, Quantity] = table("kg/kWh", "Other minerals in a cell at `specific_energy_start`", "chemistry block", "minerals", at_least=0)
    components: dict[str, Quantity] = table("kg/kWh", "Bought components from emerging supply chains", "chemistry block", "components", at_least=0)
    processing_cost: Quantity = parameter("USD/kWh", "Other materials, processing, labour and energy at `opening_experience`", "chemistry block", at_least=0)
    processing_floor: Quantity = parameter("USD/kWh", "What engineering says processing cannot go below", "chemistry block", at_least=0)
    learning_rate: Quantity = parameter("1", "Processing cost cut per doubling of experience", "chemistry block", at_least=0, below=1)
    opening_experience: Quantity = parameter("GWh", "Cumulative output at the start that counts as experience", "chemistry block", above=0)
    learns_from: dict[str, Quantity] = table("1", "Share of another chemistry's output that counts as experience", "chemistry block", "chemistries", at_least=0, at_most=1)
    first_yield: Quantity = parameter("1", "Share of good cells on a maker's first line", "chemistry block", above=0, at_most=1)
    mature_yield: Quantity = parameter("1", "Share of good cells after the ramp", "chemistry block", above=0, at_most=1)
    yield_experience: Quantity = parameter("GWh", "Own output over which a maker closes 63 % of the yield gap", "chemistry block", above=0)
    capital_cost: Quantity = parameter("USD*year/kWh", "Investment per yearly kWh of a new line, at the start", "chemistry block", at_least=0)
    capital_floor: Quantity = parameter("USD*year/kWh", "What engineering says the investment cannot go below", "chemistry block", at_least=0)
    pack_cost_factor: Quantity = parameter("1", "Pack cost over that of lithium-ion: electronics, cooling, protection", "chemistry block", 1.0, at_least=0)
    conversion_cost: dict[str, Quantity] = table("1", "Cost of converting a line from another chemistry, as a share of a new line; chemistries left out cannot be converted", "chemistry block", "chemistries", at_least=0)
    opening_growth: Quantity = parameter("1/year", "Yearly growth of lines that is being built at the start", "chemistry block", 0.0, at_least=0, at_most=10)
    build_time: Quantity = parameter("month", "From decision to first output of a new line", "chemistry block", at_least=1)
    conversion_time: Quantity = parameter("month", "From decision to first output of a converted line", "chemistry block", at_least=1)
