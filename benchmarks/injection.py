"""How long an injection takes: in process, from a review's bytes to its answer's, and over HTTPS on one core.

In process, `microseconds` is the best of several rounds in processor time, so that other load on the machine does
not count. Over HTTPS: see `https_load`.
"""

import base64
import json
import sys
import time
from collections.abc import Callable

import jsonpatch
from https_load import over_https, starting
from machine import facts

from proa import names
from proa.mesh import MeshConfiguration, mesh_configuration
from webhook.admission import admission
from webhook.review import admission_request, review
from webhook.sidecar import sidecar

ROUNDS = 15
CALLS_A_ROUND = 300
CONNECTIONS = (1, 8)
REVIEWS = 8000
"""Over HTTPS, for each number of connections."""
SETTINGS = {
    "proa.dev/sidecar": "regular",
    "proa.dev/hold": "true",
    "proa.dev/proxy-cpu-limit": "2",
    "proa.dev/proxy-memory-limit": "none",
    "proa.dev/termination-drain": "10s",
    "proa.dev/log-level": "info",
    "proa.dev/log-format": "json",
    "proa.dev/access-log": "off",
}
LABELS = {names.INJECT: "enabled"}
DEFAULT = MeshConfiguration()
TEMPLATED = mesh_configuration("""
defaultTemplates: [traced]
templates:
  traced:
    metadata: {labels: {traced: "yes"}}
    spec:
      containers:
      - {name: collector, image: "collector:1"}
      - {name: "*", env: [{name: TRACE, value: "1"}], volumeMounts: [{name: spool, mountPath: /spool}]}
      - {name: proa-proxy, resources: {limits: {cpu: "2"}}}
      volumes: [{name: spool, emptyDir: {}}]
""")


def review_of(variables: int, annotations: dict[str, str] | None = None) -> bytes:
    """The review of a pod as a ReplicaSet makes it, with so many environment variables."""
    mount = {"name": "kube-api-access-x2x8f", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    container = {
        "name": "app",
        "image": "shop/web:1.2.3",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"VARIABLE_{number}", "value": f"value of {number}"} for number in range(variables)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [mount],
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "web-6d4cf56db6-",
            "namespace": "demo",
            "labels": {"app": "web", "pod-template-hash": "6d4cf56db6"},
            **({"annotations": annotations} if annotations else {}),
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:spec": {}}}
            ],
        },
        "spec": {
            "containers": [container],
            "volumes": [{"name": "kube-api-access-x2x8f", "projected": {"sources": []}}],
            "serviceAccountName": "web",
        },
    }
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {"uid": "705ab4f5-6393-11e8", "kind": kind, "operation": "CREATE", "namespace": "demo", "object": pod}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def microseconds(call: Callable[[], object]) -> float:
    """Processor time of one call, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS_A_ROUND):
            call()
        best = min(best, (time.process_time() - start) / CALLS_A_ROUND)
    return round(best * 1e6, 1)


def in_process(body: bytes, configuration: MeshConfiguration = DEFAULT) -> dict[str, float]:
    answer = answering(body, configuration)
    return {"request_bytes": len(body), "answer_bytes": len(answer()), "microseconds": microseconds(answer)}


def answering(body: bytes, configuration: MeshConfiguration) -> Callable[[], bytes]:
    added = sidecar(configuration)
    return lambda: review(admission(admission_request(body), LABELS, configuration, added).response)


def again(body: bytes, configuration: MeshConfiguration = DEFAULT) -> bytes:
    """The second review of the same pod: the API server asks again after its own plugins have seen the sidecar."""
    asked = json.loads(body)
    answer = json.loads(answering(body, configuration)())["response"]
    patch = json.loads(base64.b64decode(answer["patch"]))
    asked["request"]["object"] = jsonpatch.apply_patch(asked["request"]["object"], patch)
    return json.dumps(asked).encode()


if __name__ == "__main__":
    ordinary, large, asking = review_of(3), review_of(2000), review_of(3, SETTINGS)
    if in_process(ordinary)["answer_bytes"] != in_process(large)["answer_bytes"]:
        sys.exit("the size of the answer depends on the pod's")
    figures = {
        "benchmark": "injection",
        "in_process": {
            "ordinary": in_process(ordinary),
            "2000_variables": in_process(large),
            "settings": in_process(asking),
            "templates": in_process(ordinary, TEMPLATED),
            "templates_2000_variables": in_process(large, TEMPLATED),
            "again": in_process(again(ordinary)),
            "again_2000_variables": in_process(again(large)),
            "again_templates": in_process(again(ordinary, TEMPLATED), TEMPLATED),
            "again_templates_2000_variables": in_process(again(large, TEMPLATED), TEMPLATED),
        },
        "https_one_core": over_https(ordinary),
        "start_to_first_handshake_seconds": starting(),
        "machine": facts(),
    }
    print(json.dumps(figures))
