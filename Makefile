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
.PHONY: help serve setup tools test attack format lint parity proto image pin-images lock rules prometheus smoke wheel audit licences sbom clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/.serve ## start the service (HOST, HTTP_PORT, GRPC_PORT, DEVICE, MODELS, ARGS)
	@exec $(BIN)/suresam serve $(OPTIONS)

setup: $(VENV)/.dev ## install everything that development needs

tools: $(VENV)/.tools ## install the programs that tests of the deployment run, which else are skipped
	@.ci/prometheus

test: $(VENV)/.dev ## run the test suite, all but what `make parity` alone runs (T=path to narrow it)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder -m 'not slow' $(T)

ATTACK_SECONDS ?= 20
attack: $(VENV)/.dev ## attack the service for long (ATTACK_SECONDS for each attack; T=path to narrow it)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(or $(T),tests/attack) --timeout 1800 \
	  --attack-seconds $(ATTACK_SECONDS)

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

VARIANT ?= cpu
image: ## build the container suresam:cpu (VARIANT=cuda, MODELS="sam2.1" to hold these as well)
	docker build --tag suresam:$(VARIANT) --build-arg VARIANT=$(VARIANT) \
	  --build-arg BAKE_MODELS="$(MODELS)" \
	  --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
	  --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" .

PINNED  = Dockerfile docker/compose.yaml $(wildcard k8s/components/*/*.yaml)
FOREIGN = (python|nvidia/cuda|prom/prometheus|grafana/grafana|envoyproxy/envoy|jaegertracing/jaeger):[A-Za-z0-9._-]+
pin-images: ## write the digests behind the tags of all foreign images, asking their registries
	@for image in $$(grep -hoE '$(FOREIGN)' $(PINNED) | sort -u); do \
	  digest=$$(docker buildx imagetools inspect "$$image" --format '{{.Manifest.Digest}}') || exit 1; \
	  case $$digest in sha256:*) ;; *) echo "no digest of $$image: $$digest" >&2; exit 1 ;; esac; \
	  sed -i.bak -E "s#$$image(@sha256:[0-9a-f]+)?#$$image@$$digest#" $(PINNED) || exit 1; \
	  echo "$$image@$$digest"; \
	done; rm -f $(addsuffix .bak,$(PINNED))

# torch and torchvision stay out: their builds differ by platform. CUDA is for the variant cuda alone.
APART = torch|torchvision|colorama
CUDA  = triton|cuda-[a-z]+|nvidia-[a-z0-9-]+
BUILD = hatchling|pathspec|pluggy|trove-classifiers|wheel
LOCKED = awk '/^[A-Za-z0-9]/ {keep = $$0 $(1)} keep' dist/all.lock
lock: ## write the hashes of what the image installs, from constraints.txt (with uv, minutes)
	mkdir -p dist
	printf 'setuptools\nwheel\nhatchling\n' | uv pip compile --quiet --universal --python-version 3.12 \
	  --generate-hashes --no-header --no-annotate --constraint constraints.txt \
	  --output-file dist/all.lock pyproject.toml -
	{ echo '# What builds packages in the image, with hashes: `make lock` writes this file.'; \
	  $(call LOCKED,~ /^($(BUILD)|packaging|setuptools)==/); } > docker/build.lock
	{ echo '# What torch needs to reach a GPU, with hashes: `make lock` writes this file.'; \
	  $(call LOCKED,~ /^($(CUDA))==/); } > docker/cuda.lock
	{ echo '# What the service needs beside torch and torchvision, with hashes: `make lock` writes this file.'; \
	  $(call LOCKED,!~ /^($(APART)|$(CUDA)|$(BUILD))==/); } > docker/requirements.lock

rules: ## copy the rules of Prometheus into k8s/
	@{ sed -n '/^# /,/^spec:/p' k8s/components/monitoring/prometheusrule.yaml; \
	  sed -n '/^groups:/,$$p' docker/prometheus/rules.yml | sed 's/^\(.\)/  \1/'; } > dist.rules
	@mv dist.rules k8s/components/monitoring/prometheusrule.yaml

WATCH = .tools/prometheus
SCRAPE = $(if $(KEY_FILE),printf '    authorization: {credentials_file: "%s"}\n' '$(abspath $(KEY_FILE))';) \
  $(if $(CA),printf '    scheme: https\n    tls_config: {ca_file: "%s"}\n' '$(abspath $(CA))';)
prometheus: ## watch the service on this machine, on 127.0.0.1:9090 (PROMETHEUS_PORT, HTTP_PORT; KEY_FILE and CA if it wants them)
	@mkdir -p $(WATCH) && cp docker/prometheus/rules.yml $(WATCH)
	@{ sed 's/suresam:8080/127.0.0.1:$(or $(HTTP_PORT),8080)/' docker/prometheus/prometheus.yml; \
	  $(SCRAPE) } > $(WATCH)/prometheus.yml
	@PATH="$$PATH:$(CURDIR)/.tools/usr/bin" && exec prometheus --config.file=$(WATCH)/prometheus.yml \
	  --storage.tsdb.path=$(WATCH)/data --web.listen-address=127.0.0.1:$(or $(PROMETHEUS_PORT),9090)

smoke: ## post a photo to a service that runs and say what came back (URL=http://127.0.0.1:8080)
	@docker/smoke.sh

SUPPLY = PYTHONPATH=tests $(BIN)/python -m supply
audit: $(VENV)/.tools ## known vulnerabilities of what the image installs; exit 3: could not be asked
	@$(SUPPLY).audit

licences: $(VENV)/.dev ## write docs/licences.md, or say which package of the image has no licence that is allowed
	@$(SUPPLY).licences

sbom: $(VENV)/.tools ## write what the image installs as CycloneDX, dist/sbom-cpu.json (VARIANT=cuda)
	@mkdir -p dist
	@{ cat docker/requirements.lock $(if $(filter cuda,$(VARIANT)),docker/cuda.lock); \
	  grep -E '^torch(vision)?==' constraints.txt; } | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml \
	  --output-reproducible $(ARGS) --output-file dist/sbom-$(VARIANT).json -
	@echo dist/sbom-$(VARIANT).json

wheel: $(VENV)/.dev ## build a wheel into dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove the environment and all that was built
	rm -rf $(VENV) dist

$(VENV)/.serve: pyproject.toml constraints.txt
	$(call install,.)

$(VENV)/.tools: pyproject.toml constraints.txt
	$(call install,'.[deploy]')
	@touch $(VENV)/.serve $(VENV)/.dev

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install,'.[dev]')
	@touch $(VENV)/.serve
