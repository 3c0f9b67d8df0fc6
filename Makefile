# What can be done here, and how. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= demo/data
SHARED ?= ../shared
EMBEDDINGS ?= build/embeddings
SETS := clothing_test grocery_test caltech101_eval trashnet_eval imagenette_val
TRAIN_FAST = $(BIN)/python -m indexer.train --network efficientnet_lite0
QUANTISE = $(BIN)/python -m indexer encoders quantise --sample 1000 \
  $(foreach zip,0 1 2,--pictures $(SHARED)/data/pool/pool-$(zip).zip) $(foreach set,$(SETS),--labelled $(SHARED)/data/$(set)/labels.csv)
# uv looks for local wheels under another name than pip does.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.DEFAULT_GOAL := help
.PHONY: help install demo serve test test-page test-full check lint types contracts operator-tests bench bench-full fuzz docs wheel train train-fast box box-fast calibrations tags evaluate-shared clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Start
install: $(VENV)/.installed ## make .venv, install everything, build the operator

$(VENV)/.installed: pyproject.toml setup.py $(wildcard ext/csrc/*)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the build tools and torch ..."
	@$(BIN)/python -m pip install --quiet "setuptools>=77" wheel ninja numpy "openvino>=2025.0" "torch==2.13.0"
	@echo "building the operator and installing the rest ..."
	@$(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[dev]"
	@$(BIN)/python -c "from lookalike.encoder.network.operators import require_operator; require_operator()"
	@touch $@
	@echo "installed in $(VENV)"

demo: install ## index a sample corpus (or IMAGES=folder), prove it, search it, serve the page and the API
	@$(BIN)/python -m tools.demo --data $(DATA) $(if $(IMAGES),--images "$(IMAGES)")
	@echo; echo "== serve it: the page is http://127.0.0.1:$(or $(LOOKALIKE_PORT),8000), Ctrl+C stops it"
	@$(BIN)/python -m service --data $(DATA)

serve: install ## serve the page and the API over DATA=folder (demo/data)
	@$(BIN)/python -m service --data $(DATA)

## Prove
# Two processes of one thread each: two threads in one process wait for each other more than they help. FAISS trains with a
# thread for each core nevertheless; threads that spin while they wait for one that has no core take up to ten times as long.
test test-page test-full: export OMP_NUM_THREADS = 1
test test-page test-full: export OMP_WAIT_POLICY = PASSIVE
test: install ## run all tests but the slow ones and those in a browser (about 10 minutes on 2 cores)
	@$(BIN)/python -m pytest --numprocesses 2

test-page: install ## run the tests of the page in a browser, Debian's Chromium (4 minutes)
	@$(BIN)/python -m pytest --numprocesses 2 -m browser tests/page

test-full: install ## run all tests: every verb watched for calls, all examples of the pages (25 minutes)
	@$(BIN)/python -m pytest --numprocesses 2 -m "" --hypothesis-profile=thorough

check: install lint types contracts operator-tests ## format, lint, types, import rules, the operator is real
	@$(BIN)/python -c "from lookalike.encoder.network.operators import require_operator; require_operator()"
	@$(BIN)/python -c "from lookalike.images import describe_resize_library as describe; assert describe().startswith('compiled'), describe()"
	@$(BIN)/python -c "from lookalike.index.hnsw_graph import graph_search_status as s; assert s().startswith('compiled'), s()"
	@$(BIN)/python -c "from lookalike.encoder.openvino_extension import path; path()"
	@echo "all checks passed"

lint: install ## formatting and lint
	@echo "ruff ..."
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

types: install ## mypy --strict
	@echo "mypy ..."
	@$(BIN)/mypy

contracts: install ## who may import whom
	@echo "import-linter ..."
	@$(BIN)/lint-imports --no-cache > $(VENV)/contracts.txt || { cat $(VENV)/contracts.txt; exit 1; }

operator-tests: ## the kernel's own tests, in C++
	@echo "kernel tests ..."
	@$(MAKE) --no-print-directory -C ext/tests

## Work
# Each writes its figures to benchmarks/results/, of which `make docs` makes the tables. A machine that does something else
# meanwhile gives figures of that.
bench: install ## time encoding, decoding and the service (minutes, on a quiet machine)
	@$(BIN)/python -m benchmarks.encoding
	@$(BIN)/python -m benchmarks.decoding
	@$(BIN)/python -m benchmarks.service
	@$(BIN)/python -m benchmarks.json_encoding

bench-full: bench ## also operator, indexing, index and peers, with pictures from SHARED (an hour; see docs/performance.md)
	@$(BIN)/python -m benchmarks.operator
	@$(BIN)/python -m benchmarks.indexing --pool $(SHARED)/data/pool
	@$(BIN)/python -m benchmarks.indexing_parts --pool $(SHARED)/data/pool --real $(SHARED)/data/imagenette_val
	@$(BIN)/python -m benchmarks.embeddings --pool $(SHARED)/data/pool --count 100000 --out $(EMBEDDINGS)
	@$(BIN)/python -m benchmarks.index --embeddings $(EMBEDDINGS)/embeddings.npy --queries $(EMBEDDINGS)/queries.npy \
	  --only lookalike faiss hnswlib usearch
	@$(BIN)/python -m benchmarks.index --embeddings $(EMBEDDINGS)/embeddings.npy --queries $(EMBEDDINGS)/queries.npy \
	  --only lookalike flat --count 10000 --out benchmarks/results/index-10k.json
	@$(BIN)/python -m benchmarks.peers --pictures $(SHARED)/data/imagenette_val --pictures $(SHARED)/data/caltech101_eval \
	  --embeddings $(EMBEDDINGS)/embeddings.npy --queries $(EMBEDDINGS)/queries.npy --copies $(SHARED)/data/near_duplicates

# Acceptance of valid data is left out: a generated "picture" is bytes of no format, which are rightly refused. An encoder at a
# size that nobody has asked for yet takes about ten seconds to come.
fuzz: install ## send generated requests of every kind to a running service (URL=http://127.0.0.1:8000)
	@$(BIN)/schemathesis run $(or $(URL),http://127.0.0.1:8000)/openapi.json --checks all \
	  --exclude-checks positive_data_acceptance --max-examples $(or $(EXAMPLES),50) --request-timeout 60 --continue-on-failure

docs: install ## write the pages that the program makes, and run the examples on them (minutes)
	@$(BIN)/python -m tools.docs.cli_examples
	@$(BIN)/python -m tools.docs.api_examples
	@$(BIN)/python -m tools.docs.library_pages
	@$(BIN)/python -m tools.docs.service_pages

# In a folder of its own, so that nothing of an older build gets in; the environment's ninja compiles only what is new.
wheel: install ## build the wheel into build/dist
	@echo "building the wheel ..."
	@rm -rf build/dist build/wheel/lib* build/wheel/bdist*
	@mkdir -p build/wheel
	@printf '[build]\nbuild_base = build/wheel\n[egg_info]\negg_base = build/wheel\n' > build/wheel/setup.cfg
	@PATH="$(abspath $(BIN)):$$PATH" DIST_EXTRA_CONFIG=build/wheel/setup.cfg $(BIN)/python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir build/dist .
	@ls build/dist/*.whl

train: install ## fit and train the output layers of the encoders in the box again (MINUTES=n trains the default's network before)
	@$(BIN)/python -m pip install --quiet --editable ".[dev]" --no-build-isolation
	@$(BIN)/python -m indexer encoders install efficientnet_lite2
	@mkdir -p build
	@$(if $(MINUTES),nice -n 19 $(BIN)/python -m indexer.train distil --minutes $(MINUTES))
	@$(BIN)/python -m indexer.train finish build/closed-form.safetensors $(if $(MINUTES),--weights ../train/checkpoint.pt)
	@$(BIN)/python -m indexer.train tune build/bundled.safetensors --weights build/closed-form.safetensors
	@$(MAKE) --no-print-directory box WEIGHTS=build/bundled.safetensors
	@$(MAKE) --no-print-directory train-fast
	@$(MAKE) --no-print-directory evaluate-shared

train-fast: install ## the same for bundled-fast alone
	@for name in efficientnet_lite0 efficientnet_lite2; do $(BIN)/python -m indexer encoders install $$name || exit 1; done
	@mkdir -p build
	@$(TRAIN_FAST) finish build/fast-closed-form.safetensors
	@$(TRAIN_FAST) tune build/bundled-fast.safetensors --weights build/fast-closed-form.safetensors
	@$(MAKE) --no-print-directory box-fast WEIGHTS=build/bundled-fast.safetensors

box: install ## put WEIGHTS=file into the box, with its int8 form and calibrations (given the pictures)
	@cp "$(WEIGHTS)" lookalike/encoder/bundled/bundled.safetensors
	@$(QUANTISE) bundled --out lookalike/encoder/bundled/bundled-int8.onnx
	@$(MAKE) --no-print-directory calibrations

box-fast: install ## put the int8 form of WEIGHTS=file into the box as bundled-fast, with its calibration
	@$(QUANTISE) "efficientnet_lite0:$(WEIGHTS)" --out lookalike/encoder/bundled/bundled-fast.onnx
	@$(MAKE) --no-print-directory calibrations

calibrations: install ## calibrate the encoders in the box again (given the pictures)
	@rm -f lookalike/encoder/bundled/calibrations/*.json
	@for encoder in bundled bundled-int8 bundled-fast; do \
	  $(BIN)/python -m indexer.calibration $(foreach set,$(SETS),$(SHARED)/data/$(set)/labels.csv) --encoder $$encoder --precision 0.9 || exit 1; \
	done

tags: install ## fit the words of the encoders in the box again (given the pictures)
	@$(BIN)/python -m indexer encoders install efficientnet_lite2
	@$(BIN)/python -m indexer.train tags lookalike/encoder/bundled/tags/bundled.safetensors --encoder bundled-int8 bundled
	@$(BIN)/python -m indexer.train tags lookalike/encoder/bundled/tags/bundled-fast.safetensors --encoder bundled-fast

evaluate-shared: install ## measure the encoders here beside colour histogram, published networks and old teacher (JSON=file keeps it)
	@for name in efficientnet_lite0 efficientnet_lite2; do $(BIN)/python -m indexer encoders install $$name || exit 1; done
	@$(BIN)/python -m indexer.train table $(if $(JSON),--json "$(JSON)")

clean: ## remove what was built, but not your data
	@rm -rf build *.egg-info lookalike/*.so .mypy_cache .ruff_cache .pytest_cache .import_linter_cache $(VENV)/.installed
