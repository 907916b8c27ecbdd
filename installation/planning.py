"""Which objects a command wants, and which of those that are there it no longer does. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final, cast

from installation.changes import title
from installation.installed import Found, first_mesh, own_options, shared_options, upgraded_image
from installation.metadata import PART_OF, PRODUCT
from installation.objects import objects
from installation.options import DEFAULT_REVISION, Options, PodSecurity, Profile, PullPolicy, Scope
from installation.rights import INSTALLING, Right, rights
from installation.trees import text, texts
from kube.resources import key_of, resource_of
from proa import names
from proa.documents import plain, read
from proa.errors import Invalid, shown
from proa.json import Json
from proa.release import VERSION
from webhook.registration import Trust
from webhook.trial import tried_configuration

_NO_WAY_BACK: Final = (
    "cert-manager, which issues them now; to leave it install another revision and move the namespaces there"
)


@dataclass(frozen=True, slots=True)
class Given:
    """The options that an admin names; None for those that stay as they are. *mesh* is mesh.yaml."""

    image: str | None = None
    profile: Profile | None = None
    replicas: int | None = None
    pull_policy: PullPolicy | None = None
    trust: Trust | None = None
    pod_security: PodSecurity | None = None
    mesh: Mapping[str, Json] | None = None

    def laid_on(self, options: Options) -> Options:
        """*options* with what is given instead. Raises Refused naming every one that is wrong."""
        named = {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}
        if self.profile is not None and self.replicas is None:
            named["replicas"] = None
        return replace(options, **named)


def installing(found: Found, revision: str, given: Given) -> tuple[Json, ...]:
    """What `proa install` applies: beside another revision, nothing that they share.

    Raises Invalid where that revision is installed already, in another version.
    """
    present = found.version(revision)
    if present and present != VERSION:
        raise Invalid(named(revision), f"version {present} installed", f"{VERSION}; to change it use proa upgrade")
    if present:
        return upgrading(found, revision, given)
    own = given.laid_on(Options(revision=revision, mesh=first_mesh(found, revision)))
    return objects(replace(own, scope=Scope.REVISION) if found.shared else own)


def upgrading(found: Found, revision: str, given: Given) -> tuple[Json, ...]:
    """What `proa upgrade` applies: *revision* and what all revisions share, each with the options it has.

    Raises Invalid where there is nothing to upgrade, no telling the new image's name, or no way to what is given.
    """
    present = found.version(revision)
    if not present:
        there = f" ({', '.join(map(named, found.revisions))})" if found.revisions else ""
        allowed = f"--revision of an installed one{there}; to install it use proa install"
        raise Invalid(named(revision), "nothing installed", allowed)
    before = own_options(found, revision)
    if (before.trust, given.trust) == (Trust.CERT_MANAGER, Trust.PROA):
        # The injector owns the caBundle for good: what comes up would never be trusted.
        raise Invalid("--certificates", shown(given.trust), _NO_WAY_BACK)
    own = given.laid_on(_renewed(before, present))
    if not found.shared:
        return objects(own)
    beside = given if not revision else replace(given, mesh=None)
    shared = beside.laid_on(_renewed(shared_options(found), found.shared_version))
    return (*objects(replace(shared, scope=Scope.SHARED)), *objects(replace(own, scope=Scope.REVISION)))


def needed(revision: str, given: Given) -> tuple[Right, ...]:
    """What `proa install` and `proa upgrade` must be allowed before they can tell what is there.

    Raises Refused for what cannot be asked for.
    """
    asked = objects(given.laid_on(Options(revision=revision)))
    looked = (Right("list", each, namespace) for each, namespace in PLACES)
    return tuple(dict.fromkeys((*rights(asked, INSTALLING), *looked)))


def surplus(present: Iterable[Json], wanted: Iterable[Json], revision: str) -> tuple[Json, ...]:
    """Those of *present* that are Proa's and of a part that *wanted* replaces, and that are not wanted any more."""
    kept = {title(each): _label(each) for each in wanted}
    replaced = set(kept.values()) & {None, revision or DEFAULT_REVISION}
    return tuple(each for each in present if _is_proas(each) and _label(each) in replaced and title(each) not in kept)


def of_revision(present: Iterable[Json], revision: str) -> tuple[Json, ...]:
    """Those of *present* that *revision* has of its own."""
    label = revision or DEFAULT_REVISION
    return tuple(each for each in present if _is_proas(each) and _label(each) == label)


def without(some: Iterable[Json], others: Iterable[Json]) -> tuple[Json, ...]:
    """Those of *some* that are none of *others*, by kind and name."""
    known = {title(each) for each in others}
    return tuple(each for each in some if title(each) not in known)


def in_order_of_removal(present: Iterable[Json]) -> tuple[Json, ...]:
    """Those of *present* that are Proa's: the registrations first, so that no pod is sent to a webhook that is gone;
    the namespace last.
    """
    places = {resource: place for place, resource in enumerate(KINDS)}
    return tuple(sorted(filter(_is_proas, present), key=lambda each: places[resource_of(each)], reverse=True))


def named(revision: str) -> str:
    """How people call it."""
    return f"revision {shown(revision)}" if revision else "the default revision"


def _renewed(options: Options, version: str) -> Options:
    return options if version == VERSION else replace(options, image=upgraded_image(options.image, version))


def _is_proas(raw: Json) -> bool:
    """By its label and by its name: anybody may label what is his own as a part of Proa, a namespace for instance,
    which would go with everything in it.
    """
    if texts(raw, "metadata", "labels").get(PART_OF) != PRODUCT:
        return False
    name = text(raw, "metadata", "name")
    if text(raw, "kind") == "Namespace":
        return name in (names.SYSTEM_NAMESPACE, names.NODE_NAMESPACE)
    return name.partition("-")[0] == PRODUCT


def _label(raw: Json) -> str | None:
    return texts(raw, "metadata", "labels").get(names.REVISION)


_RICHEST: Final = objects(
    Options(
        trust=Trust.CERT_MANAGER,
        pod_security=PodSecurity.BASELINE,
        mesh={"interception": {"programmedBy": "node"}},
    )
)
KINDS: Final = tuple(dict.fromkeys(map(resource_of, _RICHEST)))
"""Every kind that an installation may have, in the order in which they are applied."""
PLACES: Final = tuple(dict.fromkeys((resource_of(each), key_of(each).namespace) for each in _RICHEST))
"""Where they are: with the namespace, "" where a kind has none."""


def mesh_document(document: bytes) -> Mapping[str, Json]:
    """What mesh.yaml of an admin sets. Raises Refused naming every field that is wrong."""
    tried_configuration(document)
    trees = tuple(map(plain, read(document)))
    return cast("Mapping[str, Json]", trees[0]) if trees else {}
