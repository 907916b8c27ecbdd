"""Some user's connection shows whether a pod is intercepted, wherever one could."""

import pytest
from hypothesis import example, given

from init.fate import Captured, Sender
from init.probes import telling
from proa.capture.choices import AllDns, ExcludedUsers
from proa.capture.interception import Interception
from proa.capture.provers import captured_port, prover
from proa.capture.spans import holds
from support.interceptions import interceptions

OWN = {4: "10.77.0.2", 6: "fd77::2"}
NONE: tuple[tuple[int, int], ...] = ()


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Interception(), (1337, 1337)),
        (Interception(proxy_uids=NONE, proxy_gids=((7, 9),)), (1000, 7)),
        (Interception(excluded_inbound_ports=((1, 15000), (15060, 60000))), (1337, 1337)),
        (Interception(included_inbound_ports=NONE), (1000, 1000)),
        (Interception(included_inbound_ports=NONE, excluded_users=(ExcludedUsers(((0, 2000),)),)), (2001, 1000)),
        (Interception(included_inbound_ports=NONE, included_gids=((5, 5),)), (1000, 5)),
    ],
)
def test_the_proxy_shows_what_arrives_the_application_what_leaves(wanted: Interception, ids: tuple[int, int]) -> None:
    assert prover(wanted) == ids
    assert all(isinstance(probe.expected, Captured) for probe in telling(wanted, OWN, Sender(*ids)))
    assert telling(wanted, OWN, Sender(*ids))


@pytest.mark.parametrize(
    "wanted",
    [
        Interception(included_inbound_ports=NONE, included_outbound_cidrs=()),
        Interception(included_inbound_ports=NONE, included_gids=((0, 0),)),
        Interception(included_inbound_ports=NONE, excluded_users=(ExcludedUsers(((1, 70000),)),)),
    ],
)
def test_nobody_shows_what_does_not_happen(wanted: Interception) -> None:
    assert prover(wanted) is None


@given(interceptions())
@example(Interception(included_inbound_ports=((53, 53),), dns=AllDns()))
def test_what_arrives_is_shown_in_each_family_that_is_captured(wanted: Interception) -> None:
    if port := captured_port(wanted):
        assert holds(wanted.included_inbound_ports, port)
        ids = prover(wanted)
        assert ids
        found = telling(wanted, OWN, Sender(*ids))
        families = [family for family, policy in ((4, wanted.ipv4), (6, wanted.ipv6)) if policy == "capture"]
        assert [(probe.name, probe.expected) for probe in found] == [
            (f"a connection to the pod itself, IPv{family}", Captured(wanted.inbound_port)) for family in families
        ]
