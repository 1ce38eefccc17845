# Every target prepares what it needs: on a fresh machine `make demo` is the first and only command.
# Overridable: PYTHON (3.11 or newer), ARGS (passed on to the program), UPGRADE=1 (for `make lock`), QUICK=1 (for `make bench`).

PYTHON ?= python3
BIN := .venv/bin

# Programs from Debian that tests drive, as program=package.
DEBIAN := ip=iproute2 chromium=chromium
# Of `make test-all` alone: 96 MB on disk.
DEBIAN_ALL := $(DEBIAN) prometheus=prometheus promtool=prometheus

PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

# Minutes of pure computing: by themselves, so that they take no time from tests of real processes that run beside them.
SEEDS := tests/simulator/test_seeds.py

.DEFAULT_GOAL := help
.PHONY: help demo browse test test-all lint format bench docs audit sbom lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.$(if $(wildcard .venv/.dev),dev,demo)  ## real flights, real models, real traffic: a sound update and a harmful one
	$(BIN)/glideslope demo $(ARGS)

browse: .venv/.$(if $(wildcard .venv/.dev),dev,demo)  ## a recorded run of the demo as pages, with a tour; nothing is run
	$(BIN)/glideslope browse $(ARGS)

test: .venv/.dev  ## everything that finishes in minutes
	$(if $(DEBIAN),$(BIN)/python tools/ensure_debian.py $(DEBIAN))
	$(PYTEST) $(if $(ARGS),$(ARGS),--ignore=$(SEEDS))
	$(if $(ARGS),,$(PYTEST) $(SEEDS))

test-all: .venv/.dev  ## also long simulations, load and kill loops; many more examples per property
	$(if $(DEBIAN),$(BIN)/python tools/ensure_debian.py $(DEBIAN_ALL))
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "" $(ARGS)

lint: .venv/.dev  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tools
	$(BIN)/lint-imports
	$(BIN)/python tools/supply.py

format: .venv/.dev  ## mend what the linter can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev  ## the figures of benchmarks/, one script after the other
	@set -e; for script in $$(ls benchmarks/[a-z]*.py 2>/dev/null); do \
	  echo "== $$script"; $(BIN)/python $$script $(if $(QUICK),--quick) $(ARGS); done

docs: .venv/.dev  ## check the pages: links, decision records, every command they show
	$(BIN)/python -m pytest tests/docs $(ARGS)

audit: .venv/.dev  ## ask an advisory service about every pin; 3 means that it was not audited (ARGS="--service osv")
	@$(BIN)/python tools/audit.py $(ARGS)

sbom: .venv/.dev  ## what a release is made of, as CycloneDX, in dist/
	$(BIN)/python tools/sbom.py dist

lock: .venv/.dev  ## make requirements/*.txt again from pyproject.toml
	tools/lock.sh

clean:  ## remove what the other targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .hypothesis .import_linter_cache
	find . \( -name __pycache__ -o -name .ruff_cache \) -type d -prune -exec rm -rf {} +

# Installed again only when a lock or what we declare changed.
.venv/.%: requirements/%.txt requirements/uv.txt pyproject.toml tools/environment.py
	@$(PYTHON) tools/environment.py $*
	@touch $@
