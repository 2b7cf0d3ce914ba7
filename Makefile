# `make demo` and `make test` set up everything they need on a bare machine with Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DATA ?=

# The console is tested in a real browser. Only root can install one; without it those tests say that they are skipped.
APT := { [ "$$(id -u)" = 0 ] && apt-get install --yes --quiet=2 chromium >/dev/null 2>&1; }

.PHONY: demo test test-all check bench docs clean

demo: $(STAMP)
	$(BIN)/mien demo $(if $(DATA),--data $(DATA)) --out demo-out

test: $(STAMP) check
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(STAMP) check
	$(BIN)/python -m pytest -n 2

check: $(STAMP)
	$(BIN)/ruff check src tests examples benchmarks tools
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks

docs: $(STAMP)
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/settings_reference.py
	$(BIN)/python tools/rest_reference.py

# The original face_recognition asks for a compiler to build dlib; without its dependencies it runs on dlib's wheel
# and serves as the reference of tests and benchmarks.
$(STAMP): pyproject.toml setup.py $(wildcard src/mien/gallery/scan/native/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "setuptools<81"
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps face_recognition==1.3.0
	[ -x /usr/bin/chromium ] || $(APT) || echo "No Chromium: the console's tests are skipped."
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo-out build dist .pytest_cache .mypy_cache .ruff_cache
