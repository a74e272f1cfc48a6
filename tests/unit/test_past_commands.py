"""The commands that learn from the past and are judged by it: what they ask for, what they say, what they refuse."""

import json
import signal
import subprocess
import sys
import time
from functools import cache

import numpy as np
import pytest
import xarray as xr

from forecast import cli
from forecast.assess import calibrate as calibration
from forecast.assess import synthetic, track
from forecast.assess.calibrate import MEMBERS
from forecast.assess.hindcast import HORIZON, ORIGINS
from forecast.assess.observables import OBSERVABLES
from forecast.cli import face
from forecast.ensemble.posterior import read
from forecast.scenario import Scenario, dump
from tests.small_world import steered_world

BRIEF = ["--members", "20", "--workers", "1"]


@cache
def text():
    return dump(Scenario("mine", steered_world(unexplained={"taste_spread": {"lognormal": [1, 0.4]}}), ()))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder with a scenario in it, from which commands are given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(text())
    return tmp_path


@pytest.fixture(autouse=True)
def _no_debugging():
    yield
    face._seen[face.DEBUG] = False


def left(place):
    """What lies there beside the scenario."""
    return sorted(path.name for path in place.iterdir() if path.name != "mine.yaml" and not path.name.startswith("."))


def calibrate(*arguments):
    return cli.status(["calibrate", "mine.yaml", "--until", "2018", *BRIEF, *map(str, arguments)])


def hindcast(*arguments):
    return cli.status(["hindcast", "baseline", "--no-pictures", *BRIEF, "--set", "buyers.number=300", *map(str, arguments)])


