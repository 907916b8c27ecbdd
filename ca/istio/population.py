"""Which pods run where, and as whom: what a cluster holds, kept in a form that answers at once. Pure."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from ca.istio.asked import Address
from kube.resources import Key
from proa.errors import Invalid
from proa.json import Json


@dataclass(frozen=True, slots=True)
class LivePod:
    """A pod that has not come to its end. Its node and its addresses are empty until it has them."""

    uid: str
    account: str
    node: str
    addresses: tuple[Address, ...] = ()


class _Metadata(msgspec.Struct, frozen=True):
    uid: str


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    service_account_name: str = ""
    node_name: str = ""


class _PodIp(msgspec.Struct, frozen=True):
    ip: str = ""


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    pod_ips: tuple[_PodIp, ...] = msgspec.field(name="podIPs", default=())


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()


def live_pod(value: Json) -> LivePod:
    """What the API server shows as *value*. Raises Invalid."""
    try:
        read = msgspec.convert(value, _Pod)
        addresses = tuple(ip_address(each.ip) for each in read.status.pod_ips)
    except (msgspec.ValidationError, ValueError) as error:
        raise Invalid("the pod", str(error), "what Kubernetes' v1 describes") from error
    return LivePod(read.metadata.uid, read.spec.service_account_name, read.spec.node_name, addresses)


class Population:
    """Live pods and service accounts, by everything a request may name them by. *behind* says for how many seconds all
    of it may have been otherwise."""

    def __init__(self, behind: Callable[[], float] = lambda: 0.0) -> None:
        self.behind = behind
        self._pods: dict[Key, LivePod] = {}
        self._accounts: dict[Key, str] = {}
        self._at: defaultdict[Address, set[Key]] = defaultdict(set)
        self._on: defaultdict[tuple[str, str, str], set[Key]] = defaultdict(set)

    def pod_changed(self, key: Key, pod: LivePod | None) -> None:
        """*pod* is there as it is now, or, where it is None, not any more."""
        if before := self._pods.pop(key, None):
            self._unlink(key, before)
        if pod is not None:
            self._pods[key] = pod
            self._on[pod.node, key.namespace, pod.account].add(key)
            for address in pod.addresses:
                self._at[address].add(key)

    def account_changed(self, key: Key, uid: str | None) -> None:
        if uid is None:
            self._accounts.pop(key, None)
        else:
            self._accounts[key] = uid

    def pod(self, namespace: str, name: str) -> LivePod | None:
        return self._pods.get(Key(namespace, name))

    def account_uid(self, namespace: str, name: str) -> str | None:
        return self._accounts.get(Key(namespace, name))

    def runs_at(self, address: Address, namespace: str, account: str) -> bool:
        """Whether a pod that runs as *account* has *address*."""
        found = (key for key in self._at.get(address, ()) if key.namespace == namespace)
        return any(self._pods[key].account == account for key in found)

    def runs_on(self, node: str, namespace: str, account: str) -> bool:
        return bool(node) and (node, namespace, account) in self._on

    def _unlink(self, key: Key, pod: LivePod) -> None:
        on = (pod.node, key.namespace, pod.account)
        self._on[on].discard(key)
        if not self._on[on]:
            del self._on[on]
        for address in pod.addresses:
            self._at[address].discard(key)
            if not self._at[address]:
                del self._at[address]
