"""The node agent and its plugin against the kernel: the real plugin asks the real agent behind a real bridge plugin."""

import asyncio
import os
import signal
from contextlib import ExitStack

import pytest

from node.cni import ANNOTATION_REFUSED, DIFFERENT, TRY_AGAIN_LATER, UNAVAILABLE
from support.capturing import assert_captured
from support.nodes import PATIENCE, Failed, Node, children
from support.spaces import Namespace, made_namespace

pytestmark = pytest.mark.netns


async def test_a_pods_traffic_is_redirected_once_its_network_is_made(agent: Node, namespace: Namespace) -> None:
    pod = await agent.put("web")
    result = await agent.runtime("ADD", pod, namespace)
    await assert_captured(agent.space, namespace, result)
    await agent.runtime("CHECK", pod, namespace, result)
    await agent.runtime("DEL", pod, namespace, result)


async def test_the_result_of_the_network_is_passed_on_as_it_was(agent: Node, namespace: Namespace) -> None:
    former = {"cniVersion": "1.0.0", "ips": [], "dns": {"nameservers": ['"}]{', "ä"]}, "unknown": [1.50, -0.0, 1e300]}
    given = agent.configuration()["plugins"][-1] | {"cniVersion": "1.0.0", "name": "pods", "prevResult": former}
    assert await agent.plugin("ADD", given, await agent.put("web"), namespace) == former


async def test_a_pod_without_the_annotation_is_let_be(agent: Node, namespace: Namespace) -> None:
    await agent.runtime("ADD", await agent.put("plain", annotation=None), namespace)
    assert namespace.rules() == ""


async def test_a_pod_whose_app_sees_its_clients_addresses_gets_its_routes_too(
    agent: Node, namespace: Namespace
) -> None:
    pod = await agent.put("web", annotation='{"inbound-mode":"tproxy:5:66"}')
    result = await agent.runtime("ADD", pod, namespace)
    for family in ("-4", "-6"):
        assert "fwmark 0x5 lookup 66" in namespace.ip(f"{family} rule")
        assert "local default dev lo" in namespace.ip(f"{family} route show table 66")
    await agent.runtime("CHECK", pod, namespace, result)
    namespace.ip("-4 rule del fwmark 5")
    with pytest.raises(Failed) as failure:
        await agent.runtime("CHECK", pod, namespace, result)
    assert failure.value.error["code"] == DIFFERENT


async def test_check_tells_that_a_table_was_removed(agent: Node, namespace: Namespace) -> None:
    pod = await agent.put("web")
    result = await agent.runtime("ADD", pod, namespace)
    namespace.run("nft", "delete", "table", "inet", "proa", check=True)
    with pytest.raises(Failed) as failure:
        await agent.runtime("CHECK", pod, namespace, result)
    assert failure.value.error["code"] == DIFFERENT
    assert "missing" in failure.value.error["details"]


async def test_a_refused_annotation_stops_the_pod_and_names_what_is_wrong(agent: Node, namespace: Namespace) -> None:
    with pytest.raises(Failed) as failure:
        await agent.runtime("ADD", await agent.put("web", annotation='{"proxy-uid": "0", "udp": "maybe"}'), namespace)
    assert failure.value.error["code"] == ANNOTATION_REFUSED
    assert all(name in failure.value.error["details"] for name in ("proxy-uid", "udp"))
    assert namespace.rules() == ""


async def test_while_the_agent_is_away_pods_have_to_wait_and_may_go(agent: Node, namespace: Namespace) -> None:
    pod = await agent.put("web")
    assert await agent.stop() == 0
    with pytest.raises(Failed) as failure:
        await agent.runtime("ADD", pod, namespace)
    assert failure.value.error["code"] == TRY_AGAIN_LATER
    await agent.runtime("DEL", pod, namespace)
    await agent.start()
    await agent.runtime("ADD", pod, namespace)
    assert "inet proa" in namespace.rules()


async def test_pods_of_an_excluded_namespace_start_without_the_agent(agent: Node, namespace: Namespace) -> None:
    pod = await agent.put("dns", namespace="kube-system")
    await agent.stop()
    result = await agent.runtime("ADD", pod, namespace)
    assert len(result["ips"]) == 2
    await agent.runtime("CHECK", pod, namespace, result)
    assert namespace.rules() == ""


