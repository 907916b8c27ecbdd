"""The CNI protocol: what is asked, and the errors it is answered with."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cni import (
    INCOMPATIBLE_VERSION,
    INVALID_CONFIGURATION,
    INVALID_ENVIRONMENT,
    UNDECODABLE,
    VERSIONS,
    Add,
    Check,
    CniRefused,
    Collect,
    Delete,
    NoPod,
    Owner,
    Status,
    refusal,
    request,
    version,
)

ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u-1"
VARIABLES = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0", "CNI_ARGS": ARGS}
WEB = Owner("shop", "web", "u-1")


def asked(command: str, conf: Any = None, **changed: str) -> Any:
    document = json.dumps({"cniVersion": "1.1.0", "name": "pods", "type": "proa-cni", **(conf or {})}).encode()
    return request({**VARIABLES, "CNI_COMMAND": command, **changed}, document)


def number(command: str, conf: Any = None, **changed: str) -> int:
    with pytest.raises(CniRefused) as refused:
        asked(command, conf, **changed)
    return refused.value.number


def test_every_command_is_understood() -> None:
    assert asked("ADD", {"prevResult": {"ips": []}}) == Add(WEB, b'{"ips": []}')
    assert asked("CHECK") == Check(WEB)
    assert asked("DEL") == Delete(WEB)
    assert asked("GC", {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}) == Collect()
    assert asked("STATUS") == Status()


def test_a_container_of_no_pod_is_nobodys() -> None:
    assert asked("CHECK", CNI_ARGS="") == Check(NoPod())
    assert asked("CHECK", CNI_ARGS="IgnoreUnknown=1;IP=10.0.0.1") == Check(NoPod())


@pytest.mark.parametrize("missing", ["K8S_POD_NAMESPACE=shop", "K8S_POD_NAME=web", "K8S_POD_UID=u-1"])
def test_half_a_pod_is_refused(missing: str) -> None:
    assert number("CHECK", CNI_ARGS=ARGS.replace(missing, "X=1")) == INVALID_ENVIRONMENT


@pytest.mark.parametrize(
    ("command", "spoken"),
    [("ADD", "0.2.0"), ("ADD", "2.0.0"), ("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "0.4.0"), ("DEL", "")],
)
def test_a_command_that_its_version_does_not_have_is_refused(command: str, spoken: str) -> None:
    assert number(command, {"cniVersion": spoken}) == INCOMPATIBLE_VERSION


def test_who_is_not_chained_is_told_so() -> None:
    assert number("ADD") == INVALID_CONFIGURATION
    assert number("ADD", {"prevResult": None}) == INVALID_CONFIGURATION


@pytest.mark.parametrize(
    "changed", [{"CNI_CONTAINERID": ""}, {"CNI_CONTAINERID": "../x"}, {"CNI_IFNAME": "a/b"}, {"CNI_IFNAME": "x" * 16}]
)
def test_a_broken_environment_is_refused(changed: dict[str, str]) -> None:
    assert number("ADD", {"prevResult": {}}, **changed) == INVALID_ENVIRONMENT


def test_an_unknown_command_is_refused() -> None:
    assert number("UPDATE") == INVALID_ENVIRONMENT


@given(st.binary(max_size=64))
def test_whatever_else_comes_as_a_configuration_is_refused(document: bytes) -> None:
    with pytest.raises(CniRefused) as refused:
        request({**VARIABLES, "CNI_COMMAND": "ADD"}, document)
    assert refused.value.number in {UNDECODABLE, INCOMPATIBLE_VERSION, INVALID_CONFIGURATION}


@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.floats() | st.text(), st.lists)), st.sampled_from(VERSIONS)
)
def test_the_former_result_is_passed_on_byte_by_byte(former: dict[str, Any], spoken: str) -> None:
    text = json.dumps(former, allow_nan=True).replace("NaN", "1").replace("Infinity", "2")
    document = f'{{"cniVersion": "{spoken}", "prevResult": {text} , "name": "x"}}'.encode()
    found = request({**VARIABLES, "CNI_COMMAND": "ADD"}, document)
    assert isinstance(found, Add)
    assert found.former == text.encode()


def test_an_error_is_in_the_version_of_the_question() -> None:
    error = CniRefused(11, "later", "the reason")
    assert json.loads(refusal(error, version(b'{"cniVersion": "0.4.0"}'))) == {
        "cniVersion": "0.4.0",
        "code": 11,
        "msg": "later",
        "details": "the reason",
    }
    assert version(b"nonsense") == version(b'{"cniVersion": "9"}') == VERSIONS[-1]
