"""Whether a namespace's Pod Security Standard refuses what an injection adds, and what to do about it. Pure.

Pod Security judges a pod after every mutation, so the warning reaches the user together with the refusal, whose own
words name a container that the user never wrote. https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from proa import names
from proa.protected import TRANSPARENCY
from webhook.sidecar import Sidecar

ENFORCED: Final = "pod-security.kubernetes.io/enforce"
VERSION: Final = "pod-security.kubernetes.io/enforce-version"
FORBIDDING: Final = ("baseline", "restricted")
"""Standards that forbid the capabilities that Proa adds, in every version of theirs."""
_ADDED: Final = ("NET_ADMIN", TRANSPARENCY)
_BY_NODES: Final = (
    "let nodes program pods (docs/node-mode.md), or label the namespace"
    f" {ENFORCED}=privileged {names.POD_SECURITY}=baseline (docs/injection.md)"
)
_REDIRECTED: Final = f"leave out what adds it, such as {names.PREFIX}/inbound-mode=tproxy (docs/annotations.md)"


class _Capabilities(msgspec.Struct, frozen=True):
    add: tuple[str, ...] = ()


class _Context(msgspec.Struct, frozen=True, rename="camel"):
    run_as_user: int | None = None
    capabilities: _Capabilities = _Capabilities()


class _Container(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    security_context: _Context = _Context()


def rejection(namespace: str, labels: Mapping[str, str], sidecar: Sidecar) -> Iterator[str]:
    """A line for each field of what *sidecar* adds that the standard of *namespace* forbids, then the remedy."""
    standard, version = labels.get(ENFORCED, ""), labels.get(VERSION, "latest")
    if standard in FORBIDDING:
        enforced = f"Pod Security {standard} ({version}), enforced by namespace {namespace}, forbids"
        yield from _refused(sidecar.init, standard, enforced, _BY_NODES)
        yield from _refused(sidecar.proxy, standard, enforced, _REDIRECTED)
    elif labels.get(names.POD_SECURITY) == "baseline":
        # Of its policy `proa-init` is excepted.
        kept = f"{names.POD_SECURITY}=baseline of namespace {namespace} forbids"
        yield from _refused(sidecar.proxy, "baseline", kept, _REDIRECTED)


def _refused(container: msgspec.Raw | None, standard: str, forbids: str, remedy: str) -> Iterator[str]:
    if container is not None and (found := _forbidden(bytes(container), standard)):
        yield f"{forbids} {', '.join(found)}"
        yield f"to have it injected, {remedy}"


@lru_cache(maxsize=16)
def _forbidden(container: bytes, standard: str) -> tuple[str, ...]:
    found: Any = msgspec.json.decode(container, type=_Container)
    context, field = found.security_context, f"{found.name}'s securityContext"
    added = tuple(f"{field}.capabilities.add {each}" for each in context.capabilities.add if each in _ADDED)
    root = (f"{field}.runAsUser 0",) if standard == "restricted" and context.run_as_user == 0 else ()
    return (*added, *root)
