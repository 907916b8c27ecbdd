"""The pods of this node, at hand; and a pod that the watch has not told of yet. Shell."""

import asyncio
from typing import Final

import structlog

from kube.calls import Selection, Selectors
from kube.client import Client
from kube.failures import ApiRefused, NotFound, Unreachable
from kube.index import Index
from kube.resources import PODS
from node.cni import TRY_AGAIN_LATER, CniRefused, Owner
from node.pods import Pod, owns, pod

_SECONDS: Final = 10.0
"""For a question that a container runtime waits for."""
_LOG: Final = structlog.get_logger("node")


class Population:
    """A watch of the pods that are bound to *node*."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        selection = Selection(None, Selectors(field=f"spec.nodeName={node}"))
        self.index = Index[Pod](client, PODS, selection, pod)

    async def of(self, owner: Owner) -> Pod:
        """Raises CniRefused if there is no such pod, or the API server does not say."""
        known = self.index.get(owner.namespace, owner.name)
        if known is not None and owns(known, owner):
            return known
        found = await self._asked_for(owner)
        if not owns(found, owner):
            details = f"{found.key} has the UID {found.uid}, not {owner.uid}"
            raise CniRefused(TRY_AGAIN_LATER, "the pod is another one by now", details)
        return found

    async def _asked_for(self, owner: Owner) -> Pod:
        try:
            async with asyncio.timeout(_SECONDS):
                return pod(await self._client.get(PODS, owner.name, owner.namespace))
        except NotFound as error:
            raise CniRefused(TRY_AGAIN_LATER, "the API server knows no such pod", str(error)) from error
        except (Unreachable, ApiRefused) as error:
            raise CniRefused(TRY_AGAIN_LATER, "the API server was asked for the pod in vain", str(error)) from error
        except TimeoutError as error:
            details = f"no answer in {_SECONDS:g} s"
            raise CniRefused(TRY_AGAIN_LATER, "the API server was asked for the pod in vain", details) from error
