# LLMVS: every target is a thin line around the command line `llmvs`. `make help` lists them.
#
# Choose what runs with FOLD= DATASET= VARIANT= BACKBONE= SEED= ARGS="key=value ...": they are names of layers of configuration
# (configs/dataset, configs/variant, ...), nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup train crossval ablation extract summarize baselines config export sweep agent test test-slow demo-backbones tables lint docs clean

PYTHON ?= python3
DATASET ?= demo
FOLD ?= 0
VARIANT ?=
BACKBONE ?=
SEED ?=
GRID ?= embedding
FOLDS ?=
SEEDS ?=
SWEEP ?= head
PROJECT ?= llmvs
ARGS ?=
VIDEO ?=
COUNT ?=

BIN := .venv/bin
LAYERS = dataset=$(DATASET) $(BACKBONE:%=backbone=%) $(VARIANT:%=variant=%)
SETTINGS = $(LAYERS) fold=$(FOLD) $(SEED:%=seed=%) $(ARGS)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

setup: .venv/installed  ## make .venv and install everything into it

train: setup  ## train and evaluate one fold (FOLD= DATASET= VARIANT= BACKBONE= SEED= ARGS=)
	@$(BIN)/llmvs train $(SETTINGS)

crossval: setup  ## all folds with several seeds, and what they say together (SEEDS=0,1,2 FOLDS=)
	@$(BIN)/llmvs crossval $(LAYERS) $(FOLDS:%=--folds %) $(SEEDS:%=--seeds %) $(ARGS)

ablation: setup  ## a grid of variants in one table beside the published figures, and a plot (GRID=embedding|aggregator|prompt|readout|paper)
	@$(BIN)/llmvs ablate $(GRID) $(LAYERS) $(FOLDS:%=--folds %) $(SEEDS:%=--seeds %) $(ARGS)

extract: setup  ## caption and embed the videos of a dataset, without training
	@$(BIN)/llmvs extract $(SETTINGS)

summarize: setup  ## a summary of your own video to watch (VIDEO=FILE ARGS="--length 90s --about '...'")
	@[ -n "$(VIDEO)" ] || { echo "make summarize: name the video: make summarize VIDEO=holiday.mp4"; exit 2; }
	@$(BIN)/llmvs summarize "$(VIDEO)" $(ARGS)

baselines: setup  ## what chance and people reach on a dataset
	@$(BIN)/llmvs baselines $(SETTINGS)

config: setup  ## print the configuration that `make train` would run
	@$(BIN)/llmvs config $(SETTINGS)

export: setup  ## write a run's head as a folder to share (RUN=folder ARGS="to=DIR push=true repo=USER/NAME")
	@$(BIN)/llmvs export $(RUN) $(ARGS)

sweep: setup  ## create a sweep of sweeps/ on W&B (SWEEP=head DATASET= ARGS=); without W&B: llmvs sweep head
	@$(BIN)/llmvs sweep $(SWEEP) --create dataset=$(DATASET) log.project=$(PROJECT) $(ARGS)

agent: setup  ## run points of a sweep until it ends; as many agents as there are GPUs may join (SWEEP_ID=, as `make sweep` prints it; COUNT= at most so many)
	@PATH="$(CURDIR)/$(BIN):$$PATH" wandb agent --forward-signals $(COUNT:%=--count %) --project $(PROJECT) $(SWEEP_ID)

test: setup  ## run the tests (minutes)
	@$(BIN)/pytest -q -n 2 --dist worksteal

test-slow: setup  ## run the tests that take minutes each
	@$(BIN)/pytest -q -m slow

demo-backbones: setup  ## teach the demo's two small models again where they are missing or damaged (three quarters of an hour)
	@$(BIN)/python -m llmvs.demo.recipe

tables: setup  ## renew the table in docs/demo.md from runs/ (after: make ablation GRID=pattern SEEDS=0,1,2)
	@$(BIN)/python -m llmvs.results.paste docs/demo.md

lint: setup  ## check style, types and import order
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: setup  ## build the documentation site, strictly, into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove .venv; data, caches and runs stay
	rm -rf .venv

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "$(PYTHON) is older than Python 3.10: name a newer one with PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all,dev,docs]'
	@touch $@
