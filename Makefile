# Everything runs in .venv, which `make setup` makes with the versions of constraints.txt.
# It has torch (5.6 GB) only where an encoder needs it, as ENCODER=minilm does, and for the tests.

ENCODER ?= e5-small+hashing
PYTHON ?= python3
DEMO_ARGS ?=
PYTEST_ARGS ?=
LOGS ?= ../shared/data
JOBS ?= 1
# Tests that run beside each other: they wait for brokers most of the time. Each takes 2 to 3 GB.
TEST_JOBS ?= 3
SEEDS ?= 0:100
EVENTS ?= 50000
RATE ?= 500
FAULTS ?= all
CRASH_ARGS ?= --json crash-runs.jsonl --logs crash-logs
BIN := .venv/bin
UNIT := not kafka and not model and not interop and not browser and not container and not gpu and not slow and not thorough and not long

# pip and uv bring lists of authorities of their own; that of a company's proxy is on the system's alone.
export UV_SYSTEM_CERTS ?= true
CERTS := $(shell $(PYTHON) stream_rec/certificates.py 2>/dev/null)
ifneq ($(CERTS),)
export PIP_CERT ?= $(CERTS)
endif
# Hundreds of processes would compile all that they import, each anew.
unexport PYTHONDONTWRITEBYTECODE
INSTALL_FAILED = { echo "nothing was installed; if certificates are named above: set SSL_CERT_FILE to a PEM file with your \
company's authority and all others that you trust, or add it to the system's"; exit 2; }
NO_VENV = { echo "Python's venv module is needed (Debian: apt-get install python3-venv)"; exit 2; }

.DEFAULT_GOAL := help
.PHONY: help setup extras demo check unit test test-thorough test-long test-python interop test-containers deploy-tools test-deploy test-crash evaluate ablation wheel audit sbom lint docs clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

WITHOUT_TORCH := hashing random e5-small bge-small minilm-int8 use-multilingual
PLUS := +
READY := .venv/ready-$(if $(filter-out $(WITHOUT_TORCH),$(subst $(PLUS), ,$(ENCODER))),full,light)

setup: $(READY) $(if $(EXTRAS),extras)  ## make .venv with what `make demo` needs (EXTRAS=report,serve: that besides); `make test` puts in all
	@$(BIN)/stream-rec compile
	@echo "ready: call .venv/bin/stream-rec, or stream-rec after \`. .venv/bin/activate\`"

# uv is there while it installs, and gone when it has: with the pip that brings it 63 MB.
UV := .uv/bin/uv
INSTALL = $(UV) pip install --python $(BIN)/python -c constraints.txt

extras: $(READY)  ## put into .venv what EXTRAS names, as `make setup` does
	@$(MAKE) --no-print-directory $(UV)
	@$(INSTALL) -e '.[broker,compile,embed,$(EXTRAS)]' || $(INSTALL_FAILED)
	@rm -rf .uv

# A full environment serves the light demo too. What is made half is made again.
.venv/ready-full: pyproject.toml constraints.txt
	@rm -f .venv/ready-*
	@echo "installing stream-rec with torch: some minutes on a slow link, 5.6 GB"
	@$(MAKE) --no-print-directory $(BIN)/python $(UV)
	@$(INSTALL) -e '.[broker,compile,embed,multilingual,http,serve,sink,otel,torch,bench,report,parquet,registry,mlflow,tune,docs,test]' pip uv || $(INSTALL_FAILED)
	@rm -rf .uv
	@$(BIN)/stream-rec compile
	@touch .venv/ready-light $@

.venv/ready-light: pyproject.toml constraints.txt light.txt
	@rm -f .venv/ready-*
	@echo "installing stream-rec without torch"
	@$(MAKE) --no-print-directory $(BIN)/python $(UV)
	@$(INSTALL) --excludes light.txt -e '.[broker,compile,embed]' || $(INSTALL_FAILED)
	@rm -rf .uv
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12 ..."; exit 2; }
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --without-pip --clear .venv || $(NO_VENV)

$(UV):
	@$(PYTHON) -m venv --clear .uv || $(NO_VENV)
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv || $(INSTALL_FAILED)

demo: $(READY)  ## the whole pipeline on a real log (ENCODER=hashing: without a model; DEMO_ARGS="--json PATH")
	@exec $(BIN)/stream-rec --log-level warning demo --encoder $(ENCODER) $(DEMO_ARGS)

