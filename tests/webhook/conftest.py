"""What the webhook's tests share: a configuration, its sidecar, reviews of pods, and pods made at random."""

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import strategies as st

from proa import names
from proa.mesh import MeshConfiguration
from webhook.admission import admission
from webhook.review import Response, admission_request
from webhook.sidecar import Sidecar, sidecar

ENABLED = {names.INJECT: "enabled"}


@pytest.fixture(scope="session")
def configuration() -> MeshConfiguration:
    return MeshConfiguration()


@pytest.fixture(scope="session")
def added(configuration: MeshConfiguration) -> Sidecar:
    return sidecar(configuration)


@pytest.fixture(scope="session")
def ordinary_pod() -> dict[str, Any]:
    """A pod as the API server sends it; do not change it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "demo", "labels": {"app": "web"}},
        "spec": {
            "containers": [{"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}]}],
            "volumes": [{"name": "token", "projected": {"sources": []}}],
            "serviceAccountName": "web",
        },
    }


@pytest.fixture(scope="session")
def review_of() -> Callable[..., bytes]:
    """The AdmissionReview for an object; keywords replace members of the request, None leaves one out."""

    def review(pod: object, **changes: object) -> bytes:
        request = {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": "demo",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": None,
            "dryRun": False,
        } | changes
        request = {key: value for key, value in request.items() if value is not None}
        return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()

    return review


@pytest.fixture(scope="session")
def answer(configuration: MeshConfiguration, added: Sidecar) -> Callable[..., Response]:
    """The response to a review's bytes, in a namespace that is labelled unless *labels* says otherwise."""

    def respond(body: bytes, labels: dict[str, str] | None = ENABLED) -> Response:
        return admission(admission_request(body), labels, configuration, added).response

    return respond


@pytest.fixture(scope="session")
def patched() -> Callable[[Any, Response], Any]:
    """A pod with a response's patch applied by a library that is not ours."""

    def apply(pod: Any, response: Response) -> Any:
        if response.patch is None:
            return copy.deepcopy(pod)
        return jsonpatch.apply_patch(pod, msgspec.json.decode(response.patch))

    return apply


@pytest.fixture(scope="session")
def any_pod(any_json: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Pods that Kubernetes could send: each part there or not, keys and values wild, fields nobody knows."""
    texts = st.text(st.characters(codec="utf-8"))
    keys = texts | st.sampled_from(["a/b", "a~b", "~1", "~0", "", "-", "0", 'quo"te', names.BOOTSTRAP])
    users = st.none() | st.fixed_dictionaries(
        {}, optional={"runAsUser": st.integers(0, 1336), "seccompProfile": any_json}
    )
    containers = st.fixed_dictionaries(
        {"name": texts.map(lambda text: f"c-{text}")},
        optional={
            "env": any_json,
            "securityContext": users,
            "image": texts,
            "restartPolicy": st.sampled_from(["Always", None]),
            "volumeMounts": st.sampled_from([None, []]),
            "ports": st.sampled_from([None, []]),
        },
    )
    volumes = st.fixed_dictionaries({"name": texts.map(lambda text: f"v-{text}")}, optional={"emptyDir": any_json})
    spec = st.fixed_dictionaries(
        {"containers": st.lists(containers, min_size=1, max_size=3)},
        optional={
            "initContainers": st.none() | st.lists(containers, max_size=2),
            "volumes": st.none() | st.lists(volumes, max_size=2),
            "securityContext": users,
            "newerThanWe": any_json,
        },
    )
    metadata = st.fixed_dictionaries(
        {},
        optional={
            "labels": st.none() | st.dictionaries(keys, texts),
            "annotations": st.none() | st.dictionaries(keys, texts),
            "managedFields": any_json,
        },
    )
    return st.fixed_dictionaries({"spec": spec}, optional={"metadata": st.none() | metadata, "status": any_json})


@pytest.fixture(scope="session")
def any_probed_pod(any_pod: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Such pods, each container with a name of its own, and with probes and hooks that Kubernetes takes."""
    ports = st.integers(1, 65535) | st.sampled_from(["http", "8080", names.READY_PORT, names.PROBE_PORTS])
    numbers = st.integers(1, 65535)
    texts = st.text(st.characters(codec="utf-8"), max_size=8)
    paths = st.sampled_from(["/", "/ready?x=$(POD_IP)", "ready", "", "/a b", "/ä%zz"]) | texts
    get = st.fixed_dictionaries(
        {"port": ports},
        optional={
            "path": st.none() | paths,
            "scheme": st.sampled_from([None, "", "HTTP", "HTTPS", "GOPHER"]),
            "host": st.sampled_from([None, "", "example.com"]),
            "httpHeaders": st.none() | st.lists(st.fixed_dictionaries({"name": texts, "value": texts}), max_size=2),
        },
    )
    socket = st.fixed_dictionaries({"port": ports}, optional={"host": st.sampled_from([None, "", "x"]), "new": texts})
    handlers = st.one_of(
        st.fixed_dictionaries({"httpGet": get}),
        st.fixed_dictionaries({"tcpSocket": socket}),
        st.fixed_dictionaries({"grpc": st.fixed_dictionaries({"port": numbers}, optional={"service": texts})}),
        st.fixed_dictionaries({"exec": st.just({"command": ["true"]})}),
        st.just({"httpGet": None, "tcpSocket": {"port": 80}}),
        st.just({"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}),
    )
    seconds = st.none() | numbers
    timings = st.fixed_dictionaries({}, optional={"periodSeconds": seconds, "timeoutSeconds": seconds})
    timed = st.tuples(handlers, timings).map(lambda both: both[0] | both[1])
    probes = st.fixed_dictionaries(
        {},
        optional={
            "readinessProbe": st.none() | timed,
            "livenessProbe": timed,
            "startupProbe": timed,
            "lifecycle": st.none()
            | st.fixed_dictionaries({}, optional={"postStart": st.none() | handlers, "preStop": handlers}),
            "ports": st.just([{"name": "http", "containerPort": 8080}]),
        },
    )

    @st.composite
    def probed(draw: st.DrawFn) -> Any:
        pod = draw(any_pod)
        everyone = (pod["spec"].get("initContainers") or []) + pod["spec"]["containers"]
        for number, container in enumerate(everyone):
            container.update(draw(probes), name=f"{container['name']}-{number}")
            if not container.get("ports"):
                # A port by a name that nobody has is refused, which another test is about.
                for asking in (*container.values(), *(container.get("lifecycle") or {}).values()):
                    for handler in asking.values() if isinstance(asking, dict) else ():
                        if isinstance(handler, dict) and handler.get("port") == "http":
                            handler["port"] = 80
        return pod

    return probed()
