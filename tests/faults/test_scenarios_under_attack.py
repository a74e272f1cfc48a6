"""Whatever stands in a scenario file or after --set: it is refused in plain words, or it runs. ``make attack`` does the same at length."""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from fake_world import WITHOUT_PRIVILEGES

from forecast.cli import status
from forecast.declare import REQUIRED
from forecast.errors import ScenarioError
from forecast.scenario import load
from forecast.scenario.reading import read_text
from forecast.scenario.writing import as_text
from tests.faults.scenario_attack import JARGON, attack, report
from tests.faults.scenario_mutants import MUTATIONS, ends, mutant, numbers, own_texts, plain

PIECE = 120
"""Numbers in one file; beyond 200 problems the rest is not shown."""
COMPONENT = "{title: K, opening_price: 1, floor_price: 1, learning_rate: 0"
COMPONENT += ", opening_experience: 1, opening_capacity: 1, build_time: 1, fastest_growth: 1}"
MANY = "more than 200 problems; the first are shown"


@pytest.fixture
def folder(tmp_path):
    for name, text in own_texts().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def problems(file, overrides=()):
    with pytest.raises(ScenarioError) as refused:
        load(file, overrides)
    assert not [told for told in refused.value.problems if JARGON.search(told) or len(told) > 700]
    return refused.value.problems


# At random


def test_broken_files_are_refused_in_plain_words_or_run():
    verdicts = list(attack(1, 0, 200, share=0.15))
    assert not [verdict.problem for verdict in verdicts if verdict.problem], report(verdicts)
    assert {verdict.kind for verdict in verdicts if verdict.outcome == "refused"} == set(MUTATIONS)
    assert sum(verdict.results == "finite" for verdict in verdicts) >= 5


def test_a_mutant_depends_on_its_seed_and_number_alone():
    assert [mutant(3, number) for number in (5, 6)] == [mutant(3, number) for number in (6, 5)][::-1]
    assert mutant(3, 5) != mutant(4, 5)


# Every number


def over_all_numbers(folder, said):
    """Files that overlay every number of a world with ``said(slot)``, and the paths in each."""
    every = numbers()
    for first in range(0, len(every), PIECE):
        tree, piece = {"why": "a test", "base": "steered"}, every[first : first + PIECE]
        for path, slot in piece:
            *around, last = path.split(".")
            here = tree
            for part in around:
                here = here.setdefault(part, {})
            here[last] = f"raw {said(slot)} raw"
        file = folder / "wrong.yaml"
        file.write_text(re.sub('"raw (.*?) raw"', r"\1", as_text(tree)), encoding="utf-8")
        yield file, [path for path, _ in piece]


def told_by_path(file):
    """What is wrong with each key: path -> (line, problem)."""
    found = [re.fullmatch(r"wrong\.yaml:(\d+) ([\w.]+): (.*)", problem) for problem in problems(file)]
    return {match[2]: (int(match[1]), match[3]) for match in found if match}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (".nan", "nan; must be a finite number"),
        (".inf", "inf; must be a finite number"),
        ("-1e400", "-inf; must be a finite number"),
        ("-2e9", "-2000000000.*; must (be|not be larger than) "),
        ("2e9", "2000000000.*; must (be|not be larger than) "),
        ("3 parsec", "'3 parsec'; unknown unit 'parsec'; allowed are 1, %"),
        ("3 USD^2*kg", r"'3 USD\^2\*kg'; must be (without unit|in .* or a unit that converts to it)"),
        ("soon", "'soon'; must be a number, or a text such as"),
        ("[1, 2]", "a list; must be a number"),
        ("true", "true; must be a number"),
        ("{colour: red}", "unknown key 'colour'; allowed are value, source|'colour'; must be a year"),
        ("{valu: 1}", r"unknown key 'valu'; did you mean value\?|'valu'; must be a year"),
        ("{value: .nan}", "nan; must be a finite number|'value'; must be a year"),
        ("{normal: [1]}", r"normal: a list; must be \[mean, sd\]|'normal'; must be a year"),
        ("{normal: [1, .inf]}", "inf; must be a finite number|'normal'; must be a year"),
        ("{lognormal: [1, 50]}", "sd from 0 to 3|'lognormal'; must be a year"),
        ("{2020: 1, 2300: 1}", "unknown key '2020'|'2300'; must be a year from 1900 to 2200|1 .*; must be"),
        ("{source: 3}", "3; must be a text that is not empty"),
    ],
)
def test_every_number_refuses_what_is_none_with_its_line_its_key_and_what_is_allowed(folder, wrong, told):
    for file, paths in over_all_numbers(folder, lambda slot: wrong):
        lines, found = file.read_text(encoding="utf-8").splitlines(), told_by_path(file)
        for path in paths:
            line, problem = found[path]
            assert re.search(told, problem), (path, problem)
            assert path.rpartition(".")[2] in lines[line - 1]


