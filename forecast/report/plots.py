"""Every picture: a results dataset comes in, a matplotlib figure goes out.

Observed values are plain mappings {year: value}. Matplotlib is imported when the first picture is drawn.
"""

from forecast.report.adoption import adoption_fan, adoption_fans, chemistry_stack, chemistry_stacks, region_shares
from forecast.report.markets import cell_price_paths, lithium_price_fan, programme_entries, scenario_comparison
from forecast.report.overviews import history_panel, overview
from forecast.report.style import COLOURS, colour, label, save

__all__ = [
    "COLOURS",
    "adoption_fan",
    "adoption_fans",
    "cell_price_paths",
    "chemistry_stack",
    "chemistry_stacks",
    "colour",
    "history_panel",
    "label",
    "lithium_price_fan",
    "overview",
    "programme_entries",
    "region_shares",
    "save",
    "scenario_comparison",
]
