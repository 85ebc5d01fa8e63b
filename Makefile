# The two commands: make reproduce, make test. Everything runs in .venv, made when it is missing.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup reproduce test lab lint flower frameworks dist release clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "rndcfl needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --progress-bar on -c constraints.txt -e '.[dev,flower]'
	@touch $@

reproduce: $(READY)
	$(BIN)/rndcfl reproduce

test: $(READY)
	$(BIN)/pytest -rs tests/book/test_jupyterlab.py  # alone: a browser and a kernel want both cores
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -rs --ignore tests/book/test_jupyterlab.py

lab: $(READY)
	$(BIN)/jupyter lab notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --keep-id --extra-keys "metadata.papermill cell.metadata.papermill" --verify notebooks/*.ipynb

flower: $(READY)
	$(BIN)/rndcfl flower

frameworks: $(READY)
	benchmarks/run.sh

dist: $(READY)
	$(BIN)/python -m hatchling build

release: $(READY)
	$(BIN)/rndcfl list --profile paper --check
	$(BIN)/rndcfl verify
	$(MAKE) dist

clean:
	rm -rf .venv .venv-fluke .venv-flower benchmarks/out dist papermill_runs/smoke papermill_runs/demo papermill_runs/interactive papermill_runs/verify
