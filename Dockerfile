# lookalike in a container: the service, or the indexer by `docker run IMAGE python -m indexer ...`.
#
#   docker build --tag lookalike:local .
#
# The package index's own build of PyTorch brings CUDA along, several gigabytes that a machine without a GPU has no use
# for. To have the build for processors alone, give the address of PyTorch's index of CPU wheels:
# --build-arg PIP_EXTRA_INDEX_URL=ADDRESS. Building needs BuildKit, which Docker has had as its default since version 23.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS dependencies
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /source
COPY pyproject.toml ./
# What the program needs, without the program: this layer, by far the largest, stays the same while only code changes.
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv --without-pip /opt/lookalike \
 && python3 -c "import pathlib, tomllib; \
project = tomllib.loads(pathlib.Path('pyproject.toml').read_text())['project']; \
print(*project['dependencies'], *project['optional-dependencies']['postgres'], *project['optional-dependencies']['map'], sep='\n')" > requirements.txt \
 && python3 -m pip --python /opt/lookalike/bin/python install --requirement requirements.txt

FROM dependencies AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -c "import pathlib, tomllib; \
print(*tomllib.loads(pathlib.Path('pyproject.toml').read_text())['build-system']['requires'], sep='\n')" > build.txt \
 && python3 -m pip --python /opt/lookalike/bin/python install --requirement build.txt
COPY . .
# ninja lies beside the environment's Python. Without isolation the operator is compiled against the torch that it will
# run with.
RUN PATH="$PATH:/opt/lookalike/bin" python3 -m pip --python /opt/lookalike/bin/python \
    wheel --no-deps --no-build-isolation --no-cache-dir --wheel-dir /wheels .

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="lookalike" \
      org.opencontainers.image.description="Image similarity search that people can rely on" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# tini passes signals on: a program that is process 1 itself, as the indexer would be, is deaf to SIGTERM.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 lookalike \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lookalike \
 && install --directory --owner=10001 --group=10001 --mode=0750 /data

COPY --from=dependencies /opt/lookalike /opt/lookalike
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    python3 -m pip --python /opt/lookalike/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl
COPY deploy/healthcheck.py deploy/backup.py /opt/lookalike/share/

# The root may be read-only: what is kept goes to /data, and whatever wants a home or a cache finds it in /tmp.
ENV PATH="/opt/lookalike/bin:$PATH" \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LOOKALIKE_DATA=/data \
    LOOKALIKE_ENCODERS_DIR=/data/encoders \
    LOOKALIKE_HOST=0.0.0.0
WORKDIR /data
USER 10001:10001

# As the user that it will run as: the operator is there, the network encodes, and the service has all it imports.
RUN --mount=type=tmpfs,target=/tmp \
    python -c "from lookalike.encoder.network.operators import require_operator; require_operator()" \
 && python -m indexer doctor \
 && python -m service --help > /tmp/help

EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "/opt/lookalike/share/healthcheck.py"]
ENTRYPOINT ["/usr/bin/tini", "--"]
# The service listens on every address of its container, and so will not start without a key (LOOKALIKE_API_KEYS or
# LOOKALIKE_API_KEYS_FILE).
CMD ["python", "-m", "service"]
