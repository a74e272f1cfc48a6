"""The house rules: imports only go down, every declared number says what it is, and no file outgrows its room."""

from __future__ import annotations

import ast
import configparser
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 400

# A room is a module or a package of `forecast`. It may import rooms on lower floors, and itself.
FLOORS = {
    "__main__": 7,
    "cli": 6,
    "__init__": 6,
    "assess": 5,
    "scenario": 4,
    "ensemble": 3,
    "history": 2,
    "model": 2,
    "stopping": 2,
    "report": 1,
    "declare": 1,
    "layout": 1,
    "loading": 1,
    "streams": 1,
    "errors": 1,
    "mixing": 0,
    "special": 0,
}
# Inside `model`: (c) may use all below, an agent (b) no other agent, and what all may read (a) only its like.
LEVELS = {
    "c": ("world",),
    "b": (
        *("buyers", "lithium", "manufacturers", "minerals", "mines", "plants", "policy", "programmes", "record"),
        *("recycling", "segments", "suppliers"),
    ),
    "a": (
        *("accounts", "ageing", "building", "calendar", "chemistry", "choice", "clearing", "cost", "demand", "extraction", "geography"),
        *("instructions", "lanes", "learning", "market", "noting", "offers", "powers", "rationing", "trade"),
    ),
}
LEVEL_OF = {name: level for level, names in LEVELS.items() for name in names}

# The model has no other input than its parameters and its seed: no file, clock, screen, environment or global luck.
NOT_IN_MODEL = {
    *("xarray", "pandas", "zarr", "h5netcdf", "netCDF4", "matplotlib", "yaml", "ruamel", "pint", "click", "rich", "rich_click"),
    *("pathlib", "os", "io", "shutil", "tempfile", "glob", "json", "csv", "logging", "time", "datetime", "random"),
}
NO_NUMBERS = {("errors",), ("ensemble", "export"), ("ensemble", "manifest"), ("ensemble", "metadata")}
MATRIX_CALLS = ("np.dot", "np.matmul", "np.inner", "np.tensordot", "np.vdot")
FILE_CALLS = {
    *("open", "input", "exec", "eval", "__import__"),
    *(f"np.{name}" for name in ("load", "loadtxt", "genfromtxt", "fromfile", "memmap", "save", "savez", "savetxt")),
}

MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:root|home|Users|work|opt)\b|\.\./shared|file://|(?<!emit-)index-url")
TEXT_FILES = {".py", ".cfg", ".toml", ".md", ".txt", ".yaml", ".yml", ".csv", ".cff", ".html", ".in", ""}
NOT_OURS = {"outputs", "build", "dist", "_build", "__pycache__"}

DISTRIBUTED_AS = {"yaml": "pyyaml"}  # where a package is not installed under the name it is imported by

DECLARATIONS = {"parameter": 3, "path": 3, "table": 3, "paths": 3, "blocks": 1, "setting": 1}
SAYS = ("unit", "meaning", "source")

Rule = Callable[[Path], Iterator[str]]


