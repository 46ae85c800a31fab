# Every setting lives here, in pyproject.toml or in Cargo.toml.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(shell find crates -name '*.rs' -o -name '*.toml') Cargo.toml Cargo.lock pyproject.toml
ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
comma := ,
INSTALL := $(BIN)/uv pip install -q --python $(BIN)/python --reinstall-package pretrade
STEP = @start=$$(date +%s); echo "== $(1)"; $(2) && echo "== $(1): $$(( $$(date +%s) - start )) s"

.NOTPARALLEL:
# `make c PREFIX=/usr/local` installs it; without one it lands in target/c.
PREFIX ?= $(CURDIR)/target/c

.PHONY: demo test lint fmt c bench mutants fix-acceptance fix-kills setup setup-dev need-cargo clean

demo: setup
	$(ENV) $(BIN)/pretrade demo

test: need-cargo setup-dev lint
	$(call STEP,cargo test,cargo test -q --workspace --locked)
	$(call STEP,loom,cargo test -q -p pretrade-shm --features loom --lib --locked loom)
	$(call STEP,pytest,$(ENV) $(BIN)/python -m pytest -q)

lint: need-cargo setup-dev
	$(call STEP,rustfmt,cargo fmt --check)
	$(call STEP,clippy,cargo clippy -q --workspace --all-targets --locked -- -D warnings)
	$(call STEP,ruff,$(BIN)/ruff check && $(BIN)/ruff format --check)
	$(call STEP,mypy,$(BIN)/mypy && $(BIN)/mypy tests)
	$(call STEP,stubtest,$(BIN)/stubtest pretrade._native)
	$(call STEP,import-linter,$(BIN)/lint-imports)

fmt: need-cargo setup-dev
	cargo fmt
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

c: need-cargo
	cargo build -q --release --locked -p pretrade-capi
	install -d $(PREFIX)/lib/pkgconfig $(PREFIX)/include
	install -m 644 target/release/libpretrade.so target/release/libpretrade.a $(PREFIX)/lib
	install -m 644 crates/capi/include/pretrade.h schemas/pretrade_layouts.h $(PREFIX)/include
	sed 's|@PREFIX@|$(PREFIX)|;s|@VERSION@|$(shell sed -n '/^version = /{s/[^0-9.]//gp;q}' Cargo.toml)|' crates/capi/pretrade.pc.in > $(PREFIX)/lib/pkgconfig/pretrade.pc

bench: setup
	$(ENV) $(BIN)/pretrade bench --full

mutants: need-cargo setup-dev
	$(ENV) $(BIN)/python -m tests.planted.plant

fix-acceptance: need-cargo setup-dev
	$(BIN)/python -m tests.acceptance.quickfix

fix-kills: need-cargo setup-dev
	PRETRADE_FIX_KILLS=1000 $(BIN)/python -m pytest -q -x tests/integration/test_fix_killed.py

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(VENV)/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit("pretrade needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

# The install is editable: only a change of the native core or of the settings calls for another build.
$(VENV)/.installed: $(VENV)/bin/uv $(NATIVE)
	$(call STEP,build and install,$(INSTALL) -e '.[store$(comma)research]')
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/uv $(NATIVE)
	$(call STEP,build and install,$(INSTALL) -e '.[store$(comma)research$(comma)dev]')
	@touch $@ $(VENV)/.installed

need-cargo:
	@command -v cargo >/dev/null || { echo "make test and lint need cargo (Rust 1.90 or later, https://rustup.rs); make demo does not"; exit 1; }

clean:
	rm -rf target $(VENV) run demo.json demo-report.html
