"""The kinds of objects that Proa reads and writes, and where the API server keeps them. Pure.

Their names are those of the Kubernetes API reference, v1.37.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, cast
from urllib.parse import quote

from proa.errors import Invalid, shown
from proa.json import Json

Object: TypeAlias = dict[str, Json]
"""One object, as the API server writes it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind and its place: *group* is "" for the core group, *plural* the name in paths and in RBAC rules. Where its
    version is not served it is asked for in one of the *older* ones (`versions`)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    older: tuple["Resource", ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path under which the API server describes the group's version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def __str__(self) -> str:
        """As RBAC messages and kubectl name it: `podcertificaterequests.certificates.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


class Key(NamedTuple):
    """Which object of a kind. *namespace* is "" for a kind that has none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"
_CERT_MANAGER: Final = "cert-manager.io"

PODS: Final = Resource("", "v1", "pods", "Pod")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
SERVICES: Final = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount")
LIMIT_RANGES: Final = Resource("", "v1", "limitranges", "LimitRange")
RESOURCE_QUOTAS: Final = Resource("", "v1", "resourcequotas", "ResourceQuota")
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet")
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
CRON_JOBS: Final = Resource("batch", "v1", "cronjobs", "CronJob")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DISRUPTION_BUDGETS: Final = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
NETWORK_POLICIES: Final = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
ROLES: Final = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS: Final = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES: Final = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS: Final = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
PRIORITY_CLASSES: Final = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
MUTATING_WEBHOOKS: Final = Resource(
    _ADMISSION, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False
)
VALIDATING_WEBHOOKS: Final = Resource(
    _ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False
)
ADMISSION_POLICIES: Final = Resource(
    _ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
ADMISSION_POLICY_BINDINGS: Final = Resource(
    _ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False
)
OLDER_POD_CERTIFICATE_REQUESTS: Final = Resource(
    _CERTIFICATES, "v1beta1", "podcertificaterequests", "PodCertificateRequest"
)
"""The same objects: this version shows what kubelets older than 1.36 have sent, and 1.35 and 1.36 serve no other."""
POD_CERTIFICATE_REQUESTS: Final = Resource(
    *(_CERTIFICATES, "v1", "podcertificaterequests", "PodCertificateRequest"), older=(OLDER_POD_CERTIFICATE_REQUESTS,)
)
CERTIFICATE_SIGNING_REQUESTS: Final = Resource(
    _CERTIFICATES, "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced=False
)
OLDER_CLUSTER_TRUST_BUNDLES: Final = Resource(
    _CERTIFICATES, "v1beta1", "clustertrustbundles", "ClusterTrustBundle", namespaced=False
)
CLUSTER_TRUST_BUNDLES: Final = Resource(
    *(_CERTIFICATES, "v1", "clustertrustbundles", "ClusterTrustBundle"),
    namespaced=False,
    older=(OLDER_CLUSTER_TRUST_BUNDLES,),
)
TOKEN_REVIEWS: Final = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
ACCESS_REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
CUSTOM_RESOURCES: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
API_SERVICES: Final = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
ISSUERS: Final = Resource(_CERT_MANAGER, "v1", "issuers", "Issuer")
CLUSTER_ISSUERS: Final = Resource(_CERT_MANAGER, "v1", "clusterissuers", "ClusterIssuer", namespaced=False)
CERT_MANAGER_CERTIFICATES: Final = Resource(_CERT_MANAGER, "v1", "certificates", "Certificate")
CERTIFICATE_REQUESTS: Final = Resource(_CERT_MANAGER, "v1", "certificaterequests", "CertificateRequest")
CERT_MANAGERS: Final = (ISSUERS, CERT_MANAGER_CERTIFICATES)
"""The custom resources of cert-manager's of which an installation may have objects."""

RESOURCES: Final = tuple(value for value in tuple(globals().values()) if isinstance(value, Resource))
"""Every one above."""
_BY_KIND: Final[Mapping[tuple[str, str], Resource]] = {(each.api_version, each.kind): each for each in RESOURCES}


def resource_of(item: Json) -> Resource:
    """What *item* is, by its apiVersion and kind. Raises Invalid for a kind that is none of the above."""
    fields = item if isinstance(item, dict) else {}
    found = (fields.get("apiVersion"), fields.get("kind"))
    resource = _BY_KIND.get(cast("tuple[str, str]", found)) if all(isinstance(each, str) for each in found) else None
    if resource is None:
        raise Invalid("kind", " ".join(map(shown, found)), "an apiVersion and kind that Proa knows")
    return resource


def key_of(item: Json) -> Key:
    """Raises Invalid if *item* has no name."""
    match item:
        case {"metadata": {"name": str(name), "namespace": str(namespace)}}:
            return Key(namespace, name)
        case {"metadata": {"name": str(name)}}:
            return Key("", name)
        case _:
            raise Invalid("metadata.name", "nothing", "the object's name")


def collection(resource: Resource, namespace: str | None = None) -> str:
    """The path of all objects of a kind: those of *namespace*, or of the whole cluster where it is None or ""."""
    if not namespace:
        return f"{resource.root}/{resource.plural}"
    if not resource.namespaced:
        raise Invalid("namespace", shown(namespace), f"none: a {resource.kind} has no namespace")
    return f"{resource.root}/namespaces/{quote(namespace, safe='')}/{resource.plural}"


def place(resource: Resource, key: Key, subresource: str = "") -> str:
    """The path of one object. Raises Invalid where its namespace is missing or too much, or it has no name."""
    if resource.namespaced and not key.namespace:
        raise Invalid("namespace", "nothing", f"the namespace of the {resource.kind} {key.name}")
    if not key.name:
        raise Invalid("name", "nothing", f"the name of a {resource.kind}")
    path = f"{collection(resource, key.namespace)}/{quote(key.name, safe='')}"
    return f"{path}/{subresource}" if subresource else path
