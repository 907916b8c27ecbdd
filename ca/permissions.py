"""What `proa-ca` may do to the API server, each rule with the code that needs it. Pure."""

from typing import Final

from ca.root_secret import ROOT_SECRET
from ca.stored import ISSUER_SECRET
from ca.trust import TRUST_BUNDLE_NAME
from ca.upstream import REQUEST_SECRET
from ca.verdict import SIGNERS
from proa.names import AUTHORITY, CONFIGURATION_MAP, SIGNER
from proa.permissions import Permission

_CORE: Final = ("",)
_CERTIFICATES: Final = ("certificates.k8s.io",)

WAITING: Final = Permission(
    groups=_CORE,
    resources=("secrets",),
    verbs=("get", "delete"),
    names=(REQUEST_SECRET,),
    namespaced=True,
    why="ca/requesting.py keeps the next issuer's key in it until the upstream has signed its certificate",
)
"""Where there is an upstream."""
PERMISSIONS: Final = (
    Permission(
        groups=_CERTIFICATES,
        resources=("podcertificaterequests",),
        verbs=("get", "list", "watch"),
        namespaced=False,
        why="ca/door.py watches the requests of both signers; ca/answering.py reads one again whose answer was refused "
        "or whose key only v1beta1 shows",
    ),
    Permission(
        groups=_CERTIFICATES,
        resources=("podcertificaterequests/status",),
        verbs=("patch",),
        namespaced=False,
        why="ca/answering.py writes the certificate or the denial",
    ),
    Permission(
        groups=_CERTIFICATES,
        resources=("signers",),
        verbs=("sign",),
        names=SIGNERS,
        namespaced=False,
        why="ca/answering.py: the API server lets nobody else answer for these signers",
    ),
    Permission(
        groups=_CERTIFICATES,
        resources=("signers",),
        verbs=("attest",),
        names=(SIGNER,),
        namespaced=False,
        why="ca/publication.py: the API server lets nobody else publish this signer's roots",
    ),
    Permission(
        groups=_CERTIFICATES,
        resources=("clustertrustbundles",),
        verbs=("get", "list", "watch", "patch"),
        names=(TRUST_BUNDLE_NAME,),
        namespaced=False,
        why="ca/publication.py publishes the roots and sees when somebody changes them; ca/creation.py makes no new "
        "root while another one is trusted",
    ),
    Permission(
        groups=_CERTIFICATES,
        resources=("clustertrustbundles",),
        verbs=("create",),
        namespaced=False,
        why="ca/publication.py publishes the roots for the first time: server-side apply then needs create, and RBAC "
        "knows no name for it; `attest` above bounds it to our signer",
    ),
    Permission(
        groups=_CORE,
        resources=("pods", "serviceaccounts"),
        verbs=("get",),
        namespaced=False,
        why="ca/answering.py compares a request with the pod and the service account it names",
    ),
    Permission(
        groups=_CORE,
        resources=("secrets",),
        verbs=("get", "list", "watch", "update"),
        names=(ISSUER_SECRET,),
        namespaced=True,
        why="ca/storage.py follows the issuer; ca/creation.py renews it; ca/rotating.py writes the roots and the phase "
        "of their rotation",
    ),
    Permission(
        groups=_CORE,
        resources=("secrets",),
        verbs=("get", "update"),
        names=(ROOT_SECRET,),
        namespaced=True,
        why="ca/creation.py signs intermediates with the root's key; ca/rotating.py stores the next root's beside it "
        "and removes the former one's; both in the process of ca/ceremony/__main__.py alone",
    ),
    Permission(
        groups=_CORE,
        resources=("secrets",),
        verbs=("create",),
        namespaced=True,
        why="ca/creation.py stores both Secrets where there are none; RBAC knows no name for create",
    ),
    Permission(
        groups=_CORE,
        resources=("configmaps",),
        verbs=("get", "list", "watch"),
        names=(CONFIGURATION_MAP,),
        namespaced=True,
        why="ca/process.py follows the trust domain and the certificates' life (kube/configuration.py)",
    ),
    Permission(
        groups=("coordination.k8s.io",),
        resources=("leases",),
        verbs=("get", "update"),
        names=(AUTHORITY,),
        namespaced=True,
        why="ca/process.py: one replica leads (kube/leader.py)",
    ),
    Permission(
        groups=("coordination.k8s.io",),
        resources=("leases",),
        verbs=("create",),
        namespaced=True,
        why="ca/process.py: the first leader creates the Lease; RBAC knows no name for create",
    ),
    Permission(
        groups=("events.k8s.io",),
        resources=("events",),
        verbs=("get", "create", "patch"),
        namespaced=True,
        why="ca/reports.py says what an admin has to mend, on the Secret, and kube/configuration.py on the "
        "ConfigMap, by kube/events.py",
    ),
)
