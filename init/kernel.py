"""Puts interception into the kernel's network namespace, reads it back, takes it out. Shell."""

from __future__ import annotations

from init import hairpin
from init.applied import BACKENDS, Added, Applied
from init.by_nft import Nftables, Program
from init.rules import ruleset
from proa.capture.choices import Tproxied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    from init.applied import Backend, BackendName, Loaded
    from init.failures import KernelRefused
    from init.ruleset import Ruleset
    from proa.capture.choices import InboundMode
    from proa.capture.interception import Interception

    Answer = TypeVar("Answer")

    class Door(Protocol):
        """A way into the kernel; each method raises KernelRefused."""

        def load(self, rules: Ruleset) -> Loaded: ...
        def differences(self, rules: Ruleset) -> tuple[str, ...]: ...
        def is_present(self) -> bool: ...
        def remove(self) -> bool: ...
        def script(self, rules: Ruleset) -> str: ...
        def removal(self) -> str: ...


def apply(wanted: Interception, backend: Backend | Nftables) -> Applied:
    """Intercept as *wanted*, in place of what may be intercepted now, without an instant in between.

    Raises KernelRefused (init.failures); then the former state is in force, unless the error is TableDiffers.
    """
    rules = ruleset(wanted)
    address = hairpin.add()
    routed = None
    try:
        routed = _route(wanted.inbound_mode)
        loaded, used, reason = _first(backend, lambda door: door.load(rules))
    except BaseException:
        if isinstance(address, Added):
            hairpin.remove()
        _withdraw(routed)
        raise
    if loaded.was_tproxied:
        _keep(wanted.inbound_mode)
    return Applied(address, used, reason, unchanged=loaded.unchanged)


def differences(wanted: Interception, backend: Backend | Nftables) -> tuple[str, ...]:
    """What `apply` would change, a line each. Raises KernelRefused."""
    rules = ruleset(wanted)
    found, _, _ = _first(backend, lambda door: door.differences(rules))
    return (*found, *hairpin.differences(), *_routing_differences(wanted.inbound_mode))


def is_present() -> bool:
    """Whether any rule of ours is in force, by whichever backend. Raises KernelRefused."""
    return _every(lambda door: door.is_present())


def verify(wanted: Interception, backend: Backend | Nftables) -> None:
    """Raises KernelRefused, and so TableDiffers where `apply` would change anything."""
    if found := differences(wanted, backend):
        from init.failures import differing_table  # noqa: PLC0415 - only a failure pays for it

        raise differing_table(found)


def remove(backend: Backend) -> None:
    """Intercept nothing: no rule, no address, no route. Nothing to remove is no error. Raises KernelRefused."""
    was_tproxied = _every(lambda door: door.remove()) if backend == "auto" else _door(backend).remove()
    if was_tproxied:
        _keep(None)
    hairpin.remove()


def scripts(wanted: Interception, backend: Backend) -> str:
    """What would be told to nft or iptables, without looking at the kernel."""
    return _door("nftables" if backend == "auto" else backend).script(ruleset(wanted))


def removals(backend: Backend) -> str:
    """What would be told to remove. Raises KernelRefused."""
    return _door("nftables" if backend == "auto" else backend).removal()


def _first(backend: Backend | Nftables, action: Callable[[Door], Answer]) -> tuple[Answer, BackendName, str]:
    """The answer of the backend that was asked for, or of the first that works; which, and why."""
    if isinstance(backend, Nftables):
        return action(backend), "nftables", "given"
    if backend != "auto":
        return action(_door(backend)), backend, "asked for"
    try:
        return action(_door("nftables")), "nftables", "it works here"
    except _refused() as refused:
        if not refused.may_work_otherwise:
            raise
        return _otherwise(action, refused)


def _otherwise(action: Callable[[Door], Answer], refused: KernelRefused) -> tuple[Answer, BackendName, str]:
    """Where nftables is not to be had. The first refusal is raised if nothing works."""
    for backend in BACKENDS[1:]:
        try:
            return action(_door(backend)), backend, f"nftables does not work here: {refused.found}"
        except _refused() as other:
            if not other.may_work_otherwise:
                raise
    raise refused


def _every(action: Callable[[Door], bool]) -> bool:
    """Whether any backend that works here says so. Raises the first refusal if none works."""
    answers: list[bool] = []
    refusals: list[KernelRefused] = []
    for backend in BACKENDS:
        try:
            answers.append(action(_door(backend)))
        except _refused() as refused:
            if not refused.may_work_otherwise:
                raise
            refusals.append(refused)
    if not answers:
        raise refusals[0]
    return any(answers)


def _door(backend: BackendName) -> Door:
    if backend == "nftables":
        from init.library import library  # noqa: PLC0415 - who has a context of its own needs no other

        return Nftables(library() or Program())
    from init.by_iptables import Iptables  # noqa: PLC0415 - few nodes need it

    return Iptables(backend.removeprefix("iptables"))


def _refused() -> type[KernelRefused]:
    """For an except clause, which is evaluated only when something was raised."""
    from init.failures import KernelRefused  # noqa: PLC0415 - only a failure pays for it

    return KernelRefused


def _route(mode: InboundMode) -> Tproxied | None:
    """What was not routed so before."""
    if not isinstance(mode, Tproxied):
        return None
    from init import routing  # noqa: PLC0415 - few pods want it

    return mode if routing.add(mode) else None


def _keep(mode: InboundMode | None) -> None:
    from init import routing  # noqa: PLC0415 - few pods want it

    routing.keep(mode if isinstance(mode, Tproxied) else None)


def _routing_differences(mode: InboundMode) -> tuple[str, ...]:
    if not isinstance(mode, Tproxied):
        return ()
    from init import routing  # noqa: PLC0415 - few pods want it

    return routing.differences(mode)


def _withdraw(mode: Tproxied | None) -> None:
    if mode:
        from init import routing  # noqa: PLC0415 - few pods want it

        routing.withdraw(mode)
