"""The checks of a cluster: whether Proa can be installed there, and what would collide. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from installation.checks import Check, Severity
from installation.meshes import another_proa, collisions, mesh
from installation.rights import lacking
from installation.survey import Cluster, Namespace, Release, forbids_sidecars, known, release
from kube.resources import CERT_MANAGERS, Resource
from proa import names
from proa.errors import shown
from proa.namespaces import OPT_IN, OPT_OUT
from proa.programming import ByPod
from webhook.podsecurity import ENFORCED

LEAST_KUBERNETES: Final = Release(1, 37)
"""The first that serves PodCertificateRequests and ClusterTrustBundles in certificates.k8s.io/v1 by default."""
LEAST_KERNEL: Final = Release(5, 2)
"""The first with nat chains in nftables' `inet` tables."""
_WISHES: Final = (*OPT_IN, *OPT_OUT)
_FAILURES: Final = ("closed", "open")


def opted_in(namespaces: tuple[Namespace, ...]) -> tuple[Namespace, ...]:
    """Those whose every pod is to be injected: nothing is created in one that is being deleted."""
    return tuple(each for each in namespaces if each.labels.get(names.INJECT) in OPT_IN and not each.terminating)


def _too_old(survey: Cluster) -> Iterator[str]:
    if release(survey.version) < LEAST_KUBERNETES:
        yield f"the API server is {survey.version}"


def _unserved(survey: Cluster) -> Iterator[str]:
    yield from (_missing(each) for each in survey.unserved if each not in CERT_MANAGERS)


def _no_cert_manager(survey: Cluster) -> Iterator[str]:
    yield from (_missing(each) for each in survey.unserved if each in CERT_MANAGERS)


def _missing(resource: Resource) -> str:
    return f"{resource} ({resource.api_version}) is not served"


def _denied(survey: Cluster) -> Iterator[str]:
    yield from lacking(known(survey.denied))


def _no_node(survey: Cluster) -> Iterator[str]:
    if not any(each.ready and each.system == "linux" for each in known(survey.nodes)):
        yield f"none of {len(known(survey.nodes))} nodes is Ready and runs Linux"


def _kernels(survey: Cluster) -> Iterator[str]:
    for each in known(survey.nodes):
        if each.system == "linux" and release(each.kernel) < LEAST_KERNEL:
            yield f"node {each.name} runs Linux {each.kernel}"


def _kubelets(survey: Cluster) -> Iterator[str]:
    for each in known(survey.nodes):
        if each.system == "linux" and release(each.kubelet) < LEAST_KUBERNETES:
            yield f"the kubelet of node {each.name} is {each.kubelet}"


def _windows(survey: Cluster) -> Iterator[str]:
    yield from (f"node {each.name} runs Windows" for each in known(survey.nodes) if each.system == "windows")


def _terminating(survey: Cluster) -> Iterator[str]:
    if any(each.name == names.SYSTEM_NAMESPACE and each.terminating for each in known(survey.namespaces)):
        yield f"namespace {names.SYSTEM_NAMESPACE} is being deleted"


def _pod_security(survey: Cluster) -> Iterator[str]:
    for each in opted_in(known(survey.namespaces)):
        if forbids_sidecars(each) and isinstance(survey.programming, ByPod):
            yield f"namespace {each.name} enforces {each.labels[ENFORCED]}"


def _unreadable(survey: Cluster) -> Iterator[str]:
    for each in known(survey.namespaces):
        yield from _unknown_value(each.name, each.labels, names.INJECT, _WISHES)
        yield from _unknown_value(each.name, each.labels, names.ON_FAILURE, _FAILURES)


def _unknown_value(name: str, labels: Mapping[str, str], key: str, allowed: tuple[str, ...]) -> Iterator[str]:
    if key in labels and labels[key] not in allowed:
        yield f"namespace {name} is labelled {key}={shown(labels[key])}, allowed: {', '.join(allowed)}"


def _other_meshes(survey: Cluster) -> Iterator[str]:
    found = {(kind.name, each.configuration) for each in known(survey.entries) if (kind := mesh(each))}
    yield from (f"{name} injects pods, too (MutatingWebhookConfiguration {where})" for name, where in sorted(found))


def _collisions(survey: Cluster) -> Iterator[str]:
    both = collisions(known(survey.entries), opted_in(known(survey.namespaces)))
    yield from (f"namespace {namespace} is opted in to {other}, too" for other, namespace in both)


def _another_proa(survey: Cluster) -> Iterator[str]:
    for name in sorted({each.configuration for each in known(survey.entries) if another_proa(each)}):
        yield f"MutatingWebhookConfiguration {name} obeys {names.INJECT} and is not of {names.SYSTEM_NAMESPACE}"


