"""A mutating webhook of somebody else's, as a pod of the cluster: it adds a container to every pod of a namespace.

Its registration sorts behind Proa's, so it is called later, and asks for no second call.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proa.mesh import MeshConfiguration
from support.kubectl import service

_PORT: Final = 8443
_SERVER: Final = """
import base64, http.server, json, ssl

class Adding(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        with open("/webhook/container.json") as file:
            container = json.load(file)
        there = [each["name"] for each in request["object"]["spec"]["containers"]]
        patch = [] if container["name"] in there else [{"op": "add", "path": "/spec/containers/-", "value": container}]
        encoded = base64.b64encode(json.dumps(patch).encode()).decode()
        response = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": encoded}
        body = json.dumps(
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("", 8443), Adding)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/webhook/tls.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def second_webhook(namespace: str, container: dict[str, Any], target: str) -> tuple[list[Any], dict[str, Any]]:
    """The objects of a server in *namespace*, and the registration by which *container* comes into *target*'s pods."""
    pem, root = _certificate(f"second.{namespace}.svc")
    files = {"tls.pem": pem, "container.json": json.dumps(container), "server.py": _SERVER}
    served = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "second"}, "stringData": files}
    running = {
        "name": "webhook",
        "image": MeshConfiguration().init.image,
        "command": ["python3", "/webhook/server.py"],
        "volumeMounts": [{"name": "webhook", "mountPath": "/webhook", "readOnly": True}],
        "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
    }
    metadata = {"name": "second", "labels": {"app": "second"}}
    spec = {
        "containers": [running],
        "volumes": [{"name": "webhook", "secret": {"secretName": "second"}}],
        "terminationGracePeriodSeconds": 0,
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return [served, pod, service("second", _PORT)], _registration(namespace, target, root)


def _registration(namespace: str, target: str, root: str) -> dict[str, Any]:
    entry = {
        "name": f"{target}.second.example",
        "clientConfig": {
            "service": {"namespace": namespace, "name": "second", "port": 80},
            "caBundle": base64.b64encode(root.encode()).decode(),
        },
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": target}},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**kind, "metadata": {"name": f"zz-{target}"}, "webhooks": [entry]}


def _certificate(host: str) -> tuple[str, str]:
    """Key and certificate of a server that is its own root, and the certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "second")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=24))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    root = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    formats = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *formats).decode() + root, root
