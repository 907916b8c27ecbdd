"""In which version a kind is asked for, whatever an API server says that it serves."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kube.resources import (
    CLUSTER_TRUST_BUNDLES,
    OLDER_CLUSTER_TRUST_BUNDLES,
    OLDER_POD_CERTIFICATE_REQUESTS,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    RESOURCES,
)
from kube.versions import in_version, newest, versions

KINDS = st.sampled_from([POD_CERTIFICATE_REQUESTS, CLUSTER_TRUST_BUNDLES, PODS])


def described(*names: str) -> Any:
    return {"resources": [{"name": name} for name in names]}


@given(KINDS, st.booleans(), st.booleans())
def test_the_newest_that_is_served_is_used_and_none_that_is_not(kind: Any, first: bool, second: bool) -> None:
    lists = {
        each.root: described("others", *([each.plural] if there else []))
        for each, there in zip(versions(kind), (first, second), strict=False)
    }
    found = newest(kind, lists)
    served = [each for each, there in zip(versions(kind), (first, second), strict=False) if there]
    assert found == (served[0] if served else None)


def test_a_group_in_a_version_that_has_not_that_kind_does_not_count(any_json: st.SearchStrategy[Any]) -> None:
    @given(any_json)
    def anything(answer: Any) -> None:
        roots = {OLDER_POD_CERTIFICATE_REQUESTS.root: described("podcertificaterequests")}
        found = newest(POD_CERTIFICATE_REQUESTS, {POD_CERTIFICATE_REQUESTS.root: answer, **roots})
        assert found == OLDER_POD_CERTIFICATE_REQUESTS

    anything()
    assert newest(CLUSTER_TRUST_BUNDLES, {CLUSTER_TRUST_BUNDLES.root: described("certificatesigningrequests")}) is None


def test_what_is_written_says_of_which_version_it_is() -> None:
    item = {"apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle", "spec": {"signerName": "x"}}
    assert in_version(item, OLDER_CLUSTER_TRUST_BUNDLES) == {**item, "apiVersion": "certificates.k8s.io/v1beta1"}
    assert in_version(item, CLUSTER_TRUST_BUNDLES) == item


def test_older_versions_are_of_the_same_kind() -> None:
    for kind in RESOURCES:
        for each in kind.older:
            assert (each.group, each.plural, each.kind, each.namespaced) == (
                kind.group,
                kind.plural,
                kind.kind,
                kind.namespaced,
            )