@pytest.mark.parametrize("end", [0, 1], ids=["least", "most"])
def test_every_number_takes_the_end_of_what_is_allowed_and_nothing_beyond(folder, end):
    def at(slot):
        return spelled(slot, ends(slot.declaration)[end])

    def beyond(slot):
        value = ends(slot.declaration)[end]
        return spelled(slot, value + (2 * end - 1) * max(1.0, abs(value) * 1e-3))

    def spelled(slot, value):
        return f"{{2015: {value!r}, 2024: {value!r}}}" if slot.kind in ("path", "paths") else repr(value)

    for file, paths in over_all_numbers(folder, beyond):
        assert set(paths) <= set(told_by_path(file))
    for file, paths in over_all_numbers(folder, at):
        try:
            load(file)
        except ScenarioError:
            told = [problem for path, (_, problem) in told_by_path(file).items() if path in paths]
            assert all(re.search("must be after start|sum to", problem) for problem in told)


def test_null_is_the_default_of_a_number_and_one_without_default_is_missing(folder):
    for file, paths in over_all_numbers(folder, lambda slot: "null"):
        required = [path for path, slot in numbers() if path in paths and slot.kind in ("quantity", "path") and slot.default is REQUIRED]
        found = [problem for problem in problems(file) if ": missing; must be given" in problem] if required else load(file) and []
        assert len(found) >= len(required)


# Every setting and every block


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("first_year: soon", "'soon'; must be a whole number"),
        ("first_year: 2015.5", "2015.5; must be a whole number"),
        ("first_year: .nan", "nan; must be a whole number"),
        ("first_year: [2015]", "a list; must be a whole number"),
        ("first_year: 1000000000", "1000000000; must be from 2015 to 2099"),
        ("last_year: 1e9", "1000000000; must be after first_year (2015) and at most 2100"),
        ("observed_until: -1", "-1; must not be before first_year (2015)"),
        ("buyers: {number: 1000000000000000}", "1000000000000000; must be from 1 to 10000000"),
        ("buyers: {number: 0}", "0; must be from 1 to 10000000"),
        ("title: {}", "a mapping; must be a text"),
        ("title: true", "true; must be a text"),
        (f"title: {'a' * 3000}", "3,000 letters; must be at most 2,000"),
        ("why: ''", "empty; must say in one line why"),
        ("chemistries: {lfp: {programme: 1}}", "1; must be true or false"),
        ("mines: {quarry: {status: producng}}", "resource; did you mean producing?"),
        ("mines: {quarry: {status: null}}", "null; must be one of producing"),
        ("unexplained: {segments: cars}", "'cars'; must be a list of names"),
        ("unexplained: {segments: [cars, 3]}", "3 in a list; must be a list of names"),
        ("unexplained: {segments: [crs]}", "'crs'; unknown name of segments; did you mean cars?"),
        ("lithium: 3", "3; must be a mapping of first_price"),
        ("lithium: {sources: {ceilin: a}}", "unknown; did you mean ceiling?"),
        ("lithium: {Ceiling: 3}", "unknown; did you mean ceiling?"),
        ("lithium: {ceiling: 5 usd/kg}", "unknown unit 'usd'; did you mean USD?"),
        ("lithium: {ceiling: 3, ceiling: 4}", "given twice (first on line 3); must be given once"),
        ("mines: {a b: {}}", "must be a name of lower case letters"),
    ],
)
def test_settings_and_blocks_refuse_what_they_are_not(folder, wrong, told):
    (folder / "wrong.yaml").write_text(f"{'' if wrong.startswith('why') else 'why: a test'}\nbase: steered\n{wrong}\n", encoding="utf-8")
    line = 1 if wrong.startswith("why") else 3
    if wrong.startswith("why"):
        (folder / "wrong.yaml").write_text(f"{wrong}\nbase: steered\n", encoding="utf-8")
    assert any(problem.startswith(f"wrong.yaml:{line} ") and told in problem for problem in problems(folder / "wrong.yaml"))


