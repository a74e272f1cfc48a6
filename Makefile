# Run `make help` for what can be made. Everything is rebuilt only when something it depends on has changed.

PYTHON3      ?= python3
VENV         ?= .venv
OUTPUTS      ?= outputs
REALIZATIONS ?= 100
SEED         ?= 1
WORKERS      ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
TESTS        ?= tests
MEMBERS      ?= 400
TRIALS       ?= 40
ATTACKS      ?= 10000
BUYERS       ?=

PYTHON    := $(VENV)/bin/python
PIP       := $(PYTHON) -m pip install --quiet --disable-pip-version-check
FORECAST  := $(VENV)/bin/forecast
PACKAGE   := $(VENV)/package.stamp
TOOLS     := $(VENV)/test.stamp
YARDS     := $(VENV)/bench.stamp
DASK      := $(VENV)/cluster.stamp
SETTINGS  := $(OUTPUTS)/.settings
SCENARIOS := $(sort $(basename $(notdir $(wildcard scenarios/*.yaml))))
OTHERS    := $(filter-out baseline,$(SCENARIOS))

# What the numbers of a run depend on, and what its pictures depend on besides.
ENGINE   := $(filter-out forecast/__main__.py,$(wildcard forecast/*.py)) \
            $(wildcard forecast/model/*.py forecast/ensemble/*.py forecast/scenario/*.py forecast/assess/*.py forecast/history/*.* scenarios/world/*.yaml scenarios/*.nc)
PICTURES := $(wildcard forecast/report/*.*)

say = @printf '%-11s %s\n' '$(1)' '$(2)'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help forecast scenarios compare test faults attack check bench performance cluster-demo cf-check docs reference behaviour calibrate \
        calibration-check hindcast track-record baseline-numbers lock clean FORCE

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
	    printf '  make %-17s %s\n' "$$name" "$$what"; done
	@echo
	@echo '  Settings: REALIZATIONS=$(REALIZATIONS) SEED=$(SEED) WORKERS=$(WORKERS) OUTPUTS=$(OUTPUTS)'
	@echo '  One scenario: make $(OUTPUTS)/lithium_surge'

forecast: $(OUTPUTS)/baseline ## run the baseline: data, summary and pictures in outputs/baseline
	$(call say,ready,$(OUTPUTS)/baseline: results.zarr summary.nc scenario.yaml pictures/)

scenarios: $(SCENARIOS:%=$(OUTPUTS)/%) ## run every shipped scenario
	$(call say,ready,$(words $(SCENARIOS)) scenarios in $(OUTPUTS))

compare: $(OTHERS:%=$(OUTPUTS)/comparisons/%.txt) ## compare every scenario with the baseline
	$(call say,ready,$(words $(OTHERS)) comparisons in $(OUTPUTS)/comparisons)

test: $(TOOLS) ## run all tests
	@$(PYTHON) -m pytest -q $(TESTS)

faults: $(TOOLS) ## break runs and results hundreds of times: kills, full disks, damage (20 minutes)
	@$(PYTHON) -m pytest -q --thorough tests/faults

attack: $(TOOLS) ## load ATTACKS broken scenario files, simulate some that are accepted (minutes)
	@$(PYTHON) -m tests.faults.scenario_attack $(ATTACKS)

check: $(TOOLS) ## ruff, mypy and the house rules
	@$(VENV)/bin/ruff check --quiet --output-format concise .
	@$(VENV)/bin/mypy --no-error-summary
	@$(PYTHON) -m pytest -q --durations=0 --no-header tests/test_house.py
	$(call say,sound,ruff mypy house)

bench: $(YARDS) ## measure speed and memory, beside numpy and Mesa doing the same work (minutes)
	@$(PYTHON) -m pytest -q --durations=0 --no-header tests/bench/same_work.py
	@$(PYTHON) tests/bench

performance: $(YARDS) ## measure all of docs/performance.md, and rewrite it and its picture (a quarter of an hour)
	@$(PYTHON) -m pytest -q --durations=0 --no-header tests/bench/same_work.py
	@$(PYTHON) tests/bench --full --json $(OUTPUTS)/performance.json
	@$(PYTHON) docs/performance.py $(OUTPUTS)/performance.json

cluster-demo: REALIZATIONS := 500
cluster-demo: $(DASK) ## run 500 realizations on a small dask cluster, kill a worker, compare the bytes (minutes; BUYERS=1000 is quick)
	@$(PYTHON) tests/cluster_demo.py --realizations $(REALIZATIONS) $(if $(BUYERS),--buyers $(BUYERS))

cf-check: $(TOOLS) $(OUTPUTS)/baseline ## check the results against CF-1.11 with an independent checker
	@mkdir -p $(OUTPUTS)/exported
	@$(FORECAST) export $(OUTPUTS)/baseline --format netcdf --all --output $(OUTPUTS)/exported/baseline.nc --force
	@$(PYTHON) tests/cf_check.py $(OUTPUTS)/baseline/summary.nc $(OUTPUTS)/exported/baseline.nc

reference: docs/scenario-reference.md ## rewrite docs/scenario-reference.md from the declarations

docs/scenario-reference.md: docs/reference.py docs/scenario-format.md.in $(wildcard forecast/model/*.py forecast/scenario/*.py) forecast/declare.py $(PACKAGE)
	@$(PYTHON) docs/reference.py $@

docs: $(VENV)/docs.stamp docs/scenario-reference.md ## build the pages in docs/_build
	@$(VENV)/bin/sphinx-build -q -W --keep-going -b html docs docs/_build
	$(call say,ready,docs/_build/index.html)

behaviour: $(TOOLS) $(SCENARIOS:%=$(OUTPUTS)/%) ## rewrite docs/behaviour.md and its pictures from the runs
	@$(PYTHON) docs/behaviour.py $(OUTPUTS)

calibrate: $(PACKAGE) ## learn the parameters of the baseline from the years to 2024 again: scenarios/posterior-2024.nc (minutes)
	@$(FORECAST) calibrate baseline --set prior=null --until 2024 --output scenarios/posterior-2024.nc --workers $(WORKERS) --force

calibration-check: $(OUTPUTS)/calibration-check.nc ## calibrate pasts that the model makes up: is the truth found again? (minutes)

$(OUTPUTS)/calibration-check.nc: $(filter-out scenarios/%.nc,$(ENGINE)) scenarios/baseline.yaml $(PACKAGE)
	@mkdir -p $(@D)
	@$(FORECAST) calibrate baseline --set prior=null --until 2024 --check $(TRIALS) --output $@ --workers $(WORKERS) --force

hindcast: $(OUTPUTS)/hindcast/scores.json ## the track record: forecasts from 2018-24, scored, in outputs/hindcast (minutes)

$(OUTPUTS)/hindcast/scores.json: $(filter-out scenarios/%.nc,$(ENGINE)) scenarios/baseline.yaml $(PACKAGE)
	@$(FORECAST) hindcast baseline --set prior=null --members $(MEMBERS) --output $(@D) --workers $(WORKERS) --force

track-record: $(TOOLS) hindcast calibration-check ## rewrite docs/track-record.md and its pictures
	@$(PYTHON) docs/track_record.py $(OUTPUTS)

baseline-numbers: $(TOOLS) ## store new numbers for the regression tests; say why in CHANGELOG.md, Results changed
	@$(PYTHON) -m pytest -q tests/regression --store-baseline

lock: $(PYTHON) ## find and lock the newest versions of all packages
	@$(PIP) 'uv>=0.9,<1'
	@$(foreach part,run cluster test bench docs,$(LOCK_$(part)) --output-file requirements/$(part).txt &&) true
	$(call say,locked,requirements: run.txt cluster.txt test.txt bench.txt docs.txt)

clean: ## remove outputs, caches and built pages; .venv stays
	@find $(OUTPUTS) -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	@rm -rf build dist *.egg-info docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find forecast tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment, in steps: the locked packages, the package itself, what a cluster needs, the tools for tests, for yardsticks, for pages.

$(PYTHON):
	$(call say,environment,$(VENV))
	@$(PYTHON3) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt | $(PYTHON)
	$(call say,install,$<)
	@$(PIP) --require-hashes -r $<
	@touch $@

$(PACKAGE): setup.cfg pyproject.toml $(VENV)/run.stamp
	$(call say,install,battery-forecast)
	@PYTHONWARNINGS=ignore $(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(DASK): requirements/cluster.txt $(PACKAGE)
	$(call say,install,$<)
	@$(PIP) --require-hashes -r $<
	@touch $@

$(TOOLS): requirements/test.txt $(PACKAGE)
	$(call say,install,$<)
	@$(PIP) --require-hashes -r $<
	@touch $@

$(YARDS): requirements/bench.txt $(TOOLS)
	$(call say,install,$<)
	@$(PIP) --require-hashes -r $<
	@touch $@

$(VENV)/docs.stamp: requirements/docs.txt $(TOOLS)
	$(call say,install,$<)
	@$(PIP) --require-hashes -r $<
	@touch $@

LOCK      := UV_PYTHON_DOWNLOADS=never $(PYTHON) -m uv --quiet --no-config pip compile setup.cfg --upgrade --universal --python-version 3.11 \
             --fork-strategy fewest --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
LOCK_run  := $(LOCK) --extra build
LOCK_cluster := $(LOCK) --extra build --extra cluster --constraint requirements/run.txt
LOCK_test := $(LOCK) --extra build --extra cluster --extra test --extra lint --constraint requirements/cluster.txt
LOCK_bench := $(LOCK) --extra build --extra cluster --extra test --extra lint --extra bench --constraint requirements/test.txt
LOCK_docs := $(LOCK) --extra build --extra cluster --extra test --extra lint --extra docs --constraint requirements/test.txt

# A run depends on the engine, the data, its own scenario file, the files that this one is based on, and the settings.

bases    = $(basename $(shell awk '/^[^ \#-]/ {now = /^base:/} now {sub(/^base:/, ""); sub(/ \#.*/, ""); \
             gsub(/[][,"\047]|^ *- /, " "); print}' scenarios/$(1).yaml))
lineage  = $(if $(filter $(1),$(2)),,scenarios/$(1).yaml $(foreach parent,$(call bases,$(1)),$(call lineage,$(parent),$(1) $(2))))

$(foreach s,$(SCENARIOS),$(eval $(OUTPUTS)/$(s)/manifest.json: $(call lineage,$(s))))
.PHONY: $(SCENARIOS:%=$(OUTPUTS)/%)
$(foreach s,$(SCENARIOS),$(eval $(OUTPUTS)/$(s): $(OUTPUTS)/$(s)/pictures/.made))

CHOSEN := $(REALIZATIONS) realizations, seed $(SEED)
ifneq ($(shell cat $(SETTINGS) 2>/dev/null),$(CHOSEN))
$(SETTINGS): FORCE
endif
$(SETTINGS):
	@mkdir -p $(@D)
	@echo '$(CHOSEN)' > $@

$(OUTPUTS)/%/manifest.json: $(ENGINE) $(PACKAGE) $(SETTINGS)
	$(call say,run,$*: $(REALIZATIONS) realizations)
	@$(FORECAST) run $* --realizations $(REALIZATIONS) --seed $(SEED) --workers $(WORKERS) --output $(OUTPUTS)/$* --no-pictures --force

$(OUTPUTS)/%/pictures/.made: $(OUTPUTS)/%/manifest.json $(PICTURES)
	$(call say,draw,$*)
	@$(FORECAST) plot $(OUTPUTS)/$* > /dev/null
	@touch $@

$(OUTPUTS)/comparisons/%.txt: $(OUTPUTS)/baseline/pictures/.made $(OUTPUTS)/%/pictures/.made
	$(call say,compare,$* with baseline)
	@mkdir -p $(@D)
	@$(FORECAST) compare $(OUTPUTS)/$* $(OUTPUTS)/baseline --output $(@:.txt=.nc) > $@
