"""What the pages say is true: their examples run, what they show is what is printed, and no link is dead."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import documents
import pytest
import xarray as xr
from documents import ROOT, Block, Player, anchors, broken_links, commands, matches, pages, run_small

from forecast.history.observed import observed


@pytest.fixture
def script(monkeypatch):
    """Gives a module in docs by its name; it finds its neighbours as when it is run."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module


@pytest.fixture
def small_ensembles(monkeypatch):
    """Every ensemble is a small one."""
    import forecast.assess.produce as produce

    monkeypatch.setattr(produce, "run_ensemble", run_small(produce.run_ensemble))


@pytest.fixture(scope="module")
def shipped_run(tmp_path_factory):
    """Folders of small runs of shipped scenarios, each made once."""
    import forecast.assess.produce as produce

    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("runs") / name
            run_small(produce.run_ensemble)(name, folder=made[name])
        return made[name]

    return folder


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_examples_of_a_page_run_and_print_what_it_shows(page, tmp_path, monkeypatch, small_ensembles, shipped_run):
    monkeypatch.chdir(tmp_path)
    problems = Player(page, tmp_path, shipped_run).play()
    assert not problems, "\n\n".join(problems)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    assert broken_links(page) == []


def test_the_scenario_reference_is_what_the_declarations_say(script):
    page = ROOT / "docs" / "scenario-reference.md"
    assert page.read_text(encoding="utf-8") == script("reference").page(), "stale: run `make reference`"


def test_the_behaviour_page_has_every_claim(script):
    said = (ROOT / "docs" / "behaviour.md").read_text(encoding="utf-8")
    missing = [claim.title for claim in script("behaviour").CLAIMS if f"### {claim.title}\n" not in said]
    assert not missing, "stale: run `make behaviour`"


def test_the_behaviour_page_reports_what_runs_are_missing(tmp_path, shipped_run, script):
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    for name in ("baseline", "unguided"):
        (outputs / name).symlink_to(shipped_run(name))
    page = script("behaviour").write(outputs, tmp_path / "behaviour.md")
    assert "lithium_surge" in page.split("## ")[0]
    assert "Missing runs: lithium_surge." in page
    assert "Missing runs: unguided." not in page
    assert set(broken_links(tmp_path / "behaviour.md")) <= {"concepts.md", "track-record.md"}


@pytest.mark.parametrize(("factor", "verdict"), [(0.8, "does not hold"), (0.85, "holds"), (1.2, "holds"), (1.25, "does not hold")])
def test_orders_of_lithium_are_judged_by_what_was_used(script, factor, verdict):
    behaviour, used = script("behaviour"), observed("lithium_consumption")
    claim = next(each for each in behaviour.CLAIMS if each.title == "Makers' orders of lithium follow what was used")
    orders = xr.DataArray([factor * used.values], {"year": used.years}, ("realization", "year"))
    run = SimpleNamespace(yearly=lambda name, how: orders)
    found, text = behaviour.judged(claim, {"baseline": run, "unguided": run}, behaviour.PAGE)
    assert found == verdict
    assert f"| 2018 | 261 | {factor * 261.359:.0f} | {factor:.2f} |" in text


