"""Lifts the taint that keeps pods off a node until its agent is ready. What is to be patched is pure; the rest Shell.

A node is registered with it by its kubelet (`registerWithTaints`), so no pod comes before; nobody puts it back.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from kube.client import Client
from kube.failures import ApiRefused, NotFound, Unreachable
from kube.resources import NODES, Key
from kube.until import until
from proa import names
from proa.json import Json

TAINT: Final = f"{names.PREFIX}/not-ready"
"""Its key; effect and value may be any."""
_MANAGER: Final = "proa-node"
_PAUSE: Final = 1.0
"""Seconds between two looks whether the agent is ready, and after the API server refused."""
_AGAIN: Final = 60.0
"""Seconds until a node without it is looked at again: a sixth of what its kubelet asks. A watch would need the right to
list all nodes."""
_LOG: Final = structlog.get_logger("node")


def lifted(node: Json) -> Json:
    """The merge patch that takes the taint off *node* as it was read, nothing where it has none.

    Taints are one list, patched as a whole: the version keeps what somebody else adds meanwhile.
    """
    match node:
        case {"metadata": {"resourceVersion": str(version)}, "spec": {"taints": list(taints)}}:
            others = [each for each in taints if not (isinstance(each, dict) and each.get("key") == TAINT)]
            patch: Json = {"metadata": {"resourceVersion": version}, "spec": {"taints": others or None}}
            return None if len(others) == len(taints) else patch
        case _:
            return None


async def lift(
    client: Client, node: str, is_ready: Callable[[], bool], stopping: asyncio.Event, again: float = _AGAIN
) -> None:
    """Whenever *is_ready*, until *stopping*: a node may be registered a second time while its agent runs on."""
    while not stopping.is_set():
        is_off = is_ready() and await _is_off(client, node)
        await until(stopping, asyncio.sleep(again if is_off else _PAUSE))


async def _is_off(client: Client, node: str) -> bool:
    try:
        patch = lifted(await client.get(NODES, node))
        if patch is not None:
            await client.merge(NODES, Key("", node), patch, _MANAGER)
            _LOG.info("taint lifted", node=node, taint=TAINT)
    except NotFound:
        return True
    except (ApiRefused, Unreachable) as error:
        _LOG.warning("taint not lifted", node=node, taint=TAINT, error=str(error))
        return False
    return True
