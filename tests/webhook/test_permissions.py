from webhook.permissions import permissions
from webhook.registration import Revision


def test_nothing_can_be_made_or_removed_but_a_lease_and_an_event() -> None:
    made = {
        resource
        for permission in permissions(Revision())
        for resource in permission.resources
        if {"create", "*"} & set(permission.verbs)
    }
    assert made == {"leases", "events"}
    assert not any({"delete", "deletecollection", "*"} & set(each.verbs) for each in permissions(Revision()))


def test_a_revision_may_only_touch_what_is_its_own() -> None:
    for permission in permissions(Revision("canary")):
        if {"patch", "update"} & set(permission.verbs) and permission.resources != ("events",):
            assert permission.names == ("proa-webhook-canary",)


def test_no_secret_and_no_pod_can_be_read() -> None:
    read = {resource for permission in permissions(Revision()) for resource in permission.resources}
    assert read == {"namespaces", "mutatingwebhookconfigurations", "configmaps", "events", "leases"}


def test_every_rule_has_its_reason() -> None:
    assert all(permission.why for permission in permissions(Revision()))
