# make demo    set everything up and run the main job; the second time it starts at once
# make setup   only prepare .venv with the hitl command in it
# make test    set up, then lint, types, import rules and tests
# make clean   remove .venv and the caches
#
# Every step that is done leaves a stamp in .venv/.stamps, so that it is done once and nothing is fetched twice.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.ONESHELL:
.SILENT:
.PHONY: demo setup test clean system system-test

PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/.stamps
# Two processes: most tests wait for processes of their own. A file's tests stay together, as their fixtures do.
TEST_JOBS ?= 2
# One thread a process in tests: with more, they wait for each other on small machines.
TEST_ENV := OMP_NUM_THREADS=1 QT_QPA_PLATFORM=offscreen $(if $(filter Linux,$(shell uname)),MUJOCO_GL=egl LP_NUM_THREADS=1)
FAIL = { echo "make: $(1)" >&2; exit 1; }

demo: setup
	echo "hitl demo"
	exec $(BIN)/hitl demo

setup: system $(STAMPS)/hitl
	echo "ready: $(BIN)/hitl (try: $(BIN)/hitl --help)"

system:
	echo "[1/5] system packages"
	tools/system_packages.sh

system-test:
	echo "[test] system packages"
	tools/system_packages.sh test

$(STAMPS)/python: | system
	echo "[2/5] virtual environment in .venv"
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
	  $(call FAIL,$(PYTHON) is not Python 3.11 or 3.12. Install one and run: make PYTHON=python3.11 setup)
	$(PYTHON) -m venv .venv || \
	  $(call FAIL,no virtual environment could be made. Install the package python3-venv and try again)
	$(BIN)/python -m pip install --upgrade pip==26.3 setuptools==84.2.1 || \
	  $(call FAIL,pip could not be installed: is the network there? Nothing is lost; run the same command again)
	mkdir -p $(STAMPS)
	touch $@

# First and alone: any other request for torch may bring another build.
$(STAMPS)/torch: $(STAMPS)/python
	echo "[3/5] torch 2.13.0 (the largest download, some hundred megabytes)"
	$(BIN)/python -m pip install torch==2.13.0 || \
	  $(call FAIL,torch could not be installed: network or disk space? 'df -h .' should show 4 GB. Run it again)
	touch $@

$(STAMPS)/packages: requirements/demo.txt $(STAMPS)/torch
	echo "[4/5] pinned packages of requirements/demo.txt"
	$(BIN)/python -m pip install --no-deps -r requirements/demo.txt || \
	  $(call FAIL,a package could not be installed (pip names it above). Mend that and run the same command again)
	touch $@

# It is compiled, and the only package that may be missing: words are then typed.
$(STAMPS)/microphone: requirements/microphone.txt $(STAMPS)/packages
	$(BIN)/python -m pip install --no-deps -r requirements/microphone.txt || \
	  echo "      PyAudio could not be built: going on without a microphone; 'hitl doctor' says what is missing"
	touch $@

$(STAMPS)/hitl: pyproject.toml $(STAMPS)/microphone
	echo "[5/5] hitl itself"
	$(BIN)/python -m pip install --no-deps --no-build-isolation --editable . || \
	  $(call FAIL,hitl itself could not be installed (pip says why above))
	touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/hitl
	echo "[test] tools of requirements/dev.txt"
	$(BIN)/python -m pip install --no-deps -r requirements/dev.txt || \
	  $(call FAIL,a tool could not be installed (pip names it above). Mend that and run the same command again)
	touch $@

test: setup system-test $(STAMPS)/dev
	echo "[test 1/4] lint and format"
	$(BIN)/ruff check . || $(call FAIL,lint found something: '$(BIN)/ruff check --fix .' mends most of it)
	$(BIN)/ruff format --check . || $(call FAIL,some files are not formatted: run '$(BIN)/ruff format .')
	echo "[test 2/4] types"
	$(BIN)/mypy || $(call FAIL,types do not fit (above))
	echo "[test 3/4] who may import whom"
	$(BIN)/lint-imports || $(call FAIL,a module imports what it must not (above); see docs/architecture.md)
	echo "[test 4/4] tests"
	$(TEST_ENV) $(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile || $(call FAIL,tests failed (above))
	echo "all tests passed"

clean:
	echo "removing .venv and caches (recorded sessions and generated data stay)"
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find hitl gui robot policies tests -name __pycache__ -type d -prune -exec rm -rf {} +
