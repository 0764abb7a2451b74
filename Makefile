# The words of the house: setup, demo, check, test, slow, validate, docs, bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export MYOPROOF_DATA ?= $(abspath ../shared/data)
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo check test slow validate docs bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,check,docs,bench]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/myoproof demo --out myoproof-demo

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(STAMP)
	@.ci/packages
	$(BIN)/python -m pytest -n 2 -m "not slow"

slow: $(STAMP)
	@.ci/packages
	$(BIN)/python -m pytest -n 2 -m slow

validate: $(STAMP)
	$(BIN)/python -m benchmarks.validate

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) site build dist myoproof-demo
