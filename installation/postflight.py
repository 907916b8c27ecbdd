"""The checks of an installation: whether what is there does what it promises. Pure."""

from collections.abc import Iterator
from typing import Final

from installation.checks import Check, Severity
from installation.preflight import opted_in
from installation.rehearsal import Bare, Injected, Rejected
from installation.state import BadConfiguration, Installation, NoConfiguration, registered
from installation.survey import Entry, Namespace, Unread, entries, known
from proa import names
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.programming import ByNode
from webhook.registration import Revision, registration


def _absent(survey: Installation) -> Iterator[str]:
    wanted = {survey.registration, names.AUTHORITY}
    for name in sorted(wanted - {each.name for each in known(survey.deployments)}):
        yield f"Deployment {names.SYSTEM_NAMESPACE}/{name} is missing"


def _unready(survey: Installation) -> Iterator[str]:
    for each in known(survey.deployments):
        if not each.ready:
            yield f"{each.name}: {each.standing}"
            yield from (f"pod {waiting}" for waiting in each.waiting)


def _versions(survey: Installation) -> Iterator[str]:
    for each in known(survey.deployments):
        if each.version and each.version != survey.version:
            yield f"{each.name} is Proa {each.version}, this command is {survey.version}"


def _no_configuration(survey: Installation) -> Iterator[str]:
    if isinstance(survey.configuration, NoConfiguration):
        yield survey.configuration.what


def _bad_configuration(survey: Installation) -> Iterator[str]:
    if isinstance(survey.configuration, BadConfiguration):
        yield from survey.configuration.problems


def _no_bundle(survey: Installation) -> Iterator[str]:
    if not known(survey.bundles):
        yield f"no ClusterTrustBundle of the signer {names.SIGNER}"


def _unregistered(survey: Installation) -> Iterator[str]:
    if not survey.entries:
        yield f"MutatingWebhookConfiguration {survey.registration} is missing"


def _untrusted(survey: Installation) -> Iterator[str]:
    bare = sum(not each.trusted for each in survey.entries)
    if bare:
        yield f"{bare} of {len(survey.entries)} webhooks of {survey.registration} have no caBundle"


def _outdated(survey: Installation) -> Iterator[str]:
    """Each entry that asks about other pods than the configuration decides on; its caBundle does not count."""
    configuration = survey.configuration
    if not isinstance(configuration, MeshConfiguration):
        return
    wanted = {each.name: each for each in entries(registration(Revision(survey.revision), configuration=configuration))}
    found = {each.name: each for each in survey.entries}
    for name in sorted(wanted.keys() & found.keys()):
        if _asks(wanted[name]) != _asks(found[name]):
            yield f"{name} of {survey.registration} is of another configuration"
    yield from (f"{name} of {survey.registration} is missing" for name in sorted(wanted.keys() - found.keys()) if found)


def _asks(entry: Entry) -> Json:
    return [entry.namespace_selector, entry.object_selector, [list(each) for each in entry.conditions], entry.path]


def _unmanned(survey: Installation) -> Iterator[str]:
    present = {each.name for each in known(survey.deployments)}
    if isinstance(survey.programming, ByNode) and names.NODE_AGENT not in present:
        yield f"DaemonSet {names.NODE_NAMESPACE}/{names.NODE_AGENT} is missing"


def _orphaned(survey: Installation) -> Iterator[str]:
    present = {each.name for each in known(survey.deployments)}
    for each in sorted(registered(known(survey.cluster.entries))):
        name = f"{names.WEBHOOK}-{each}" if each else names.WEBHOOK
        if name not in present:
            yield f"MutatingWebhookConfiguration {name} has no Deployment {names.SYSTEM_NAMESPACE}/{name}"


def _unknown_revision(survey: Installation) -> Iterator[str]:
    present = registered(known(survey.cluster.entries))
    for each in known(survey.cluster.namespaces):
        if wanted := _lacking(each, present):
            yield f"namespace {each.name} asks for {wanted}"


def _lacking(namespace: Namespace, present: frozenset[str]) -> str:
    wanted = namespace.labels.get(names.REVISION, "")
    if wanted in present:
        return ""
    if wanted:
        return f"revision {wanted}"
    return "the default revision" if opted_in((namespace,)) else ""


def _not_injected(survey: Installation) -> Iterator[str]:
    match survey.rehearsal:
        case Bare():
            yield "a pod that asked for a sidecar was let in without one"
        case Rejected(message):
            yield message
        case Injected() | Unread():
            return