def test_every_block_refuses_a_key_that_it_does_not_know(folder):
    paths = sorted({path.rpartition(".")[0] for path, slot in numbers() if slot.kind in ("quantity", "path")})
    for path in paths:
        assert problems(folder / "steered.yaml", [f"{path}.colour=red"])[0].startswith(f"--set {path}.colour: unknown; ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mines:\n" + "".join(f"  k{n}: {{}}\n" for n in range(3000)), f"wrong.yaml: {MANY}"),
        ("a:\n" + "".join(f"  k{n}: 1\n" for n in range(30_000)), "wrong.yaml:20000 more than 40,000 keys and values"),
        ("components:\n" + "".join(f"  k{n}: {COMPONENT}\n" for n in range(1100)), "wrong.yaml:3 components: 1101 blocks; must be at most"),
        ("lithium: {other_demand: {2020: 1, 2020.0: 2}}", "given twice"),
        ("lithium:\n" + "  ceiling: 1\n" * 50_000, f"wrong.yaml:204 {MANY}"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_built(folder, text, told):
    (folder / "wrong.yaml").write_text(f"why: a test\nbase: steered\n{text}\n", encoding="utf-8")
    found = problems(folder / "wrong.yaml")
    assert len(found) <= 201
    assert any(told in problem for problem in found), found


def test_a_world_whose_results_would_fill_the_memory_is_refused(folder):
    nmc = plain(read_text(own_texts()["steered.yaml"], "steered.yaml"))["chemistries"]["nmc"]
    maker = {"title": "Maker", "region": "china", "strategy": "dual_track", "cash": 1}
    tree = {"why": "a test", "base": "steered", "last_year": 2100}
    tree |= {"manufacturers": {f"m{n}": maker for n in range(900)}, "chemistries": {f"c{n}": nmc for n in range(30)}}
    (folder / "wrong.yaml").write_text(as_text(tree), encoding="utf-8")
    told = problems(folder / "wrong.yaml")[0]
    assert re.search(r"manufacturers: 903 blocks, with all others [\d,]+ numbers to record; must be at most 100,000,000", told)


def test_thousands_of_misspelt_names_are_not_compared_with_thousands(folder):
    mine = "{country: A, resource: brine, status: resource, source: a"
    mine += ", capacity: 0, potential: 1, cash_cost: 1, capital_cost: 1, lead_time: 1}"
    mines = "".join(f"  some_rather_long_name_{n}: {mine}\n" for n in range(990))
    wrong = ", ".join(f"some_rahter_long_nam_{n}" for n in range(990))
    event = f"policy: {{p: {{kind: mine_outage, start: 2020, source: a, mines: [{wrong}]}}}}"
    (folder / "wrong.yaml").write_text(f"why: a test\nbase: steered\nmines:\n{mines}{event}\n", encoding="utf-8")
    with mock.patch.object(difflib.SequenceMatcher, "ratio") as compared:
        assert "unknown name of mines; allowed are quarry, salar" in problems(folder / "wrong.yaml")[0]
    assert not compared.called


# Odd files and names


@pytest.mark.parametrize("content", ["\ufeff{}", "{}\r\n", "{}\n# ü €\n", "{}\n...\n", "---\n{}"])
def test_marks_line_ends_and_comments_change_nothing(folder, content):
    text = content.replace("{}", "why: a test\nbase: steered").replace("\n", "\r\n" if "\r" in content else "\n").replace("\r\r", "\r")
    (folder / "odd.yaml").write_bytes(text.encode())
    assert load(folder / "odd.yaml").world.why == "a test"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "odd.yaml: empty; must say at least why: and base:"),
        (b"# a\n\n# b\n", "odd.yaml: empty"),
        ("why: a".encode("utf-16"), "odd.yaml:1 not UTF-8 text; must be saved as UTF-8"),
        ("why: a".encode("utf-16-le"), "odd.yaml:1 not YAML: a character that is no text (U+0000)"),
        (b"why: a\nbase: steered\n\0", "odd.yaml:3 not YAML: a character that is no text (U+0000)"),
        (b"why: a\nlithium:\n\tceiling: 1\n", "odd.yaml:3 not YAML: a tab"),
        (b"why: 'a\nbase: steered\n", "odd.yaml:3 not YAML: a quote that is not closed"),
        (b"why: a\nbase: [steered\n", "odd.yaml:3 not YAML: a [ that is not closed"),
        (b"why: a: b\n", "odd.yaml:1 not YAML: a colon where none can be"),
        (b"why: a\nbase: [null, 3]\n", "odd.yaml:2 base: null; must be a file name"),
        (b"why: a\nbase: odd\n", "odd.yaml:2 base: 'odd'; files must not be based on themselves"),
        (b"why: a\nbase: nowhere\n", "odd.yaml:2 base: 'nowhere'; no such file; must lie beside this one, or be a shipped scenario"),
        (b"why: a\nbase: /etc/hosts.yaml\n", "odd.yaml:2 base: '/etc/hosts.yaml'; must be a name inside the scenario's folder"),
        (b"why: a\nbase: ../steered\n", "odd.yaml:2 base: '../steered'; must be a name inside"),
        (b"why: a\nbase: circle\n", "odd.yaml:2 base: 'circle'; no such file"),
        (b"why: a\nbase: pipe\n", "odd.yaml:2 base: 'pipe'; no such file"),
        (b"why: a\nbase: huge\n", "huge.yaml: larger than 2 MB"),
    ],
)
def test_odd_files_are_refused_with_what_is_odd(folder, content, told):
    (folder / "circle.yaml").symlink_to("other.yaml")
    (folder / "other.yaml").symlink_to("circle.yaml")
    (folder / "huge.yaml").write_bytes(b"a: 1\n" * 500_000)
    os.mkfifo(folder / "pipe.yaml")
    (folder / "odd.yaml").write_bytes(content)
    assert problems(folder / "odd.yaml")[0].startswith(told)


