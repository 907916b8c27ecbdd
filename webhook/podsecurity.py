"""Whether a namespace's Pod Security Standard refuses what an injection adds, and what to do about it. Pure.

Pod Security judges a pod after every mutation, so the warning reaches the user together with the refusal, whose own
words name a container that the user never wrote. https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from proa import names
from webhook.sidecar import Sidecar

ENFORCED: Final = "pod-security.kubernetes.io/enforce"
VERSION: Final = "pod-security.kubernetes.io/enforce-version"
FORBIDDING: Final = ("baseline", "restricted")
"""Standards that forbid NET_ADMIN, in every version of theirs."""


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
    standard = labels.get(ENFORCED)
    found = _forbidden(bytes(sidecar.init), standard) if sidecar.init and standard in FORBIDDING else ()
    if found:
        version = labels.get(VERSION, "latest")
        yield f"Pod Security {standard} ({version}), enforced by namespace {namespace}, forbids {', '.join(found)}"
        yield (
            f"to have it injected, label the namespace {ENFORCED}=privileged {names.POD_SECURITY}=baseline: see"
            " docs/injection.md"
        )


@lru_cache(maxsize=16)
def _forbidden(container: bytes, standard: str) -> tuple[str, ...]:
    found: Any = msgspec.json.decode(container, type=_Container)
    context, field = found.security_context, f"{found.name}'s securityContext"
    added = tuple(f"{field}.capabilities.add {each}" for each in context.capabilities.add if each == "NET_ADMIN")
    root = (f"{field}.runAsUser 0",) if standard == "restricted" and context.run_as_user == 0 else ()
    return (*added, *root)
