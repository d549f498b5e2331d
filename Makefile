# `make run` and `make test` need git, make and Python alone: they install the rest into .venv, from locks/.

SHELL := /bin/bash
BIN := .venv/bin
WORKERS ?= 2

.PHONY: help run test soak fuzz check lint types imports bench wheel lock format clean

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## the whole job on bundled data, then serve it until Ctrl-C; ONCE=1 ends instead
	@scripts/environment run
	@$(BIN)/feedsvc demo $(if $(filter-out 0,$(ONCE)),--once)

test: ## the tests, with branch coverage; ARGS='-k names' is handed to pytest
	@scripts/environment test
	@scripts/install-test-tools
	$(BIN)/pytest -n $(WORKERS) --cov $(ARGS)

soak: ## the tests that take minutes
	@scripts/environment test
	@scripts/install-test-tools
	$(BIN)/pytest -m soak --timeout 3600 $(ARGS)

fuzz: ## an hour of inputs that nobody thought of, for the log formats; ARGS='zeek --seconds 60'
	@scripts/environment test
	@$(BIN)/python -c 'import atheris' || $(BIN)/python -m pip install --quiet atheris
	$(BIN)/python tests/fuzz/fuzz_logs.py $(ARGS)

check: lint types imports test ## all that must hold before a change is handed in

lint: ## style and likely mistakes
	@scripts/environment test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: ## mypy, strict
	@scripts/environment test
	$(BIN)/mypy

imports: ## imports go down only
	@scripts/environment test
	$(BIN)/lint-imports

bench: ## every performance claim, measured now
	@scripts/environment test
	@set -e; for claim in benchmarks/*.py; do echo "== $$claim"; $(BIN)/python "$$claim"; done

wheel: ## dist/feedsvc-*.whl
	@scripts/environment run
	$(BIN)/hatchling build -t wheel

lock: ## resolve pyproject.toml anew into locks/; UPGRADE='--upgrade' takes the newest of everything
	@test -x .venv-lock/bin/uv || { python3 -m venv --clear .venv-lock && .venv-lock/bin/pip install --quiet uv==0.13.9; }
	scripts/lock .venv-lock/bin/uv $(UPGRADE)

format: ## let ruff write the code as `make lint` wants it
	@scripts/environment test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove all that these commands made
	rm -rf .venv .venv-lock dist build htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
