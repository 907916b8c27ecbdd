"""What Vault is asked, and what its answers come to. Pure.

Paths and members: Vault's HTTP API, https://developer.hashicorp.com/vault/api-docs: `auth/kubernetes`,
`secret/pki/issuance`, `auth/token`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from cryptography import x509
from cryptography.x509.oid import NameOID
from msgspec import Meta

from ca.upstream import told
from ca.vault.failures import REDIRECTED, VaultRefused, login_remedy, passing, signing_remedy, unavailable
from proa.errors import Invalid, shown
from proa.json import Json
from proa.upstreams import VaultPki

LARGEST: Final = 256 * 1024
"""Bytes of an answer: a chain of RSA certificates has a dozen KiB."""
_LONGEST_MESSAGE: Final = 300
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NAMES: Final = {
    "organization": NameOID.ORGANIZATION_NAME,
    "common_name": NameOID.COMMON_NAME,
    "serial_number": NameOID.SERIAL_NUMBER,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A POST. *secret* is the token that is in it, and in no log: Vault's in a header, or a ServiceAccount's in *body*
    where there is none of Vault's yet."""

    path: str
    body: bytes = field(repr=False)
    secret: str = field(repr=False)
    with_token: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """*retry_after* is the header of that name, or ""."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str = ""


class _Auth(msgspec.Struct, frozen=True):
    client_token: Annotated[str, Meta(pattern=r"^[!-~]{1,8192}\Z")]
    """It goes into a header."""


class _LoggedIn(msgspec.Struct, frozen=True):
    auth: _Auth


class _Data(msgspec.Struct, frozen=True):
    certificate: str
    issuing_ca: str
    ca_chain: tuple[str, ...] = ()


class _Signed(msgspec.Struct, frozen=True):
    data: _Data


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[str, ...] = ()


_Read = TypeVar("_Read", _LoggedIn, _Signed)
_Remedy: TypeAlias = Callable[[VaultPki, int], str]
"""By the status of the refusal."""


def login(upstream: VaultPki, account_token: str) -> Call:
    body = msgspec.json.encode({"role": upstream.auth.role, "jwt": account_token})
    return Call(f"/v1/auth/{upstream.auth.mount}/login", body, account_token, with_token=False)


def signing(upstream: VaultPki, request: str, token: str) -> Call:
    """Of *request*, PEM. Raises Invalid where that cannot be read.

    What the request says of itself is said again: of one that asks for CA:TRUE Vault takes the key alone, and refuses
    to take the rest (`use_csr_values`, v1.21).
    """
    asked: dict[str, Json] = {**_said_of_itself(request), "csr": request, "ttl": f"{upstream.lifetime_seconds}s"}
    body = msgspec.json.encode({**asked, "format": "pem", "max_path_length": 0, "exclude_cn_from_sans": True})
    return Call(f"/v1/{upstream.mount}/issuer/{upstream.issuer}/sign-intermediate", body, token)


def farewell(token: str) -> Call:
    """Has *token* end now: until then it takes a place in Vault's storage, and is good for another certificate."""
    return Call("/v1/auth/token/revoke-self", b"{}", token)


def logged_in(call: Call, answer: Answer, upstream: VaultPki) -> str:
    """The token. Raises VaultUnavailable, VaultRefused, Invalid."""
    return _read(call, answer, upstream, login_remedy, _LoggedIn).auth.client_token


def signed(call: Call, answer: Answer, upstream: VaultPki) -> tuple[x509.Certificate, ...]:
    """The issuer's certificate, then those above it as far as Vault knows them. Raises as `logged_in`."""
    found = _read(call, answer, upstream, signing_remedy, _Signed).data
    return told((each.encode() for each in (found.certificate, found.issuing_ca, *found.ca_chain)), _field(call))


def _said_of_itself(request: str) -> dict[str, Json]:
    try:
        read = x509.load_pem_x509_csr(request.encode())
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Invalid("the issuer's request", "what cannot be read", "one that `proa ca csr` makes") from error
    subject = {
        name: str(each.value) for name, oid in _NAMES.items() for each in read.subject.get_attributes_for_oid(oid)
    }
    return {**subject, "uri_sans": list(names.get_values_for_type(x509.UniformResourceIdentifier))}


def _read(call: Call, answer: Answer, upstream: VaultPki, remedy: _Remedy, kind: type[_Read]) -> _Read:
    if answer.status != 200:
        said = _message(call, answer)
        if passing(answer.status, said):
            raise unavailable(upstream, answer.status, said, answer.retry_after)
        mending = REDIRECTED if 300 <= answer.status < 400 else remedy(upstream, answer.status)
        raise VaultRefused(upstream.server, call.path, answer.status, said, mending)
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except _UNREADABLE as error:
        # None of its bytes: there may be a token among them.
        raise Invalid(
            _field(call), "what cannot be read", f"what Vault's API describes, from {upstream.server}"
        ) from error


def _message(call: Call, answer: Answer) -> str:
    """In Vault's own words."""
    try:
        found = msgspec.json.decode(answer.body, type=_Errors).errors
    except _UNREADABLE:
        return "an answer that is not Vault's"
    return words(call, "; ".join(found) or "no word of why")


def words(call: Call, text: str) -> str:
    """*text* of who answers *call*, on one line, cut, and without the token if that is repeated."""
    return shown(" ".join(text.split()).replace(call.secret, "…"), _LONGEST_MESSAGE)


def _field(call: Call) -> str:
    return f"the answer to {call.path}"
