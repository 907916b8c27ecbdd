"""The rotation of roots: what to write next, given what is stored and published. Pure.

    resting ▸ preparing ▸ announced ▸ settling ▸ renewing ▸ resting

Each answer is one write to one object, and follows from what all of them hold: whoever died after any write is carried
on from there. At every moment each leaf that is alive ends at a root that every peer trusts:

- The next root issues once it was seen published, and then one longest leaf's life later. The kubelet writes a pod's
  certificate and its roots in one go (both are sources of one projected volume), and answers of other doors bring the
  roots along. So whoever holds a leaf that is still alive has got it, and the next root with it, after that moment.
- The former root goes one longest leaf's life after it has issued for the last time.

An admin may shorten either wait and thereby gives up what it was for.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from ca.certificates import fingerprint, validity
from ca.material import MOST_ROOTS
from ca.phases import (
    Abort,
    Advance,
    Announced,
    Garbled,
    Preparing,
    Record,
    Renewing,
    Resting,
    Settling,
    Start,
    Wish,
    name_of,
)
from ca.profile import SHORTEST_LEAF
from ca.writes import Action, Blocked, Decline, Enter, Found, IssueUnder, KeepOnly, MakeRoot, Note, Wait

ROTATION_SHARE: Final = 1 / 4
"""A root of ten years is rotated with two and a half left, before anybody is told that it ends (`renewal`)."""
MARGIN: Final = timedelta(minutes=15)
"""On top of each wait: a replica whose watch has died goes on with the former issuer for some minutes at most."""
SHORTEST_SETTLING: Final = timedelta(minutes=3)
"""The kubelet looks at a pod's volumes about every minute, at most every one and a half (kubelet syncFrequency)."""

LOOK: Final = timedelta(minutes=30)
"""Between two looks at the clock: nothing that is due here is in a hurry."""
SOON: Final = timedelta(seconds=30)
"""After a failure, or a write of somebody else's."""

OFFLINE: Final = (
    "the key of the root that issues is not in the Secret proa-ca-root, or the issuer's lies elsewhere: add the next "
    "root to ca.crt of proa-ca, and issue from it once all pods have it"
)
_NOTHING: Final = "no rotation is under way"


def due(root: x509.Certificate) -> datetime:
    """From when on *root* is rotated without being asked to."""
    lived = validity(root)
    return (lived.not_after - lived.lifetime * ROTATION_SHARE).replace(microsecond=0)


def settled(phase: Settling, longest: timedelta) -> datetime:
    """From when on the next root may issue, leaves having lived for *longest* at most."""
    asked = max(phase.settle, SHORTEST_SETTLING) if phase.settle else longest + MARGIN
    return phase.since + asked


def retired(phase: Renewing, longest: timedelta, root: x509.Certificate) -> datetime:
    """From when on the retiring *root* need not be trusted: its last leaf's end, or its own."""
    return min(phase.since + longest + MARGIN, validity(root).not_after)


def at_rest(record: Record, wish: Wish | None, root: x509.Certificate, life: timedelta, now: datetime) -> bool:
    """Whether nothing is due but to remove a key that somebody has left: what can be said without looking at keys."""
    return isinstance(record.phase, Resting) and wish is None and life <= record.longest and now < due(root)


def step(found: Found, life: timedelta, now: datetime) -> Action:
    """The next thing to do; *life* is the longest that a leaf may have by the configuration of *now*."""
    if life > found.record.longest:
        return Note(life)
    if isinstance(found.wish, Garbled):
        return Decline(found.wish.problem)
    return _by_phase(found, now)


def _by_phase(found: Found, now: datetime) -> Action:
    match found.record.phase:
        case Resting():
            return _resting(found, now)
        case Preparing() as phase:
            return _preparing(found, phase)
        case Announced() as phase:
            return _announced(found, phase, now)
        case Settling() as phase:
            return _settling(found, phase, now)
        case Renewing() as phase:
            return _renewing(found, phase, now)


def _resting(found: Found, now: datetime) -> Action:
    if found.rotatable and found.others:
        return _tidied(found, now)
    match found.wish:
        case Start(settle) if found.rotatable:
            return _prepared(found, settle, "an admin asked for it")
        case Start():
            return Decline(OFFLINE)
        case None:
            return _when_due(found, now)
        case _:
            return Decline(_NOTHING)


def _tidied(found: Found, now: datetime) -> Action:
    """The key of a root that nobody trusts is what a rotation has left. One that is trusted has lost its record: it
    may have issued, so it goes the way of one that did."""
    lost = next((each for each in found.others if each in found.material.roots), None)
    if lost is None:
        return KeepOnly(found.material.root)
    return Enter(_retiring(lost, now), found.material.roots, f"{_named(lost)} may still have leaves")


