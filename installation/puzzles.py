"""Pods at which one wonders, for docs/injection.md. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec.json import encode

from installation.offline import traced
from proa import names
from webhook.status import FORMAT, Status
from webhook.trial import tried_configuration


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A pod at which one wonders: *stream* is YAML, *configuration* a mesh.yaml, empty for the defaults."""

    question: str
    stream: str
    configuration: str = ""

    @property
    def answer(self) -> Iterator[str]:
        """The lines of `proa explain -f` but for its tables."""
        for each in traced(self.stream, tried_configuration(self.configuration)):
            yield f"{each.title}: {each.explanation.conclusion}"
            yield from (f"note: {note}" for note in each.notes)
            yield from (f"Warning: {warning}" for warning in each.explanation.warnings)


def _namespace(name: str, labels: str = "") -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n"


def _pod(namespace: str, metadata: str = "", spec: str = "", app: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: {namespace}{metadata}}}\n"
        f"spec: {{containers: [{{name: app{app}}}]{spec}}}\n"
    )


def _job(template: str = "") -> str:
    return (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: report, namespace: shop}\n"
        f"spec: {{template: {{{template}spec: {{containers: [{{name: app}}], restartPolicy: Never}}}}}}\n"
    )


def _annotated(annotations: str) -> str:
    return f", annotations: {{{annotations}}}"


def _record() -> str:
    """Of a sidecar that another version, or another configuration, gave."""
    record = Status(
        version=FORMAT,
        proa="0.0.1",
        fingerprint="0" * 16,
        init_containers=(names.INIT_CONTAINER, names.PROXY_CONTAINER),
        volumes=(),
        annotations=(names.STATUS,),
    )
    return f"{names.STATUS}: '{encode(record).decode()}'"


_ASKING: Final = ', labels: {proa.dev/inject: "true"}'
_ENABLED: Final = "proa.dev/inject: enabled"


_OPTED_IN: Final = f"{_namespace('shop', _ENABLED)}---\n"
_CARRYING: Final = ", initContainers: [{name: proa-init}, {name: proa-proxy, restartPolicy: Always}]"
PUZZLES: Final = (
    Puzzle(
        "The label asks, the annotation does not",
        f"{_namespace('shop')}---\n"
        + _pod("shop", ", labels: {proa.dev/inject: enabled}, annotations: {proa.dev/inject: disabled}"),
    ),
    Puzzle("`yes` is not a value", f"{_namespace('shop')}---\n" + _pod("shop", ', labels: {proa.dev/inject: "yes"}')),
    Puzzle(
        "`yes`, where unusable values only warn",
        _OPTED_IN + _pod("shop", ', annotations: {proa.dev/inject: "yes"}'),
        "injection: {unusable: warn}",
    ),
    Puzzle(
        "It asks, and uses the node's network",
        f"{_namespace('shop')}---\n{_pod('shop', _ASKING, ', hostNetwork: true')}",
    ),
    Puzzle("It runs on Windows", f"{_OPTED_IN}{_pod('shop', '', ', os: {name: windows}')}"),
    Puzzle("It stands in Proa's own namespace", _pod("proa-system", _ASKING)),
    Puzzle(
        "A Job's pod, where Jobs are opted out",
        _OPTED_IN + _job(),
        "injection: {owners: {Job: disabled}}",
    ),
    Puzzle(
        "Istio's label, which is not read",
        f"{_namespace('shop', 'istio-injection: enabled')}---\n{_pod('shop')}",
    ),
    Puzzle(
        "Istio's label, which is read",
        f"{_namespace('shop', 'istio-injection: enabled')}---\n{_pod('shop')}",
        "vocabulary: istio",
    ),
    Puzzle(
        "Istio's annotation asks, and nothing else",
        f"{_namespace('shop')}---\n" + _pod("shop", ', annotations: {sidecar.istio.io/inject: "true"}'),
        "vocabulary: istio",
    ),
    Puzzle(
        "The namespace is restricted",
        f"{_namespace('shop', f'{_ENABLED}, pod-security.kubernetes.io/enforce: restricted')}---\n{_pod('shop')}",
    ),
    Puzzle(
        "It opts out, and its namespace is enforced",
        f"{_namespace('pay', _ENABLED)}---\n{_pod('pay', ', labels: {proa.dev/inject: disabled}')}",
        "injection: {enforce: [pay]}",
    ),
    Puzzle(
        "A selector says never, the namespace says yes",
        f"{_OPTED_IN}{_pod('shop', ', labels: {app: legacy}')}",
        "injection: {never: {pods: {matchLabels: {app: legacy}}}}",
    ),
    Puzzle(
        "A container runs as the proxy's user",
        f"{_OPTED_IN}{_pod('shop', app=', securityContext: {runAsUser: 1337}')}",
    ),
    Puzzle(
        "It has a port of the sidecar's",
        f"{_OPTED_IN}{_pod('shop', app=', ports: [{containerPort: 15021}]')}",
    ),
    Puzzle(
        "A probe asks a port by a name that its container has not",
        _OPTED_IN
        + _pod(
            "shop",
            app=", ports: [{name: http, containerPort: 8080}], readinessProbe: {httpGet: {port: web}},"
            " livenessProbe: {httpGet: {port: http}}",
        ),
    ),
    Puzzle(
        "It names a template that is not there",
        f"{_OPTED_IN}{_pod('shop', _annotated('proa.dev/templates: traced'))}",
        "templates: {tracing: {metadata: {labels: {tracing: 'on'}}}}",
    ),
    Puzzle(
        "Its annotations contradict one another, and one has a value that is none",
        _OPTED_IN
        + _pod(
            "shop",
            _annotated(
                'proa.dev/include-inbound-ports: "8080", proa.dev/exclude-inbound-ports: "8080",'
                " proa.dev/proxy-memory-request: 64Mi, proa.dev/proxy-memory-limit: 32Mi, proa.dev/log-level: loud"
            ),
        ),
    ),
    Puzzle(
        "An annotation is misspelt",
        f"{_OPTED_IN}{_pod('shop', _annotated('proa.dev/log-levle: debug'))}",
    ),
    Puzzle(
        "Istio's settings, which are not read",
        _OPTED_IN + _pod("shop", _annotated('traffic.sidecar.istio.io/excludeOutboundPorts: "5432"')),
    ),
    Puzzle(
        "A Job asks for a regular sidecar",
        _OPTED_IN + _job("metadata: {annotations: {proa.dev/sidecar: regular}}, "),
    ),
    Puzzle(
        "It carries the sidecar of another version",
        _OPTED_IN
        + _pod(
            "shop",
            _annotated(_record()),
            _CARRYING,
        ),
    ),
    Puzzle(
        "It opts out, and carries a sidecar",
        _OPTED_IN
        + _pod(
            "shop",
            f", labels: {{proa.dev/inject: disabled}}{_annotated(_record())}",
            _CARRYING,
        ),
    ),
)
