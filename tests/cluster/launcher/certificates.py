"""Who is certified in the cluster, and what each certificate says. Pure: keys, serials and times are given.

Names and groups are those that Kubernetes' RBAC and Node authorisers know (PKI certificates and requirements).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from launcher.layout import API_SERVICE_ADDRESSES, DOMAIN, NODE, NODE_ADDRESSES

_LIFETIME: Final = timedelta(days=365)
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Subject:
    """One holder of a certificate: *file* names its files; *hosts* are DNS names and addresses that it serves."""

    file: str
    common_name: str
    organization: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validity:
    not_before: datetime
    not_after: datetime


ADMIN: Final = Subject("admin", "admin", "system:masters")
CONTROLLERS: Final = Subject("controllers", "system:kube-controller-manager")
SCHEDULER: Final = Subject("scheduler", "system:kube-scheduler")
PROXY: Final = Subject("proxy", "system:kube-proxy")
KUBELET: Final = Subject("kubelet", f"system:node:{NODE}", "system:nodes", (NODE, *NODE_ADDRESSES))
API_SERVER: Final = Subject(
    "apiserver",
    "kube-apiserver",
    hosts=(
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{DOMAIN}",
        "127.0.0.1",
        *NODE_ADDRESSES,
        *API_SERVICE_ADDRESSES,
    ),
)
CLIENTS: Final = (ADMIN, CONTROLLERS, SCHEDULER, PROXY, KUBELET)
SUBJECTS: Final = (*CLIENTS, API_SERVER)
AUTHORITY: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes-ca")])


def validity(now: datetime) -> Validity:
    return Validity(now - _SKEW, now + _LIFETIME)


def authority_certificate(key: EllipticCurvePublicKey, serial: int, valid: Validity) -> x509.CertificateBuilder:
    """Of the cluster's own authority, which signs every other certificate and the ones asked for by CSR objects."""
    return (
        _certificate(AUTHORITY, key, serial, valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def subject_certificate(
    subject: Subject, key: EllipticCurvePublicKey, serial: int, valid: Validity
) -> x509.CertificateBuilder:
    """Of *subject*, for both ends of a connection: the API server and the kubelet are clients and servers."""
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = (
        _certificate(_name(subject), key, serial, valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )
    if not subject.hosts:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName(_alternatives(subject.hosts)), critical=False)


def _certificate(name: x509.Name, key: EllipticCurvePublicKey, serial: int, valid: Validity) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(AUTHORITY)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(valid.not_before)
        .not_valid_after(valid.not_after)
    )


def _name(subject: Subject) -> x509.Name:
    organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization)] if subject.organization else []
    return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])


def _alternatives(hosts: Iterable[str]) -> Iterator[x509.GeneralName]:
    for host in hosts:
        try:
            yield x509.IPAddress(ip_address(host))
        except ValueError:
            yield x509.DNSName(host)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