def _when_due(found: Found, now: datetime) -> Action:
    begin = due(found.material.root)
    if now < begin:
        return Wait(begin)
    return _prepared(found, timedelta(0), "it is due") if found.rotatable else Blocked(OFFLINE)


def _prepared(found: Found, settle: timedelta, why: str) -> Enter:
    return Enter(Preparing(settle), found.material.roots, f"the rotation of the root begins: {why}")


def _preparing(found: Found, phase: Preparing) -> Action:
    roots = found.material.roots
    if isinstance(found.wish, Abort):
        return Enter(Resting(), roots, "given up, as an admin asked")
    if not found.rotatable:
        return Enter(Resting(), roots, f"given up: {OFFLINE}")
    if len(roots) >= MOST_ROOTS:
        return Enter(Resting(), roots, f"given up: {len(roots)} roots are trusted already; remove what is not needed")
    if found.wish is not None:
        return Decline(_inapplicable(found))
    if not found.others:
        return MakeRoot()
    following = found.others[0]
    return Enter(
        Announced(fingerprint(following), phase.settle),
        (*(each for each in roots if each != following), following),
        f"{_named(following)} is to be trusted beside the present one",
    )


def _announced(found: Found, phase: Announced, now: datetime) -> Action:
    def go_on(following: x509.Certificate) -> Action:
        if found.wish is not None:
            return Decline(_inapplicable(found))
        if following not in found.published:
            return Wait(now + MARGIN)
        entered = Settling(phase.next, phase.settle, now)
        until = settled(entered, found.record.longest)
        note = f"{_named(following)} is published; it issues from {until:%Y-%m-%dT%H:%M:%SZ} on"
        return Enter(entered, found.material.roots, note)

    return _before_it_issues(found, phase.next, go_on)


def _settling(found: Found, phase: Settling, now: datetime) -> Action:
    def go_on(following: x509.Certificate) -> Action:
        if following not in found.published:
            note = f"{_named(following)} is no longer published; the wait begins anew"
            return Enter(Announced(phase.next, phase.settle), found.material.roots, note)
        until = settled(phase, found.record.longest)
        if now >= until or found.wish == Advance("settling") or _ended(found.material.root, now):
            return IssueUnder(following, _retiring(found.material.root, now), f"{_named(following)} issues")
        return Wait(until) if found.wish is None else Decline(_inapplicable(found))

    return _before_it_issues(found, phase.next, go_on)


def _before_it_issues(found: Found, name: str, go_on: Callable[[x509.Certificate], Action]) -> Action:
    """While it has issued nothing, the next root can be withdrawn at any moment."""
    following, roots = found.trusted(name), found.material.roots
    if following is None:
        return Enter(Resting(), roots, "over: somebody changed the roots or the issuer in between")
    if isinstance(found.wish, Abort):
        return Enter(Resting(), found.without(following), f"given up: {_named(following)} is withdrawn")
    if following not in found.keys:
        return Enter(Resting(), found.without(following), f"given up: the key of {_named(following)} is gone")
    return go_on(following)


def _renewing(found: Found, phase: Renewing, now: datetime) -> Action:
    former = found.trusted(phase.retiring)
    if former is None:
        return Enter(Resting(), found.material.roots, "over: somebody changed the roots or the issuer in between")
    if isinstance(found.wish, Abort):
        return _taken_back(found, former, now)
    until = retired(phase, found.record.longest, former)
    if now >= until or found.wish == Advance("renewing"):
        return Enter(Resting(), found.without(former), f"{_named(former)} is no longer trusted")
    return Wait(until) if found.wish is None else Decline(_inapplicable(found))


def _taken_back(found: Found, former: x509.Certificate, now: datetime) -> Action:
    """The rotation runs the other way round: the former root issues again, the newer one keeps its leaves' trust."""
    if former not in found.keys or _ended(former, now):
        return Decline("the former root cannot issue any more: its key is gone, or its life is over")
    return IssueUnder(former, _retiring(found.material.root, now), f"taken back: {_named(former)} issues again")


def _retiring(root: x509.Certificate, now: datetime) -> Renewing:
    return Renewing(fingerprint(root), now)


def _ended(root: x509.Certificate, now: datetime) -> bool:
    """Whether it can issue no leaf, so that nobody gains by waiting."""
    return now > validity(root).not_after - SHORTEST_LEAF


def _inapplicable(found: Found) -> str:
    phase = name_of(found.record.phase)
    return f"the rotation is {phase}: it can be aborted, and its wait ended while it is settling or renewing"


def _named(root: x509.Certificate) -> str:
    return f"the root {fingerprint(root)[:16]}"
