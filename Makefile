# Each target sets up what it needs. PROFILE, NOTEBOOKS, ARGS may be given: make run PROFILE=smoke NOTEBOOKS="04 05"
PYTHON ?= python3
PROFILE ?= quick
COMMIT ?= before-thin
BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal
SLOW := browser or chaos or cluster

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow same lab lint bench lock clean

help: ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 11

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: .venv/ready ## the virtual environment in .venv, every package pinned

run: .venv/ready ## execute the notebooks, build the review site (PROFILE=quick NOTEBOOKS="04 05" ARGS=--force)
	@$(BIN)/lightlab run $(NOTEBOOKS) --profile $(PROFILE) $(ARGS)

test: .venv/ready lint ## lint and all tests but the slow ones, under eight minutes on two cores (ARGS="-k board")
	$(PYTEST) -m "not ($(SLOW))" $(ARGS)

test-slow: .venv/ready ## tests with a browser, with kills and limits of runs, on a cluster (ARGS="-m browser")
	$(PYTEST) -m "$(SLOW)" $(ARGS)

same: .venv/ready ## smoke's tables, claims and figures against another commit's (COMMIT=before-thin NOTEBOOKS="04 05")
	$(BIN)/python tests/same.py $(COMMIT) $(NOTEBOOKS)

lab: .venv/ready ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=.

lint: .venv/ready ## style, layers, stripped notebooks
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/nbstripout --verify --keep-id $$(ls notebooks/*.ipynb)

bench: .venv/ready ## the long measurements, each against a named baseline (BENCH="bo data overhead")
	@for b in $(or $(BENCH),$(basename $(notdir $(wildcard benchmarks/*.py)))); do $(BIN)/python benchmarks/$$b.py || exit 1; done

lock: ## constraints.txt anew: the newest versions that fit, torch as pinned
	rm -rf .venv && $(PYTHON) -m venv .venv && $(BIN)/pip install -q -e '.[dev]' "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt && touch .venv/ready

clean: ## the virtual environment and all results but results/reference
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find results -mindepth 1 -maxdepth 1 ! -name reference -exec rm -rf {} +
