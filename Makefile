.DEFAULT_GOAL := help
.PHONY: help demo test check lint unit slow faults bench gpu-check up down status stack-up stack-down clean
PYTHON ?= $(shell command -v python3.11 || command -v python3)
READY := .venv/.installed
REAL := integration or e2e
UV := uv==0.13.8
STACKS = $(basename $(notdir $(wildcard docker/secrets/*.env)))

help: ; @awk -F'## ' '/^[a-z-]+:.*## / { split($$1, target, ":"); printf "  make %-10s %s\n", target[1], $$NF }' $(MAKEFILE_LIST)  ## show this

demo: $(READY) ; @.venv/bin/mlops demo  ## one real model through its whole life, on a clean platform that stays up

test: unit slow ; @.ci/with-engine .venv/bin/pytest -m "$(REAL)"  ## unit, slow, integration and end-to-end tests

check: lint unit  ## style, types, import contracts, the quick unit tests

lint: $(READY) ; @.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

unit: $(READY) ; @.venv/bin/pytest -q -n 2 -m "not (slow or $(REAL))"

slow: $(READY) ; @.venv/bin/pytest -q -n 2 -m "slow and not ($(REAL))"

faults: $(READY) ; @.venv/bin/python tests/faults/ledger_kills.py && .ci/with-engine .venv/bin/python tests/faults/kill_matrix.py  ## kill registrations, containers and their tasks in every way

bench: $(READY) ; @set -e; for benchmark in tests/benchmarks/bench_*.py; do .ci/with-engine .venv/bin/python $$benchmark; done  ## measure

gpu-check: $(READY) ; @.venv/bin/python tests/gpu/gpu_check.py  ## fit on this machine's GPU, beside a bare PyTorch loop

up: $(READY) ; @.venv/bin/mlops up  ## start Airflow, MLflow and the model server

down: ; @[ ! -e $(READY) ] || .venv/bin/mlops down  ## end them

status: $(READY) ; @.venv/bin/mlops status  ## how they are

stack-up: $(READY) ; @.venv/bin/mlops stack up  ## start the platform in containers: Celery, PostgreSQL, Redis

stack-down: $(READY) ; @.venv/bin/mlops stack down --wipe  ## end it; delete its containers, networks and data

# A stack's volumes open to the secrets in its file alone: stacks go before what removes them.
clean: $(if $(STACKS),$(READY)) ; @set -e; for stack in $(STACKS); do MLOPS_STACK_NAME=$$stack .venv/bin/mlops stack down --wipe; done; [ ! -e $(READY) ] || .venv/bin/mlops down --wipe; rm -rf .venv .mlops build dist .*_cache  ## end them; delete their data, the environment and caches

# PyTorch comes through pip, which finds a wheel of the machine's own where one is configured; uv does not look there.
# The stamp appears last. Without it the environment is made anew, so an interrupted set-up is never built upon.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and f"Python 3.11 is needed, not {sys.version.split()[0]}: make PYTHON=/path/to/python3.11")'
	@[ -e $@ ] || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	.venv/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	.venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode -c constraints.txt -e '.[airflow,demo,dev,docker,onnx,torch]'
	@touch $@
