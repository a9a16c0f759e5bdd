# Two commands are enough on a fresh machine: `make reproduce-filtering` and `make test`.
# Each target first makes the environment .venv, which takes a few minutes once and nothing afterwards.
# To use an environment that exists already (nothing is installed into it): make test VENV=/path/to/env

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=

ifeq ($(origin VENV),undefined)
VENV := .venv
OWN_VENV := yes
endif

RUN := $(VENV)/bin/python
STAMP := $(VENV)/.requirements
export PYTHONPATH := $(CURDIR)
# Idle threads that spin make torch many times slower as soon as anything else runs.
export OMP_WAIT_POLICY := passive

.PHONY: help env
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-26s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  ARGS="..." is passed on to the program; VENV=/path uses an environment that exists already.'
	@echo '  SEEDS=0,1 METHODS=zeros,diff,halo JOBS=2 SCALE=paper choose the training runs of an experiment.'
	@echo '  RESULTS=/folder puts runs, tables and figures there; DATA=/folder is where downloaded data lies.'

ifdef OWN_VENV
env: $(STAMP) ## Make the environment .venv from exp_requirements.txt (nothing to do when current)

# The stamp is written last: an install that was interrupted is taken up again.
$(STAMP): exp_requirements.txt pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON); name another: make env PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 10) and f"Python 3.10 or newer is needed; {sys.executable} is {v.major}.{v.minor}. Name another: make env PYTHON=python3.12")'
	@echo "Making the environment $(VENV): a few minutes and about 6 GB, once."
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --requirement exp_requirements.txt --editable .
	@touch $(STAMP)
else
env:
	@test -x $(RUN) || { echo "VENV=$(VENV) holds no bin/python: name an environment that exists, or leave VENV out to make .venv" >&2; exit 1; }
	@$(RUN) -c 'import hydra, lightning, pandas, pytest' 2> /dev/null || { echo "VENV=$(VENV) lacks what the experiments need: $(RUN) -m pip install --requirement exp_requirements.txt" >&2; exit 1; }
endif

.PHONY: test lint interruptions
test: env ## Run the tests
	$(RUN) -m pytest -n 2 $(ARGS)

.PHONY: test-fast
test-fast: env ## Run the tests of the library and of the programs' parts that are quick
	$(RUN) -m pytest -n 2 -m "not slow" $(ARGS)

# Interruptions of the trial below.
KILLS ?= 20
TERMS ?= 10
interruptions: env ## Kill, stop and damage small runs at random moments; each must end as if nothing had happened
	$(RUN) tests/interruptions.py --kills $(KILLS) --terms $(TERMS) $(ARGS)

# Of `make fuzz`: how many cases, of which seed, in how many processes.
CASES ?= 1000
SEED ?= 0
FUZZ_JOBS ?= $(if $(JOBS),$(JOBS),2)
.PHONY: fuzz
fuzz: env ## Generated cases against torch and an independent oracle: CASES=10000 SEED=1
	OMP_NUM_THREADS=1 $(RUN) -m tests.fuzz --cases $(CASES) --seed $(SEED) --jobs $(FUZZ_JOBS) $(ARGS)

# The package, away from the repository. ARGS=--download installs torch anew, and lends nothing.
.PHONY: dist test-oldest test-newest
dist: env ## Build wheel and sdist into dist/, and try the wheel in an environment without the repository
	OMP_NUM_THREADS=1 $(RUN) -m scripts.release.dist $(ARGS)

test-oldest: env ## The library's tests on the oldest Python, torch, ... that are allowed (an environment of 7 GB)
	$(RUN) -m scripts.release.ends oldest $(ARGS)

test-newest: env ## The same on the newest that can be had; ARGS="--python /path/to/python3.13"
	$(RUN) -m scripts.release.ends newest $(ARGS)

lint: env ## Check style (ruff) and types (mypy, strict)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

.PHONY: train
train: env ## Train a ResNet-18 with Diff on the embedded data: ARGS="padding=replicate seed=1"
	$(RUN) train.py padding=diff model=resnet18 $(ARGS)

