# `make serve` and `make test` work from a bare clone with Python 3, pip and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Only what is given is passed on, so that SURESAM_* in the environment counts otherwise.
OPTIONS = $(if $(HOST),--host $(HOST)) $(if $(HTTP_PORT),--http-port $(HTTP_PORT)) \
  $(if $(GRPC_PORT),--grpc-port $(GRPC_PORT)) $(if $(DEVICE),--device $(DEVICE)) \
  $(if $(MODELS),--models $(MODELS)) $(ARGS)

# torch first: sam2 is built against it, and pip's build isolation would fetch a second one.
INSTALL = $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt
define install
	@echo "Installing into $(VENV): a few minutes the first time, mostly torch."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --quiet torch setuptools wheel hatchling editables
	SAM2_BUILD_CUDA=0 $(INSTALL) --quiet --no-build-isolation --editable $(1)
	@touch $@
endef

.DEFAULT_GOAL := help
.PHONY: help serve setup test format lint parity proto image wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/.serve ## start the service (HOST, HTTP_PORT, GRPC_PORT, DEVICE, MODELS, ARGS)
	@exec $(BIN)/suresam serve $(OPTIONS)

setup: $(VENV)/.dev ## install everything that development needs

test: $(VENV)/.dev ## run the test suite, all but what `make parity` alone runs (T=path to narrow it)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder -m 'not slow' $(T)

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format service tests
	$(BIN)/ruff check --fix service tests

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	$(BIN)/ruff format --check service tests
	$(BIN)/ruff check service tests
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

parity: $(VENV)/.dev ## the comparisons with upstream SAM 2, and of compiled models with eager ones
	$(BIN)/python -m pytest tests/parity

proto: $(VENV)/.dev ## generate service/suresam/pb from protos/
	$(BIN)/python -m grpc_tools.protoc -I suresam/pb=protos \
	  --python_out=service --pyi_out=service --grpc_python_out=service protos/*.proto

image: ## build the container (TORCH_INDEX= for CUDA)
	docker build --tag suresam $(if $(filter undefined,$(origin TORCH_INDEX)),,--build-arg TORCH_INDEX=$(TORCH_INDEX)) .

wheel: $(VENV)/.dev ## build a wheel into dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove the environment and all that was built
	rm -rf $(VENV) dist

$(VENV)/.serve: pyproject.toml constraints.txt
	$(call install,.)

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install,'.[dev]')
	@touch $(VENV)/.serve
