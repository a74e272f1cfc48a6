"""How the pages that are made write numbers, tables and pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

DPI = 80
COLOURS = 96


def percent(value: float, digits: int = 0) -> str:
    return f"{100 * float(value):.{digits}f} %"


def spread(values: np.ndarray | xr.DataArray, form: str = "{:.0f}", scale: float = 1.0) -> str:
    """Median with the 5 and 95 % quantile."""
    low, middle, high = np.quantile(np.asarray(values, float) * scale, (0.05, 0.5, 0.95))
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def save(figure: Any, file: Path) -> None:
    """Write a small picture of few colours; the same figure gives the same bytes."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    figure.clear()
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, optimize=True)
