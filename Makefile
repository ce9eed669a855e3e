# The commands of a developer's and a newcomer's day; `make help` lists them.
PYTHON ?= python3.11
BIN := .venv/bin

# Two programs at a time share two cores: threads of their own would only get in each other's way.
export OMP_NUM_THREADS := 1
# AiiDA starts its daemon by the first `verdi` on PATH.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-unit test-jobs test-workflow test-services test-slow chaos lint docs clean

help:  ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

install:  ## make .venv with everything in it; instant when nothing has changed
	@command -v $(PYTHON) >/dev/null || { echo "aiida-seireact needs Python 3.11, and '$(PYTHON)' was not found. Install Python 3.11 from your system's packages, python.org, pyenv or conda, or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) tools/install.py

demo: install  ## run the whole workflow on a small system
	$(BIN)/aiida-seireact demo

test: lint  ## lint, unit tests, the workflows with a real daemon, and on real services, on two cores
	@$(MAKE) --no-print-directory -j2 test-workflow test-jobs test-unit test-services

# A profile of its own with a daemon, hence a process of its own.
test-workflow: install
	$(BIN)/python -m pytest tests/workflow -m "not slow"

# SLURM, OpenSSH, PostgreSQL and RabbitMQ of its own; it begins when the others leave a core.
test-services: install
	$(BIN)/python -m pytest tests/services -m "not slow"

# The longer half of the unit tests, by time, so that no core waits at the end.
JOBS := tests/calculations tests/programs tests/workchains
test-jobs: install
	$(BIN)/python -m pytest $(JOBS) -m "not slow"

test-unit: install
	$(BIN)/python -m pytest tests $(JOBS:%=--ignore=%) --ignore=tests/workflow --ignore=tests/services -m "not slow"

test-slow: install  ## the tests that take minutes
	$(BIN)/python -m pytest tests --ignore=tests/services -m slow
	$(BIN)/python -m pytest tests/services -m slow

SEED ?= 1
chaos: install  ## kill parts of a running demo ten times at random (SEED=1), and compare with a run in peace
	$(BIN)/python tools/chaos.py --seed $(SEED)

lint: install  ## ruff, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: install  ## build the documentation in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:  ## remove what was built; .venv stays
	rm -rf build dist docs/_build docs/jupyter_execute .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find aiida_seireact tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
