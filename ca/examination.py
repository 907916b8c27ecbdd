"""What a certificate proves, to whom, for how long, and what is wrong with it: in words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from warnings import catch_warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ca.certificates import extension, fingerprint, issued_by, validity
from ca.lint import faults, issues, unreadable, uris
from ca.material import NAMES
from proa.errors import Invalid, shown

LARGEST: Final = 1024 * 1024
"""Bytes of a file that is examined."""
_MOST: Final = 64
"""Certificates in it."""
_ROLES: Final[Mapping[x509.ObjectIdentifier, str]] = {
    ExtendedKeyUsageOID.SERVER_AUTH: "a server",
    ExtendedKeyUsageOID.CLIENT_AUTH: "a client",
}
_LATE_SHARE: Final = 1 / 4
"""A leaf is renewed at half of its life: with less than a quarter left, nobody has."""


@dataclass(frozen=True, slots=True)
class Roots:
    """What a chain has to end at, and *where* they were found."""

    certificates: tuple[x509.Certificate, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One certificate: *what* it is, what it *proves*, its facts as they are printed, and what is wrong with it."""

    what: str
    proves: tuple[str, ...]
    facts: dict[str, str]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Certificates in the order of a file, the leaf first, and whether *key* is the leaf's, where there is one."""

    certificates: tuple[x509.Certificate, ...]
    key: str = ""


def bundle(content: bytes) -> Bundle:
    """Of a file in PEM or DER. Raises Invalid. A private key in it is compared with the leaf and never shown."""
    if len(content) > LARGEST:
        raise Invalid("the file", f"{len(content)} bytes", f"at most {LARGEST}")
    try:
        # What the library only warns of, `faults` tells.
        with catch_warnings(action="ignore"):
            found = _certificates(content)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise Invalid("the file", f"{len(content)} bytes without one", "certificates in PEM or DER") from error
    if len(found) > _MOST:
        raise Invalid("the file", f"{len(found)} certificates", f"at most {_MOST}")
    return Bundle(found, _key_problem(content, found[0]))


def _certificates(content: bytes) -> tuple[x509.Certificate, ...]:
    if b"-----BEGIN" in content:
        return tuple(x509.load_pem_x509_certificates(content))
    return (x509.load_der_x509_certificate(content),)


def _key_problem(content: bytes, leaf: x509.Certificate) -> str:
    if b"PRIVATE KEY-----" not in content:
        return ""
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "the private key in the file cannot be read"
    return "" if key.public_key() == leaf.public_key() else "the private key in the file is another certificate's"


def examined(found: Bundle, roots: Roots | None, now: datetime) -> tuple[Finding, ...]:
    """Each certificate of *found*; with *roots* also whether a peer that trusts them takes the first."""
    with catch_warnings(action="ignore"):
        return tuple(_examined(found, roots, now))


def _examined(found: Bundle, roots: Roots | None, now: datetime) -> Iterator[Finding]:
    first, *rest = found.certificates
    chain = (*([found.key] if found.key else []), *_chain_problems(found.certificates, roots, now))
    one = _finding(first, now)
    yield Finding(one.what, one.proves, one.facts, (*one.problems, *chain))
    yield from (_finding(each, now) for each in rest)


def _finding(certificate: x509.Certificate, now: datetime) -> Finding:
    if unreadable(certificate):
        return Finding("a certificate", (), {}, tuple(map(str, faults(certificate))))
    problems = (*_time_problems(certificate, now), *map(str, faults(certificate)))
    return Finding(_kind(certificate), tuple(_proofs(certificate)), _facts(certificate), problems)


def _kind(certificate: x509.Certificate) -> str:
    if not issues(certificate):
        return "a workload's certificate" if any(map(_is_spiffe, uris(certificate))) else "a server's certificate"
    return "a root" if issued_by(certificate, certificate) else "an intermediate"


def _proofs(certificate: x509.Certificate) -> Iterator[str]:
    names = extension(certificate, x509.SubjectAlternativeName)
    listed = [str(each.value) for each in names.value] if names else []
    if issues(certificate):
        basic = extension(certificate, x509.BasicConstraints)
        depth = basic.value.path_length if basic else None
        yield f"may sign other certificates, {_below(depth)}"
        yield from (f"signs for the trust domain {_line(uri.removeprefix('spiffe://'))}" for uri in uris(certificate))
    else:
        yield from (f"whoever holds its key is {shown(name)}" for name in listed)
        yield _roles(certificate)


