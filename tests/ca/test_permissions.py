"""No rule is wider than its reason, and each reason names a file that is there."""

import re
from pathlib import Path

from ca.accounts.permissions import IN_NAMESPACES
from ca.accounts.permissions import PERMISSIONS as ACCOUNTS
from ca.csrs.permissions import PERMISSIONS as REQUESTS
from ca.istio.permissions import PERMISSIONS as ISTIO
from ca.jwt.permissions import PERMISSIONS as JWT
from ca.maps.permissions import PERMISSIONS as MAPS
from ca.permissions import PERMISSIONS
from proa.permissions import Permission

EVERY = (*PERMISSIONS, *ISTIO, *ACCOUNTS, *IN_NAMESPACES, *MAPS, *REQUESTS, *JWT)
ROOT = Path(__file__).parents[2]


def test_no_rule_has_a_wildcard() -> None:
    for rule in EVERY:
        assert not {"*"} & {*rule.groups, *rule.resources, *rule.verbs, *rule.names}


def test_every_rule_says_which_code_needs_it() -> None:
    for rule in EVERY:
        files = re.findall(r"(?:ca|kube)/[\w/]+\.py", rule.why)
        assert files, rule
        assert [file for file in files if not (ROOT / file).exists()] == []


def test_no_secret_can_be_read_but_the_two() -> None:
    reading = [rule for rule in PERMISSIONS if "secrets" in rule.resources and set(rule.verbs) != {"create"}]
    assert {name for rule in reading for name in rule.names} == {"proa-ca", "proa-ca-root"}
    assert all(rule.names and rule.namespaced for rule in reading)


def test_the_roots_keys_can_only_be_read_created_and_replaced() -> None:
    verbs = {verb for rule in PERMISSIONS if "proa-ca-root" in rule.names for verb in rule.verbs}
    assert verbs == {"get", "update"}


def test_the_door_for_istios_clients_reads_no_secret_and_writes_no_object() -> None:
    assert {verb for rule in ISTIO for verb in rule.verbs if rule.resources != ("tokenreviews",)} == {"list", "watch"}
    assert {name for rule in ISTIO for name in rule.resources} == {"tokenreviews", "pods", "serviceaccounts"}


def test_the_keys_of_tokens_are_of_one_secret_which_nobody_else_of_the_rules_names() -> None:
    assert [(rule.resources, rule.names, rule.namespaced) for rule in JWT] == [(("secrets",), ("proa-ca-jwt",), True)]
    assert not any("proa-ca-jwt" in rule.names for rule in EVERY if rule not in JWT)


def test_other_peoples_secrets_are_touched_only_where_an_admin_binds_a_role_for_it() -> None:
    assert "secrets" not in {name for rule in (*ISTIO, *ACCOUNTS) for name in rule.resources}
    (rule,) = IN_NAMESPACES
    assert (rule.resources, set(rule.verbs)) == (("secrets",), {"list", "create", "patch"})


def test_nothing_can_be_deleted_but_the_roots_config_maps() -> None:
    deleting = [rule for rule in EVERY if {"delete", "deletecollection"} & set(rule.verbs)]
    assert [(rule.resources, rule.names) for rule in deleting] == [
        (("configmaps",), ("proa-roots", "istio-ca-root-cert"))
    ]


def test_no_other_config_map_can_be_read_or_changed_than_the_roots_and_the_configuration() -> None:
    touching = [rule for rule in EVERY if "configmaps" in rule.resources and set(rule.verbs) != {"create"}]
    assert {name for rule in touching for name in rule.names} == {"proa", "proa-roots", "istio-ca-root-cert"}
    assert all(rule.names for rule in touching)


def test_only_our_own_signers_are_signed_for() -> None:
    def named(verb: str) -> set[str]:
        rules: list[Permission] = [rule for rule in PERMISSIONS if verb in rule.verbs]
        return {name for rule in rules for name in rule.names}

    assert named("sign") == {"proa.dev/workload", "proa.dev/serving"}
    assert named("attest") == {"proa.dev/workload"}
