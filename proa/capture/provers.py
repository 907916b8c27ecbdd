"""By which user's connections it shows that a pod is intercepted, for who may not change its own: one process. Pure.

All rules of an interception are one table that the kernel takes whole: a connection that one of them sends to the
proxy shows that all are there.
"""

from __future__ import annotations

from proa.capture.choices import NoDns
from proa.capture.spans import ALL_PORTS, holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from proa.capture.interception import Interception

_QUESTIONS: Final = (53, 53)
_OTHERS: Final = (8080, 8443, 9090, 10080, 18080)
_APPLICATION: Final = range(1000, 60000, 1001)


def prover(wanted: Interception) -> tuple[int, int] | None:
    """The user and group: the proxy's own, whose call to the pod never leaves it, or the application's where nothing
    that others dial is captured. None where nobody's but root's would show anything.
    """
    if captured_port(wanted):
        return proxy_ids(wanted)
    user, group = application_ids(wanted)
    leaves = wanted.included_outbound_cidrs or wanted.outbound_ports_anywhere
    return (user, group) if leaves and user and group else None


def application_ids(wanted: Interception) -> tuple[int, int]:
    """Some user and group that are neither the proxy's nor excluded; 0 where there is none."""
    taken = (*wanted.proxy_uids, *(span for users in wanted.excluded_users for span in users.uids))
    barred = (*wanted.proxy_gids, *wanted.excluded_gids)
    uid = next((each for each in _APPLICATION if not holds(taken, each)), 0)
    named = (first for first, _ in wanted.included_gids)
    gids = (each for each in (*_APPLICATION, *named) if holds(wanted.included_gids, each) and not holds(barred, each))
    return uid, next(gids, 0)


def proxy_ids(wanted: Interception) -> tuple[int, int]:
    """A user and a group the proxy runs as; the application's of the two that it has none of."""
    uid, gid = application_ids(wanted)
    return (
        wanted.proxy_uids[0][0] if wanted.proxy_uids else uid,
        wanted.proxy_gids[0][0] if wanted.proxy_gids else gid,
    )


def captured_port(wanted: Interception) -> int:
    """A port that others reach through the proxy, 0 if there is none."""
    # A question is the resolver's before it is anything else's.
    questions = () if isinstance(wanted.dns, NoDns) else (_QUESTIONS,)
    direct = (*wanted.excluded_inbound_ports, *wanted.tunnel_ports, *questions)
    listed = wanted.included_inbound_ports
    ports = _OTHERS if listed == ALL_PORTS else tuple(first for first, _ in listed)
    behind = (last + 1 for _, last in direct)
    return next((each for each in (*ports, *behind) if holds(listed, each) and not holds(direct, each)), 0)