def sources(root: Path) -> Iterator[tuple[tuple[str, ...], Path, ast.Module]]:
    """Name (as parts below ``forecast``), file and syntax tree of every module."""
    house = root / "forecast"
    for file in sorted(house.rglob("*.py")):
        yield file.relative_to(house).with_suffix("").parts, file, ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.Module, name: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(("forecast", *name)[: -node.level]) if node.level else ""
            base = ".".join(part for part in (above, node.module or "") if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def ours(root: Path, dotted: str) -> tuple[str, ...] | None:
    """Parts of the module of ours that a dotted name leads to: ``("model", "market")``; None for other packages."""
    first, *parts = dotted.split(".")
    if first != "forecast":
        return None
    place = root / "forecast"
    for depth, part in enumerate(parts):
        if (place / f"{part}.py").is_file():
            return tuple(parts[: depth + 1])
        if not (place / part).is_dir():
            return (*parts[:depth], "__init__")
        place = place / part
    return (*parts, "__init__")


def imports_go_down(root: Path) -> Iterator[str]:
    """No room imports a room on its own floor or above."""
    for name, file, tree in sources(root):
        room = name[0]
        if room not in FLOORS:
            yield f"{file.relative_to(root)}: give room {room} a floor"
            continue
        for line, dotted in imported(tree, name):
            target = ours(root, dotted)
            if target is None or target[0] == room:
                continue
            if FLOORS.get(target[0], 99) >= FLOORS[room]:
                yield f"{file.relative_to(root)}:{line}: {room} must not import {target[0]}"


def agents_meet_only_in_the_market(root: Path) -> Iterator[str]:
    """Inside the model (a) < (b) < (c), and no agent imports another."""
    for name, file, tree in sources(root):
        if name[0] != "model" or name[-1] == "__init__":
            continue
        level = LEVEL_OF.get(name[1])
        if level is None:
            yield f"{file.relative_to(root)}: give {name[1]} a level"
            continue
        for line, dotted in imported(tree, name):
            target = ours(root, dotted)
            if target is None or target[0] != "model" or target[1] in ("__init__", name[1]):
                continue
            other = LEVEL_OF.get(target[1], "c")
            if other > level or (other == level and level != "a"):
                yield f"{file.relative_to(root)}:{line}: {name[1]} ({level}) must not import {target[1]} ({other})"


def pictures_know_nothing_of_us(root: Path) -> Iterator[str]:
    """The report room imports nothing of ours but itself."""
    for name, file, tree in sources(root):
        if name[0] == "report":
            for line, dotted in imported(tree, name):
                if (target := ours(root, dotted)) and target[0] != "report":
                    yield f"{file.relative_to(root)}:{line}: report must not import {dotted}"


def the_model_touches_no_files(root: Path) -> Iterator[str]:
    """The model has no input but its arguments."""
    for name, file, tree in sources(root):
        if name[0] != "model":
            continue
        for line, dotted in imported(tree, name):
            if dotted.split(".")[0] in NOT_IN_MODEL:
                yield f"{file.relative_to(root)}:{line}: model must not import {dotted}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in FILE_CALLS:
                yield f"{file.relative_to(root)}:{node.lineno}: model must not call {ast.unparse(node.func)}"
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random"):
                yield f"{file.relative_to(root)}:{node.lineno}: model must take its luck from forecast.streams"


def the_model_multiplies_no_matrices(root: Path) -> Iterator[str]:
    """Products of matrices round otherwise in larger blocks; a world must be the same in any."""
    for name, file, tree in sources(root):
        for node in ast.walk(tree) if name[0] == "model" else ():
            product = isinstance(node, ast.Call) and ast.unparse(node.func) in MATRIX_CALLS
            if product or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)):
                yield f"{file.relative_to(root)}:{node.lineno}: product of matrices"


def numbers_depend_on_no_other_code(root: Path) -> Iterator[str]:
    """An unfinished run is continued by the same code alone: what the engine imports is part of it."""
    plan = root / "forecast/ensemble/plan.py"
    code = ast.parse(plan.read_text(encoding="utf-8")).body if plan.is_file() else ast.parse("ENGINE = ('model',)").body
    (engine,) = [ast.literal_eval(line.value) for line in code if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "ENGINE"]

    def is_engine(name: tuple[str, ...]) -> bool:
        return f"{'/'.join(name)}.py" in engine or name[0] in engine

    for name, file, tree in sources(root):
        for line, dotted in imported(tree, name) if is_engine(name) else ():
            target = ours(root, dotted)
            if target and target not in NO_NUMBERS and not is_engine(target):
                yield f"{file.relative_to(root)}:{line}: numbers depend on {'/'.join(target)}, which is not in ENGINE"


