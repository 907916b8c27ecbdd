"""kustomize and Helm, the real ones, render the objects that the commands apply."""

import os
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from installation.objects import objects
from installation.options import Options, PodSecurity, Profile, PullPolicy, Scope
from installation.render.__main__ import MANIFESTS
from installation.render.mounts import MOUNTED
from launcher import builds
from proa import names
from proa.documents import plain, read
from proa.json import Json
from support.charts import Helm
from support.installations import by_reference
from support.kubectl import Kubectl
from webhook.registration import Trust

pytestmark = pytest.mark.at_any_time

OVERLAYS: dict[str, dict[str, Any]] = {
    "minimal": {"profile": Profile.MINIMAL},
    "ha": {"profile": Profile.HA},
    "cert-manager": {"trust": Trust.CERT_MANAGER},
    "baseline-psa": {"pod_security": PodSecurity.BASELINE},
    "istio": {"mesh": {"authority": {"istio": {"kind": "grpc"}}}},
    "node": {"mesh": {"interception": {"programmedBy": "node"}}},
    "node-nri": {"mesh": {"interception": {"programmedBy": "node", "door": "nri"}}},
    "workload-api": {
        "mesh": {
            "authority": {
                "istio": {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]},
                "workloadApi": {"kind": "node-agent"},
            },
            "interception": {"programmedBy": "node"},
        }
    },
}
PLACES = tuple(product(Scope, ("", "canary", "123")))
MESHES: list[dict[str, Json]] = [
    {},
    {"authority": {"istio": {"kind": "grpc", "trustedNodeAccounts": ["mesh/ztunnel"]}}},
    {"authority": {"secrets": {"kind": "service-accounts"}}},
    {"authority": {"roots": {"kind": "config-maps", "sidecars": "config-map"}}},
    {"authority": {"requests": {"kind": "certificate-signing-requests"}}},
    {"authority": {"upstream": {"kind": "cert-manager", "issuer": "mesh-root"}}},
    {"authority": {"upstream": {"kind": "vault", "server": "https://vault.example"}}},
    {
        "authority": {
            "istio": {"kind": "grpc"},
            "upstream": {
                "kind": "vault",
                "server": "https://vault.example:8200/v",
                "ca": {"kind": "secret", "name": "own"},
                "auth": {"audience": "123"},
            },
        }
    },
    {
        "authority": {
            "roots": {"kind": "config-maps"},
            "upstream": {"kind": "vault", "server": "https://vault.example:65535", "ca": {"kind": "system"}},
        },
        "interception": {"programmedBy": "node"},
    },
    {"interception": {"programmedBy": "node", "cniConfDir": "/k3s/net.d"}},
    {"interception": {"programmedBy": "node", "door": "nri"}},
    {
        "authority": {
            "istio": {"kind": "grpc"},
            "secrets": {"kind": "service-accounts"},
            "roots": {"kind": "config-maps"},
            "requests": {"kind": "certificate-signing-requests"},
            "upstream": {"kind": "cert-manager", "issuerKind": "ClusterIssuer"},
        },
        "federation": {"kind": "bundles"},
        "interception": {"programmedBy": "node"},
    },
    {
        "trustDomain": "example.org",
        "authority": {
            "istio": {"kind": "grpc", "audiences": ["own", "b"], "trustedNodeAccounts": ["proa-node/proa-node"]},
            "secrets": {"kind": "service-accounts"},
            "workloadApi": {"kind": "node-agent"},
        },
        "interception": {"programmedBy": "node", "cniBinDir": "/k3s/bin"},
    },
    {
        "authority": {
            "istio": {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]},
            "workloadApi": {"kind": "node-agent", "tokens": {"kind": "jwt-svids", "issuer": "https://example.org"}},
        },
        "interception": {"programmedBy": "node"},
    },
    {
        "authority": {
            "istio": {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]},
            "workloadApi": {"kind": "node-agent"},
        },
        "interception": {"programmedBy": "node", "door": "nri"},
    },
    {
        "authority": {
            "istio": {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]},
            "workloadApi": {"kind": "node-agent", "tokens": {"kind": "jwt-svids", "issuer": "https://example.org"}},
        },
        "interception": {"programmedBy": "node", "door": "nri"},
    },
    {"init": {"image": "other:1"}, "peerTls": "strict", "proxy": {"accessLog": "off", "resources": {"limits": {}}}},
]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(builds.built(builds.HELM), tmp_path_factory.mktemp("helm"))


