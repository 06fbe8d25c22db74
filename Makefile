# Works on a machine with nothing but Python 3.11 or later: every target makes its own .venv first.
PYTHON    ?= python3
RL_LANG   ?= fr
ARGS      ?=
PIP_FLAGS ?=
VENV      ?= .venv
BIN       := $(VENV)/bin
PIP       := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt

.PHONY: run test bench lint results install clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed ## train the shipped policy of RL_LANG (fr, es, en); more flags in ARGS="--seed 1"
	$(BIN)/rlpoet train --lang $(RL_LANG) $(ARGS)

test: $(VENV)/.installed-dev ## the whole default suite
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.installed-dev ## speeds and accuracies
	$(BIN)/python -m experiments.benchmarks.all $(ARGS)

lint: $(VENV)/.installed-dev ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

results: $(VENV)/.installed-dev ## experiments/RESULTS.md from experiments/results/*.json
	$(BIN)/python -m experiments.release.results_page

install: $(VENV)/.installed

clean: ## what can be made again; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; try make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml setup.py constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml setup.py constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed
