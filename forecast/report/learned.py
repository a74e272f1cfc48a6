"""Picture of a calibration: what the data say of each parameter."""

from __future__ import annotations

import numpy as np
import xarray as xr

from forecast.report.style import CYCLE, FAINT, INK, canvas, styled

MOST = 30
NINETY = 1.645
ROW = 0.19


@styled
def identified(diagnostics: xr.Dataset, title: str, most: int = MOST):
    """The parameters about which the data say most: 90 % interval before and after, in standard deviations before.

    diagnostics  ``kept`` and ``shift`` (parameter); ``surprise`` (stage, draw, datum)
    """
    order = np.argsort(diagnostics["kept"].values, kind="stable")[:most][::-1]
    names = diagnostics["parameter"].values[order].tolist()
    kept, shift = diagnostics["kept"].values[order], diagnostics["shift"].values[order]
    about = xr.Dataset(coords={"realization": np.arange(diagnostics.sizes["draw"])}, attrs={})
    note = "Grey: 90 % of the prior; blue: after the data"
    figure = canvas(8.6, 1.5 + ROW * len(names), title, about, note)
    axes = figure.subplots()
    rows = np.arange(len(names))
    axes.barh(rows, 2 * NINETY, left=-NINETY, height=0.82, color="#ececec")
    axes.barh(rows, 2 * NINETY * kept, left=shift - NINETY * kept, height=0.5, color=CYCLE[1], alpha=0.75)
    axes.plot(shift, rows, linestyle="", marker="|", color="white", markersize=7)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(rows, names)
    axes.set_xlabel("standard deviations of the prior", color=FAINT)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.margins(y=0.01)
    return figure
