"""Istio's flags and environment of `istio-iptables`, as proa-init's own arguments. Pure.

Names, short names and defaults are those of Istio 1.31 (tools/istio-iptables, pkg/cmd and pkg/constants). Three things
differ on purpose: exclusions hold beside a list of ports, too; both families are captured; groups are numbers.
"""

from __future__ import annotations

from proa.capture.networks import without_host_bits
from proa.capture.refusals import refusal
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final

    from proa.capture.refusals import Problem


class Known(Value):
    """A flag of Istio's: its short name, its default, and whether it stands without a value."""

    short: str = ""
    default: str = ""
    switch: bool = False


FLAGS: Final = {
    "envoy-port": Known("p", "15001"),
    "inbound-capture-port": Known("z", "15006"),
    "inbound-tunnel-port": Known("e", "15008"),
    "proxy-uid": Known("u", "1337"),
    "proxy-gid": Known("g"),
    "istio-inbound-interception-mode": Known("m"),
    "istio-inbound-tproxy-mark": Known("t", "1337"),
    "istio-inbound-tproxy-route-table": Known("r", "133"),
    "istio-inbound-ports": Known("b"),
    "istio-local-exclude-ports": Known("d"),
    "istio-exclude-interfaces": Known("c"),
    "istio-service-cidr": Known("i"),
    "istio-service-exclude-cidr": Known("x"),
    "istio-outbound-ports": Known("q"),
    "istio-local-outbound-ports-exclude": Known("o"),
    "kube-virt-interfaces": Known("k"),
    "dry-run": Known("n", switch=True),
    "redirect-dns": Known(switch=True),
    "capture-all-dns": Known(switch=True),
    "drop-invalid": Known(switch=True),
    "skip-rule-apply": Known(switch=True),
    "run-validation": Known(switch=True),
    "cleanup-only": Known(switch=True),
    "native-nftables": Known(switch=True),
    "force-iptables-binary": Known(),
    "iptables-trace-logging": Known(switch=True),
    # Without a meaning here: both families are always captured, a run is always repeatable, and --prove has no port.
    "dual-stack": Known(switch=True),
    "reconcile": Known(switch=True),
    "force-apply": Known(switch=True),
    "restore-format": Known("f", switch=True),
    "iptables-probe-port": Known(),
    "probe-timeout": Known(),
    "log_output_level": Known(),
    "log_as_json": Known(switch=True),
    # Of the environment alone.
    "istio-outbound-ipv4-loopback-cidr": Known(default="127.0.0.1/32"),
    "istio-outbound-owner-groups": Known(default="*"),
    "istio-outbound-owner-groups-exclude": Known(),
}
_OTHER_NAMES: Final = {
    "ISTIO_META_DNS_CAPTURE": "redirect-dns",
    "INVALID_DROP": "drop-invalid",
}
_SHORT: Final = {known.short: name for name, known in FLAGS.items() if known.short}
_COMMAND: Final = "istio-iptables"
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
"""strconv.ParseBool's."""


def translated(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """proa-init's arguments for what *arguments* and *environment* ask of istio-iptables. Raises Refused."""
    problems: list[Problem] = []
    given = _of_environment(environment) | dict(_given(arguments, problems))
    if problems:
        raise refusal("Istio's command line", problems)
    values = {name: given.get(name, known.default) for name, known in FLAGS.items()}
    return (*_settings(values), *_modes(values))


def _settings(values: Mapping[str, str]) -> Iterator[str]:
    yield f"--outbound-port={values['envoy-port']}"
    yield f"--inbound-port={values['inbound-capture-port']}"
    yield f"--tunnel-ports={values['inbound-tunnel-port']}"
    yield f"--proxy-uid={values['proxy-uid']}"
    yield f"--proxy-gid={values['proxy-gid'] or values['proxy-uid']}"
    yield f"--include-inbound-ports={values['istio-inbound-ports']}"
    yield f"--exclude-inbound-ports={values['istio-local-exclude-ports']}"
    yield f"--exclude-interfaces={values['istio-exclude-interfaces']}"
    yield f"--virtual-interfaces={values['kube-virt-interfaces']}"
    yield f"--include-outbound-cidrs={without_host_bits(values['istio-service-cidr'])}"
    yield f"--exclude-outbound-cidrs={without_host_bits(values['istio-service-exclude-cidr'])}"
    yield f"--exclude-outbound-ports={values['istio-local-outbound-ports-exclude']}"
    if values["istio-service-cidr"] != "*":  # beside all addresses, ports at any address add nothing
        yield f"--outbound-ports-anywhere={values['istio-outbound-ports']}"
    yield f"--loopback={values['istio-outbound-ipv4-loopback-cidr']}"
    yield f"--include-gids={values['istio-outbound-owner-groups']}"
    yield f"--exclude-gids={values['istio-outbound-owner-groups-exclude']}"


def _modes(values: Mapping[str, str]) -> Iterator[str]:
    if values["istio-inbound-interception-mode"] == "TPROXY":
        mark, table = values["istio-inbound-tproxy-mark"], values["istio-inbound-tproxy-route-table"]
        yield f"--inbound-mode=tproxy:{mark}:{table}"
    if values["redirect-dns"] in _TRUE:
        yield "--dns=all" if values["capture-all-dns"] in _TRUE else "--dns=resolv.conf"
    if values["drop-invalid"] in _TRUE:
        yield "--drop-invalid=true"
    if values["iptables-trace-logging"] in _TRUE:
        yield "--log-rate=10"
    yield from _actions(values)
    if values["native-nftables"] in _TRUE:
        yield "--backend=nftables"
    elif values["force-iptables-binary"]:
        yield f"--backend=iptables{'-legacy' if values['force-iptables-binary'] == 'legacy' else ''}"


def _actions(values: Mapping[str, str]) -> Iterator[str]:
    if values["cleanup-only"] in _TRUE:
        yield "--remove"
    elif values["skip-rule-apply"] in _TRUE and values["run-validation"] in _TRUE:
        yield "--prove"
        return
    if values["dry-run"] in _TRUE:
        yield "--dry-run"


def _of_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An empty variable is as none."""
    names = _OTHER_NAMES | {name.replace("-", "_").upper(): name for name in FLAGS}
    return {names[name]: value for name, value in environment.items() if value and name in names}


def _given(arguments: Sequence[str], problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Flags with their values: `--flag value`, `--flag=value`, `-f value`, `-fvalue`; switches alone or with `=`."""
    rest = list(arguments[1:] if arguments[:1] == [_COMMAND] else arguments)
    while rest:
        word = rest.pop(0)
        name, joined, value = _parted(word)
        if name not in FLAGS:
            problems.append(("argument", word, "a flag of istio-iptables that an init container has"))
        elif joined or FLAGS[name].switch:
            yield name, value if joined else "true"
        elif rest:
            yield name, rest.pop(0)
        else:
            problems.append((f"--{name}", None, "a value"))


def _parted(word: str) -> tuple[str, bool, str]:
    """The long name, whether a value is joined to it, and the value."""
    if word.startswith("--"):
        name, joined, value = word[2:].partition("=")
        return name, bool(joined), value
    name, value = _SHORT.get(word[1:2], word) if word.startswith("-") else word, word[2:]
    return name, bool(value), value.removeprefix("=")