# Where results go, and where downloaded data is, if not in the repository.
RESULTS ?=
DATA ?=
ifneq ($(DATA),)
export DIFF_CONV2D_DATA := $(abspath $(DATA))
endif
# A list for make, as any text with spaces.
ifneq ($(word 2,$(RESULTS) $(DATA)),$(if $(RESULTS),$(DATA)))
$(error RESULTS and DATA must be folders without spaces in their names; got RESULTS=$(RESULTS) DATA=$(DATA))
endif
ELSEWHERE = $(if $(RESULTS),output_dir=$(abspath $(RESULTS)))
RUNS = $(if $(RESULTS),runs_dir=$(abspath $(RESULTS))/runs/train)
# The figure is drawn from the tables that were just made, also when they went elsewhere; the pages show those of the
# repository alone.
OUTPUT = $(patsubst output_dir=%,%,$(filter output_dir=%,$(ELSEWHERE) $(ARGS)))
DRAWN = $(if $(OUTPUT),--tables $(OUTPUT)/tables --output $(OUTPUT)/figures)
.PHONY: reproduce-filtering figures
reproduce-filtering: env ## The paper's filtering experiment: tables, then its figure
	$(RUN) -m experiments.filtering $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.filtering $(DRAWN)
	$(if $(OUTPUT),,$(RUN) -m scripts.filtering_page)
	$(if $(ELSEWHERE)$(ARGS),,$(RUN) -m scripts.page_numbers filtering)

# The sweeps of training runs: `make reproduce-segmentation SEEDS=0 METHODS=zeros,diff`. Each trains what is not done
# yet, then makes its tables and its figure.
SCALE ?= embedded
SEEDS ?= 0,1,2,3,4
METHODS ?=
JOBS ?=
# A file of configs/trial that makes every run small.
TRIAL ?=
OF_SWEEP = $(if $(TRIAL),+trial=$(TRIAL)) $(RUNS)
SWEEP = scale=$(SCALE) 'seeds=[$(SEEDS)]' $(if $(METHODS),'only=[$(METHODS)]') $(if $(JOBS),jobs=$(JOBS)) $(OF_SWEEP)
# Further seeds of some methods, zeros among them: MORE_SEEDS=5,6,7 MORE_METHODS=zeros,adaptive.
MORE_SEEDS ?=
MORE_METHODS ?=
COLLECT = --scale $(SCALE) --seeds $(SEEDS) $(if $(METHODS),--methods $(METHODS)) \
  $(if $(MORE_SEEDS),--more-seeds $(MORE_METHODS)=$(MORE_SEEDS)) \
  $(if $(RESULTS),--runs $(abspath $(RESULTS))/runs/train --tables $(abspath $(RESULTS))/tables)
COMMA := ,
HAS_ZEROS = $(if $(METHODS),$(if $(filter zeros,$(subst $(COMMA), ,$(METHODS))),,$(error METHODS must hold zeros, with which the others are compared; got $(METHODS))))
define reproduce
	$(HAS_ZEROS)
	$(if $(MORE_SEEDS),$(if $(MORE_METHODS),,$(error MORE_SEEDS needs MORE_METHODS, zeros among them)))
	$(RUN) -m experiments.reproduce sweep=$(1) $(SWEEP) $(ARGS)
	$(if $(MORE_SEEDS),$(RUN) -m experiments.reproduce sweep=$(1) $(SWEEP) 'seeds=[$(MORE_SEEDS)]' 'only=[$(MORE_METHODS)]' $(ARGS))
	$(RUN) -m scripts.collect $(1) $(COLLECT)
	$(RUN) -m scripts.figures.$(1) --scale $(SCALE) $(DRAWN)
endef
.PHONY: reproduce-classification reproduce-segmentation reproduce-super-resolution reproduce-normalization
reproduce-classification: env ## The paper's classification, every mode: runs, tables, figure
	$(call reproduce,classification)

reproduce-segmentation: env ## The paper's segmentation, every mode: runs, tables, figure
	$(call reproduce,segmentation)

reproduce-super-resolution: env ## The paper's super-resolution, every mode: runs, tables, figure
	$(call reproduce,super_resolution)

reproduce-normalization: env ## BatchNorm against none in the UNet of super-resolution: runs, tables, figure
	$(call reproduce,normalization)

