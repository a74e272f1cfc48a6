"""How the pages are built: `make docs`."""

from importlib.metadata import version as installed_version

project = "battery-forecast"
author = "The battery-forecast developers"
copyright = "The battery-forecast developers, MIT licence"
version = release = installed_version("battery-forecast")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # examples are run by the tests
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"battery-forecast {version}"
html_show_sphinx = False
