# One image for every process of Proa; the pod that runs it says which. The base must be Debian 12 or newer, or a kin.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

FROM python AS requirements
COPY pyproject.toml ./
RUN python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > requirements.txt

# In a layer of their own, of what their list says: they change far less often than the project does.
FROM python AS dependencies
COPY constraints.txt ./
COPY --from=requirements /src/requirements.txt ./
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/proa \
    && /opt/pip/bin/pip --python /opt/proa/bin/python install --no-cache-dir --no-compile --constraint constraints.txt \
        --requirement requirements.txt \
    # Compiled here once: a pod's file system is read-only, and a process would compile its modules at every start.
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/proa/lib

# A static program, for nodes of whatever kind: it runs in their file system, which may have no C library of ours.
FROM ${BASE} AS cni
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY cni/proa-cni.c ./
RUN gcc -std=c11 -O2 -Wall -Wextra -Werror -static -s -o /proa-cni proa-cni.c

FROM dependencies AS build
COPY pyproject.toml README.md ./
COPY proa proa
COPY proxy proxy
COPY kube kube
COPY webhook webhook
COPY init init
COPY ca ca
COPY discovery discovery
COPY installation installation
COPY demo demo
COPY node node
COPY cli cli
RUN /opt/pip/bin/pip --python /opt/proa/bin/python install --no-cache-dir --no-compile --no-deps --prefix /opt/own . \
    # In every pod's start: alone and without `site` (init/proa-init finds its packages then). pip drops such flags.
    && sed -i '1s/$/ -IS/' /opt/own/bin/proa-init \
    && python3 -m compileall -q --invalidation-mode unchecked-hash -s /opt/own -p /opt/proa /opt/own/lib

FROM ${BASE}
# proa-init asks nftables of the system, and iptables on nodes whose kernel has too little of it; neither iproute2 nor a
# shell is used.
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 nftables iptables \
    && rm -rf /var/lib/apt/lists/*
COPY --from=dependencies /opt/proa /opt/proa
COPY --from=build /opt/own /opt/proa
COPY --from=cni /proa-cni /opt/proa/libexec/proa-cni
ENV PATH=/opt/proa/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["proa"]
