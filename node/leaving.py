"""Whether the agent ends for good, or comes back by NRI: then what it installed on the node goes with it. Shell."""

import asyncio
from typing import Final

from kube.client import Client
from kube.failures import ApiRefused, Forbidden, NotFound, Unauthenticated, Unreachable
from kube.resources import DAEMON_SETS
from node.settings import NRI_VARIABLE
from proa import names
from proa.json import Json
from proa.trees import listed, members, text

_SECONDS: Final = 5.0


async def leaves_for_good(client: Client) -> bool:
    """Whether the DaemonSet that made this process is gone or going, or will not ask for the plugin any more; no, where
    that is not to be learnt.

    Who may not ask any more is taken away as a whole: its role, or its namespace, went before it.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            found = await client.get(DAEMON_SETS, names.NODE_AGENT, names.NODE_NAMESPACE)
    except (NotFound, Forbidden, Unauthenticated):
        return True
    except (ApiRefused, Unreachable, TimeoutError):
        return False
    return "deletionTimestamp" in members(found, "metadata") or _is_told_by_nri(found)


def _is_told_by_nri(daemon_set: Json) -> bool:
    containers = listed(daemon_set, "spec", "template", "spec", "containers")
    return any(text(each, "name") == NRI_VARIABLE for container in containers for each in listed(container, "env"))
