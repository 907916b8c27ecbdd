"""How many certificates a pod and a node may ask for. Pure: the time comes in.

A token can be shown again until it expires: what its holder can do with it is bounded here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ca.istio.asked import Asked, Caller, PodToken
from ca.istio.limits import Limits, Rate
from ca.istio.verdict import Code, Refuse

BY_POD: Final = Rate(10, 10.0)
"""Istio's agent asks five times in a row where it is put off, and then again some hours later."""
BY_NODE: Final = Rate(500, 0.1)
"""A node of 250 pods that starts again, twice over."""


@dataclass(frozen=True, slots=True)
class Rates:
    pod: Rate = BY_POD
    node: Rate = BY_NODE


class Quota:
    def __init__(self, rates: Rates) -> None:
        self._pods, self._nodes = Limits(rates.pod), Limits(rates.node)

    def refusal(self, asked: Asked, caller: Caller, proxies: Collection[str], now: float) -> Refuse | None:
        """None if *caller* may ask now, which is then counted; *proxies* are the accounts that may ask for others."""
        match caller:
            case PodToken():
                pod, node = caller.pod_uid, caller.node
                proxy = bool(asked.impersonated) and f"{caller.namespace}/{caller.account}" in proxies
            case _:
                pod, node, proxy = f"{caller.identity} at {caller.address}", str(caller.address), False
        # A proxy asks for all pods of its node; which those are, the verdict knows. Whoever else names another must not
        # use up what is its node's.
        if not proxy and (wait := self._pods.wait(pod, now)):
            return Refuse(Code.RESOURCE_EXHAUSTED, "PodTooOften", "this pod asks too often", wait)
        if wait := self._nodes.wait(node, now):
            return Refuse(Code.RESOURCE_EXHAUSTED, "NodeTooOften", "this node's pods ask too often", wait)
        return None