.PHONY: reproduce-seams
reproduce-seams: env ## What tiling does to the networks of super-resolution, which must be trained: table, figure
	$(RUN) -m experiments.seams $(SWEEP) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.seams $(DRAWN)

# The sweeps of configs/frontier.yaml.
FRONTIER = [frontier_globe,frontier_landcover]
.PHONY: reproduce-frontier
reproduce-frontier: env ## Which mode and which halo for the compute that you have: runs, tables, figure, page
	$(RUN) -m experiments.reproduce 'sweep=$(FRONTIER)' $(SWEEP)
	$(RUN) -m experiments.frontier $(SWEEP) $(ELSEWHERE) $(ARGS)
	OMP_NUM_THREADS=1 $(RUN) -m experiments.frontier_cost $(SWEEP) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.frontier $(DRAWN)
	$(if $(OUTPUT),,$(RUN) -m scripts.frontier_page)

# Twelve seeds, unless SEEDS says which.
TWELVE := 0,1,2,3,4,5,6,7,8,9,10,11
.PHONY: reproduce-surrogate
reproduce-surrogate: SEEDS := $(if $(filter file,$(origin SEEDS)),$(TWELVE),$(SEEDS))
reproduce-surrogate: env ## Networks that step a flow on in windows, every mode: runs, tables, rollouts, figure, page
	$(RUN) -m experiments.reproduce sweep=surrogate $(SWEEP)
	$(RUN) -m scripts.collect surrogate $(COLLECT)
	$(RUN) -m experiments.surrogate $(SWEEP) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.surrogate $(DRAWN)
	$(if $(OUTPUT),,$(RUN) -m scripts.surrogate_page)

define step_on
	$(HAS_ZEROS)
	$(RUN) -m experiments.reproduce sweep=$(1) $(SWEEP)
	$(RUN) -m experiments.surrogate sweep=$(1) $(SWEEP) $(ELSEWHERE) $(ARGS)
	$(if $(OUTPUT),,$(RUN) -m scripts.surrogate_page)
endef
.PHONY: reproduce-surrogate-unrolled reproduce-surrogate-advection
reproduce-surrogate-unrolled: env ## The same networks trained on two steps: runs, rollouts, page
	$(call step_on,surrogate_unrolled)

reproduce-surrogate-advection: env ## The same networks for advection-diffusion: runs, rollouts, page
	$(call step_on,surrogate_advection)

SPACE := $() $()
# A study of few seeds: the first three.
FIRST = $(subst $(SPACE),$(COMMA),$(wordlist 1,3,$(subst $(COMMA), ,$(SEEDS))))
.PHONY: reproduce-finetuning
reproduce-finetuning: env ## What convert does to networks of classification and super-resolution, which must be trained
	$(RUN) -m experiments.finetuning 'seeds=[$(FIRST)]' $(if $(METHODS),'only=[$(METHODS)]') $(OF_SWEEP) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.finetuning $(DRAWN)

.PHONY: reproduce-position
reproduce-position: env ## What networks of classification, which must be trained, know of position: table, page
	$(RUN) -m experiments.position $(SWEEP) $(ELSEWHERE) $(ARGS)
	$(if $(OUTPUT)$(METHODS),,$(RUN) -m scripts.position_page)

.PHONY: reproduce-test-sizes reproduce-error-maps findings
reproduce-test-sizes: env ## Networks of super-resolution, which must be trained, on patches of several sizes: table, figure
	$(RUN) -m experiments.sizes $(SWEEP) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.super_resolution_sizes --scale $(SCALE) $(DRAWN)

reproduce-error-maps: env ## The paper's figure 3, from networks of super-resolution, which must be trained
	$(RUN) -m experiments.error_maps seed=$(firstword $(subst $(COMMA), ,$(SEEDS))) $(if $(METHODS),'methods=[$(METHODS)]') \
		scale=$(SCALE) $(RUNS) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.error_maps $(if $(filter paper,$(SCALE)),--name paper_error_maps) $(DRAWN)

.PHONY: archive versions
archive: env ## Verify the networks in results/networks; pack some: ARGS="pack super_resolution --seeds 0"
	$(RUN) -m scripts.archive $(if $(ARGS),$(ARGS),verify)

versions: env ## Write the versions that the tables are made with to results/versions.txt
	$(RUN) -m scripts.versions $(ARGS)

