"""The real API server takes every object, and Pod Security has nothing to say about the pods."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from installation.objects import objects
from installation.options import Options, PodSecurity, Profile
from proa import names
from support.installations import of_kind
from support.kubectl import Kubectl, eventually
from webhook.registration import Trust

pytestmark = pytest.mark.beside_others

SECURITY = "pod-security.kubernetes.io"
CHOICES = {
    "default": Options(),
    "minimal": Options(profile=Profile.MINIMAL),
    "ha-revision": Options(profile=Profile.HA, revision="canary"),
    "cert-manager": Options(trust=Trust.CERT_MANAGER),
    "baseline-psa": Options(pod_security=PodSecurity.BASELINE),
}


@pytest.fixture(scope="module")
def confined(kubectl: Kubectl) -> Iterator[Kubectl]:
    """A namespace with the labels of ours: nothing that another test does there is in the way."""
    (ours,) = of_kind(objects(Options()), "Namespace")
    with kubectl.new_namespace("manifests-validation", ours["metadata"]["labels"]) as inside:
        yield inside


def moved(choice: str, namespace: str) -> list[Any]:
    """The objects, in *namespace* instead of ours; cert-manager's kinds are not the API server's own."""
    found = [each for each in objects(CHOICES[choice]) if not str(each["apiVersion"]).startswith("cert-manager.io")]  # type: ignore[index,call-overload]
    text = json.dumps(found).replace(f'"namespace": "{names.SYSTEM_NAMESPACE}"', f'"namespace": "{namespace}"')
    return list(json.loads(text))


@pytest.mark.parametrize("choice", CHOICES)
def test_the_api_server_takes_every_object_without_a_warning(confined: Kubectl, choice: str) -> None:
    found = moved(choice, confined.namespace)
    options = ("--server-side", "--dry-run=server", "--force-conflicts", "--validate=strict", "--filename=-")
    answer = confined("apply", *options, given={"apiVersion": "v1", "kind": "List", "items": found})
    assert answer.count("serverside-applied (server dry run)") == len(found)
    assert "Warning" not in answer


@pytest.mark.parametrize("choice", CHOICES)
def test_a_pod_of_each_deployment_is_restricted_enough(confined: Kubectl, choice: str) -> None:
    """The Deployment itself is only warned about; it is its pods that would be refused."""
    for each in of_kind(moved(choice, confined.namespace), "Deployment"):
        spec = {**each["spec"]["template"]["spec"], "serviceAccountName": "default"}
        # Their class is not there before an installation.
        spec.pop("priorityClassName")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": each["metadata"]["name"]}, "spec": spec}
        answer = confined("create", "--dry-run=server", "--filename=-", given=pod)
        assert "created (server dry run)" in answer
        assert "Warning" not in answer


def test_the_expressions_of_the_policy_are_well_typed(kubectl: Kubectl, namespace: Kubectl) -> None:
    """The API server type-checks them some time after it took them, and says what it found in the status."""
    (policy,) = of_kind(objects(CHOICES["baseline-psa"]), "ValidatingAdmissionPolicy")
    name = policy["metadata"]["name"] = namespace.namespace
    kubectl.create(policy)
    try:

        def checked() -> Any:
            found = kubectl.json("validatingadmissionpolicy", name)
            return found.get("status", {}) if "observedGeneration" in found.get("status", {}) else None

        assert "expressionWarnings" not in eventually(checked, "the type check").get("typeChecking", {})
    finally:
        kubectl("delete", "validatingadmissionpolicy", name)
