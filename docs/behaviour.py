"""Write behaviour.md: what the model must show, measured on runs of the shipped scenarios (`make behaviour`).

    python docs/behaviour.py OUTPUTS

Every claim has a rule; the verdict is computed from the runs, good or bad.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from claims.adoption import AHEAD
from claims.claim import Claim
from claims.effects import EFFECTS
from claims.history import HELD, REPLAY
from claims.run import Run
from forecast.assess.pictures import observed_past
from forecast.errors import ForecastError, StoreError
from forecast.report import plots
from forecast.scenario import names
from writing import save, table

PAGE = Path(__file__).parent / "behaviour.md"
FEW = 50
SECTIONS = (REPLAY, HELD, AHEAD, EFFECTS)
CLAIMS = [claim for section in SECTIONS for claim in section.claims]


def write(outputs: Path, page: Path = PAGE) -> str:
    """Measure all claims on the runs in a folder and write the page and its pictures; returns the text."""
    runs, missing = found_runs(outputs)
    if "baseline" not in runs:
        raise StoreError(f"{outputs.name}: no finished run of baseline in it; make one with: make scenarios")
    verdicts, parts = [], []
    for section in SECTIONS:
        parts.append(f"## {section.title}")
        for each in section.claims:
            verdict, body = judged(each, runs, page)
            verdicts.append((each.title, verdict))
            parts.append(f"### {each.title}\n\n{each.rule}\n\n**{verdict.capitalize()}.**\n\n{body}")
    overview = plots.overview(runs["baseline"].results, observed_past())
    save(overview, page.parent / "pictures" / "overview.png")
    text = "\n\n".join(part.strip() for part in (front(runs, missing, verdicts), *parts)) + "\n"
    page.write_text(text, encoding="utf-8")
    return text


def found_runs(outputs: Path) -> tuple[dict[str, Run], list[str]]:
    """Finished runs by scenario, and the names of those that are missing."""
    runs, missing = {}, []
    for name in names():
        try:
            runs[name] = Run(outputs / name)
        except StoreError:
            missing.append(name)
    return runs, missing


def judged(each: Claim, runs: dict[str, Run], page: Path) -> tuple[str, str]:
    """Verdict and measured text of a claim, its picture written."""
    absent = [name for name in each.needs if name not in runs]
    if absent:
        return "cannot be said", f"Missing runs: {', '.join(absent)}."
    found = each.measure(runs)
    body = found.text
    if found.picture is not None:
        name = re.sub(r"[^a-z0-9]+", "-", each.title.lower())[:48].strip("-")
        body += f"\n\n![{each.title}](pictures/{name}.png)"
        save(found.picture, page.parent / "pictures" / f"{name}.png")
    return ("holds" if found.holds else "does not hold"), body


def front(runs: dict[str, Run], missing: list[str], verdicts: list[tuple[str, str]]) -> str:
    """What the page is, on which runs it stands, and all verdicts."""
    results = runs["baseline"].results
    worlds, seed = results.sizes["realization"], results.attrs["seed"]
    lines = [
        "# What the model shows",
        "This page is made by `make behaviour` from runs of the shipped scenarios. Claims, rules and numbers are printed whether they "
        "hold or not. The past is judged in the scenario `unguided`, which is not held to the record as the others are. It was looked at "
        "while the model was designed and its parameters were learned from it: this is no test of skill; the "
        "[track record](track-record.md) is. Terms are explained in [concepts](concepts.md).",
        f"Runs: {', '.join(runs)}; the baseline has {worlds} realizations, seed {seed}. Missing: {', '.join(missing) or 'none'}.",
    ]
    if worlds < FEW:
        lines.append(f"**Only {worlds} realizations: too few to take these numbers as evidence. Run `make behaviour` again.**")
    held = sum(verdict == "holds" for _, verdict in verdicts)
    lines.append(f"{held} of {len(verdicts)} claims hold. Intervals in brackets are the 5 and 95 % quantiles over realizations.")
    lines.append(table(("claim", "verdict"), [(f"[{title}](#{anchor(title)})", verdict) for title, verdict in verdicts]))
    return "\n\n".join(lines)


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def main(outputs: str = "outputs") -> None:
    """Write the page and say how it went."""
    try:
        text = write(Path(outputs))
    except ForecastError as error:
        sys.exit(str(error))
    summary = text.split("## ")[0]
    for row in re.findall(r"^\| \[(.+?)\]\(.*\) \| (does not hold|cannot be said) \|$", summary, re.MULTILINE):
        click.echo(f"{row[1]}: {row[0]}")
    click.echo(f"docs/{PAGE.name}: {summary.count('| holds |')} of {len(CLAIMS)} claims hold")


if __name__ == "__main__":
    main(*sys.argv[1:2])
