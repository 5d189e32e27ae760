# The service with its bundled models.
#
#   docker build -t suresam .                              for CPUs
#   docker build -t suresam:cuda --build-arg TORCH_INDEX= .   for NVIDIA GPUs
#   docker run --rm --read-only --tmpfs /tmp --stop-timeout 40 -p 127.0.0.1:8080:8080 suresam

# The tag moves with Python's and Debian's security fixes. Where a build must be repeatable,
# name the digest: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# PyPI's torch for Linux brings CUDA along, several GB; this index has the build for CPUs.
# Left empty, PyPI's is taken. The NVIDIA driver comes from the host in either case.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_EXTRA_INDEX_URL=${TORCH_INDEX} \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/suresam
ENV PATH=/opt/suresam/bin:${PATH}
WORKDIR /src
COPY constraints.txt ./
# As in the Makefile: sam2 is built against the torch that is already there.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt torch setuptools wheel hatchling
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY models models
RUN --mount=type=cache,target=/root/.cache/pip \
    SAM2_BUILD_CUDA=0 pip install --constraint constraints.txt --no-build-isolation .

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="suresam" \
      org.opencontainers.image.licenses="Apache-2.0"
# Kubernetes' runAsNonRoot can only check a user that is given by number.
# A named volume takes over the owner of /models, so that `suresam models pull` can write there.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp suresam \
 && install --directory --owner=10001 --group=10001 /models
COPY --from=build /opt/suresam /opt/suresam
# The root file system may be read-only; uploads over 1 MiB are spooled to /tmp, and caches go there.
ENV PATH=/opt/suresam/bin:${PATH} \
    HOME=/tmp \
    SURESAM_MODELS_DIR=/models
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080 50051
STOPSIGNAL SIGTERM
# http.client, because urllib would send this through a proxy that the environment names.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import sys, http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["suresam"]
# There are no API keys yet: whoever reaches the ports is served, so publish them with care.
CMD ["serve", "--host", "0.0.0.0", "--allow-anonymous"]