@pytest.mark.parametrize("command", ["calibrate", "hindcast"])
def test_help_says_what_is_learned_and_shows_an_example(command, capsys):
    assert cli.status([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"\n  forecast {command}" in shown
    for option in ("--members", "--seed", "--workers", "--set", "--resume", "--force", "--json", "--output"):
        assert option in shown


# Calibrate


def test_calibrate_writes_a_posterior_and_tells_what_it_learned(place, capsys):
    assert calibrate("--picture", "learned.png") == 0
    shown = capsys.readouterr().out
    assert left(place) == ["learned.png", "posterior-2018.nc"]
    posterior = read(place / "posterior-2018.nc")
    assert (posterior.size, posterior.attrs["until"], posterior.attrs["seed"]) == (20, 2018, 1)
    lines = shown.splitlines()
    assert lines[0].split() == "parameter prior q05 q50 q95 spread kept shift".split()
    assert f"and {len(posterior.draws) - 15} more" in lines[16]
    assert lines[18].split() == "evidence points prior posterior luck spread".split()
    assert lines[-1] == f"posterior-2018.nc: 20 draws of {len(posterior.draws)} parameters"
    assert (place / "learned.png").read_bytes().startswith(b"\x89PNG")


def test_calibrate_answers_as_json(place, capsys):
    assert calibrate("--parameters", "mining.p*", "--parameters", "lithium.first_price", "--output", "x/p.nc", "--seed", 7, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["file", "until", "draws", "parameters", "fit"]
    assert (told["file"], told["until"], told["draws"]) == ("x/p.nc", 2018, 20)
    assert {row["parameter"] for row in told["parameters"]} == {"mining.pace", "lithium.first_price"}
    assert list(told["parameters"][0]) == ["parameter", "unit", "prior", "q05", "q50", "q95", "spread_kept", "shift"]
    assert list(told["fit"][0]) == ["evidence", "points", "prior", "posterior", "luck", "spread"]
    assert read(place / "x/p.nc").attrs["seed"] == 7


def test_a_posterior_that_is_there_is_replaced_only_by_force(place, capsys):
    (place / "posterior-2018.nc").write_text("older")
    assert calibrate("--parameters", "mining.*") == 1
    assert capsys.readouterr().err == "posterior-2018.nc: exists already; --force replaces it, --output puts the new one elsewhere\n"
    assert (place / "posterior-2018.nc").read_text() == "older"
    assert calibrate("--parameters", "mining.*", "--force") == 0
    assert read(place / "posterior-2018.nc").size == 20


def test_numbers_can_be_set(place, capsys):
    for values in ([], ["--set", "lithium.first_price=9000"]):
        assert calibrate("--parameters", "lithium.first_*", "--parameters", "lithium.floor", "--json", "--force", *values) == 0
    first, second = (json.loads(part) for part in capsys.readouterr().out.replace("}\n{", "}\0{").split("\0"))
    assert [len(told["parameters"]) for told in (first, second)] == [2, 1], "a number without a prior is not learned"


@pytest.fixture
def idle(monkeypatch):
    """No replay is begun."""

    def begin(*arguments):
        raise AssertionError("refused too late")

    monkeypatch.setattr(calibration, "replays", begin)
    monkeypatch.setattr(synthetic, "made_up", begin)


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("mine.yaml", 2, "--until"),
        ("mine.yaml --until soon", 2, "soon"),
        ("mine.yaml --until 2018 --members 0", 2, "--members"),
        ("mine.yaml --until 2018 --members 19", 2, "members 19"),
        ("mine.yaml --until 2018 --members 19 --check 2", 2, "members 19"),
        ("mine.yaml --until 2018 --parameters lithum.*", 2, "lithum.*"),
        ("mine.yaml --until 2014", 3, "must be a year from 2017 to 2018"),
        ("mine.yaml --until 2030", 3, "must be a year from 2017 to 2018"),
        ("mine.yaml --until 2018 --set lithium.frist_price=1", 3, "frist_price"),
        ("yours --until 2018", 3, "yours"),
        ("mine.yaml --until 2018 --picture learned.gif", 2, "learned.gif: pictures end in .png, .svg, .pdf"),
        ("mine.yaml --until 2018 --output .", 1, "is a folder; must be a file"),
        ("mine.yaml --until 2018 --output . --force", 1, "is a folder; must be a file"),
        ("mine.yaml --until 2018 --check 1 --output . --force", 1, "is a folder; must be a file"),
        ("mine.yaml --until 2014 --check 1", 3, "must be a year from 2017 to 2018"),
        ("mine.yaml --until 2018 --check 1 --parameters mining.*", 2, "--check goes without --parameters, --picture and --resume"),
    ],
)
def test_calibrate_refuses_in_one_message_and_leaves_nothing(place, capsys, idle, line, code, message):
    assert cli.status(["calibrate", *line.split(), "--workers", "1"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.startswith("Usage:") or len(shown.err.splitlines()) == 1
    assert left(place) == []


def test_made_up_pasts_check_the_calibration_itself(place, capsys):
    assert calibrate("--check", 2, "--output", "ranks.nc", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["file", "trials", "ranks"]
    assert told["trials"] == 2
    assert told["ranks"][0]["parameters"] == "all"
    with xr.open_dataset(place / "ranks.nc", engine="h5netcdf") as found:
        assert found["rank"].shape == (2, told["ranks"][0]["number"])
    assert calibrate("--check", 1) == 0
    assert "1 made-up pasts" in capsys.readouterr().out
    assert left(place) == ["calibration-check-2018.nc", "ranks.nc"]


def test_ranks_that_are_there_are_replaced_only_by_force(place, capsys, monkeypatch):
    (place / "ranks.nc").write_text("older")
    played = []
    made = xr.Dataset({"rank": (("trial", "parameter"), [[3]]), "kept": (("trial", "parameter"), [[1.0]])}, attrs={"members": 20})
    monkeypatch.setattr(synthetic, "ranks", lambda *arguments, **options: played.append(1) or made)
    assert calibrate("--check", 1, "--output", "ranks.nc") == 1
    assert "ranks.nc: exists; --force replaces it" in capsys.readouterr().err
    assert (played, (place / "ranks.nc").read_text()) == ([], "older")
    assert calibrate("--check", 1, "--output", "ranks.nc", "--force") == 0
    assert played == [1]
    assert xr.open_dataset(place / "ranks.nc", engine="h5netcdf")["rank"].item() == 3


@pytest.mark.parametrize("output", ["posterior.nc", "track"])
def test_a_question_that_makes_no_sense_is_refused_before_a_result_that_is_there(place, capsys, idle, output):
    if output == "track":
        (place / output).mkdir()
        (place / output / "hindcast.nc").write_text("older")
        assert hindcast("--output", output, "--origins", 2030) == 3
        assert hindcast("--output", output, "--series", "lithum_price") == 3
        assert hindcast("--output", output, "--members", 19) == 2
    else:
        (place / output).write_text("older")
        assert cli.status(["calibrate", "mine.yaml", "--until", "2030", "--output", output]) == 3
    assert "exists" not in capsys.readouterr().err
    assert hindcast("--output", output) == 1


def started(place):
    """A calibration of its own process that has finished a step."""
    command = [sys.executable, "-m", "forecast", "calibrate", "mine.yaml", "--until", "2018", "--members", "60", "--workers", "1"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (place / "posterior-2018.nc.unfinished/step-0.npz").exists() and child.poll() is None:
        time.sleep(0.02)
    return child


def test_ctrl_c_stops_a_calibration_which_then_goes_on_to_the_same_bytes(place):
    child = started(place)
    child.send_signal(signal.SIGINT)
    _, message = child.communicate(timeout=60)
    assert child.returncode == 130, message
    assert "--resume continues" in message
    assert "Traceback" not in message
    assert left(place) == ["posterior-2018.nc.unfinished"]
    assert calibrate("--members", 60, "--resume") == 0
    assert left(place) == ["posterior-2018.nc"]
    assert calibrate("--members", 60, "--output", "straight.nc") == 0
    assert (place / "straight.nc").read_bytes() == (place / "posterior-2018.nc").read_bytes()


# Hindcast


def test_hindcast_writes_a_folder_and_answers_as_json(place, capsys):
    line = "--origins 2018 --horizon 1 --series lithium_price --series cell_price --output new/track --json"
    assert hindcast(*line.split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["folder", "horizons", "scores"]
    assert (told["folder"], told["horizons"]) == ("new/track", [1])
    assert [row["series"] for row in told["scores"]] == ["lithium_price", "cell_price"]
    assert list(told["scores"][0]) == [
        *("series", "points", "crps", "best_rival", "rival_crps", "skill", "coverage_50", "coverage_90", "log10_error", "dm_p")
    ]
    assert told["scores"] == json.loads((place / "new/track/scores.json").read_text())
    forecasts, scored = track.read(place / "new/track")
    assert forecasts.sizes["draw"] == scored.attrs["draws"] == 20
    assert np.isfinite(forecasts["prediction"].sel(forecaster="model")).all()
    assert left(place) == ["new"]


@pytest.fixture
def asked(monkeypatch):
    """What the commands ask for, without a replay."""
    found = []

    def record(scenario, folder, origins, horizon, seed, **options):
        found.append({"scenario": scenario.name, "folder": str(folder), "origins": origins, "horizon": horizon, "seed": seed} | options)
        return [{"series": "cell_price", "points": 3, "crps": 0.1, "skill": None}]

    monkeypatch.setattr(track, "record", record)
    return found


def test_hindcast_has_defaults_that_need_no_option(asked, capsys):
    assert cli.status(["hindcast"]) == 0
    (only,) = asked
    assert (only["scenario"], only["folder"], only["origins"], only["horizon"]) == ("baseline", "outputs/hindcast", ORIGINS, HORIZON)
    assert (only["seed"], only["members"], only["names"], only["workers"]) == (1, MEMBERS, tuple(OBSERVABLES), None)
    assert (only["resume"], only["force"], only["pictures"]) == (False, False, True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["cell_price", "3", "0.1", "-"]
    assert "horizons 1 to 3 years together" in lines[3]
    assert "with n = 7 overlapping forecasts" in lines[4]
    assert lines[-1] == "outputs/hindcast"


@pytest.mark.parametrize(
    ("origins", "years"),
    [("2020", (2020,)), ("2018..2020", (2018, 2019, 2020)), ("2023, 2019", (2019, 2023)), ("2019,2018..2020,2018", (2018, 2019, 2020))],
)
def test_origins_are_years_and_ranges_of_years(asked, origins, years):
    assert cli.status(["hindcast", "--origins", origins]) == 0
    assert asked[0]["origins"] == years


@pytest.mark.parametrize("option", ["--origins", "--horizon"])
@pytest.mark.parametrize("wrong", ["2023..2018", "abc", "", "2018..", "20188", "2018;2019", "-1", "2018...2019", "1.5"])
def test_what_is_no_range_is_wrong_usage(asked, capsys, option, wrong):
    assert cli.status(["hindcast", option, wrong]) == 2
    shown = capsys.readouterr()
    assert "must be whole numbers, rising, such as 3..5, 4 or 3,5" in shown.err
    assert (shown.out, asked) == ("", [])


def test_a_series_that_is_named_twice_is_judged_once(asked):
    assert cli.status("hindcast --series lithium_price --series cell_price --series lithium_price".split()) == 0
    assert asked[0]["names"] == ("lithium_price", "cell_price")


def test_the_horizon_is_the_last_of_its_years(asked, capsys):
    assert cli.status(["hindcast", "--horizon", "1..2", "--json"]) == 0
    assert asked[0]["horizon"] == 2
    assert json.loads(capsys.readouterr().out)["horizons"] == [1, 2]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("--origins 2014", 3, "origin 2014: must be a year from 2017 to 2024"),
        ("--origins 2030", 3, "origin 2030: must be a year from 2017 to 2024"),
        ("--origins 2020..2030", 3, "must be a year from 2017 to 2024"),
        ("--origins 2024 --series lfp_share_world", 3, "nothing is known of the years after it"),
        ("--series lithum_price", 3, "allowed: cell_price, lithium_price"),
        ("--horizon 0", 2, "horizon 0: must be from 1 to 10 years"),
        ("--horizon 3..5", 2, "--horizon: must begin with 1, such as 1..5"),
        ("--horizon 1,3", 2, "--horizon: must begin with 1, such as 1..3"),
        ("--horizon 1..11", 2, "horizon 11: must be from 1 to 10 years"),
        ("--members 5", 2, "members 5"),
        ("--set lithium.frist_price=1", 3, "frist_price"),
    ],
)
def test_hindcast_refuses_in_one_message_and_leaves_nothing(place, capsys, line, code, message):
    assert hindcast("--output", "track", *line.split()) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1
    assert left(place) == []


def test_an_unknown_scenario_is_refused(place, capsys):
    for command in (["hindcast", "yours"], ["calibrate", "yours", "--until", "2018"]):
        assert cli.status(command) == 3
        assert "yours" in capsys.readouterr().err
    assert left(place) == []


def test_help_of_the_past_imports_nothing_heavy():
    code = "import sys; from forecast.cli import status; status(['hindcast', '--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()[-1].split()
    assert not {"numpy", "xarray", "pydantic", "rich", "matplotlib"} & set(loaded)
