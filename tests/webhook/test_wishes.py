from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.containers import AccessLog, LogFormat, LogLevel, Proxy, SidecarKind
from proa.mesh import MeshConfiguration, Vocabulary
from webhook.kinds import Before
from webhook.pod import Pod
from webhook.vocabulary import BY_KEY, SETTINGS
from webhook.wishes import ORDINARY, PodSettings, Wishes, wishes

MESH = MeshConfiguration()
ISTIO = MeshConfiguration(vocabulary=Vocabulary.ISTIO)
REGULAR = MeshConfiguration(proxy=Proxy(sidecar=SidecarKind.REGULAR))


def read(annotations: dict[str, str] | None, configuration: MeshConfiguration = MESH, **spec: Any) -> Wishes:
    pod = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "app"}], **spec}}
    return wishes(msgspec.convert(pod, Pod), configuration)


def own(**settings: str) -> dict[str, str]:
    return {f"proa.dev/{name.replace('_', '-')}": value for name, value in settings.items()}


@pytest.mark.parametrize("annotations", [None, {}, {"a/b": "c"}, {names.INJECT: "true"}, {"sidecar.istio.io/x": ""}])
def test_who_asks_for_nothing_gets_the_ordinary(annotations: dict[str, str] | None) -> None:
    assert read(annotations) == Wishes()
    assert read(annotations).settings is ORDINARY


def test_everything_can_be_asked_for_at_once() -> None:
    found = read(
        own(
            sidecar="regular",
            place="before:migrate",
            hold="true",
            concurrency="3",
            drain_time="45s",
            termination_drain="20s",
            log_level="debug",
            component_log_level="upstream:trace",
            log_format="json",
            access_log="off",
            proxy_image="mirror/envoy:v2",
            rewrite_probes="false",
            proxy_cpu_limit="2",
            init_memory_request="none",
        )
    )
    assert found == Wishes(
        PodSettings(
            quantities=(("proxy-cpu-limit", "2"), ("init-memory-request", "none")),
            sidecar=SidecarKind.REGULAR,
            place=Before("migrate"),
            hold=True,
            concurrency=3,
            drain_time=45,
            termination_drain=20,
            log_level=LogLevel.DEBUG,
            component_log_level="upstream:trace",
            log_format=LogFormat.JSON,
            access_log=AccessLog.OFF,
            proxy_image="mirror/envoy:v2",
            rewrite_probes=False,
        )
    )


def test_all_problems_are_told_at_once_by_key_with_what_was_found_and_what_is_allowed() -> None:
    found = read(own(concurrency="none", hold="yes", proxy_cpu_limit='1"\n- x', log_level="info"))
    assert [str(problem) for problem in found.problems] == [
        "metadata.annotations['proa.dev/concurrency']: found 'none', allowed: a whole number from 1 to 256",
        "metadata.annotations['proa.dev/hold']: found 'yes', allowed: true or false",
        "metadata.annotations['proa.dev/proxy-cpu-limit']: found '1\"\\n- x', allowed: a quantity such as 500m or "
        "128Mi, or none",
    ]
    assert found.settings.log_level is LogLevel.INFO


def test_a_misspelt_key_is_warned_of_with_the_one_that_was_meant() -> None:
    found = read(own(loglevel="debug", zzz="1", **{"x" * 300: "1"}))
    assert found.settings == ORDINARY
    assert found.warnings[0] == (
        "the annotation 'proa.dev/loglevel' means nothing to this version of Proa: did you mean proa.dev/log-level?"
    )
    assert found.warnings[1] == "the annotation 'proa.dev/zzz' means nothing to this version of Proa"
    # The API server cuts a warning at 256 characters.
    assert all(len(warning) < 256 for warning in found.warnings)


def test_many_keys_that_mean_nothing_are_few_warnings() -> None:
    assert len(read(own(**{f"unknown-{number}": "" for number in range(2000)})).warnings) == 8


@pytest.mark.parametrize(
    ("configuration", "annotations", "grace", "drain"),
    [
        (MESH, {}, 30, None),
        (MESH, {}, 0, None),
        (MESH, own(termination_drain="10s"), 30, 10),
        (MESH, own(termination_drain="10s"), None, 10),
        (MESH, own(termination_drain="1h"), None, 30),
        (MESH, own(termination_drain="10s"), 4, 4),
        (MESH, own(termination_drain="10s"), 0, 0),
        (MESH, own(sidecar="regular"), 30, None),
        (MESH, own(sidecar="regular"), 3, 3),
        (REGULAR, {}, 3, 3),
        (REGULAR, {}, 60, None),
        (REGULAR, own(sidecar="native"), 3, None),
        (REGULAR, own(termination_drain="0"), 60, 0),
    ],
)
def test_a_drain_fits_into_the_pods_grace_period(
    configuration: MeshConfiguration, annotations: dict[str, str], grace: int | None, drain: int | None
) -> None:
    found = read(annotations, configuration, terminationGracePeriodSeconds=grace)
    assert found.settings.termination_drain == drain


def test_a_pod_with_resources_of_its_own_is_no_ordinary_one() -> None:
    assert read({}, resources={"requests": {"cpu": "1"}}).settings == PodSettings(pod_resources=True)
    assert read({}, resources={}).settings == ORDINARY


