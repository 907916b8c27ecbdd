"""Who signs the authority's issuers is a value that cannot be wrong, and its manifests follow from it."""

import json
from typing import Any

import pytest

from ca.profile import INTERMEDIATE_LIFETIME
from installation.objects import objects
from installation.options import Options
from proa.errors import Invalid, Refused
from proa.mesh import mesh_configuration
from proa.upstreams import ConfigMapRoots, VaultPki

SERVER = "https://vault.example:8200"


def upstream(**members: Any) -> Any:
    return {"authority": {"upstream": {"kind": "vault", "server": SERVER, **members}}}


def test_vault_needs_no_more_than_its_address() -> None:
    read = mesh_configuration(json.dumps(upstream())).authority.upstream
    assert read == VaultPki(server=SERVER)
    assert read.ca == ConfigMapRoots(name="proa-vault-ca")
    assert (read.port, VaultPki(server="https://vault.example").port) == (8200, 443)
    assert read.lifetime_seconds == INTERMEDIATE_LIFETIME.total_seconds()


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"server": "http://vault.example:8200"}, "server"),
        ({"server": "https://vault.example:8200/"}, "server"),
        ({"server": "https://user:secret@vault.example"}, "server"),
        ({"server": "https://vault.example:0"}, "server"),
        ({"server": "https://vault.example:70000"}, "server"),
        ({"mount": "../sys"}, "mount"),
        ({"mount": "pki/.."}, "mount"),
        ({"mount": ""}, "mount"),
        ({"mount": "pki\n"}, "mount"),
        ({"namespace": "a//b"}, "namespace"),
        ({"namespace": "a\r\nX-Vault-Token: b"}, "namespace"),
        ({"issuer": "a/b"}, "issuer"),
        ({"issuer": "?x"}, "issuer"),
        ({"auth": {"role": ""}}, "auth.role"),
        ({"auth": {"audience": ""}}, "auth.audience"),
        ({"auth": {"mount": "%2e%2e"}}, "auth.mount"),
        ({"ca": {"kind": "none"}}, "ca.kind"),
        ({"ca": {"kind": "secret", "name": "Not A Name"}}, "ca.name"),
        ({"lifetimeSeconds": 3600}, "lifetimeSeconds"),
        ({"token": "hvs.secret"}, "token"),
    ],
)
def test_what_vault_could_not_be_asked_by_is_refused(members: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        mesh_configuration(json.dumps(upstream(**members)))
    assert [each.field for each in refused.value.problems] == [f"authority.upstream.{field}"]


def test_an_address_without_a_port_that_exists_cannot_be_made() -> None:
    with pytest.raises(Invalid, match="a port from 1 to 65535"):
        VaultPki(server="https://vault.example:0")


def test_no_upstream_goes_with_crls() -> None:
    asked = upstream()
    asked["authority"]["roots"] = {"kind": "config-maps", "revocation": "crl"}
    with pytest.raises(Refused, match="found vault"):
        mesh_configuration(json.dumps(asked))


def authority(mesh: dict[str, Any], kind: str) -> Any:
    (found,) = [
        each
        for each in objects(Options(mesh=mesh))
        if (each["kind"], each["metadata"]["name"]) == (kind, "proa-ca")  # type: ignore[call-overload,index]
    ]
    return found["spec"]  # type: ignore[call-overload,index]


@pytest.mark.parametrize(
    ("members", "source"),
    [
        ({}, "configMap"),
        ({"ca": {"kind": "secret", "name": "own"}}, "secret"),
        ({"ca": {"kind": "system"}}, None),
    ],
)
def test_the_authority_has_a_token_for_vault_alone_and_its_ca_and_may_call_it(
    members: dict[str, Any], source: str | None
) -> None:
    mesh = upstream(**members, auth={"audience": "vault.example"})
    pod = authority(mesh, "Deployment")["template"]["spec"]
    ((volume,), (container,)) = pod["volumes"], pod["containers"]
    token, *cas = volume["projected"]["sources"]
    assert token["serviceAccountToken"]["audience"] == "vault.example"
    assert [key for each in cas for key in each] == ([source] if source else [])
    assert all(each["optional"] for ca in cas for each in ca.values()), "the pod starts without it"
    assert [each["readOnly"] for each in container["volumeMounts"]] == [True]
    (to,) = authority(mesh, "NetworkPolicy")["egress"][2:]
    assert to == {"ports": [{"port": 8200, "protocol": "TCP"}]}
    plainly = authority({}, "Deployment")["template"]["spec"]
    assert "volumes" not in plainly
    assert len(authority({}, "NetworkPolicy")["egress"]) == 2