def kustomized(kubectl: Kubectl, directory: Path) -> list[Any]:
    return [plain(each) for each in read(kubectl("kustomize", str(directory)))]


def values(options: Options) -> Mapping[str, Json]:
    return {
        "revision": options.revision,
        "scope": options.scope.value,
        "profile": options.profile.value,
        "replicas": options.replicas,
        "image": options.image,
        "pullPolicy": options.pull_policy.value,
        "certificates": options.trust.value,
        "podSecurity": options.pod_security.value,
        "mesh": dict(options.mesh),
    }


def read_meshes(found: dict[Any, Any]) -> dict[Any, Any]:
    """*found*, each mesh.yaml split into its comments and its value.

    Helm's writer quotes and indents otherwise, kustomize drops the end of a patch's last line.
    """
    for (kind, _, _), each in found.items():
        if kind == "ConfigMap":
            text = each["data"][names.CONFIGURATION_KEY]
            comments = [line for line in text.splitlines() if line.startswith("#")]
            each["data"][names.CONFIGURATION_KEY] = (comments, yaml.safe_load(text))
    return found


def test_the_manifests_are_the_objects_of_the_default_installation(kubectl: Kubectl) -> None:
    assert by_reference(kustomized(kubectl, MANIFESTS)) == by_reference(objects(Options()))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_the_objects_of_its_options(kubectl: Kubectl, overlay: str) -> None:
    found = by_reference(kustomized(kubectl, MANIFESTS / "overlays" / overlay))
    assert read_meshes(found) == read_meshes(by_reference(objects(Options(**OVERLAYS[overlay]))))


