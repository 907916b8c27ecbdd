"""Nodes whose runtime looks elsewhere: each pair of directories that docs/node-mode.md names is taken as it stands."""

import pytest
import yaml

from installation.node import agent
from installation.options import Options
from node.settings import settings
from support.documented import PAGE, distributions


@pytest.mark.parametrize("nodes", distributions())
def test_the_agent_mounts_the_directories_of_a_distribution_and_is_told_of_them(nodes: str) -> None:
    configurations, programs = distributions()[nodes]
    node = {"programmedBy": "node", "cniConfDir": configurations, "cniBinDir": programs}
    *_, daemon_set = agent(Options(mesh={"interception": node}))
    pod = daemon_set["spec"]["template"]["spec"]
    mounted = {each["hostPath"]["path"] for each in pod["volumes"] if "hostPath" in each}
    assert {configurations, programs} <= mounted & {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    told = {each["name"]: each.get("value", "node-1") for each in pod["containers"][0]["env"]}
    places = settings(told).places
    assert (str(places.configurations), str(places.programs)) == (configurations, programs)


def test_the_pod_that_removes_what_a_killed_agent_left_has_all_that_it_takes() -> None:
    _, _, block = PAGE.read_text(encoding="utf-8").partition("  ```yaml\n  apiVersion: v1\n  kind: Pod\n")
    pod = yaml.safe_load(block.partition("```")[0])["spec"]
    (container,) = pod["containers"]
    places = settings({each["name"]: each["value"] for each in container["env"]}).places
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert {each["name"]: each["hostPath"]["path"] for each in pod["volumes"]} == mounted
    assert set(mounted.values()) == {str(places.configurations), str(places.programs)}
    assert (container["command"], pod["hostNetwork"]) == (["proa-node", "remove"], True)
