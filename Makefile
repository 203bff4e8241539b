# Everything runs in .venv, which `make setup` makes from constraints.txt. ENCODER=hashing leaves torch out.

ENCODER ?= minilm
DEMO_ARGS ?=
PYTEST_ARGS ?=
PYTHON ?= python3
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

.PHONY: help setup demo test test-container lint clean
