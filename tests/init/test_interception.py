"""An interception that cannot work is refused when it is made, with every reason."""

import pytest

from init.interception import Interception
from proa import names
from proa.errors import Refused


def test_the_default_is_the_proxy_of_the_design() -> None:
    assert Interception() == Interception(1337, 1337, 15001, 15006, (15021, 15090))
    assert names.READY_PORT in Interception().excluded_inbound_ports


@pytest.mark.parametrize(
    ("settings", "field", "found"),
    [
        ({"proxy_uid": 0}, "proxy_uid", "0"),
        ({"proxy_uid": 2**32 - 1}, "proxy_uid", "4294967295"),
        ({"proxy_gid": 0}, "proxy_gid", "0"),
        ({"outbound_port": 0}, "outbound_port", "0"),
        ({"inbound_port": 65536}, "inbound_port", "65536"),
        ({"inbound_port": 15001}, "inbound_port", "15001"),
        ({"excluded_inbound_ports": (80, 0)}, "excluded_inbound_ports", "0"),
        ({"excluded_inbound_ports": (15006,)}, "excluded_inbound_ports", "15006"),
        ({"excluded_inbound_ports": (15001,)}, "excluded_inbound_ports", "15001"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(settings: dict[str, int], field: str, found: str) -> None:
    with pytest.raises(Refused) as refused:
        Interception(**settings)
    assert [(problem.field, problem.found) for problem in refused.value.problems] == [(field, found)]


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Interception(proxy_uid=0, proxy_gid=0, outbound_port=0, inbound_port=0, excluded_inbound_ports=(70000,))
    assert [problem.field for problem in refused.value.problems] == [
        "proxy_uid",
        "proxy_gid",
        "outbound_port",
        "inbound_port",
        "inbound_port",
        "excluded_inbound_ports",
    ]


@pytest.mark.parametrize("port", [1, 65535])
def test_the_first_and_the_last_port_are_ports(port: int) -> None:
    assert Interception(outbound_port=port, excluded_inbound_ports=()).outbound_port == port
