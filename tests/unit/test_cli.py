"""Every command says what it does, and errors are one message and an exit code."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import click
import fake_world
import pytest
import xarray as xr

from forecast import cli
from forecast.assess import compare as comparing
from forecast.assess import curves, milestones, pictures, produce
from forecast.cli import face
from forecast.ensemble import plan, store
from forecast.ensemble.execute import Outcome, run
from forecast.errors import ForecastError, Interrupted, LockedError, RealizationError, ScenarioError, StoreError
from forecast.scenario import load
from tests.posteriors import posterior_file
from tests.small_world import small_world_file

COMMANDS = ["run", "verify", "list", "show", "validate", "schema", "milestones", "curves", "compare", "plot", "export"]
COMMANDS += ["calibrate", "hindcast"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of the small world."""
    place = tmp_path_factory.mktemp("results") / "odd näme [1] & more"
    run(fake_world.plan(), place, workers=1, simulate=fake_world.simulate)
    return place


@pytest.fixture(autouse=True)
def _no_debugging():
    yield
    face._seen[face.DEBUG] = False


def program(*arguments, **environment):
    """The program as a user starts it."""
    command = [sys.executable, "-m", "forecast", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=os.environ | environment, timeout=60)


def test_every_command_has_help_with_an_example(capsys):
    assert list(cli.cli.commands) == COMMANDS
    for name in COMMANDS:
        assert cli.status([name, "--help"]) == 0
        assert f"\n  forecast {name}" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = "import sys; from forecast.cli import status; status(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()[-1].split()
    assert not {"numpy", "xarray", "pydantic", "zarr", "rich", "matplotlib"} & set(loaded)


def test_validating_imports_nothing_that_only_playing_needs():
    code = "import sys; from forecast.cli import status; status(['validate', 'baseline']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()[-1].split()
    assert "pydantic" in loaded
    assert not {"numba", "scipy", "xarray", "zarr", "pandas", "matplotlib"} & set(loaded)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ForecastError("a"), 1),
        (ScenarioError(["a", "b"]), 3),
        (StoreError("a"), 4),
        (LockedError("a"), 5),
        (RealizationError("a"), 6),
        (Interrupted("a"), 130),
        (KeyboardInterrupt(), 130),
        (click.UsageError("a"), 2),
    ],
)
def test_each_kind_of_error_is_one_message_and_its_code(error, code, capsys):
    def fail():
        raise error

    assert cli.exit_code(fail) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert 0 < len(shown.err.splitlines()) <= 2
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    "line",
    [
        "run",
        "run a -n 0",
        "run a --realizations -5",
        "fly",
        "run a --fly",
        "run a -n many",
        "run a --workers 0",
        "compare x",
        "export x --format x",
    ],
)
def test_wrong_usage_is_exit_code_2(line, capsys):
    assert cli.status(line.split()) == 2
    assert capsys.readouterr().err


def test_debug_shows_where_an_error_came_from(tmp_path, capsys):
    assert cli.status(["plot", str(tmp_path / "none")]) == 4
    for arguments in (["--debug", "plot", str(tmp_path / "none")], ["plot", str(tmp_path / "none"), "--debug"]):
        with pytest.raises(StoreError):
            cli.status(arguments)


@pytest.mark.parametrize("command", ["milestones", "curves", "plot", "export", "verify"])
def test_a_folder_without_results_is_exit_code_4(command, tmp_path, capsys):
    assert cli.status([command, str(tmp_path)]) == 4
    assert str(tmp_path) in capsys.readouterr().err


@pytest.fixture
def runs(monkeypatch):
    """What `forecast run` asks for, without running it."""
    asked = []

    def run_ensemble(scenario, realizations, seed, **options):
        asked.append({"scenario": scenario.name, "realizations": realizations, "seed": seed} | options)
        return Outcome(options["folder"], realizations, [], 1.0, realizations)

    monkeypatch.setattr(produce, "run_ensemble", run_ensemble)

    def load(name, changes):
        return SimpleNamespace(name=name.removesuffix(".yaml"), files=(), posterior=None)

    monkeypatch.setattr("forecast.scenario.load", load)
    return asked


def test_run_has_defaults_that_need_no_option(runs, capsys):
    assert cli.status(["run", "baseline"]) == 0
    asked = runs[0]
    assert (asked["realizations"], asked["seed"], asked["workers"], str(asked["folder"])) == (100, 1, None, "outputs/baseline")
    assert (asked["resume"], asked["force"], asked["monthly"], asked["pictures"]) == (False, False, False, None)
    assert "outputs/baseline: 100 realizations" in capsys.readouterr().out


def test_one_run_goes_to_the_folder_and_several_below_it(runs):
    cli.status(["run", "a", "--output", "x"])
    cli.status(["run", "a", "b", "--output", "x"])
    assert [str(asked["folder"]) for asked in runs] == ["x", "x/a", "x/b"]


