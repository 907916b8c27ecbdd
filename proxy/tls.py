"""The mesh's mTLS: the secrets of the identity volume and the contexts on either side of a connection. Pure.

Both sides are our own Envoys, so TLS 1.3 and one ALPN are all there is to agree on. Sessions are never resumed: a
resumed session would go by the roots and certificates of an earlier handshake (RFC 8446 §2.2) and outlive a rotation.
"""

from collections.abc import Sequence
from typing import Final

from proa import names
from proa.identity import WorkloadIdentity
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.rootsmap import federates, revokes
from proxy.message import Message, extension

_PACKAGE: Final = "envoy.extensions.transport_sockets.tls.v3"


def leaf() -> Message:
    """The workload's key and chain, from one file that the kubelet writes."""
    bundle = _file(names.CREDENTIAL_BUNDLE)
    return _secret("tls_certificate", {"certificate_chain": bundle, "private_key": bundle})


def roots(configuration: MeshConfiguration) -> Message:
    """What the workload's peers must be certified by; and, where certificates are revocable, not revoked."""
    if federates(configuration):
        return _secret("validation_context", _by_trust_domain())
    return _secret("validation_context", {"trusted_ca": _file(names.TRUST_BUNDLE), **_crl(configuration)})


def _crl(configuration: MeshConfiguration) -> Message:
    """A leaf without a valid CRL of its issuer is refused, too (docs/decisions/0035)."""
    if not revokes(configuration):
        return {}
    # Of leaves alone: Envoy would want a CRL of the root, too, whose key may be elsewhere.
    return {"crl": _file(names.CRL_FILE), "only_verify_leaf_cert_crl": True}


def _by_trust_domain() -> Message:
    """Roots vouch for the trust domain under which they stand, and for no other (docs/decisions/0046)."""
    bundles: Message = {**_file(names.BUNDLES_FILE), "watched_directory": {"path": names.IDENTITY_DIRECTORY}}
    validator = extension(
        "envoy.tls.cert_validator.spiffe", f"{_PACKAGE}.SPIFFECertValidatorConfig", {"trust_bundles": bundles}
    )
    return {"custom_validator_config": validator}


def _file(name: str) -> Message:
    return {"filename": f"{names.IDENTITY_DIRECTORY}/{name}"}


def _secret(kind: str, content: Message) -> Message:
    """A secret whose files are read again when the kubelet swaps the volume's `..data` link.

    Envoy 1.40 watches them only for a secret that came by SDS, if from a file; for one in the bootstrap it does not.
    """
    return {"name": kind, kind: {**content, "watched_directory": {"path": names.IDENTITY_DIRECTORY}}}


def downstream_tls(configuration: MeshConfiguration) -> Message:
    """A server's side: the client must show a certificate of a trust domain that is believed, whoever it is."""
    # Where there are bundles, they say which domains those are, and may say it of others while Envoy runs.
    domains = () if federates(configuration) else configuration.own_domains
    clients: list[Message] = [{"prefix": f"{each.uri}/"} for each in domains]
    context: Message = {
        "require_client_certificate": True,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": _context(*clients),
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