def test_a_circle_of_links_a_folder_and_names_that_no_file_can_have_are_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("circle.yaml").symlink_to("circle.yaml")
    Path("dir.yaml").mkdir()
    assert problems("circle.yaml") == ["circle.yaml: a link that leads nowhere"]
    assert problems("dir.yaml") == ["dir.yaml: a folder; must be a YAML file"]
    assert problems("a\0b.yaml") == ["'a?b.yaml': no such file"]
    assert problems("\x1b[31m.yaml") == ["?[31m.yaml: no such file"]
    assert "File name too long" in problems("x" * 5000 + ".yaml")[0]


def test_a_file_named_like_a_shipped_scenario_is_ones_own_and_may_overlay_it(folder):
    (folder / "baseline.yaml").write_text("why: mine\nbase: baseline\nlithium: {first_price: 9000}\n", encoding="utf-8")
    world = load(folder / "baseline.yaml").world
    assert (world.why, world.lithium.first_price.value, "lfp" in world.chemistries) == ("mine", 9000, True)


@pytest.mark.parametrize(
    ("name", "told"), [("pipe.yaml", "a device or a pipe"), ("/dev/zero", "a device or a pipe"), ("locked.yaml", "cannot be read")]
)
def test_the_command_neither_waits_for_a_pipe_nor_reads_a_device_or_a_locked_file(folder, name, told):
    os.mkfifo(folder / "pipe.yaml")
    (folder / "locked.yaml").write_text("why: a\nbase: steered\n", encoding="utf-8")
    (folder / "locked.yaml").chmod(0)
    without = [word.replace("-dac_override", "-dac_override,-dac_read_search") for word in WITHOUT_PRIVILEGES]
    command = [*without, sys.executable, "-m", "forecast", "validate", name]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (3, True, False)


@pytest.mark.parametrize(
    "change",
    [
        *("lithium.ceiling", "=", "a=", ".=1", "lithium..ceiling=1", "lithium.ceiling=nan", "lithium.ceiling=1e400", "lithium.ceiling=["),
        *("base=x", "why=", "title=\x1b[31m", "title=\udcff", "lithium.ceiling=\0", "lithium.ceiling=&a [*a]", "lithium.ceiling=1\n---\n2"),
        *(f"title={'a' * 100_000}", f"{'a' * 100_000}=1", f"{'.'.join('a' * 1000)}=1", f"lithium.ceiling={'[' * 100_000}"),
        *(f"lithium.ceiling={'9' * 100_000}", "mines=null", "2015=3", "mines.2015=null", "mines.quarry.status=3", "policy.x.kind=ban"),
        *("lithium.ceiling.normal=[1, -1]", "prior=/etc/x.nc", "buyers.number=1e15"),
    ],
    ids=lambda change: ascii(change)[:30],
)
def test_a_bad_override_is_refused_with_exit_code_3(folder, change, capsys):
    assert status(["validate", str(folder / "lively.yaml"), "--set", change]) == 3
    told = capsys.readouterr().err.splitlines()
    assert all(line.startswith("--set ") and len(line) < 700 for line in told), told