async def test_a_pod_that_names_anothers_uid_gets_nothing_of_its(agent: Node, namespace: Namespace) -> None:
    pod = await agent.put("web")
    forged = {"metadata": {**pod["metadata"], "uid": "00000000-0000-4000-8000-00000000000f"}}
    with pytest.raises(Failed) as failure:
        await agent.runtime("ADD", forged, namespace)
    assert failure.value.error["code"] == TRY_AGAIN_LATER
    assert namespace.rules() == ""


async def test_a_pod_that_the_watch_has_not_told_of_is_asked_for(agent: Node, namespace: Namespace) -> None:
    path = "/api/v1/namespaces/shop/pods/early"
    # Not bound to this node yet, as far as the watch was told.
    pod = await agent.api.put(path, metadata={"annotations": {"proa.dev/interception": "{}"}}, spec={})
    await agent.runtime("ADD", pod, namespace)
    assert "GET /api/v1/namespaces/shop/pods/early" in agent.api.requests
    assert "inet proa" in namespace.rules()


async def test_while_the_api_server_is_away_the_pods_that_are_known_start(agent: Node, namespace: Namespace) -> None:
    pod = await agent.put("web")
    await agent.runtime("ADD", pod, namespace)
    await agent.api.stop()
    with made_namespace() as other, made_namespace() as third:
        await agent.runtime("ADD", pod, other)
        with pytest.raises(Failed) as failure:
            await agent.runtime("ADD", {"metadata": {**pod["metadata"], "name": "new"}}, third)
    assert failure.value.error["code"] == TRY_AGAIN_LATER
    await agent.api.start()


async def test_the_nodes_own_network_is_never_programmed(agent: Node) -> None:
    given = agent.configuration()["plugins"][-1] | {"cniVersion": "1.0.0", "name": "pods", "prevResult": {}}
    assert agent.agent is not None
    own = f"/proc/{agent.agent.pid}/ns/net"
    with pytest.raises(Failed) as failure:
        await agent.plugin("ADD", given, await agent.put("web"), agent.space, CNI_NETNS=own)
    assert "the node's own" in failure.value.error["details"]


async def test_a_hundred_pods_at_once(agent: Node) -> None:
    given = agent.configuration()["plugins"][-1] | {"cniVersion": "1.0.0", "name": "pods", "prevResult": {"ips": []}}
    with ExitStack() as stack:
        spaces = [stack.enter_context(made_namespace()) for _ in range(100)]
        pods = [await agent.put(f"web-{number}") for number in range(100)]
        await asyncio.gather(
            *(agent.plugin("ADD", given, pod, namespace) for pod, namespace in zip(pods, spaces, strict=True))
        )
        assert [namespace.name for namespace in spaces if "inet proa" not in namespace.rules()] == []
    _, metrics = await agent.asked("metrics")
    assert 'proa_node_requests_total{command="ADD",outcome="done"} 100.0' in metrics


async def test_a_node_is_unfit_until_its_agent_was_there_once(agent: Node, namespace: Namespace) -> None:
    given = agent.configuration()["plugins"][-1] | {"cniVersion": "1.1.0", "name": "pods"}
    pod = await agent.put("web")
    assert await agent.plugin("STATUS", given, pod, namespace) is None
    assert await agent.plugin("GC", given | {"cni.dev/valid-attachments": []}, pod, namespace) is None
    await agent.stop()
    assert await agent.plugin("STATUS", given, pod, namespace) is None
    agent.socket.unlink()
    with pytest.raises(Failed) as failure:
        await agent.plugin("STATUS", given, pod, namespace)
    assert failure.value.error["code"] == UNAVAILABLE


async def test_an_agent_that_has_lost_its_small_process_ends(agent: Node, namespace: Namespace) -> None:
    assert agent.agent is not None
    for child in children(agent.agent.pid):
        os.kill(child, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        assert await agent.agent.wait() == 1
    agent.agent = None
    with pytest.raises(Failed) as failure:
        await agent.runtime("ADD", await agent.put("web"), namespace)
    assert failure.value.error["code"] == TRY_AGAIN_LATER
