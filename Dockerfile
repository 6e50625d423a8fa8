# syntax=docker/dockerfile:1
# One image for one machine and for a fleet: holdfast with the drivers of PostgreSQL and Redis and the OTLP exporter.
# Build: docker build -t holdfast .      Run: see compose.yaml

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements/image.txt requirements/build.txt ./
RUN python -m venv /opt/holdfast \
 && /opt/holdfast/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r image.txt \
 && python -m venv /opt/builder \
 && /opt/builder/bin/pip install --no-cache-dir --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN /opt/builder/bin/python -m hatchling build -t wheel -d /build/dist \
 && /opt/holdfast/bin/pip install --no-cache-dir --no-deps --no-index /build/dist/*.whl \
 && /opt/holdfast/bin/python -m compileall -q -j 0 /opt/holdfast/lib \
 && /opt/holdfast/bin/pip uninstall --yes --quiet pip

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="holdfast" \
      org.opencontainers.image.description="The production runtime for Claude agents" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 holdfast \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/holdfast
COPY --from=build /opt/holdfast /opt/holdfast
ENV PATH=/opt/holdfast/bin:$PATH \
    HOLDFAST_HOME=/var/lib/holdfast \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/var/lib/holdfast"]
EXPOSE 4180
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4180/healthz', timeout=2)"]
ENTRYPOINT ["holdfast"]
CMD ["serve", "--host", "0.0.0.0"]