check: lint unit  ## before each commit, in some minutes: lint, and the unit tests, without a broker, a model or a network

unit:  ## the unit tests alone
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile -m "$(UNIT)" $(PYTEST_ARGS)

test: .venv/ready-full  ## every test but those of the other commands here, on a real broker and the real models
	@exec $(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m "not thorough and not gpu and not container and not long" $(PYTEST_ARGS)

test-thorough: .venv/ready-full  ## tests that take long: half of the crash matrix, secured brokers, the docs' commands, wheels
	@exec $(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m "thorough and not gpu and not container and not long" $(PYTEST_ARGS)

test-long: .venv/ready-full  ## more of the crash matrix and of kills, and a machine that is kept busy: some 12 minutes
	@exec $(BIN)/python -m pytest -m long $(PYTEST_ARGS)

test-python:  ## the unit tests on Python 3.13, of a Debian in a folder of its own: needs root and debootstrap
	@exec tests/python.sh

interop:  ## KafkaJS and TypeScript, by npm, for the tests in tests/interop; Java needs a JDK besides
	@cd tests/interop && npm install --no-package-lock --no-audit --no-fund
	@cd deploy/clients/typescript && npm install --no-package-lock --no-audit --no-fund

test-containers: .venv/ready-full  ## tests that need a container engine (Docker, or root with podman and debootstrap)
	@PYTHON=$(BIN)/python exec tests/containers/run.sh $(PYTEST_ARGS)

deploy-tools: $(BIN)/python  ## Helm and what else checks deploy/, into .tools
	@PYTHON=$(BIN)/python exec deploy/tools.sh

test-deploy: .venv/ready-full  ## build the image, bring deploy/compose.yaml up with podman, send events, kill a worker, take it down
	@PYTHON=$(BIN)/python exec tests/deploy/run.sh $(PYTEST_ARGS)

test-crash: .venv/ready-full  ## the crash matrix, for hours (SEEDS=0:100 EVENTS=50000 RATE=500 FAULTS=all); goes on where it was stopped
	@exec $(BIN)/python -m tests.crash --seeds $(SEEDS) --events $(EVENTS) --rate $(RATE) --faults $(FAULTS) $(CRASH_ARGS)

evaluate: .venv/ready-full  ## the tables of docs/measurements.md: the engine next to all baselines on three logs (LOGS=folder, JOBS=n)
	@exec $(BIN)/python benchmarks/evaluate.py --logs $(LOGS) --out evaluation --jobs $(JOBS)

ablation: .venv/ready-full  ## what each part of the engine is worth, on 20,000 events of each of three logs (LOGS=folder, JOBS=n)
	@exec $(BIN)/python benchmarks/ablation.py --logs $(LOGS) --out ablation --jobs $(JOBS)

wheel: $(READY)  ## dist/*.whl, with its kernels compiled: who installs it, with this Python's version, compiles nothing
	@$(MAKE) --no-print-directory $(BIN)/python $(UV)
	@$(INSTALL) --quiet 'setuptools>=77' || $(INSTALL_FAILED)
	@rm -rf .uv
	@exec $(BIN)/python deploy/wheel.py

audit: .venv/ready-light  ## known vulnerabilities of the dependencies; says so where the service cannot be reached
	@$(MAKE) --no-print-directory $(UV)
	@$(BIN)/python deploy/security/audit.py --pip-audit "$(UV) tool run pip-audit" constraints.txt
	@rm -rf .uv

sbom: .venv/ready-light  ## what is in .venv, with versions and licences, as CycloneDX in sbom.json
	@$(MAKE) --no-print-directory $(UV)
	@$(UV) tool run --from cyclonedx-bom==7.5.0 cyclonedx-py environment --pyproject pyproject.toml \
	  --output-reproducible -o sbom.json .venv
	@rm -rf .uv

lint: .venv/ready-full  ## style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: .venv/ready-full  ## the documentation as a site in site/; a broken link fails
	@NO_MKDOCS_2_WARNING=1 exec $(BIN)/mkdocs build --strict --quiet

clean:  ## remove .venv and what runs leave behind
	@rm -rf .venv .uv .stream-rec build dist site .pytest_cache .hypothesis .ruff_cache .mypy_cache
