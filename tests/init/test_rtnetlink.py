"""The messages about rules and routes, read by somebody else's decoder."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from init.netlink import answers
from init.rtnetlink import ADD, NEW_ROUTE, NEW_RULE, PROTOCOL, REPLACE, Entry, entry, listing, route, rule
from proa.capture.choices import Tproxied

numbers = st.integers(1, 2**32 - 1)
families = st.sampled_from([2, 10])


def decoded(kind: type[Any], message: bytes) -> Any:
    found = kind(message)
    found.decode()
    assert found["header"]["length"] == len(message)
    return found


@given(families, numbers, numbers)
def test_a_rule_says_what_is_meant(family: int, mark: int, table: int) -> None:
    found = decoded(fibmsg, rule(NEW_RULE, ADD, family, Tproxied(mark, table)))
    assert (found["family"], found["action"], found["table"]) == (family, 1, table if table < 256 else 252)
    said = {key: found.get_attr(key) for key in ("FRA_FWMARK", "FRA_FWMASK", "FRA_TABLE", "FRA_PRIORITY")}
    assert said == {"FRA_FWMARK": mark, "FRA_FWMASK": 2**32 - 1, "FRA_TABLE": table, "FRA_PRIORITY": 1337}
    assert found.get_attr("FRA_PROTOCOL") == PROTOCOL


@given(families, numbers, st.integers(1, 2**31 - 1))
def test_a_route_says_what_is_meant(family: int, table: int, interface: int) -> None:
    found = decoded(rtmsg, route(NEW_ROUTE, REPLACE, family, table, interface))
    kind, scope, local = found["type"], found["scope"], (2, 254)
    assert ((kind, scope), found["dst_len"], found["proto"]) == (local, 0, PROTOCOL)
    assert (found.get_attr("RTA_TABLE"), found.get_attr("RTA_OIF")) == (table, interface)


@given(families, st.lists(st.tuples(numbers, numbers)))
def test_what_is_listed_is_what_was_made(family: int, modes: list[tuple[int, int]]) -> None:
    rules = b"".join(rule(NEW_RULE, ADD, family, Tproxied(*mode)) for mode in modes)
    routes = b"".join(route(NEW_ROUTE, REPLACE, family, table, 1) for _, table in modes)
    assert [entry(answer, family) for answer in answers(rules)] == [Entry(*mode) for mode in modes]
    assert [entry(answer, family) for answer in answers(routes)] == [Entry(0, table) for _, table in modes]


def test_nobody_elses_is_ours() -> None:
    ours = rule(NEW_RULE, ADD, 2, Tproxied())
    theirs = ours.replace(bytes((PROTOCOL,)), b"\4")
    assert [entry(answer, 2) for answer in answers(ours + theirs)] == [Entry(1337, 133), None]
    assert [entry(answer, 10) for answer in answers(ours)] == [None]


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_to_its_end(received: bytes) -> None:
    assert sum(16 + len(answer.payload) for answer in answers(received)) <= len(received)


def test_a_list_is_asked_for_by_its_family() -> None:
    assert decoded(fibmsg, listing(34, 10))["family"] == 10
