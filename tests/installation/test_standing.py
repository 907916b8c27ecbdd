"""What keeps Proa's processes up, apart and among themselves: probes, room, budgets, priority, network policies."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from installation.objects import objects
from installation.options import REPLICAS, Options, Profile, Scope
from proa import names
from proa.quantity import amount
from support.installations import OPTIONS, of_kind
from webhook.registration import SERVICE_PORT


def made(options: Options) -> list[Any]:
    return list(objects(replace(options, scope=Scope.ALL)))


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def containers(found: list[Any]) -> list[Any]:
    return [each for made in of_kind(found, "Deployment") for each in made["spec"]["template"]["spec"]["containers"]]


def ports(rules: list[Any]) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}


@given(OPTIONS)
def test_every_process_is_watched_by_the_kubelet_where_it_answers(options: Options) -> None:
    for each in containers(made(options)):
        (health,) = [port for port in each["ports"] if port["name"] == "health"]
        assert health["containerPort"] == names.HEALTH_PORT
        paths = {probe: each[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
        assert {found["port"] for found in paths.values()} == {"health"}
        assert {probe: found["path"] for probe, found in paths.items()} == {
            "startup": "/healthz",
            "readiness": "/readyz",
            "liveness": "/healthz",
        }
        # One that is not ready is taken out of its Service long before one that hangs is killed.
        slow, fast = (
            each[probe]["periodSeconds"] * each[probe]["failureThreshold"]
            for probe in ("livenessProbe", "readinessProbe")
        )
        assert slow >= 10 * fast


@given(OPTIONS)
def test_every_process_asks_for_room_and_is_bounded_in_memory_and_not_in_time(options: Options) -> None:
    for each in containers(made(options)):
        requests, limits = each["resources"]["requests"], each["resources"]["limits"]
        assert set(requests) == {"cpu", "memory"}
        assert set(limits) == {"memory"}
        assert amount(limits["memory"]) >= 2 * amount(requests["memory"])


@given(OPTIONS)
def test_every_process_has_an_account_a_priority_and_a_budget_that_are_there(options: Options) -> None:
    found = made(options)
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    for each in of_kind(found, "Deployment"):
        name, spec = each["metadata"]["name"], each["spec"]["template"]["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in there
        assert ("PriorityClass", spec["priorityClassName"]) in there
        assert (("PodDisruptionBudget", name) in there) is (options.profile is not Profile.MINIMAL)
    for each in of_kind(found, "PodDisruptionBudget"):
        # A drain must go on, and never take more than one.
        assert each["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("profile", REPLICAS)
def test_replicas_of_one_rollout_keep_apart_and_those_of_two_need_not(profile: Profile) -> None:
    for each in of_kind(made(Options(profile=profile)), "Deployment"):
        spec = each["spec"]["template"]["spec"]
        if profile is Profile.MINIMAL:
            assert "affinity" not in spec
            continue
        ((term,),) = spec["affinity"]["podAntiAffinity"].values()
        term = term.get("podAffinityTerm", term)
        (spread,) = spec["topologySpreadConstraints"]
        for rule in (term, spread):
            assert selected(rule["labelSelector"], each["spec"]["template"]["metadata"]["labels"])
            assert rule["matchLabelKeys"] == ["pod-template-hash"]
        assert (term["topologyKey"], spread["topologyKey"]) == ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


@given(OPTIONS)
def test_a_pod_is_let_through_to_what_it_needs_by_one_policy_and_kept_from_the_rest_by_another(
    options: Options,
) -> None:
    found = made(options)
    policies = of_kind(found, "NetworkPolicy")
    (closed,) = [each for each in policies if each["spec"]["podSelector"] == {}]
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for each in of_kind(found, "Deployment"):
        template = each["spec"]["template"]
        (own,) = [
            policy
            for policy in policies
            if policy is not closed and selected(policy["spec"]["podSelector"], template["metadata"]["labels"])
        ]
        assert own["metadata"]["name"] == each["metadata"]["name"]
        (container,) = template["spec"]["containers"]
        assert ports(own["spec"]["ingress"]) == {port["containerPort"] for port in container["ports"]}
        anywhere = [rule for rule in own["spec"]["egress"] if "to" not in rule]
        assert ports(anywhere) == {443, 6443, 8443, 16443, 53}
        assert {port["protocol"] for rule in anywhere for port in rule["ports"] if port["port"] == 53} == {"UDP", "TCP"}


@given(OPTIONS)
def test_istios_clients_find_the_ports_that_the_authority_listens_on_where_they_are_wanted(options: Options) -> None:
    found = [each for each in made(options) if each["metadata"]["name"] == names.AUTHORITY]
    offered = [port for each in of_kind(found, "Service") for port in each["spec"]["ports"]]
    (container,) = containers(of_kind(found, "Deployment"))
    listening = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert all(listening[port["targetPort"]] == port["port"] for port in offered)
    wanted = (
        [names.ISTIO_PORT, names.ISTIO_RENEWAL_PORT]
        if options.mesh.get("authority") == {"istio": {"kind": "grpc"}}
        else []
    )
    assert [port["port"] for port in offered] == wanted


@given(OPTIONS)
def test_the_service_leads_to_the_port_that_the_webhook_listens_on_and_may_call_itself_by(options: Options) -> None:
    found = made(options)
    (service,) = [each for each in of_kind(found, "Service") if each["metadata"]["name"] != names.AUTHORITY]
    (port,) = service["spec"]["ports"]
    name = service["metadata"]["name"]
    (webhook,) = [each for each in of_kind(found, "Deployment") if each["metadata"]["name"] == name]
    listening = {each["name"]: each["containerPort"] for each in containers([webhook])[0]["ports"]}
    assert (port["port"], listening[port["targetPort"]]) == (SERVICE_PORT, names.WEBHOOK_PORT)
    (policy,) = [each for each in of_kind(found, "NetworkPolicy") if each["metadata"]["name"] == name]
    (itself,) = [rule for rule in policy["spec"]["egress"] if "to" in rule]
    (to,) = itself["to"]
    assert selected(to["podSelector"], webhook["spec"]["template"]["metadata"]["labels"])
    assert ports([itself]) == {names.WEBHOOK_PORT}
