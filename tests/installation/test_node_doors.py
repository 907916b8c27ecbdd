"""What the node's agent has of its node follows from the door by which it is told of pods."""

from typing import Any

import pytest

from installation.node import agent
from installation.noted import plain
from installation.options import Options
from node.settings import Settings, settings
from proa.doors import NODE_AGENT_ACCOUNT
from proa.json import Json

WORKLOADS: dict[str, Json] = {
    "istio": {"kind": "grpc", "trustedNodeAccounts": [NODE_AGENT_ACCOUNT]},
    "workloadApi": {"kind": "node-agent"},
}


def pod(door: str, authority: dict[str, Json]) -> Any:
    mesh: dict[str, Json] = {"interception": {"programmedBy": "node", "door": door}, "authority": authority}
    (found,) = (plain(each) for each in agent(Options(mesh=mesh)) if each["kind"] == "DaemonSet")
    return found["spec"]["template"]["spec"]


def told(spec: Any) -> Settings:
    (container,) = spec["containers"]
    return settings({"NODE_NAME": "n", **{each["name"]: each.get("value", "n") for each in container["env"]}})


def mounts(spec: Any) -> dict[str, dict[str, Any]]:
    """By where they are; each with what it is."""
    volumes = {each["name"]: each for each in spec["volumes"]}
    return {each["mountPath"]: volumes[each["name"]] | each for each in spec["containers"][0]["volumeMounts"]}


def test_by_nri_it_has_nothing_of_the_node_but_the_runtimes_directory_for_reading() -> None:
    spec = pod("nri", {})
    of_node = {path: each for path, each in mounts(spec).items() if "hostPath" in each}
    socket = told(spec).nri
    assert socket is not None
    assert list(of_node) == [str(socket.parent)]
    (runtime,) = of_node.values()
    assert (runtime["readOnly"], runtime["hostPath"]["type"]) == (True, "Directory")


def test_by_its_plugin_it_has_the_networks_directories() -> None:
    spec = pod("cni", {})
    places = told(spec).places
    assert told(spec).nri is None
    assert {str(places.configurations), str(places.programs), str(places.socket.parent)} == set(mounts(spec))


@pytest.mark.parametrize("door", ["cni", "nri"])
def test_the_workload_api_may_write_beside_the_agents_socket(door: str) -> None:
    spec = pod(door, WORKLOADS)
    assert not mounts(spec)[str(told(spec).places.socket.parent)].get("readOnly")
