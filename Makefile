# Every setting lives here, in pyproject.toml or in Cargo.toml.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find crates src -name '*.rs' -o -name '*.py' -o -name '*.toml' | grep -v target) Cargo.toml Cargo.lock pyproject.toml
ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
STEP = @start=$$(date +%s); echo "== $(1)"; $(2) && echo "== $(1): $$(( $$(date +%s) - start )) s"

.PHONY: demo test lint fmt bench mutants setup setup-dev need-cargo clean

demo: setup
	$(ENV) $(BIN)/pretrade demo

test: need-cargo setup-dev lint
	$(call STEP,cargo test,cargo test -q --workspace --locked)
	$(call STEP,pytest,$(ENV) $(BIN)/python -m pytest -q)

lint: need-cargo setup-dev
	$(call STEP,rustfmt,cargo fmt --check)
	$(call STEP,clippy,cargo clippy -q --workspace --all-targets --locked -- -D warnings)
	$(call STEP,ruff,$(BIN)/ruff check && $(BIN)/ruff format --check)
	$(call STEP,mypy,$(BIN)/mypy)
	$(call STEP,import-linter,$(BIN)/lint-imports)

fmt: need-cargo setup-dev
	cargo fmt
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(ENV) $(BIN)/pretrade bench --full

mutants: need-cargo setup-dev
	$(ENV) $(BIN)/python tests/mutants/run.py

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(VENV)/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit("pretrade needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

$(VENV)/.installed: $(VENV)/bin/uv $(SOURCES)
	$(BIN)/uv pip install -q --python $(BIN)/python -e '.[store,research]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/uv pip install -q --python $(BIN)/python -e '.[store,research,dev]'
	@touch $@

need-cargo:
	@command -v cargo >/dev/null || { echo "make test and lint need cargo (Rust 1.90 or later, https://rustup.rs); make demo does not"; exit 1; }

clean:
	rm -rf target $(VENV) run demo.json demo-report.html
