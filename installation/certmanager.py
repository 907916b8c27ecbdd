"""The webhook's serving certificate by cert-manager (cert-manager.io/v1): an authority of its own, and a leaf. Pure."""

from collections.abc import Iterator
from typing import Final

from installation.metadata import inside, own
from installation.noted import Fields, Noted, Tree
from installation.options import Options
from installation.webhooks import COMPONENT, secret
from proa import names

_API: Final = "cert-manager.io/v1"
_KEY: Final[Fields] = {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}


def issued(options: Options) -> Iterator[Fields]:
    """The registration's annotation names the Certificate that is called as it is: the CA injector follows it."""
    root = f"{options.webhook}-root"
    yield _of(options, "Issuer", f"{root}-maker", {"selfSigned": {}})
    yield _of(options, "Certificate", root, _root(root))
    yield _of(options, "Issuer", options.webhook, {"ca": {"secretName": root}})
    yield _of(options, "Certificate", options.webhook, _leaf(options))


def _of(options: Options, kind: str, name: str, spec: Tree) -> Fields:
    # The label is the webhook's: its own name could be too long for one.
    metadata = {**own(options, options.webhook, COMPONENT), "name": name}
    return {"apiVersion": _API, "kind": kind, "metadata": inside(metadata), "spec": spec}


def _root(name: str) -> Fields:
    return {
        "isCA": True,
        "commonName": name,
        "secretName": name,
        "duration": Noted("Ten years: the leaf below rotates without the trust in it changing.", "87600h"),
        "privateKey": _KEY,
        "issuerRef": {"kind": "Issuer", "name": f"{name}-maker"},
    }


def _leaf(options: Options) -> Fields:
    host = f"{options.webhook}.{names.SYSTEM_NAMESPACE}.svc"
    return {
        "secretName": secret(options),
        "dnsNames": [host, f"{host}.cluster.local"],
        "duration": "2160h",
        "privateKey": _KEY,
        "usages": ["digital signature", "server auth"],
        "issuerRef": {"kind": "Issuer", "name": options.webhook},
    }