POSTFLIGHT: Final = (
    Check(
        "not_installed",
        "Proa's Deployments are there",
        Severity.PROBLEM,
        "Without them no pod is injected and no certificate issued; a pod of a namespace that is opted in is refused.",
        "proa install (with the --revision that is missing)",
        _absent,
        lambda survey: (survey.deployments,),
    ),
    Check(
        "deployment_not_ready",
        "every pod of Proa is ready",
        Severity.PROBLEM,
        "While no webhook answers, pods of `closed` namespaces are refused and those of `open` ones get in bare."
        " While no authority answers, new sidecars wait for their certificate.",
        f"kubectl -n {names.SYSTEM_NAMESPACE} describe pods; and, for a pod that runs and is not ready, its logs:"
        " readiness gives its reason there",
        _unready,
        lambda survey: (survey.deployments,),
    ),
    Check(
        "version_differs",
        "what is installed has this command's version",
        Severity.WARNING,
        "This command's checks and explanations are those of its own version.",
        "proa upgrade, or use the command of the installed version",
        _versions,
        lambda survey: (survey.deployments,),
    ),
    Check(
        "configuration_missing",
        "the mesh configuration is there",
        Severity.PROBLEM,
        "A webhook that starts without it does not become ready.",
        "proa upgrade --set-config FILE",
        _no_configuration,
        lambda survey: (survey.configuration,),
    ),
    Check(
        "configuration_invalid",
        "the mesh configuration can be used",
        Severity.PROBLEM,
        "The last good configuration stays in force, and a webhook that starts anew does not become ready.",
        "correct the fields named: kubectl -n proa-system edit configmap, or proa upgrade --set-config FILE",
        _bad_configuration,
        lambda survey: (survey.configuration,),
    ),
    Check(
        "node_agent_missing",
        "where nodes program pods, their agent is there",
        Severity.PROBLEM,
        "The mesh configuration says interception.programmedBy: node, and nobody programs: proa-init holds every pod of"
        " the mesh that starts.",
        "proa upgrade, or with kustomize the component node (docs/node-mode.md); a revision's agent is the one that all"
        " share, so the default revision's configuration has to ask for it",
        _unmanned,
        lambda survey: (survey.configuration, survey.deployments),
    ),
    Check(
        "trust_bundle_missing",
        "the authority has published its roots",
        Severity.PROBLEM,
        "Injected pods stay in ContainerCreating: the kubelet finds no trust bundle to mount.",
        f"see why {names.AUTHORITY} does not publish it: kubectl -n {names.SYSTEM_NAMESPACE} logs"
        f" deployment/{names.AUTHORITY}",
        _no_bundle,
        lambda survey: (survey.bundles,),
    ),
    Check(
        "registration_missing",
        "the webhook is registered",
        Severity.PROBLEM,
        "The API server asks nobody: pods get in without a sidecar.",
        "proa install",
        _unregistered,
        lambda survey: (survey.cluster.entries,),
    ),
    Check(
        "registration_untrusted",
        "the API server can verify the webhook's certificate",
        Severity.PROBLEM,
        "The API server does not call a webhook whose certificate it cannot verify: `closed` namespaces refuse pods.",
        "the webhook writes the caBundle itself once it is ready; with cert-manager, its cainjector does. See the logs"
        " of either, and that no GitOps tool takes the field away again",
        _untrusted,
        lambda survey: (survey.cluster.entries,),
    ),
    Check(
        "registration_outdated",
        "the API server asks about what the mesh configuration decides on",
        Severity.PROBLEM,
        "The mesh configuration was changed without the registration, which is made of it (injection and vocabulary):"
        " pods that are newly to be injected are not sent to the webhook, and get in bare.",
        "proa upgrade --set-config FILE with the configuration in force; with kustomize, render the registration anew",
        _outdated,
        lambda survey: (survey.cluster.entries, survey.configuration),
    ),
    Check(
        "registration_orphaned",
        "every registration has its webhook",
        Severity.PROBLEM,
        "The API server calls a webhook that is not there: `closed` namespaces refuse every pod.",
        "proa install with its --revision; or, to be rid of it, proa uninstall with its --revision, or kubectl delete"
        " mutatingwebhookconfiguration NAME where that does not know it",
        _orphaned,
        lambda survey: (survey.cluster.entries, survey.deployments),
    ),
    Check(
        "revision_not_installed",
        "every opted-in namespace names a revision that is installed",
        Severity.PROBLEM,
        "No registration matches its pods: they get in without a sidecar.",
        f"kubectl label namespace NAME {names.REVISION}=REVISION --overwrite (or {names.REVISION}- for the default"
        " revision), or proa install --revision REVISION",
        _unknown_revision,
        lambda survey: (survey.cluster.entries, survey.cluster.namespaces),
    ),
    Check(
        "injection_fails",
        "a pod that asks for a sidecar gets it (dry run)",
        Severity.PROBLEM,
        "The whole way was tried, from the API server through the Service to the webhook and back, and nothing left"
        " behind.",
        "mend the problems above first. A timeout or a refused connection points to a NetworkPolicy or firewall between"
        f" the API server and {names.SYSTEM_NAMESPACE} port {names.WEBHOOK_PORT}",
        _not_injected,
        lambda survey: (survey.rehearsal,),
    ),
)
"""In the order in which an admin would mend them."""
ABOUT_OTHERS: Final = frozenset({"registration_orphaned", "revision_not_installed"})
"""Checks of what a revision that is being installed has no part in."""