def _below(depth: int | None) -> str:
    match depth:
        case None:
            return "with any number of intermediates below it"
        case 0:
            return "leaves only"
        case _:
            return f"with {depth} below it before the leaf"


def _roles(certificate: x509.Certificate) -> str:
    extended = extension(certificate, x509.ExtendedKeyUsage)
    if extended is None:
        return "for any purpose"
    return "as " + " and as ".join(_ROLES.get(usage) or usage.dotted_string for usage in extended.value)


def _facts(certificate: x509.Certificate) -> dict[str, str]:
    return {
        "subject": _line(certificate.subject.rfc4514_string(NAMES)) or "-",
        "issuer": _line(certificate.issuer.rfc4514_string(NAMES)) or "-",
        "serial": f"{certificate.serial_number:x}",
        "valid": str(validity(certificate)),
        "key": key_kind(certificate),
        "sha256": fingerprint(certificate),
    }


def _line(text: str) -> str:
    """*text* of a certificate's: who made it must not write lines of ours, nor talk to the terminal."""
    return text if text.isprintable() else shown(text)


def key_kind(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unreadable"
    match key:
        case ec.EllipticCurvePublicKey():
            return {"secp256r1": "ECDSA P-256", "secp384r1": "ECDSA P-384"}.get(key.curve.name, key.curve.name)
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
        case _:
            return type(key).__name__.removesuffix("PublicKey")


def _time_problems(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    lived = validity(certificate)
    if now < lived.not_before:
        yield f"not valid before {lived.not_before:%Y-%m-%dT%H:%M:%SZ}, in {rough(lived.not_before - now)}"
    elif now > lived.not_after:
        yield f"expired {rough(now - lived.not_after)} ago, at {lived.not_after:%Y-%m-%dT%H:%M:%SZ}"
    elif not issues(certificate) and now > lived.not_after - lived.lifetime * _LATE_SHARE:
        yield f"ends in {rough(lived.not_after - now)}, and should have been renewed at half of its life"


def _chain_problems(chain: tuple[x509.Certificate, ...], roots: Roots | None, now: datetime) -> Iterator[str]:
    first, *above = chain
    if any(map(unreadable, chain)):
        return
    for lower, upper in zip(chain, above, strict=False):
        if not issued_by(lower, upper):
            yield f"the next certificate did not issue it: it names {_line(lower.issuer.rfc4514_string()) or 'nobody'}"
            return
    if any(each.subject == each.issuer for each in above):
        yield "a root stands in the chain; roots belong to the bundle that peers trust"
    if roots is not None and not issues(first):
        yield from _trust_problems(first, above, roots, now)


def _trust_problems(
    leaf: x509.Certificate, above: Iterable[x509.Certificate], roots: Roots, now: datetime
) -> Iterator[str]:
    """By the library's own path validation, at a time at which the leaf is valid: its own time is said elsewhere."""
    if not roots.certificates:
        yield f"there is no root {roots.where} that a peer could trust"
        return
    lived = validity(leaf)
    store = Store(list(roots.certificates))
    policy = PolicyBuilder().store(store).time(min(max(now, lived.not_before), lived.not_after))
    try:
        _verify(policy, leaf, list(above))
    except (VerificationError, x509.ExtensionNotFound, ValueError) as error:
        yield f"no peer that trusts the roots {roots.where} takes it: {error}"


def _verify(policy: PolicyBuilder, leaf: x509.Certificate, above: list[x509.Certificate]) -> None:
    """As a server by its first DNS name, where it may be no client."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = names.get_values_for_type(x509.DNSName)
    if found:
        policy.build_server_verifier(x509.DNSName(found[0])).verify(leaf, above)
    else:
        policy.build_client_verifier().verify(leaf, above)


def rough(time: timedelta) -> str:
    """In the largest unit that fits twice."""
    seconds = int(time.total_seconds())
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _is_spiffe(uri: str) -> bool:
    return uri.startswith("spiffe://")