def only_the_command_line_prints(root: Path) -> Iterator[str]:
    """Nothing below the command line writes to the screen."""
    for name, file, tree in sources(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and name[0] != "cli":
                yield f"{file.relative_to(root)}:{node.lineno}: print"


def no_except_is_bare(root: Path) -> Iterator[str]:
    """Every handler names what it handles."""
    for _, file, tree in sources(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield f"{file.relative_to(root)}:{node.lineno}: bare except"


def no_file_is_too_long(root: Path) -> Iterator[str]:
    """A file longer than this hides two concepts."""
    for file in sorted(file for room in ("forecast", "docs") for file in (root / room).rglob("*.py")):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            yield f"{file.relative_to(root)}: {lines} lines, at most {LONGEST_FILE}"


def no_place_on_a_machine_is_mentioned(root: Path) -> Iterator[str]:
    """The project reads the same on every machine."""
    for folder, folders, files in walk(root):
        folders[:] = [f for f in folders if f == ".ci" or not (f in NOT_OURS or f.startswith(".") or f.endswith(".egg-info"))]
        for file in sorted(folder / f for f in files):
            if file.suffix not in TEXT_FILES or file == Path(__file__):
                continue
            for line, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if found := MACHINE_PATH.search(text):
                    yield f"{file.relative_to(root)}:{line}: {found.group()}"


def every_declared_number_says_what_it_is(root: Path) -> Iterator[str]:
    """Each parameter of the model has a unit, a meaning and a source."""
    for name, file, tree in sources(root):
        if name[0] != "model":
            continue
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DECLARATIONS):
                continue
            needed = SAYS if DECLARATIONS[node.func.id] == len(SAYS) else ("meaning",)
            given = dict(zip(needed, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
            for word in needed:
                text = given.get(word)
                if text is None or (isinstance(text, ast.Constant) and not str(text.value or "").strip()):
                    yield f"{file.relative_to(root)}:{node.lineno}: {node.func.id} without {word}"


def every_assumed_number_is_uncertain(root: Path) -> Iterator[str]:
    """A default that is an assumption has a prior beside its value."""
    for name, file, tree in sources(root):
        for node in ast.walk(tree):
            if name[0] != "model" or not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "parameter"):
                continue
            given = dict(zip((*SAYS, "default", "prior"), node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
            if "default" in given and "assumption" in ast.unparse(given["source"]) and "prior" not in given:
                yield f"{file.relative_to(root)}:{node.lineno}: an assumption without a prior"


def every_package_is_installed(root: Path) -> Iterator[str]:
    """Folders with code or scenarios are in setup.cfg, so that a wheel holds them."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    listed = set(config["options"]["packages"].split())
    code = {file.parent.relative_to(root) for file in (root / "forecast").rglob("*.py")}
    scenarios = {"forecast" / file.parent.relative_to(root) for file in (root / "scenarios").rglob("*.yaml")}
    for folder in sorted(code | scenarios):
        if ".".join(folder.parts) not in listed:
            yield f"setup.cfg: packages lacks {'.'.join(folder.parts)}"


def every_import_is_required(root: Path) -> Iterator[str]:
    """What the code imports is named in setup.cfg, not only brought along by something else."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    wanted = config["options"]["install_requires"] + "".join(config["options.extras_require"].values())
    named = {re.split(r"[^\w.-]", line)[0].lower().split(".")[0].replace("-", "_") for line in wanted.split()}
    for name, file, tree in sources(root):
        for line, dotted in imported(tree, name):
            package = dotted.split(".")[0]
            asked = DISTRIBUTED_AS.get(package, package.lower())
            if package not in sys.stdlib_module_names | {"forecast", "__future__"} and asked not in named:
                yield f"{file.relative_to(root)}:{line}: setup.cfg does not require {package}"


def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    import os  # Path.walk came with Python 3.12

    yield from ((Path(folder), folders, files) for folder, folders, files in os.walk(root))


RULES: list[Rule] = [
    imports_go_down,
    agents_meet_only_in_the_market,
    pictures_know_nothing_of_us,
    the_model_touches_no_files,
    the_model_multiplies_no_matrices,
    numbers_depend_on_no_other_code,
    only_the_command_line_prints,
    no_except_is_bare,
    no_file_is_too_long,
    no_place_on_a_machine_is_mentioned,
    every_declared_number_says_what_it_is,
    every_assumed_number_is_uncertain,
    every_package_is_installed,
    every_import_is_required,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Rule):
    assert list(rule(ROOT)) == []


VIOLATIONS = {
    "a lower floor imports a higher one": (imports_go_down, "forecast/model/market.py", "from forecast.assess import scores"),
    "a function imports upwards": (imports_go_down, "forecast/history/x.py", "def f():\n    import forecast.cli"),
    "two rooms of one floor": (imports_go_down, "forecast/history/x.py", "from forecast.model import market"),
    "a relative import upwards": (imports_go_down, "forecast/model/market.py", "from ..scenario import load"),
    "a low room imports the face": (imports_go_down, "forecast/model/market.py", "from forecast import run_ensemble"),
    "a room without a floor": (imports_go_down, "forecast/attic.py", ""),
    "an agent imports an agent": (agents_meet_only_in_the_market, "forecast/model/mines.py", "from forecast.model import buyers"),
    "an agent imports an agent's name": (agents_meet_only_in_the_market, "forecast/model/mines.py", "from forecast.model.buyers import X"),
    "the market imports an agent": (agents_meet_only_in_the_market, "forecast/model/market.py", "from .mines import Mine"),
    "an agent imports the world": (agents_meet_only_in_the_market, "forecast/model/mines.py", "from forecast.model import world"),
    "a kind of agent without a level": (agents_meet_only_in_the_market, "forecast/model/brokers.py", ""),
    "report imports ours": (pictures_know_nothing_of_us, "forecast/report/plots.py", "from forecast.declare import Block"),
    "the model imports xarray": (the_model_touches_no_files, "forecast/model/market.py", "import xarray as xr"),
    "the model opens a file": (the_model_touches_no_files, "forecast/model/market.py", "x = open('x')"),
    "the model loads an array": (the_model_touches_no_files, "forecast/model/market.py", "x = np.load('x')"),
    "the model multiplies matrices": (the_model_multiplies_no_matrices, "forecast/model/market.py", "x = [1] @ y"),
    "the model calls for a product": (the_model_multiplies_no_matrices, "forecast/model/market.py", "x = np.dot(y, y)"),
    "the model has luck of its own": (the_model_touches_no_files, "forecast/model/market.py", "x = np.random.rand()"),
    "the model uses other code": (numbers_depend_on_no_other_code, "forecast/model/market.py", "from forecast.scenario import load"),
    "the model uses another room": (numbers_depend_on_no_other_code, "forecast/model/market.py", "from forecast.history import observed"),
    "an agent prints": (only_the_command_line_prints, "forecast/model/market.py", "print('hello')"),
    "a bare except": (no_except_is_bare, "forecast/scenario.py", "try:\n    pass\nexcept:\n    pass"),
    "a long file": (no_file_is_too_long, "forecast/scenario.py", "x = 1\n" * 401),
    "a long script of a page": (no_file_is_too_long, "docs/x.py", "x = 1\n" * 401),
    "a path of one machine": (no_place_on_a_machine_is_mentioned, "docs/x.md", "see `" + "/home" + "/somebody/data`"),
    "a number without a unit": (every_declared_number_says_what_it_is, "forecast/model/mines.py", "x = parameter('', 'm', 's', 1)"),
    "a number without a source": (every_declared_number_says_what_it_is, "forecast/model/mines.py", "x = parameter('kg', 'm', source=' ')"),
    "a path without a meaning": (every_declared_number_says_what_it_is, "forecast/model/mines.py", "x = path('kg')"),
    "a certain assumption": (every_assumed_number_is_uncertain, "forecast/model/mines.py", "x = parameter('1', 'm', 'assumption', 1)"),
    "a folder that no wheel holds": (every_package_is_installed, "forecast/history/old/x.py", ""),
    "an import that setup.cfg does not know": (every_import_is_required, "forecast/scenario.py", "import tomlkit"),
    "scenarios that no wheel holds": (every_package_is_installed, "scenarios/more/x.yaml", ""),
}


@pytest.fixture
def sound_house(tmp_path):
    """A tiny tree that breaks no rule."""
    for room in ("assess", "ensemble", "history", "model", "report"):
        (tmp_path / "forecast" / room).mkdir(parents=True)
        (tmp_path / "forecast" / room / "__init__.py").touch()
    for module in ("__init__", "cli", "scenario", "declare", "assess/scores", *(f"model/{name}" for name in LEVEL_OF)):
        (tmp_path / "forecast" / f"{module}.py").touch()
    (tmp_path / "forecast/model/mines.py").write_text("from forecast.model.market import X\nx = parameter('kg', 'Mass', 'a book', 1)\n")
    (tmp_path / "setup.cfg").write_text((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    (tmp_path / "docs").mkdir()
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_house_passes(rule: Rule, sound_house):
    assert list(rule(sound_house)) == []


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_is_caught(violation, sound_house):
    rule, file, text = VIOLATIONS[violation]
    place = sound_house / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    assert any(file.rsplit("/", 1)[0].replace("/", ".") in p or file in p for p in rule(sound_house)), list(rule(sound_house))


def test_every_rule_has_been_seen_to_fail():
    assert {rule for rule, _, _ in VIOLATIONS.values()} == set(RULES)


def test_pyproject_holds_only_the_build_system():
    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))) == {"build-system"}
