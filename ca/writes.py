"""What a rotation finds in the cluster, and the writes it may answer with, as values. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from cryptography import x509

from ca.certificates import fingerprint
from ca.key_uri import KeyElsewhere
from ca.material import Material
from ca.phases import Phase, Record, Wish


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the cluster: *keys* are the roots whose keys are stored, *published* what pods are given."""

    material: Material
    record: Record
    wish: Wish | None
    keys: tuple[x509.Certificate, ...]
    published: tuple[x509.Certificate, ...]

    @property
    def rotatable(self) -> bool:
        """Not where the issuer's key lies elsewhere, either: the next issuer's would not."""
        return self.material.root in self.keys and not isinstance(self.material.issuer.key, KeyElsewhere)

    @property
    def others(self) -> tuple[x509.Certificate, ...]:
        """Roots whose keys are stored, but for the one that issues."""
        return tuple(each for each in self.keys if each != self.material.root)

    def trusted(self, name: str) -> x509.Certificate | None:
        """The root of that fingerprint, unless it is the one that issues."""
        return next((each for each in self.without(self.material.root) if fingerprint(each) == name), None)

    def without(self, root: x509.Certificate) -> tuple[x509.Certificate, ...]:
        return tuple(each for each in self.material.roots if each != root)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to write before *until*, as long as nothing changes."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rotation is due, and an admin has to make it possible."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Write on the issuer's Secret that leaves may live so long; leave all else, a wish too."""

    longest: timedelta


@dataclass(frozen=True, slots=True)
class Decline:
    """Take the wish off the issuer's Secret; *reason* is why nothing comes of it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Write *phase* and *roots* to the issuer's Secret and take the wish off; *note* tells an admin why."""

    phase: Phase
    roots: tuple[x509.Certificate, ...]
    note: str


@dataclass(frozen=True, slots=True)
class IssueUnder:
    """As Enter, with a new intermediate below *root*, in the same write."""

    root: x509.Certificate
    phase: Phase
    note: str


@dataclass(frozen=True, slots=True)
class MakeRoot:
    """Store a new root and its key beside the present one's."""


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """Remove every root's key but that of *root*."""

    root: x509.Certificate


Write: TypeAlias = Note | Decline | Enter | IssueUnder | MakeRoot | KeepOnly
Action: TypeAlias = Wait | Blocked | Write
