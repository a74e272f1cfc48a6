"""Scenario files: spelling, overlays, sources, and everything that must be refused, in the first second and all at once."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.declare import Prior, Quantity
from forecast.errors import ScenarioError
from forecast.scenario import dump, find, layers, load, names, reference_rows, schema, shipped_folder, source_rows
from forecast.scenario.reading import read_text, short
from tests.posteriors import NUMBERS, posterior_file
from tests.small_world import SMALL_WORLD, small_world_file, small_world_yaml


@pytest.fixture
def folder(tmp_path):
    small_world_file(tmp_path)
    return tmp_path


def differing(folder, text, name="mine", base="small"):
    """A scenario file that differs from the small world; its own lines start at line 3."""
    file = folder / f"{name}.yaml"
    file.write_text(f"why: a test\nbase: {base}\n{text}", encoding="utf-8")
    return file


def problems(file, overrides=()):
    with pytest.raises(ScenarioError) as refused:
        load(file, overrides)
    return refused.value.problems


def only_problem(file, overrides=()):
    found = problems(file, overrides)
    assert len(found) == 1, found
    return found[0]


# Spelling


@pytest.mark.parametrize(
    ("text", "value", "prior"),
    [
        ("9000", 9000, None),
        ("9 USD/kg", 9000, None),
        ("{value: 9 kUSD/t}", 9000, None),
        ("{normal: [9000, 500]}", 9000, Prior("normal", (9000, 500))),
        ("{normal: [9 USD/kg, 500]}", 9000, Prior("normal", (9000, 500))),
        ("{lognormal: [9 USD/kg, 0.2]}", 9000, Prior("lognormal", (9000, 0.2))),
        ("{uniform: [8000, 9 USD/kg]}", 8500, Prior("uniform", (8000, 9000))),
        ("{triangular: [8000, 9000, 10000]}", 9000, Prior("triangular", (8000, 9000, 10000))),
        ("{value: 8000, normal: [9000, 500]}", 8000, Prior("normal", (9000, 500))),
    ],
)
def test_a_quantity_may_be_spelled_in_many_ways(folder, text, value, prior):
    price = load(differing(folder, f"lithium: {{first_price: {text}}}")).world.lithium.first_price
    assert price.value == pytest.approx(value, rel=1e-15)
    assert price.prior == prior


def test_a_path_may_be_a_number_or_values_over_the_years_in_any_order(folder):
    lithium = load(differing(folder, "lithium: {other_demand: {2030: 200 kt/year, 2015: 95000}}")).world.lithium
    assert (lithium.other_demand.years, lithium.other_demand.values) == ((2015, 2030), (95000, 200000))
    lithium = load(differing(folder, "lithium: {other_demand: 100 kt/year}")).world.lithium
    assert lithium.other_demand.values == (100000,)


def test_no_is_a_text_and_not_false(folder):
    assert load(differing(folder, "title: no")).world.title == "no"
    assert "must be true or false" in only_problem(differing(folder, "chemistries: {lfp: {programme: no}}"))


# Overlays


def test_names_overlay_deep_and_paths_replace_whole(folder):
    text = "chemistries: {lfp: {hazard: 0.5, packing: {2020: 0.7}}}\nmines: {pit: {title: Pit, country: Chile, resource: brine,\n"
    text += "  status: resource, capacity: 0, potential: 5000, cash_cost: 4000, capital_cost: 9000, lead_time: 7}}"
    world = load(differing(folder, text)).world
    assert world.chemistries["lfp"].hazard.value == 0.5
    assert world.chemistries["lfp"].charge_rate.value == 2
    assert world.chemistries["lfp"].packing.years == (2020,)
    assert sorted(world.mines) == ["pit", "quarry"]


def test_null_removes_a_block_and_what_tables_say_of_it(folder):
    text = "chemistries: {sodium_ion: null}\nprogrammes: {sodium_ion: null}"
    world = load(differing(folder, text)).world
    assert list(world.chemistries) == ["lfp"]
    assert world.chemistries["lfp"].learns_from == {}
    assert world.manufacturers["maker"].programmes == {}


def test_null_for_a_block_that_is_not_there_is_a_problem(folder):
    assert "mines.qarry: null removes a block, but there is none of this name; did you mean quarry?" in only_problem(
        differing(folder, "mines: {qarry: null}")
    )


def test_later_bases_and_then_the_file_itself_win(folder):
    (folder / "a.yaml").write_text("lithium: {first_price: 1000, ceiling: 50000}\nmining: {outage: 0.1}")
    (folder / "b.yaml").write_text("lithium: {first_price: 2000, ceiling: 60000}")
    world = load(differing(folder, "lithium: {ceiling: 70000}", base="[small, a.yaml, b]")).world
    assert (world.mining.outage.value, world.lithium.first_price.value, world.lithium.ceiling.value) == (0.1, 2000, 70000)


def test_title_and_why_are_those_of_the_file_itself(folder):
    world = load(differing(folder, "", name="dear_lithium")).world
    assert (world.title, world.why) == ("dear lithium", "a test")
    (folder / "mute.yaml").write_text("base: small")
    assert "mute.yaml:1 why: missing" in only_problem(folder / "mute.yaml")


def test_overrides_win_over_files_in_their_order(folder):
    file = differing(folder, "lithium: {first_price: 1000}")
    world = load(file, ["lithium.first_price=7 USD/kg", "lithium.ceiling={normal: [80000, 1]}", "lithium.first_price=6000"]).world
    assert world.lithium.first_price.value == 6000
    assert world.lithium.ceiling.prior == Prior("normal", (80000, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lithium.first_price=", "has no value; null takes"),
        ("lithium.first_price= ", "has no value; null takes"),
        ("lithium.first_price", "must be written KEY=VALUE"),
        ("=7", "must be written KEY=VALUE"),
    ],
)
def test_an_override_without_a_key_or_a_value_is_told_how_to_write_one(folder, text, told):
    assert told in only_problem(differing(folder, ""), [text])


def test_overrides_of_the_makefile_are_such_as_are_taken():
    asked = re.findall(r"--set (\S+)", (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8"))
    assert asked
    assert load("baseline", asked).posterior is None


@pytest.mark.parametrize("name", ["\udcff.yaml", "a\nb.yaml"])
def test_a_name_that_cannot_be_written_down_is_refused(folder, name):
    (folder / name).write_text((folder / "small.yaml").read_text())
    with pytest.raises(ScenarioError, match="names of scenarios are UTF-8 that can be printed"):
        load(folder / name)


def test_a_bad_override_is_told_like_any_problem(folder):
    told = problems(
        differing(folder, ""), ["lithium.frist_price=1", "lithium.ceiling=-1", "nonsense", "base=x", "lithium.floor=[", "a.b=&x 1"]
    )
    assert "--set lithium.frist_price: unknown; did you mean first_price?" in told
    assert "--set lithium.ceiling: -1 USD/t; must be above 0" in told
    assert len(told) == 6
    assert all(problem.startswith("--set ") for problem in told)


# Sources


def test_a_plain_number_over_a_prior_is_certain_and_keeps_the_source(folder):
    before = load(folder / "small.yaml").world.lithium.ceiling
    after = load(differing(folder, "lithium: {ceiling: 90000}")).world.lithium.ceiling
    assert (after.value, after.prior) == (90000, None)
    assert after.source == f"scenario file mine.yaml, over: {before.source}"


def test_the_nearest_source_in_the_file_counts(folder):
    text = "source: of the file\nlithium:\n  source: of the block\n  sources: {ceiling: of the field}\n"
    text += "  ceiling: 90000\n  floor: 0.9\n  noise: {value: 0.1, source: of the number}\nmining: {outage: 0.1}"
    world = load(differing(folder, text)).world
    told = (world.lithium.noise, world.lithium.ceiling, world.lithium.floor, world.mining.outage)
    assert [quantity.source for quantity in told] == ["of the number", "of the field", "of the block", "of the file"]


def test_a_source_may_be_given_without_touching_the_number(folder):
    before = load(folder / "small.yaml").world.lithium
    after = load(differing(folder, "lithium: {sources: {ceiling: a new paper}, floor: {source: another}}")).world.lithium
    assert after.ceiling == Quantity(before.ceiling.value, before.ceiling.prior, "a new paper")
    assert after.floor == Quantity(before.floor.value, before.floor.prior, "another")


def test_history_takes_its_source_from_the_field_that_is_named_for_it(folder):
    text = "segments: {cars: {history_source: a table, history: {china: {2015: 1, 2024: 2}}}}"
    cars = load(differing(folder, text)).world.segments["cars"]
    assert cars.history["china"].source == "a table"


def test_a_complete_file_must_say_where_its_numbers_are_from(folder):
    (folder / "bare.yaml").write_text(SMALL_WORLD.replace('source: "assumption: invented for tests"\n', ""))
    told = problems(folder / "bare.yaml")
    assert any("mines.quarry: without source: capacity, potential, cash_cost" in problem for problem in told)
    assert any("chemistries.lfp.intensity: without source: graphite" in problem for problem in told)


def test_a_shipped_file_must_say_where_its_numbers_are_from_but_a_users_need_not(folder, monkeypatch):
    text = "mines: {quarry: {title: Pit}, pit: {country: Chile, resource: brine, status: resource, capacity: 0, potential: 1,\n"
    file = differing(folder, f"{text}  cash_cost: 1, capital_cost: 1, lead_time: 7}}}}")
    assert load(file).world.mines["pit"].cash_cost.source == "scenario file mine.yaml"
    monkeypatch.setattr(layers, "shipped_folder", lambda: folder)
    assert "mine.yaml:3 mines.pit: without source: capacity" in only_problem(file)


def test_no_number_is_without_source(folder):
    rows = source_rows(load(folder / "small.yaml"))
    assert len(rows) > 150
    assert all(row.source for row in rows)
    prices = {row.path: row for row in rows}
    assert prices["components.hard_carbon.opening_price"][1:] == ("14", "USD/kg", "lognormal(14, 0.2)", "assumption: invented for tests")


# Refusals


def test_all_problems_are_told_at_once_with_file_line_key_given_and_allowed(folder):
    text = """\
