"""What is installed for SPIFFE's Workload API is what the agent and the authority look for."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from installation.authority import rights, services, serving
from installation.node import agent
from installation.noted import plain
from installation.options import Options
from node.settings import settings
from proa import names
from proa.doors import NODE_AGENT_ACCOUNT
from proa.json import Json


def options(**workload_api: Json) -> Options:
    istio: Json = {"kind": "grpc", "audiences": ["own", "istio-ca"], "trustedNodeAccounts": [NODE_AGENT_ACCOUNT]}
    authority: Json = {"istio": istio, "workloadApi": workload_api or {"kind": "none"}}
    return Options(
        mesh={"trustDomain": "example.org", "authority": authority, "interception": {"programmedBy": "node"}}
    )


def pod(given: Options) -> Any:
    (found,) = (plain(each) for each in agent(given) if each["kind"] == "DaemonSet")
    return found["spec"]["template"]["spec"]


def test_the_agent_reads_what_it_is_told_where_it_is_mounted() -> None:
    spec = pod(options(kind="node-agent"))
    (container,) = spec["containers"]
    told = settings({"NODE_NAME": "n", **{each["name"]: each.get("value", "n") for each in container["env"]}}).workload
    assert told is not None
    assert (told.trust_domain.name, str(told.socket)) == ("example.org", names.WORKLOAD_SOCKET)
    mounts = {each["name"]: PurePosixPath(each["mountPath"]) for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert mounts["workload"] == told.socket.parent == PurePosixPath(volumes["workload"]["hostPath"]["path"])
    token, roots = (next(iter(each.values())) for each in volumes["authority"]["projected"]["sources"])
    assert (mounts["authority"] / token["path"], token["audience"]) == (told.token, "own")
    assert (mounts["authority"] / roots["path"], roots["optional"]) == (told.roots, True)


def test_without_it_the_agent_has_nothing_of_it() -> None:
    spec = pod(options())
    assert "workload" not in str(spec)
    assert "token" not in {name for each in spec["volumes"] for name in each}
    assert "dnsPolicy" not in spec


@pytest.mark.parametrize(("tokens", "there"), [({"kind": "none"}, False), ({"kind": "jwt-svids"}, True)])
def test_tokens_take_a_port_and_a_secret_and_nothing_else(tokens: Json, there: bool) -> None:
    given = options(kind="node-agent", tokens=tokens)
    assert (names.DISCOVERY_PORT in serving(given).values()) is there
    assert ("proa-ca-jwt" in {each["metadata"]["name"] for each in map(plain, rights(given))}) is there
    (service,) = map(plain, services(given))
    assert ("https-discovery" in {each["name"] for each in service["spec"]["ports"]}) is there
