"""What an admin chooses when Proa is installed: one value that cannot be wrong. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from proa import names
from proa.containers import IMAGE_PATTERN
from proa.errors import Invalid, Problems, shown
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.sections import section
from webhook.registration import Revision, Trust

IMAGE: Final = MeshConfiguration().init.image
DEFAULT_REVISION: Final = "default"
"""What `proa.dev/rev` says on the objects of the revision that has no name: none can be named so."""
MOST_REPLICAS: Final = 20

_SUBJECT: Final = "the installation"


class Profile(StrEnum):
    """How much a cluster can lose before pods are refused."""

    MINIMAL = "minimal"
    """One replica of everything, for a laptop."""
    DEFAULT = "default"
    """Two replicas, on two nodes where there are two."""
    HA = "ha"
    """Three replicas, never two on a node, spread over zones."""


class PodSecurity(StrEnum):
    """Whether a policy holds application namespaces to the baseline standard that Pod Security itself cannot."""

    OFF = "off"
    BASELINE = "baseline"


class PullPolicy(StrEnum):
    """core/v1 Container imagePullPolicy."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


class Scope(StrEnum):
    """Which objects: what all revisions share, what one revision has of its own, or both."""

    ALL = "all"
    SHARED = "shared"
    REVISION = "revision"


REPLICAS: Final[Mapping[Profile, int]] = {Profile.MINIMAL: 1, Profile.DEFAULT: 2, Profile.HA: 3}


@dataclass(frozen=True, slots=True)
class Options:
    """*revision* is empty for the default one; *replicas* None for as many as the profile has; *trust* says who issues
    the webhook's serving certificate; *mesh* is what differs from the defaults of `proa.mesh`, by mesh.yaml's keys.
    Raises Refused naming every option that is wrong.
    """

    revision: str = ""
    image: str = IMAGE
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    profile: Profile = Profile.DEFAULT
    replicas: int | None = None
    trust: Trust = Trust.PROA
    pod_security: PodSecurity = PodSecurity.OFF
    scope: Scope = Scope.ALL
    mesh: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def __post_init__(self) -> None:
        problems = Problems()
        problems.add(_problems(self))
        with problems.collected("mesh"):
            section(MeshConfiguration, dict(self.mesh))
        problems.refuse(_SUBJECT)

    @property
    def count(self) -> int:
        """Replicas of each Deployment."""
        return REPLICAS[self.profile] if self.replicas is None else self.replicas

    @property
    def webhook(self) -> str:
        """The name of the revision's webhook."""
        return self.named(names.WEBHOOK)

    @property
    def configuration_map(self) -> str:
        return self.named(names.CONFIGURATION_MAP)

    def named(self, name: str) -> str:
        """*name* as the revision's own objects carry it."""
        return Revision(self.revision).named(name)


def _problems(options: Options) -> Iterator[Invalid]:
    try:
        Revision(options.revision)
    except Invalid as problem:
        yield problem
    if not re.fullmatch(IMAGE_PATTERN, options.image):
        yield Invalid("image", shown(options.image), "an image reference")
    if not 1 <= options.count <= MOST_REPLICAS:
        yield Invalid("replicas", shown(options.replicas), f"a whole number from 1 to {MOST_REPLICAS}")
