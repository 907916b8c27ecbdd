"""What the node agent keeps on its node: its plugin, the chain, the taint; and pods that started without it."""

import asyncio
import json

import pytest

from node.cni import TRY_AGAIN_LATER
from node.taint import TAINT
from support.nodes import DAEMON_SET, Failed, Node, sandbox
from support.spaces import Namespace

pytestmark = pytest.mark.netns


async def test_the_plugin_is_chained_again_when_the_network_writes_its_configuration_anew(agent: Node) -> None:
    assert agent.chained() == ["bridge", "proa-cni"]
    agent.write_primary()
    await agent.awaited(lambda: has(agent, ["bridge", "proa-cni"]))
    agent.write_primary("05-first.conflist")
    await agent.awaited(lambda: has(agent, ["bridge", "proa-cni"]))


async def has(node: Node, plugins: list[str]) -> bool:
    return node.chained() == plugins


async def test_a_plugin_that_somebody_took_away_is_put_back(agent: Node) -> None:
    (agent.programs / "proa-cni").unlink()
    await agent.awaited(lambda: is_installed(agent))


async def is_installed(node: Node) -> bool:
    installed = node.programs / "proa-cni"
    return installed.exists() and installed.read_bytes() == node.program.read_bytes()


async def test_removal_leaves_the_configuration_as_it_was(agent: Node) -> None:
    before = json.loads((agent.configurations / "10-pods.conflist").read_text())
    await agent.stop()
    await agent.removed()
    after = json.loads((agent.configurations / "10-pods.conflist").read_text())
    assert after == {**before, "plugins": before["plugins"][:1]}
    assert not (agent.programs / "proa-cni").exists()


async def test_a_pod_that_had_started_before_the_agent_is_repaired_where_it_is(
    node: Node, namespace: Namespace
) -> None:
    pod = await node.put("old")
    with sandbox(pod["metadata"]["uid"], namespace):
        await node.start()
        await node.awaited(lambda: told(node, "InterceptionRepaired"))
        assert "inet proa" in namespace.rules()
        # It is told before all that was looked at is counted.
        await node.awaited(lambda: counted(node, "repaired"))
        await node.stop()
        await node.start()
        await node.awaited(lambda: counted(node, "programmed"))


async def told(node: Node, reason: str) -> bool:
    return any(event["reason"] == reason for event in node.api.objects("events"))


async def counted(node: Node, standing: str) -> bool:
    return f'proa_node_pods{{standing="{standing}"}} 1.0' in (await node.asked("metrics"))[1]


async def test_a_pod_with_other_rules_is_reported_and_let_be(node: Node, namespace: Namespace) -> None:
    namespace.init("--inbound-port=16006")
    pod = await node.put("old")
    with sandbox(pod["metadata"]["uid"], namespace):
        await node.start()
        await node.awaited(lambda: told(node, "InterceptionDiffers"))
        assert "16006" in namespace.run("nft", "list", "ruleset").stdout


async def test_a_pod_that_cannot_be_repaired_is_deleted_where_that_is_wished(node: Node, namespace: Namespace) -> None:
    pod = await node.put("old", annotation="nonsense")
    with sandbox(pod["metadata"]["uid"], namespace):
        await node.start(UNREPAIRABLE="delete")
        await node.awaited(lambda: gone(node))
        assert await told(node, "NotIntercepted")


async def gone(node: Node) -> bool:
    return node.api.objects("pods") == []


async def test_an_agent_that_is_only_started_anew_leaves_its_plugin(agent: Node) -> None:
    assert await agent.stop() == 0
    assert agent.chained() == ["bridge", "proa-cni"]
    assert await is_installed(agent)


async def test_an_agent_that_is_taken_away_takes_its_plugin_with_it(agent: Node) -> None:
    await agent.api.remove(DAEMON_SET)
    assert await agent.stop() == 0
    assert agent.chained() == ["bridge"]
    assert not (agent.programs / "proa-cni").exists()


async def test_an_agent_that_comes_back_by_nri_takes_its_plugin_with_it(agent: Node) -> None:
    env = [{"name": "NRI_SOCKET", "value": "/var/run/nri/nri.sock"}]
    await agent.api.put(DAEMON_SET, spec={"template": {"spec": {"containers": [{"name": "proa-node", "env": env}]}}})
    assert await agent.stop() == 0
    assert agent.chained() == ["bridge"]


async def test_an_agent_that_does_not_learn_whether_it_is_taken_away_leaves_its_plugin(agent: Node) -> None:
    agent.api.refusing = (500, "InternalError", {})
    assert await agent.stop() == 0
    assert agent.chained() == ["bridge", "proa-cni"]


async def test_an_agent_that_was_killed_lets_nobody_in_until_its_plugin_is_taken_away_by_hand(
    agent: Node, namespace: Namespace
) -> None:
    pod = await agent.put("late")
    assert agent.agent is not None
    agent.agent.kill()
    await agent.api.remove(DAEMON_SET)
    await agent.agent.wait()
    with pytest.raises(Failed) as failure:
        await agent.runtime("ADD", pod, namespace)
    assert failure.value.error["code"] == TRY_AGAIN_LATER
    assert "if Proa is gone, take proa-cni out of the node's CNI" in failure.value.error["details"]
    await agent.runtime("DEL", pod, namespace)
    await agent.removed()
    assert agent.chained() == ["bridge"]
    await agent.runtime("ADD", pod, namespace)


async def test_a_plugin_is_not_chained_where_the_runtime_would_not_find_it(node: Node) -> None:
    (node.programs / "bridge").unlink()
    starting = asyncio.create_task(node.start())
    await node.awaited(lambda: says(node, "bridge not in"))
    assert node.chained() == ["bridge"]
    (node.programs / "bridge").symlink_to("/nowhere/that/is/mounted")
    await starting
    assert node.chained() == ["bridge", "proa-cni"]


async def says(node: Node, words: str) -> bool:
    return words in (await node.asked("readyz"))[1]


async def test_a_node_that_is_ready_loses_its_taint_and_no_other(node: Node) -> None:
    (node.configurations / "10-pods.conflist").unlink()
    theirs = {"key": "example.com/gpu", "effect": "NoSchedule"}
    await node.api.put("/api/v1/nodes/node-1", spec={"taints": [theirs, {"key": TAINT, "effect": "NoSchedule"}]})
    starting = asyncio.create_task(node.start())
    await node.awaited(lambda: node.answers("healthz"))
    assert len(taints(node)) == 2
    node.write_primary()
    await starting
    await node.awaited(lambda: lifted(node))
    assert taints(node) == [theirs]


def taints(node: Node) -> list[object]:
    (found,) = node.api.objects("nodes")
    return list(found["spec"]["taints"])


async def lifted(node: Node) -> bool:
    return len(taints(node)) == 1