.PHONY: check-tables
check-tables: env ## Which tables are stale; computes the quick ones again: ARGS="shells --confirm"
	$(RUN) -m scripts.check_tables $(ARGS)

findings: env ## Put the findings of the training experiments, and what they can resolve, into README and docs
	$(RUN) -m scripts.power
	$(RUN) -m scripts.findings --update

.PHONY: pages
pages: findings ## Put every number that a table has into README, docs and notebooks, from results/tables
	$(RUN) -m scripts.modes_page
	$(RUN) -m scripts.filtering_page
	$(RUN) -m scripts.adaptive_page
	$(RUN) -m scripts.masks_page
	$(RUN) -m scripts.launches_page
	$(RUN) -m scripts.benchmark_page
	$(RUN) -m scripts.benchmark_cuda_page
	test ! -e results/tables/finetuning.csv || $(RUN) -m scripts.finetuning_page
	test ! -e results/tables/frontier.csv || $(RUN) -m scripts.frontier_page
	test ! -e results/tables/position.csv || $(RUN) -m scripts.position_page
	$(RUN) -m scripts.command_page
	$(RUN) -m scripts.paper_page
	test ! -e results/tables/surrogate_rollouts.csv || $(RUN) -m scripts.surrogate_page
	$(RUN) -m scripts.page_numbers

# In this order: all training runs in one sweep, so that no core waits for another; then their tables, and what needs
# the networks of super-resolution.
.PHONY: reproduce reproduce-training
reproduce-training: env ## The training runs of all four, in one sweep
	$(RUN) -m experiments.reproduce sweep=all $(SWEEP) $(ARGS)

# What needs no training; STUDIES= leaves it out.
STUDIES ?= filtering adaptive convergence shells regimes rollouts slopes masks launches
REPRODUCED = $(STUDIES) training classification segmentation super-resolution test-sizes error-maps
ifneq ($(SCALE),paper)
REPRODUCED += normalization seams finetuning frontier surrogate position walltime
BENCHMARKED = benchmark
endif
.NOTPARALLEL:
reproduce: $(addprefix reproduce-,$(REPRODUCED)) $(BENCHMARKED) ## Everything: every table and figure (SEEDS=0 METHODS=zeros,diff: a part)

# The whole way at the paper's scale, from data to the last figure, in minutes: small trees of random pictures in place
# of the data, small networks, two batches. `make trial RESULTS=/tmp/trial`; the data stays there too.
.PHONY: trial
trial: env ## make reproduce SCALE=paper on small trees of its data, small networks, two batches (RESULTS=/tmp/trial)
	@test -n "$(RESULTS)" || { echo 'Say where a trial may write: make trial RESULTS=/tmp/trial' >&2; exit 1; }
	$(RUN) -m scripts.small_trees $(RESULTS)/data
	$(MAKE) reproduce SCALE=paper TRIAL=small_trees DATA=$(RESULTS)/data RESULTS=$(RESULTS) STUDIES="$(TRIED)" \
	  SEEDS=$(if $(filter file,$(origin SEEDS)),0,$(SEEDS)) METHODS=$(if $(filter file,$(origin METHODS)),zeros$(COMMA)diff,$(METHODS))
# Studies of a trial: none, unless STUDIES says so.
TRIED = $(if $(filter file,$(origin STUDIES)),,$(STUDIES))

# On nearly flat images a fit depends on how many threads share a sum: the tables are those of one.
reproduce-filtering reproduce-adaptive reproduce-convergence reproduce-shells reproduce-regimes reproduce-rollouts \
  reproduce-slopes reproduce-masks reproduce-launches: export OMP_NUM_THREADS := 1

.PHONY: reproduce-adaptive
reproduce-adaptive: env ## The study of the adaptive boundary: tables, held-out fields too, figure, page
	$(RUN) -m experiments.adaptive $(ELSEWHERE) $(ARGS)
	$(RUN) -m experiments.adaptive --config-name adaptive_held_out $(filter output_dir=%,$(ELSEWHERE) $(ARGS))
	$(RUN) -m experiments.adaptive --config-name adaptive_others $(filter output_dir=%,$(ELSEWHERE) $(ARGS))
	$(RUN) -m experiments.adaptive --config-name adaptive_others_held_out $(filter output_dir=%,$(ELSEWHERE) $(ARGS))
	$(RUN) -m scripts.figures.adaptive $(DRAWN)
	$(if $(ELSEWHERE)$(ARGS),,$(RUN) -m scripts.adaptive_page)

