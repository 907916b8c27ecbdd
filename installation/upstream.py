"""What the authority's pods have beside the rest where Vault signs its issuers. Pure."""

from dataclasses import dataclass
from typing import Final

from ca.vault.files import CA, DIRECTORY, TOKEN
from installation.noted import Noted, Tree
from proa.upstreams import ConfigMapRoots, SecretRoots, SystemRoots, Upstream, VaultPki

_VOLUME: Final = "vault"
_TOKEN_SECONDS: Final = 600
"""The shortest that Kubernetes gives: the kubelet replaces it in time."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Volumes and mounts (core/v1), and the ports to which it goes."""

    volumes: tuple[Tree, ...] = ()
    mounts: tuple[Tree, ...] = ()
    ports: tuple[int, ...] = ()


def additions(upstream: Upstream) -> Additions:
    """Nothing where it is none that is called."""
    if not isinstance(upstream, VaultPki):
        return Additions()
    sources = [_token(upstream.auth.audience), *_ca(upstream)]
    return Additions(
        ({"name": _VOLUME, "projected": {"sources": sources}},),
        ({"name": _VOLUME, "mountPath": DIRECTORY, "readOnly": True},),
        (upstream.port,),
    )


def _token(audience: str) -> Tree:
    return {"serviceAccountToken": {"audience": audience, "expirationSeconds": _TOKEN_SECONDS, "path": TOKEN}}


def _ca(upstream: VaultPki) -> list[Tree]:
    match upstream.ca:
        case SystemRoots():
            return []
        case ConfigMapRoots(name=name):
            return [{"configMap": _items(name)}]
        case SecretRoots(name=name):
            return [{"secret": _items(name)}]


def _items(name: str) -> Tree:
    note = "Without it the authority says so, and serves pods by the issuer that it has."
    return {"name": name, "items": [{"key": CA, "path": CA}], "optional": Noted(note, value=True)}
