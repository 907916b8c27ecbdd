"""Roots and CRLs in ConfigMaps of a real cluster: sidecars live by them, and one that is revoked is heard no more."""

from collections.abc import Iterator
from typing import Any

import pytest

from ca.revocation.crl import crls_of
from proa import names
from support.kubectl import Kubectl, answered, eventually, once_mounted, serving, workload
from support.mesh import IN_MESH, Mesh, address, discovered, pods

OURS = (
    *("clusterrole/proa-ca-roots", "clusterrolebinding/proa-ca-roots"),
    *("role/proa-ca-roots", "rolebinding/proa-ca-roots", "secret/proa-ca-revocation"),
)
AUTHORITY = {"roots": {"kind": "config-maps", "sidecars": "config-map", "revocation": "crl"}}
DISCOVERY = {"kind": "files", "configMap": names.DISCOVERY_VOLUME}


@pytest.fixture(scope="module")
def door(mesh: Mesh) -> Iterator[Mesh]:
    """The mesh with this door open, which is closed again."""
    configured = {"authority": AUTHORITY, "discovery": DISCOVERY, "peerTls": "strict"}
    with mesh.opened(AUTHORITY, *OURS), mesh.configured(**configured):
        yield mesh


def config_map(inside: Kubectl) -> Any:
    return inside.found("configmap", "proa-roots")


def test_a_namespace_has_its_config_map_while_it_asks_and_no_longer(door: Mesh, namespace: Kubectl) -> None:
    assert config_map(namespace) is None
    namespace("label", "namespace", namespace.namespace, "proa.dev/roots-map=enabled")
    found = eventually(lambda: config_map(namespace), "the ConfigMap", 60)
    published = door.kubectl.json("clustertrustbundle", "proa.dev:workload:v1")["spec"]["trustBundle"]
    assert found["data"]["root-cert.pem"] == published
    assert len(crls_of(found["data"]["ca-crl.pem"])) == 1
    managers = {
        each["manager"]
        for each in namespace.json("configmap", "proa-roots", "--show-managed-fields")["metadata"]["managedFields"]
    }
    assert managers == {"proa-ca-roots"}
    namespace("delete", "configmap", "proa-roots")
    eventually(lambda: config_map(namespace), "another one", 60)
    namespace("label", "namespace", namespace.namespace, "proa.dev/roots-map-")
    eventually(lambda: config_map(namespace) is None, "its end", 60)


def test_a_pod_whose_certificate_is_revoked_is_heard_no_more_and_others_are(door: Mesh) -> None:
    with door.kubectl.new_namespace("revoked", IN_MESH) as inside:
        inside.apply(discovered(inside, ports=(8080,)))
        inside.apply(*(workload("Deployment", name, serving()) for name in ("web", "client", "other")))
        inside.ready("deployment/web", "deployment/client", "deployment/other", seconds=180)
        (web,), (client,), (other,) = (pods(inside, name) for name in ("web", "client", "other"))
        inside.apply(discovered(inside, web, client, other, ports=(8080,)))
        url = f"http://{address(web, 4)}:8080/"
        for name in ("client", "other"):
            once_mounted(inside, lambda name=name: heard(inside, url, name), f"mTLS of {name}")
        door.proa("ca", "revoke", f"revoked/{client['metadata']['name']}", "--yes")
        status = door.report("ca", "status")
        assert len(status["revocation"]["revoked"]) == 1
        eventually(lambda: any(len(crl) for crl in crls_of(config_map(inside)["data"]["ca-crl.pem"])), "the CRL", 60)
        once_mounted(inside, lambda: not heard(inside, url, "client"), "that the revoked one is refused")
        assert heard(inside, url, "other")
        restarts = [each["restartCount"] for each in web["status"]["initContainerStatuses"]]
        assert restarts == [0] * len(restarts)
        inside("delete", "pod", client["metadata"]["name"])
        inside.ready("deployment/client", seconds=180)


def heard(inside: Kubectl, url: str, name: str) -> bool:
    return answered(inside, url, by=f"deployment/{name}", begins="web-")
