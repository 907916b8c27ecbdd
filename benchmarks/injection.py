"""How long an injection takes: in process, from a review's bytes to its answer's, and over HTTPS on one core.

In process, `microseconds` is the best of several rounds in processor time, so that other load on the machine does
not count. Over HTTPS: see `https_load`.
"""

import json
import sys
import time
from collections.abc import Callable

from https_load import over_https, starting
from machine import facts

from proa import names
from proa.mesh import MeshConfiguration
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


def in_process(body: bytes) -> dict[str, float]:
    configuration = MeshConfiguration()
    added = sidecar(configuration)

    def answer() -> bytes:
        return review(admission(admission_request(body), LABELS, configuration, added).response)

    return {"request_bytes": len(body), "answer_bytes": len(answer()), "microseconds": microseconds(answer)}


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
        },
        "https_one_core": over_https(ordinary),
        "start_to_first_handshake_seconds": starting(),
        "machine": facts(),
    }
    print(json.dumps(figures))
