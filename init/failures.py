"""What the kernel or nft may refuse, as errors that say what to do. Pure."""

from dataclasses import dataclass
from typing import ClassVar, Final

from proa.errors import ProaError


@dataclass(eq=False)
class KernelRefused(ProaError):
    """Interception could not be set up: *found* is what was answered. The former table, if any, is in force."""

    code: ClassVar[str] = "kernel_refused"
    may_work_otherwise: ClassVar[bool] = False
    """Another backend may do where this one does not."""
    remedy: ClassVar[str] = "the kernel's answer is all that is known; see also the node's kernel log"
    found: str

    def __str__(self) -> str:
        return f"{self.found}\n  {self.remedy}"


@dataclass(eq=False)
class ProgramMissing(KernelRefused):
    """There is no nft or iptables to run."""

    code: ClassVar[str] = "program_missing"
    may_work_otherwise: ClassVar[bool] = True
    remedy: ClassVar[str] = "install nftables 0.9.8 or later in the image of this container and have nft on its PATH"


@dataclass(eq=False)
class NotPermitted(KernelRefused):
    """CAP_NET_ADMIN is lacking."""

    code: ClassVar[str] = "not_permitted"
    remedy: ClassVar[str] = (
        "it takes CAP_NET_ADMIN, and no other capability: securityContext.capabilities.add: [NET_ADMIN], "
        "in a namespace whose Pod Security level is privileged"
    )


@dataclass(eq=False)
class NatMissing(KernelRefused):
    """The kernel has no nf_tables, or no nat chains in inet tables."""

    code: ClassVar[str] = "nat_missing"
    may_work_otherwise: ClassVar[bool] = True
    remedy: ClassVar[str] = (
        "the node needs Linux 5.2 or later with the modules nf_tables, nft_chain_nat and nft_redir; "
        "load them on the node with modprobe, a container may not"
    )


@dataclass(eq=False)
class XtablesMissing(KernelRefused):
    """The kernel has not what iptables needs."""

    code: ClassVar[str] = "xtables_missing"
    may_work_otherwise: ClassVar[bool] = True
    remedy: ClassVar[str] = (
        "the node needs ip_tables or nf_tables with the tables nat, mangle and raw, and xt_owner, xt_REDIRECT, "
        "xt_comment, xt_conntrack; for name servers xt_CT, for tproxy xt_TPROXY and xt_connmark; load them on the "
        "node. iptables-legacy takes CAP_NET_RAW beside CAP_NET_ADMIN"
    )


@dataclass(eq=False)
class TableDiffers(KernelRefused):
    """The kernel took the table, yet shows another one: *found* names each difference."""

    code: ClassVar[str] = "table_differs"
    remedy: ClassVar[str] = "something else edits what is Proa's, or this program and kernel are not known to it"


@dataclass(eq=False)
class NotProvable(KernelRefused):
    """Connections could not be tried."""

    code: ClassVar[str] = "not_provable"
    remedy: ClassVar[str] = "prove as root, before the proxy starts: its ports are listened at meanwhile"


@dataclass(eq=False)
class NotProved(KernelRefused):
    """Connections did not arrive where the settings say: *found* names each."""

    code: ClassVar[str] = "not_proved"
    remedy: ClassVar[str] = "compare with --verify what the kernel holds; other rules of the namespace may come first"


@dataclass(eq=False)
class NotTraced(KernelRefused):
    """No packet of the connection was seen."""

    code: ClassVar[str] = "not_traced"
    remedy: ClassVar[str] = (
        "see that the pod has a route there; one that arrives has to be dialled by others while this waits"
    )


@dataclass(eq=False)
class TraceDiffers(KernelRefused):
    """The kernel led the packet another way than its settings say: *found* names each rule."""

    code: ClassVar[str] = "trace_differs"
    remedy: ClassVar[str] = "compare with --verify what the kernel holds; a table of others may have the packet first"


