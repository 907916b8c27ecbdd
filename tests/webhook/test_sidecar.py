import json
import re
from importlib.metadata import version
from typing import Any

import msgspec
import pytest

from proa import names
from proa.containers import Resources
from proa.mesh import FileDiscovery, MeshConfiguration, mesh_configuration
from proxy.bootstrap import pod_files
from webhook.sidecar import Sidecar, sidecar


def read(raw: msgspec.Raw) -> Any:
    return json.loads(bytes(raw))


@pytest.fixture
def proxy(added: Sidecar) -> Any:
    return read(added.proxy)


@pytest.fixture
def init(added: Sidecar) -> Any:
    return read(added.init)


def test_each_file_of_the_sidecar_is_an_annotation_of_compact_json(
    added: Sidecar, configuration: MeshConfiguration
) -> None:
    files = pod_files(configuration)
    assert [file.annotation for file in files] == list(added.annotations)
    for file in files:
        text = read(added.annotations[file.annotation])
        assert json.loads(text) == file.content
        assert text == json.dumps(file.content, separators=(",", ":"), ensure_ascii=False)


def test_each_file_of_the_sidecar_is_projected_from_its_annotation(
    added: Sidecar, configuration: MeshConfiguration
) -> None:
    assert read(added.volumes[1])["downwardAPI"]["items"] == [
        {"path": file.name, "fieldRef": {"fieldPath": f"metadata.annotations['{file.annotation}']"}}
        for file in pod_files(configuration)
    ]


def test_envoy_starts_from_the_bootstrap_file(proxy: Any) -> None:
    arguments = dict(zip(proxy["args"], proxy["args"][1:], strict=False))
    mounts = {mount["name"]: mount["mountPath"] for mount in proxy["volumeMounts"]}
    assert proxy["command"] == ["envoy"]
    assert arguments["--config-path"] == f"{mounts[names.BOOTSTRAP_VOLUME]}/{names.BOOTSTRAP_FILE}"


def test_all_annotations_leave_room_for_the_users_within_what_kubernetes_takes(added: Sidecar) -> None:
    # 256 KiB for all annotations of an object (apimachinery validation, TotalAnnotationSizeLimitB).
    assert sum(len(bytes(value)) for value in added.annotations.values()) < 32 * 1024


def test_the_status_names_all_that_is_added_the_version_and_the_fingerprint(added: Sidecar) -> None:
    assert msgspec.to_builtins(added.status) == {
        "version": 3,
        "proa": version("proa"),
        "fingerprint": added.fingerprint,
        "initContainers": (read(added.init)["name"], read(added.proxy)["name"]),
        "volumes": tuple(read(volume)["name"] for volume in added.volumes),
        "annotations": (*added.annotations, names.STATUS),
    }


@pytest.mark.parametrize(
    "changed",
    [
        "peerTls: strict",
        "proxy: {concurrency: 3}",
        "init: {image: 'x'}",
        "discovery: {kind: files}",
        "trustDomain: a",
    ],
)
def test_the_fingerprint_is_another_exactly_when_the_sidecar_is(changed: str, added: Sidecar) -> None:
    assert sidecar(mesh_configuration("")).fingerprint == added.fingerprint
    assert sidecar(mesh_configuration("neverInjectNamespaces: [x]")).fingerprint == added.fingerprint
    assert sidecar(mesh_configuration(changed)).fingerprint != added.fingerprint
    assert re.fullmatch(r"[0-9a-f]{16}", added.fingerprint)


def test_the_proxy_is_a_native_sidecar_that_the_next_container_waits_for(proxy: Any) -> None:
    assert proxy["restartPolicy"] == "Always"
    assert proxy["startupProbe"]["httpGet"] == {"path": "/healthz/ready", "port": 15021}
    assert proxy["readinessProbe"]["httpGet"] == proxy["startupProbe"]["httpGet"]


def test_every_variable_of_the_proxys_arguments_is_in_its_environment(proxy: Any) -> None:
    declared = {variable["name"] for variable in proxy["env"]}
    used = {part.split(")")[0] for argument in proxy["args"] for part in argument.split("$(")[1:]}
    assert used
    assert used <= declared


def test_both_containers_meet_the_restricted_standard_but_for_interception(init: Any, proxy: Any) -> None:
    for container, added_capabilities in ((init, ["NET_ADMIN"]), (proxy, None)):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        assert context["capabilities"].get("add") == added_capabilities
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (proxy["securityContext"]["runAsUser"], proxy["securityContext"]["runAsNonRoot"]) == (1337, True)
    # A pod that says runAsNonRoot must not keep the installer from starting.
    assert (init["securityContext"]["runAsUser"], init["securityContext"]["runAsNonRoot"]) == (0, False)


@pytest.mark.parametrize("discovery", ["none", "files"])
def test_every_mount_has_its_volume_and_every_volume_its_mount(discovery: str) -> None:
    made = sidecar(mesh_configuration(f"discovery: {{kind: {discovery}}}"))
    mounts = {mount["name"] for mount in read(made.proxy)["volumeMounts"]}
    assert mounts == {read(volume)["name"] for volume in made.volumes}
    assert all(mount["readOnly"] for mount in read(made.proxy)["volumeMounts"])


def test_discovery_by_files_is_a_config_map_of_the_pods_namespace() -> None:
    made = sidecar(MeshConfiguration(discovery=FileDiscovery(config_map="mesh")))
    assert read(made.volumes[-1]) == {"name": names.DISCOVERY_VOLUME, "configMap": {"name": "mesh"}}


def test_the_kubelet_makes_the_key_and_the_file_names_are_the_ones_the_proxy_watches(added: Sidecar) -> None:
    certificate, roots = read(added.volumes[0])["projected"]["sources"]
    assert certificate["podCertificate"] == {
        "signerName": names.SIGNER,
        "keyType": "ECDSAP256",
        "credentialBundlePath": names.CREDENTIAL_BUNDLE,
        "maxExpirationSeconds": 86400,
    }
    assert roots["clusterTrustBundle"] == {
        "signerName": names.SIGNER,
        "labelSelector": {},
        "path": names.TRUST_BUNDLE,
    }


def test_what_an_admin_configures_reaches_the_containers() -> None:
    configured = mesh_configuration(
        """
        proxy: {image: 'mirror/envoy:v1', concurrency: 7, logLevel: debug, resources: {limits: {cpu: "2"}}}
        init: {image: 'mirror/proa:v2', resources: {}}
        certificate: {lifetimeSeconds: 7200}
        """
    )
    made = sidecar(configured)
    proxy, init = read(made.proxy), read(made.init)
    assert (proxy["image"], init["image"]) == ("mirror/envoy:v1", "mirror/proa:v2")
    assert proxy["resources"] == {"limits": {"cpu": "2"}}
    assert init["resources"] == {}
    arguments = dict(zip(proxy["args"], proxy["args"][1:], strict=False))
    assert (arguments["--concurrency"], arguments["--log-level"]) == ("7", "debug")
    source = read(made.volumes[0])["projected"]["sources"][0]["podCertificate"]
    assert source["maxExpirationSeconds"] == 7200


def test_a_resource_without_quantities_is_left_out() -> None:
    configured = MeshConfiguration()
    assert read(sidecar(configured).proxy)["resources"] == {
        "requests": configured.proxy.resources.requests,
        "limits": configured.proxy.resources.limits,
    }
    assert Resources() == Resources(requests={}, limits={})
