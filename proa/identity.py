"""SPIFFE identities: who a workload is, parsed and printed by the SPIFFE-ID specification §2. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from proa import dns
from proa.errors import Invalid, shown

_SCHEME: Final = "spiffe://"
TRUST_DOMAIN_PATTERN: Final = r"[a-z0-9._-]{1,255}"
"""A regular expression for the whole name of one."""
_TRUST_DOMAIN: Final = re.compile(TRUST_DOMAIN_PATTERN)
_DNS_LABEL: Final = re.compile(dns.LABEL)
_DNS_SUBDOMAIN: Final = re.compile(dns.SUBDOMAIN)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST_ID: Final = 2048


@dataclass(frozen=True, slots=True)
class TrustDomain:
    """The authority part of SPIFFE ids: everything that trusts one set of roots. At most 255 characters (§2.1)."""

    name: str

    def __post_init__(self) -> None:
        if not _TRUST_DOMAIN.fullmatch(self.name):
            raise Invalid("trust domain", shown(self.name), "1 to 255 of a-z, 0-9, '.', '-' and '_'")

    def __str__(self) -> str:
        return self.name

    @property
    def uri(self) -> str:
        return f"{_SCHEME}{self.name}"


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """A Kubernetes service account as a SPIFFE id: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`."""

    trust_domain: TrustDomain
    namespace: str
    service_account: str

    def __post_init__(self) -> None:
        if not _DNS_LABEL.fullmatch(self.namespace):
            raise Invalid("namespace", shown(self.namespace), "a DNS label: 1 to 63 of a-z, 0-9 and '-'")
        if not _DNS_SUBDOMAIN.fullmatch(self.service_account):
            raise Invalid("service account", shown(self.service_account), "a DNS name: 1 to 253 of a-z, 0-9, '-', '.'")

    @property
    def uri(self) -> str:
        return f"{self.trust_domain.uri}/ns/{self.namespace}/sa/{self.service_account}"

    def __str__(self) -> str:
        return self.uri


def known_as(identity: WorkloadIdentity, own: Sequence[TrustDomain]) -> tuple[WorkloadIdentity, ...]:
    """*identity* by each name of its trust domain, where those are the *own* ones; else as it is."""
    if identity.trust_domain not in own:
        return (identity,)
    return tuple(replace(identity, trust_domain=each) for each in own)


def parsed_identity(uri: str) -> WorkloadIdentity:
    """The workload that *uri* names; Invalid says which rule of the specification it breaks."""
    match _parts(uri):
        case [domain, "ns", namespace, "sa", account]:
            return WorkloadIdentity(TrustDomain(domain), namespace, account)
        case _:
            raise Invalid("SPIFFE id", shown(uri), "spiffe://<trust domain>/ns/<namespace>/sa/<service account>")


def trust_domain_of(uri: str) -> TrustDomain:
    """Of any workload's SPIFFE id, whatever its mesh calls workloads (§2.2). Raises Invalid."""
    domain, *path = _parts(uri)
    if not path or not all(map(_names_a_segment, path)):
        raise Invalid("SPIFFE id", shown(uri), "a path of segments of A-Z, a-z, 0-9, '.', '-' and '_'")
    return TrustDomain(domain)


def _names_a_segment(text: str) -> bool:
    return text not in {".", ".."} and _SEGMENT.fullmatch(text) is not None


def _parts(uri: str) -> list[str]:
    """Trust domain and segments of the path."""
    # Half a surrogate pair has no encoding; it is refused by its place in the id.
    length = len(uri.encode(errors="surrogatepass"))
    if length > _LONGEST_ID:
        raise Invalid("SPIFFE id", f"{length} bytes", f"at most {_LONGEST_ID} bytes")
    if not uri.startswith(_SCHEME):
        raise Invalid("SPIFFE id", shown(uri), f"an id that starts with {_SCHEME}")
    return uri.removeprefix(_SCHEME).split("/")
