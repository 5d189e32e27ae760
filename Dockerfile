# The service with its bundled models.
#
#   make image                       for CPUs: suresam:cpu
#   make image VARIANT=cuda          for NVIDIA GPUs: suresam:cuda
#   docker run --rm --read-only --tmpfs /tmp --stop-timeout 40 -p 127.0.0.1:8080:8080 suresam:cpu
#
# `docker buildx build --sbom=true --provenance=true` attests what is in it; what pip and apt left there
# tells every name and version.
#
# The tags move with security fixes. Where a build must be repeatable, `make pin-images` writes the
# digests behind them, as far as a registry can be reached.

ARG VARIANT=cpu
ARG CPU_IMAGE=python:3.12-slim-bookworm
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-base-ubuntu24.04

FROM ${CPU_IMAGE} AS base-cpu
# PyPI's torch for Linux brings CUDA along, several GB; this index has the build for CPUs.
ENV TORCH_INDEX=https://download.pytorch.org/whl/cpu \
    CUDA_LOCK=""

FROM ${CUDA_IMAGE} AS base-cuda
# torch's CUDA libraries are packages of Python, too; the driver comes from the host.
ENV TORCH_INDEX="" \
    CUDA_LOCK=docker/cuda.lock
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-venv \
 && ln -s /usr/bin/python3 /usr/local/bin/python \
 && rm -rf /var/lib/apt/lists/*

# hadolint ignore=DL3006
FROM base-${VARIANT} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/suresam
ENV PATH=/opt/suresam/bin:${PATH}
WORKDIR /src
# By hash, first, so that torch finds all that it needs and brings nothing unseen. Nothing is compiled.
COPY docker/build.lock docker/requirements.lock docker/cuda.lock docker/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes --no-deps --requirement docker/build.lock \
 && SAM2_BUILD_CUDA=0 pip install --require-hashes --no-deps --no-build-isolation \
      --requirement docker/requirements.lock ${CUDA_LOCK:+--requirement "${CUDA_LOCK}"}
# torch and torchvision apart, by version: their builds differ by platform, and so do their hashes.
COPY constraints.txt ./
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL="${TORCH_INDEX}" pip install --no-deps --constraint constraints.txt torch torchvision \
 && pip check
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY models models
COPY docs/coffee.jpg docs/coffee.jpg
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && pip uninstall --yes hatchling pathspec pluggy trove-classifiers wheel \
 && pip uninstall --yes pip
# Names of models that the image is to hold, such as "sam2.1"; the bundled ones it holds anyway.
ARG BAKE_MODELS=""
# hadolint ignore=SC2086
RUN mkdir /models \
 && if [ -n "${BAKE_MODELS}" ]; then suresam models pull ${BAKE_MODELS} --models-dir /models; fi

# hadolint ignore=DL3006
FROM base-${VARIANT}
ARG VARIANT
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="suresam" \
      org.opencontainers.image.description="Segmentation masks over REST and gRPC that say how far they can be trusted" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}-${VARIANT}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# Kubernetes' runAsNonRoot can only check a user that is given by number.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp suresam
COPY --from=build /opt/suresam /opt/suresam
# A named volume takes over the owner of /models, so that `suresam models pull` can write there.
COPY --from=build --chown=10001:10001 /models /models
# The root file system may be read-only; uploads over 1 MiB are spooled to /tmp, and caches go there.
ENV PATH=/opt/suresam/bin:${PATH} \
    HOME=/tmp \
    SURESAM_MODELS_DIR=/models
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080 50051
STOPSIGNAL SIGTERM
# http.client, because urllib would send this through a proxy that the environment names. With TLS by
# SURESAM_TLS_CERT it asks itself, so whose certificate that is does not matter here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, ssl, sys, http.client as h; tls = {'context': ssl._create_unverified_context()} if os.environ.get('SURESAM_TLS_CERT') else {}; c = (h.HTTPSConnection if tls else h.HTTPConnection)('127.0.0.1', 8080, timeout=4, **tls); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["suresam"]
# Without API keys whoever reaches the ports is served, so publish them with care.
CMD ["serve", "--host", "0.0.0.0", "--allow-anonymous"]
