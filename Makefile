# Everything runs in .venv, made when it is missing. `make help` says what there is.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
READY := .venv/.ready
# Two test processes, whole files each; first what waits longest for other processes.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder -rs
# Alone, for a browser and a kernel want both cores.
JUPYTERLAB := tests/book/test_jupyterlab.py

.DEFAULT_GOAL := help
.PHONY: help setup reproduce lab test test-science test-book test-engines lint docs flower
.PHONY: frameworks dist release clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install into .venv what the targets below need, pinned (about 2 minutes)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "rndcfl needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --progress-bar on -c constraints.txt -e '.[dev]'
	@touch $@

reproduce: $(READY) ## run the notebooks, say where their figures are (about 12 minutes)
	$(BIN)/rndcfl reproduce

lab: $(READY) ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

test: $(READY) ## all tests, notebooks included (about 13 minutes)
	$(BIN)/pytest -rs $(JUPYTERLAB)
	$(BIN)/pytest $(SIDE_BY_SIDE) --ignore $(JUPYTERLAB)

test-science: $(READY) ## the tests of the science only
	$(BIN)/pytest $(SIDE_BY_SIDE) --ignore tests/book --ignore tests/engines

test-book: $(READY) ## the tests of command line, notebooks, figures and pages
	$(BIN)/pytest -rs $(JUPYTERLAB)
	$(BIN)/pytest $(SIDE_BY_SIDE) --ignore $(JUPYTERLAB) tests/book

test-engines: $(READY) ## the tests of the protocol and of Flower
	$(BIN)/pytest $(SIDE_BY_SIDE) tests/engines

lint: $(READY) ## ruff, mypy; are notebooks committed without outputs?
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --keep-id --extra-keys "metadata.papermill cell.metadata.papermill" --verify notebooks/*.ipynb

docs: $(READY) ## the published notebooks as web pages, in site/
	$(BIN)/rndcfl html site

flower: $(READY) ## try discovery and training on Flower, on this machine
	$(BIN)/rndcfl flower

frameworks: $(READY) ## one job in rndcfl, fluke and Flower, side by side
	benchmarks/run.sh

dist: $(READY) ## wheel and sdist, in dist/
	$(BIN)/python -m hatchling build

release: $(READY) ## is everything published fresh and verified? then dist
	$(BIN)/rndcfl list --profile paper --check
	$(BIN)/rndcfl verify
	$(MAKE) dist

clean: ## remove environments, builds and all runs but the published one
	rm -rf .venv .venv-fluke .venv-flower benchmarks/out dist site
	rm -rf papermill_runs/smoke papermill_runs/demo papermill_runs/interactive papermill_runs/verify
