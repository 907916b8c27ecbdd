"""What is installed, and with which options, read from the objects themselves: nothing else remembers it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from installation.options import REPLICAS, Options, PodSecurity, Profile, PullPolicy
from installation.trees import listed, number, text, texts
from proa import names
from proa.documents import plain, read
from proa.errors import Invalid, shown
from proa.json import Json
from proa.release import VERSION
from webhook.registration import CERT_MANAGER_ANNOTATION, Trust

_VERSION: Final = "app.kubernetes.io/version"


@dataclass(frozen=True, slots=True)
class Found:
    """The objects of the system namespace that tell how it was installed. *registrations* by name."""

    deployments: Mapping[str, Json]
    registrations: Mapping[str, Json]
    documents: Mapping[str, str]
    """mesh.yaml by the ConfigMap's name."""
    policed: bool
    """Whether the policies of `PodSecurity.BASELINE` are there."""

    @property
    def shared(self) -> bool:
        """Whether what all revisions share is there."""
        return names.AUTHORITY in self.deployments

    @property
    def revisions(self) -> tuple[str, ...]:
        """Those with a webhook; "" is the default one."""
        found = (each for each in self.deployments if each.startswith(names.WEBHOOK))
        return tuple(sorted(each.removeprefix(names.WEBHOOK).removeprefix("-") for each in found))

    def version(self, revision: str) -> str:
        """Of *revision*'s webhook; empty where there is none."""
        return texts(self.webhook(revision), "metadata", "labels").get(_VERSION, "")

    @property
    def shared_version(self) -> str:
        return texts(self.deployments.get(names.AUTHORITY), "metadata", "labels").get(_VERSION, "")

    def document(self, revision: str) -> str:
        """mesh.yaml of *revision*; empty where there is none."""
        return self.documents.get(f"{names.CONFIGURATION_MAP}-{revision}" if revision else names.CONFIGURATION_MAP, "")

    def webhook(self, revision: str) -> Json:
        return self.deployments.get(f"{names.WEBHOOK}-{revision}" if revision else names.WEBHOOK)


def own_options(found: Found, revision: str) -> Options:
    """Those with which *revision* is installed. Raises Refused or Invalid where its configuration is none."""
    registration = found.registrations.get(f"{names.WEBHOOK}-{revision}" if revision else names.WEBHOOK)
    managed = CERT_MANAGER_ANNOTATION in texts(registration, "metadata", "annotations")
    options = _options(found, found.webhook(revision), revision)
    return replace(options, trust=Trust.CERT_MANAGER if managed else Trust.PROA)


def shared_options(found: Found) -> Options:
    """Those of what all revisions share; its configuration is the default revision's."""
    return _options(found, found.deployments.get(names.AUTHORITY), "")


def _options(found: Found, deployment: Json, revision: str) -> Options:
    container, replicas = _container(deployment), number(deployment, "spec", "replicas")
    image = text(container, "image")
    profile = next((each for each, count in REPLICAS.items() if count == replicas), None)
    return Options(
        revision=revision,
        image=image,
        pull_policy=PullPolicy(text(container, "imagePullPolicy") or PullPolicy.IF_NOT_PRESENT),
        profile=profile or Profile.DEFAULT,
        replicas=None if profile else replicas,
        pod_security=PodSecurity.BASELINE if found.policed else PodSecurity.OFF,
        mesh=set_apart(found, revision, image),
    )


def _container(deployment: Json) -> Json:
    return next(iter(listed(deployment, "spec", "template", "spec", "containers")), None)


def upgraded_image(image: str, version: str) -> str:
    """*image* of *version* as it is called in this version: a mirror's name stays.

    Raises Invalid where its tag is not its version, so that nothing tells the new one.
    """
    if not image.endswith(f":{version}"):
        raise Invalid("image", shown(image), f"--image, as the installed image's tag is not its version, {version}")
    return f"{image.removesuffix(version)}{VERSION}"


def set_apart(found: Found, revision: str, image: str = "") -> dict[str, Json]:
    """What an admin set in *revision*'s mesh.yaml: the pods' image is not, where it is the *image* installed.

    Raises Invalid for a document that is no mapping, or not YAML.
    """
    trees = tuple(map(plain, read(found.document(revision)))) or ({},)
    mesh = trees[0]
    if not isinstance(mesh, dict) or len(trees) > 1:
        raise Invalid(f"{names.CONFIGURATION_KEY} in the cluster", shown(mesh), "one mapping, or --set-config")
    init = mesh.get("init")
    if not isinstance(init, dict) or init.get("image") != image:
        return mesh
    kept: Json = {key: value for key, value in init.items() if key != "image"}
    return {key: kept if key == "init" else value for key, value in mesh.items() if key != "init" or kept}


def first_mesh(found: Found, revision: str) -> dict[str, Json]:
    """With what *revision* begins: what is left of it, or else what the default one has set, whose document the
    authority follows, too. Raises as `set_apart`.
    """
    if found.document(revision):
        return set_apart(found, revision)
    return set_apart(found, "", text(_container(found.deployments.get(names.AUTHORITY)), "image"))


def found(
    deployments: Iterable[Json], registrations: Iterable[Json], maps: Iterable[Json], policies: Iterable[Json]
) -> Found:
    """From what the API server lists of each kind in the system namespace, or in the cluster."""
    return Found(
        deployments=_named(deployments),
        registrations=_named(registrations),
        documents={
            text(each, "metadata", "name"): text(each, "data", names.CONFIGURATION_KEY)
            for each in maps
            if texts(each, "data").keys() >= {names.CONFIGURATION_KEY}
        },
        policed=any(True for _ in policies),
    )


def _named(objects: Iterable[Json]) -> dict[str, Json]:
    return {text(each, "metadata", "name"): each for each in objects}
