# Everything a person or a CI does with this project. `make` alone lists it.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
DEMO_HOME ?= data-demo
# More arguments for pip. PyTorch's default wheel on Linux brings several GB of CUDA packages; on a machine without a
# GPU, give the index of CPU builds that pytorch.org names ("Get started", Linux, Pip, CPU):
#   make install PIP_ARGS='--extra-index-url …'
PIP_ARGS ?=
# The first of these that runs and is of an accepted version.
PYTHON ?= $(firstword $(foreach python,python3.11 python3.12 python3,$(shell \
	$(python) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $(python))))

BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)
PYTEST = $(BIN)/python -m pytest --numprocesses 2 --dist worksteal
# What coverage is measured of (pyproject.toml), by its own tests; the rest is exercised by tests without a floor.
FLOOR = --fail-under=95

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: install
install: $(VENV)/.installed  ## make the virtual environment (.venv) with everything pinned; repeated only when pins change

$(VENV)/.installed: pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11 or 3.12 found — install one (Debian, Ubuntu: apt install python3 python3-venv) or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@echo "[1/4] virtual environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "error: $(PYTHON) cannot make virtual environments — on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) setuptools
	@echo "[2/4] PyTorch (the largest; see PIP_ARGS in the Makefile for a CPU build)"
	@$(PIP) torch
	@echo "[3/4] TensorFlow"
	@$(PIP) tensorflow
	@echo "[4/4] everything else, and this project"
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

.PHONY: demo
demo: install  ## the whole lineage for AAPL on the bundled bars: leaderboard and next-session forecast
	@STOCK_ASSETS_HOME=$(DEMO_HOME) $(BIN)/stock-assets run --ticker AAPL --source sample
	@echo
	@echo "Open the screens:   make up      then http://127.0.0.1:5006"
	@echo "Ask with SQL:       STOCK_ASSETS_HOME=$(DEMO_HOME) $(BIN)/stock-assets sql 'FROM leaderboard'"

.PHONY: up
up: install  ## dashboard, Dagster, MLflow and Evidently on this machine, with the automation, until Ctrl-C
	@$(BIN)/stock-assets up

.PHONY: dev
dev: install  ## for work on the code: Dagster alone on http://127.0.0.1:3000, until Ctrl-C
	@$(BIN)/dagster dev --host 127.0.0.1 --port 3000

.PHONY: unit
unit: install  ## the quick tests, about a minute
	@$(PYTEST) -m "not slow"

.PHONY: test
test: install  ## all tests, with the floor of branch coverage
	@$(PYTEST) --cov --cov-report=
	@$(BIN)/coverage report $(FLOOR) --skip-covered

.PHONY: check
check: install  ## format, lint, types, freshness of generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

.PHONY: docs
docs: install  ## regenerate the generated documents
	$(BIN)/python docs/generate.py

.PHONY: bench
bench: install  ## ratios against peers, in one run on this machine
	@$(BIN)/python -m benchmarks

.PHONY: controls
controls: install  ## series whose truth is known through the whole pipeline, about half an hour; writes docs/controls.md
	@$(BIN)/python -m benchmarks.controls

.PHONY: soak
soak: install  ## the desk alone for 90 simulated sessions, a quarter of an hour: every promise of the automation, checked
	@$(BIN)/python -m benchmarks.soak

.PHONY: clean
clean:  ## remove what can be made again (not data/)
	rm -rf $(VENV) data-demo build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
