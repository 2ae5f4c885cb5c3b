# `make help` lists what there is to make. Everything happens in .venv and build/; nothing is installed outside
# of them but Debian packages that are missing, and those only where apt-get may be used.

PYTHON ?= python3
CAPTURE ?= captures/tcp/web-page/capture.pcapng
ROUNDS ?= 5
FUZZ_SECONDS ?= 60
CORPUS ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# The compiled modules, from their one list, and the C declarations they share.
KERNEL := $(shell sed -n 's/^sources = \["\(.*\)"\]/\1/p' pyproject.toml) $(wildcard analyzer/*/*.pxd)
INTERPRETED := build/interpreted
SANITIZED := build/asan
# Python's own allocator would hide what is read or written beside a block; its leaks are not ours.
WITH_ASAN = LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
# Requirements from pyproject.toml; none has a blank in it, so the shell needs no quotes.
listed = $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))$(1))')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test traffic check lint hooks coverage interpreted format fuzz asan bench clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.stamp-install ## the virtual environment with the compiled packet stage

demo: setup ## set up, then label the connections of one recorded capture
	$(BIN)/analyzer read $(CAPTURE)

test: setup $(VENV)/.stamp-test test-tools ## set up, then all tests (make test ARGS='-k close')
	$(BIN)/python -m pytest -n auto $(ARGS)

traffic: setup $(VENV)/.stamp-test ## hold captures/ against its expectations, as CI jobs of other projects do
	$(BIN)/analyzer check --jobs $$(nproc) captures/
	$(BIN)/python -m pytest -q -n auto captures docs/example-project $(ARGS)

check: lint hooks coverage ## what every change must pass: lint, types, hooks, coverage

lint: setup $(VENV)/.stamp-dev ## ruff, its formatter, and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The hooks that `lint` has just run are not run again.
hooks: $(VENV)/.stamp-dev ## pre-commit on all files
	@if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then \
	    echo "pre-commit run --all-files"; \
	    $(BIN)/pre-commit validate-manifest .pre-commit-hooks.yaml && \
	    SKIP=ruff,ruff-format,mypy PATH="$(CURDIR)/$(BIN):$$PATH" pre-commit run --all-files; \
	else \
	    echo "not a git work tree: pre-commit not run"; \
	fi

coverage: interpreted ## the tests in interpreted mode, with coverage and its floor

# A copy without compiled modules comes first on the path, also for the programs that tests start.
interpreted: interpreted-copy test-tools
	cd $(INTERPRETED) && PYTHONPATH="$$PWD" COVERAGE_FILE="$$PWD/.coverage" \
	    "$(CURDIR)/$(BIN)/python" -m pytest -n auto --cov --cov-report=term $(ARGS)

.PHONY: interpreted-copy
interpreted-copy: setup $(VENV)/.stamp-test
	@rm -rf $(INTERPRETED) && mkdir -p $(INTERPRETED)
	@cp -r analyzer $(INTERPRETED)/ && find $(INTERPRETED) -name '*.so' -delete
	@for entry in $$(ls -A | grep -vxE 'analyzer|build|dist|\.git|\.venv|\..*_cache|.*\.egg-info'); do ln -s ../../$$entry $(INTERPRETED)/; done

format: $(VENV)/.stamp-dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: interpreted-copy ## readers and dissectors on bytes that a fuzzer invents (FUZZ_SECONDS=60)
	-@$(PIP) $(call listed,["project"]["optional-dependencies"]["fuzz"]) || echo "going on without atheris: bytes are changed at random" >&2
	cd $(INTERPRETED) && PYTHONPATH="$$PWD" "$(CURDIR)/$(BIN)/python" -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

asan: setup $(VENV)/.stamp-test ## the compiled modules under AddressSanitizer, over captures/ (and CORPUS=FOLDER)
	@rm -rf $(SANITIZED) && mkdir -p $(SANITIZED) && cp -r analyzer README.md $(SANITIZED)/
	@find $(SANITIZED) -name '*.so' -delete
	@sed 's/"-O3", "-g0"/"-O1", "-g", "-fno-omit-frame-pointer"/' pyproject.toml > $(SANITIZED)/pyproject.toml
	cd $(SANITIZED) && CFLAGS=-fsanitize=address LDFLAGS=-fsanitize=address \
	    "$(CURDIR)/$(BIN)/python" -c 'from setuptools import setup; setup()' -q build_ext --inplace
	@for entry in tests captures docs bench; do ln -s ../../$$entry $(SANITIZED)/$$entry; done
	cd $(SANITIZED) && PYTHONPATH="$$PWD" $(WITH_ASAN) "$(CURDIR)/$(BIN)/python" bench/sanitized.py captures $(CORPUS)

bench: setup ## speed beside tcptrace, argus, tshark and others in one run (ROUNDS=5), into docs/performance.md
	-@.ci/need tcptrace=tcptrace argus=argus-server ra=argus-client ndpiReader=libndpi-bin tshark=tshark tcpdump=tcpdump
	$(BIN)/python bench/run.py --rounds $(ROUNDS) --write docs/performance.md $(ARGS)

clean: ## remove what was built, keep .venv
	rm -rf build dist ./*.egg-info bench/out .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find analyzer -name '*.so' -delete
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	rm -f $(VENV)/.stamp-install

distclean: clean ## remove .venv too
	rm -rf $(VENV)

.PHONY: test-tools
test-tools:
	@.ci/need tshark=tshark tcpdump=tcpdump dumpcap=wireshark-common ip=iproute2 ss=iproute2 nft=nftables jq=jq \
	    nginx=nginx curl=curl openssl=openssl ethtool=ethtool setpriv=util-linux \
	    chromium=chromium chromedriver=chromium-driver pigz=pigz pixz=pixz pzstd=zstd lz4=lz4 \
	    || echo "the tests that need these programs are skipped" >&2
	@.ci/npm || echo "the tests that need these packages are skipped" >&2

# Debian's python3 comes without venv until its package is there; a half-made environment is not kept.
$(VENV)/.stamp-venv:
	@command -v $(PYTHON) >/dev/null || .ci/need $(PYTHON)=python3
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "$(PYTHON) is older than 3.11; name another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	    || { rm -rf $(VENV); .ci/need python3-venv && $(PYTHON) -m venv $(VENV); }
	@touch $@

# Without a compiler, or without Python's headers, the program is the same and slower.
$(VENV)/.stamp-compiler: $(VENV)/.stamp-venv
	@.ci/need gcc=gcc /usr/include/stdio.h=libc6-dev \
	    "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"=python3-dev \
	    || echo "going on without a C compiler: the packet stage runs interpreted" >&2
	@touch $@

# Editable, so that only a change of a compiled module or of pyproject.toml comes through here. The compiled modules
# go first: if compiling fails, no stale one is left to be imported instead of its source.
$(VENV)/.stamp-install: pyproject.toml $(KERNEL) $(VENV)/.stamp-compiler
	@find analyzer -name '*.so' -delete && rm -rf build/temp.* build/lib.*
	$(PIP) $(call listed,["build-system"]["requires"])
	$(PIP) --no-build-isolation -e .
	@$(BIN)/analyzer --version
	@touch $@

$(VENV)/.stamp-test: pyproject.toml $(VENV)/.stamp-venv
	$(PIP) $(call listed,["project"]["optional-dependencies"]["test"])
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml $(VENV)/.stamp-venv
	$(PIP) $(call listed,["project"]["optional-dependencies"]["dev"])
	@touch $@
