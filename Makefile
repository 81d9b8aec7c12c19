# Each target makes the environment that it needs; nothing but Python, a C compiler and make must be there.
#
#   make test                     with python3
#   PYTHON=python3.13 make test   with another one, in an environment of its own
#   make test ARGS="-k wire -x"   arguments for pytest (test, bench), or for the measurement

PYTHON ?= python3
ARGS   ?=
# Half as many again as there are cores: the tests that follow a log wait for seconds of it to pass. Not more than
# 16: each starts processes, pipes and inotify instances, of which a user may have but so many (128 of the last).
TESTERS := $(shell $(PYTHON) -c 'import os; print(min(16, 3 * len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)) // 2))' 2>/dev/null)
KILLS  ?= 300
SEED   ?=

# One environment per interpreter, so that changing PYTHON neither mixes nor remakes them.
TAG    := $(shell $(PYTHON) -c 'import sys, sysconfig; print(sys.implementation.cache_tag + "t" * bool(sysconfig.get_config_var("Py_GIL_DISABLED")))' 2>/dev/null)
VENV   := .venv/$(or $(TAG),none)
BIN    := $(VENV)/bin
PY     := $(BIN)/python

# What an installed environment is made from: one of these changed, it is installed anew. The package itself is
# installed editable, so its Python files are not among them; sources that are compiled are.
INPUTS := pyproject.toml setup.py fastlog/version.py $(wildcard fastlog/*/*.pyx fastlog/*/*.pxd fastlog/*/*.pxi fastlog/*/*.h \
  fastlog/*/*/*.pyx fastlog/*/*/*.h)

# Some ten minutes: 6 hits/s, after four minutes 30 hits/s for two, then 6 again; always the same bytes.
DEMO_LOG := build/demo/access.log
DEMO     := --format common --rate 6 --seconds 660 --spike 240:120:30 --seed 1

# `make fuzz`: what it finds is kept here. libFuzzer is led by coverage; where clang has none, gcc's build mutates blindly.
FUZZ         := build/fuzz
FUZZ_SECONDS ?= 60
FUZZ_SEED     = $(or $(SEED),$(shell date +%s))
SANITIZE     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1 -g

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The suite starts the command a thousand times: each would compile the whole package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installs into one environment at a time would spoil it; the tools below use the cores themselves.
.NOTPARALLEL:
.PHONY: help demo test test-regex check soak fuzz bench replay compare profile image lint format clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## replay ten generated minutes with a spike: windows, alert, recovery, summary
	@mkdir -p $(dir $(DEMO_LOG))
	@$(PY) -m bench.corpus $(DEMO) -o $(DEMO_LOG)
	$(BIN)/fastlog --stats --stats-window 60 --top 3 --threshold 10 $(DEMO_LOG)

test: $(VENV)/.test  ## run the tests
	$(PY) -m pytest -n $(or $(TESTERS),auto) $(ARGS)

test-regex:  ## run the tests in a copy where nothing is compiled
	rm -rf build/regex && mkdir -p build/regex
	git ls-files -z | xargs -0 cp --parents -t build/regex
	FASTLOG_NATIVE=0 $(MAKE) -C build/regex test

check: lint test test-regex  ## lint, types and tests

soak: $(VENV)/.test  ## the long tests: SIGKILLs (KILLS, SEED), random examples, 100 logs, 15 minutes of follow (ARGS: of bench.soak)
	$(PY) -m tests.hazards.kill_schedule --kills $(KILLS) $(addprefix --seed ,$(SEED))
	FASTLOG_SOAK=5000 $(PY) -m pytest -n auto tests/hazards/test_follow_machine.py tests/properties/test_replay.py \
	  -k 'counted_once or from_a_file_and_from_a_pipe' --hypothesis-profile=random
	$(PY) -m pytest -n auto -m hypothesis --hypothesis-profile=random
	$(PY) -m bench.soak $(ARGS)

fuzz: $(VENV)/.fuzz $(FUZZ)/fold  ## fuzz the C under sanitizers, alone and beside Python: FUZZ_SECONDS=60 each, SEED
	@mkdir -p $(FUZZ)/found
	$(FUZZ)/fold -max_total_time=$(FUZZ_SECONDS) -seed=$(FUZZ_SEED) -timeout=20 -print_final_stats=1 \
	  -artifact_prefix=$(FUZZ)/ $(FUZZ)/found tests/fuzz/corpus
	CC=gcc FASTLOG_NATIVE=1 FASTLOG_CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" \
	  $(PY) setup.py -q build --build-base $(FUZZ) --build-lib $(FUZZ)/lib
	LD_PRELOAD=$$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	  PYTHONPATH=$(FUZZ)/lib:. $(PY) -P tests/fuzz/fuzz_native.py \
	  --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --at $(FUZZ)/trial

bench: $(VENV)/.bench  ## measure fold, wire, merge and windows, and print a table
	$(PY) -m pytest bench --benchmark-only --benchmark-sort=name \
	  --benchmark-columns=min,median,stddev,rounds $(ARGS)

replay: $(VENV)/.bench  ## measure the whole command beside wc and a bare findall (several GB in build/)
	$(PY) -m bench.replay $(ARGS)

compare: $(VENV)/.compare  ## measure other programs too, on the same log, and fastlog over sizes (1 GB in build/)
	$(PY) -m bench.compare $(ARGS)

profile: $(VENV)/.compare  ## where the time goes: read, index, parse, hash, wire, merge, print
	$(PY) -m bench.phases $(ARGS)

image:  ## run the steps of the Dockerfile, without Docker, in clean environments
	$(PYTHON) -m tests.dockerfile

lint: $(VENV)/.lint  ## ruff, its formatting, and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

format: $(VENV)/.lint  ## let ruff mend and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove everything generated, environments too
	rm -rf .venv build dist *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find bench fastlog tests \( -name __pycache__ -o -name '*.so' \) -prune -exec rm -rf {} +

$(FUZZ)/fold: $(wildcard tests/fuzz/*.c tests/fuzz/*.h fastlog/parsers/*.h fastlog/model/*.h)
	@mkdir -p $(FUZZ)
	clang -DFUZZ_LIBFUZZER -fsanitize=fuzzer -fno-sanitize-coverage=trace-cmp $(SANITIZE) -Ifastlog/model -o $@ tests/fuzz/fuzz_fold.c || \
	  gcc $(SANITIZE) -Ifastlog/model -o $@ tests/fuzz/fuzz_fold.c

# The stamp is inside the environment, so that one cannot outlive the other.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fastlog needs Python 3.11 or newer, and $(PYTHON) is not: PYTHON=python3.11 make ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.run: EXTRAS :=
$(VENV)/.test: EXTRAS := [test]
$(VENV)/.bench: EXTRAS := [bench]
$(VENV)/.compare: EXTRAS := [compare]
$(VENV)/.fuzz: EXTRAS := [fuzz]
$(VENV)/.lint: EXTRAS := [bench,lint,test]

$(VENV)/.run $(VENV)/.test $(VENV)/.bench $(VENV)/.compare $(VENV)/.fuzz $(VENV)/.lint: $(VENV)/.made $(INPUTS)
	$(PY) -m pip install --quiet --config-settings editable_mode=compat --editable '.$(EXTRAS)'
	@touch $@
