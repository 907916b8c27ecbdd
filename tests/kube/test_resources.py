"""Where objects are, as https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.resources import (
    LEASES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    RESOURCES,
    Key,
    collection,
    key_of,
    place,
    resource_of,
)
from proa.errors import Invalid

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


def test_objects_are_where_the_api_server_has_them() -> None:
    assert collection(PODS) == "/api/v1/pods"
    assert collection(PODS, "shop") == "/api/v1/namespaces/shop/pods"
    assert place(NAMESPACES, Key("", "shop")) == "/api/v1/namespaces/shop"
    assert place(LEASES, Key("shop", "a")) == "/apis/coordination.k8s.io/v1/namespaces/shop/leases/a"
    certificate = place(POD_CERTIFICATE_REQUESTS, Key("shop", "a"), "status")
    assert certificate == "/apis/certificates.k8s.io/v1/namespaces/shop/podcertificaterequests/a/status"


@pytest.mark.parametrize(
    ("resource", "key"),
    [(PODS, Key("", "web")), (PODS, Key("shop", "")), (NAMESPACES, Key("shop", "web"))],
)
def test_an_object_without_its_namespace_or_with_one_too_much_has_no_place(resource: object, key: Key) -> None:
    with pytest.raises(Invalid):
        place(resource, key)  # type: ignore[arg-type]


@given(st.sampled_from(RESOURCES), NAMES, NAMES)
def test_every_object_is_found_again_by_what_it_says_of_itself(resource: object, namespace: str, name: str) -> None:
    assert isinstance(resource, type(PODS))
    metadata = {"name": name, **({"namespace": namespace} if resource.namespaced else {})}
    item = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    assert resource_of(item) is resource
    assert place(resource, key_of(item)).startswith(collection(resource, key_of(item).namespace) + "/")


@given(st.text(min_size=1))
def test_no_name_leads_out_of_its_collection(name: str) -> None:
    path = place(PODS, Key("shop", name))
    assert path.startswith("/api/v1/namespaces/shop/pods/")
    assert path.count("/") == 6
    assert "?" not in path
    assert "#" not in path


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match=r"'example.org/v1' 'Boat'"):
        resource_of({"apiVersion": "example.org/v1", "kind": "Boat"})


def test_a_resource_is_shown_as_rbac_names_it() -> None:
    assert str(PODS) == "pods"
    assert str(MUTATING_WEBHOOKS) == "mutatingwebhookconfigurations.admissionregistration.k8s.io"
