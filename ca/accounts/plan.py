"""Which Secrets of a namespace are due: to be made, to be given another key, or only to tell other roots. Pure.

Citadel gave every workload a new key in the minute in which the roots changed. Here a key stays as long as its
certificate is good: what changes with the roots is whom to trust, and that is a small patch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from cryptography import x509

from ca.accounts.secret import NAMINGS, Account, Held, Kept
from ca.certificates import issued_by, pem
from ca.renewal import leaf_due
from proa.identity import TrustDomain, WorkloadIdentity
from proa.json import Json
from proa.mesh import Vocabulary
from proa.names import SECRETS_LABEL, SYSTEM_NAMESPACE

_LONGEST_NAME: Final = 253
_CITADELS: Final = "ca.istio.io/override"
"""Of istio 1.4: label of a namespace whose accounts Citadel had to manage, or had not to."""


@dataclass(frozen=True, slots=True)
class State:
    """A namespace: its *accounts* and our Secrets in it; and what is right at present."""

    namespace: str
    accounts: tuple[Account, ...]
    secrets: tuple[Kept, ...]
    trust_domain: TrustDomain
    vocabulary: Vocabulary
    roots: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Make:
    """A Secret that is not there."""

    account: Account
    identity: WorkloadIdentity


@dataclass(frozen=True, slots=True)
class Renew:
    """Another key and certificate into a Secret of *version*; *reason* in CamelCase."""

    account: Account
    identity: WorkloadIdentity
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Other roots into a Secret of *version*; its key stays."""

    account: Account
    version: str


Step: TypeAlias = Make | Renew | Tell


def asks(namespace: Json, vocabulary: Vocabulary) -> bool:
    """Whether a namespace is labelled for Secrets: by our label, or by Citadel's in its vocabulary."""
    match namespace:
        case {"metadata": {"name": str(name), "labels": dict(labels)}} if name != SYSTEM_NAMESPACE:
            ours = labels.get(SECRETS_LABEL)
            citadels = labels.get(_CITADELS) == "true" and vocabulary is Vocabulary.ISTIO
            return ours == "enabled" or (ours is None and citadels)
        case _:
            return False


def secrets_due(state: State, now: datetime) -> tuple[Step, ...]:
    """What to do at *now*, those first that have nothing at all. Raises Invalid for what is no service account."""
    naming, known = NAMINGS[state.vocabulary], {each.name: each for each in state.secrets}
    bundle = pem(*state.roots)
    steps: list[Step] = []
    for account in state.accounts:
        name = naming.secret(account.name)
        if len(name) <= _LONGEST_NAME:
            identity = WorkloadIdentity(state.trust_domain, state.namespace, account.name)
            steps.extend(_due(account, identity, known.get(name), bundle, state.roots, now))
    return tuple(sorted(steps, key=_rank))


def _due(
    account: Account,
    identity: WorkloadIdentity,
    secret: Kept | None,
    bundle: str,
    roots: tuple[x509.Certificate, ...],
    now: datetime,
) -> Iterator[Step]:
    if secret is None:
        yield Make(account, identity)
    elif reason := _wrong(account, identity, secret, roots, now):
        yield Renew(account, identity, secret.version, reason)
    elif isinstance(secret.content, Held) and secret.content.roots != bundle:
        yield Tell(account, secret.version)


def _wrong(
    account: Account, identity: WorkloadIdentity, secret: Kept, roots: tuple[x509.Certificate, ...], now: datetime
) -> str:
    held = secret.content
    if not isinstance(held, Held):
        return "Spoilt"
    if secret.account_uid != account.uid:
        # Made anew under its name, it is another one: whoever has the former one's key must not go on.
        return "AccountReplaced"
    if held.uris != (identity.uri,):
        return "OtherIdentity"
    if not any(issued_by(held.top, root) for root in roots):
        return "RootGone"
    if now < held.validity.not_before:
        return "NotYetValid"
    return "Renewal" if now >= leaf_due(held.serial, held.validity) else ""


def _rank(step: Step) -> int:
    match step:
        case Make():
            return 0
        case Renew():
            return 1
        case Tell():
            return 2
