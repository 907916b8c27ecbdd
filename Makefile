# `make demo` and `make test` need nothing but Python 3.11+, git and make; everything else is set up here.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.proa-installed

.PHONY: help setup system cluster-system demo test lint types unit cluster-suite cluster cluster-down bench clean

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
	@./tools/system-packages nft=nftables iptables-legacy-restore=iptables ip=iproute2 nsenter=util-linux setpriv=util-linux openssl=openssl

demo: $(STAMP) system ## Inject, intercept, certify and encrypt real traffic on this machine
	@$(BIN)/proa demo

test: $(STAMP) system cluster-system lint types unit cluster-suite ## Everything that CI runs

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types:
	$(BIN)/mypy
	$(BIN)/pyright --project pyproject.toml

unit:
	$(BIN)/pytest --ignore=tests/cluster_suite --numprocesses=2 --dist=loadfile

cluster-suite: # On the cluster that is up, or on one that is started and taken down
	$(BIN)/pytest tests/cluster_suite --durations=10 --numprocesses=3 --dist=loadfile --no-loadscope-reorder

cluster-system:
	@./tools/system-packages containerd=containerd runc=runc /usr/lib/cni/bridge=containernetworking-plugins \
		busybox=busybox-static sysctl=procps buildah=buildah debootstrap=debootstrap

cluster: $(STAMP) cluster-system ## Start a real one-node Kubernetes 1.37 on this machine, with Proa's image (root, Go 1.26)
	@$(BIN)/python tests/cluster/up.py && $(BIN)/python tests/cluster/load.py

cluster-down: ## Remove every trace of it
	@$(BIN)/python tests/cluster/down.py

bench: $(STAMP) system ## Run the benchmarks, a JSON line each
	@for file in benchmarks/injection.py benchmarks/interception.py benchmarks/signing.py benchmarks/istio.py; do $(BIN)/python $$file || exit 1; done

clean: ## Remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
