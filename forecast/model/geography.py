"""Regions: climate and the cost of making and moving cells."""

from __future__ import annotations

from forecast.declare import Block, Quantity, parameter, setting, table


class Region(Block):
    """One of the world's markets."""

    title: str = setting("Name in pictures and tables")
    winter: Quantity = parameter("1", "Weight of cold in use: 0 never below 0 degC, 1 long winters at -20 degC", "region block", at_least=0, at_most=1)
    range_taste: Quantity = parameter("1", "How much more buyers here value specific energy than elsewhere", "region block", 1.0, above=0)
    cost_factor: Quantity = parameter("1", "Processing and capital cost of lines built here over those in China", "region block", above=0)
    import_cost: dict[str, Quantity] = table("1", "Extra cost of cells that come from another region, as a share of price", "region block", "regions", at_least=0)
