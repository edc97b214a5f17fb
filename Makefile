.DEFAULT_GOAL := help
.PHONY: help demo test check bench up down status clean
PYTHON ?= $(shell command -v python3.11 || command -v python3)
READY := .venv/.installed
FAST := not integration and not e2e and not benchmark
UV := uv==0.13.8

help: ; @awk -F'## ' '/^[a-z]+:.*## / { split($$1, target, ":"); printf "  make %-8s %s\n", target[1], $$NF }' $(MAKEFILE_LIST)  ## show this

demo: $(READY) ; @.venv/bin/mlops demo  ## one real model through its whole life, on a clean platform that stays up

test: $(READY) ; @.venv/bin/pytest -m "not benchmark"  ## unit, integration and end-to-end tests

check: $(READY) ; @.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports && .venv/bin/pytest -q -n 2 -m "$(FAST)"  ## style, types, import contracts, unit tests

bench: $(READY) ; @set -e; for benchmark in tests/benchmarks/bench_*.py; do .venv/bin/python $$benchmark; done  ## measure

up: $(READY) ; @.venv/bin/mlops up  ## start Airflow, MLflow and the model server

down: ; @[ ! -e $(READY) ] || .venv/bin/mlops down  ## end them

status: $(READY) ; @.venv/bin/mlops status  ## how they are

clean: ; @[ ! -e $(READY) ] || .venv/bin/mlops down --wipe; rm -rf .venv .mlops build dist .*_cache  ## end them; delete their data, the environment and caches

# The stamp appears last. Without it the environment is made anew, so an interrupted set-up is never built upon.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and f"Python 3.11 is needed, not {sys.version.split()[0]}: make PYTHON=/path/to/python3.11")'
	@[ -e $@ ] || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	.venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode -c constraints.txt -e '.[airflow,demo,dev]'
	@touch $@