def test_two_scenarios_of_one_name_do_not_share_a_folder(runs, capsys):
    assert cli.status(["run", "a", "a.yaml"]) == 2
    assert runs == []


def test_failed_realizations_are_listed_and_exit_code_6(runs, monkeypatch, capsys):
    failed = [{"realization": 17, "seed": 1, "error": "ZeroDivisionError: x"}]
    monkeypatch.setattr(produce, "run_ensemble", lambda *a, folder, **o: Outcome(folder, 100, failed, 1.0, 100))
    assert cli.status(["run", "a", "--json"]) == 6
    shown = capsys.readouterr()
    assert "realization 17, seed 1: ZeroDivisionError: x" in shown.err
    assert json.loads(shown.out)[0]["failed"] == failed


def test_validate_lists_every_problem_and_exit_code_3(monkeypatch, capsys):
    def load(name, changes):
        if name == "bad":
            raise ScenarioError(["bad.yaml:3 mines.x: wrong", "bad.yaml:4 mines.y: wrong"])
        return SimpleNamespace(posterior=None)

    monkeypatch.setattr("forecast.scenario.load", load)
    assert cli.status(["validate", "good", "bad"]) == 3
    shown = capsys.readouterr()
    assert shown.out == "good: valid\nbad: 2 problems\n"
    assert len(shown.err.splitlines()) == 2
    assert cli.status(["validate", "good", "bad", "--json"]) == 3
    assert [report["valid"] for report in json.loads(capsys.readouterr().out)] == [True, False]


@pytest.fixture
def learned(tmp_path):
    """A scenario with a posterior, and the file of the posterior."""
    world = load(small_world_file(tmp_path)).world
    (tmp_path / "mine.yaml").write_text("why: a test\nbase: small\nprior: posterior.nc\n")
    return tmp_path / "mine.yaml", posterior_file(tmp_path, world)


