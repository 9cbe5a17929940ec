# Every target sets up what it needs in .venv, so each works first on a fresh machine with Python >= 3.10.
# PYTHON is the interpreter that a new .venv is made of: make PYTHON=python3.12 demo
PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: help demo demo-full test test-slow test-all bench lint format clean
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## walk through the lecture in short: draw its pictures, write demos/out/index.html
	$(PY) -m demos --quick

demo-full: .venv/.installed ## the same at full length
	$(PY) -m demos

# In one process a core. PYTEST_ARGS is for pytest: make test PYTEST_ARGS="tests/nn -k linear"
test: .venv/.installed ## run the tests and the docstrings' examples
	$(PY) -m tests.jobs $(PYTEST_ARGS)

test-slow: .venv/.installed ## run only the slow tests
	$(PY) -m tests.jobs -m slow $(PYTEST_ARGS)

test-all: .venv/.installed ## run both, and print the figures of the gradient check
	$(PY) -m tests.jobs -m "" $(PYTEST_ARGS)

bench: .venv/.installed ## time whole training steps against NumPy by hand and any peers installed
	$(PY) -m tests.bench

lint: .venv/.installed-dev ## check format, style and types
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy

format: .venv/.installed-dev ## format the code and repair what can be repaired
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

clean: ## remove everything that make, pip and the tools wrote
	rm -rf .venv build demos/out scratchgen.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find scratchgen demos tests -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 10) or \
	  sys.exit(f"scratchgen needs Python 3.10 or newer, $(PYTHON) is {v}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[test]'
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP) --editable '.[test,dev]'
	@touch $@
