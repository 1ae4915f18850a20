# `make demo` and `make test` need Python 3.11+ and nothing else: they make .venv and fill it from
# the hash-pinned locks. A stamp inside .venv keeps a second run quick.

# The first interpreter that is new enough: a distribution's python3 may be older than its python3.11.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet
PYTEST_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test soak proof check format format-check lint types contracts docs docs-check picture lock clean python

help:
	@echo 'make demo    audit a recorded chaos run and print its scorecard'
	@echo 'make test    run the whole test suite (PYTEST_FLAGS="-k store" for a part)'
	@echo 'make soak    damage requests, withdraw evidence and kill the receiver, for half an hour'
	@echo 'make proof   audit the recordings of both systems again, and write docs/proof.md'
	@echo 'make check   all that a change must pass: format, lint, types, import contracts, tests, docs'
	@echo 'make format  rewrite the code as the formatter wants it'
	@echo 'make docs    write the generated pages again'
	@echo 'make picture draw the picture of the README again'
	@echo 'make lock    resolve the dependencies again'
	@echo 'make clean   remove .venv and all caches'

demo: .venv/.runtime
	@$(BIN)/tracejury demo

# More workers than cores: tests of screens and of receivers wait.
test: .venv/.dev
	$(BIN)/python -m pytest --numprocesses $$($(BIN)/python -c 'import os; print(os.cpu_count() * 3 // 2)') \
		--dist worksteal -m "not long" $(PYTEST_FLAGS)

soak: .venv/.dev
	$(BIN)/python -m pytest --hypothesis-profile=soak tests/otlp/test_fuzz.py tests/otlp/test_decode.py
	$(BIN)/python -m pytest --hypothesis-profile=soak tests/samples/test_withdrawn.py tests/scorecard
	$(BIN)/python -m pytest --kills 60 tests/receiver/test_kills.py
	$(BIN)/python -m pytest -m long

# A few of them are audited in `make test`, too; all of them take some minutes.
proof: .venv/.dev
	$(BIN)/python -m tests.samples.proof

check: format-check lint types contracts test docs-check

format: .venv/.dev
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

format-check: .venv/.dev
	$(BIN)/ruff format --check .

lint: .venv/.dev
	$(BIN)/ruff check .

types: .venv/.dev
	$(BIN)/mypy

contracts: .venv/.dev
	$(BIN)/lint-imports

docs: .venv/.dev
	$(BIN)/python scripts/generate_docs.py

docs-check: .venv/.dev
	$(BIN)/python scripts/generate_docs.py --check

picture: .venv/.dev
	$(BIN)/python scripts/draw_scorecard.py

# Universal: one file for every system and Python 3.11 to 3.14. The second lock holds the first one's
# versions, so that the tests run what users install.
UV_COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --upgrade --group build
lock: .venv/.dev
	$(UV_COMPILE) --output-file requirements.lock
	$(UV_COMPILE) --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

python:
	@test -n "$(PYTHON)" || { \
		echo 'tracejury needs Python 3.11 or newer, and found none.' >&2; \
		echo 'Debian, Ubuntu: apt-get install python3-venv   Elsewhere: install python3.' >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		echo "$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install $$package" >&2; \
		exit 2; }

.venv/bin/python: | python
	@echo 'Creating .venv'
	@$(PYTHON) -m venv .venv

.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	@echo 'Installing what tracejury needs into .venv (a minute or two, once)'
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# What the tests need includes what tracejury needs, so either stamp is fresh afterwards.
.venv/.dev: requirements-dev.lock requirements.lock pyproject.toml | .venv/bin/python
	@echo 'Installing what tracejury and its tests need into .venv (a minute or two, once)'
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv/.runtime $@