lithium:
  first_pric: 3
  first_price: -2
  ceiling: .nan
  floor: 0.5 USD
  stocking: {normal: [1, -2]}
  noise: {gamma: [1, 2]}
  other_demand: {2015: 1, soon: 2}
buyers: {number: 0, peer_memory: true}
segments:
  cars: {service_life: -2, hstory: 3, opening_shares: {lfp: 0.5, lpf: 0.2}, history: {china: {2015: 1}}}
mines: {quarry: {status: prodcing}}
manufacturers: {maker: {region: chna}}
policy:
  help: {kind: subsidy, start: 2030, end: 2020, regions: [china, erope]}
colour: red
"""
    told = problems(differing(folder, text))
    for expected in [
        "mine.yaml:4 lithium.first_pric: unknown; did you mean first_price?",
        "mine.yaml:5 lithium.first_price: -2 USD/t; must be above 0",
        "mine.yaml:6 lithium.ceiling: nan; must be a finite number",
        "mine.yaml:7 lithium.floor: '0.5 USD'; must be without unit, or in %",
        "mine.yaml:8 lithium.stocking: normal [1, -2]; sd must not be negative",
        "mine.yaml:9 lithium.noise: unknown key 'gamma'; allowed are value, source, normal",
        "mine.yaml:10 lithium.other_demand: 'soon'; must be a year",
        "mine.yaml:11 buyers.number: 0; must be from 1 to 10000000",
        "mine.yaml:11 buyers.peer_memory: true; must be a number",
        "mine.yaml:13 segments.cars.service_life: -2 year; must be above 0",
        "mine.yaml:13 segments.cars.hstory: unknown; did you mean history?",
        "mine.yaml:13 segments.cars.opening_shares.lpf: unknown name of chemistries; did you mean lfp?",
        "mine.yaml:13 segments.cars.opening_shares: sum to 0.5; must sum to 1",
        "mine.yaml:13 segments.cars.history.china: covers 2015-2015; must cover 2015-2024",
        "mine.yaml:14 mines.quarry.status: 'prodcing'; must be one of producing, construction",
        "mine.yaml:15 manufacturers.maker.region: 'chna'; unknown name of regions; did you mean china?",
        "mine.yaml:17 policy.help.regions: 'erope'; unknown name of regions; did you mean europe?",
        "mine.yaml:17 policy.help.end: 2020; must be after start (2030)",
        "mine.yaml:18 colour: unknown",
    ]:
        assert any(problem.startswith(expected) for problem in told), (expected, told)
    assert len(told) == 19


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("first_year: 2010", "first_year: 2010; must be from 2015"),
        ("last_year: 2015", "last_year: 2015; must be after first_year"),
        ("last_year: 2200", "last_year: 2200; must be after first_year"),
        ("first_year: 2015.5", "first_year: 2015.5; must be a whole number"),
        ("first_year: true", "first_year: true; must be a whole number"),
        ("buyers: {number: 20000000}", "buyers.number: 20000000; must be from 1"),
        (
            "programmes: {sodium_ion: null}\nmanufacturers: {maker: {programmes: null}}",
            "chemistries.sodium_ion.programme: true; must have a block",
        ),
        ("chemistries: {lfp: 3}", "chemistries.lfp: 3; must be a mapping"),
        ("mines: [quarry]", "mines: a list; must be a mapping by name"),
        ("mines: null", "mines: empty; must have at least one"),
        ("mines: {quarry: {status: construction, capacity: 0}}", "mines.quarry.capacity: 0; must be above 0: what is under construction"),
        ("mines: {Bad Name: {}}", "mines.Bad Name: must be a name of lower case letters"),
        (
            "lithium: {floor: null}\nregions: {china: {winter: null}}",
            "regions.china.winter: missing; must be given, at least 0 and at most 1",
        ),
        ("regions: {india: {title: India, winter: 0, cost_factor: 1}}", "segments.cars.history.india: missing; must be given in GWh/year"),
        ("lithium: {recycling: 1}", "lithium.recycling: unknown"),
        (
            "recycling: {collection: {uniform: [0.5, 3]}}",
            "recycling.collection: uniform [0.5, 3] has its median at 1.75; must be at least 0",
        ),
        ("recycling: {collection: {uniform: [3, 1]}}", "low must not exceed high"),
        ("recycling: {collection: {uniform: [3]}}", "uniform: a list; must be [low, high]"),
        ("recycling: {collection: {normal: [0.5, 1], uniform: [0, 1]}}", "two priors; must be one"),
        ("recycling: {collection: {source: ''}}", "must be a text that is not empty"),
        ("lithium: {ceiling: '90000'}", "'90000'; must be a number, or a text such as \"15 USD/t\""),
        ("lithium: {ceiling: 1e30}", "1e+30 USD/t; must not be larger than 1000000000 USD/t"),
    ],
)
def test_what_a_scenario_must_not_say(folder, text, told):
    assert any(told in problem and problem.startswith(("mine.yaml:", "small.yaml:")) for problem in problems(differing(folder, text)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "odd.yaml: empty"),
        ("# only a comment", "odd.yaml: empty"),
        ("- a\n- b", "odd.yaml:1 must be a mapping"),
        ("why: a\nwhy: b", "odd.yaml:2 why: given twice (first on line 1)"),
        ("why: a\nlithium: {floor: 1, floor: 1}", "odd.yaml:2 lithium.floor: given twice (first on line 2); must be given once"),
        ("a: &x [1]\nb: *x", "odd.yaml:1 anchors (&) and aliases (*) are not allowed"),
        ("a:\n  <<: {b: 1}", "odd.yaml:2 merge keys"),
        ("a: !!python/object:os.system x", "odd.yaml:1 tags are not allowed"),
        ("a: 1\n---\nb: 2", "odd.yaml:2 a second document"),
        ("a: " + "[" * 10_000, "odd.yaml:1 nested deeper"),
        ("a: [1", "odd.yaml:2 not YAML"),
        ("\ta: 1", "odd.yaml:1 not YAML: a tab, or a text that begins with"),
        ("a: \x00", "odd.yaml:1 not YAML: a character that is no text (U+0000)"),
        ('a: "\\e[31m"', "odd.yaml:1 '?[31m'; control characters"),
        ("a: 1\nb: ö".encode("latin-1"), "odd.yaml:2 not UTF-8"),
        (b"#" * 2_000_001, "odd.yaml: larger than 2 MB"),
    ],
)
def test_what_is_not_a_scenario_file_is_refused(tmp_path, text, told):
    file = tmp_path / "odd.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert only_problem(file).startswith(told)


@pytest.mark.parametrize("name", ["nowhere.yaml", "baselin", "folder/"])
def test_a_scenario_that_is_not_there_is_told(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no such" in only_problem(name)


@pytest.mark.parametrize("base", ["/etc/passwd", "../small", "a/../../small", "~/small", "C:\\small", "file:small"])
def test_a_base_out_of_the_folder_is_refused(folder, base):
    told = only_problem(differing(folder, "", base=f"'{base}'"))
    assert told.startswith(f"mine.yaml:2 base: {base!r}; must be a name inside the scenario's folder")


def test_a_link_out_of_the_folder_is_refused(folder):
    inside = folder / "inside"
    inside.mkdir()
    (inside / "link.yaml").symlink_to(folder / "small.yaml")
    assert "leads out of the scenario's folder" in only_problem(differing(inside, "", base="link"))


def test_a_base_that_is_not_there_is_told_with_its_line(folder):
    assert "mine.yaml:2 base: 'smal'; no such file" in only_problem(differing(folder, "", base="smal"))


def test_files_based_on_each_other_are_refused(folder):
    differing(folder, "", name="a", base="b")
    differing(folder, "", name="b", base="a")
    assert "must not be based on themselves (a.yaml -> b.yaml -> a.yaml)" in only_problem(folder / "a.yaml")
    assert "must not be based on themselves" in only_problem(differing(folder, "", name="c", base="c"))


def test_bases_that_multiply_are_refused_before_they_do(folder):
    for level in range(20):
        differing(folder, "", name=f"f{level}", base=f"[f{level + 1}, f{level + 1}]")
    differing(folder, "", name="f20")
    assert "more than 64 files" in problems(folder / "f0.yaml")[0]


@given(st.text("ab:{}[],-?*&!|>'\"%@`# \n\t0.~<", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_scenario_error(text):
    with contextlib.suppress(ScenarioError):
        read_text(text, "fuzz.yaml")


# Posteriors


@pytest.fixture
def learned(folder):
    """A folder with the small world and a posterior of it."""
    posterior_file(folder, load(folder / "small.yaml").world)
    return folder


def test_a_scenario_without_posterior_has_none(folder):
    scenario = load(folder / "small.yaml")
    assert (scenario.world.prior, scenario.posterior_file, scenario.posterior) == ("", None, None)


def test_a_posterior_lies_beside_the_file_that_names_it_or_beside_the_first_or_is_shipped(learned, monkeypatch):
    world, text = load(learned / "small.yaml").world, "why: a test\nbase: small\nprior: posterior.nc\n"
    inside = learned / "inside"
    inside.mkdir()
    (inside / "part.yaml").write_text(text)
    file = differing(learned, "", base="inside/part.yaml")
    assert load(file).posterior_file.resolve() == (learned / "posterior.nc").resolve()
    posterior_file(inside, world)
    assert load(file).posterior_file.resolve() == (inside / "posterior.nc").resolve()
    (learned / "elsewhere").mkdir()
    (learned / "elsewhere/mine.yaml").write_text(text)
    monkeypatch.setattr(layers, "shipped_folder", lambda: learned)
    assert load(learned / "elsewhere/mine.yaml").posterior_file.resolve() == (learned / "posterior.nc").resolve()


def test_a_posterior_is_inherited_replaced_and_switched_off(learned):
    posterior_file(learned, load(learned / "small.yaml").world, "other.nc", shift=0.1)
    file = differing(learned, "prior: posterior.nc")
    assert load(file).posterior.size == 40
    assert load(differing(learned, "", "above", "mine")).posterior_file.name == "posterior.nc"
    assert load(differing(learned, "prior: other.nc", "above", "mine")).posterior_file.name == "other.nc"
    assert load(file, ["prior=other.nc"]).posterior_file.name == "other.nc"
    for nothing in ("null", "''", "' '"):
        scenario = load(differing(learned, f"prior: {nothing}", "above", "mine"))
        assert (scenario.world.prior, scenario.posterior) == ("", None)
        assert load(file, [f"prior={nothing}"]).posterior_file is None


def test_a_resolved_scenario_names_the_bare_file_of_its_posterior(learned):
    (learned / "inside").mkdir()
    (learned / "posterior.nc").rename(learned / "inside/posterior 1.nc")
    scenario = load(differing(learned, "prior: inside/posterior 1.nc"))
    (learned / "inside/resolved.yaml").write_text(dump(scenario), encoding="utf-8")
    again = load(learned / "inside/resolved.yaml")
    assert again.world == scenario.world
    assert dump(again) == dump(scenario)
    assert '\nprior: "posterior 1.nc"\n' in dump(again)
    assert again.posterior.sha256 == scenario.posterior.sha256


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/etc/posterior.nc", "must be a name inside the scenario's folder, not absolute, without .."),
        ("../posterior.nc", "must be a name inside the scenario's folder"),
        ("~/posterior.nc", "must be a name inside the scenario's folder"),
        ("C:posterior.nc", "must be a name inside the scenario's folder"),
        ("posterior", "must be a netCDF file, its name ending in .nc"),
        ("small.yaml", "must be a netCDF file, its name ending in .nc"),
        (".nc", "must be a netCDF file, its name ending in .nc"),
        ("inside/summary.nc", "must have another name; that of the summary of every run is taken"),
        ("posteriors.nc", "no such file; did you mean posterior.nc?"),
        ("link.nc", "leads out of the scenario's folder"),
        ("x" * 300 + ".nc", "no such file"),
    ],
)
def test_what_a_prior_must_not_name(learned, tmp_path_factory, text, told):
    (learned / "link.nc").symlink_to(posterior_file(tmp_path_factory.mktemp("out"), load(learned / "small.yaml").world))
    assert only_problem(differing(learned, f"prior: '{text}'")).startswith(f"mine.yaml:3 prior: {short(text)!r}; {told}")
    assert only_problem(differing(learned, ""), [f"prior='{text}'"]).startswith(f"--set prior: {short(text)!r}; {told}")


def test_a_prior_that_is_no_text_is_refused(learned):
    assert only_problem(differing(learned, "prior: 3")) == "mine.yaml:3 prior: 3; must be a text"
    assert "prior: a mapping; must be a text" in only_problem(differing(learned, ""), ["prior.x=3"])


def test_a_missing_posterior_is_told_with_all_other_problems(learned):
    told = problems(differing(learned, "prior: none.nc\nlithium: {ceiling: -1}"))
    assert [problem.split(": ")[0] for problem in told] == ["mine.yaml:3 prior", "mine.yaml:4 lithium.ceiling"]


def test_numbers_from_the_posterior_say_so_and_keep_their_prior(learned):
    rows = {row.path: row for row in source_rows(load(differing(learned, "prior: posterior.nc\nmines: {quarry: {cash_cost: 5000}}")))}
    before = {row.path: row for row in source_rows(load(learned / "small.yaml"))}
    assert rows[NUMBERS[1]].prior == f"posterior.nc, over: {before[NUMBERS[1]].prior}"
    assert rows["mines.quarry.cash_cost"].prior == ""
    assert rows["lithium.noise"] == before["lithium.noise"]


def test_the_schema_knows_the_posterior():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator({"$defs": schema()["$defs"], **schema()["properties"]["prior"]})
    assert [validator.is_valid(value) for value in ("posterior.nc", "", None, 3)] == [True, True, True, False]


# Resolved scenarios, schema, rows


def test_a_resolved_scenario_loads_to_the_same_world_and_the_same_text(folder):
    text = "policy: {help: {kind: subsidy, start: 2020, size: 30, regions: [china], source: 'law: \"x\" #1'}}"
    scenario = load(differing(folder, text), ["lithium.first_price=12345.678901234567", "why=to see"])
    (folder / "resolved.yaml").write_text(dump(scenario), encoding="utf-8")
    again = load(folder / "resolved.yaml")
    assert again.world == scenario.world
    assert dump(again) == dump(scenario)
    assert again.files == (folder / "resolved.yaml",)


def test_the_order_of_blocks_in_the_file_does_not_change_the_resolved_text(folder):
    turned = load(folder / "small.yaml")
    world = turned.world.model_copy(update={"chemistries": dict(reversed(turned.world.chemistries.items()))})
    assert dump(type(turned)("small", world, ())) == dump(turned)


def test_the_schema_accepts_the_small_world_and_refuses_its_mistakes():
    jsonschema = pytest.importorskip("jsonschema")
    from ruamel.yaml import YAML

    def as_json(value):
        return {str(key): as_json(inner) for key, inner in value.items()} if isinstance(value, dict) else value

    def read(**differences):
        return as_json(YAML(typ="safe", pure=True).load(small_world_yaml(**differences)))

    validator = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    assert list(validator.iter_errors(read())) == []
    for wrong in [{"lithium": {"floor": -1}}, {"lithium": {"flor": 1}}, {"mines": {"quarry": {"status": "shut"}}}, {"colour": 1}]:
        assert list(validator.iter_errors(read(**wrong))), wrong


def test_the_reference_rows_name_unit_meaning_prior_and_bounds():
    rows = {row.path: row for row in reference_rows()}
    assert rows["lithium.noise"][1:] == (
        "1",
        "Standard deviation of the monthly shock to the logarithm of price",
        "0.06",
        "lognormal(0.06, 0.3)",
        "at least 0",
        "assumption: sentiment and policy news",
    )
    assert rows["chemistries.<chemistry>.learns_from.<chemistry>"].default == "0 for names left out"
    assert rows["manufacturers.<manufacturer>.programmes.<chemistry>.since"].unit == "year"


def test_shipped_scenarios_are_listed_by_name_without_their_parts():
    assert shipped_folder().name == "scenarios"
    assert all(find(name).parent == shipped_folder() for name in names())
    assert "demand" not in names()


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_is_valid_and_fully_sourced(name):
    assert all(row.source for row in source_rows(load(name)))


DATES = {"manufacturers.founded", "policy.start", "policy.end", "policy.announced", "policy.announced_end"}
DATES |= {"mines.known", "chemistries.reference_year"}
RECORD = {"segments.history", "record.values", "record.error"}
OPENING = {"manufacturers.capacity", "segments.opening_shares", "minerals.opening_price", "chemistries.specific_energy_start"}
OPENING |= {"chemistries.lithium", "chemistries.intensity", "mines.capacity", "mines.potential"}
SCALED = {"segments.saturation", "mines.cash_cost", "mines.capital_cost", "mines.lead_time"}  # by numbers that have a prior
PATHS = {"segments.pack_cost", "segments.requirement_path", "chemistries.packing", "lithium.raw_ore"}  # have no priors
DEFINITIONS = {"segments.buyers", "policy.minimum_specific_energy", "programmes.knowledge_from"}


def test_assumed_numbers_of_the_baseline_have_priors():
    certain = []
    for row in source_rows(load("baseline")):
        kind, name, *rest = row.path.split(".")
        field = f"{kind}.{rest[0] if rest else name}"
        exempt = name == "lead_acid" or rest[-1:] == ["since"] or field in DATES | RECORD | OPENING | SCALED | PATHS | DEFINITIONS
        if not exempt and "assumption" in row.source and not row.prior and float_or_none(row.value) not in (0, 1):
            certain.append(row.path)
    assert certain == []


def float_or_none(text):
    """A number, or nothing where there is none."""
    try:
        return float(text)
    except ValueError:
        return None
