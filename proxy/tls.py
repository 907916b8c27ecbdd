"""The mesh's mTLS: the secrets of the identity volume and the contexts on either side of a connection. Pure.

Both sides are our own Envoys, so TLS 1.3 and one ALPN are all there is to agree on. Sessions are never resumed: a
resumed session would go by the roots and certificates of an earlier handshake (RFC 8446 §2.2) and outlive a rotation.
"""

from collections.abc import Sequence
from typing import Final

from proa import names
from proa.identity import TrustDomain, WorkloadIdentity
from proa.json import Json
from proxy.message import Message, extension

_PACKAGE: Final = "envoy.extensions.transport_sockets.tls.v3"


def leaf() -> Message:
    """The workload's key and chain, from one file that the kubelet writes."""
    bundle: Message = {"filename": f"{names.IDENTITY_DIRECTORY}/{names.CREDENTIAL_BUNDLE}"}
    return _secret("tls_certificate", {"certificate_chain": bundle, "private_key": bundle})


def roots() -> Message:
    """What the workload's peers must be certified by."""
    bundle: Message = {"filename": f"{names.IDENTITY_DIRECTORY}/{names.TRUST_BUNDLE}"}
    return _secret("validation_context", {"trusted_ca": bundle})


def _secret(kind: str, content: Message) -> Message:
    """A secret whose files are read again when the kubelet swaps the volume's `..data` link.

    Envoy 1.40 watches them only for a secret that came by SDS, if from a file; for one in the bootstrap it does not.
    """
    return {"name": kind, kind: {**content, "watched_directory": {"path": names.IDENTITY_DIRECTORY}}}


def downstream_tls(trust_domain: TrustDomain) -> Message:
    """A server's side: the client must show a certificate of *trust_domain*, whoever it is."""
    context: Message = {
        "require_client_certificate": True,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": _context({"prefix": f"{trust_domain.uri}/"}),
    }
    return extension("envoy.transport_sockets.tls", f"{_PACKAGE}.DownstreamTlsContext", context)


def upstream_tls(servers: Sequence[WorkloadIdentity]) -> Message:
    """A client's side: the server must be one of *servers*, whatever its address is."""
    matchers: list[Message] = [{"exact": server.uri} for server in servers]
    context: Message = {"max_session_keys": 0, "common_tls_context": _context(*matchers)}
    return extension("envoy.transport_sockets.tls", f"{_PACKAGE}.UpstreamTlsContext", context)


def _context(*peers: Message) -> Message:
    sans: list[Json] = [{"san_type": "URI", "matcher": peer} for peer in peers]
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": [names.MESH_ALPN],
        "tls_certificate_sds_secret_configs": [_subscription("tls_certificate", names.LEAF_FILE)],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": sans},
            "validation_context_sds_secret_config": _subscription("validation_context", names.ROOTS_FILE),
        },
    }


def _subscription(secret: str, file: str) -> Message:
    path: Message = {"path": f"{names.BOOTSTRAP_DIRECTORY}/{file}"}
    return {"name": secret, "sds_config": {"resource_api_version": "V3", "path_config_source": path}}