PREFLIGHT: Final = (
    Check(
        "kubernetes_too_old",
        f"the API server is Kubernetes {LEAST_KUBERNETES} or newer",
        Severity.PROBLEM,
        "An older API server has no pod certificates in certificates.k8s.io/v1, so sidecars would get no identity.",
        f"upgrade the control plane to Kubernetes {LEAST_KUBERNETES} or newer",
        _too_old,
    ),
    Check(
        "api_not_served",
        "the API server serves pod certificates and trust bundles",
        Severity.PROBLEM,
        "The API is switched off. Injected pods would wait for ever for a certificate, or not be admitted at all.",
        "take off the API server what switches them off: certificates.k8s.io in its --runtime-config, or"
        " PodCertificateRequest and ClusterTrustBundle in its --feature-gates",
        _unserved,
    ),
    Check(
        "cert_manager_missing",
        "cert-manager is installed, where it is to issue the webhook's certificate",
        Severity.PROBLEM,
        "Without its custom resources there is nothing to ask a certificate of, and the webhook would not start.",
        "install cert-manager first: kubectl get crd certificates.cert-manager.io must find it; or install with"
        " --certificates proa",
        _no_cert_manager,
    ),
    Check(
        "permission_missing",
        "you may do everything the command does",
        Severity.PROBLEM,
        "The command would stop half-way, so it does not begin.",
        "use a context whose user is cluster-admin, or have the listed verbs granted by a ClusterRole",
        _denied,
        lambda survey: (survey.denied,),
    ),
    Check(
        "no_linux_node",
        "a Linux node is Ready",
        Severity.PROBLEM,
        "Neither Proa's own pods nor any injected pod can run.",
        "see kubectl get nodes, and kubectl describe node of one that is not Ready",
        _no_node,
        lambda survey: (survey.nodes,),
    ),
    Check(
        "kernel_too_old",
        f"every Linux node's kernel is {LEAST_KERNEL} or newer",
        Severity.WARNING,
        "nftables' inet tables have no nat chains there: proa-init goes by iptables instead, which was tried on newer"
        " kernels alone.",
        f"upgrade the node's system to Linux {LEAST_KERNEL} or newer, or keep injected pods off it (a taint, or"
        " nodeSelector)",
        _kernels,
        lambda survey: (survey.nodes,),
    ),
    Check(
        "kubelet_too_old",
        f"every Linux node's kubelet is {LEAST_KUBERNETES} or newer",
        Severity.PROBLEM,
        "An older kubelet cannot project a pod certificate: injected pods stay in ContainerCreating there.",
        "upgrade the node; or keep injected pods off it (a taint, or nodeSelector), and go on with --ignore"
        " kubelet_too_old",
        _kubelets,
        lambda survey: (survey.nodes,),
    ),
    Check(
        "windows_node",
        "every node runs Linux",
        Severity.WARNING,
        "Pods that say `spec.os.name: windows` are never injected. One that does not say so is injected, and cannot"
        " start there.",
        "set spec.os.name in the pods meant for Windows nodes",
        _windows,
        lambda survey: (survey.nodes,),
    ),
    Check(
        "namespace_terminating",
        f"namespace {names.SYSTEM_NAMESPACE} is not being deleted",
        Severity.PROBLEM,
        "The API server creates nothing in a namespace that is being deleted.",
        f"wait until kubectl get namespace {names.SYSTEM_NAMESPACE} finds nothing; what holds it up stands in its"
        " status.conditions",
        _terminating,
        lambda survey: (survey.namespaces,),
    ),
    Check(
        "pod_security_forbids_injection",
        "no opted-in namespace enforces a Pod Security Standard that forbids proa-init",
        Severity.PROBLEM,
        "Where pods program themselves, proa-init adds the capability NET_ADMIN, which baseline and restricted forbid:"
        " the API server refuses every injected pod of the namespace.",
        "have the nodes program pods (interception.programmedBy: node, docs/node-mode.md); or kubectl label namespace"
        f" NAME --overwrite {ENFORCED}=privileged {names.POD_SECURITY}=baseline, and install with --pod-security"
        f" baseline, which holds the namespace to the rest of that standard; or take {names.INJECT} off it",
        _pod_security,
        lambda survey: (survey.namespaces,),
    ),
    Check(
        "label_not_understood",
        "every label of Proa on a namespace has a value that it knows",
        Severity.PROBLEM,
        f"Nothing is guessed: pods of a namespace with another value of {names.INJECT} are refused or not sent to the"
        f" webhook, and any value of {names.ON_FAILURE} but `open` counts as closed.",
        "correct the label: kubectl label namespace NAME --overwrite KEY=VALUE",
        _unreadable,
        lambda survey: (survey.namespaces,),
    ),
    Check(
        "other_mesh_collides",
        "no namespace is opted in to Proa and to another mesh",
        Severity.PROBLEM,
        "Two sidecars would intercept the same connections, each meeting the other's rules: the pods lose their"
        " traffic.",
        "opt the namespace out of one of them: Istio istio-injection and istio.io/rev, Linkerd linkerd.io/inject, Kuma"
        f" kuma.io/sidecar-injection, Proa {names.INJECT}",
        _collisions,
        lambda survey: (survey.entries, survey.namespaces),
    ),
    Check(
        "other_mesh_present",
        "no other sidecar injector is installed",
        Severity.WARNING,
        "Both can live in one cluster, but not in one pod: a pod opted in to both by labels or annotations of its own"
        " is injected twice.",
        f"see that no pod template that asks for the other mesh runs in a namespace labelled {names.INJECT}",
        _other_meshes,
        lambda survey: (survey.entries,),
    ),
    Check(
        "another_proa",
        f"nothing but {names.SYSTEM_NAMESPACE} answers for Proa's labels",
        Severity.PROBLEM,
        "Two injectors would answer for the same pods.",
        "remove the other installation first; kubectl get mutatingwebhookconfiguration NAME -o yaml says whose it is",
        _another_proa,
        lambda survey: (survey.entries,),
    ),
)
"""In the order in which an admin would mend them."""
