"""Every object of an installation, in the order in which it is applied. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from installation import network
from installation.access import granted, service_account, viewing
from installation.authority import authority, rights, services, serving
from installation.certmanager import issued
from installation.configuration import configuration, mesh, mesh_document
from installation.metadata import shared
from installation.node import agent
from installation.noted import Fields, plain
from installation.options import Options, PodSecurity, Profile, Scope
from installation.pods import PRIORITY, deployment, disruption_budget, priority_class
from installation.podsecurity import policies
from installation.upstream import additions
from installation.webhooks import registered, service, webhook
from proa import names
from proa.json import Json
from webhook.permissions import permissions as webhook_permissions
from webhook.registration import Revision, Trust

_SECURITY: Final = "pod-security.kubernetes.io"


def objects(options: Options) -> tuple[Json, ...]:
    """What *options* ask for, in the order in which to apply it: the registration last, when who answers is there."""
    return tuple(map(plain, described(options)))


def described(options: Options) -> tuple[Fields, ...]:
    """The objects with their notes."""
    if options.scope is Scope.REVISION:
        return tuple(_own(options))
    if options.scope is Scope.SHARED:
        return tuple(_shared(options))
    return (*_shared(options), *_own(options))


def _shared(options: Options) -> Iterator[Fields]:
    process = authority(options)
    yield _namespace()
    yield priority_class(shared(PRIORITY, "priority"))
    yield configuration(replace(options, revision=""), mesh_document(options))
    yield network.closed()
    yield viewing()
    if options.pod_security is PodSecurity.BASELINE:
        yield from policies(options)
    yield from agent(options)
    yield service_account(process.metadata)
    yield from rights(options)
    upstream = additions(mesh(options).authority.upstream)
    yield network.authority_policy(process.metadata, serving(options).values(), upstream.ports)
    if options.profile is not Profile.MINIMAL:
        yield disruption_budget(process)
    yield from services(options)
    yield deployment(process, options)


def _own(options: Options) -> Iterator[Fields]:
    process = webhook(options)
    if options.revision:
        yield configuration(options, mesh_document(options))
    yield service_account(process.metadata)
    yield from granted(process.metadata, webhook_permissions(Revision(options.revision)))
    yield network.webhook_policy(process.metadata)
    if options.trust is Trust.CERT_MANAGER:
        yield from issued(options)
    if options.profile is not Profile.MINIMAL:
        yield disruption_budget(process)
    yield service(options)
    yield deployment(process, options)
    yield registered(options)


def _namespace() -> Fields:
    metadata = shared(names.SYSTEM_NAMESPACE, "namespace", **_NAMESPACE_LABELS)
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


_NAMESPACE_LABELS: Final = {
    names.INJECT: "disabled",
    **{f"{_SECURITY}/{mode}": "restricted" for mode in ("enforce", "audit", "warn")},
}