def test_show_says_how_many_numbers_a_posterior_gives(learned, tmp_path, capsys):
    assert cli.status(["show", str(learned[0])]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# 3 numbers are drawn from posterior.nc instead of their priors\n")
    (tmp_path / "resolved.yaml").write_text(shown, encoding="utf-8")
    assert load(tmp_path / "resolved.yaml").world == load(learned[0]).world
    assert cli.status(["show", str(learned[0]), "--sources", "--json"]) == 0
    rows = {row["path"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["lithium.first_price"]["prior"].startswith("posterior.nc, over: lognormal(")


@pytest.mark.parametrize("what", ["truncated", "foreign", "of another model"])
@pytest.mark.parametrize("command", ["validate", "show", "run"])
def test_a_broken_posterior_is_one_message_and_exit_code_4(learned, tmp_path, capsys, monkeypatch, command, what):
    monkeypatch.chdir(tmp_path)
    scenario, file = learned
    if what == "truncated":
        file.write_bytes(file.read_bytes()[:-1000])
    else:
        import h5py

        with h5py.File(file, "r+") as content:
            about = content["lithium__first_price"].attrs if what == "of another model" else content.attrs
            about["parameter" if what == "of another model" else "battery_forecast_posterior"] = "lithium.frist_price"
    assert cli.status([command, str(scenario)]) == 4
    shown = capsys.readouterr()
    assert shown.out == ("" if command != "validate" else f"{scenario}: 1 problem\n")
    assert shown.err.startswith(f"{file}: ")
    assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


def test_a_broken_posterior_of_the_last_scenario_starts_none_of_the_runs(learned, monkeypatch):
    played = []
    monkeypatch.setattr(produce, "run_ensemble", lambda *a, folder, **o: played.append(folder) or Outcome(folder, 1, [], 1.0, 1))
    small = str(learned[0].with_name("small.yaml"))
    assert cli.status(["run", small, str(learned[0])]) == 0
    assert len(played) == 2
    learned[1].write_bytes(b"")
    assert cli.status(["run", small, str(learned[0])]) == 4
    assert len(played) == 2


def test_a_missing_posterior_is_a_problem_of_the_scenario(learned, capsys):
    learned[1].unlink()
    assert cli.status(["validate", str(learned[0])]) == 3
    assert "mine.yaml:3 prior: 'posterior.nc'; no such file" in capsys.readouterr().err


def test_validating_a_posterior_imports_nothing_that_only_playing_needs(learned):
    code = f"import sys; from forecast.cli import status; print(status(['validate', {str(learned[0])!r}])); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed[1] == "0"
    assert not {"numba", "scipy", "xarray", "zarr", "pandas", "matplotlib"} & set(printed[-1].split())


def test_verify_reports_a_damaged_folder(folder, tmp_path, capsys):
    assert cli.status(["verify", str(folder), "--values", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["values_sha256"] == store.fingerprint(folder)
    assert cli.status(["verify", str(folder), str(tmp_path)]) == 4
    shown = capsys.readouterr()
    assert "sound" in shown.out
    assert "no manifest.json" in shown.err


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(("command", "module", "maker"), [("milestones", milestones, "milestones"), ("curves", curves, "fit_curves")])
def test_answers_are_tables_or_json(folder, monkeypatch, capsys, command, module, maker, as_json):
    table = [{"segment": "drones", "chemistry": "lfp", "median": 2030.5}, {"segment": "all", "chemistry": "nmc", "median": None}]
    monkeypatch.setattr(module, maker, lambda results: results)
    monkeypatch.setattr(module, "rows", lambda *found: table)
    assert cli.status([command, str(folder), *(["--json"] if as_json else [])]) == 0
    shown = capsys.readouterr().out
    if as_json:
        assert json.loads(shown) == table
    else:
        note = ["", "five numbers: quantiles 5, 25, 50, 75 and 95 % over realizations; ceilings are shares, durations years"]
        note = note if command == "curves" else []
        assert shown.splitlines()[1:] == ["drones   lfp        2030.5", "all      nmc             -", *note]
    assert cli.status([command, str(folder), "--segment", "drones"]) == 0
    assert "nmc" not in capsys.readouterr().out
    assert cli.status([command, str(folder), "--segment", "boats"]) == 2
    assert "there are all, drones" in capsys.readouterr().err


COMPARED = SimpleNamespace(attrs={"realizations": 20, "realizations_b": 20, "left_out": ""})
PRICE = {"measure": "price", "mean": 1.0, "standard_error": 0.1}
ENTRY = {"milestone": "entry", "low": 1.0, "median": 2.0, "high": 3.0, "both": 1.0, "only_a": 0.0, "only_b": 0.0}


@pytest.mark.parametrize(
    ("different", "option", "code"),
    [
        (True, "--fail-if-different", 1),
        (False, "--fail-if-different", 0),
        (True, "--fail-unless-different", 0),
        (False, "--fail-unless-different", 1),
    ],
)
def test_compare_answers_make_with_its_exit_code(folder, tmp_path, monkeypatch, capsys, different, option, code):
    other = tmp_path / "other"
    run(fake_world.plan(), other, workers=1, simulate=fake_world.simulate)
    monkeypatch.setattr(comparing, "compare_all", lambda named, unpaired: {list(named)[1]: COMPARED})
    monkeypatch.setattr(comparing, "rows", lambda comparison: [PRICE, ENTRY])
    monkeypatch.setattr(comparing, "differs", lambda comparison, level: different)
    assert cli.status(["compare", str(folder), str(other)]) == 0
    assert capsys.readouterr().out.startswith(f"{folder.name} minus other\n")
    assert cli.status(["compare", str(folder), str(other), option, "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["b"]["other"], told["compared"]["other"]) == ([PRICE, ENTRY], {"realizations": 20, "left_out": ""})
    assert cli.status(["compare", str(folder), str(folder)]) == 2


def test_the_command_line_knows_how_many_realizations_can_be_numbered():
    assert face.MOST == plan.MOST


def test_comparisons_of_folders_of_one_name_are_files_of_their_paths(folder, tmp_path, monkeypatch):
    places = [tmp_path / above / "same" for above in ("a", "b", "c")]
    for place in places:
        shutil.copytree(folder, place)
    made = xr.Dataset(attrs=COMPARED.attrs)
    monkeypatch.setattr(comparing, "compare_all", lambda named, unpaired: dict.fromkeys(list(named)[1:], made))
    monkeypatch.setattr(comparing, "rows", lambda comparison: [PRICE, ENTRY])
    monkeypatch.setattr(comparing, "differs", lambda comparison, level: False)
    assert cli.status(["compare", *map(str, places), "--output", str(tmp_path / "z.nc")]) == 0
    assert cli.status(["compare", str(places[0]), "a-b", "a/b", "--output", str(tmp_path / "y.nc")]) == 4
    assert cli.status(["compare", str(places[0]), "x/a-b/same", "x/a/b/same", "--output", str(tmp_path / "y.nc")]) == 2
    written = sorted(file.name for file in tmp_path.glob("z-*.nc"))
    assert [name.split("-")[-2:] for name in written] == [["b", "same.nc"], ["c", "same.nc"]]


def test_plot_writes_the_wanted_file(folder, tmp_path, monkeypatch, capsys):
    from matplotlib.figure import Figure

    monkeypatch.setattr(pictures, "picture", lambda results, subject, segment=None: Figure())
    assert cli.status(["plot", str(folder), "--what", "lithium", "--output", str(tmp_path / "new/x.svg")]) == 0
    assert (tmp_path / "new/x.svg").read_text().startswith("<?xml")
    assert cli.status(["plot", str(folder), "--what", "lithium", "--output", str(tmp_path / "x.doc")]) == 2
    assert cli.status(["plot", str(folder), "--segment", "drones"]) == 2
    assert ".png" in capsys.readouterr().err
    assert cli.status(["plot", str(folder), "--output", str(tmp_path / "x.png")]) == 2
    assert not (tmp_path / "x.png").exists()
    assert cli.status(["plot", str(folder), "--output", str(tmp_path / "all")]) == 0
    assert sorted(file.stem for file in (tmp_path / "all").iterdir()) == sorted(pictures.SUBJECTS)


def test_plot_puts_pictures_into_the_folder_and_seals_them(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    monkeypatch.setattr(pictures, "picture", lambda results, subject, segment=None: Figure())
    run(fake_world.plan(), tmp_path / "run", workers=1, simulate=fake_world.simulate)
    assert cli.status(["plot", str(tmp_path / "run")]) == 0
    once = (tmp_path / "run/manifest.json").read_bytes()
    assert store.verify(tmp_path / "run") == []
    assert cli.status(["plot", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run/manifest.json").read_bytes() == once


def test_export_prints_csv_or_writes_a_file(folder, tmp_path, capsys):
    assert cli.status(["export", str(folder), "--variable", "cash"]) == 0
    assert capsys.readouterr().out.startswith("variable,units,realization,")
    file = tmp_path / "x.nc"
    assert cli.status(["export", str(folder), "--all", "--format", "netcdf", "--output", str(file)]) == 0
    assert cli.status(["export", str(folder), "--all", "--format", "netcdf", "--output", str(file)]) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.status(["export", str(folder), "--variable", "ash"]) == 2
    assert "ash: no such variable; there are" in capsys.readouterr().err


def test_output_that_is_cut_off_is_no_traceback(folder):
    command = f"{sys.executable} -m forecast export '{folder}' --all | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("variable")
    assert done.stderr == ""


@pytest.mark.parametrize("locale", ["C", "de_DE.ISO-8859-1", "tr_TR.UTF-8"])
def test_another_locale_changes_no_output(folder, locale):
    done = program("verify", folder, LC_ALL=locale, PYTHONIOENCODING="latin-1" if "ISO" in locale else "", TZ="Asia/Kathmandu")
    assert done.returncode == 0, done.stderr
    assert "[1] & more: sound" in done.stdout


def test_tables_are_aligned_and_cut_nowhere(capsys):
    long = "x" * 300
    face.write_table([{"name": "a", "value": 1.0, "note": long}, {"name": "bb", "value": None, "note": "y"}])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  value  note", f"a         1  {long}", "bb        -  y"]


def test_json_knows_no_nan():
    import numpy as np

    assert face.plain({"a": [np.float32(0.5), float("nan"), np.int8(3), np.array([1.0, np.inf])]}) == {"a": [0.5, None, 3, [1.0, None]]}


def test_the_progress_bar_is_on_stderr_and_only_where_there_is_progress(capsys):
    with face.progress_bar("baseline [x]"):
        pass
    assert capsys.readouterr() == ("", "")
    with face.progress_bar("baseline [x]") as progress:
        progress(0, 7)
        progress(7, 7)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "baseline [x]" in shown.err
    assert "7/7" in shown.err


def test_what_is_said_at_first_goes_when_there_is_progress(capsys):
    with face.progress_bar("baseline", "compiling") as progress:
        progress(0, 7)
    assert "baseline, compiling" in capsys.readouterr().err
    with face.progress_bar("baseline", "compiling") as progress:
        progress(0, 7)
        progress(1, 7)
    assert "compiling" not in capsys.readouterr().err


def test_a_comparison_tells_what_surely_differs_and_counts_the_rest(folder, tmp_path, monkeypatch, capsys):
    sure = {"measure": "share_of_sales", "year": 2030, "segment": "grid", "chemistry": "lfp", "mean": 0.02, "standard_error": 0.006}
    unsure = sure | {"chemistry": "nmc", "mean": 0.01}
    other = tmp_path / "other"
    other.symlink_to(folder)
    monkeypatch.setattr(comparing, "compare_all", lambda named, unpaired: {list(named)[1]: COMPARED})
    monkeypatch.setattr(comparing, "rows", lambda found: [sure, unsure])
    monkeypatch.setattr(comparing, "differs", lambda found, level: True)
    assert cli.status(["compare", str(folder), str(other)]) == 0
    told = capsys.readouterr().out
    assert "lfp" in told
    assert "nmc" not in told
    assert "1 of 2 rows" in told
    assert cli.status(["compare", str(folder), str(other), "--all"]) == 0
    assert "nmc" in capsys.readouterr().out
