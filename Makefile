# `make` shows what there is to do. All set-up happens by itself, in .venv, the first time and when setup.cfg changes.
# PYTHON=/path/to/python chooses the interpreter, ARGS="..." is passed on to the program that a target runs.

.DEFAULT_GOAL := help
.PHONY: help demo test lint types cov bench bench-merge soak e2e check clean

VENV ?= .venv
BIN := $(VENV)/bin
COVERAGE ?= 90
NEWER_THAN_3_10 := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c '$(NEWER_THAN_3_10)' 2>/dev/null && echo $$python && break; done)

help:  ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.vdo  ## build a small platform from recorded answers: branches, a merge, a deployment; no key needed
	@$(BIN)/vdo demo $(ARGS)

test: $(VENV)/.dev  ## run the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(VENV)/.dev  ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## check the types
	$(BIN)/mypy

cov:  ## run the tests and measure their branch coverage, which has a floor
	$(MAKE) test ARGS="--cov --cov-report=term --cov-fail-under=$(COVERAGE) $(ARGS)"

bench: $(VENV)/.dev  ## measure speed against git
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

bench-merge: $(VENV)/.dev  ## measure merging on real and synthetic conflicts
	PYTHONPATH=tests $(BIN)/python -m bench.bench_merge $(ARGS)

soak: $(VENV)/.dev  ## kill vdo at 200 random moments and see every job complete
	$(BIN)/python -m pytest -n auto -m soak --soak 200 $(ARGS)

e2e: $(VENV)/.dev  ## drive the web page in a real browser
	$(BIN)/python -m pytest -m e2e $(ARGS)

check: lint types cov e2e demo  ## all that CI runs

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "vdo needs Python 3.11 or newer, and none was found: install one, or name it with make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c '$(NEWER_THAN_3_10)' || { echo "$(PYTHON) cannot be used: vdo needs Python 3.11 or newer (make PYTHON=/path/to/python3 names another one)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }

$(VENV)/.vdo: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing vdo into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.vdo
	@echo "Installing what tests and checks need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,web,cluster,github]'
	@touch $@
