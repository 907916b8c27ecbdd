"""The webhook's serving certificate by cert-manager (cert-manager.io/v1): an authority of its own, and a leaf. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from installation.metadata import inside, own
from installation.noted import Fields, Noted, Tree
from installation.options import Options
from installation.trees import text
from installation.webhooks import COMPONENT, secret
from kube.resources import CERT_MANAGER_CERTIFICATES, resource_of
from proa import names
from proa.json import Json

_API: Final = "cert-manager.io/v1"
_KEY: Final[Fields] = {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}


def issued(options: Options) -> Iterator[Fields]:
    """The registration's annotation names the Certificate that is called as it is: the CA injector follows it."""
    # No name that another revision's webhook could have: one may be called "root".
    root = options.named("proa-serving-root")
    yield _of(options, "Issuer", root, {"selfSigned": {}})
    yield _of(options, "Certificate", root, _root(options, root))
    yield _of(options, "Issuer", options.webhook, {"ca": {"secretName": root}})
    yield _of(options, "Certificate", options.webhook, _leaf(options))


def secrets(objects: Iterable[Json]) -> tuple[Json, ...]:
    """The Secrets of the Certificates among *objects*: cert-manager makes them, and leaves them when those go."""
    issuing = (each for each in objects if resource_of(each) == CERT_MANAGER_CERTIFICATES)
    return tuple(map(_secret, issuing))


def _secret(certificate: Json) -> Json:
    name, namespace = text(certificate, "spec", "secretName"), text(certificate, "metadata", "namespace")
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}


def _of(options: Options, kind: str, name: str, spec: Tree) -> Fields:
    # The label is the webhook's: its own name could be too long for one.
    metadata = {**own(options, options.webhook, COMPONENT), "name": name}
    return {"apiVersion": _API, "kind": kind, "metadata": inside(metadata), "spec": spec}


def _root(options: Options, name: str) -> Fields:
    return {
        "isCA": True,
        # At most 64 characters (RFC 5280, appendix A.1: ub-common-name), as a webhook's name has.
        "commonName": options.webhook,
        "secretName": name,
        "duration": Noted("Ten years: the leaf below rotates without the trust in it changing.", "87600h"),
        "privateKey": _KEY,
        "issuerRef": {"kind": "Issuer", "name": name},
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
