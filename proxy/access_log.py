"""One JSON line for each connection: where it came from, where it meant to go, who was at the other end. Pure."""

from typing import Final

from proa.containers import AccessLog
from proa.json import Json
from proxy.message import Message, extension

_FIELDS: Final[dict[str, Json]] = {
    "time": "%START_TIME%",
    "filter_chain": "%FILTER_CHAIN_NAME%",
    "source": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "original_destination": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "upstream": "%UPSTREAM_HOST%",
    "upstream_local": "%UPSTREAM_LOCAL_ADDRESS%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "downstream_tls": "%DOWNSTREAM_TLS_VERSION%",
    "downstream_peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "downstream_certificate": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    "upstream_tls": "%UPSTREAM_TLS_VERSION%",
    "upstream_peer": "%UPSTREAM_PEER_URI_SAN%",
    "upstream_certificate": "%CEL(upstream.sha256_peer_certificate_digest)%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "flags": "%RESPONSE_FLAGS%",
    "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "downstream_failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
}
"""Envoy's command operators (docs: configuration/observability/access_log). Certificates are SHA-256 fingerprints."""


def access_logs(setting: AccessLog) -> list[Json]:
    """A listener's loggers: on the listener they also see handshakes that fail and connections that match no chain."""
    match setting:
        case AccessLog.OFF:
            return []
        case AccessLog.JSON:
            return [_stdout()]


def _stdout() -> Message:
    # Envoy's own stream: /dev/stdout would have to be opened again, which its owner may not let another user do.
    return extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        {"log_format": {"json_format": _FIELDS}},
    )