# The studies of the operator: each its tables, then its figure.
.PHONY: reproduce-convergence reproduce-shells reproduce-regimes reproduce-rollouts reproduce-slopes
reproduce-convergence: ## Order of convergence at the edge as the grid is refined
reproduce-shells: ## Error by distance to the edge, edges and corners apart
reproduce-regimes: ## Which mode and degree is best, by blur, noise, kernel size; and rounding
reproduce-rollouts: ## Heat and advection-diffusion over 10,000 steps
reproduce-slopes: ## Slope of terrain at the rim of a map, beside GDAL and richdem
reproduce-convergence reproduce-shells reproduce-regimes reproduce-rollouts reproduce-slopes: reproduce-%: env
	$(RUN) -m experiments.$* $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.$* $(DRAWN)

.PHONY: reproduce-masks
reproduce-masks: env ## The study of masks: table, page
	$(RUN) -m experiments.masks $(ELSEWHERE) $(ARGS)
	$(if $(OUTPUT),,$(RUN) -m scripts.masks_page)

.PHONY: reproduce-launches
reproduce-launches: env ## How many operators each layer calls in each mode: table, page
	$(RUN) -m experiments.launches $(ELSEWHERE) $(ARGS)
	$(if $(OUTPUT),,$(RUN) -m scripts.launches_page)

.PHONY: benchmark reproduce-walltime
# True context is no mode of a layer.
TIMED = $(subst $(SPACE),$(COMMA),$(filter-out halo,$(subst $(COMMA), ,$(METHODS))))
# Threads that spin are faster as long as nothing else runs, and that is how a benchmark is to be run.
BENCHMARK = env -u OMP_WAIT_POLICY $(RUN) -m experiments.benchmark $(if $(METHODS),'methods=[$(TIMED)]')
benchmark: env ## What each boundary mode costs, beside torch, SciPy and OpenCV: table, figure
	$(BENCHMARK) $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.benchmark $(DRAWN)

.PHONY: benchmark-cuda
benchmark-cuda: env ## The same on a GPU, which it needs: networks, layers, filtering: table, figure, page
	$(BENCHMARK) $(ELSEWHERE) $(ARGS) --config-name benchmark_cuda
	$(RUN) -m scripts.figures.benchmark_cuda $(DRAWN)
	$(if $(OUTPUT),,$(RUN) -m scripts.benchmark_cuda_page)

reproduce-walltime: env ## The paper's experiment on wall time: its UNet, and single layers
	$(BENCHMARK) 'groups=[walltime,cnn]' name=walltime $(ELSEWHERE) $(ARGS)
	$(RUN) -m scripts.figures.walltime $(DRAWN)

.PHONY: report
report: env ## Write what is in results/ (RESULTS=/folder) into one HTML file: tables, figures, what is missing
	OMP_NUM_THREADS=1 $(RUN) -m scripts.report --scale $(SCALE) --seeds $(SEEDS) $(if $(RESULTS),--results $(abspath $(RESULTS))) $(ARGS)

.PHONY: docs
docs: env ## Build the documentation site into site/; a broken link or a missing docstring fails
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(RUN) -m mkdocs build --strict $(ARGS)
	@echo "It opens from a disk: site/index.html"

.PHONY: notebooks
notebooks: env ## Execute the notebooks; their figures come from results/tables
	$(RUN) -m nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

FIGURES = filtering adaptive convergence shells regimes rollouts slopes classification segmentation super_resolution \
  super_resolution_sizes error_maps normalization seams finetuning frontier surrogate walltime benchmark \
  benchmark_cuda
figures: env ## Draw every figure again whose table is in results/tables
	@for name in $(FIGURES); do \
	  if [ -e results/tables/$$name.csv ] || [ -e results/tables/$$name.npz ]; \
	  then $(RUN) -m scripts.figures.$$name || exit 1; \
	  else echo "$$name: no table; 'make help' lists what makes it"; fi; \
	done