def test_the_performance_page_says_what_was_measured(script):
    measured = {
        "machine": [{"processor": "abacus", "cores": "2", "memory": "8 GB", "system": "Linux", "Python": "3.11", "numpy": "2.0"}],
        **{"crowd": 1000, "people": 1000, "size_of_block": 10, "months": 300, "chemistries": 8, "worlds": 10},
        "yardsticks": [
            {"what": "compiled kernels", "seconds": 0.01, "months": 300, "twice": None, "times": 1.0},
            {"what": "Mesa with a calendar: events", "seconds": 4.0, "months": 30, "twice": 2.01, "times": 400.0},
            {"what": "Mesa: all agents choose", "seconds": 20.0, "months": 3, "twice": 1.98, "times": 2000.0},
        ],
        "block": [{"what": "choice", "share": 0.25, "milliseconds": 12.5}],
        "starts": [{"what": "one realization", "seconds": 1.5, "core_seconds": 1.4, "main_mb": 300.0}],
        "by_buyers": [{"buyers": n, "core_seconds": 1 + n / 1000, "main_mb": 300.0} for n in (1000, 10_000)],
        "by_realizations": [{"realizations": n, "core_seconds": 2 + n / 10, "main_mb": 300.0, "worker_mb": 200.0} for n in (1, 10, 100)],
        "questions": [{"what": "verify", "seconds": 0.5, "core_seconds": 0.4, "main_mb": 50.0}],
    }
    performance = script("performance")
    page = performance.page(measured)
    assert "$" not in page
    assert "| Mesa: all agents choose | 20 | 3 | 1.98 | 2,000 |" in page
    assert "400 (events) times as long as the kernels; the goal, above 300, is met by 1 of 1." in page
    assert "2,000 (all agents choose) times as long as the kernels; the goal, above 3,000, is met by 0 of 1." in page
    assert "Of seconds of a core, the line 1 s + 1e+02 s for 100,000 buyers passes within 0 % of every point." in page
    assert len(performance.drawn(measured).axes) == 4


# The runner itself: it must be seen to fail.


@pytest.fixture
def played(tmp_path, monkeypatch, small_ensembles):
    """What a page of this text is found to do wrong."""

    def play(text: str) -> list[str]:
        monkeypatch.chdir(tmp_path)
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        return Player(page, tmp_path, lambda name: tmp_path / "none").play()

    return play


WRONG = {
    "output that is not printed": "```console\n$ forecast --version\nforecast 99.0\n```\n",
    "a command that fails": "```console\n$ forecast validate nothing\n```\n",
    "a program that nobody knows": "```console\n$ frobnicate\n```\n",
    "a target that does not exist": "```console\n$ make coffee\n```\n",
    "a run that does not exist": "```console\n$ make outputs/nothing\n```\n",
    "Python that fails": "```python\n1 / 0\n```\n",
    "Python that prints something else": "```python\nprint('one')\n```\n\n```text\ntwo\n```\n",
    "a scenario with an unknown key": "```yaml\nlithum: {}\n```\n",
    "a named scenario that is incomplete": "```yaml\n# own.yaml\nbase: baseline\n```\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_example_is_caught(text, played):
    assert played(text)


RIGHT = {
    "an exact output": "```console\n$ forecast validate baseline\nbaseline: valid\n```\n",
    "an error that is shown": "```console\n$ forecast validate nothing\n...no such scenario...\n...\n```\n",
    "targets": "```console\n$ make forecast\n$ make test\n$ make outputs/baseline REALIZATIONS=4\n```\n",
    "state across blocks": "```python\na = 2\n```\n\n```python\nprint(a)\n```\n\n```text\n2\n```\n",
    "a scenario by name": (
        "```yaml\n# own.yaml\nwhy: mine\nbase: baseline\n```\n\n```console\n$ forecast validate own.yaml\nown.yaml: valid\n```\n"
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_example_passes(text, played):
    assert played(text) == []


def test_numbers_of_an_ensemble_are_not_compared_but_words_are():
    assert matches("100 worlds in 3.2 s", "4 worlds  in 0.1 s", exact=False)
    assert not matches("100 worlds in 3.2 s", "4 worlds in 0.1 s", exact=True)
    assert not matches("100 worlds", "4 years", exact=False)


def test_dots_stand_for_anything():
    assert matches("first\n...\nlast", "first\nand more\nlast", exact=True)
    assert not matches("first\n...\nlast", "first\nand more", exact=True)


def test_a_command_may_go_on_over_lines():
    assert list(commands("$ forecast run \\\n    baseline\nout\n$ forecast list\n")) == [
        ("forecast run     baseline", "out"),
        ("forecast list", ""),
    ]


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](nowhere.md) [b](#one) [c](#two) [d](page.md#one) [e](https://example.org)\n")
    assert broken_links(page) == ["nowhere.md", "#two"]
    assert anchors(page) == {"one"}


def test_a_block_knows_its_line():
    assert list(documents.blocks("one\n\n```python\nx\n```\n")) == [Block("python", "x\n", 4)]