@dataclass(eq=False)
class NotProgrammed(KernelRefused):
    """Nothing showed in time that somebody else programmed the pod."""

    code: ClassVar[str] = "not_programmed"
    remedy: ClassVar[str] = (
        "the node's agent programs this pod: see that proa-node runs on the pod's node (kubectl -n proa-node get pods"
        " -o wide) and what it logs. The pod is held until it is intercepted; the kubelet tries again"
    )


@dataclass(eq=False)
class NothingToShow(KernelRefused):
    """No connection of this process would tell whether the pod is intercepted."""

    code: ClassVar[str] = "nothing_to_show"
    remedy: ClassVar[str] = (
        "run it as the proxy's user, or as the application's where nothing inbound is captured; a pod in which nothing"
        " is captured at all has to program itself (interception.programmedBy: pod)"
    )


_ANSWERS: Final[tuple[tuple[str, type[KernelRefused]], ...]] = (
    ("Operation not permitted", NotPermitted),
    ("Protocol not supported", NatMissing),
    ("Operation not supported", NatMissing),
    ("No such file or directory", NatMissing),
)
"""Texts of strerror(3). ENOENT is Linux's answer to a chain type or an expression whose module is not there."""


_IPTABLES_ANSWERS: Final[tuple[tuple[str, type[KernelRefused]], ...]] = (
    ("must be root", NotPermitted),
    ("Permission denied", NotPermitted),
    ("Operation not permitted", NotPermitted),
    ("does not exist", XtablesMissing),
    ("No such file or directory", XtablesMissing),
    ("initialize", XtablesMissing),
    ("not supported", XtablesMissing),
    ("not found", XtablesMissing),
)


def nft_failure(complaint: str) -> KernelRefused:
    """What nft's standard error means."""
    found = (
        next((line for line in complaint.splitlines() if "Error" in line), complaint.strip()) or "nft failed silently"
    )
    return next((kind(found) for text, kind in _ANSWERS if text in complaint), KernelRefused(found))


def replacement_failure(complaint: str) -> KernelRefused:
    """The same of a table that is there already: nothing that works is missing, and no other backend to be tried."""
    failure = nft_failure(complaint)
    return KernelRefused(failure.found) if failure.may_work_otherwise else failure


def iptables_failure(complaint: str) -> KernelRefused:
    """What iptables' standard error means."""
    lines = [line for line in complaint.splitlines() if "fail" in line or "rror" in line or ": " in line]
    found = next(iter(lines), complaint.strip()) or "iptables failed silently"
    return next((kind(found) for text, kind in _IPTABLES_ANSWERS if text in complaint), KernelRefused(found))


def unproved(lines: tuple[str, ...]) -> NotProved:
    """*lines* say what did not arrive where it should."""
    return NotProved("connections do not arrive where the settings say:" + "".join(f"\n    {line}" for line in lines))


def astray(lines: tuple[str, ...]) -> TraceDiffers:
    """*lines* say where a packet met other rules than it should."""
    return TraceDiffers("the kernel leads it another way:" + "".join(f"\n    {line}" for line in lines))


def unprogrammed(seconds: int, names: tuple[str, ...]) -> NotProgrammed:
    """*names* of connections that never reached the proxy's ports."""
    return NotProgrammed(f"in {seconds} seconds nobody has intercepted this pod; not captured: {', '.join(names)}")


def missing(program: str, error: OSError) -> ProgramMissing:
    """*program* could not be started."""
    return ProgramMissing(f"{program} cannot be run: {error.strerror}")


def overtaken() -> KernelRefused:
    """Another run made a table of the same name meanwhile."""
    return KernelRefused("rules that another run has put in meanwhile are in force")


def changed_meanwhile() -> KernelRefused:
    """Somebody's transaction came between two of ours, and nobody knows whose table it has left."""
    return KernelRefused("rules of this network namespace were changed meanwhile, and ours were taken back: try again")


def differing_table(differences: tuple[str, ...]) -> TableDiffers:
    return TableDiffers("what was read back differs:" + "".join(f"\n    {text}" for text in differences))
