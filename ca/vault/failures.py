"""What keeps Vault from signing: what passes by itself, and what an admin has to mend, with how. Pure.

Which status is which: https://developer.hashicorp.com/vault/api-docs#http-status-codes.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from proa.errors import ProaError
from proa.names import AUTHORITY, SYSTEM_NAMESPACE
from proa.upstreams import ConfigMapRoots, SecretRoots, SystemRoots, VaultPki

_PASSING: Final = frozenset({408, 412, 429})
"""A slow client, a replica that is behind, a quota; and every status from 500 on, such as 503 of one that is sealed."""
_LASTING: Final = ("could not fetch the CA certificate", "verification of parsed bundle failed")
"""What Vault says, with 500, where there is no such issuer, and where its names are constrained to others (v1.21)."""


@dataclass(eq=False)
class VaultUnavailable(ProaError):
    """Asking again may help without anybody mending anything of ours. *retry_after* is how many seconds it asks to
    wait, where it does."""

    code: ClassVar[str] = "vault_unavailable"
    server: str
    cause: str
    remedy: str
    retry_after: float = 0.0

    def __str__(self) -> str:
        return f"Vault at {self.server} is not available: {self.cause}; {self.remedy}; it is asked again"


@dataclass(eq=False)
class VaultRefused(ProaError):
    """Vault answered *status* to *request*, in its words *said*: an admin has to mend it, by *remedy*."""

    code: ClassVar[str] = "vault_refused"
    server: str
    request: str
    status: int
    said: str
    remedy: str

    def __str__(self) -> str:
        return f"Vault at {self.server} refused {self.request}: {self.said} ({self.status}); {self.remedy}"


REDIRECTED: Final = "name a server in authority.upstream.server that answers itself, or let its standbys forward"


def passing(status: int, said: str) -> bool:
    """Whether an answer of *status* with the words *said* may be another one later, without an admin."""
    return (status in _PASSING or status >= 500) and not any(each in said for each in _LASTING)


def unavailable(upstream: VaultPki, status: int, said: str, retry_after: str) -> VaultUnavailable:
    """For an answer that is `passing`; *retry_after* is its header of that name."""
    remedy = "unseal it: vault operator unseal" if "sealed" in said else "see its log and `vault status`"
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return VaultUnavailable(upstream.server, f"{said} ({status})", remedy, seconds)


def ca_remedy(upstream: VaultPki) -> str:
    """Where the certificate belongs by which the server's is verified."""
    match upstream.ca:
        case SystemRoots():
            return f"the image of {AUTHORITY}, or name a ConfigMap in authority.upstream.ca"
        case ConfigMapRoots(name=name):
            return f"ca.crt of the ConfigMap {name} in {SYSTEM_NAMESPACE}, PEM"
        case SecretRoots(name=name):
            return f"ca.crt of the Secret {name} in {SYSTEM_NAMESPACE}, PEM"


def login_remedy(upstream: VaultPki, status: int) -> str:
    """For a login that was refused with *status*."""
    auth = upstream.auth
    if status == 404:
        return f"mend authority.upstream.auth.mount, or: vault auth enable -path={auth.mount} kubernetes"
    return (
        f"have a role that takes this ServiceAccount's tokens: vault write auth/{auth.mount}/role/{auth.role}"
        f" bound_service_account_names={AUTHORITY} bound_service_account_namespaces={SYSTEM_NAMESPACE}"
        f" audience={auth.audience}; and see that vault read auth/{auth.mount}/config is of this cluster"
    )


def signing_remedy(upstream: VaultPki, status: int) -> str:
    """For a request of an issuer's that was refused with *status*."""
    mount, issuer = upstream.mount, upstream.issuer
    match status:
        case 403:
            return (
                f"have a policy of the role {upstream.auth.role} with: "
                f'path "{mount}/issuer/{issuer}/sign-intermediate" {{ capabilities = ["update"] }}'
            )
        case 404:
            return f"mend authority.upstream.mount, or: vault secrets enable -path={mount} pki"
        case _:
            return f"see vault list {mount}/issuers and vault read {mount}/issuer/{issuer}, and mend authority.upstream"
