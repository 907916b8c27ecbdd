"""What templates and a user's own proxy container make of a pod, the API server would take: by its dry run."""

import json
from typing import Any

import pytest

from proa import names
from proa.documents import plain
from proa.mesh import mesh_configuration
from support.kubectl import Kubectl
from webhook.stream import injected

pytestmark = pytest.mark.beside_others

CONFIGURATION = """
templates:
  debug:
    metadata:
      labels: {tier: debug}
      annotations: {example.com/note: "yes"}
    spec:
      containers:
      - {name: debugger, image: "debug:1"}
      - {name: "*", env: [{name: DEBUG, value: "1"}], volumeMounts: [{name: scratch, mountPath: /scratch}]}
      - name: proa-proxy
        env: [{name: EXTRA, value: "1"}]
        resources: {limits: {cpu: "2"}}
        volumeMounts: [{name: scratch, mountPath: /scratch}]
      - {name: app, args: null, livenessProbe: {httpGet: {port: 8080}}}
      initContainers:
      - {name: first, image: "debug:1", restartPolicy: Always}
      - {name: proa-init, resources: {limits: {memory: 96Mi}}}
      volumes:
      - {name: scratch, emptyDir: {}}
      hostAliases: [{ip: 192.0.2.1, hostnames: [debug.example]}]
      tolerations: [{key: debug, operator: Exists}]
      nodeSelector: {kubernetes.io/os: linux}
"""
APP = {"name": "app", "image": "web:1", "args": ["-v"], "ports": [{"containerPort": 8080}]}
PROXY = {
    "name": "proa-proxy",
    "image": "auto",
    "resources": {"limits": {"cpu": "3"}},
    "securityContext": {"readOnlyRootFilesystem": False},
    "readinessProbe": {"tcpSocket": {"port": 15021}},
}


@pytest.mark.parametrize(
    ("templates", "containers"),
    [
        ("debug", [APP]),
        ("debug", [APP, PROXY]),
        ("sidecar", [PROXY]),
        ("gateway", [PROXY]),
        ("gateway,debug", [APP]),
    ],
)
@pytest.mark.parametrize("kind", ["native", "regular"])
def test_a_customised_pod_is_valid(kubectl: Kubectl, templates: str, containers: list[Any], kind: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "annotations": {names.TEMPLATES: templates, "proa.dev/sidecar": kind}},
        "spec": {"containers": containers},
    }
    (made,) = injected(json.dumps(pod), mesh_configuration(CONFIGURATION)).documents
    # Not labelled: nothing but the API server has a say.
    kubectl.within("default")("create", "--dry-run=server", "--validate=strict", "--filename=-", given=plain(made))
