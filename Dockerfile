# One image for every process of Proa; the pod that runs it says which. The base must be Debian 12 or newer, or a kin.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY proa proa
COPY proxy proxy
COPY kube kube
COPY webhook webhook
COPY init init
COPY ca ca
COPY discovery discovery
COPY installation installation
COPY demo demo
COPY cli cli
RUN python3 -m venv /opt/proa \
    && /opt/proa/bin/pip install --no-cache-dir --constraint constraints.txt . \
    # Compiled here once: a pod's file system is read-only, and proa-init would compile its modules at every start.
    && /opt/proa/bin/python -m compileall -q /opt/proa/lib \
    && /opt/proa/bin/pip uninstall --yes pip

FROM ${BASE}
# nftables is all that proa-init asks of the system; neither iproute2 nor a shell is used.
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 nftables \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/proa /opt/proa
ENV PATH=/opt/proa/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["proa"]
