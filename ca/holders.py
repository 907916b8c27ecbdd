"""Who has a certificate of the former root while the next one issues, as far as the API server tells. Pure.

It keeps a PodCertificateRequest for fifteen minutes. A pod whose request is gone has a certificate of the next root if
it was made after that one had issued for a while; else nobody can say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec
from cryptography import x509

from ca.accounts.secret import Held, kept
from ca.certificates import issued_by
from ca.inquiry import KEPT
from ca.rotation import MARGIN
from ca.verdict import FINISHED, SIGNERS
from kube.resources import Object, key_of
from proa.errors import Invalid

Generation: TypeAlias = Literal["former", "unknown", "next"]
_T = TypeVar("_T")
_GENERATIONS: Final[tuple[Generation, ...]] = ("former", "unknown", "next")
"""Of a pod with several certificates the first of these counts."""
_SHOWN: Final = 5
"""Names in a sentence; `-o json` has all."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the API server lists: Pods, PodCertificateRequests, and the Secrets of service accounts. *unread* says in
    words what it did not."""

    pods: tuple[Object, ...] = ()
    requests: tuple[Object, ...] = ()
    secrets: tuple[Object, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holders:
    """As `pod shop/web` and `secret shop/proa.web`: those of the *former* root, and those of which it is *unknown*.
    *following* counts those of the next one."""

    former: tuple[str, ...]
    unknown: tuple[str, ...]
    following: int
    unread: tuple[str, ...]

    def __str__(self) -> str:
        told = (
            *((f"Certificates of the former root: {_listed(self.former)}.",) if self.former else ()),
            *((f"Of either root, as {KEPT}: {_listed(self.unknown)}.",) if self.unknown else ()),
            f"Of the next root: {self.following}.",
            *(f"Not counted: {each}." for each in self.unread),
        )
        return "\n".join(told)


class _Metadata(msgspec.Struct, frozen=True):
    uid: str = ""
    created: datetime = msgspec.field(name="creationTimestamp", default=datetime.min.replace(tzinfo=UTC))


class _Certificate(msgspec.Struct, frozen=True):
    signer: str = msgspec.field(name="signerName", default="")


class _Source(msgspec.Struct, frozen=True):
    certificate: _Certificate = msgspec.field(name="podCertificate", default=_Certificate())


class _Projected(msgspec.Struct, frozen=True):
    # The API server shows null where there are none.
    sources: tuple[_Source, ...] | None = None


class _Volume(msgspec.Struct, frozen=True):
    projected: _Projected = _Projected()


class _PodSpec(msgspec.Struct, frozen=True):
    volumes: tuple[_Volume, ...] = ()


class _PodStatus(msgspec.Struct, frozen=True):
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()

    @property
    def signers(self) -> frozenset[str]:
        """Those of ours that its kubelet asks for a certificate."""
        if self.status.phase in FINISHED:
            return frozenset()
        sources = (source for volume in self.spec.volumes for source in volume.projected.sources or ())
        return frozenset(each.certificate.signer for each in sources).intersection(SIGNERS)


class _RequestSpec(msgspec.Struct, frozen=True):
    pod_uid: str = msgspec.field(name="podUID", default="")
    signer: str = msgspec.field(name="signerName", default="")


class _RequestStatus(msgspec.Struct, frozen=True):
    chain: str = msgspec.field(name="certificateChain", default="")


class _Request(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _RequestSpec = _RequestSpec()
    status: _RequestStatus = _RequestStatus()


def holders(listed: Listed, former: x509.Certificate, since: datetime) -> Holders:
    """By *listed*, where the root after *former* issues *since* then. Raises Invalid."""
    found = dict((*_of_pods(listed, former, since), *_of_secrets(listed.secrets, former)))
    by: dict[Generation, tuple[str, ...]] = {
        each: tuple(sorted(name for name, generation in found.items() if generation == each)) for each in _GENERATIONS
    }
    return Holders(by["former"], by["unknown"], len(by["next"]), listed.unread)


def _of_pods(listed: Listed, former: x509.Certificate, since: datetime) -> Iterator[tuple[str, Generation]]:
    given = _given(listed.requests)
    for item in listed.pods:
        pod = _read(item, _Pod)
        otherwise: Generation = "next" if pod.metadata.created > since + MARGIN else "unknown"
        tops = (given.get((pod.metadata.uid, signer)) for signer in pod.signers)
        found: set[Generation] = {_generation(top, former) if top else otherwise for top in tops}
        if found:
            yield f"pod {key_of(item)}", min(found, key=_GENERATIONS.index)


def _given(requests: tuple[Object, ...]) -> Mapping[tuple[str, str], x509.Certificate]:
    """The last certificate of the chain that each pod was given last, by its UID and the signer."""
    ours = (each for each in (_read(item, _Request) for item in requests) if each.spec.signer in SIGNERS)
    answered = sorted((each for each in ours if each.status.chain), key=lambda each: each.metadata.created)
    return {
        (each.spec.pod_uid, each.spec.signer): x509.load_pem_x509_certificates(each.status.chain.encode())[-1]
        for each in answered
    }


def _of_secrets(secrets: tuple[Object, ...], former: x509.Certificate) -> Iterator[tuple[str, Generation]]:
    for item in secrets:
        match kept(item).content:
            case Held(top=top):
                yield f"secret {key_of(item)}", _generation(top, former)
            case _:
                continue


def _generation(top: x509.Certificate, former: x509.Certificate) -> Generation:
    return "former" if issued_by(top, former) else "next"


def _read(item: Object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(item, kind)
    except msgspec.ValidationError as error:
        raise Invalid(str(key_of(item)), str(error), "what the Kubernetes API has") from error


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return f"{len(names)} ({', '.join(names[:_SHOWN])}{f' and {more} more' if more > 0 else ''})"
