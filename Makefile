# Works on a machine with nothing but Python 3.11 or later: every target makes its own .venv first.
PYTHON    ?= python3
RL_LANG   ?= fr
ARGS      ?=
PIP_FLAGS ?=
TORCH     ?= auto
VENV      ?= .venv
BIN       := $(VENV)/bin
PIP       := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt

# On x86-64 Linux the torch of PyPI brings gigabytes of CUDA. TORCH=auto takes the build without it where no NVIDIA GPU is seen, TORCH=cpu
# always, TORCH=default never. On other systems the torch of PyPI has no CUDA. An index that cannot be reached costs seconds: `timeout` ends
# the question, since pip would wait for each address of the host in turn.
TORCH_CPU := --index-url https://download.pytorch.org/whl/cpu
define TORCH_WITHOUT_CUDA
case "$(TORCH)" in \
auto) if [ -e /dev/nvidiactl ] || [ -e /dev/nvidia0 ] || nvidia-smi >/dev/null 2>&1; then exit 0; fi ;; \
cpu) ;; \
default) exit 0 ;; \
*) echo "TORCH=$(TORCH): expected auto, cpu or default" >&2; exit 2 ;; \
esac; \
if [ "$$(uname -sm)" != "Linux x86_64" ]; then exit 0; fi; \
pinned=$$(sed -n 's/^torch==//p' constraints.txt); \
found=$$($(BIN)/python -c 'import importlib.metadata as m; print(m.version("torch").partition("+")[0])' 2>/dev/null); \
if [ "$$found" = "$$pinned" ]; then exit 0; fi; \
echo "torch $$pinned: the build without CUDA (TORCH=default takes the other one)"; \
timeout 20 $(BIN)/python -m pip index versions torch $(TORCH_CPU) --retries 0 --timeout 15 >/dev/null 2>&1 \
&& $(PIP) --no-deps --retries 0 --timeout 15 $(TORCH_CPU) torch 2>/dev/null \
|| echo "torch $$pinned: that build cannot be had from download.pytorch.org; going on with the ordinary package index"
endef

.PHONY: run test test-all bench lint results docs install clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed ## train the shipped policy of RL_LANG (fr, es, en); more flags in ARGS="--seed 1"
	$(BIN)/rlpoet train --lang $(RL_LANG) $(ARGS)

test: $(VENV)/.installed-dev ## the default suite, some minutes
	$(BIN)/python -m pytest $(ARGS)

test-all: $(VENV)/.installed-dev ## with the slow tests, half an hour on two slow cores
	$(BIN)/python -m pytest -m "slow or not slow" $(ARGS)

bench: $(VENV)/.installed-dev ## speeds and accuracies
	$(BIN)/python -m experiments.benchmarks.all $(ARGS)

lint: $(VENV)/.installed-dev ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

results: $(VENV)/.installed-dev ## the pages RESULTS, VERSE and SPEED of experiments/ from experiments/results/*.json
	$(BIN)/python -m experiments.release.results_page

docs: $(VENV)/.installed-docs ## the generated pages, then the site in build/site; a broken link fails
	$(BIN)/python -m experiments.release.cli_page
	$(BIN)/python -m experiments.release.forms_page
	$(BIN)/python -m mkdocs build --strict

install: $(VENV)/.installed

clean: ## what can be made again; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; try make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml setup.py constraints.txt | $(VENV)/bin/python
	@$(TORCH_WITHOUT_CUDA)
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml setup.py constraints.txt | $(VENV)/bin/python
	@$(TORCH_WITHOUT_CUDA)
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml setup.py constraints.txt | $(VENV)/bin/python
	@$(TORCH_WITHOUT_CUDA)
	$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.installed
