"""Names and numbers that several parts, manifests and documents must agree on. Pure.

The numbers are Istio's where users know them: dashboards, firewalls and runbooks keep working.

Not even typing is imported at run time: `proa-init` reads these names in every pod's start, and typing takes it 20 ms.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PREFIX: Final = "proa.dev"

INJECT: Final = f"{PREFIX}/inject"
"""Label on a namespace or pod, annotation on a pod: whether to inject."""
REVISION: Final = f"{PREFIX}/rev"
"""Label on a namespace: which of several installed versions injects its pods; none means the default one."""
ON_FAILURE: Final = f"{PREFIX}/on-failure"
"""Label on a namespace: `closed` (as without it) refuses pods while no webhook answers, `open` lets them in bare."""
POD_SECURITY: Final = f"{PREFIX}/pod-security"
"""Label on a namespace: `baseline` holds it to that standard, but for proa-init (`manifests/overlays/baseline-psa`)."""
TEMPLATES: Final = f"{PREFIX}/templates"
"""Annotation on a pod: names of templates of the mesh configuration, which are laid over it in this order."""
ISTIO_TEMPLATES: Final = "inject.istio.io/templates"
"""The same in Istio's vocabulary."""
SECRETS_LABEL: Final = f"{PREFIX}/secrets"
"""Label on a namespace: `enabled` asks for a Secret with a certificate for each of its service accounts."""
ROOTS_MAP_LABEL: Final = f"{PREFIX}/roots-map"
"""Label on a namespace: `enabled` asks for a ConfigMap with the roots, `disabled` has none, injected or not."""
STATUS: Final = f"{PREFIX}/status"
"""Annotation on an injected pod: what was added, as JSON."""
BOOTSTRAP: Final = f"{PREFIX}/bootstrap"
LEAF: Final = f"{PREFIX}/leaf"
ROOTS: Final = f"{PREFIX}/roots"
"""Annotations on an injected pod: files of the sidecar's configuration, projected by the downward API. No secrets."""

DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
"""Annotation on a pod: the container that `kubectl logs` and `kubectl exec` mean where none is named."""

SIGNER: Final = f"{PREFIX}/workload"
"""signerName of PodCertificateRequests and ClusterTrustBundles."""
SERVING_SIGNER: Final = f"{PREFIX}/serving"
"""signerName of the PodCertificateRequests of Proa's own servers, whose certificates carry DNS names."""
SYSTEM_NAMESPACE: Final = "proa-system"
CONFIGURATION_MAP: Final = "proa"
CONFIGURATION_KEY: Final = "mesh.yaml"
"""ConfigMap of the system namespace and its key: the mesh configuration. A revision R has one named `proa-R`."""
WEBHOOK: Final = "proa-webhook"
"""Deployment, Service, ServiceAccount and registration of the default revision; revision R has `proa-webhook-R`."""
NODE_AGENT: Final = "proa-node"
"""DaemonSet and ServiceAccount of the node agent."""
NODE_NAMESPACE: Final = "proa-node"
"""Where it runs: what a node's network takes no namespace of the standard `restricted` lets in."""
AUTHORITY: Final = "proa-ca"
"""Deployment, ServiceAccount and Service of the certificate authority."""
AUTHORITY_HOST: Final = f"{AUTHORITY}.{SYSTEM_NAMESPACE}.svc"
"""The name of that Service, which its certificate bears."""

INIT_CONTAINER: Final = "proa-init"
PROXY_CONTAINER: Final = "proa-proxy"
PROXY_UID: Final = 1337
PROXY_GID: Final = 1337

OUTBOUND_PORT: Final = 15001
INBOUND_PORT: Final = 15006
DNS_PORT: Final = 15053
ADMIN_PORT: Final = 15000
READY_PORT: Final = 15021
METRICS_PORT: Final = 15090
WEBHOOK_PORT: Final = 9443
ISTIO_PORT: Final = 15012
"""Of the authority: Istio's protocol for certificates, for callers with a token."""
ISTIO_RENEWAL_PORT: Final = 15013
"""The same for callers with a certificate of ours, which they must show in the handshake (docs/decisions/0031)."""
DISCOVERY_PORT: Final = 15016
"""Of the authority: keys of JWT-SVIDs and the bundle of the trust domain, for verifiers (OpenID Connect, SPIFFE)."""
HEALTH_PORT: Final = 8080
"""Of our own processes: `/healthz`, `/readyz` and `/metrics`, plain HTTP, for the kubelet and Prometheus."""
NODE_HEALTH_PORT: Final = 15095
"""The same of the node agent, which is in its node's network, where 8080 may be somebody's."""
PROBE_PORTS: Final = 15100
"""The first of the sidecar's listeners that stand for the application's TCP probes."""

HAIRPIN_IPV4: Final = "127.0.0.6"
HAIRPIN_IPV6: Final = "::6"
"""Source addresses of the proxy's connections to the application before which it stands: that is how the interception
rules tell them from the pod's calls to itself. 127.0.0.0/8 is all on `lo`; of IPv6 only ::1 is, so ::6 is added."""

READY_PATH: Final = "/healthz/ready"
METRICS_PATH: Final = "/stats/prometheus"
"""What the sidecar's listeners of those ports answer to; anything else is 404."""

MESH_ALPN: Final = "proa"
"""What a sidecar offers another sidecar in TLS: it tells the mesh's own mTLS from the application's TLS."""

NRI_SOCKET: Final = "/var/run/nri/nri.sock"
"""Where a container runtime listens for NRI's plugins (DefaultSocketPath of containerd/nri)."""
WORKLOAD_SOCKET: Final = "/run/proa-workload/workload.sock"
"""Of each node, where its agent answers SPIFFE's Workload API; in a directory that pods may mount."""

IDENTITY_VOLUME: Final = "proa-identity"
BOOTSTRAP_VOLUME: Final = "proa-bootstrap"
DISCOVERY_VOLUME: Final = "proa-discovery"
IDENTITY_DIRECTORY: Final = "/var/run/secrets/proa.dev/identity"
SERVING_DIRECTORY: Final = "/var/run/secrets/proa.dev/serving"
"""In our own servers' containers: the serving credential bundle and the trust bundle, under the names below."""
BOOTSTRAP_DIRECTORY: Final = "/var/run/proa.dev/bootstrap"
DISCOVERY_DIRECTORY: Final = "/var/run/proa.dev/discovery"
VOLUME_DATA: Final = "..data"
"""In a volume of the kubelet's: the link to what it holds now, swapped as one."""
CREDENTIAL_BUNDLE: Final = "credential-bundle.pem"
"""Private key, leaf and intermediates in one file, as the kubelet writes it: never read torn."""
TRUST_BUNDLE: Final = "trust-bundle.pem"
CRL_FILE: Final = "crl.pem"
"""Beside the two, where certificates can be revoked."""
BUNDLES_FILE: Final = "trust-bundles.json"
"""Beside the two, where the mesh is federated."""
BOOTSTRAP_FILE: Final = "envoy.json"
LEAF_FILE: Final = "leaf.json"
ROOTS_FILE: Final = "roots.json"