def test_istios_names_mean_nothing_unless_the_configuration_says_so() -> None:
    annotations = {"sidecar.istio.io/logLevel": "debug"}
    assert read(annotations) == Wishes()
    assert read(annotations, ISTIO).settings == PodSettings(log_level=LogLevel.DEBUG)


def test_istios_single_settings_mean_what_they_mean_there() -> None:
    found = read(
        {
            "sidecar.istio.io/nativeSidecar": "false",
            "sidecar.istio.io/logLevel": "warn",
            "sidecar.istio.io/componentLogLevel": "http:debug",
            "sidecar.istio.io/proxyImage": "mirror/envoy:v2",
            "sidecar.istio.io/rewriteAppHTTPProbers": "false",
            "proxy.istio.io/config": "{concurrency: 4, holdApplicationUntilProxyStarts: true, drainDuration: 1m, "
            "terminationDrainDuration: 7s}",
        },
        ISTIO,
    )
    assert found == Wishes(
        PodSettings(
            sidecar=SidecarKind.REGULAR,
            log_level=LogLevel.WARNING,
            component_log_level="http:debug",
            proxy_image="mirror/envoy:v2",
            rewrite_probes=False,
            concurrency=4,
            hold=True,
            drain_time=60,
            termination_drain=7,
        )
    )


def test_one_of_istios_resources_replaces_all_of_both_containers() -> None:
    found = dict(read({"sidecar.istio.io/proxyCPU": "100m"}, ISTIO).settings.quantities)
    assert {name for name, value in found.items() if value == "100m"} == {"proxy-cpu-request", "init-cpu-request"}
    assert set(found) == {setting.name for setting in SETTINGS if setting.default.count(".resources.")}
    assert set(found.values()) == {"100m", "none"}


def test_proas_own_name_wins_and_says_so() -> None:
    found = read({"sidecar.istio.io/logLevel": "debug", **own(log_level="error")}, ISTIO)
    assert found.settings == PodSettings(log_level=LogLevel.ERROR)
    assert found.warnings == ("sidecar.istio.io/logLevel has no effect: proa.dev/log-level says the same, and wins",)


def test_what_proa_has_nothing_for_is_warned_of() -> None:
    found = read(
        {
            "sidecar.istio.io/inject": "true",
            "sidecar.istio.io/bootstrapOverride": "x",
            "status.sidecar.istio.io/port": "15999",
            "traffic.sidecar.istio.io/unknown": "80",
            "sidecar.istio.io/proxyImage": "proxyv2",
            "proxy.istio.io/config": "tracing: {}\nconcurrency: 2\n",
            "notistio.io/x": "",
        },
        ISTIO,
    )
    assert found.settings == PodSettings(concurrency=2)
    assert [warning.partition(" has no effect")[0] for warning in found.warnings] == [
        "the annotation 'sidecar.istio.io/bootstrapOverride'",
        "the annotation 'status.sidecar.istio.io/port'",
        "the annotation 'traffic.sidecar.istio.io/unknown'",
        "the annotation 'sidecar.istio.io/proxyImage'",
        "the annotation proxy.istio.io/config ('tracing')",
    ]


@pytest.mark.parametrize(
    ("key", "text", "field"),
    [
        ("sidecar.istio.io/nativeSidecar", "native", "metadata.annotations['sidecar.istio.io/nativeSidecar']"),
        ("sidecar.istio.io/proxyCPU", "lots", "metadata.annotations['sidecar.istio.io/proxyCPU']"),
        ("proxy.istio.io/config", "concurrency: 0", "metadata.annotations['proxy.istio.io/config'].concurrency"),
        ("proxy.istio.io/config", "concurrency: {a: 1}", "metadata.annotations['proxy.istio.io/config'].concurrency"),
        ("proxy.istio.io/config", "- a", "metadata.annotations['proxy.istio.io/config']"),
        ("proxy.istio.io/config", "a: [", "metadata.annotations['proxy.istio.io/config']"),
        ("proxy.istio.io/config", "a: 1\na: 2", "metadata.annotations['proxy.istio.io/config']"),
        ("proxy.istio.io/config", "a: 1 #" + "x" * 20_000, "metadata.annotations['proxy.istio.io/config']"),
    ],
)
def test_what_istio_could_not_read_is_refused_by_istios_key(key: str, text: str, field: str) -> None:
    problems = read({key: text}, ISTIO).problems
    assert {problem.field for problem in problems} == {field}


keys = st.sampled_from([*BY_KEY, *(setting.istio.partition(":")[0] for setting in SETTINGS if setting.istio)])
values = st.text() | st.sampled_from(
    [
        "none",
        "true",
        "1",
        "500m",
        "10s",
        "first",
        "before:a",
        "json",
        "a: b",
        "*x",
        "80,90-95",
        "10.0.0.1/8",
        "*",
        "drop",
    ]
)


@given(st.dictionaries(keys | st.text().map(lambda text: f"proa.dev/{text}"), values), st.sampled_from([MESH, ISTIO]))
def test_any_annotations_give_one_hashable_value_the_same_each_time(
    annotations: dict[str, str], configuration: MeshConfiguration
) -> None:
    found, again = read(annotations, configuration), read(dict(reversed(annotations.items())), configuration)
    assert hash(found.settings) == hash(again.settings)
    assert found.settings == again.settings
    assert sorted(map(str, found.problems)) == sorted(map(str, again.problems))