@pytest.mark.parametrize("size", ["minimal", "ha"])
@pytest.mark.parametrize(
    "others",
    [
        ("cert-manager",),
        ("baseline-psa",),
        ("baseline-psa", "cert-manager"),
        ("istio",),
        ("node",),
        ("node-nri",),
        ("workload-api",),
    ],
)
def test_components_add_up(kubectl: Kubectl, tmp_path: Path, size: str, others: tuple[str, ...]) -> None:
    """kustomize takes relative paths only."""
    here = os.path.relpath(MANIFESTS, tmp_path)
    chosen = (size, *others)
    document = {"resources": [here], "components": [f"{here}/components/{name}" for name in chosen]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    options = Options(**{key: value for name in chosen for key, value in OVERLAYS[name].items()})
    assert read_meshes(by_reference(kustomized(kubectl, tmp_path))) == read_meshes(by_reference(objects(options)))


def test_what_an_admin_mounts_is_laid_over_the_webhook_alone(kubectl: Kubectl, tmp_path: Path) -> None:
    here = os.path.relpath(MANIFESTS, tmp_path)
    document = {"resources": [here], "components": [f"{here}/components/{each.name}" for each in MOUNTED]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    found, base = by_reference(kustomized(kubectl, tmp_path)), by_reference(objects(Options()))
    (webhook,) = [key for key in base if found[key] != base[key]]
    assert found.keys() == base.keys()
    (container,) = found[webhook]["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert {each.variable: f"/etc/proa/{each.name}/{each.key}" for each in MOUNTED}.items() <= told.items()


def choices(turn: int) -> Iterator[tuple[Profile, Trust, PodSecurity, dict[str, Json]]]:
    """Every combination with the default mesh, and every mesh with one of them, which is another each *turn*."""
    every = tuple(product(Profile, Trust, PodSecurity))
    yield from ((*each, MESHES[0]) for each in every)
    for place, mesh in enumerate(MESHES[1:]):
        # A step that has no divisor in common with their number comes to all of them.
        yield (*every[(turn + 5 * place) % len(every)], mesh)


@pytest.mark.parametrize(("turn", "scope", "revision"), [(turn, *each) for turn, each in enumerate(PLACES)])
def test_the_chart_renders_the_objects_of_every_combination_of_choices(
    helm: Helm, turn: int, scope: Scope, revision: str
) -> None:
    for profile, trust, pod_security, mesh in choices(turn):
        options = Options(
            revision=revision,
            scope=scope,
            profile=profile,
            trust=trust,
            pod_security=pod_security,
            image="example.com/proa@sha256:" + "0" * 64 if mesh else "proa:0.1.0",
            pull_policy=PullPolicy.ALWAYS if mesh else PullPolicy.IF_NOT_PRESENT,
            replicas=5 if mesh else None,
            mesh=mesh,
        )
        found = read_meshes(by_reference(helm.template(values(options))))
        assert found == read_meshes(by_reference(objects(options)))


def test_the_charts_own_values_are_the_default_installation(helm: Helm) -> None:
    assert read_meshes(by_reference(helm.template({}))) == read_meshes(by_reference(objects(Options())))


def test_a_release_in_our_own_namespace_leaves_that_to_whoever_made_it(helm: Helm) -> None:
    found = helm.template({}, names.SYSTEM_NAMESPACE)
    expected = [each for each in objects(Options()) if each["kind"] != "Namespace"]  # type: ignore[index,call-overload]
    assert read_meshes(by_reference(found)) == read_meshes(by_reference(expected))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"revision": "Canary"}, "/revision"),
        ({"revision": "default"}, "/revision"),
        ({"revision": "x" * 51}, "/revision"),
        ({"revision": 'x"}}'}, "/revision"),
        ({"scope": "some"}, "/scope"),
        ({"profile": "huge"}, "/profile"),
        ({"replicas": 0}, "/replicas"),
        ({"replicas": "2"}, "/replicas"),
        ({"replicas": 21}, "/replicas"),
        ({"image": "no image"}, "/image"),
        ({"image": ""}, "/image"),
        ({"pullPolicy": "Sometimes"}, "/pullPolicy"),
        ({"certificates": "everybody"}, "/certificates"),
        ({"podSecurity": "restricted"}, "/podSecurity"),
        ({"colour": "red"}, "colour"),
        ({"mesh": {"colour": "red"}}, "colour"),
        ({"mesh": {"peerTls": "maybe"}}, "/mesh/peerTls"),
        ({"mesh": {"trustDomain": "Cluster.Local"}}, "/mesh/trustDomain"),
        ({"mesh": {"proxy": {"image": "no image"}}}, "/mesh/proxy/image"),
        ({"mesh": {"init": {"image": ""}}}, "/mesh/init/image"),
        ({"mesh": {"proxy": {"concurrency": 0}}}, "/mesh/proxy/concurrency"),
        ({"mesh": {"proxy": {"resources": {"requests": {"cpu": "much"}}}}}, "/mesh/proxy/resources/requests/cpu"),
        ({"mesh": {"certificate": {"lifetimeSeconds": 60}}}, "/mesh/certificate/lifetimeSeconds"),
        ({"mesh": {"neverInjectNamespaces": ["Kube"]}}, "/mesh/neverInjectNamespaces/0"),
        ({"mesh": {"discovery": {"kind": "guess"}}}, "/mesh/discovery"),
        ({"mesh": {"injection": {"policy": "enabled"}}}, "proa render --set-config FILE"),
        ({"mesh": {"vocabulary": "istio"}}, "proa render --set-config FILE"),
    ],
)
def test_the_chart_refuses_a_wrong_value_and_names_it(helm: Helm, wrong: dict[str, Json], named: str) -> None:
    assert named in helm.refusal(wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"mesh": {"discovery": {"kind": "files", "configMap": "a.b"}}},
        {"mesh": {"neverInjectNamespaces": ["kube-system"]}},
        {"mesh": {"trustDomain": "example.org", "proxy": {"image": "localhost:5000/envoy@sha256:abc"}}},
        {"mesh": {"templates": {"a": {"metadata": {"labels": {"a": "b"}}}}, "defaultTemplates": ["a"]}},
        {"global": {"team": "mesh"}},
    ],
)
def test_the_chart_takes_what_is_right(helm: Helm, right: dict[str, Json]) -> None:
    assert helm.refusal(right) == ""
