"""The behavioural cases: under which settings who dials what, and who answers. Their numbers are the project's notes'.

4 and 6 are the address families; a case is tried in each of those it has an address of.
"""

from dataclasses import dataclass, field

APP, PROXY, ROOT = (1000, 1000), (1337, 1337), (0, 0)
POD = {4: "10.77.0.2", 6: "fd77::2"}
PEER = {4: "10.77.0.1", 6: "fd77::1"}
POD_ON_ETH1 = {4: "10.78.0.2", 6: "fd78::2"}
PEER_ON_ETH1 = {4: "10.78.0.1", 6: "fd78::1"}
BRIDGE = {4: "10.79.0.2", 6: "fd79::2"}
SERVICE = {4: "10.96.0.10", 6: "fd96::10"}
SITE = {4: "1.1.0.1", 6: "fd11::1"}
OTHER_SITE = {4: "9.9.1.1", 6: "fd99::1"}
RESOLVER = {4: "10.77.9.53", 6: "fd77:9::53"}
OTHER_RESOLVER = {4: "10.77.9.54", 6: "fd77:9::54"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
HAIRPIN = {4: "127.0.0.6", 6: "::6"}

INBOUND, OUTBOUND, ANSWERED = ("pod", 15006), ("pod", 15001), ("pod", 15053)
NOTHING = ("", 0)
REFUSED = ("refused", 0)


@dataclass(frozen=True)
class Case:
    """Who dials what; what it reaches: NOTHING if it is dropped, REFUSED if it is told so."""

    name: str
    place: str
    ids: tuple[int, int]
    to: dict[int, str]
    port: int
    answered_by: tuple[str, int]
    client: dict[int, str] | None = None
    """Whom the answering side sees."""
    source: dict[int, str] | None = None
    source_port: int = 0
    udp: bool = False
    mark: int = 0
    only: str = ""
    """The inbound mode it is about, if not both."""

    @property
    def captured(self) -> bool:
        return not self.udp and self.answered_by in {INBOUND, OUTBOUND, ANSWERED}


@dataclass(frozen=True)
class Settings:
    """What proa-init is told, and what then happens."""

    name: str
    flags: tuple[str, ...]
    cases: tuple[Case, ...] = field(repr=False)


def both(name: str, ids: tuple[int, int], to: dict[int, str], port: int, answered_by: tuple[str, int]) -> list[Case]:
    """The same by TCP and by UDP."""
    tcp = Case(f"{name}, TCP", "pod", ids, to, port, answered_by)
    return [tcp, Case(f"{name}, UDP", "pod", ids, to, port, answered_by, udp=True)]


def asked(name: str, ids: tuple[int, int], to: dict[int, str], answered_by: tuple[str, int], port: int = 0) -> Case:
    """A question from the pod by UDP, from *port* if it is one."""
    return Case(name, "pod", ids, to, 53, answered_by, udp=True, source_port=port)


D = ("--exclude-inbound-ports=15020,15021,15090", "--tunnel-ports=15008")
DNS = (*D, "--dns=10.77.9.53,fd77:9::53")

DEFAULT = Settings(
    "default",
    D,
    (
        Case("1 and 4: the peer dials the application", "peer", APP, POD, 8080, INBOUND, client=PEER),
        Case("2: an excluded port", "peer", APP, POD, 15020, ("pod", 15020), client=PEER),
        Case("2: the metrics port", "peer", APP, POD, 15090, ("pod", 15090), client=PEER),
        Case("3 and 44: the tunnel's port", "peer", APP, POD, 15008, ("pod", 15008)),
        Case("8 and 21: the application dials a service", "pod", APP, SERVICE, 80, OUTBOUND, client=POD),
        Case("9: so does a process of root", "pod", ROOT, SERVICE, 80, OUTBOUND, client=POD),
        Case("8: and the peer itself", "pod", APP, PEER, 8080, OUTBOUND, client=POD),
        Case("10: the proxy's user of another group", "pod", (1337, 5), SERVICE, 80, ("peer", 80), client=POD),
        Case("11: the proxy's group of another user", "pod", (1000, 1337), SERVICE, 80, ("peer", 80), client=POD),
        Case("10: the proxy", "pod", PROXY, SERVICE, 80, ("peer", 80), client=POD),
        Case("12 and 22: the application dials loopback", "pod", APP, LOOPBACK, 8080, ("pod", 8080)),
        Case("13: all of 127.0.0.0/8 is loopback", "pod", APP, {4: "127.0.0.2"}, 8080, ("pod", 8080)),
        Case("14 and 46: the application dials the pod", "pod", APP, POD, 8080, ("pod", 8080), client=POD),
        Case("15: the proxy dials the pod", "pod", PROXY, POD, 8080, INBOUND, client=POD),
        Case("16: the proxy's user does", "pod", (1337, 5), POD, 8080, INBOUND, client=POD),
        Case("16: the proxy's group does", "pod", (1000, 1337), POD, 8080, INBOUND, client=POD),
        Case("17: the proxy dials loopback", "pod", PROXY, LOOPBACK, 8080, ("pod", 8080), client=LOOPBACK),
        Case("32: all of it, by default", "pod", PROXY, {4: "127.0.0.6"}, 8080, ("pod", 8080)),
        Case("19: the hairpin", "pod", PROXY, POD, 8080, ("pod", 8080), source=HAIRPIN, client=HAIRPIN),
        Case("20: the proxy dials the tunnel", "pod", PROXY, POD, 15008, ("pod", 15008)),
        Case("23: datagrams leave as they are", "pod", APP, SERVICE, 443, ("peer", 443), udp=True, client=POD),
        Case("questions do, too", "pod", APP, RESOLVER, 53, ("peer", 53), udp=True, client=POD),
        Case("questions by TCP are TCP", "pod", APP, RESOLVER, 53, OUTBOUND),
        Case(
            *("45: the proxy speaks from its client's address", "pod", PROXY, POD, 8080, ("pod", 8080)),
            source=PEER,
            client=PEER,
            mark=1337,
            only="tproxy",
        ),
    ),
)

TABLE = (
    DEFAULT,
    Settings(
        "5: listed inbound ports",
        ("--include-inbound-ports=8080,9000-9090",),
        (
            Case("a listed port", "peer", APP, POD, 8080, INBOUND),
            Case("one of a listed range", "peer", APP, POD, 9090, INBOUND),
            Case("another one", "peer", APP, POD, 8081, ("pod", 8081)),
            Case("the pod calls itself there", "pod", PROXY, POD, 8081, ("pod", 8081)),
        ),
    ),
    Settings(
        "an exclusion inside a listed range",
        ("--include-inbound-ports=8000-8090", "--exclude-inbound-ports=8081"),
        (
            Case("the excluded one", "peer", APP, POD, 8081, ("pod", 8081)),
            Case("its neighbour", "peer", APP, POD, 8080, INBOUND),
        ),
    ),
    Settings(
        "6: no inbound port",
        ("--include-inbound-ports=",),
        (
            Case("the peer dials", "peer", APP, POD, 8080, ("pod", 8080)),
            Case("outbound goes on", "pod", APP, SERVICE, 80, OUTBOUND),
        ),
    ),
    Settings(
        "18: Istio's loopback",
        ("--loopback=127.0.0.1/32",),
        (Case("the proxy dials 127.0.0.6", "pod", PROXY, {4: "127.0.0.6"}, 15002, INBOUND),),
    ),
    Settings(
        "several users and groups of the proxy",
        ("--proxy-uid=1337,1400-1410", "--proxy-gid=1337,500"),
        (
            Case("the second user dials out", "pod", (1405, 5), SERVICE, 80, ("peer", 80)),
            Case("the second user dials the pod", "pod", (1405, 5), POD, 8080, INBOUND),
            Case("the second group dials the pod", "pod", (1000, 500), POD, 8080, INBOUND),
            Case("the next user is no proxy", "pod", (1411, 5), SERVICE, 80, OUTBOUND),
        ),
    ),
    Settings(
        "24: excluded networks",
        ("--exclude-outbound-cidrs=1.1.0.0/16,fd11::/16",),
        (
            Case("in it", "pod", APP, SITE, 80, ("peer", 80)),
            Case("outside", "pod", APP, SERVICE, 80, OUTBOUND),
        ),
    ),
    Settings(
        "25: excluded ports",
        ("--exclude-outbound-ports=22,3000-3100",),
        (
            *both("one", APP, SERVICE, 22, ("peer", 22)),
            Case("one of a range", "pod", APP, SERVICE, 3050, ("peer", 3050)),
            Case("another", "pod", APP, SERVICE, 80, OUTBOUND),
        ),
    ),
    Settings(
        "26 and 28: included networks, an excluded one within",
        ("--include-outbound-cidrs=9.0.0.0/8,fd99::/16,1.1.0.0/16,fd11::/16", "--exclude-outbound-cidrs=9.9.1.0/24"),
        (
            Case("included", "pod", APP, SITE, 80, OUTBOUND),
            Case("excluded within", "pod", APP, {4: OTHER_SITE[4]}, 80, ("peer", 80)),
            Case("included still", "pod", APP, {6: OTHER_SITE[6]}, 80, OUTBOUND),
            Case("elsewhere", "pod", APP, SERVICE, 80, ("peer", 80)),
            Case("loopback is not among them", "pod", APP, LOOPBACK, 8080, ("pod", 8080)),
        ),
    ),
    Settings(
        "27: included ports narrow",
        ("--include-outbound-cidrs=9.9.0.0/16,fd99::/16", "--include-outbound-ports=443"),
        (
            Case("both hold", "pod", APP, OTHER_SITE, 443, OUTBOUND),
            Case("the network alone", "pod", APP, OTHER_SITE, 80, ("peer", 80)),
            Case("the port alone", "pod", APP, SERVICE, 443, ("peer", 443)),
        ),
    ),
    Settings(
        "27: ports anywhere widen, as Istio's",
        ("--include-outbound-cidrs=9.9.0.0/16,fd99::/16", "--outbound-ports-anywhere=443"),
        (
            Case("the network alone", "pod", APP, OTHER_SITE, 80, OUTBOUND),
            Case("the port alone", "pod", APP, SERVICE, 443, OUTBOUND),
            Case("neither", "pod", APP, SERVICE, 80, ("peer", 80)),
        ),
    ),
    Settings(
        "29 and 30: exclusions win",
        ("--include-outbound-ports=20-30,443", "--exclude-outbound-ports=22", "--exclude-outbound-cidrs=1.1.0.0/16"),
        (
            Case("an included and excluded port", "pod", APP, SERVICE, 22, ("peer", 22)),
            Case("an included port in an excluded network", "pod", APP, {4: SITE[4]}, 443, ("peer", 443)),
            Case("an included port", "pod", APP, SERVICE, 443, OUTBOUND),
        ),
    ),
    Settings(
        "31: an included address of loopback",
        ("--include-outbound-cidrs=127.1.2.3",),
        (
            Case("itself", "pod", APP, {4: "127.1.2.3"}, 8080, OUTBOUND),
            Case("another one", "pod", APP, {4: "127.0.0.1"}, 8080, ("pod", 8080)),
        ),
    ),
    Settings(
        "no outbound connections",
        ("--include-outbound-cidrs=",),
        (
            Case("the application dials a service", "pod", APP, SERVICE, 80, ("peer", 80)),
            Case("inbound goes on", "peer", APP, POD, 8080, INBOUND),
        ),
    ),
    Settings(
        "33: included groups",
        ("--include-gids=202,300-310",),
        (
            Case("one of them", "pod", (1000, 202), SERVICE, 80, OUTBOUND),
            Case("one of a range", "pod", (1000, 305), SERVICE, 80, OUTBOUND),
            Case("another", "pod", APP, SERVICE, 80, ("peer", 80)),
        ),
    ),
    Settings(
        "34 and 40: excluded groups, with questions",
        (*DNS, "--exclude-gids=888"),
        (
            Case("it dials", "pod", (1000, 888), SERVICE, 80, ("peer", 80)),
            Case("another does", "pod", APP, SERVICE, 80, OUTBOUND),
            asked("it asks", (1000, 888), RESOLVER, ("peer", 53)),
        ),
    ),
    Settings(
        "52: excluded users, with ports",
        ("--exclude-users=2000:5432,3000-3100;2100-2200",),
        (
            Case("the port", "pod", (2000, 2000), SERVICE, 5432, ("peer", 5432)),
            Case("one of the range", "pod", (2000, 2000), SERVICE, 3050, ("peer", 3050)),
            Case("another port", "pod", (2000, 2000), SERVICE, 80, OUTBOUND),
            Case("another user", "pod", APP, SERVICE, 5432, OUTBOUND),
            Case("a user without ports", "pod", (2150, 5), SERVICE, 80, ("peer", 80)),
        ),
    ),
    Settings(
        "35 to 37 and 39: questions to a name server",
        DNS,
        (
            asked("35: the application asks it", APP, RESOLVER, ANSWERED),
            asked("35: the application asks another", APP, OTHER_RESOLVER, ("peer", 53)),
            Case("36: by TCP", "pod", APP, RESOLVER, 53, ANSWERED),
            asked("37: the proxy asks it", PROXY, RESOLVER, ("peer", 53)),
            Case("37: by TCP", "pod", PROXY, RESOLVER, 53, ("peer", 53)),
            asked("39: the application asks first", APP, RESOLVER, ANSWERED, 40000),
            asked("39: then the proxy, from the same port", PROXY, RESOLVER, ("peer", 53), 40000),
            asked("39: the proxy asks first", PROXY, RESOLVER, ("peer", 53), 40001),
            asked("39: then the application, from the same port", APP, RESOLVER, ANSWERED, 40001),
            Case("other datagrams leave as they are", "pod", APP, SERVICE, 443, ("peer", 443), udp=True),
            Case("other connections are captured", "pod", APP, SERVICE, 80, OUTBOUND),
        ),
    ),
    Settings(
        "38: all questions",
        (*D, "--dns=all"),
        (
            asked("to any server", APP, OTHER_RESOLVER, ANSWERED),
            asked("to one in the pod", APP, LOOPBACK, ANSWERED),
            asked("the proxy's own", PROXY, RESOLVER, ("peer", 53)),
            Case("by TCP", "pod", APP, OTHER_RESOLVER, 53, ANSWERED),
        ),
    ),
    Settings(
        "41: an excluded interface",
        ("--exclude-interfaces=eth1",),
        (
            Case("the peer dials by it", "peer", APP, POD_ON_ETH1, 8080, ("pod", 8080)),
            Case("the application does", "pod", APP, PEER_ON_ETH1, 80, ("peer", 80)),
            Case("by the other interface", "peer", APP, POD, 8080, INBOUND),
            Case("out of the other interface", "pod", APP, PEER, 80, OUTBOUND),
        ),
    ),
    Settings(
        "without the exclusion",
        D,
        (
            Case("the peer dials by eth1", "peer", APP, POD_ON_ETH1, 8080, INBOUND),
            Case("the application does", "pod", APP, PEER_ON_ETH1, 80, OUTBOUND),
        ),
    ),
    Settings(
        "42: a virtual machine",
        (*DNS, "--virtual-interfaces=k6t0", "--exclude-outbound-cidrs=1.1.0.0/16,fd11::/16"),
        (
            Case("it dials a service", "machine", APP, SERVICE, 80, OUTBOUND),
            Case("it asks for a name", "machine", APP, RESOLVER, 53, ANSWERED, udp=True),
            Case("it dials an excluded network", "machine", APP, SITE, 80, ("peer", 80)),
            Case("it dials the pod", "machine", APP, BRIDGE, 8080, ("pod", 8080)),
            Case("the peer dials the pod", "peer", APP, POD, 8080, INBOUND),
        ),
    ),
    Settings(
        "23: datagrams are dropped",
        ("--udp=drop",),
        (
            Case("of the application", "pod", APP, SERVICE, 443, NOTHING, udp=True),
            Case("of the proxy", "pod", PROXY, SERVICE, 443, ("peer", 443), udp=True),
            Case("names are found", "pod", APP, RESOLVER, 53, ("peer", 53), udp=True),
            Case("connections go on", "pod", APP, SERVICE, 443, OUTBOUND),
        ),
    ),
    Settings(
        "23: datagrams are rejected, questions answered",
        (*DNS, "--udp=reject", "--exclude-outbound-ports=5000"),
        (
            Case("of the application", "pod", APP, SERVICE, 443, REFUSED, udp=True),
            Case("to an excluded port", "pod", APP, SERVICE, 5000, ("peer", 5000), udp=True),
            asked("a captured question", APP, RESOLVER, ANSWERED),
        ),
    ),
    Settings(
        "QUIC is rejected, other datagrams pass",
        ("--quic=reject",),
        (
            Case("QUIC", "pod", APP, SERVICE, 443, REFUSED, udp=True),
            Case("another datagram", "pod", APP, SERVICE, 5000, ("peer", 5000), udp=True),
        ),
    ),
    Settings(
        "21: IPv6 passes by",
        ("--ipv6=bypass",),
        (
            Case("out", "pod", APP, {6: SERVICE[6]}, 80, ("peer", 80)),
            Case("in", "peer", APP, {6: POD[6]}, 8080, ("pod", 8080)),
            Case("IPv4 out", "pod", APP, {4: SERVICE[4]}, 80, OUTBOUND),
            Case("IPv4 in", "peer", APP, {4: POD[4]}, 8080, INBOUND),
        ),
    ),
    Settings(
        "21: IPv6 does not pass",
        (*D, "--ipv6=drop"),
        (
            Case("out", "pod", APP, {6: SERVICE[6]}, 80, NOTHING),
            Case("a datagram out", "pod", APP, {6: SERVICE[6]}, 443, NOTHING, udp=True),
            Case("in", "peer", APP, {6: POD[6]}, 8080, NOTHING),
            Case("in, to an excluded port", "peer", APP, {6: POD[6]}, 15020, ("pod", 15020)),
            Case("inside the pod", "pod", APP, {6: POD[6]}, 8080, ("pod", 8080)),
            Case("the proxy's own", "pod", PROXY, {6: SERVICE[6]}, 80, ("peer", 80)),
            Case("IPv4 out", "pod", APP, {4: SERVICE[4]}, 80, OUTBOUND),
        ),
    ),
    Settings(
        "IPv4 does not pass",
        ("--ipv4=drop", "--udp=drop"),
        (
            Case("out", "pod", APP, {4: SERVICE[4]}, 80, NOTHING),
            Case("in", "peer", APP, {4: POD[4]}, 8080, NOTHING),
            Case("IPv6 out", "pod", APP, {6: SERVICE[6]}, 80, OUTBOUND),
        ),
    ),
    Settings(
        "invalid packets are dropped, captures are logged",
        (*DNS, "--drop-invalid=true", "--log-rate=10"),
        (
            Case("in", "peer", APP, POD, 8080, INBOUND),
            Case("out", "pod", APP, SERVICE, 80, OUTBOUND),
            asked("a question", APP, RESOLVER, ANSWERED),
        ),
    ),
)
