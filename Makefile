# `make demo` and `make test` need nothing but Python 3.11+, git and make; everything else is set up here.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.proa-installed
# Whatever the machine says: each of pytest's workers would compile every test.
export PYTHONDONTWRITEBYTECODE :=
# A file to a worker, in the order of tests/cluster_suite/conftest.py. A worker that crashes ends the run, as it failed
# anyway: with one in its place it would never end (pytest-xdist#1378).
ON_A_CLUSTER := --durations=10 --numprocesses=5 --dist=loadfile --no-loadscope-reorder --max-worker-restart=0

.PHONY: help setup system node-system cluster-system demo test lint types mypy pyright unit collection programs cluster-suite cluster cluster-down bench clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

setup: $(STAMP) ## Make .venv with the project and its tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || ./tools/system-packages python3-venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev]'
	@touch $@

system: ## Install what the machine lacks, or say what it is
	@./tools/system-packages nft=nftables iptables-legacy-restore=iptables ip=iproute2 nsenter=util-linux setpriv=util-linux openssl=openssl softhsm2-util=softhsm2

demo: $(STAMP) system ## Inject, intercept, certify and encrypt real traffic on this machine
	@$(BIN)/proa demo

test: $(STAMP) system node-system cluster-system ## Everything that CI runs
	@$(MAKE) --no-print-directory --jobs=3 beside-programs beside-lint beside-mypy beside-pyright beside-collection
	@$(BIN)/pytest tests/cluster_suite tests $(ON_A_CLUSTER)

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: mypy pyright

mypy:
	$(BIN)/mypy

pyright:
	$(BIN)/pyright --project pyproject.toml

unit:
	$(BIN)/pytest --ignore=tests/cluster_suite --numprocesses=2 --dist=loadfile --max-worker-restart=0

cluster-suite: # On the cluster that is up, or on one that is started and taken down
	$(BIN)/pytest tests/cluster_suite $(ON_A_CLUSTER)

beside-%:
	@$(MAKE) --no-print-directory $* 2>&1 | sed --unbuffered 's/^/$* | /'

collection: # What cannot be collected is told by `make unit`
	@$(BIN)/pytest tests/cluster_suite tests --collect-only --quiet | tail --lines=1

programs: # In Go, for tests: a build is longer than they may take
	@$(BIN)/python tests/cluster/programs.py

node-system: # What the node agent's tests need: a compiler for its plugin, and a plugin of others before it
	@./tools/system-packages gcc=gcc gencat=libc6-dev /usr/lib/cni/bridge=containernetworking-plugins

cluster-system:
	@./tools/system-packages containerd=containerd runc=runc /usr/lib/cni/bridge=containernetworking-plugins \
		busybox=busybox-static sysctl=procps buildah=buildah debootstrap=debootstrap

cluster: $(STAMP) cluster-system ## Start a real one-node Kubernetes 1.37 on this machine, with Proa's image (root, Go 1.26)
	@$(BIN)/python tests/cluster/up.py && $(BIN)/python tests/cluster/load.py

cluster-down: ## Remove every trace of it
	@$(BIN)/python tests/cluster/down.py

bench: $(STAMP) system node-system ## Run the benchmarks, a JSON line each
	@for file in injection interception "traffic -o json" signing istio node; do $(BIN)/python benchmarks/$${file%% *}.py $${file#$${file%% *}} || exit 1; done

clean: ## Remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
