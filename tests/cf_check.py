"""Check netCDF files against CF-1.11 with an independent checker: ``python tests/cf_check.py FILE...``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CONVENTION = "cf:1.11"
EXCEPTIONS = {
    r'units for \w+, "[^"]*\bUSD\b[^"]*" are not recognized by UDUNITS': "UDUNITS knows no money",
    r"spatio-temporal dimensions are not in the recommended order": "the realization leads every array",
}
"""Findings that we answer for, and why."""


def findings(file: Path) -> list[str]:
    """Everything that the checker says of a file, section first; RuntimeError if it does not finish."""
    checker = Path(sys.executable).with_name("compliance-checker")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [checker, f"--test={CONVENTION}", "--format=json", f"--output={report}", str(file)]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        if not report.is_file():
            raise RuntimeError(f"{file}: the checker failed: {finished.stderr.strip()}")
        checks = json.loads(report.read_text(encoding="utf-8"))[CONVENTION]["all_priorities"]
    return sorted(f"{check['name']}: {message}" for check in checks for message in check["msgs"])


def reason(finding: str) -> str:
    """Why a finding is excepted; empty if it is not."""
    return next((why for pattern, why in EXCEPTIONS.items() if re.search(pattern, finding)), "")


def main(files: list[str]) -> int:
    """Print what is wrong, and how often each exception was used; 1 if anything is wrong."""
    wrong = 0
    for file in files:
        found = findings(Path(file))
        excepted = [why for finding in found if (why := reason(finding))]
        for finding in (f for f in found if not reason(f)):
            print(f"{file}: {finding}")
            wrong += 1
        used = ", ".join(f"{why} ({excepted.count(why)})" for why in sorted(set(excepted)))
        print(f"{file}: {len(found) - len(excepted)} problems in {CONVENTION}; excepted: {used or 'nothing'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
