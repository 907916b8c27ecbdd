"""Options of an installation as a property test draws them, and looks into its objects."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from installation.options import Options, PodSecurity, Profile, PullPolicy, Scope
from webhook.registration import Trust

REVISIONS = st.sampled_from(["", "canary", "1-2-3", "root", "serving", "canary-root", "x" * 50])
OPTIONS = st.builds(
    Options,
    revision=REVISIONS,
    image=st.sampled_from(["proa:0.1.0", "example.com/mesh/proa@sha256:" + "0" * 64]),
    pull_policy=st.sampled_from(PullPolicy),
    profile=st.sampled_from(Profile),
    replicas=st.none() | st.integers(1, 20),
    trust=st.sampled_from(Trust),
    pod_security=st.sampled_from(PodSecurity),
    scope=st.sampled_from(Scope),
    mesh=st.sampled_from(
        [
            {},
            {"peerTls": "strict", "init": {"image": "other:1"}},
            {"proxy": {"accessLog": "off"}},
            {"authority": {"istio": {"kind": "grpc"}}},
            {"authority": {"secrets": {"kind": "service-accounts"}}},
            {"authority": {"roots": {"kind": "config-maps"}}},
            {"authority": {"requests": {"kind": "certificate-signing-requests"}}},
        ]
    ),
)


def reference(each: Any) -> tuple[str, str, str]:
    """What tells an object from all others: its kind, namespace and name."""
    return each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]


def by_reference(objects: Iterable[Any]) -> dict[tuple[str, str, str], Any]:
    found = {reference(each): each for each in objects}
    return dict(sorted(found.items()))


def of_kind(objects: Iterable[Any], kind: str) -> list[Any]:
    return [each for each in objects if each["kind"] == kind]
